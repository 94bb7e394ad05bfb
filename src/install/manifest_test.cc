// The manifest as a file: it comes back as it was written, and what nobody of ours could have written is not believed.
#include "install/manifest.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/test_folder.h"

namespace convoy {
namespace {

using Json = nlohmann::json;

InstallPlaces system_places() {
  return {};
}

InstallPlaces user_places() {
  return {InstallScope::user, "/home/ann", "/home/ann/.config", "/home/ann/.local/state"};
}

Manifest sample() {
  Manifest manifest;
  manifest.version = "1.2.3";
  manifest.complete = true;
  manifest.program = "/usr/bin/convoy";
  manifest.strategy = "gemm";
  manifest.files = {{"/etc/profile.d/convoy.sh", false, 0644, {hash_of("a"), hash_of("b")}, std::nullopt},
                    {"/etc/zsh/zprofile", true, 0640, {hash_of("c")}, FormerFile{hash_of("d"), 0640, 7, 8, 123456789}}};
  manifest.folders = {"/etc/convoy", "/var/lib/convoy/backup"};
  return manifest;
}

TEST(InstallManifest, ComesBackAsItWasWritten) {
  const std::string text = manifest_as_text(sample());
  const auto read = manifest_from_text(text, system_places());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(manifest_as_text(*read), text);
  EXPECT_EQ(read->files[1].former->modified_ns, 123456789);
}

// Each makes one thing of the sample wrong.
TEST(InstallManifest, IsRefusedAsAWholeWhenOneThingIsWrong) {
  const std::vector<std::pair<std::string, Json>> wrong{
      {"/files/0/path", "/etc/shadow"},
      {"/files/0/path", "/etc/systemd/system/../../../root.service.d/60-convoy.conf"},
      {"/files/0/path", "/etc/systemd/system/a/b.service.d/60-convoy.conf"},
      {"/files/0/path", 7},
      {"/files/0/mode", 0100644},
      {"/files/0/mode", -1},
      {"/files/0/mode", "0644"},
      {"/files/0/block", "yes"},
      {"/files/0/ours/0", "../../etc/shadow"},
      {"/files/0/ours/0", std::string(32, 'G')},
      {"/files/1/former/hash", "../../../etc/shadow"},
      {"/files/1/former/owner", 1LL << 40},
      {"/files/1/former", 3},
      {"/folders/0", "/etc/ssh"},
      {"/folders/0", "/"},
      {"/folders/0", ""},
      {"/folders", Json::object()},
      {"/complete", 1},
      {"/version", Json::array()},
      {"/files", "none"},
      {"/format", 2},
  };
  for (const auto& [place, value] : wrong) {
    Json json = Json::parse(manifest_as_text(sample()));
    json[Json::json_pointer(place)] = value;
    EXPECT_FALSE(manifest_from_text(json.dump(), system_places())) << place << " = " << value;
  }
  for (const std::string text : {"", "{", "[]", "null", "7", "{}"})
    EXPECT_FALSE(manifest_from_text(text, system_places()));
  std::string deep(100'000, '[');
  EXPECT_FALSE(manifest_from_text(deep, system_places()));
}

TEST(InstallManifest, OfOneScopeIsNotBelievedInTheOther) {
  EXPECT_FALSE(manifest_from_text(manifest_as_text(sample()), user_places()));
  Manifest manifest = sample();
  manifest.files.clear();
  manifest.folders = {"/home/ann/.config/systemd/user/a.service.d", "/home/ann/.local"};
  EXPECT_TRUE(manifest_from_text(manifest_as_text(manifest), user_places()));
  manifest.folders = {"/home/bob/.config"};
  EXPECT_FALSE(manifest_from_text(manifest_as_text(manifest), user_places()));
}

TEST(InstallManifest, ThatOthersMayWriteIsNotBelieved) {
  const TestFolder folder;
  RealTree tree = *RealTree::open(folder.path());
  EXPECT_EQ(*read_manifest(tree, system_places()), std::nullopt);
  const std::string path = folder.write("var/lib/convoy/install.json", manifest_as_text(sample()));
  EXPECT_TRUE(read_manifest(tree, system_places()));
  std::filesystem::permissions(path, std::filesystem::perms(0666));
  EXPECT_FALSE(read_manifest(tree, system_places()));
}

}  // namespace
}  // namespace convoy
