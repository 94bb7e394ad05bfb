// `convoy exec -- PROGRAM`: a program with Convoy in front of MIOpen. Everything is in the environment of the program's tree;
// what its processes did comes back as files in a private folder (written by shim/miopen/engine.cc), and is summed up.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/own_folder.h"
#include "cli/command.h"
#include "cli/foreground.h"
#include "cli/report.h"
#include "problem/printable.h"
#include "store/store.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr int k_cannot_run = 126, k_not_found = 127;  // as shells have them

struct ExecOptions {
  std::string program;  // what follows it waits in CLI11's list of unread arguments, word for word
  std::string report;
  bool quiet = false;
};

Result<std::string> find_library() {
  constexpr const char* k_name = "libconvoy_miopen.so";
  const fs::path here = own_folder();
  std::string looked;
  // As built, as installed.
  for (const fs::path& folder : {here, here / ".." / CONVOY_LIBRARY_FOLDER}) {
    const fs::path file = (folder / k_name).lexically_normal();
    std::error_code error;
    if (!here.empty() && fs::is_regular_file(file, error)) {
      if (file.string().find_first_of(" :") == std::string::npos) return file.string();
      return fail(ErrorCode::unsupported, fmt::format("LD_PRELOAD takes no spaces and colons, but {} has them; "
                                                      "install Convoy elsewhere",
                                                      file.string()));
    }
    looked += (looked.empty() ? "" : ", ") + file.string();
  }
  return fail(ErrorCode::unsupported,
              fmt::format("the library in front of MIOpen is not installed; looked for {}", looked));
}

// The folder of the Python package `convoy`, where PyTorch's door was built: beside the program as built, where it was installed,
// or round it in a wheel.
std::string find_python_package() {
  const fs::path here = own_folder();
  if (here.empty()) return "";
  std::vector<fs::path> places{here / "torch", here / ".." / CONVOY_LIBRARY_FOLDER / "convoy/python"};
  // Elsewhere the folder above is somebody else's: /home, say.
  if (here.parent_path().filename() == "convoy") places.push_back(here / "../..");
  for (const fs::path& folder : places) {
    std::error_code error;
    if (fs::is_regular_file(folder / "convoy/start/sitecustomize.py", error)) return folder.lexically_normal().string();
  }
  return "";
}

