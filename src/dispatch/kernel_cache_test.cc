// A program that one process compiled, found by the next through the interface that devices see.
#include "dispatch/kernel_cache.h"

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

TEST(KernelCache, TheNextProcessFindsWhatThisOneCompiled) {
  const TestFolder folder;
  StoreConfig config;
  config.folder = folder.file("cache");
  const std::string binary(
      "\x7f"
      "ELF\0machine code\0",
      17);
  {
    const auto store = Store::open(config);
    KernelCache cache(*store);
    EXPECT_FALSE(cache.find("0123abcd"));
    cache.put("0123abcd", {"igemm", "sm_90", binary, 812.5});
  }
  const auto store = Store::open(config);
  EXPECT_EQ(KernelCache(*store).find("0123abcd"), binary);
  const auto contents = store->contents();
  ASSERT_EQ(contents->kernels.size(), 1U);
  EXPECT_EQ(contents->kernels[0].name, "igemm");
  EXPECT_EQ(contents->kernels[0].architecture, "sm_90");
  EXPECT_EQ(contents->kernels[0].compile_ms, 812.5);
}

}  // namespace
}  // namespace convoy
