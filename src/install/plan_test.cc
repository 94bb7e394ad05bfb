// The plan: every template is filled in completely, every path is one that may be written, and what would mean something else in
// a shell or a unit is refused.
#include "install/plan.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "install/block.h"

namespace convoy {
namespace {

InstallPlaces user_places() {
  return {InstallScope::user, "/home/ann", "/home/ann/.config", "/home/ann/.local/state"};
}

InstallOptions everything() {
  return {"/opt/my convoy/bin/convoy", "gemm", "/opt/lib/libconvoy_miopen.so", {"ann", "bob"}, {"comfyui", "a@b"}};
}

bool has(const std::vector<PlannedFile>& plan, std::string_view path) {
  return std::ranges::find(plan, path, &PlannedFile::path) != plan.end();
}

TEST(InstallPlan, FillsEveryTemplateAndWritesOnlyWhereItMay) {
  for (const InstallPlaces& places : {InstallPlaces{}, user_places()}) {
    const auto plan = plan_install(places, everything(), {true, true, true, true});
    EXPECT_GE(plan.size(), 10U);
    for (const PlannedFile& file : plan) {
      EXPECT_EQ(file.content.find("@CONVOY"), std::string::npos) << file.path << "\n" << file.content;
      EXPECT_TRUE(places.may_write(file.path)) << file.path;
      EXPECT_FALSE(file.reason.empty()) << file.path;
      EXPECT_EQ(file.content.back(), '\n') << file.path;
      EXPECT_EQ(split_at_block(file.content).kind, file.block ? SplitText::Kind::one : SplitText::Kind::none)
          << file.path;
      for (std::size_t slash = file.path.find('/', 1); slash != std::string::npos;
           slash = file.path.find('/', slash + 1)) {
        EXPECT_TRUE(places.may_make(file.path.substr(0, slash))) << file.path.substr(0, slash);
      }
    }
  }
}

TEST(InstallPlan, WritesForWhatIsThereAndPreloadsForWhomItWasAsked) {
  const InstallOptions plain{"/usr/bin/convoy", "", "", {}, {}};
  const auto system = plan_install({}, plain, {});
  EXPECT_FALSE(has(system, "/etc/zsh/zprofile"));
  EXPECT_FALSE(has(system, "/etc/fish/conf.d/convoy.fish"));
  EXPECT_FALSE(has(system, "/etc/profile.d/convoy-preload.sh"));
  EXPECT_TRUE(has(plan_install({}, plain, {true, true, false, false}), "/etc/zsh/zprofile"));
  for (const PlannedFile& file : system) EXPECT_EQ(file.content.find("LD_PRELOAD"), std::string::npos) << file.path;
  const auto user = plan_install(user_places(), plain, {});
  EXPECT_TRUE(has(user, "/home/ann/.profile"));
  EXPECT_FALSE(has(user, "/home/ann/.bash_profile"));
  EXPECT_TRUE(has(plan_install(user_places(), plain, {false, false, true, false}), "/home/ann/.bash_profile"));
  EXPECT_TRUE(has(plan_install({}, everything(), {}), "/etc/systemd/system/comfyui.service.d/60-convoy.conf"));
  EXPECT_TRUE(has(plan_install(user_places(), everything(), {}),
                  "/home/ann/.config/systemd/user/a@b.service.d/60-convoy.conf"));
}

TEST(InstallPlan, PlacesArePreciseAboutNames) {
  const InstallPlaces system;
  for (const std::string path :
       {"/etc/systemd/system/.service.d/60-convoy.conf", "/etc/systemd/system/a/b.service.d/60-convoy.conf",
        "/etc/systemd/system/...service.d/60-convoy.conf", "/etc/profile.d/other.sh", "/etc/passwd", "", "/",
        "etc/profile.d/convoy.sh", "/home/ann/.profile"}) {
    EXPECT_FALSE(system.may_write(path)) << path;
  }
  for (const std::string folder :
       {"", "/", "etc", "/etcetera", "/usr", "/var/lib/other", "/etc/systemd/system/../x.service.d"}) {
    EXPECT_FALSE(system.may_make(folder)) << folder;
  }
  EXPECT_FALSE(user_places().may_write("/home/ann/.bashrc"));
  EXPECT_FALSE(user_places().may_write("/home/annie/.profile"));
}

TEST(InstallPlan, RefusesWhatWouldMeanSomethingElse) {
  ASSERT_TRUE(check_options(everything()));
  for (const std::string program :
       {"", "convoy", "/it's/convoy", "/a\"b", "/a\\b", "/a%b", "/a$b", "/a`b", "/a\nb", "/a\x7f"}) {
    InstallOptions options = everything();
    options.program = program;
    EXPECT_FALSE(check_options(options)) << program;
  }
  InstallOptions elsewhere = everything();
  elsewhere.program = "/home/jos\u00e9/bin/convoy";
  EXPECT_TRUE(check_options(elsewhere));
  for (const std::string name : {"a.timer", "a.socket", "a.service", "@a"}) {
    InstallOptions options = everything();
    options.preload_units = {name};
    EXPECT_FALSE(check_options(options)) << name;
  }
  for (const std::string name : {"", "-x", "a b", "a;b", "a'b", "a)b", "a\nb", "../x"}) {
    InstallOptions options = everything();
    options.preload_users = {name};
    EXPECT_FALSE(check_options(options)) << name;
    options = everything();
    options.preload_units = {name};
    EXPECT_FALSE(check_options(options)) << name;
  }
  for (const std::string library : {"/a b.so", "/a:b.so", "b.so"}) {
    InstallOptions options = everything();
    options.library = library;
    EXPECT_FALSE(check_options(options)) << library;
  }
  InstallOptions options = everything();
  options.strategy = "gemm; reboot";
  EXPECT_FALSE(check_options(options));
}

}  // namespace
}  // namespace convoy
