// Functions of floats that instructions on several formats share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "number.h"

namespace convoy::amdgpu {

inline float median(float a, float b, float c) {
  if (a != a || b != b || c != c) return number_min(number_min(a, b), c);
  return number_max(number_min(a, b), number_min(number_max(a, b), c));
}

template <typename T>
bool is_special(T value) {
  return std::isinf(value) || value != value;
}
template <typename T>
T fraction_of(T value) {
  int exponent = 0;
  return is_special(value) ? value : std::frexp(value, &exponent);
}
template <typename T>
int32_t exponent_of(T value) {
  int exponent = 0;
  if (!is_special(value) && value != 0) std::frexp(value, &exponent);
  return exponent;
}

inline float fraction_above_floor(float value) {
  return std::min(value - std::floor(value), 0x1.fffffep-1F);
}

// Angles are in turns.
constexpr double k_two_pi = 6.283185307179586;
inline float sine_of_turns(float turns) {
  return static_cast<float>(std::sin(k_two_pi * static_cast<double>(turns)));
}
inline float cosine_of_turns(float turns) {
  return static_cast<float>(std::cos(k_two_pi * static_cast<double>(turns)));
}

}  // namespace convoy::amdgpu