// A folder that goes when the command ends, whatever the program left in it.
class StatisticsFolder {
 public:
  static Result<StatisticsFolder> create() {
    const std::string wished = Settings::environment("TMPDIR");
    std::string path = (wished.starts_with('/') ? wished : "/tmp") + "/convoy-exec-XXXXXX";
    if (mkdtemp(path.data()) == nullptr)
      return fail(ErrorCode::io,
                  fmt::format("{}: {}; set TMPDIR to a folder that can be written", path, std::strerror(errno)));
    return StatisticsFolder(path);
  }
  ~StatisticsFolder() {
    // A process that outlived the program may be writing just now.
    std::error_code error;
    for (int i = 0; i < 10 && !path_.empty(); ++i) {
      fs::remove_all(path_, error);
      if (!error) return;
    }
  }
  StatisticsFolder(StatisticsFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  StatisticsFolder& operator=(StatisticsFolder&&) = delete;

  const std::string& path() const { return path_; }
  // Merges what the processes left; names what cannot be read on standard error.
  Report read() const;

 private:
  explicit StatisticsFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Report StatisticsFolder::read() const {
  constexpr std::uint64_t k_most_bytes = std::uint64_t{64} << 20;
  Report all;
  std::set<std::string> processes;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    const auto text = read_file(entry.path().string(), k_most_bytes);
    auto report = text ? read_report(*text) : tl::unexpected<Error>(text.error());
    if (!report) {
      fmt::print(stderr, "convoy: statistics {}: {}\n", printable(name), report.error().message);
      continue;
    }
    processes.insert(name.substr(0, name.find('-')));  // one file a device
    all.merge(std::move(*report));
  }
  all.processes = static_cast<std::int64_t>(processes.size());
  return all;
}

void set_variable(const std::string& name, const std::string& value) {
  setenv(name.c_str(), value.c_str(), 1);
}

// Of this process, which from here on only waits, and so of the program's tree.
void set_environment(const Settings& settings, const std::string& library, const std::string& folder) {
  // Python runs the sitecustomize that it finds first, in child interpreters, too.
  if (const std::string package = find_python_package(); !package.empty()) {
    const std::string start = package + "/convoy/start", paths = Settings::environment("PYTHONPATH");
    set_variable("PYTHONPATH", paths.empty() ? start : start + ":" + paths);
    set_variable("CONVOY_TORCH_PACKAGE", package);
  }
  for (const SettingRow& row : setting_rows()) {
    if (settings.origin(row.key) == Origin::command_line)
      set_variable(std::string(row.environment), settings.text(row.key));
  }
  const std::string others = Settings::environment("LD_PRELOAD");
  set_variable("LD_PRELOAD", others.empty() ? library : library + ":" + others);
  set_variable("CONVOY_STATISTICS_DIR", folder);
}

// Found out before hours of work, not after.
Result<void> check_report_file(const std::string& path) {
  if (path.empty() || path == "-") return {};
  const fs::path parent = fs::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    errno = EISDIR;
  else if (access(folder.c_str(), W_OK | X_OK) == 0)
    return {};
  return fail(ErrorCode::io,
              fmt::format("--report {}: {}; give a file in a folder that can be written", path, std::strerror(errno)));
}

void write_report(const std::string& path, const Report& report) {
  if (path.empty()) return;
  const std::string text = report_as_json(report);
  if (path == "-") return fmt::print("{}", text);
  if (const auto written = write_file_atomically(path, text); !written)
    fmt::print(stderr, "convoy: --report {}\n", written.error().message);
}

bool is_switched_off(const Settings& settings) {
  return settings.boolean("disable") && settings.origin("disable") >= Origin::environment;
}

void print_before(const std::vector<std::string>& program, const Settings& settings) {
  std::string words;
  for (const std::string& word : program) words += (words.empty() ? "" : " ") + word;
  if (is_switched_off(settings)) {
    fmt::print(stderr, "convoy: switched off ({}); MIOpen and PyTorch are left as they are for {}\n",
               settings.place("disable"), printable(words));
    return;
  }
  std::string cache = store_config(settings).folder;
  const std::string home = Settings::environment("HOME");
  if (home.size() > 1 && cache.starts_with(home + "/")) cache.replace(0, home.size(), "~");
  fmt::print(stderr, "convoy: in front of MIOpen{} for {}; strategy {}; cache {}\n",
             find_python_package().empty() ? "" : " and PyTorch", printable(words), settings.text("strategy"),
             cache.empty() ? "none" : printable(cache));
}

void print_after(const Report& report, const ProgramEnd& end, const Settings& settings) {
  if (is_switched_off(settings)) return;
  if (report.processes > 0) {
    const std::string& strategy = settings.text("strategy");
    const bool by_choice = strategy == "cpu" || strategy == "selective";
    return fmt::print(stderr, "{}{}", report_as_summary(report), by_choice ? "" : cpu_fallbacks_as_text(report));
  }
  fmt::print(stderr, "convoy: no process has computed a convolution through Convoy\n");
  if (end.signal != 0) {
    fmt::print(stderr, "  a process that is ended by a signal, as this one by signal {}, leaves no statistics\n",
               end.signal);
  }
  fmt::print(stderr,
             "  does the program compute with MIOpen, or with a PyTorch that the door is built for (docs/torch.md)? "
             "PyTorch does not "
             "use\n"
             "  MIOpen where torch.backends.cudnn.enabled is False (ComfyUI's default: set COMFYUI_ENABLE_MIOPEN=1); "
             "TensorFlow and "
             "JAX\n"
             "  look it up by dlsym: docs/exec.md\n");
}

int exec_command(const std::vector<std::string>& program, const ExecOptions& options, const Settings& settings) {
  const auto usage_error = [](const Error& error) { return fmt::print(stderr, "convoy: {}\n", error.message), 2; };
  if (const auto checked = check_report_file(options.report); !checked) return usage_error(checked.error());
  const auto library = find_library();
  if (!library) return usage_error(library.error());
  const auto folder = StatisticsFolder::create();
  if (!folder) return usage_error(folder.error());
  if (!options.quiet) print_before(program, settings);
  set_environment(settings, *library, folder->path());
  const ProgramEnd end = run_in_foreground(program);
  if (end.start_error != 0) {
    fmt::print(stderr, "convoy: {}: {}\n", program[0], std::strerror(end.start_error));
    return end.start_error == ENOENT ? k_not_found : k_cannot_run;
  }
  const Report report = folder->read();
  if (!options.quiet) print_after(report, end, settings);
  write_report(options.report, report);
  return end.signal != 0 ? 128 + end.signal : end.status;
}

// What CLI11 could not read begins with the mark "--" where one was given before the program.
int exec_with_rest(const CLI::App& command, const ExecOptions& options, const Settings& settings) {
  std::vector<std::string> rest = command.remaining();
  const bool marked = !rest.empty() && rest.front() == "--";
  if (!marked && !rest.empty() && rest.front().starts_with('-')) {
    fmt::print(stderr, "convoy: '{}' is no option of exec; 'convoy exec --help' lists them\n", printable(rest.front()));
    return 2;
  }
  if (!marked || options.program.empty()) {
    fmt::print(stderr, "convoy: write the program after --, as in: convoy exec -- {}\n",
               options.program.empty() ? "python main.py" : printable(options.program));
    return 2;
  }
  rest.front() = options.program;
  return exec_command(rest, options, settings);
}

void set_option(Settings& settings, const std::string& key, const std::string& value, const std::string& option) {
  const auto result = settings.set(key, value, Origin::command_line, option);
  if (!result) throw CLI::ValidationError(option, result.error().message);
}

}  // namespace

