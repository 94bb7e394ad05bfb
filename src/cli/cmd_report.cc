// `convoy report FILE...`: what programs did with their convolutions, from what they or `convoy exec` wrote.
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/report.h"
#include "problem/printable.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_most_bytes = std::uint64_t{256} << 20;

struct ReportOptions {
  std::vector<std::string> files;
  std::string html;
};

Result<Report> read_one(const std::string& file) {
  CONVOY_TRY(const std::string text, read_file(file, k_most_bytes));  // its errors begin with the name
  auto report = read_report(text);
  if (!report) return fail(report.error().code, file + ": " + report.error().message);
  return report;
}

std::string title_of(const std::vector<std::string>& files) {
  const std::string first = std::filesystem::path(files.front()).filename().string();
  return files.size() == 1 ? first : fmt::format("{} and {} more", first, files.size() - 1);
}

int report_command(const ReportOptions& options) {
  Report all;
  std::vector<std::string> read;
  for (const std::string& file : options.files) {
    auto report = read_one(file);
    if (!report) {
      fmt::print(stderr, "convoy: {}\n", report.error().message);
      continue;
    }
    all.merge(std::move(*report));
    read.push_back(file);
  }
  if (read.empty()) return 2;
  fmt::print("{}", report_as_text(all));
  if (!options.html.empty()) {
    if (const auto written = write_file_atomically(options.html, report_as_html(all, title_of(read))); !written) {
      fmt::print(stderr, "convoy: --html {}\n", written.error().message);
      return 1;
    }
    fmt::print(stderr, "convoy: wrote {}\n", options.html);
  }
  return read.size() < options.files.size() ? 1 : 0;
}

}  // namespace

void add_report_command(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("report", "Show what programs did with their convolutions, as tables or a page");
  auto options = std::make_shared<ReportOptions>();
  command
      ->add_option(
          "file", options->files,
          "What `convoy exec --report`, `convoy run --json` or convoy_statistics_json() wrote; several are merged")
      ->required()
      ->type_name("FILE");
  command->add_option("--html", options->html, "Also write one HTML page that needs nothing else")->type_name("FILE");
  command->footer(
      "Exit status: 0 all files were read, 1 some were not (each is named), 2 none was, or usage.\n\n"
      "Examples:\n"
      "  convoy report train.json\n"
      "  convoy report --html train.html monday.json tuesday.json");
  command->callback([&context, options] { context.exit_code = report_command(*options); });
}

}  // namespace convoy
