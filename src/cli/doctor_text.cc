// What `convoy doctor` prints for people.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/counted.h"
#include "cli/doctor.h"
#include "problem/printable.h"

namespace convoy {
namespace {

// Names of files, devices and problems, which may be anybody's: nothing in them may drive a terminal.
std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

void add_finding(const Finding& one, std::string& text) {
  text += fmt::format("{:<8} {}\n", name_of(one.severity), one.id);
  text += fmt::format("    {}\n", one_line(one.sentence));
  if (!one.place.empty()) text += fmt::format("    where: {}\n", one_line(one.place));
  if (!one.cure.empty()) text += fmt::format("    cure:  {}\n", one_line(one.cure));
  if (!one.source.empty()) text += fmt::format("    see:   {}\n", one_line(one.source));
}

}  // namespace

std::string machine_as_text(const Detection& detection) {
  std::string text;
  constexpr double k_gib = 1 << 30;
  for (const DetectedGpu& gpu : detection.gpus) {
    text += fmt::format(
        "GPU {} {:04x}:{:04x} {}{}{}{}, driver {}{}\n", printable(gpu.pci_address), gpu.vendor, gpu.device,
        gpu.architecture.empty() ? "of unknown architecture" : printable(gpu.architecture),
        gpu.compute_units > 0 ? fmt::format(", {}", counted(gpu.compute_units, "compute unit")) : "",
        gpu.memory_bytes > 0 ? fmt::format(", {:.1f} GiB", static_cast<double>(gpu.memory_bytes) / k_gib) : "",
        gpu.integrated ? ", integrated" : "", gpu.driver.empty() ? "none" : printable(gpu.driver),
        gpu.lacks.empty() ? "" : ", cannot be used");
  }
  for (const RocmInstall& one : detection.rocm) {
    text += fmt::format("ROCm {} in {}\n", one.version.empty() ? "of unknown version" : printable(one.version),
                        printable(one.path));
  }
  for (const DetectedLibrary& one : detection.libraries) {
    text += fmt::format("{} {} ({}) {}\n", printable(one.name), printable(one.version), name_of(one.origin),
                        printable(one.path));
  }
  return text;
}

std::string doctor_as_text(const DoctorReport& report) {
  std::string text;
  for (const Finding& one : report.findings) add_finding(one, text);
  if (!report.findings.empty()) text += "\n";
  text += machine_as_text(report.detection);
  if (report.selftest) text += fmt::format("\n{}", selftest_as_text(*report.selftest));
  const auto count = [&](Severity severity) {
    return std::ranges::count(report.findings, severity, &Finding::severity);
  };
  text += fmt::format("{} broken, {}, {}\n", count(Severity::broken), counted(count(Severity::warning), "warning"),
                      counted(count(Severity::note), "note"));
  return text;
}

}  // namespace convoy
