// `convoy doctor`: what of AMD's is here, what is wrong with it, and what to do, the worst first; --selftest also computes.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/interrupt.h"
#include "cli/issue_report.h"
#include "cli/this_machine.h"

namespace convoy {
namespace {

struct DoctorOptions {
  bool json = false;
  DoctorPlaces places;
  bool selftest = false;
  bool quick = false;
  std::string report;  // a file; "-": standard output
  bool force = false;
  SelftestOptions test;
};

// Before hours of work: whether the file can be written at all.
Result<void> check_report_file(const DoctorOptions& options) {
  if (options.report.empty() || options.report == "-") return {};
  struct stat status {};
  if (::lstat(options.report.c_str(), &status) == 0 && !options.force) {
    return fail(
        ErrorCode::io,
        fmt::format("--report {}: is there already; name another file, or replace it with --force", options.report));
  }
  const auto slash = options.report.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : options.report.substr(0, slash + 1);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return fail(ErrorCode::io, fmt::format("--report {}: its folder cannot be written: {}; name a file in one that can",
                                           options.report, std::strerror(errno)));
  }
  return {};
}

Result<void> write_report(const DoctorReport& report, const DoctorOptions& options, const Settings& settings) {
  if (options.report.empty()) return {};
  const std::string text =
      issue_report(report, settings, Redactor::of_this_machine(), std::time(nullptr), CONVOY_VERSION);
  if (options.report == "-") {
    fmt::print("{}", text);
    return {};
  }
  const auto written =
      options.force ? write_file_atomically(options.report, text) : write_new_file_atomically(options.report, text);
  if (written) fmt::print(stderr, "convoy: wrote {}; look through it before you attach it\n", options.report);
  return written;
}

// Says all that is known. Returns the exit status.
int tell(DoctorReport& report, const DoctorOptions& options, const Settings& settings) {
  if (report.selftest) std::ranges::move(findings_of(*report.selftest), std::back_inserter(report.findings));
  sort_findings(report.findings);
  std::FILE* out = options.report == "-" ? stderr : stdout;
  fmt::print(out, "{}", options.json ? doctor_as_json(report) : doctor_as_text(report));
  if (const auto written = write_report(report, options, settings); !written) {
    fmt::print(stderr, "convoy: --report {}\n", written.error().message);
    return 2;
  }
  return exit_status_of(report.findings);
}

int doctor_command(DoctorOptions options, const Settings& settings) {
  options.places.root = root_of(options.places.root);
  if (options.json && options.report == "-") {
    fmt::print(stderr, "convoy: --json and --report - both want standard output; name a file for the report\n");
    return 2;
  }
  if (const auto writable = check_report_file(options); !writable) {
    fmt::print(stderr, "convoy: {}\n", writable.error().message);
    return 2;
  }
  std::unique_ptr<InterruptWatch> interrupt;
  if (options.selftest) interrupt = std::make_unique<InterruptWatch>();
  auto examined = examine(options.places, settings);
  if (!examined) {
    fmt::print(stderr, "convoy: {}\n", examined.error().message);
    return 2;
  }
  DoctorReport report = std::move(*examined);
  if (options.selftest) {
    options.test.extent = options.quick ? SelftestExtent::quick : SelftestExtent::full;
    auto tested = run_selftest(settings, options.test, *interrupt, [&](const SelftestReport& so_far) {
      // On another thread, while this one hangs: nothing below may be cleaned up.
      report.selftest = so_far;
      const int status = tell(report, options, settings);
      std::fflush(stdout);
      _exit(status);
    });
    if (!tested) {
      fmt::print(stderr, "convoy: {}\n", tested.error().message);
      return 2;
    }
    report.selftest = std::move(*tested);
  }
  return tell(report, options, settings);
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
      command->add_option("--root", options->places.root, "Look at the machine or image whose root is this folder")
          ->type_name("DIR")
          ->check(CLI::ExistingDirectory);
  command
      ->add_option("--python", options->places.site_packages,
                   "Also look at the wheels in a Python's site-packages, named in the root")
      ->type_name("DIR");
  command
      ->add_option(
          "--also", options->places.also,
          "Also look for variables in this file: of a shell, a service, compose, a Dockerfile; named in the root")
      ->type_name("FILE");
  add_selftest_options(command, options, context);
  CLI::Option* report = command
                            ->add_option("--report", options->report,
                                         "Also write all of it as a text to attach to an issue (- for standard output)")
                            ->type_name("FILE");
  command->add_flag("--force", options->force, "Let --report replace a file")->needs(report);
  // An image computes nothing, and the ledger is this machine's.
  root->excludes(command->get_option("--selftest"));
  root->excludes(report);
  command->footer(
      "Exit status: 0 nothing is wrong, 1 warnings, 2 usage, 3 something is broken.\n"
      "Examples:\n"
      "  convoy doctor                            this machine, this shell's variables\n"
      "  convoy doctor --root /mnt/image          files of an image, this shell's variables\n"
      "  env -i convoy doctor --root /mnt/image   files of an image alone\n"
      "  convoy doctor --selftest                 after an installation: does this card compute right?\n"
      "  convoy doctor --selftest --report me.md  the same, for an issue\n"
      "  convoy doctor --json | jq '.findings[] | select(.severity == \"broken\")'");
  command->callback([&context, options] { context.exit_code = doctor_command(*options, context.settings); });
}

}  // namespace convoy
