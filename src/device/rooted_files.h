// Files below a root, as somebody inside it would see them: links are followed there and never lead out of it, so that an image of
// a machine is read like the machine. Nothing fails: what is not there is empty, what cannot be read is a note besides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/detect.h"

namespace convoy {

class RootedFiles {
 public:
  explicit RootedFiles(std::string root);

  // `path` with all links followed, "" for the root itself; nullopt: not there, or links without end.
  std::optional<std::string> resolve(std::string_view path);
  // Where a resolved path lies for system calls.
  std::string on_host(const std::string& resolved) const;

  std::optional<std::string> read(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 16);
  // Printable; empty where there is no such file.
  std::string first_line(const std::string& path);
  // A number in a file of its own, "0x731f" with base 16; 0 where there is none, with a note where there is something else.
  std::uint64_t number(const std::string& path, int base);
  // The names in a folder that begin with `prefix`, sorted, without those that hold control characters; at most k_most_names.
  std::vector<std::string> list(const std::string& folder, std::string_view prefix = "");
  bool is_folder(const std::string& path);

  void note(std::string path, std::string text);
  std::vector<DetectNote> take_notes() { return std::move(notes_); }

  static constexpr std::size_t k_most_names = 4096;

 private:
  std::string root_;
  std::vector<DetectNote> notes_;
};

// The last component: "amdgpu" of "/sys/bus/pci/drivers/amdgpu".
std::string last_name(const std::string& path);
// Without the last component; "" at the root.
std::string parent_folder(const std::string& path);

}  // namespace convoy
