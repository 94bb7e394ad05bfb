// Judges the variables of this process and of every program that files set some for, each set for itself: a login shell's is
// not a service's. What several places have in common is one finding with all places.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/examine.h"
#include "device/rooted_files.h"
#include "problem/printable.h"

namespace convoy {
namespace {

// In a container no file names what a variable comes from: the image, or the command that started it. Process 1 has those, too,
// where its variables may be read (by its own user).
class ProcessPlaces {
 public:
  explicit ProcessPlaces(const std::string& root) : container_(!container_kind(root).empty()) {
    constexpr std::uint64_t k_most_bytes = std::uint64_t{4} << 20;
    if (!container_) return;
    const std::string all = RootedFiles(root).read("/proc/1/environ", k_most_bytes).value_or("");
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = std::min(all.find('\0', at), all.size());
      started_with_.insert(all.substr(at, end - at));
      at = end + 1;
    }
  }

  std::string of(const std::string& name, const std::string& value) const {
    constexpr std::string_view k_process = "environment of this process";
    if (!container_) return std::string(k_process);
    if (started_with_.empty()) return fmt::format("{} (a container's)", k_process);
    return fmt::format("{} ({})", k_process,
                       started_with_.contains(fmt::format("{}={}", name, value)) ? "the container was started with it"
                                                                                 : "set inside the container");
  }

 private:
  bool container_;
  std::set<std::string> started_with_;
};

// What one program would see, and where each of it is set.
struct Scope {
  VariableSet variables;
  std::map<std::string, std::string, std::less<>> places;
  std::map<std::string, bool, std::less<>> computed;
};

std::vector<Scope> scopes_of(const VariableSet& process, const ProcessPlaces& places, const EnvironmentFiles& files) {
  std::vector<Scope> scopes(1);
  for (const auto& [name, value] : process) {
    if (!is_judged(name)) continue;
    scopes[0].variables.emplace(name, value);
    scopes[0].places.emplace(name, places.of(name, value));
  }
  std::map<std::string, Scope> by_name;
  for (const EnvironmentAssignment& one : files.assignments) {
    Scope& scope = by_name[one.scope];
    scope.variables.insert_or_assign(one.name, one.value);  // a later line wins
    scope.places.insert_or_assign(one.name, one.place());
    scope.computed.insert_or_assign(one.name, one.computed);
  }
  for (auto& [name, scope] : by_name) scopes.push_back(std::move(scope));
  return scopes;
}

class Collector {
 public:
  void add(const Scope& scope, const FolderContext& folders) {
    for (VariableVerdict& verdict : judge_variables(scope.variables, folders)) {
      const auto computed = scope.computed.find(verdict.variable);
      const bool by_name_alone = computed != scope.computed.end() && computed->second;
      const bool about_name =
          verdict.judgement == EnvironmentJudgement::invented || verdict.judgement == EnvironmentJudgement::unknown;
      if (by_name_alone && !about_name) continue;
      const std::string& place = scope.places.find(verdict.variable)->second;
      note_value(verdict, place);
      note_finding(verdict, place);
    }
  }

  EnvironmentReport take() {
    add_contradictions();
    return std::move(report_);
  }

 private:
  void note_value(const VariableVerdict& verdict, const std::string& place) {
    const auto same = [&](const PlacedVariable& one) {
      return one.name == verdict.variable && one.value == verdict.value;
    };
    auto found = std::ranges::find_if(report_.variables, same);
    if (found == report_.variables.end()) {
      report_.variables.push_back({verdict.variable, verdict.value, {}, verdict.judgement});
      found = std::prev(report_.variables.end());
    }
    found->judgement = std::min(found->judgement, verdict.judgement);
    if (std::ranges::find(found->places, place) == found->places.end()) found->places.push_back(place);
  }

  void note_finding(VariableVerdict& verdict, const std::string& place) {
    const auto [known, is_new] =
        found_.try_emplace({verdict.rule, verdict.variable, verdict.value}, report_.findings.size());
    if (!is_new) {
      report_.findings[known->second].place += "; " + place;
      return;
    }
    report_.findings.push_back({"environment." + verdict.rule, verdict.severity, std::move(verdict.sentence), place,
                                std::move(verdict.cure), std::move(verdict.source)});
  }

  void add_contradictions() {
    std::map<std::string, std::vector<const PlacedVariable*>> by_name;
    for (const PlacedVariable& one : report_.variables) by_name[one.name].push_back(&one);
    for (const auto& [name, values] : by_name) {
      if (values.size() < 2) continue;
      std::string sentence = fmt::format("{} has {} values", printable(name), values.size());
      std::string places;
      for (const PlacedVariable* one : values) {
        for (const std::string& place : one->places) {
          places +=
              fmt::format("{}{}={} in {}", places.empty() ? "" : "; ", printable(name), printable(one->value), place);
        }
      }
      report_.findings.push_back({"environment.contradiction", Severity::warning,
                                  sentence + ": which one a program sees depends on how it is started.",
                                  std::move(places), "set it in one place, or nowhere",
                                  "https://github.com/NixOS/nixpkgs/issues/332446"});
    }
  }

  EnvironmentReport report_;
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> found_;
};

}  // namespace

std::string container_kind(const std::string& root) {
  RootedFiles files(root);
  if (files.resolve("/.dockerenv")) return "Docker";
  if (files.resolve("/run/.containerenv")) return "Podman";
  // systemd writes there what kind it was told: "lxc", "systemd-nspawn".
  return files.first_line("/run/systemd/container");
}

EnvironmentReport examine_environment(const VariableSet& process, const EnvironmentSearch& search) {
  const EnvironmentFiles files = read_environment_files(search, is_judged);
  const FolderContext folders{search.root, search.home, {}};
  Collector collector;
  for (const Scope& scope : scopes_of(process, ProcessPlaces(search.root), files)) collector.add(scope, folders);
  EnvironmentReport report = collector.take();
  for (const DetectNote& note : files.unread) {
    report.findings.push_back({"environment.unread_file", Severity::note,
                               fmt::format("{}: {}.", printable(note.path), printable(note.text)), printable(note.path),
                               "look whether it sets variables", ""});
  }
  return report;
}

}  // namespace convoy
