// What launch_setup.h declares.
#include "launch_setup.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace convoy::amdgpu {
namespace {

// Kernel descriptor: which scalar registers the kernel wants set, in this order (kernel_code_properties).
enum Property : uint32_t {
  private_segment_buffer = 1 << 0,
  dispatch_packet = 1 << 1,
  queue_pointer = 1 << 2,
  argument_pointer = 1 << 3,
  dispatch_id = 1 << 4,
  flat_scratch_init = 1 << 5,
  private_segment_size = 1 << 6,
};
// compute_pgm_rsrc2.
enum Resource : uint32_t {
  private_segment_offset = 1 << 0,
  group_id_x = 1 << 7,
  group_id_y = 1 << 8,
  group_id_z = 1 << 9,
  group_info = 1 << 10
};

constexpr uint32_t k_garbage = 0xdeadbeef;

template <typename T, typename Where>
void put(Where& where, size_t offset, T value) {
  std::memcpy(where.data() + offset, &value, sizeof value);
}

uint16_t dimensions(const LaunchDims& d) {
  if (d.groups[2] > 1 || d.group_size[2] > 1) return 3;
  return d.groups[1] > 1 || d.group_size[1] > 1 ? 2 : 1;
}

uint64_t hidden_value(std::string_view kind, const Launch& launch) {
  const LaunchDims& d = launch.dims;
  const auto axis = [&] { return static_cast<size_t>(kind.back() - 'x'); };
  if (kind.starts_with("hidden_block_count_")) return d.groups[axis()];
  if (kind.starts_with("hidden_group_size_")) return d.group_size[axis()];
  if (kind == "hidden_grid_dims") return dimensions(d);
  if (kind == "hidden_private_base") return k_private_aperture;
  if (kind == "hidden_shared_base") return k_shared_aperture;
  if (kind == "hidden_dynamic_lds_size") return launch.dynamic_lds;
  return 0;  // offsets, remainders, and buffers of services that are not there (printf, heap)
}

std::vector<uint8_t> all_arguments(const Kernel& kernel, const Launch& launch) {
  // Code loads arguments in wide pieces that may pass the last one.
  constexpr size_t k_padding = 512;
  std::vector<uint8_t> bytes(std::max<size_t>(kernel.argument_bytes, launch.argument_bytes) + k_padding);
  if (launch.argument_bytes) std::memcpy(bytes.data(), launch.arguments, launch.argument_bytes);
  for (const Argument& argument : kernel.arguments) {
    if (!argument.kind.starts_with("hidden_")) continue;
    const uint64_t value = hidden_value(argument.kind, launch);
    const size_t size = std::min<size_t>(argument.size, sizeof value);
    if (argument.offset <= bytes.size() - sizeof value) std::memcpy(bytes.data() + argument.offset, &value, size);
  }
  return bytes;
}

bool whole_groups(const LaunchDims& d) {
  return d.threads[0] == 0;
}

void fill_packet(Job& job) {
  const LaunchDims& d = job.launch.dims;
  put(job.packet, 2, dimensions(d));
  for (size_t axis = 0; axis < 3; axis++) {
    put(job.packet, 4 + 2 * axis, static_cast<uint16_t>(d.group_size[axis]));
    put(job.packet, 12 + 4 * axis, whole_groups(d) ? d.groups[axis] * d.group_size[axis] : d.threads[axis]);
  }
  put(job.packet, 24, job.kernel.scratch_bytes);
  put(job.packet, 28, job.lds_bytes);
  put(job.packet, 40, reinterpret_cast<uint64_t>(job.arguments.data()));
}

std::vector<Range> reachable_memory(const Job& job) {
  std::vector<Range> ranges;
  if (!job.launch.memory) return ranges;
  const auto add = [&](const void* address, size_t size) {
    const auto begin = reinterpret_cast<uint64_t>(address);
    ranges.push_back({begin, begin + size});
  };
  for (const auto& block : job.launch.memory->blocks()) ranges.push_back({block.begin, block.begin + block.size});
  add(job.arguments.data(), job.arguments.size());
  add(job.packet.data(), job.packet.size());
  add(job.queue.data(), sizeof job.queue);
  add(job.object.image.get(), job.object.image_size);
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return ranges;
}

// Hardware allocates LDS in pieces of 512 bytes, and some kernels use the rest of the last one.
uint32_t lds_size(const Kernel& kernel, const Launch& launch) {
  const uint32_t bytes = kernel.lds_bytes + launch.dynamic_lds;
  return launch.options.lds_overrun ? (bytes + 511) & ~511u : bytes;
}

void set_scalars(const Job& job, Wave& w) {
  const Kernel& kernel = job.kernel;
  uint32_t next = 0;
  const auto set = [&](uint32_t value) { w.scalars[next++] = value; };
  const auto set64 = [&](uint64_t value) {
    set(static_cast<uint32_t>(value));
    set(static_cast<uint32_t>(value >> 32));
  };
  const auto address = [](const auto& of) { return reinterpret_cast<uint64_t>(of.data()); };
  if (kernel.properties & private_segment_buffer) {
    set64(k_scratch_descriptor);
    set64(0xffffffff);  // number of records; the format is not looked at
  }
  if (kernel.properties & dispatch_packet) set64(address(job.packet));
  if (kernel.properties & queue_pointer) set64(address(job.queue));
  if (kernel.properties & argument_pointer) set64(address(job.arguments));
  if (kernel.properties & dispatch_id) set64(0);
  if (kernel.properties & flat_scratch_init) set64(0);
  if (kernel.properties & private_segment_size) set(kernel.scratch_bytes);
  next = kernel.rsrc2 >> 1 & 31;  // USER_SGPR_COUNT
  if (kernel.rsrc2 & group_id_x) set(w.group->id[0]);
  if (kernel.rsrc2 & group_id_y) set(w.group->id[1]);
  if (kernel.rsrc2 & group_id_z) set(w.group->id[2]);
  if (kernel.rsrc2 & group_info) set(0);
  if (kernel.rsrc2 & private_segment_offset) set(0);
}

// Thread ids: in v0, v1 and v2 as far as asked for, or packed into v0.
void set_thread_ids(const Job& job, const std::array<uint32_t, 3>& size, uint32_t lanes, Wave& w) {
  const bool packed = job.generation == 910 || job.generation >= 1100;
  const uint32_t wanted = job.kernel.rsrc2 >> 11 & 3;
  for (uint32_t lane = 0; lane < lanes; lane++) {
    const uint32_t thread = w.id * static_cast<uint32_t>(w.width) + lane;
    const uint32_t x = thread % size[0], y = thread / size[0] % size[1], z = thread / size[0] / size[1];
    w.vgpr(0)[lane] = packed ? x | y << 10 | z << 20 : x;
    if (!packed && wanted >= 1) w.vgpr(1)[lane] = y;
    if (!packed && wanted >= 2) w.vgpr(2)[lane] = z;
  }
}

}  // namespace

