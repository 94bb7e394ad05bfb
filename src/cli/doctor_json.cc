// `convoy doctor --json`: keys are fixed, scripts read them (docs/doctor.md).
#include <cmath>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/doctor.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

Json as_json(const DetectedGpu& gpu) {
  Json lacks = Json::array();
  for (const Lack& lack : gpu.lacks) lacks.push_back({{"kind", name_of(lack.kind)}, {"detail", lack.detail}});
  return {{"pci_address", gpu.pci_address},
          {"vendor", fmt::format("{:04x}", gpu.vendor)},
          {"device", fmt::format("{:04x}", gpu.device)},
          {"architecture", gpu.architecture},
          {"integrated", gpu.integrated},
          {"compute_units", gpu.compute_units},
          {"memory_bytes", gpu.memory_bytes},
          {"kfd_node", gpu.kfd_node},
          {"driver", gpu.driver},
          {"render_node", gpu.render_node.path},
          {"lacks", std::move(lacks)}};
}

Json as_json(const PassedOver& one) {
  return {{"solver", one.solver}, {"tier", to_string(one.tier)}, {"outcome", to_string(one.outcome)},
          {"reason", one.reason}, {"cases", one.cases},          {"example", one.example}};
}

Json as_json(const SelftestClassResult& row) {
  Json served = Json::array(), passed_over = Json::array(), failures = Json::array();
  for (const auto& [who, count] : row.served)
    served.push_back({{"tier", to_string(who.first)}, {"solver", who.second}, {"cases", count}});
  for (const PassedOver& one : row.passed_over) passed_over.push_back(as_json(one));
  for (const SelftestFailure& one : row.failures)
    failures.push_back({{"problem", one.problem}, {"reason", one.reason}});
  // JSON has no infinity, which is the error of a NaN.
  const Json error = std::isfinite(row.worst_error) ? Json(row.worst_error) : Json(nullptr);
  return {{"name", row.name},
          {"meaning", row.meaning},
          {"cases", row.cases},
          {"passed", row.passed},
          {"failed", row.failed},
          {"left_out", row.left_out},
          {"served", std::move(served)},
          {"slowest", {{"problem", row.slowest}, {"ms", row.slowest_ms}}},
          {"worst", {{"problem", row.worst}, {"error", error}, {"tolerance", row.worst_tolerance}}},
          {"passed_over", std::move(passed_over)},
          {"failures", std::move(failures)}};
}

Json as_json(const SelftestReport& report) {
  Json classes = Json::array();
  for (const SelftestClassResult& row : report.classes) classes.push_back(as_json(row));
  return {{"device", report.device},   {"description", report.device_line},
          {"gpu", report.gpu},         {"quick", report.extent == SelftestExtent::quick},
          {"seed", report.seed},       {"fault", report.fault},
          {"seconds", report.seconds}, {"interrupted", report.interrupted},
          {"stuck", report.stuck},     {"classes", std::move(classes)}};
}

}  // namespace

std::string doctor_as_json(const DoctorReport& report) {
  Json out{{"findings", Json::array()}, {"gpus", Json::array()},      {"driver", Json::object()},
           {"rocm", Json::array()},     {"libraries", Json::array()}, {"variables", Json::array()}};
  for (const Finding& one : report.findings) {
    out["findings"].push_back({{"id", one.id},
                               {"severity", name_of(one.severity)},
                               {"sentence", one.sentence},
                               {"place", one.place},
                               {"cure", one.cure},
                               {"source", one.source}});
  }
  for (const DetectedGpu& gpu : report.detection.gpus) out["gpus"].push_back(as_json(gpu));
  const KernelDriver& driver = report.detection.driver;
  out["driver"] = {{"loaded", driver.loaded}, {"version", driver.version}, {"kernel_release", driver.kernel_release}};
  for (const RocmInstall& one : report.detection.rocm)
    out["rocm"].push_back({{"path", one.path}, {"version", one.version}});
  for (const DetectedLibrary& one : report.detection.libraries) {
    out["libraries"].push_back({{"name", one.name},
                                {"path", one.path},
                                {"version", one.version},
                                {"origin", name_of(one.origin)},
                                {"database_folder", one.database_folder},
                                {"embedded_databases", one.embedded_databases}});
  }
  for (const PlacedVariable& one : report.variables) {
    out["variables"].push_back(
        {{"name", one.name}, {"value", one.value}, {"judgement", name_of(one.judgement)}, {"places", one.places}});
  }
  if (report.selftest) out["selftest"] = as_json(*report.selftest);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace convoy
