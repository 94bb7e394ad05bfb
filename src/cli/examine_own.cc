// Convoy's own settings and folder. A folder that is not there yet is not made.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/file.h"
#include "cli/db_report.h"
#include "cli/examine.h"
#include "dispatch/fault.h"
#include "store/store.h"

namespace convoy {
namespace {

constexpr std::string_view k_cure_folder = "set CONVOY_CACHE_DIR to a folder of yours on a local disk";

std::filesystem::path nearest_existing(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

void add_folder(const std::string& folder, std::vector<Finding>& findings) {
  const std::filesystem::path there = nearest_existing(folder);
  std::error_code error;
  if (!std::filesystem::is_directory(there, error) || ::access(there.c_str(), W_OK | X_OK) != 0) {
    findings.push_back({"own.folder_unwritable", Severity::warning,
                        "Convoy cannot write to its folder: what it learns ends with each process.", folder,
                        std::string(k_cure_folder), ""});
  }
  if (on_network_filesystem(folder)) {
    findings.push_back({"own.folder_network", Severity::note,
                        "Convoy's folder is on a network file system: it works, slower, with one ledger for each host.",
                        folder, std::string(k_cure_folder), ""});
  }
}

void add_quarantine(const StoreConfig& config, std::vector<Finding>& findings) {
  std::error_code error;
  if (!std::filesystem::is_directory(config.folder, error)) return;
  const auto contents = Store::open(config)->contents();
  if (!contents) {
    findings.push_back({"own.store_unreadable", Severity::warning,
                        fmt::format("What Convoy remembers cannot be read: {}", contents.error().message),
                        config.folder, "convoy db verify", ""});
    return;
  }
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  auto held = quarantines(contents->incidents, config.forgiveness, now);
  std::erase_if(held, [](const Quarantine& one) { return was_injected(one.key.library); });
  if (held.empty()) return;
  findings.push_back(
      {"own.quarantine", Severity::note,
       fmt::format("{} of a solver and a problem in quarantine after crashes, hangs or wrong results; others "
                   "do that work.",
                   counted(static_cast<std::int64_t>(held.size()), "pair")),
       config.folder, "convoy db show tells which; convoy db forget SOLVER after an update", ""});
}

}  // namespace

std::vector<Finding> examine_own(const Settings& settings) {
  std::vector<Finding> findings;
  for (const std::string& problem : settings.problems()) {
    findings.push_back({"own.setting", Severity::warning, problem, "", "convoy settings", ""});
  }
  const StoreConfig config = store_config(settings);
  if (config.folder.empty()) {
    findings.push_back({"own.no_folder", Severity::warning,
                        "Convoy has no folder: what it learns ends with each process.", "",
                        "set HOME or CONVOY_CACHE_DIR", ""});
    return findings;
  }
  add_folder(config.folder, findings);
  add_quarantine(config, findings);
  return findings;
}

}  // namespace convoy