Job::Job(const Kernel& launched, const Launch& how, const CodeObject& loaded, const Code& decoded,
         int target_generation)
    : kernel(launched),
      launch(how),
      object(loaded),
      code(decoded),
      generation(target_generation),
      width(target_generation >= 1000 && launched.wave32 ? 32 : 64),
      lds_bytes(lds_size(launched, how)),
      arguments(all_arguments(launched, how)) {
  fill_packet(*this);
  // amd_queue_t: group_segment_aperture_base_hi and private_segment_aperture_base_hi.
  queue[8] = k_shared_aperture | static_cast<uint64_t>(k_private_aperture) << 32;
  memory = reachable_memory(*this);
}

uint64_t Job::groups() const {
  const auto& g = launch.dims.groups;
  return static_cast<uint64_t>(g[0]) * g[1] * g[2];
}

std::array<uint32_t, 3> Job::size_of_group(const uint32_t (&id)[3]) const {
  const LaunchDims& d = launch.dims;
  std::array<uint32_t, 3> size{};
  for (size_t axis = 0; axis < 3; axis++) {
    size[axis] = d.group_size[axis];
    if (!whole_groups(d)) size[axis] = std::min(size[axis], d.threads[axis] - id[axis] * d.group_size[axis]);
  }
  return size;
}

void start_wave(const Job& job, const std::array<uint32_t, 3>& size, Wave& w) {
  const bool has_accumulators = job.generation == 908 || job.generation == 910;
  w.code = &job.code;
  w.memory = &job.memory;
  w.width = job.width;
  w.generation = job.generation;
  w.statistics_on = job.launch.options.statistics;
  w.race_on = job.launch.options.race;
  w.prepare_vectors(k_first_accumulator * (has_accumulators ? 2 : 1));
  std::fill(std::begin(w.scalars), std::end(w.scalars), k_garbage);
  for (const uint16_t zero : {scalar::null, scalar::flat_scratch, scalar::vcc})
    w.scalars[zero] = w.scalars[zero + 1] = 0;
  w.scalars[scalar::scc] = 0;
  w.scalars[scalar::m0] = ~0u;
  w.scalars[scalar::shared_base] = k_shared_aperture;
  w.scalars[scalar::private_base] = k_private_aperture;
  w.pc = reinterpret_cast<uint64_t>(job.object.image.get()) + job.kernel.entry;
  w.scratch.assign(static_cast<size_t>(job.kernel.scratch_bytes) * static_cast<size_t>(w.width), 0xcd);
  w.ended = w.at_barrier = w.yields = w.index_mode = false;
  w.current = nullptr;
  w.statistics = {};
  const uint32_t threads = size[0] * size[1] * size[2];
  const uint32_t lanes = std::min(static_cast<uint32_t>(w.width), threads - w.id * static_cast<uint32_t>(w.width));
  w.scalars[scalar::exec + 1] = 0;
  w.set_exec(lanes == 64 ? ~0ull : (1ull << lanes) - 1);
  set_scalars(job, w);
  set_thread_ids(job, size, lanes, w);
}

}  // namespace convoy::amdgpu
