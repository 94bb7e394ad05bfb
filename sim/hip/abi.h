// What crosses the boundary of the stand-in HIP runtime, as HIP 5.2 lays it out on x86-64: error codes, enumerations,
// structs. Numbers and layouts are the public interface of hip/hip_runtime_api.h and hip/hiprtc.h of that version; names
// here are ours. Nothing may be reordered: programs compiled against AMD's headers read these bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace convoy::hip {

// hipError_t
enum class Error : int {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  not_initialized = 3,
  invalid_configuration = 9,
  invalid_symbol = 13,
  invalid_memcpy_direction = 21,
  missing_configuration = 52,
  invalid_device_function = 98,
  no_device = 100,
  invalid_device = 101,
  invalid_image = 200,
  invalid_context = 201,
  no_binary_for_gpu = 209,
  file_not_found = 301,
  shared_object_init_failed = 303,
  invalid_handle = 400,
  illegal_state = 401,
  not_found = 500,
  not_ready = 600,
  illegal_address = 700,
  launch_out_of_resources = 701,
  launch_timeout = 702,
  host_memory_already_registered = 712,
  host_memory_not_registered = 713,
  launch_failure = 719,
  not_supported = 801,
  capture_unsupported = 900,
  capture_invalidated = 901,
  capture_merge = 902,
  capture_unmatched = 903,
  capture_unjoined = 904,
  capture_isolation = 905,
  capture_implicit = 906,
  captured_event = 907,
  capture_wrong_thread = 908,
  unknown = 999,
};

// hiprtcResult
enum class RtcResult : int {
  success = 0,
  out_of_memory = 1,
  program_creation_failure = 2,
  invalid_input = 3,
  invalid_program = 4,
  invalid_option = 5,
  compilation = 6,
  builtin_operation_failure = 7,
  no_name_expressions_after_compilation = 8,
  no_lowered_names_before_compilation = 9,
  name_expression_not_valid = 10,
  internal_error = 11,
};

enum class CopyKind : int { host_to_host, host_to_device, device_to_host, device_to_device, by_address };
enum class CaptureMode : int { global, thread_local_only, relaxed };
enum class CaptureStatus : int { none, active, invalidated };
enum class MemoryType : int { host, device };

constexpr unsigned k_stream_non_blocking = 1;
constexpr unsigned k_event_disable_timing = 2;

// Keys of a launch's `extra` list.
inline void* const k_extra_end = reinterpret_cast<void*>(3);
inline void* const k_extra_pointer = reinterpret_cast<void*>(1);
inline void* const k_extra_size = reinterpret_cast<void*>(2);

struct Dim3 {
  std::uint32_t x, y, z;
};

// hipDeviceProp_t of 5.2; hipGetDevicePropertiesR0600 and its struct came with HIP 6.
struct DeviceProperties {
  char name[256];
  std::size_t total_memory;
  std::size_t shared_memory_per_block;
  int registers_per_block;
  int warp_size;
  int max_threads_per_block;
  int max_block[3];
  int max_grid[3];
  int clock_khz;
  int memory_clock_khz;
  int memory_bus_bits;
  std::size_t constant_memory;
  int major, minor;
  int compute_units;
  int l2_bytes;
  int max_threads_per_unit;
  int compute_mode;
  int timer_khz;
  std::uint32_t features;  // a bit each, from the lowest: see k_all_features
  int concurrent_kernels;
  int pci_domain, pci_bus, pci_device;
  std::size_t shared_memory_per_unit;
  int is_multi_gpu_board;
  int can_map_host_memory;
  int gcn_arch;  // deprecated number: 906
  char gcn_arch_name[256];
  int integrated;
  int cooperative_launch, cooperative_multi_device_launch;
  int max_texture_1d_linear, max_texture_1d, max_texture_2d[2], max_texture_3d[3];
  unsigned* hdp_memory_flush;
  unsigned* hdp_register_flush;
  std::size_t max_pitch;
  std::size_t texture_alignment, texture_pitch_alignment;
  int kernel_timeout;
  int ecc;
  int tcc_driver;
  int unmatched_cooperative[4];
  int is_large_bar;
  int revision;
  int managed_memory;
  int direct_managed_access;
  int concurrent_managed_access;
  int pageable_access, pageable_access_by_host_tables;
};
static_assert(sizeof(DeviceProperties) == 792);
static_assert(offsetof(DeviceProperties, compute_units) == 336 && offsetof(DeviceProperties, features) == 356);
static_assert(offsetof(DeviceProperties, gcn_arch_name) == 396 && offsetof(DeviceProperties, hdp_memory_flush) == 696);

// hipPointerAttribute_t
struct PointerAttributes {
  MemoryType type;
  int device;
  void* device_pointer;
  void* host_pointer;
  int is_managed;
  unsigned flags;
};
static_assert(sizeof(PointerAttributes) == 32);

// hipFuncAttributes
struct FunctionAttributes {
  int binary_version;
  int cache_mode;
  std::size_t constant_bytes;
  std::size_t local_bytes;
  int max_dynamic_shared_bytes;
  int max_threads_per_block;
  int registers;
  int shared_carveout;
  int ptx_version;
  std::size_t shared_bytes;
};
static_assert(sizeof(FunctionAttributes) == 56);

// hipFunction_attribute, as far as it is answered.
enum class FunctionAttribute : int {
  max_threads_per_block = 0,
  shared_bytes = 1,
  local_bytes = 3,
  registers = 4,
  max_dynamic_shared_bytes = 8,
};

// hipDeviceAttribute_t of 5.2, as far as it is answered.
enum class Attribute : int {
  can_map_host_memory = 3,
  clock_khz = 5,
  compute_mode = 6,
  concurrent_kernels = 8,
  integrated = 16,
  l2_bytes = 19,
  major = 23,
  managed_memory = 24,
  max_block_x = 26,
  max_block_y = 27,
  max_block_z = 28,
  max_grid_x = 29,
  max_grid_y = 30,
  max_grid_z = 31,
  max_threads_per_block = 56,
  max_threads_per_unit = 57,
  max_pitch = 58,
  memory_bus_bits = 59,
  memory_clock_khz = 60,
  minor = 61,
  compute_units = 63,
  pci_bus = 67,
  pci_device = 68,
  pci_domain = 69,
  registers_per_block = 71,
  registers_per_unit = 72,
  shared_memory_per_block = 74,
  texture_alignment = 81,
  constant_memory = 83,
  total_memory = 84,
  warp_size = 87,
  memory_pools = 88,
  timer_khz = 10000,
  shared_memory_per_unit = 10002,
  gcn_arch = 10003,
  gcn_arch_name = 10004,
  physical_compute_units = 10015,
};

}  // namespace convoy::hip
