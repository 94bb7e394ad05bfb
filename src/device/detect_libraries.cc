// ROCm installs, and every libMIOpen and libamdhip64 that a program of this machine may load, with MIOpen's databases beside them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "device/detect_parts.h"
#include "device/elf_file.h"

namespace convoy {
namespace {

constexpr std::array k_names{"libMIOpen", "libamdhip64"};
constexpr std::array k_system_folders{"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"};
// Of ROCm's folders: before 6.0 each library had a prefix of its own.
constexpr std::array k_rocm_folders{"/lib", "/lib64", "/miopen/lib", "/hip/lib"};
constexpr std::size_t k_most_libraries = 256;

using ByPath = std::map<std::string, DetectedLibrary>;

// "1.0.60200" of "libMIOpen.so.1.0.60200"; empty for "libMIOpen.so" and "libMIOpen.so.original".
std::string version_in(const std::string& file_name) {
  const std::size_t at = file_name.find(".so.");
  if (at == std::string::npos) return {};
  const std::string version = file_name.substr(at + 4);
  return version.find_first_not_of("0123456789.") == std::string::npos ? version : std::string();
}

// MIOpen looks for ../share/miopen/db from its own folder; Debian's, which lies in a folder of the architecture, for /usr/share.
std::string database_folder_of(RootedFiles& files, const std::string& library) {
  const std::string folder = parent_folder(library);
  for (const char* up : {"/..", "/../.."}) {
    const auto place = files.resolve(folder + up + "/share/miopen/db");
    if (place && files.is_folder(*place)) return *place;
  }
  return {};
}

// Stands in builds with MIOPEN_EMBED_DB only: the name under which SQLite opens what is inside the library
// (https://github.com/ROCm/MIOpen/blob/rocm-5.4.0/src/sqlite_db.cpp, CreateInMemDb).
constexpr std::string_view k_embedded_marker = "file:ignoredFilename?ptr=";

void add_databases(RootedFiles& files, DetectedLibrary& library) {
  library.database_folder = database_folder_of(files, library.path);
  if (library.database_folder.empty()) {
    library.embedded_databases = elf_constants_contain(files.on_host(library.path), k_embedded_marker);
    return;
  }
  library.database_files = files.list(library.database_folder, "gfx");
  if (files.resolve(library.database_folder + "/miopen.db")) library.database_files.emplace_back("miopen.db");
}

void add_library(RootedFiles& files, const std::string& link, const std::string& name, LibraryOrigin origin,
                 ByPath& found) {
  const auto place = files.resolve(link);
  if (!place) return files.note(link, "leads to no file");
  if (found.contains(*place)) return;
  if (found.size() == k_most_libraries)
    return files.note(parent_folder(link),
                      fmt::format("more than {} libraries: the rest is left out", k_most_libraries));
  const auto facts = read_elf(files.on_host(*place));
  if (!facts) return files.note(link, facts.error().message);
  DetectedLibrary library;
  library.name = name;
  library.path = *place;
  library.soname = facts->soname;
  library.size = facts->size;
  library.origin = origin;
  library.version = version_in(last_name(*place));
  if (library.version.empty()) library.version = version_in(library.soname);
  if (name == k_names[0]) add_databases(files, library);
  found.emplace(*place, std::move(library));
}

void add_libraries(RootedFiles& files, const std::string& folder, LibraryOrigin origin, ByPath& found) {
  for (const std::string name : k_names) {
    for (const std::string& file : files.list(folder, name + ".so"))
      add_library(files, fmt::format("{}/{}", folder, file), name, origin, found);
  }
}

void add_wheels(RootedFiles& files, const std::string& site_packages, ByPath& found) {
  add_libraries(files, site_packages + "/torch/lib", LibraryOrigin::wheel, found);
  for (const std::string& package : files.list(site_packages, "_rocm_sdk_"))
    add_libraries(files, fmt::format("{}/{}/lib", site_packages, package), LibraryOrigin::wheel, found);
}

void add_conda(RootedFiles& files, const std::string& prefix, ByPath& found) {
  add_libraries(files, prefix + "/lib", LibraryOrigin::conda, found);
  for (const std::string& name : files.list(prefix + "/lib", "python3"))
    add_wheels(files, fmt::format("{}/lib/{}/site-packages", prefix, name), found);
}

// HIP counts pairs of compute units (WGPs) from RDNA on, and MIOpen what HIP counts: an RX 6900 XT, 80 units, asks for gfx1030_40.
// https://github.com/ROCm/hip/issues/3767 , https://github.com/ROCm/MIOpen/issues/1606
int units_in_names(const std::string& architecture, int compute_units) {
  const bool is_rdna = architecture.size() >= 7;  // gfx1010, where gfx90a has one digit for the major version
  return is_rdna ? compute_units / 2 : compute_units;
}

// Decimal behind "_" up to 64 units, hexadecimal without it above: gfx1030_36, gfx90a68 (https://github.com/ROCm/MIOpen/issues/1651).
std::string base_name(const std::string& architecture, int units) {
  return units > 64 ? fmt::format("{}{:x}", architecture, units) : fmt::format("{}_{}", architecture, units);
}

// Whether `name` is for the same architecture with whatever number of units.
bool is_relative(const std::string& name, const std::string& architecture) {
  if (!name.starts_with(architecture)) return false;
  const std::string rest = name.substr(architecture.size(), name.find('.') - architecture.size());
  if (rest.empty() || rest.front() == '_') return true;
  unsigned units = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), units, 16);
  return error == std::errc() && end == rest.data() + rest.size() && units > 64;
}

}  // namespace

