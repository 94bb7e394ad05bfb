// Blocks in other people's files: bytes around them stay, and what is no block of ours is not taken for one.
#include "install/block.h"

#include <gtest/gtest.h>

namespace convoy {
namespace {

TEST(Block, GoesInAndOutOfAnyTextWithoutTouchingTheRest) {
  for (const std::string before : {"", "one\n", "one\ntwo\n", "\n", "# >>> convoy\n", "x # >>> convoy >>>\n"}) {
    for (const std::string after : {"", "three\n", "no newline"}) {
      const std::string text = before + as_block("export A=1\n") + after;
      const SplitText split = split_at_block(text);
      ASSERT_EQ(split.kind, SplitText::Kind::one) << text;
      EXPECT_EQ(split.before, before);
      EXPECT_EQ(split.block, as_block("export A=1\n"));
      EXPECT_EQ(split.after, after);
      EXPECT_EQ(with_block(text, as_block("export B=2\n")), before + as_block("export B=2\n") + after);
    }
  }
}

TEST(Block, IsAppendedOnALineOfItsOwn) {
  EXPECT_EQ(with_block("", as_block("a\n")), as_block("a\n"));
  EXPECT_EQ(with_block("x\n", as_block("a\n")), "x\n" + as_block("a\n"));
  EXPECT_EQ(with_block("x", as_block("a\n")), "x\n" + as_block("a\n"));
}

TEST(Block, HalfOfOneAndTwoAreBroken) {
  const std::string block = as_block("a\n");
  const std::string begin = block.substr(0, block.find('\n') + 1);
  for (const std::string& text :
       {begin + "a\n", block + block, begin + block, block.substr(begin.size()), block.substr(begin.size()) + block}) {
    EXPECT_EQ(split_at_block(text).kind, SplitText::Kind::broken) << text;
  }
  EXPECT_EQ(split_at_block("nothing\n").kind, SplitText::Kind::none);
}

}  // namespace
}  // namespace convoy
