// What must not go unnoticed: races, overruns, instructions without a meaning, wrong launches, damaged code objects.
#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "architectures_test.h"

namespace convoy::amdgpu::test {
namespace {

class Faults : public OnEach {
 protected:
  Result<void> run(const std::string& kernel, const Grid& grid, size_t bytes = 1024) {
    const auto module = compile("faults", GetParam());
    if (!module) return tl::unexpected(std::string("not loaded"));
    std::vector<char> in(bytes, 1), out(bytes, 2);
    Memory memory;
    memory.add(in.data(), bytes);
    memory.add(out.data(), bytes);
    Arguments arguments;
    arguments << in.data() << out.data() << 256;
    return launch(*module, kernel, grid, arguments, memory);
  }
  static Options racing(bool reverse) {
    Options options = Options::defaults();
    options.race = true;
    options.reverse = reverse;
    return options;
  }
};

TEST_P(Faults, AMissingBarrierIsARace) {
  for (const bool reverse : {false, true}) {
    for (const std::string kernel : {"reverse", "reverse_halves"}) {
      const auto racy = run(kernel + "_without_barrier", {1, 1, 256, racing(reverse)});
      ASSERT_FALSE(racy) << kernel;
      EXPECT_NE(racy.error().find("LDS race"), std::string::npos) << racy.error();
      EXPECT_NE(racy.error().find("kernel " + kernel + "_without_barrier"), std::string::npos) << racy.error();
      const auto right = run(kernel + "_with_barrier", {1, 1, 256, racing(reverse)});
      EXPECT_TRUE(right) << right.error();
    }
  }
  Options options = Options::defaults();
  options.race = false;
  EXPECT_TRUE(run("reverse_without_barrier", {1, 1, 256, options}));
}

TEST_P(Faults, OneElementTooManyNamesItsPlace) {
  const auto done = run("copy_too_much", {5, 1, 64});
  ASSERT_FALSE(done);
  for (const char* part : {"load of 4 bytes", "1024 bytes past its start", "kernel copy_too_much", "group (4,0,0)",
                           "wave 0", "lane 0", "load"}) {
    EXPECT_NE(done.error().find(part), std::string::npos) << part << " in: " << done.error();
  }
}

TEST_P(Faults, ALoadMayBeAllowedToReadOn) {
  const auto module = compile("faults", GetParam());
  ASSERT_TRUE(module);
  std::vector<float> in(257, 1), out(257, 2);
  Memory memory;
  memory.add(in.data(), 1024);  // one less than there is
  memory.add(out.data(), 1028);
  Arguments arguments;
  arguments << in.data() << out.data() << 256;
  Options options = Options::defaults();
  options.overread = 4;
  const auto done = launch(*module, "copy_too_much", {5, 1, 64, options}, arguments, memory);
  EXPECT_TRUE(done) << done.error();
  EXPECT_EQ(out[256], 1);
}

TEST_P(Faults, LdsHasAnEnd) {
  const auto module = compile("faults", GetParam());
  ASSERT_TRUE(module);
  std::vector<float> out(64, 7);
  Memory memory;
  memory.add(out.data(), 256);
  Arguments arguments;
  arguments << out.data() << 1000;
  const auto done = launch(*module, "read_past_lds", {1, 1, 64}, arguments, memory);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("past the group's 256 bytes"), std::string::npos) << done.error();
  Options options = Options::defaults();
  options.lds_overrun = true;
  const auto allowed = launch(*module, "read_past_lds", {1, 1, 64, options}, arguments, memory);
  EXPECT_TRUE(allowed) << allowed.error();
  EXPECT_EQ(out[5], 0);
}

TEST_P(Faults, WhatHasNoMeaningIsNamed) {
  const auto module = compile("faults", GetParam());
  ASSERT_TRUE(module);
  const auto unknown = module->unknown();
  ASSERT_TRUE(unknown) << unknown.error();
  ASSERT_EQ(unknown->size(), 1u);
  EXPECT_NE(unknown->front().find("no meaning for v_sad_hi_u8"), std::string::npos) << unknown->front();
  const auto done = run("not_modelled", {1, 1, 64});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().find("v_sad_hi_u8"), std::string::npos) << done.error();
}

TEST_P(Faults, ALaunchMustFit) {
  EXPECT_NE(run("reverse_with_barrier", {1, 1, 512}).error().find("a group of 512 x 1 x 1 threads"), std::string::npos);
  EXPECT_NE(run("reverse_with_barrier", {1, 1, 0}).error().find("a group of 0"), std::string::npos);
  EXPECT_NE(run("reverse_with_barrier", {0, 1, 256}).error().find("empty grid"), std::string::npos);
}

TEST_P(Faults, TheLastGroupMayBePartial) {
  const auto module = compile("faults", GetParam());
  ASSERT_TRUE(module);
  std::vector<float> in(128, 1), out(128, 2);
  Arguments arguments;
  arguments << in.data() << out.data() << 128;
  Launch launch;
  launch.dims = {{2, 1, 1}, {64, 1, 1}, {100, 1, 1}};
  launch.arguments = arguments.data();
  launch.argument_bytes = arguments.size();
  const auto done = module->launch(*module->kernel("copy_too_much"), launch);
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(std::count(out.begin(), out.end(), 1.0F), 100);
  EXPECT_EQ(out[100], 2);
  launch.dims.threads[0] = 200;
  const auto wrong = module->launch(*module->kernel("copy_too_much"), launch);
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().find("does not fit"), std::string::npos) << wrong.error();
}

