// What architectures_test.h declares.
#include "architectures_test.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

extern char** environ;

namespace convoy::amdgpu::test {
namespace {

// 15 cannot allocate registers for gfx11, and would link with whichever lld comes first.
constexpr const char* k_folder = "/usr/lib/llvm-16/bin";

// A folder for one compilation's output; gone with its owner.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "convoy_sim_XXXXXX").string();
    if (mkdtemp(pattern.data())) path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The exit status; -1: it did not start. What the program leaves in its folder for temporary files is left in `folder`:
// clang 15 forgets one of its own.
int run(std::vector<std::string> words, const std::string& folder) {
  std::vector<char*> arguments, environment;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("TMPDIR=")) environment.push_back(*entry);
  }
  std::string temporary = "TMPDIR=" + folder;
  environment.push_back(temporary.data());
  environment.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environment.data()) != 0) return -1;
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool is_program(const std::string& path) {
  return access(path.c_str(), X_OK) == 0;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string gpu_of(const std::string& architecture) {
  return architecture.substr(0, architecture.find('_'));
}

const std::string& missing_tools() {
  static const std::string missing = []() -> std::string {
    const std::string folder = k_folder;
    if (!is_program(folder + "/clang")) return "no clang to compile the test kernels with: install clang-16";
    if (!is_program(folder + "/lld")) return "no lld to link the test kernels with: install lld-16";
    const auto decoder = available();
    return decoder ? std::string() : decoder.error();
  }();
  return missing;
}

std::string compiled_bytes(const std::string& name, const std::string& architecture,
                           const std::vector<std::string>& options) {
  static std::map<std::string, std::string> compiled;
  std::string key = name + " " + architecture;
  for (const auto& option : options) key += " " + option;
  std::string& bytes = compiled[key];
  if (!bytes.empty()) return bytes;
  const Folder folder;
  std::vector<std::string> words{std::string(k_folder) + "/clang",
                                 std::string("-B") + k_folder,
                                 "-x",
                                 "hip",
                                 "--offload-device-only",
                                 "--no-gpu-bundle-output",
                                 "--offload-arch=" + gpu_of(architecture),
                                 "-nogpuinc",
                                 "-nogpulib",
                                 "-nostdinc++",
                                 "-std=c++20",
                                 "-O3",
                                 "-o",
                                 folder.file("out")};
  if (architecture != gpu_of(architecture)) words.emplace_back("-mwavefrontsize64");
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(CONVOY_SIM_KERNELS "/" + name + ".hip");
  const int status = run(words, folder.path());
  bytes = read_file(folder.file("out"));
  EXPECT_EQ(status, 0) << name << ".hip does not compile for " << architecture;
  return bytes;
}

std::shared_ptr<Module> compile(const std::string& name, const std::string& architecture,
                                const std::vector<std::string>& options) {
  const std::string bytes = compiled_bytes(name, architecture, options);
  auto module = Module::load(bytes.data(), bytes.size(), gpu_of(architecture));
  EXPECT_TRUE(module) << module.error();
  return module ? *module : nullptr;
}

Result<void> launch(const Module& module, const std::string& kernel, const Grid& grid, const Arguments& arguments,
                    const Memory& memory, Statistics* statistics) {
  const Kernel* found = module.kernel(kernel);
  if (!found) return tl::unexpected("no kernel " + kernel);
  Launch launch;
  launch.dims = {{grid.groups_x, grid.groups_y, 1}, {grid.threads, 1, 1}, {0, 0, 0}};
  launch.arguments = arguments.data();
  launch.argument_bytes = arguments.size();
  launch.memory = &memory;
  launch.statistics = statistics;
  launch.options = grid.options;
  return module.launch(*found, launch);
}

}  // namespace convoy::amdgpu::test
