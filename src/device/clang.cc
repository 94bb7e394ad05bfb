// An offline clang as a compiler, where no library of AMD's can compile for a card. Only programs in named places are run.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/subprocess.h"
#include "device/gpu_compiler.h"

#include <fmt/chrono.h>
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

// When it was made: tells one installation from another without running it.
std::string version_in(const std::string& folder) {
  struct stat status {};
  const bool known = stat((folder + "/clang++").c_str(), &status) == 0;
  return known ? fmt::format("clang in {} of {:%F %T}", folder, fmt::gmtime(status.st_mtime)) : folder;
}

class Clang final : public GpuCompiler {
 public:
  explicit Clang(std::string folder) : folder_(std::move(folder)), version_(version_in(folder_)) {}

  std::string version() const override { return version_; }

  Result<std::string> compile(std::string_view name, const std::string& text,
                              const std::string& architecture) const override {
    const WorkFolder folder;
    if (folder.path().empty()) return fail(ErrorCode::io, "no folder for temporary files");
    const std::string source = folder.path() + "/" + std::string(name) + ".hip";
    const std::string object = folder.path() + "/code.o";
    CONVOY_CHECK(write_file_atomically(source, text, 0600));
    CONVOY_TRY(auto child,
               Subprocess::start({{folder_ + "/clang++", "-B" + folder_, "-x", "hip", "--offload-device-only",
                                   "--no-gpu-bundle-output", "--offload-arch=" + architecture, "-nogpuinc", "-nogpulib",
                                   "-nostdinc++", "-std=c++17", "-O3", "-o", object, source},
                                  {"TMPDIR=" + folder.path()}}));  // clang 15 leaves a folder there
    std::string line;
    const auto deadline = std::chrono::steady_clock::now() + k_patience;
    while (child->read_line(line, deadline) == Subprocess::ReadStatus::line) continue;
    const auto left = child->wait_for_exit(std::chrono::milliseconds(2000));
    if (!left || left->signal != 0 || left->status != 0)
      return fail(ErrorCode::device, fmt::format("{}/clang++ failed\n{}", folder_, shortened_log(child->error_tail())));
    return read_file(object, 1 << 26);
  }

 private:
  const std::string folder_;
  const std::string version_;
};

// Debian's, newest first: 15 keeps to half of gfx11's registers, 14 does not know it.
constexpr int k_newest = 24, k_oldest = 14;

}  // namespace

Result<std::unique_ptr<GpuCompiler>> find_clang() {
  std::vector<std::string> folders{"/opt/rocm/llvm/bin"};
  for (int version = k_newest; version >= k_oldest; --version)
    folders.push_back(fmt::format("/usr/lib/llvm-{}/bin", version));
  folders.emplace_back("/usr/bin");
  // The linker beside it: clang takes the first `lld` that it comes across, and those of two versions do not match.
  for (std::string& folder : folders) {
    if (access((folder + "/clang++").c_str(), X_OK) == 0 && access((folder + "/lld").c_str(), X_OK) == 0)
      return std::make_unique<Clang>(std::move(folder));
  }
  return fail(
      ErrorCode::unsupported,
      "no clang++ with its lld in /opt/rocm/llvm/bin, /usr/lib/llvm-* or /usr/bin (apt install clang-16 lld-16)");
}

}  // namespace convoy
