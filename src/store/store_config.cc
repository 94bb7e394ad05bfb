// Where the store lives, from the settings.
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "store/store.h"

#include "base/log.h"

namespace convoy {
namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto result = std::filesystem::absolute(path, error);
  return error ? path : result.string();
}

std::string user_folder(const Settings& settings) {
  if (const std::string& folder = settings.text("cache_dir"); !folder.empty()) return absolute(folder);
  // The XDG rules: a relative path is to be ignored. One in HOME would scatter databases over working
  // folders.
  if (const auto cache = Settings::environment("XDG_CACHE_HOME"); cache.starts_with('/')) return cache + "/convoy";
  if (const auto home = Settings::environment("HOME"); home.starts_with('/')) return home + "/.cache/convoy";
  return {};
}

}  // namespace

StoreConfig store_config(const Settings& settings) {
  StoreConfig config;
  config.folder = user_folder(settings);
  if (config.folder.empty()) {
    log_once(
        LogLevel::warning,
        "store: neither HOME nor XDG_CACHE_HOME nor CONVOY_CACHE_DIR is set; what is learned ends with this process");
  }
  std::string_view folders = settings.text("system_cache_dirs");
  while (!folders.empty()) {
    const std::size_t colon = folders.find(':');
    if (colon != 0) config.system_folders.push_back(absolute(std::string(folders.substr(0, colon))));
    folders.remove_prefix(colon == std::string_view::npos ? folders.size() : colon + 1);
  }
  config.kernel_limit = static_cast<std::uint64_t>(settings.integer("kernel_cache_limit"));
  config.forgiveness = std::chrono::hours(24) * settings.integer("forgiveness_days");
  return config;
}

}  // namespace convoy
