// Turns to search: among threads, among processes, not inherited by a fork.
#include "store/search_turn.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/test_folder.h"

namespace convoy {
namespace {

using std::chrono::milliseconds;

// The exit status of a child that does `body`.
template <typename Body>
int in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SearchTurn, one_process_at_a_time_and_no_second_wait) {
  const TestFolder folder;
  auto mine = take_search_turn(folder.path(), milliseconds(0));
  ASSERT_TRUE(mine);
  const int status = in_child([&folder] {
    const auto begin = std::chrono::steady_clock::now();
    if (take_search_turn(folder.path(), milliseconds(300))) return 1;
    const auto first = std::chrono::steady_clock::now();
    if (first - begin < milliseconds(300)) return 2;
    // Whoever holds it may hang: every new problem would cost the same again.
    if (take_search_turn(folder.path(), milliseconds(60000))) return 3;
    return std::chrono::steady_clock::now() - first < milliseconds(30000) ? 0 : 4;
  });
  EXPECT_EQ(status, 0);
  mine.reset();
  EXPECT_EQ(in_child([&folder] { return take_search_turn(folder.path(), milliseconds(0)) ? 0 : 1; }), 0);
}

TEST(SearchTurn, a_forked_child_does_not_inherit_it) {
  const TestFolder folder;
  int hold[2];
  ASSERT_EQ(pipe(hold), 0);
  auto mine = take_search_turn(folder.path(), milliseconds(0));
  ASSERT_TRUE(mine);
  const pid_t lasting = fork();
  if (lasting == 0) {
    char byte = 0;
    close(hold[1]);
    _exit(static_cast<int>(read(hold[0], &byte, 1)));
  }
  mine.reset();
  EXPECT_EQ(in_child([&folder] { return take_search_turn(folder.path(), milliseconds(0)) ? 0 : 1; }), 0)
      << "the child that was forked meanwhile still lives";
  close(hold[0]);
  close(hold[1]);
  int status = 0;
  waitpid(lasting, &status, 0);
}

TEST(SearchTurn, one_thread_at_a_time) {
  const TestFolder folder;
  auto mine = take_search_turn(folder.path(), milliseconds(0));
  ASSERT_TRUE(mine);
  std::thread([&folder] { EXPECT_FALSE(take_search_turn(folder.path(), milliseconds(20))); }).join();
  mine.reset();
  std::thread([&folder] { EXPECT_TRUE(take_search_turn(folder.path(), milliseconds(0))); }).join();
}

TEST(SearchTurn, what_cannot_be_locked_is_everybodys) {
  EXPECT_TRUE(take_search_turn("/nonexistent/folder", milliseconds(0)));
}

}  // namespace
}  // namespace convoy
