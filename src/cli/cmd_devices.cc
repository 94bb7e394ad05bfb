// `convoy devices`: what can be computed on here, what it says of itself, and why the other backends offer nothing.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "device/device.h"

namespace convoy {
namespace {

nlohmann::ordered_json facts_of(const DeviceInfo& info) {
  nlohmann::ordered_json facts{{"name", info.name}, {"model", info.model}};
  const auto add = [&facts](const char* key, const std::string& value) {
    if (!value.empty()) facts[key] = value;
  };
  add("architecture", info.architecture);
  add("real_architecture", info.real_architecture);
  add("driver", info.driver);
  add("runtime", info.runtime);
  add("compiler", info.compiler);
  if (info.kind == DeviceKind::cpu) return facts;
  facts["compute_units"] = info.compute_units;
  facts["warp_size"] = info.warp_size;
  facts["local_memory_bytes"] = info.local_memory;
  facts["memory_bytes"] = info.memory_total;
  facts["is_host_processor"] = info.is_host_processor;
  return facts;
}

void print_text(const nlohmann::ordered_json& report) {
  for (const auto& device : report["devices"]) {
    fmt::print("{}: {}\n", device["name"].get<std::string>(), device["model"].get<std::string>());
    for (const auto& [key, value] : device.items()) {
      if (key == "name" || key == "model") continue;
      fmt::print("    {:<18} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  for (const auto& reason : report["absent"]) fmt::print("not here: {}\n", reason.get<std::string>());
  fmt::print("auto is {}\n", report["auto"].get<std::string>());
}

int devices_command(bool json) {
  const DeviceList list = list_devices();
  nlohmann::ordered_json report{{"devices", nlohmann::ordered_json::array()}, {"absent", list.absent}};
  for (const std::string& name : list.names) {
    const auto device = open_device(name);
    if (device) {
      report["devices"].push_back(facts_of((*device)->info()));
    } else {
      report["absent"].push_back(device.error().message);
    }
  }
  const auto best = open_device("auto");
  report["auto"] = best ? (*best)->info().name : best.error().message;
  if (json) {
    fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    print_text(report);
  }
  return 0;
}

}  // namespace

void add_devices_command(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("devices", "Show the devices that are here, and why others are not");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print a JSON object instead");
  command->footer(
      "--device of `convoy run` takes these names. Simulated AMD GPUs are not listed: sim:gfx803, sim:gfx906, "
      "sim:gfx90a,\n"
      "sim:gfx1010, sim:gfx1030, sim:gfx1100 and others (docs/sim.md).");
  command->callback([&context, json] { context.exit_code = devices_command(*json); });
}

}  // namespace convoy