TEST_P(Faults, LaunchesAtOnceDoNotMeet) {
  const auto module = compile("faults", GetParam());
  ASSERT_TRUE(module);
  std::vector<std::thread> threads;
  std::vector<std::string> errors(4);
  for (auto& error : errors) {
    threads.emplace_back([&] {
      std::vector<float> in(256), out(256, -1);
      for (size_t n = 0; n < in.size(); n++)
        in[n] = static_cast<float>(n) + static_cast<float>(&error - errors.data()) * 1000;
      Memory memory;
      memory.add(in.data(), 1024);
      memory.add(out.data(), 1024);
      Arguments arguments;
      arguments << in.data() << out.data();
      const auto done = launch(*module, "reverse_with_barrier", {1, 1, 256}, arguments, memory);
      if (!done)
        error = done.error();
      else if (out != std::vector<float>(in.rbegin(), in.rend()))
        error = "wrong numbers";
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) EXPECT_EQ(error, "");
}

INSTANTIATE_TEST_SUITE_P(Architectures, Faults, testing::ValuesIn(k_architectures),
                         [](const auto& one) { return std::string(one.param); });

class Loading : public OnEach {};

TEST_P(Loading, DamageIsAnErrorNotACrash) {
  const std::string bytes = compiled_bytes("faults", GetParam());
  ASSERT_FALSE(bytes.empty());
  EXPECT_EQ(code_object_size(bytes.data()), bytes.size());
  for (size_t size = 0; size < bytes.size(); size += 1 + size / 40) {
    const std::vector<char> shorter(bytes.begin(),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(size));  // its end is a real end
    const auto module = Module::load(shorter.data(), size, "");
    EXPECT_TRUE(!module || size >= bytes.size() / 2) << size;
  }
  constexpr unsigned k_seed = 5;
  std::mt19937 random(k_seed);
  for (int n = 0; n < 300; n++) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 8; flips++) damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    Module::load(damaged.data(), damaged.size(), "");  // any answer will do
  }
}

TEST_P(Loading, AnotherArchitectureIsRefused) {
  const std::string bytes = compiled_bytes("faults", GetParam());
  const std::string other = std::string(GetParam()) == "gfx900" ? "gfx906" : "gfx900";
  const auto module = Module::load(bytes.data(), bytes.size(), other);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error(), "the code object is for " + std::string(GetParam()) + ", the device is " + other);
}

// An offload bundle as clang-offload-bundler writes it.
std::string bundle(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string head = "__CLANG_OFFLOAD_BUNDLE__", body;
  const auto number = [&](uint64_t value) { head.append(reinterpret_cast<const char*>(&value), sizeof value); };
  size_t head_size = 32;
  for (const auto& [name, bytes] : entries) head_size += 24 + name.size();
  number(entries.size());
  for (const auto& [name, bytes] : entries) {
    number(head_size + body.size());
    number(bytes.size());
    number(name.size());
    head += name;
    body += bytes;
  }
  return head + body;
}

TEST_P(Loading, ABundleIsSearched) {
  const std::string wanted = std::string("hip-amdgcn-amd-amdhsa--") + GetParam() + ":xnack-";
  const std::string bytes = bundle({{"host-x86_64-unknown-linux--", ""},
                                    {"hip-amdgcn-amd-amdhsa--gfx90", "not it"},
                                    {wanted, compiled_bytes("faults", GetParam())}});
  EXPECT_EQ(code_object_size(bytes.data()), bytes.size());
  const auto module = Module::load(bytes.data(), bytes.size(), GetParam());
  ASSERT_TRUE(module) << module.error();
  EXPECT_TRUE((*module)->kernel("reverse_with_barrier"));
  const auto other = Module::load(bytes.data(), bytes.size(), "gfx803");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().find("no code object for gfx803"), std::string::npos) << other.error();
  for (size_t size = 0; size < 200; size++) EXPECT_FALSE(Module::load(bytes.data(), size, GetParam())) << size;
}

INSTANTIATE_TEST_SUITE_P(Architectures, Loading, testing::Values("gfx900", "gfx1100"),
                         [](const auto& one) { return std::string(one.param); });

TEST(LoadingBytes, ThatAreNoCodeObject) {
  const auto nothing = Module::load("", 0, "");
  ASSERT_FALSE(nothing);
  const char text[] = "this is not an ELF file at all, and long enough to be looked at: 64 bytes and some more of them";
  EXPECT_EQ(code_object_size(text), 0u);
  const auto module = Module::load(text, sizeof text, "gfx900");
  ASSERT_FALSE(module);
  EXPECT_NE(module.error().find("not a code object"), std::string::npos) << module.error();
  std::string elf("\177ELF\2\1\1\x40", 8);
  elf.resize(200);
  elf[18] = static_cast<char>(224);
  elf[48] = 0x7f;
  const auto unknown = Module::load(elf.data(), elf.size(), "");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error(), "the code object is for a GPU that is not modelled (machine number 127)");
}

}  // namespace
}  // namespace convoy::amdgpu::test