DatabaseFiles databases_for(const DetectedLibrary& library, const std::string& architecture, int compute_units) {
  DatabaseFiles fitting;
  if (architecture.empty()) return fitting;
  const std::string base = base_name(architecture, units_in_names(architecture, compute_units));
  for (const std::string& name : library.database_files) {
    const bool exact = name.starts_with(base + ".");
    if (name == base + ".kdb" || name == architecture + ".kdb") {
      fitting.kernels.push_back(name);
    } else if (exact && name.ends_with(".fdb.txt")) {
      fitting.finds.push_back(name);
    } else if (name == "miopen.db" || (exact && (name.ends_with(".db") || name.ends_with("db.txt")))) {
      fitting.tunings.push_back(name);
    } else if (is_relative(name, architecture)) {
      fitting.relatives.push_back(name);
    }
  }
  return fitting;
}

std::vector<RocmInstall> find_rocm(RootedFiles& files) {
  std::vector<RocmInstall> found;
  std::set<std::string> seen;
  for (const std::string& name : files.list("/opt", "rocm")) {
    const auto place = files.resolve("/opt/" + name);
    if (!place || !files.is_folder(*place) || !seen.insert(*place).second) continue;
    found.push_back({*place, files.first_line(*place + "/.info/version")});
  }
  return found;
}

std::vector<DetectedLibrary> find_libraries(RootedFiles& files, const DetectOptions& options,
                                            const std::vector<RocmInstall>& installs) {
  ByPath by_path;
  for (const RocmInstall& install : installs) {
    for (const char* folder : k_rocm_folders) add_libraries(files, install.path + folder, LibraryOrigin::rocm, by_path);
  }
  for (const char* folder : k_system_folders) add_libraries(files, folder, LibraryOrigin::system, by_path);
  for (const std::string& prefix : options.conda_prefixes) add_conda(files, prefix, by_path);
  for (const std::string& folder : options.site_packages) add_wheels(files, folder, by_path);
  std::vector<DetectedLibrary> libraries;
  for (auto& [path, library] : by_path) libraries.push_back(std::move(library));
  return libraries;
}

}  // namespace convoy
