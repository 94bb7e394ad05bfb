// Implementation of issue_report.h. All that is found out goes into fenced blocks: there Markdown means nothing.
#include "cli/issue_report.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <span>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/counted.h"
#include "cli/db_report.h"
#include "cli/time_text.h"
#include "device/rooted_files.h"
#include "dispatch/fault.h"
#include "problem/driver_line.h"
#include "store/store.h"

namespace convoy {
namespace {

constexpr std::size_t k_most_problems = 50, k_most_incidents = 5;

std::string utc(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string or_unknown(const std::string& text) {
  return text.empty() ? "unknown" : text;
}

std::string driver_line_of(const std::string& problem) {
  const auto parsed = parse_problem(problem);
  const auto line = parsed ? to_driver_line(*parsed) : tl::unexpected<Error>(parsed.error());
  return line ? *line : fmt::format("(no MIOpenDriver line: {})", line.error().message);
}

std::string system_text(const Detection& detection) {
  std::string name;
  RootedFiles files("");
  const std::string release = files.read("/etc/os-release").value_or("");
  constexpr std::string_view k_name = "PRETTY_NAME=\"";
  if (const auto at = release.find(k_name); at != std::string::npos) {
    name = release.substr(at + k_name.size());
    name.resize(std::min(name.find('"'), name.size()));
  }
  const KernelDriver& driver = detection.driver;
  const std::string container = container_kind("");
  std::string text = fmt::format("system: {}, Linux {}{}\n", or_unknown(name), or_unknown(driver.kernel_release),
                                 container.empty() ? "" : ", in a container (" + container + ")");
  text += fmt::format("amdgpu: {}{}\n", driver.loaded ? "loaded" : "not loaded",
                      driver.version.empty() ? "" : ", version " + driver.version);
  for (const std::string& one : driver.blocked_by) text += fmt::format("blocked by: {}\n", one);
  const DeviceNode& kfd = detection.kfd;
  text += kfd.exists ? fmt::format("/dev/kfd: mode {:04o}, group {}, {}\n", kfd.mode, kfd.group_name,
                                   kfd.may_open ? "may be opened" : "may not be opened")
                     : "/dev/kfd: not there\n";
  for (const DetectedGpu& gpu : detection.gpus) {
    text += fmt::format("{}: subsystem {:04x}:{:04x}, revision {:02x}, KFD node {}, {}\n", gpu.pci_address,
                        gpu.subsystem_vendor, gpu.subsystem_device, gpu.revision, gpu.kfd_node,
                        gpu.render_node.path.empty() ? "no render node" : gpu.render_node.path);
    for (const Lack& lack : gpu.lacks) text += fmt::format("    {}: {}\n", name_of(lack.kind), lack.detail);
  }
  return text;
}

std::string libraries_text(const Detection& detection) {
  std::string text;
  for (const DetectedLibrary& one : detection.libraries) {
    if (one.name != "libMIOpen") continue;
    text += fmt::format(
        "{}: {}\n", one.path,
        one.embedded_databases ? "databases embedded"
        : one.database_folder.empty()
            ? "no databases"
            : fmt::format("{} in {}", counted(static_cast<std::int64_t>(one.database_files.size()), "database"),
                          one.database_folder));
  }
  return text;
}

std::string variables_text(const std::vector<PlacedVariable>& variables) {
  std::string text;
  for (const PlacedVariable& one : variables) {
    text += fmt::format("{}={}\n    {}; set in {}\n", one.name, one.value, name_of(one.judgement),
                        fmt::join(one.places, "; "));
  }
  // Which library a program gets is theirs to say.
  for (const char* name : {"LD_LIBRARY_PATH", "LD_PRELOAD"}) {
    if (const std::string value = Settings::environment(name); !value.empty())
      text += fmt::format("{}={}\n", name, value);
  }
  return text;
}

std::string settings_text(const Settings& settings) {
  std::string text;
  for (const SettingRow& row : setting_rows()) {
    if (settings.origin(row.key) == Origin::built_in) continue;
    text += fmt::format("{} = {}    ({})\n", row.key, settings.text(row.key), settings.place(row.key));
  }
  for (const std::string& problem : settings.problems()) text += fmt::format("not accepted: {}\n", problem);
  return text;
}

std::string title_of(const Detection& detection) {
  if (detection.gpus.empty()) return "a machine without AMD GPUs";
  const DetectedGpu& gpu = detection.gpus.front();
  // No compute driver says which.
  if (gpu.architecture.empty()) return fmt::format("an AMD GPU {:04x}:{:04x}", gpu.vendor, gpu.device);
  return gpu.architecture;
}

// What is known of failures.
struct Record {
  Store::Contents contents;
  std::vector<Quarantine> quarantined;
};

// One problem's failures, the newest first, until when they keep solvers away, and the times that others take for it.
std::string incidents_text(const std::string& problem, std::span<const Incident* const> incidents,
                           const Record& record) {
  std::string text = fmt::format("{}\n{}\n", problem, driver_line_of(problem));
  for (const Incident* one : incidents.first(std::min(incidents.size(), k_most_incidents))) {
    text += fmt::format("    {}: {} {}{}: {}\n        on {}; library {}\n", utc(one->at), one->key.solver,
                        to_string(one->verdict), one->signal == 0 ? "" : fmt::format(" (signal {})", one->signal),
                        one->reason, one->key.device, one->key.library);
  }
  if (incidents.size() > k_most_incidents) {
    const auto more = static_cast<std::int64_t>(incidents.size() - k_most_incidents);
    text += fmt::format("    and {} before\n", counted(more, "more time"));
  }
  // By class, whose text has n* for the batch and would be no problem to whoever reads the report.
  for (const Quarantine& one : record.quarantined) {
    if (one.key.problem_class != incidents.front()->key.problem_class) continue;
    text += fmt::format("    {} in quarantine until {}, on {}\n", one.key.solver, utc(one.until), one.key.device);
  }
  for (const FindRecord& one : record.contents.finds) {
    if (one.problem != problem) continue;
    text += fmt::format("    measured: {} takes {} on {}\n", one.solver, time_text(one.time_ms), one.device);
  }
  return text + '\n';
}

std::string failures_text(const Settings& settings, std::int64_t now) {
  const StoreConfig config = store_config(settings);
  std::error_code error;
  // A folder that is not there yet is not made.
  if (config.folder.empty() || !std::filesystem::is_directory(config.folder, error)) return "";
  auto contents = Store::open(config)->contents();
  if (!contents) return fmt::format("cannot be read: {}\n", contents.error().message);
  auto quarantined = quarantines(contents->incidents, config.forgiveness, now);
  const Record record{std::move(*contents), std::move(quarantined)};
  std::vector<const Incident*> newest;
  for (const Incident& one : record.contents.incidents) {
    // A refusal is no failure; an injected one is of interest to who has just injected it.
    const bool injected = was_injected(one.key.library) && settings.text("fault").empty();
    if (one.verdict != Verdict::refused && !injected) newest.push_back(&one);
  }
  std::ranges::stable_sort(newest, [](const Incident* a, const Incident* b) { return a->at > b->at; });
  std::map<std::string, std::vector<const Incident*>> by_problem;
  std::vector<std::string> problems;  // in the order of their newest incident
  for (const Incident* one : newest) {
    std::vector<const Incident*>& known = by_problem[one->key.problem];
    if (known.empty()) problems.push_back(one->key.problem);
    known.push_back(one);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), k_most_problems); ++i)
    text += incidents_text(problems[i], by_problem[problems[i]], record);
  if (problems.size() > k_most_problems) {
    const auto more = static_cast<std::int64_t>(problems.size() - k_most_problems);
    text += fmt::format("and {} (convoy db export has all)\n", counted(more, "more problem"));
  }
  return text;
}

std::string selftest_text(const SelftestReport& report) {
  std::string text = selftest_as_text(report);
  for (const SelftestClassResult& row : report.classes) {
    for (const SelftestFailure& one : row.failures)
      text += fmt::format("{}\n{}\n    {}: {}\n", one.problem, driver_line_of(one.problem), row.name, one.reason);
    for (const PassedOver& one : row.passed_over) {
      if (!is_failure(one.outcome)) continue;
      text += fmt::format("{}\n{}\n    {}: {} {} in {}: {}\n", one.example, driver_line_of(one.example), row.name,
                          one.solver, to_string(one.outcome), counted(one.cases, "case"), one.reason);
    }
  }
  return text;
}

// Each line and all of it as long as a reader may want.
std::string bounded(std::string_view text) {
  constexpr std::size_t k_longest_line = 2000, k_longest = 200'000;
  std::string result;
  while (!text.empty() && result.size() < k_longest) {
    const std::string_view line = text.substr(0, text.find('\n'));
    result += line.substr(0, k_longest_line);
    result += line.size() > k_longest_line ? " ...\n" : "\n";
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  if (!text.empty()) result += fmt::format("... and {} more characters\n", text.size());
  return result;
}

// Lines of printable text in which no fence ends.
std::string fenced(std::string_view title, std::string text, std::string_view otherwise) {
  if (text.empty()) return fmt::format("## {}\n\n{}\n\n", title, otherwise);
  text = bounded(text);
  std::ranges::replace_if(
      text, [](char c) { return (c < ' ' && c != '\n') || c > '~'; }, '?');
  std::ranges::replace(text, '`', '\'');
  while (text.ends_with('\n')) text.pop_back();
  return fmt::format("## {}\n\n```text\n{}\n```\n\n", title, text);
}

}  // namespace

std::string issue_report(const DoctorReport& report, const Settings& settings, const Redactor& redact, std::int64_t now,
                         const std::string& version) {
  DoctorReport found = report;
  found.selftest.reset();  // it has its own part
  std::string text = fmt::format(
      "# Convoy {} on {}\n\nMade by `convoy doctor --report` on {}. Names of users and machines, home folders and ids "
      "of hardware are "
      "taken out; look\nthrough it before you attach it. `convoy run` with this file repeats the problems in it.\n\n",
      version, title_of(report.detection), utc(now));
  text += fenced("What doctor says", doctor_as_text(found), "");
  text += fenced("Machine", system_text(report.detection) + libraries_text(report.detection), "");
  text +=
      fenced("Variables", variables_text(report.variables), "No variable of MIOpen, HIP, HSA, ROCr or PyTorch is set.");
  text += fenced("Convoy's settings", settings_text(settings), "All are as built in.");
  text += fenced("Failures on record", failures_text(settings, now), "None.");
  if (report.selftest) text += fenced("Self test", selftest_text(*report.selftest), "");
  text.pop_back();
  return redact(text);
}

}  // namespace convoy
