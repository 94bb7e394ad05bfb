// The real tree: no link is followed, no foreign folder written into, attributes arrive.
#include "install/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/test_folder.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;

class Tree : public testing::Test {
 protected:
  TestFolder folder_;
  RealTree tree_ = *RealTree::open(folder_.path());
};

TEST_F(Tree, WritesWithModeAndTime) {
  ::umask(077);
  const FileState file{"text\n", 0755, {}, {}, 1'500'000'000'000'000'123};
  ASSERT_TRUE(tree_.make_folder("/etc", 0755));
  ASSERT_TRUE(tree_.write("/etc/a", file));
  ::umask(022);
  const auto read = tree_.read("/etc/a");
  ASSERT_TRUE(read && *read);
  EXPECT_TRUE((*read)->same_as(file));
  EXPECT_EQ((*read)->modified_ns, file.modified_ns);
  EXPECT_EQ(fs::status(folder_.file("etc")).permissions(), fs::perms(0755));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.file("etc")), {}), 1) << "the temporary is gone";
}

TEST_F(Tree, WhatIsNotThereIsNoError) {
  EXPECT_EQ(*tree_.read("/no/such/file"), std::nullopt);
  EXPECT_FALSE(*tree_.has_folder("/no/such"));
  EXPECT_TRUE(tree_.discard("/no/such/file"));
  EXPECT_TRUE(tree_.remove_folder("/no/such"));
  EXPECT_FALSE(tree_.write("/no/file", {"x", 0644, {}, {}, {}}));
}

TEST_F(Tree, NoLinkIsFollowedAtTheEndOrOnTheWay) {
  const TestFolder outside;
  outside.write("victim", "precious");
  fs::create_directory(folder_.file("etc"));
  fs::create_symlink(outside.file("victim"), folder_.file("etc/link"));
  fs::create_directory_symlink(outside.path(), folder_.file("etc/way"));
  for (const std::string path : {"/etc/link", "/etc/way/victim"}) {
    const auto read = tree_.read(path);
    ASSERT_FALSE(read) << path;
    EXPECT_NE(read.error().message.find("symbolic link"), std::string::npos) << read.error().message;
  }
  EXPECT_FALSE(tree_.write("/etc/way/new", {"x", 0644, {}, {}, {}}));
  EXPECT_FALSE(tree_.remove("/etc/way/victim"));
  EXPECT_FALSE(tree_.make_folder("/etc/way/new", 0755));
  EXPECT_FALSE(tree_.has_folder("/etc/way"));
  EXPECT_EQ(outside.entries(), 1);
  EXPECT_EQ(read_file(outside.file("victim"), 100).value_or(""), "precious");
}

TEST_F(Tree, AStagedLinkIsReplacedNotFollowed) {
  const TestFolder outside;
  outside.write("victim", "precious");
  fs::create_symlink(outside.file("victim"), folder_.file(".a.convoy-new"));
  ASSERT_TRUE(tree_.write("/a", {"x", 0644, {}, {}, {}}));
  EXPECT_EQ(read_file(outside.file("victim"), 100).value_or(""), "precious");
  EXPECT_EQ(read_file(folder_.file("a"), 100).value_or(""), "x");
}

TEST_F(Tree, FoldersThatEveryoneMayWriteAreRefused) {
  fs::create_directory(folder_.file("open"));
  fs::permissions(folder_.file("open"), fs::perms(0777));
  const auto written = tree_.write("/open/a", {"x", 0644, {}, {}, {}});
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("chmod o-w"), std::string::npos);
}

TEST_F(Tree, OddFilesAndOddPathsAreRefused) {
  ASSERT_EQ(::mkfifo(folder_.file("pipe").c_str(), 0600), 0);
  folder_.write("huge", std::string((1 << 20) + 1, 'x'));
  EXPECT_FALSE(tree_.read("/pipe"));
  EXPECT_FALSE(tree_.read("/huge"));
  EXPECT_FALSE(tree_.read("/../a/b"));
  EXPECT_FALSE(tree_.read("/./a/b"));
}

TEST_F(Tree, TheLockKeepsOthersOutAndLeavesNothing) {
  ASSERT_TRUE(tree_.make_folder("/state", 0700));
  {
    const auto lock = tree_.lock("/state");
    ASSERT_TRUE(lock);
    RealTree other = *RealTree::open(folder_.path());
    EXPECT_FALSE(other.lock("/state"));
  }
  EXPECT_TRUE(tree_.lock("/state"));
  EXPECT_TRUE(fs::is_empty(folder_.file("state")));
}

}  // namespace
}  // namespace convoy
