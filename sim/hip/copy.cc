// Checks, queues and does copies and fills. The bounds are checked when the call is made, where the error is the call's own,
// and again when the work runs: by then the memory may be gone, and the card breaks.
#include "sim/hip/copy.h"

#include <cstdint>
#include <cstring>

namespace convoy::hip {

std::size_t Rectangle::extent(std::size_t width, std::size_t rows) const {
  std::size_t bytes = 0;
  if (rows == 0) return 0;
  if (__builtin_mul_overflow(pitch, rows - 1, &bytes) || __builtin_add_overflow(bytes, width, &bytes)) return SIZE_MAX;
  return bytes;
}

namespace {

// The part of an address range's life that matters: `base` is allocated and holds `bytes`.
bool holds(const Memory& memory, const char* base, std::size_t bytes) {
  const Allocation* allocation = memory.find(base);
  return allocation != nullptr && bytes <= allocation->bytes - static_cast<std::size_t>(base - allocation->base);
}

bool is_known(const Memory& memory, const char* base) {
  return memory.find(base) != nullptr;
}

Error refuse(Runtime& runtime, const char* sentence, std::size_t bytes) {
  runtime.note("copy or fill of " + std::to_string(bytes) + " bytes: " + sentence);
  return Error::invalid_value;
}

Error check_copy(Runtime& runtime, const Copy& what) {
  if (what.kind < CopyKind::host_to_host || what.kind > CopyKind::by_address) return Error::invalid_memcpy_direction;
  if (what.to.base == nullptr || what.from.base == nullptr) return Error::invalid_value;
  if (what.to.pitch < what.width || what.from.pitch < what.width) return Error::invalid_value;
  const Memory& memory = runtime.memory;
  bool to_card = what.kind == CopyKind::host_to_device || what.kind == CopyKind::device_to_device;
  bool from_card = what.kind == CopyKind::device_to_host || what.kind == CopyKind::device_to_device;
  std::size_t to_bytes = what.to.extent(what.width, what.rows);
  std::size_t from_bytes = what.from.extent(what.width, what.rows);
  bool to_known = is_known(memory, what.to.base);
  bool from_known = is_known(memory, what.from.base);
  if (to_card && !to_known) return refuse(runtime, "the destination is no device memory", to_bytes);
  if (from_card && !from_known) return refuse(runtime, "the source is no device memory", from_bytes);
  if (to_known && !holds(memory, what.to.base, to_bytes)) {
    return refuse(runtime, "passes the end of the destination's allocation", to_bytes);
  }
  if (from_known && !holds(memory, what.from.base, from_bytes)) {
    return refuse(runtime, "passes the end of the source's allocation", from_bytes);
  }
  return Error::success;
}

// What a queued copy or fill relies on: which of its ends were ours when it was queued.
bool still_there(Device& device, const Rectangle& part, std::size_t bytes) {
  Runtime& runtime = Runtime::instance();
  if (holds(runtime.memory, part.base, bytes)) return true;
  runtime.break_device(device, Error::illegal_address, "queued copy or fill: its memory was freed before it ran");
  return false;
}

void run_copy(Device& device, const Copy& what, bool to_known, bool from_known) {
  if (to_known && !still_there(device, what.to, what.to.extent(what.width, what.rows))) return;
  if (from_known && !still_there(device, what.from, what.from.extent(what.width, what.rows))) return;
  for (std::size_t row = 0; row < what.rows; ++row) {
    std::memmove(what.to.base + row * what.to.pitch, what.from.base + row * what.from.pitch, what.width);
  }
  Runtime::instance().statistics.copied_bytes += what.width * what.rows;
}

void run_fill(Device& device, const Fill& what) {
  if (!still_there(device, what.to, what.to.extent(what.width, what.rows))) return;
  for (std::size_t row = 0; row < what.rows; ++row) {
    char* to = what.to.base + row * what.to.pitch;
    if (what.element_bytes == 1) {
      std::memset(to, static_cast<int>(what.value & 0xff), what.width);
      continue;
    }
    for (std::size_t at = 0; at < what.width; at += what.element_bytes)
      std::memcpy(to + at, &what.value, what.element_bytes);
  }
}

Error finish(Runtime& runtime, Stream& stream, Error error, bool wait) {
  if (error != Error::success || !wait || stream.capture != nullptr) return error;
  return run_stream(runtime, stream);
}

}  // namespace

Error copy(Runtime& runtime, const Copy& what, Stream* handle, Wait wait) {
  std::shared_ptr<Stream> stream = find_stream(runtime, handle);
  if (stream == nullptr) return Error::invalid_handle;
  if (what.width == 0 || what.rows == 0) return Error::success;
  if (Error error = check_copy(runtime, what); error != Error::success) return error;
  bool to_known = is_known(runtime.memory, what.to.base);
  bool from_known = is_known(runtime.memory, what.from.base);
  Error error = enqueue(runtime, stream, [what, to_known, from_known, device = stream->device()] {
    run_copy(*device, what, to_known, from_known);
  });
  return finish(runtime, *stream, error, wait == Wait::yes || !to_known || !from_known);
}

Error fill(Runtime& runtime, const Fill& what, Stream* handle, Wait wait) {
  std::shared_ptr<Stream> stream = find_stream(runtime, handle);
  if (stream == nullptr) return Error::invalid_handle;
  if (what.width == 0 || what.rows == 0) return Error::success;
  if (what.to.pitch < what.width) return Error::invalid_value;
  std::size_t bytes = what.to.extent(what.width, what.rows);
  if (!holds(runtime.memory, what.to.base, bytes)) return refuse(runtime, "passes the end of an allocation", bytes);
  Error error = enqueue(runtime, stream, [what, device = stream->device()] { run_fill(*device, what); });
  return finish(runtime, *stream, error, wait == Wait::yes);
}

}  // namespace convoy::hip