void add_exec_command(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("exec", "Run a program with Convoy in front of MIOpen and PyTorch, and say what it did");
  auto options = std::make_shared<ExecOptions>();
  // Everything after -- is the program's: no option of ours is looked for there, and CLI11 must not take "[1,2]" apart.
  command->fallthrough(false)->prefix_command();
  command->add_option("program", options->program, "The program, found in PATH, and its arguments")
      ->type_name("-- PROGRAM [ARGUMENT...]");
  command
      ->add_option_function<std::string>(
          "--strategy",
          [&context](const std::string& value) { set_option(context.settings, "strategy", value, "--strategy"); },
          "auto, implicit_gemm, gemm, selective, cpu or vendor")
      ->trigger_on_parse();
  command
      ->add_option_function<std::vector<std::string>>(
          "--set",
          [&context](const std::vector<std::string>& all) {
            for (const std::string& one : all) {
              const auto equals = one.find('=');
              if (equals == std::string::npos)
                throw CLI::ValidationError("--set", "expects KEY=VALUE, got '" + one + "'");
              set_option(context.settings, one.substr(0, equals), one.substr(equals + 1), "--set");
            }
          },
          "Set a setting for the program (repeatable); `convoy settings` lists them")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->trigger_on_parse();
  command
      ->add_option("--report,--json", options->report,
                   "Also write what happened as JSON, for `convoy report` (- for standard output)")
      ->type_name("FILE");
  command->add_flag("--quiet", options->quiet, "Say nothing but errors");
  command->footer(
      "Only the environment of the program and its children changes; CONVOY_DISABLE=1 leaves MIOpen as it is. "
      "docs/exec.md has\n"
      "recipes. Exit status: the program's, 128 and the signal that ended it, 127 not found, 126 cannot be run, 2 "
      "usage.\n\n"
      "Examples:\n"
      "  convoy exec -- python train.py\n"
      "  COMFYUI_ENABLE_MIOPEN=1 convoy exec --report comfy.json -- python main.py\n"
      "  convoy exec --strategy selective --set deadline_ms=5000 -- python demo_gradio.py");
  command->callback(
      [command, &context, options] { context.exit_code = exec_with_rest(*command, *options, context.settings); });
}

}  // namespace convoy
