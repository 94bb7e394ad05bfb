// `convoy db`: look at, move and forget what the store remembers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/db_report.h"
#include "store/store.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_max_import = std::uint64_t{256} << 20;
// Kernels up to their default limit, as base64.
constexpr std::uint64_t k_max_import_with_kernels = std::uint64_t{1500} << 20;
constexpr int k_hours_per_day = 24;

// The options of all subcommands; they live as long as the callbacks.
struct Options {
  std::string problem;
  bool json = false;
  bool kernels = false;  // these alone; for moving: these too
  std::string file = "-";
  int days = 90;
  std::string what;
  bool all = false;

  Kernels moved() const { return kernels ? Kernels::included : Kernels::left_out; }
};

int failed(std::string_view what, std::string_view cure) {
  fmt::print(stderr, "convoy db: {}\n", what);
  if (!cure.empty()) fmt::print(stderr, "cure: {}\n", cure);
  return 1;
}

constexpr std::string_view k_cure_files =
    "'convoy db list' tells which files are used; CONVOY_CACHE_DIR names another folder";
constexpr std::string_view k_cure_damage =
    "convoy db export saved.jsonl, remove the file named above, convoy db import saved.jsonl";

// Whether all of it could be written shows when main() flushes.
int print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

Result<std::string> read_standard_input(std::uint64_t limit) {
  std::string text;
  char chunk[16384];
  while (const std::size_t count = std::fread(chunk, 1, sizeof chunk, stdin)) {
    text.append(chunk, count);
    if (text.size() > limit) return fail(ErrorCode::io, fmt::format("standard input: more than {} bytes", limit));
  }
  if (std::ferror(stdin) != 0) return fail(ErrorCode::io, "standard input: cannot be read");
  return text;
}

int list(const StoreConfig& config) {
  const auto store = Store::open(config);
  std::string text;
  const auto contents = store->contents();
  if (contents) {
    text = fmt::format("{:>7} find results\n{:>7} verdicts\n{:>7} incidents\n{:>7} trials now running\n",
                       contents->finds.size(), contents->verdicts.size(), contents->incidents.size(),
                       contents->intents.size());
    text += fmt::format("{:>7} kernels, {} bytes on disk\n", contents->kernels.size(), stored_bytes(*contents));
  }
  for (const std::string& note : store->notes()) text += note + '\n';
  const int printed = print(text);
  return contents ? printed : failed(contents.error().message, "convoy db verify");
}

int show(const StoreConfig& config, const Options& options) {
  const auto store = Store::open(config);
  auto contents = store->contents();
  if (!contents) return failed(contents.error().message, "convoy db verify");
  if (options.kernels) keep_kernels(*contents);
  keep_matching(*contents, options.problem);
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto quarantined = quarantines(contents->incidents, config.forgiveness, now);
  return print(options.json ? contents_as_json(*contents, quarantined) : contents_as_tables(*contents, quarantined));
}

int export_to(const StoreConfig& config, const std::string& file, Kernels kernels) {
  const auto lines = Store::open(config)->export_lines(kernels);
  if (!lines) return failed(lines.error().message, "convoy db verify");
  if (file == "-") return print(*lines);
  const auto written = write_file_atomically(file, *lines);
  if (!written) return failed(written.error().message, "name another file, or - for standard output");
  // The first line says what the file is.
  const auto records = std::count(lines->begin(), lines->end(), '\n') - 1;
  return print(fmt::format("wrote {} to {}\n", counted(records, "record"), file));
}

int import_from(const StoreConfig& config, const std::string& file, Kernels kernels) {
  const std::uint64_t limit = kernels == Kernels::included ? k_max_import_with_kernels : k_max_import;
  const auto text = file == "-" ? read_standard_input(limit) : read_file(file, limit);
  if (!text) return failed(text.error().message, "name a file that 'convoy db export' wrote");
  if (config.folder.empty()) return failed("no folder to import into", "set CONVOY_CACHE_DIR or HOME");
  const auto counts = Store::open(config)->import_lines(*text, file == "-" ? "standard input" : file, kernels);
  if (!counts) {
    const bool input = counts.error().code == ErrorCode::invalid_argument;
    return failed(counts.error().message, input ? "export it anew, or mend the line" : k_cure_files);
  }
  std::string report = fmt::format("imported {}, {}, {}", counted(counts->finds, "find result"),
                                   counted(counts->verdicts, "verdict"), counted(counts->incidents, "incident"));
  if (kernels == Kernels::included) report += fmt::format(", {}", counted(counts->kernels, "kernel"));
  report += fmt::format("; {} there already\n", counts->already_there);
  if (counts->kernels_left_out > 0) {
    report += fmt::format("left out {}: machine code comes in only with --with-kernels\n",
                          counted(counts->kernels_left_out, "kernel"));
  }
  return print(report);
}

int prune(const StoreConfig& config, int days) {
  const auto counts = Store::open(config)->prune(std::chrono::hours(k_hours_per_day) * days);
  if (!counts) return failed(counts.error().message, k_cure_files);
  return print(fmt::format("removed {}, {}, {}, {} older than {}\n", counted(counts->finds, "find result"),
                           counted(counts->verdicts, "verdict"), counted(counts->incidents, "incident"),
                           counted(counts->kernels, "kernel"), counted(days, "day")));
}

