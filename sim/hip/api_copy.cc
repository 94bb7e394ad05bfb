// hipMemcpy* and hipMemset* in all their spellings.
#include <cstdint>

#include "sim/hip/copy.h"

namespace convoy::hip {
namespace {

constexpr unsigned k_waiting = k_needs_health | k_needs_no_recording;

Copy linear(void* to, const void* from, std::size_t bytes, CopyKind kind) {
  // The source is only read; Rectangle serves both ends.
  return {{static_cast<char*>(to), bytes}, {static_cast<char*>(const_cast<void*>(from)), bytes}, bytes, 1, kind};
}

Error waiting_copy(const char* name, const Copy& what, Stream* stream = nullptr) {
  return call(name, k_waiting, [&](Runtime& runtime) { return copy(runtime, what, stream, Wait::yes); });
}

Error queued_copy(const char* name, const Copy& what, Stream* stream) {
  return call(name, k_needs_health, [&](Runtime& runtime) { return copy(runtime, what, stream, Wait::no); });
}

Fill elements(void* to, std::size_t count, std::uint32_t value, std::size_t element_bytes) {
  // A size that overflows becomes one that no allocation holds.
  std::size_t bytes = count <= SIZE_MAX / element_bytes ? count * element_bytes : SIZE_MAX;
  return {{static_cast<char*>(to), bytes}, bytes, 1, value, element_bytes};
}

Error waiting_fill(const char* name, const Fill& what) {
  return call(name, k_waiting, [&](Runtime& runtime) { return fill(runtime, what, nullptr, Wait::yes); });
}

Error queued_fill(const char* name, const Fill& what, Stream* stream) {
  return call(name, k_needs_health, [&](Runtime& runtime) { return fill(runtime, what, stream, Wait::no); });
}

std::uint32_t byte_value(int value) {
  return static_cast<std::uint32_t>(value) & 0xff;
}

}  // namespace

CONVOY_HIP_EXPORT Error hipMemcpy(void* to, const void* from, std::size_t bytes, CopyKind kind) {
  return waiting_copy(__func__, linear(to, from, bytes, kind));
}
CONVOY_HIP_EXPORT Error hipMemcpyWithStream(void* to, const void* from, std::size_t bytes, CopyKind kind,
                                            Stream* stream) {
  return waiting_copy(__func__, linear(to, from, bytes, kind), stream);
}
CONVOY_HIP_EXPORT Error hipMemcpyAsync(void* to, const void* from, std::size_t bytes, CopyKind kind, Stream* stream) {
  return queued_copy(__func__, linear(to, from, bytes, kind), stream);
}
CONVOY_HIP_EXPORT Error hipMemcpyHtoD(void* to, void* from, std::size_t bytes) {
  return waiting_copy(__func__, linear(to, from, bytes, CopyKind::host_to_device));
}
CONVOY_HIP_EXPORT Error hipMemcpyDtoH(void* to, void* from, std::size_t bytes) {
  return waiting_copy(__func__, linear(to, from, bytes, CopyKind::device_to_host));
}
CONVOY_HIP_EXPORT Error hipMemcpyDtoD(void* to, void* from, std::size_t bytes) {
  return waiting_copy(__func__, linear(to, from, bytes, CopyKind::device_to_device));
}
CONVOY_HIP_EXPORT Error hipMemcpyHtoDAsync(void* to, void* from, std::size_t bytes, Stream* stream) {
  return queued_copy(__func__, linear(to, from, bytes, CopyKind::host_to_device), stream);
}
CONVOY_HIP_EXPORT Error hipMemcpyDtoHAsync(void* to, void* from, std::size_t bytes, Stream* stream) {
  return queued_copy(__func__, linear(to, from, bytes, CopyKind::device_to_host), stream);
}
CONVOY_HIP_EXPORT Error hipMemcpyDtoDAsync(void* to, void* from, std::size_t bytes, Stream* stream) {
  return queued_copy(__func__, linear(to, from, bytes, CopyKind::device_to_device), stream);
}
CONVOY_HIP_EXPORT Error hipMemcpyPeer(void* to, int, const void* from, int, std::size_t bytes) {
  return waiting_copy(__func__, linear(to, from, bytes, CopyKind::device_to_device));
}
CONVOY_HIP_EXPORT Error hipMemcpyPeerAsync(void* to, int, const void* from, int, std::size_t bytes, Stream* stream) {
  return queued_copy(__func__, linear(to, from, bytes, CopyKind::device_to_device), stream);
}
CONVOY_HIP_EXPORT Error hipMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                                    std::size_t width, std::size_t rows, CopyKind kind) {
  Copy what = linear(to, from, width, kind);
  what.to.pitch = to_pitch, what.from.pitch = from_pitch, what.rows = rows;
  return waiting_copy(__func__, what);
}
CONVOY_HIP_EXPORT Error hipMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                                         std::size_t width, std::size_t rows, CopyKind kind, Stream* stream) {
  Copy what = linear(to, from, width, kind);
  what.to.pitch = to_pitch, what.from.pitch = from_pitch, what.rows = rows;
  return queued_copy(__func__, what, stream);
}

CONVOY_HIP_EXPORT Error hipMemset(void* to, int value, std::size_t bytes) {
  return waiting_fill(__func__, elements(to, bytes, byte_value(value), 1));
}
CONVOY_HIP_EXPORT Error hipMemsetAsync(void* to, int value, std::size_t bytes, Stream* stream) {
  return queued_fill(__func__, elements(to, bytes, byte_value(value), 1), stream);
}
CONVOY_HIP_EXPORT Error hipMemsetD8(void* to, unsigned char value, std::size_t count) {
  return waiting_fill(__func__, elements(to, count, value, 1));
}
CONVOY_HIP_EXPORT Error hipMemsetD8Async(void* to, unsigned char value, std::size_t count, Stream* stream) {
  return queued_fill(__func__, elements(to, count, value, 1), stream);
}
CONVOY_HIP_EXPORT Error hipMemsetD16(void* to, unsigned short value, std::size_t count) {
  return waiting_fill(__func__, elements(to, count, value, 2));
}
CONVOY_HIP_EXPORT Error hipMemsetD16Async(void* to, unsigned short value, std::size_t count, Stream* stream) {
  return queued_fill(__func__, elements(to, count, value, 2), stream);
}
CONVOY_HIP_EXPORT Error hipMemsetD32(void* to, int value, std::size_t count) {
  return waiting_fill(__func__, elements(to, count, static_cast<std::uint32_t>(value), 4));
}
CONVOY_HIP_EXPORT Error hipMemsetD32Async(void* to, int value, std::size_t count, Stream* stream) {
  return queued_fill(__func__, elements(to, count, static_cast<std::uint32_t>(value), 4), stream);
}
CONVOY_HIP_EXPORT Error hipMemset2D(void* to, std::size_t pitch, int value, std::size_t width, std::size_t rows) {
  return waiting_fill(__func__, {{static_cast<char*>(to), pitch}, width, rows, byte_value(value), 1});
}
CONVOY_HIP_EXPORT Error hipMemset2DAsync(void* to, std::size_t pitch, int value, std::size_t width, std::size_t rows,
                                         Stream* stream) {
  return queued_fill(__func__, {{static_cast<char*>(to), pitch}, width, rows, byte_value(value), 1}, stream);
}

}  // namespace convoy::hip
