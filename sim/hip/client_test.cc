// See client_test.h.
#include "sim/hip/client_test.h"

#include <dlfcn.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

namespace convoy::hip {
namespace {

struct RtcProgram;

void* library() {
  static void* const handle = dlopen(CONVOY_SIM_HIP_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  return handle;
}

Code compile(const std::string& architecture) {
  std::ifstream file(CONVOY_SIM_TEST_KERNELS);
  std::string source{std::istreambuf_iterator<char>(file), {}};
  RtcProgram* program = nullptr;
  auto created = hip<RtcResult(RtcProgram**, const char*, const char*, int, const char**, const char**)>(
      "hiprtcCreateProgram")(&program, source.c_str(), "test_kernels.hip", 0, nullptr, nullptr);
  if (created != RtcResult::success) return {"", "hiprtcCreateProgram failed"};
  std::string option = "--offload-arch=" + architecture;
  const char* options[] = {option.c_str(), "-O3"};
  RtcResult result = hip<RtcResult(RtcProgram*, int, const char**)>("hiprtcCompileProgram")(program, 2, options);
  Code code;
  std::size_t bytes = 0;
  if (result == RtcResult::success) {
    hip<RtcResult(RtcProgram*, std::size_t*)>("hiprtcGetCodeSize")(program, &bytes);
    code.bytes.resize(bytes);
    hip<RtcResult(RtcProgram*, char*)>("hiprtcGetCode")(program, code.bytes.data());
  } else {
    hip<RtcResult(RtcProgram*, std::size_t*)>("hiprtcGetProgramLogSize")(program, &bytes);
    code.why_not.resize(bytes);
    hip<RtcResult(RtcProgram*, char*)>("hiprtcGetProgramLog")(program, code.why_not.data());
    code.why_not.resize(code.why_not.find('\0'));
  }
  hip<RtcResult(RtcProgram**)>("hiprtcDestroyProgram")(&program);
  return code;
}

}  // namespace

void* symbol(const char* name) {
  void* found = library() == nullptr ? nullptr : dlsym(library(), name);
  if (found == nullptr) ADD_FAILURE() << name << ": " << dlerror();
  return found;
}

int configure(const std::string& switches) {
  return hip<int(const char*)>("convoy_sim_configure")(switches.c_str());
}
std::string report() {
  return hip<const char*()>("convoy_sim_report")();
}

std::uint64_t counter(std::string_view start_of_line) {
  std::string text = std::string("\n").append(report());
  std::size_t line = text.find(std::string("\n").append(start_of_line).append(" "));
  if (line == std::string::npos) return 0;
  std::size_t end = text.find('\n', line + 1);
  return std::strtoull(text.c_str() + text.rfind(' ', end) + 1, nullptr, 10);
}

Error allocate(void** pointer, std::size_t bytes) {
  return hip<Error(void**, std::size_t)>("hipMalloc")(pointer, bytes);
}
Error copy(void* to, const void* from, std::size_t bytes, CopyKind kind) {
  return hip<Error(void*, const void*, std::size_t, CopyKind)>("hipMemcpy")(to, from, bytes, kind);
}
Error copy_async(void* to, const void* from, std::size_t bytes, CopyKind kind, Stream* stream) {
  using Signature = Error(void*, const void*, std::size_t, CopyKind, Stream*);
  return hip<Signature>("hipMemcpyAsync")(to, from, bytes, kind, stream);
}
Error synchronize() {
  return hip<Error()>("hipDeviceSynchronize")();
}
Error synchronize(Stream* stream) {
  return hip<Error(Stream*)>("hipStreamSynchronize")(stream);
}

Stream* make_stream(unsigned flags) {
  Stream* stream = nullptr;
  EXPECT_EQ(hip<Error(Stream**, unsigned)>("hipStreamCreateWithFlags")(&stream, flags), Error::success);
  return stream;
}

Error launch(Function* function, std::uint32_t groups, std::uint32_t group_size, Stream* stream,
             std::vector<void*> parameters) {
  return hip<LaunchKernel>("hipModuleLaunchKernel")(function, groups, 1, 1, group_size, 1, 1, 0, stream,
                                                    parameters.data(), nullptr);
}

const Code& kernels_for(const std::string& architecture) {
  static std::map<std::string, Code> compiled;
  auto found = compiled.find(architecture);
  return found != compiled.end() ? found->second : compiled.emplace(architecture, compile(architecture)).first->second;
}

std::string current_architecture() {
  int ordinal = 0;
  DeviceProperties properties{};
  hip<Error(int*)>("hipGetDevice")(&ordinal);
  hip<Error(DeviceProperties*, int)>("hipGetDeviceProperties")(&properties, ordinal);
  return properties.gcn_arch_name;
}

void HipTest::SetUp() {
  ASSERT_EQ(configure("devices=gfx1010;memory=1073741824;late=0;race=0;fail=;log=0"), 0) << report();
  hip<Error(int)>("hipSetDevice")(0);
  hip<Error()>("hipGetLastError")();
}

void HipTest::TearDown() {
  configure("fail=;late=0");
  if (module_ != nullptr) hip<Error(Module*)>("hipModuleUnload")(module_);
  for (void* memory : device_memory_) hip<Error(void*)>("hipFree")(memory);
  for (void* memory : host_memory_) hip<Error(void*)>("hipHostFree")(memory);
}

void HipTest::load() {
  const Code& code = kernels_for(current_architecture());
  if (code.bytes.empty()) GTEST_SKIP() << code.why_not;
  ASSERT_EQ(hip<Error(Module**, const void*)>("hipModuleLoadData")(&module_, code.bytes.data()), Error::success)
      << report();
}

Function* HipTest::kernel(const char* name) {
  Function* function = nullptr;
  EXPECT_EQ(hip<Error(Function**, Module*, const char*)>("hipModuleGetFunction")(&function, module_, name),
            Error::success);
  return function;
}

float* HipTest::device_floats(std::size_t count) {
  void* memory = nullptr;
  EXPECT_EQ(allocate(&memory, count * sizeof(float)), Error::success);
  device_memory_.push_back(memory);
  return static_cast<float*>(memory);
}

float* HipTest::host_floats(std::size_t count) {
  void* memory = nullptr;
  EXPECT_EQ(hip<Error(void**, std::size_t, unsigned)>("hipHostMalloc")(&memory, count * sizeof(float), 0),
            Error::success);
  host_memory_.push_back(memory);
  return static_cast<float*>(memory);
}

std::vector<float> HipTest::read(const float* device, std::size_t count) {
  std::vector<float> values(count, -1.0f);
  EXPECT_EQ(copy(values.data(), device, count * sizeof(float), CopyKind::device_to_host), Error::success);
  return values;
}

std::vector<float> numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(1.0f, 2.0f);
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random);
  return values;
}

}  // namespace convoy::hip
