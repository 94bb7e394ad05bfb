// Kernels, compiled through hiprtc and run as machine code of every architecture that the compiler knows.
#include <atomic>
#include <cmath>
#include <thread>

#include "sim/hip/client_test.h"

namespace convoy::hip {
namespace {

class EveryArchitecture : public HipTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    HipTest::SetUp();
    ASSERT_EQ(configure("devices=" + std::string(GetParam())), 0);
    load();
  }
};

TEST_P(EveryArchitecture, AddsVectors) {
  constexpr int k_count = 1000;
  std::vector<float> a = numbers(k_count, 1), b = numbers(k_count, 2);
  float *x = device_floats(k_count), *y = device_floats(k_count), *sum = device_floats(k_count);
  copy(x, a.data(), k_count * sizeof(float), CopyKind::host_to_device);
  copy(y, b.data(), k_count * sizeof(float), CopyKind::host_to_device);
  EXPECT_TRUE(std::isnan(read(sum, 1)[0]));  // memory starts as NaN
  int count = k_count;
  ASSERT_EQ(launch(kernel("add"), 8, 128, nullptr, {&x, &y, &sum, &count}), Error::success);
  std::vector<float> result = read(sum, k_count);
  for (std::size_t i = 0; i < k_count; ++i) ASSERT_EQ(result[i], a[i] + b[i]) << i;
}

