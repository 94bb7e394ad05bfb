// What `convoy doctor` found, and the forms in which it says so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/examine.h"
#include "cli/finding.h"
#include "cli/selftest.h"
#include "device/detect.h"

namespace convoy {

struct DoctorReport {
  std::vector<Finding> findings;  // the worst first
  std::vector<PlacedVariable> variables;
  Detection detection;
  std::optional<SelftestReport> selftest;
};

struct DoctorPlaces {
  std::string root;               // as detect() takes it
  std::string site_packages;      // of one more Python; empty: none
  std::vector<std::string> also;  // files that set variables, beside those that every machine has
};
// An Error names what of `site_packages` and `also` is not there.
Result<DoctorReport> examine(const DoctorPlaces& places, const Settings& settings);

std::string doctor_as_text(const DoctorReport& report);
std::string doctor_as_json(const DoctorReport& report);

// Lines about the machine: GPUs, ROCm, libraries.
std::string machine_as_text(const Detection& detection);

}  // namespace convoy