int verify(const StoreConfig& config) {
  const auto store = Store::open(config);
  const auto findings = store->verify();
  if (!findings) return failed(findings.error().message, k_cure_files);
  std::string text;
  for (const std::string& note : store->notes()) text += note + '\n';
  if (findings->empty()) return print(text + "sound\n");
  for (const std::string& finding : *findings) text += finding + '\n';
  print(text);
  return failed(counted(static_cast<std::int64_t>(findings->size()), "finding"), k_cure_damage);
}

int forget(const StoreConfig& config, const Options& options) {
  const std::string what = options.all ? "all" : options.kernels ? "kernels" : options.what;
  if (what.empty()) {
    failed("nothing to forget was named", "name a solver, a problem or an incident number, or give --kernels or --all");
    return 2;
  }
  const auto removed = Store::open(config)->forget(what);
  if (!removed) return failed(removed.error().message, k_cure_files);
  if (options.all) {
    return print(fmt::format("forgot everything: {} find results, kernels, verdicts and incidents\n", *removed));
  }
  if (options.kernels) return print(fmt::format("forgot {}\n", counted(*removed, "kernel")));
  if (*removed == 0) {
    return failed(fmt::format("nothing is remembered under '{}'", what),
                  "'convoy db show' lists solvers, problems and incident numbers");
  }
  return print(fmt::format("forgot {} verdicts and incidents of '{}'\n", *removed, what));
}

// What the callbacks share and keep alive.
struct Shared {
  CommandContext& context;
  Options options;
};

using Action = int (*)(const StoreConfig&, const Options&);

CLI::App* add(CLI::App& db, const std::shared_ptr<Shared>& shared, const char* name, const char* meaning,
              Action action) {
  CLI::App* command = db.add_subcommand(name, meaning);
  command->callback([shared, action] {
    shared->context.exit_code = action(store_config(shared->context.settings), shared->options);
  });
  return command;
}

void add_looking(CLI::App& db, const std::shared_ptr<Shared>& shared) {
  Options& options = shared->options;
  add(db, shared, "list", "Count what is remembered and name the files",
      [](const StoreConfig& config, const Options&) { return list(config); });
  CLI::App* command =
      add(db, shared, "show", "Show what is in quarantine and until when, incidents, verdicts, find results, kernels",
          [](const StoreConfig& config, const Options& o) { return show(config, o); });
  auto* problem =
      command->add_option("--problem", options.problem, "Only what is about problems that contain this text");
  command->add_flag("--kernels", options.kernels, "Only the compiled kernels")->excludes(problem);
  command->add_flag("--json", options.json, "Print a JSON object instead of tables");
  add(db, shared, "verify", "Check both files for damage; exit status 1 when there is some",
      [](const StoreConfig& config, const Options&) { return verify(config); });
}

void add_moving(CLI::App& db, const std::shared_ptr<Shared>& shared) {
  Options& options = shared->options;
  CLI::App* command =
      add(db, shared, "export", "Write decisions as JSON lines, for another machine",
          [](const StoreConfig& config, const Options& o) { return export_to(config, o.file, o.moved()); });
  command->add_option("file", options.file, "Where to; - is standard output")->capture_default_str();
  command->add_flag("--with-kernels", options.kernels, "Compiled kernels too");
  command = add(db, shared, "import", "Add the decisions of another machine: all lines or, if one is wrong, none",
                [](const StoreConfig& config, const Options& o) { return import_from(config, o.file, o.moved()); });
  command->add_option("file", options.file, "A file that export wrote; - is standard input")->required();
  command->add_flag("--with-kernels", options.kernels,
                    "Compiled kernels too: they run as part of your programs, so trust whoever wrote the file");
}

void add_forgetting(CLI::App& db, const std::shared_ptr<Shared>& shared) {
  Options& options = shared->options;
  CLI::App* command = add(db, shared, "prune", "Remove what is old and compact the files",
                          [](const StoreConfig& config, const Options& o) { return prune(config, o.days); });
  command->add_option("--older-than", options.days, "Age in days; incidents that still count stay")
      ->check(CLI::Range(0, 36500))
      ->capture_default_str();
  command = add(db, shared, "forget", "Remove verdicts and incidents, so that a solver is tried again",
                [](const StoreConfig& config, const Options& o) { return forget(config, o); });
  auto* what = command->add_option("what", options.what, "A solver, problem, problem class or incident number");
  auto* kernels = command->add_flag("--kernels", options.kernels, "All compiled kernels")->excludes(what);
  command->add_flag("--all", options.all, "Everything, find results and kernels too")
      ->excludes(what)
      ->excludes(kernels);
}

}  // namespace

void add_db_command(CLI::App& app, CommandContext& context) {
  CLI::App* db = app.add_subcommand("db", "Look at, move and forget what is remembered between runs");
  db->require_subcommand(1);
  db->footer(
      "Examples:\n"
      "  convoy db list                           which files, how much is in them\n"
      "  convoy db show --problem c64h56          what is known about some problems\n"
      "  convoy db export decisions.jsonl         on one machine ...\n"
      "  convoy db import decisions.jsonl         ... and on another of the same kind\n"
      "  convoy db export | ssh other convoy db import -\n"
      "  convoy db forget miopen                  give a solver another chance\n"
      "  convoy db prune --older-than 30          make the files smaller");
  const auto shared = std::make_shared<Shared>(Shared{context, {}});
  add_looking(*db, shared);
  add_moving(*db, shared);
  add_forgetting(*db, shared);
}

}  // namespace convoy
