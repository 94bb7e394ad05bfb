// Multiply-adds of halves, fused and not.
#pragma once

#include "number.h"

namespace convoy::amdgpu {

// The product of two halves is exact in double, the sum close enough that rounding it to a half is rounding once.
inline F16 fused(F16 a, F16 b, F16 c) {
  const auto wide = [](F16 x) { return static_cast<double>(static_cast<float>(x)); };
  return wide(a) * wide(b) + wide(c);
}
inline F16 rounded_twice(F16 a, F16 b, F16 c) {
  return float{F16(float{a} * float{b})} + float{c};
}

}  // namespace convoy::amdgpu
