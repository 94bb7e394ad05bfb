// `convoy doctor`: what of AMD's is here, what is wrong with it, and what to do, the worst first; --selftest also computes.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/interrupt.h"

namespace convoy {
namespace {

struct DoctorOptions {
  bool json = false;
  std::string root;
  std::string site_packages;
  bool selftest = false;
  bool quick = false;
  SelftestOptions test;
};

// Says all that is known. Returns the exit status.
int tell(DoctorReport& report, const DoctorOptions& options) {
  if (report.selftest) std::ranges::move(findings_of(*report.selftest), std::back_inserter(report.findings));
  sort_findings(report.findings);
  fmt::print("{}", options.json ? doctor_as_json(report) : doctor_as_text(report));
  return exit_status_of(report.findings);
}

int doctor_command(DoctorOptions options, const Settings& settings) {
  while (options.root.ends_with('/')) options.root.pop_back();
  std::unique_ptr<InterruptWatch> interrupt;
  if (options.selftest) interrupt = std::make_unique<InterruptWatch>();
  DoctorReport report = examine(options.root, options.site_packages, settings);
  if (options.selftest) {
    options.test.extent = options.quick ? SelftestExtent::quick : SelftestExtent::full;
    auto tested = run_selftest(settings, options.test, *interrupt, [&](const SelftestReport& so_far) {
      // On another thread, while this one hangs: nothing below may be cleaned up.
      report.selftest = so_far;
      const int status = tell(report, options);
      std::fflush(stdout);
      _exit(status);
    });
    if (!tested) {
      fmt::print(stderr, "convoy: {}\n", tested.error().message);
      return 2;
    }
    report.selftest = std::move(*tested);
  }
  return tell(report, options);
}

void add_selftest_options(CLI::App* command, const std::shared_ptr<DoctorOptions>& options, CommandContext& context) {
  CLI::Option* selftest = command->add_flag("--selftest", options->selftest,
                                            "Also compute all kinds of convolutions here, and check every number");
  command->add_flag("--quick", options->quick, "Some seconds of the self test instead of some minutes")
      ->needs(selftest);
  command
      ->add_option("--device", options->test.device,
                   "What the self test runs on: auto, cpu, hip, cuda, opencl (also hip:1 ...), sim:gfx1010")
      ->capture_default_str()
      ->needs(selftest);
  command->add_option("--only", options->test.only, "Classes of the self test, separated by commas")
      ->type_name("CLASS")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(selftest);
  command->add_option("--seed", options->test.seed, "Of the self test's random numbers")
      ->capture_default_str()
      ->needs(selftest);
  add_setting_option(command, context, "fault", "Make a solver fail in the self test, e.g. miopen:hang@hw>42")
      ->type_name("SPEC")
      ->needs(selftest);
}

}  // namespace

void add_doctor_command(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("doctor", "Say what is wrong with AMD's software and GPUs here, and what to do");
  auto options = std::make_shared<DoctorOptions>();
  command->add_flag("--json", options->json, "Print a JSON object instead");
  CLI::Option* root =
      command->add_option("--root", options->root, "Look at the machine or image whose root is this folder")
          ->type_name("DIR")
          ->check(CLI::ExistingDirectory);
  command
      ->add_option("--python", options->site_packages,
                   "Also look at the wheels in a Python's site-packages, named in the root")
      ->type_name("DIR");
  add_selftest_options(command, options, context);
  root->excludes(command->get_option("--selftest"));  // an image computes nothing
  command->footer(
      "Exit status: 0 nothing is wrong, 1 warnings, 2 usage, 3 something is broken.\n"
      "Examples:\n"
      "  convoy doctor                            this machine, this shell's variables\n"
      "  convoy doctor --root /mnt/image          files of an image, this shell's variables\n"
      "  env -i convoy doctor --root /mnt/image   files of an image alone\n"
      "  convoy doctor --selftest                 after an installation: does this card compute right?\n"
      "  convoy doctor --json | jq '.findings[] | select(.severity == \"broken\")'");
  command->callback([&context, options] { context.exit_code = doctor_command(*options, context.settings); });
}

}  // namespace convoy
