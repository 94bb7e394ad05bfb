// Files that others can touch: links, foreign owners, full disks, and readers during a write.
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

template <typename T>
std::string message(const Result<T>& result) {
  return result ? "" : result.error().message;
}

TEST(ReadFile, WholeContentUpToTheLimit) {
  const TestFolder folder;
  std::string content(100'000, 'x');
  content[50'000] = '\0';
  const std::string path = folder.write("file", content);
  EXPECT_EQ(read_file(path, content.size()).value(), content);
  const auto beyond = read_file(path, content.size() - 1);
  EXPECT_NE(message(beyond).find("100000"), std::string::npos) << message(beyond);
  EXPECT_NE(message(beyond).find("99999"), std::string::npos) << message(beyond);
  EXPECT_EQ(read_file(folder.write("empty", ""), 0).value(), "");
}

TEST(ReadFile, FilesWhoseSizeIsUnknownBeforehand) {
  const auto content = read_file("/proc/self/status", 1 << 20);
  EXPECT_EQ(content.value().substr(0, 5), "Name:");
  EXPECT_FALSE(read_file("/proc/self/status", 10)) << "the limit holds where stat says 0";
}

TEST(ReadFile, RefusesWhatIsNoFile) {
  const TestFolder folder;
  const std::string path = folder.write("file", "content");
  std::filesystem::create_symlink(path, folder.file("link"));
  ASSERT_EQ(::mkfifo(folder.file("fifo").c_str(), 0600), 0);
  EXPECT_NE(message(read_file(folder.file("link"), 100)).find("symbolic link"), std::string::npos);
  EXPECT_NE(message(read_file(folder.file("fifo"), 100)).find("not a regular file"), std::string::npos);
  EXPECT_NE(message(read_file(folder.path(), 100)).find("not a regular file"), std::string::npos);
  EXPECT_NE(message(read_file("/dev/zero", 100)).find("not a regular file"), std::string::npos);
  EXPECT_NE(message(read_file(folder.file("missing"), 100)).find("missing: cannot open"), std::string::npos);
}

TEST(ReadConfiguration, NothingIsNoError) {
  const TestFolder folder;
  EXPECT_EQ(read_configuration(folder.file("missing"), 100).value(), std::nullopt);
  EXPECT_EQ(read_configuration(folder.write("file", "") + "/below/a/file", 100).value(), std::nullopt);
  EXPECT_EQ(read_configuration(folder.write("file", "a = b"), 100).value(), "a = b");
}

TEST(WriteFile, ReplacesWithTheModeGiven) {
  const TestFolder folder;
  const std::string path = folder.file("file");
  const mode_t former = ::umask(077);
  ASSERT_TRUE(write_file_atomically(path, "first"));
  EXPECT_EQ(mode_of(path), 0644U);
  ASSERT_TRUE(write_file_atomically(path, "second", 0600));
  ::umask(former);
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(read_file(path, 100).value(), "second");
  EXPECT_EQ(folder.entries(), 1) << "a temporary file is left";
}

TEST(WriteFile, ReplacesALinkInsteadOfFollowingIt) {
  const TestFolder folder;
  const std::string target = folder.write("target", "precious");
  std::filesystem::create_symlink(target, folder.file("link"));
  ASSERT_TRUE(write_file_atomically(folder.file("link"), "new"));
  EXPECT_EQ(read_file(target, 100).value(), "precious");
  EXPECT_EQ(read_file(folder.file("link"), 100).value(), "new");
}

TEST(WriteFile, FailuresNameTheFile) {
  const TestFolder folder;
  const std::string nowhere = folder.file("no/such/folder/file");
  EXPECT_NE(message(write_file_atomically(nowhere, "x")).find(nowhere), std::string::npos);
  std::filesystem::create_directory(folder.file("folder"));
  EXPECT_NE(message(write_file_atomically(folder.file("folder"), "x")).find("cannot replace"), std::string::npos);
  EXPECT_EQ(folder.entries(), 1) << "a temporary file is left";
}

// A write that stops half-way, as on a full disk.
TEST(WriteFile, AnInterruptedWriteLeavesTheFormerContent) {
  const TestFolder folder;
  const std::string path = folder.write("file", "former");
  rlimit former{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &former), 0);
  auto* const former_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, former.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = write_file_atomically(path, std::string(100'000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &former);
  ::signal(SIGXFSZ, former_handler);
  EXPECT_NE(message(written).find("cannot write"), std::string::npos) << message(written);
  EXPECT_EQ(read_file(path, 1 << 20).value(), "former");
  EXPECT_EQ(folder.entries(), 1) << "a temporary file is left";
}

TEST(WriteFile, ReadersNeverSeeHalves) {
  const TestFolder folder;
  const std::string path = folder.write("file", std::string(200'000, 'a'));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 1; i <= 40; ++i) {
      EXPECT_TRUE(write_file_atomically(path, std::string(200'000, static_cast<char>('a' + i % 26))));
    }
    done = true;
  });
  int reads = 0;
  while (!done) {
    const auto content = read_file(path, 1 << 20);
    if (!content || content->size() != 200'000 || content->find_first_not_of((*content)[0]) != std::string::npos) {
      ADD_FAILURE() << "half a file: " << message(content);
      break;
    }
    ++reads;
  }
  writer.join();
  EXPECT_GT(reads, 0);
}

TEST(PrivateFolder, IsCreatedWithItsParentsForUsOnly) {
  const TestFolder folder;
  const std::string path = folder.file("a/b/c");
  ASSERT_TRUE(make_private_folder(path));
  for (const char* part : {"a", "a/b", "a/b/c"}) EXPECT_EQ(mode_of(folder.file(part)), 0700U) << part;
  EXPECT_TRUE(make_private_folder(path)) << "it may be there already";
  EXPECT_TRUE(make_private_folder(path + "//"));
}

TEST(PrivateFolder, RefusesWhatOthersCouldHavePlanted) {
  const TestFolder folder;
  ASSERT_TRUE(make_private_folder(folder.file("real")));
  std::filesystem::create_directory_symlink(folder.file("real"), folder.file("link"));
  EXPECT_NE(message(make_private_folder(folder.file("link"))).find("is a link"), std::string::npos);
  EXPECT_NE(message(make_private_folder(folder.file("link/"))).find("is a link"), std::string::npos);
  EXPECT_TRUE(make_private_folder(folder.file("link/below"))) << "only the last component is looked at";
  EXPECT_FALSE(make_private_folder(folder.write("file", "")));
  EXPECT_FALSE(make_private_folder(folder.file("file/below")));
  EXPECT_FALSE(make_private_folder(""));
  for (const mode_t open : {0770U, 0702U}) {
    ASSERT_EQ(::chmod(folder.file("real").c_str(), open), 0);
    EXPECT_NE(message(make_private_folder(folder.file("real"))).find("others may write"), std::string::npos);
  }
}

TEST(PrivateFolder, RefusesWhatBelongsToAnotherUser) {
  const TestFolder folder;
  if (::geteuid() != 0) {
    EXPECT_NE(message(make_private_folder("/")).find("belongs to user 0"), std::string::npos);
    return;
  }
  ASSERT_TRUE(make_private_folder(folder.file("given")));
  ASSERT_EQ(::chown(folder.file("given").c_str(), 12345, 12345), 0);
  EXPECT_NE(message(make_private_folder(folder.file("given"))).find("belongs to user 12345"), std::string::npos);
}

TEST(NetworkFilesystem, LocalOnesAreNot) {
  EXPECT_FALSE(on_network_filesystem("/proc"));
  EXPECT_FALSE(on_network_filesystem("/proc/no/such/thing")) << "the nearest existing parent counts";
  EXPECT_TRUE(on_network_filesystem("/proc/self/status/below")) << "cannot be found out";
}

TEST(WriteNewFile, LeavesWhateverHasTheName) {
  const TestFolder folder;
  const std::string path = folder.path() + "/report.md", link = folder.path() + "/link.md";
  ASSERT_TRUE(write_new_file_atomically(path, "first", 0640));
  EXPECT_EQ(mode_of(path), 0640U);
  const auto again = write_new_file_atomically(path, "second");
  EXPECT_NE(message(again).find(path), std::string::npos) << message(again);
  EXPECT_EQ(read_file(path, 100).value_or(""), "first");
  std::filesystem::create_symlink(folder.path() + "/absent", link);
  EXPECT_FALSE(write_new_file_atomically(link, "second"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/absent"));
  EXPECT_FALSE(write_new_file_atomically(folder.path(), "second"));
  const auto left = std::distance(std::filesystem::directory_iterator(folder.path()), {});
  EXPECT_EQ(left, 2) << "nothing temporary stays";
}

}  // namespace
}  // namespace convoy
