// Untrusted bytes: every read is checked. A read past the end is a Fault that names what was being read.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "wave.h"

namespace convoy::amdgpu {

class Bytes {
 public:
  Bytes(std::span<const uint8_t> data, const char* what) : data_(data), what_(what) {}

  size_t size() const { return data_.size(); }
  std::span<const uint8_t> part(uint64_t offset, uint64_t size) const {
    if (offset > data_.size() || size > data_.size() - offset)
      throw Fault(std::string(what_) + " is truncated or damaged");
    return data_.subspan(offset, size);
  }
  template <typename T>
  T read(uint64_t offset) const {
    T value;
    std::memcpy(&value, part(offset, sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text(uint64_t offset, uint64_t size) const {
    return {reinterpret_cast<const char*>(part(offset, size).data()), size};
  }
  // Up to a zero byte.
  std::string c_string(uint64_t offset) const {
    const auto rest = part(offset, offset > data_.size() ? 1 : data_.size() - offset);
    const void* end = rest.empty() ? nullptr : std::memchr(rest.data(), 0, rest.size());
    if (!end) throw Fault(std::string(what_) + " is truncated or damaged");
    return reinterpret_cast<const char*>(rest.data());
  }

 private:
  std::span<const uint8_t> data_;
  const char* what_;
};

}  // namespace convoy::amdgpu
