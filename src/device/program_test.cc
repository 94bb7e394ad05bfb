// The library of programs, over a device whose compiler only counts.
#include "device/program.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "device/test_device.h"

namespace convoy {
namespace {

class LoadedProgram : public Program {
 public:
  Result<std::unique_ptr<Kernel>> kernel(const char*) const override { return fail(ErrorCode::unsupported, "none"); }
};

// Its machine code is the source's text after "code of ".
class CountingDevice final : public ForwardingDevice {
 public:
  CountingDevice() : ForwardingDevice(make_cpu_device()) {}
  Result<std::string> compile(const ProgramSource& source) override {
    ++compilations;
    const int now = ++at_work;
    int most = most_at_work;
    while (now > most && !most_at_work.compare_exchange_weak(most, now)) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    --at_work;
    if (source.text == "wrong" || out_of_memory) return fail(ErrorCode::device, "line 1: wrong");
    return "code of " + std::string(source.text);
  }
  std::string compiler_key() const override { return compiler; }
  Result<std::unique_ptr<Program>> load(std::string_view binary) override {
    if (binary.substr(0, 8) != "code of ") return fail(ErrorCode::device, "no machine code");
    return std::make_unique<LoadedProgram>();
  }

  std::string compiler = "compiler 1";
  std::atomic<int> compilations{0}, at_work{0}, most_at_work{0};
  std::atomic<bool> out_of_memory{false};
};

class MapCache final : public BinaryCache {
 public:
  std::optional<std::string> find(std::string_view key) override {
    const std::lock_guard lock(mutex);
    const auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  void put(std::string_view key, const Entry& entry) override {
    const std::lock_guard lock(mutex);
    rows[std::string(key)] = entry.binary;
  }
  std::mutex mutex;
  std::map<std::string, std::string, std::less<>> rows;
};

TEST(Programs, the_key_is_the_content) {
  CountingDevice device;
  ProgramLibrary& programs = device.programs();
  ASSERT_TRUE(programs.get({"a", "text", {"X=1", "Y=2"}}));
  // The same under another name and in another order.
  ASSERT_TRUE(programs.get({"b", "text", {"Y=2", "X=1"}}));
  EXPECT_TRUE(programs.is_ready({"b", "text", {"X=1", "Y=2"}}));
  EXPECT_EQ(device.compilations, 1);
  // Each of these is another program.
  for (const ProgramSource& other :
       {ProgramSource{"a", "text ", {"X=1", "Y=2"}}, ProgramSource{"a", "text", {"X=1", "Y=3"}},
        ProgramSource{"a", "text", {"X=1"}}, ProgramSource{"a", "text", {"X=1Y=2"}}}) {
    EXPECT_FALSE(programs.is_ready(other));
    ASSERT_TRUE(programs.get(other));
  }
  EXPECT_EQ(device.compilations, 5);
  device.compiler = "compiler 2";
  EXPECT_FALSE(programs.is_ready({"a", "text", {"X=1", "Y=2"}}));
}

TEST(Programs, threads_that_want_the_same_one_compile_it_once) {
  CountingDevice device;
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { right += device.programs().get({"a", "text", {}}).has_value() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
  EXPECT_EQ(device.compilations, 1);
  EXPECT_EQ(device.programs().counters().compiled, 1);
  EXPECT_GT(device.programs().counters().compile_ms, 10);
}

TEST(Programs, a_failure_is_told_and_not_remembered) {
  CountingDevice device;
  device.out_of_memory = true;
  const auto failed = device.programs().get({"a", "text", {}});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "line 1: wrong");
  device.out_of_memory = false;
  EXPECT_TRUE(device.programs().get({"a", "text", {}}));
  EXPECT_EQ(device.programs().counters().compiled, 2);
}

TEST(Programs, what_the_cache_holds_is_not_compiled) {
  MapCache cache;
  {
    CountingDevice device;
    device.programs().set_cache(&cache);
    ASSERT_TRUE(device.programs().get({"a", "text", {}}));
    ASSERT_EQ(cache.rows.size(), 1u);
    EXPECT_EQ(cache.rows.begin()->second, "code of text");
  }
  CountingDevice device;
  device.programs().set_cache(&cache);
  EXPECT_TRUE(device.programs().is_ready({"a", "text", {}}));
  ASSERT_TRUE(device.programs().get({"a", "text", {}}));
  EXPECT_EQ(device.compilations, 0);
  EXPECT_EQ(device.programs().counters().from_cache, 1);
}

TEST(Programs, a_binary_that_does_not_load_is_compiled_again_and_replaced) {
  MapCache cache;
  {
    CountingDevice device;
    device.programs().set_cache(&cache);
    ASSERT_TRUE(device.programs().get({"a", "text", {}}));
  }
  cache.rows.begin()->second = "damaged";
  CountingDevice device;
  device.programs().set_cache(&cache);
  ASSERT_TRUE(device.programs().get({"a", "text", {}}));
  EXPECT_EQ(device.compilations, 1);
  EXPECT_EQ(device.programs().counters().from_cache, 0);
  EXPECT_EQ(cache.rows.begin()->second, "code of text");
}

TEST(Programs, prepare_compiles_all_at_the_same_time_and_tells_the_first_failure) {
  CountingDevice device;
  const std::vector<ProgramSource> sources{{"a", "1", {}}, {"b", "wrong", {}}, {"c", "2", {}}, {"d", "3", {}}};
  const auto prepared = device.programs().prepare(sources, 4);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().message, "line 1: wrong");
  EXPECT_EQ(device.compilations, 4);
  EXPECT_GE(device.most_at_work, 2);
  for (const char* text : {"1", "2", "3"}) EXPECT_TRUE(device.programs().is_ready({"x", text, {}})) << text;
  EXPECT_FALSE(device.programs().is_ready({"b", "wrong", {}}));
}

TEST(KernelArguments, are_aligned_and_keep_their_values) {
  struct Sizes {
    std::int64_t big = 0x123456789abcdef0;
    std::int32_t small = -7;
  };
  int place = 0;
  const Sizes sizes;
  KernelArguments arguments;
  arguments.buffer(&place).value('x').value(2.5).value(sizes).buffer(nullptr);
  ASSERT_EQ(arguments.arguments().size(), 5u);
  const auto read = [&](std::size_t index, auto& value) {
    const KernelArguments::Argument& one = arguments.arguments()[index];
    ASSERT_EQ(one.bytes, sizeof value);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arguments.data(one)) % 16, 0u);
    std::memcpy(&value, arguments.data(one), sizeof value);
  };
  void *first = nullptr, *last = &place;
  char letter = 0;
  double number = 0;
  Sizes seen{0, 0};
  read(0, first);
  read(1, letter);
  read(2, number);
  read(3, seen);
  read(4, last);
  EXPECT_EQ(first, &place);
  EXPECT_EQ(letter, 'x');
  EXPECT_EQ(number, 2.5);
  EXPECT_EQ(seen.big, sizes.big);
  EXPECT_EQ(seen.small, -7);
  EXPECT_EQ(last, nullptr);
  EXPECT_TRUE(arguments.arguments()[4].is_buffer);
}

}  // namespace
}  // namespace convoy
