// Implementation of manifest.h. A manifest that is wrong in one place is refused as a whole: half of it would be guesswork.
#include "install/manifest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

constexpr int k_format = 1;
constexpr std::size_t k_most_files = 256;

// Members of the right kind only; the first that is not makes all of it wrong.
class Reader {
 public:
  explicit Reader(const InstallPlaces& places) : places_(places) {}

  Result<Manifest> read(const Json& json) {
    Manifest manifest;
    manifest.version = text(json, "version");
    manifest.complete = flag(json, "complete");
    manifest.program = text(json, "program");
    manifest.strategy = text(json, "strategy");
    for (const Json& one : list(json, "files")) manifest.files.push_back(entry(one));
    for (const Json& one : list(json, "folders")) manifest.folders.push_back(folder(one));
    if (!wrong_.empty()) return fail(ErrorCode::io, wrong_);
    return manifest;
  }

 private:
  const Json* member(const Json& json, const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (json.is_object() && found != json.end()) return &*found;
    note(fmt::format("has no '{}'", key));
    return nullptr;
  }
  std::string text(const Json& json, const char* key) {
    const Json* found = member(json, key);
    if (found == nullptr) return "";
    if (found->is_string() && found->get_ref<const std::string&>().size() <= 4096) return found->get<std::string>();
    note(fmt::format("'{}' is no text", key));
    return "";
  }
  bool flag(const Json& json, const char* key) {
    const Json* found = member(json, key);
    if (found != nullptr && found->is_boolean()) return found->get<bool>();
    note(fmt::format("'{}' is neither true nor false", key));
    return false;
  }
  std::int64_t number(const Json& json, const char* key, std::int64_t most) {
    const Json* found = member(json, key);
    if (found != nullptr && found->is_number_integer()) {
      const auto value = found->get<std::int64_t>();
      if (value <= most && value >= 0) return value;
    }
    note(fmt::format("'{}' is no number from 0 to {}", key, most));
    return 0;
  }
  Json list(const Json& json, const char* key) {
    const Json* found = member(json, key);
    if (found != nullptr && found->is_array() && found->size() <= k_most_files) return *found;
    note(fmt::format("'{}' is no list of at most {}", key, k_most_files));
    return Json::array();
  }
  std::string hash(const Json& json) {
    const std::string value = json.is_string() ? json.get<std::string>() : "";
    const auto right = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (value.size() == 32 && std::ranges::all_of(value, right)) return value;
    note("a hash is not 32 hexadecimal digits");
    return "";
  }

  ManifestEntry entry(const Json& json) {
    constexpr std::int64_t k_permissions = 07777, k_ids = 0xffffffff, k_times = INT64_MAX;
    ManifestEntry result;
    result.path = text(json, "path");
    if (!places_.may_write(result.path))
      note(fmt::format("'{}' is no file that Convoy writes{}", result.path, where()));
    result.block = flag(json, "block");
    result.mode = static_cast<unsigned>(number(json, "mode", k_permissions));
    for (const Json& one : list(json, "ours")) result.ours.push_back(hash(one));
    const Json* former = member(json, "former");
    if (former == nullptr || former->is_null()) return result;
    const Json* former_hash = member(*former, "hash");
    result.former = FormerFile{
        former_hash == nullptr ? "" : hash(*former_hash), static_cast<unsigned>(number(*former, "mode", k_permissions)),
        static_cast<std::uint32_t>(number(*former, "owner", k_ids)),
        static_cast<std::uint32_t>(number(*former, "group", k_ids)), number(*former, "modified_ns", k_times)};
    return result;
  }

  // Users move these.
  std::string where() const {
    if (places_.scope == InstallScope::system) return "";
    return fmt::format(" where HOME is {} and XDG_CONFIG_HOME is {}", places_.home, places_.config);
  }

  // A folder on the way to a file of ours.
  std::string folder(const Json& json) {
    const std::string path = json.is_string() ? json.get<std::string>() : "";
    if (!places_.may_make(path)) note(fmt::format("'{}' is no folder that Convoy makes{}", path, where()));
    return path;
  }

  void note(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }

  const InstallPlaces& places_;
  std::string wrong_;
};

Json as_json(const ManifestEntry& entry) {
  Json result{
      {"path", entry.path}, {"block", entry.block}, {"mode", entry.mode}, {"ours", entry.ours}, {"former", nullptr}};
  if (entry.former) {
    result["former"] = {{"hash", entry.former->hash},
                        {"mode", entry.former->mode},
                        {"owner", entry.former->owner},
                        {"group", entry.former->group},
                        {"modified_ns", entry.former->modified_ns}};
  }
  return result;
}

}  // namespace

std::string hash_of(std::string_view content) {
  const XXH128_hash_t hash = XXH3_128bits(content.data(), content.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

bool ManifestEntry::is_ours(std::string_view content) const {
  return std::ranges::find(ours, hash_of(content)) != ours.end();
}

ManifestEntry* Manifest::find(std::string_view path) {
  const auto found = std::ranges::find(files, path, &ManifestEntry::path);
  return found == files.end() ? nullptr : &*found;
}

std::string manifest_path(const InstallPlaces& places) {
  return places.state_folder() + "/install.json";
}

std::string backup_path(const InstallPlaces& places, std::string_view hash) {
  return fmt::format("{}/backup/{}", places.state_folder(), hash);
}

std::string manifest_as_text(const Manifest& manifest) {
  Json json{{"format", k_format},          {"version", manifest.version},   {"complete", manifest.complete},
            {"program", manifest.program}, {"strategy", manifest.strategy}, {"files", Json::array()},
            {"folders", manifest.folders}};
  for (const ManifestEntry& entry : manifest.files) json["files"].push_back(as_json(entry));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::string> manifest_to_write(const Manifest& manifest, const InstallPlaces& places) {
  std::string text = manifest_as_text(manifest);
  const auto again = Reader(places).read(Json::parse(text, nullptr, false));
  if (again && again->program == manifest.program) return text;
  return fail(ErrorCode::invalid_argument,
              fmt::format("{}: what is to be written there could not be read back: {}", manifest_path(places),
                          again ? "the program's path is not UTF-8" : again.error().message));
}

Result<Manifest> manifest_from_text(std::string_view text, const InstallPlaces& places) {
  const Json json = Json::parse(text, nullptr, false);
  const std::string path = manifest_path(places);
  if (!json.is_object() || !json.contains("format")) {
    return fail(ErrorCode::io, fmt::format("{}: is no list of what Convoy has installed", path));
  }
  if (json["format"] != k_format) {
    return fail(ErrorCode::unsupported,
                fmt::format("{}: was written by another version of Convoy, in a form that this one does "
                            "not know; use that version",
                            path));
  }
  auto manifest = Reader(places).read(json);
  if (!manifest) {
    return fail(ErrorCode::io,
                fmt::format("{}: {}; nothing that it says is believed. Restore it from a backup, or remove it "
                            "and what it lists by hand (docs/install.md)",
                            path, manifest.error().message));
  }
  return manifest;
}

Result<std::optional<Manifest>> read_manifest(InstallTree& tree, const InstallPlaces& places) {
  CONVOY_TRY(const auto file, tree.read(manifest_path(places)));
  if (!file) return std::nullopt;
  const std::uint32_t owner = file->owner.value_or(::geteuid());
  if ((owner != 0 && owner != ::geteuid()) || (file->mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::io,
                fmt::format("{}: others may write it, so that it is not believed", manifest_path(places)));
  }
  CONVOY_TRY(Manifest manifest, manifest_from_text(file->content, places));
  return manifest;
}

}  // namespace convoy
