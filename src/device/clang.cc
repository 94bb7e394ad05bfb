// An offline clang as a compiler, where no library of AMD's can compile for a card. Only programs in named places are run.
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/subprocess.h"
#include "device/gpu_compiler.h"

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr std::chrono::seconds k_patience{120};

// Both files of one compilation; removed with the object.
class WorkFolder {
 public:
  WorkFolder() {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "convoy-clang-XXXXXX").string();
    if (error || mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~WorkFolder() {
    std::error_code error;
    if (!path_.empty()) std::filesystem::remove_all(path_, error);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Program {
  std::string compiler, linker, version;
};

// Where it lies in truth, and when it was made: tells one installation from another without running it.
std::string version_of(const char* compiler) {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::canonical(compiler, error);
  const auto made = std::filesystem::last_write_time(program, error).time_since_epoch();
  return fmt::format("{} of {}", program.string(), std::chrono::duration_cast<std::chrono::seconds>(made).count());
}

class Clang final : public GpuCompiler {
 public:
  explicit Clang(Program program) : program_(std::move(program)) {}

  std::string version() const override { return program_.version; }

  Result<std::string> compile(std::string_view name, const std::string& text,
                              const std::string& architecture) const override {
    const WorkFolder folder;
    if (folder.path().empty()) return fail(ErrorCode::io, "no folder for temporary files");
    const std::string source = folder.path() + "/" + std::string(name) + ".hip";
    const std::string object = folder.path() + "/code.o";
    CONVOY_CHECK(write_file_atomically(source, text, 0600));
    CONVOY_TRY(auto child,
               Subprocess::start({{program_.compiler, "-x", "hip", "--offload-device-only", "--no-gpu-bundle-output",
                                   "--offload-arch=" + architecture, "-nogpuinc", "-nogpulib", "-nostdinc++",
                                   "-std=c++17", "-O3", "-fuse-ld=" + program_.linker, "-o", object, source},
                                  {"TMPDIR=" + folder.path()}}));  // clang 15 leaves a folder there
    std::string line;
    const auto deadline = std::chrono::steady_clock::now() + k_patience;
    while (child->read_line(line, deadline) == Subprocess::ReadStatus::line) continue;
    const auto left = child->wait_for_exit(std::chrono::milliseconds(2000));
    if (!left || left->signal != 0 || left->status != 0)
      return fail(ErrorCode::device,
                  fmt::format("{} failed\n{}", program_.compiler, shortened_log(child->error_tail())));
    return read_file(object, 1 << 26);
  }

 private:
  const Program program_;
};

}  // namespace

Result<std::unique_ptr<GpuCompiler>> find_clang() {
  constexpr std::array<std::pair<const char*, const char*>, 7> k_places{{{"/opt/rocm/llvm/bin/clang++", "lld"},
                                                                         {"/usr/bin/clang++-19", "lld-19"},
                                                                         {"/usr/bin/clang++-18", "lld-18"},
                                                                         {"/usr/bin/clang++-17", "lld-17"},
                                                                         {"/usr/bin/clang++-16", "lld-16"},
                                                                         {"/usr/bin/clang++-15", "lld-15"},
                                                                         {"/usr/bin/clang++-14", "lld-14"}}};
  for (const auto& [compiler, linker] : k_places) {
    const std::string beside = std::filesystem::path(compiler).parent_path() / "ld.";
    if (access(compiler, X_OK) == 0 && access((beside + linker).c_str(), X_OK) == 0)
      return std::make_unique<Clang>(Program{compiler, linker, version_of(compiler)});
  }
  return fail(ErrorCode::unsupported, "no clang++ with its lld in /opt/rocm/llvm/bin or /usr/bin");
}

}  // namespace convoy