TEST_P(EveryArchitecture, MultipliesMatrices) {
  constexpr std::size_t k_m = 37, k_n = 21, k_k = 50;
  int m = k_m, n = k_n, k = k_k;
  std::vector<float> a = numbers(k_m * k_k, 3), b = numbers(k_k * k_n, 4);
  float *x = device_floats(a.size()), *y = device_floats(b.size()), *product = device_floats(k_m * k_n);
  copy(x, a.data(), a.size() * sizeof(float), CopyKind::host_to_device);
  copy(y, b.data(), b.size() * sizeof(float), CopyKind::host_to_device);
  void* parameters[] = {&x, &y, &product, &m, &n, &k};
  ASSERT_EQ(
      hip<LaunchKernel>("hipModuleLaunchKernel")(kernel("gemm"), 3, 2, 1, 256, 1, 1, 0, nullptr, parameters, nullptr),
      Error::success);
  std::vector<float> result = read(product, k_m * k_n);
  for (int row = 0; row < m; ++row) {
    for (int column = 0; column < n; ++column) {
      double sum = 0;
      for (int i = 0; i < k; ++i) sum += static_cast<double>(a[row * k + i]) * b[i * n + column];
      ASSERT_NEAR(result[row * n + column], sum, sum * 50 * 1.2e-7) << row << ',' << column;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cards, EveryArchitecture,
                         testing::Values("gfx803", "gfx900", "gfx906", "gfx908", "gfx90a", "gfx1010", "gfx1030",
                                         "gfx1032", "gfx1100"),
                         [](const auto& card) { return std::string(card.param); });

TEST_F(KernelTest, CodeForAnotherCardIsRefused) {
  const Code& other = kernels_for("gfx803");
  ASSERT_FALSE(other.bytes.empty()) << other.why_not;
  Module* module = nullptr;
  using Load = Error(Module**, const void*);
  EXPECT_EQ(hip<Load>("hipModuleLoadData")(&module, other.bytes.data()), Error::no_binary_for_gpu);
  std::string nonsense(4096, 'x');
  EXPECT_EQ(hip<Load>("hipModuleLoadData")(&module, nonsense.data()), Error::invalid_image);
  EXPECT_EQ(hip<Load>("hipModuleLoadData")(&module, nullptr), Error::invalid_value);
  EXPECT_EQ(hip<Load>("hipModuleLoad")(&module, reinterpret_cast<const void*>("/nowhere")), Error::file_not_found);
}

TEST_F(KernelTest, ArgumentsAsOneBlock) {
  std::vector<float> a = numbers(64, 5);
  float *x = device_floats(64), *sum = device_floats(64);
  copy(x, a.data(), 256, CopyKind::host_to_device);
  struct {
    float *a, *b, *c;
    int n;
  } block{x, x, sum, 64};  // padded to 32 bytes, the kernel reads 28
  std::size_t bytes = sizeof block;
  void* extra[] = {reinterpret_cast<void*>(1), &block, reinterpret_cast<void*>(2), &bytes, reinterpret_cast<void*>(3)};
  auto launch_block = [&] {
    return hip<LaunchKernel>("hipModuleLaunchKernel")(kernel("add"), 1, 1, 1, 64, 1, 1, 0, nullptr, nullptr, extra);
  };
  ASSERT_EQ(launch_block(), Error::success);
  EXPECT_EQ(read(sum, 64)[63], 2 * a[63]);
  bytes = 24;  // without n
  EXPECT_EQ(launch_block(), Error::invalid_value);
}

TEST_F(KernelTest, LaunchesThatNoCardTakes) {
  float* x = device_floats(64);
  EXPECT_EQ(launch(kernel("overrun"), 0, 64, nullptr, {&x}), Error::invalid_value);
  EXPECT_EQ(launch(kernel("overrun"), 1, 1025, nullptr, {&x}), Error::invalid_configuration);
  EXPECT_EQ(launch(kernel("at_most_64"), 1, 128, nullptr, {&x}), Error::launch_failure);
  EXPECT_EQ(launch(nullptr, 1, 64, nullptr, {&x}), Error::invalid_handle);
  EXPECT_EQ(launch(kernel("overrun"), 1, 64, reinterpret_cast<Stream*>(0x1234), {&x}), Error::invalid_handle);
  EXPECT_EQ(synchronize(), Error::success);  // none of these breaks the card
  Function* function = nullptr;
  using Get = Error(Function**, Module*, const char*);
  EXPECT_EQ(hip<Get>("hipModuleGetFunction")(&function, module_, "none"), Error::not_found);
}

Error launch_with_lds(Function* function, std::uint32_t lds, float* x) {
  void* parameters[] = {&x};
  return hip<LaunchKernel>("hipModuleLaunchKernel")(function, 2, 1, 1, 128, 1, 1, lds, nullptr, parameters, nullptr);
}

TEST_F(KernelTest, LocalMemoryThatTheLaunchAsksFor) {
  std::vector<float> a = numbers(256, 6);
  float* x = device_floats(256);
  copy(x, a.data(), 1024, CopyKind::host_to_device);
  ASSERT_EQ(launch_with_lds(kernel("reverse"), 512, x), Error::success);
  std::vector<float> result = read(x, 256);
  EXPECT_EQ(result[0], a[127]);
  EXPECT_EQ(result[255], a[128]);
  EXPECT_EQ(launch_with_lds(kernel("reverse"), 65537, x), Error::invalid_value);
}

TEST_F(KernelTest, RacesFaultWhenLookedFor) {
  float* x = device_floats(256);
  EXPECT_EQ(launch_with_lds(kernel("racy_reverse"), 512, x), Error::success);
  EXPECT_EQ(synchronize(), Error::success);
  ASSERT_EQ(configure("race=1"), 0);
  EXPECT_EQ(launch_with_lds(kernel("reverse"), 512, x), Error::success);
  EXPECT_EQ(synchronize(), Error::success) << report();
  EXPECT_EQ(launch_with_lds(kernel("racy_reverse"), 512, x), Error::success);
  EXPECT_EQ(synchronize(), Error::launch_failure);
}

TEST_F(KernelTest, VariablesOfAModule) {
  void* address = nullptr;
  std::size_t bytes = 0;
  using Get = Error(void**, std::size_t*, Module*, const char*);
  ASSERT_EQ(hip<Get>("hipModuleGetGlobal")(&address, &bytes, module_, "scale"), Error::success);
  EXPECT_EQ(bytes, sizeof(float));
  EXPECT_EQ(hip<Get>("hipModuleGetGlobal")(&address, &bytes, module_, "none"), Error::not_found);
  EXPECT_EQ(read(static_cast<float*>(address), 1)[0], 3.0f);
  std::vector<float> a = numbers(64, 7);
  float factor = 5.0f, *x = device_floats(64);
  int count = 64;
  copy(x, a.data(), 256, CopyKind::host_to_device);
  EXPECT_EQ(copy(address, &factor, 4, CopyKind::host_to_device), Error::success);
  EXPECT_EQ(copy(address, a.data(), 8, CopyKind::host_to_device), Error::invalid_value);
  ASSERT_EQ(launch(kernel("multiply"), 1, 64, nullptr, {&x, &count}), Error::success);
  EXPECT_EQ(read(x, 64)[9], a[9] * 5.0f);
}

// As clang does it for a program with kernels of its own.
TEST_F(KernelTest, KernelsThatTheProgramRegisters) {
  struct Wrapper {
    std::uint32_t magic, version;
    const void *image, *unused;
  } wrapper{0x48495046, 1, kernels_for("gfx1010").bytes.data(), nullptr};
  char stand_in = 0, variable = 0;
  void** binary = hip<void**(Wrapper*)>("__hipRegisterFatBinary")(&wrapper);
  using Register = void(void**, const void*, char*, const char*, unsigned, void*, void*, void*, void*, int*);
  hip<Register>("__hipRegisterFunction")(binary, &stand_in, nullptr, "multiply", 0, nullptr, nullptr, nullptr, nullptr,
                                         nullptr);
  using RegisterVariable = void(void**, void*, char*, const char*, int, std::size_t, int, int);
  hip<RegisterVariable>("__hipRegisterVar")(binary, &variable, nullptr, "scale", 0, 4, 0, 0);
  float factor = 7.0f;
  using ToSymbol = Error(const void*, const void*, std::size_t, std::size_t, CopyKind);
  EXPECT_EQ(hip<ToSymbol>("hipMemcpyToSymbol")(&variable, &factor, 4, 0, CopyKind::host_to_device), Error::success);
  std::vector<float> a = numbers(64, 8);
  float* x = device_floats(64);
  int count = 64;
  copy(x, a.data(), 256, CopyKind::host_to_device);
  void* parameters[] = {&x, &count};
  using Launch = Error(const void*, Dim3, Dim3, void**, std::size_t, Stream*);
  EXPECT_EQ(hip<Launch>("hipLaunchKernel")(&stand_in, {1, 1, 1}, {64, 1, 1}, parameters, 0, nullptr), Error::success);
  EXPECT_EQ(read(x, 64)[1], a[1] * 7.0f);
  EXPECT_EQ(hip<Launch>("hipLaunchKernel")(&count, {1, 1, 1}, {64, 1, 1}, parameters, 0, nullptr),
            Error::invalid_device_function);
  hip<void(void**)>("__hipUnregisterFatBinary")(binary);
  EXPECT_EQ(hip<Launch>("hipLaunchKernel")(&stand_in, {1, 1, 1}, {64, 1, 1}, parameters, 0, nullptr),
            Error::invalid_device_function);
}

TEST_F(KernelTest, SeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (unsigned seed : {31u, 32u, 33u, 34u}) {
    threads.emplace_back([&wrong, seed, function = kernel("multiply")] {
      void* x = nullptr;
      int count = 64;
      std::vector<float> a = numbers(64, seed), result(64);
      Stream* stream = make_stream(k_stream_non_blocking);
      for (int i = 0; i < 20; ++i) {
        allocate(&x, 256);
        copy_async(x, a.data(), 256, CopyKind::host_to_device, stream);
        launch(function, 1, 64, stream, {&x, &count});
        copy_async(result.data(), x, 256, CopyKind::device_to_host, stream);
        if (synchronize(stream) != Error::success || result[63] != a[63] * 3.0f) ++wrong;
        hip<Error(void*)>("hipFree")(x);
      }
      hip<Error(Stream*)>("hipStreamDestroy")(stream);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace convoy::hip
