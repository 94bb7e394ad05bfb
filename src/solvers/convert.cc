// Implementation of convert.h. Dimensions that lie back to back in both tensors are merged, so that a packed
// tensor is one row; rows are cut into pieces for the threads.
#include "solvers/convert.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/parallel.h"

namespace convoy {
namespace {

using Sizes = std::array<std::int64_t, 5>;
using RowFunction = void (*)(const void* from, std::int64_t from_stride, void* to, std::int64_t to_stride,
                             std::int64_t count);

template <typename From, typename To, To (*convert)(From)>
void convert_row(const void* from, std::int64_t from_stride, void* to, std::int64_t to_stride, std::int64_t count) {
  const From* source = static_cast<const From*>(from);
  To* target = static_cast<To*>(to);
  for (std::int64_t i = 0; i < count; ++i) target[i * to_stride] = convert(source[i * from_stride]);
}

#if defined(__x86_64__)
__attribute__((target("avx,f16c"))) void row_f16_to_f32(const void* from, std::int64_t from_stride, void* to,
                                                        std::int64_t to_stride, std::int64_t count) {
  const auto* source = static_cast<const std::uint16_t*>(from);
  auto* target = static_cast<float*>(to);
  std::int64_t i = 0;
  if (from_stride == 1 && to_stride == 1) {
    for (; i + 8 <= count; i += 8) {
      __m128i half;
      std::memcpy(&half, source + i, sizeof half);
      _mm256_storeu_ps(target + i, _mm256_cvtph_ps(half));
    }
  }
  convert_row<std::uint16_t, float, float_from_f16>(source + i * from_stride, from_stride, target + i * to_stride,
                                                    to_stride, count - i);
}

__attribute__((target("avx,f16c"))) void row_f32_to_f16(const void* from, std::int64_t from_stride, void* to,
                                                        std::int64_t to_stride, std::int64_t count) {
  const auto* source = static_cast<const float*>(from);
  auto* target = static_cast<std::uint16_t*>(to);
  std::int64_t i = 0;
  if (from_stride == 1 && to_stride == 1) {
    for (; i + 8 <= count; i += 8) {
      const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(source + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      std::memcpy(target + i, &half, sizeof half);
    }
  }
  convert_row<float, std::uint16_t, f16_from_float>(source + i * from_stride, from_stride, target + i * to_stride,
                                                    to_stride, count - i);
}
#endif

std::uint32_t same(std::uint32_t bits) {
  return bits;
}

RowFunction row_function(Dtype from, Dtype to) {
#if defined(__x86_64__)
  // Every processor with AVX2 has F16C, a name that clang 14 does not know here.
  static const bool f16c = __builtin_cpu_supports("avx2");
  if (f16c && from == Dtype::f16) return row_f16_to_f32;
  if (f16c && to == Dtype::f16) return row_f32_to_f16;
#endif
  if (from == Dtype::f16) return convert_row<std::uint16_t, float, float_from_f16>;
  if (from == Dtype::bf16) return convert_row<std::uint16_t, float, float_from_bf16>;
  if (to == Dtype::f16) return convert_row<float, std::uint16_t, f16_from_float>;
  if (to == Dtype::bf16) return convert_row<float, std::uint16_t, bf16_from_float>;
  return convert_row<std::uint32_t, std::uint32_t, same>;
}

// Dimension numbers, outermost in memory first.
std::array<std::size_t, 5> memory_order(const Sizes& sizes, const Sizes& strides) {
  std::array<std::size_t, 5> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    // Dimensions of size 1 have meaningless strides; outermost they do not break runs.
    const bool a_trivial = sizes[a] == 1, b_trivial = sizes[b] == 1;
    if (a_trivial != b_trivial) return a_trivial;
    return strides[a] > strides[b];
  });
  return order;
}

struct Loop {
  std::int64_t size, from, to;
};

// The loops of a copy, outermost first, with neighbours merged where both tensors allow it.
std::array<Loop, 5> merged_loops(const Sizes& sizes, const Sizes& from, const Sizes& to) {
  std::array<Loop, 5> loops{};
  std::size_t used = loops.size();
  const auto order = memory_order(sizes, to);
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::size_t dim = order[i];
    if (sizes[dim] == 1) continue;
    if (used < loops.size() && loops[used].from * loops[used].size == from[dim] &&
        loops[used].to * loops[used].size == to[dim]) {
      loops[used].size *= sizes[dim];
      continue;
    }
    loops[--used] = {sizes[dim], from[dim], to[dim]};
  }
  if (used == loops.size()) loops[--used] = {1, 1, 1};
  std::fill(loops.begin(), loops.begin() + static_cast<std::ptrdiff_t>(used), Loop{1, 0, 0});
  return loops;
}

}  // namespace

void convert_block(const Sizes& sizes, const TensorBlock& from, const TensorBlock& to, int threads) {
  const auto loops = merged_loops(sizes, from.strides, to.strides);
  const RowFunction convert = row_function(from.dtype, to.dtype);
  const std::int64_t from_size = size_of(from.dtype), to_size = size_of(to.dtype);
  // The innermost loop is cut too, since a packed tensor is nothing but one row.
  constexpr std::int64_t k_piece = 1 << 16;
  const Loop& row = loops[4];
  const std::int64_t pieces_per_row = (row.size - 1) / k_piece + 1;
  const std::int64_t rows = loops[0].size * loops[1].size * loops[2].size * loops[3].size;
  const std::int64_t grain = std::max<std::int64_t>(1, k_piece / row.size);
  parallel_for(rows * pieces_per_row, grain, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::int64_t start = piece % pieces_per_row * k_piece;
      std::int64_t rest = piece / pieces_per_row;
      std::int64_t from_offset = start * row.from, to_offset = start * row.to;
      for (std::size_t i = 4; i-- > 0;) {
        from_offset += rest % loops[i].size * loops[i].from;
        to_offset += rest % loops[i].size * loops[i].to;
        rest /= loops[i].size;
      }
      convert(static_cast<const char*>(from.data) + from_offset * from_size, row.from,
              static_cast<char*>(to.data) + to_offset * to_size, row.to, std::min(k_piece, row.size - start));
    }
  });
}

void add_array(Dtype dtype, std::int64_t count, const void* addend, void* sum, int threads) {
  parallel_for(count, 1 << 16, threads, [&](std::int64_t begin, std::int64_t end) {
    if (dtype == Dtype::i32) {
      // Unsigned, so that an overflowing sum wraps instead of being undefined.
      const auto* source = static_cast<const std::uint32_t*>(addend);
      auto* target = static_cast<std::uint32_t*>(sum);
      for (std::int64_t i = begin; i < end; ++i) target[i] += source[i];
    } else {
      const auto* source = static_cast<const float*>(addend);
      auto* target = static_cast<float*>(sum);
      for (std::int64_t i = begin; i < end; ++i) target[i] += source[i];
    }
  });
}

std::array<std::int64_t, 5> dense_strides(const Sizes& sizes, const Sizes& like) {
  const auto order = memory_order(sizes, like);
  Sizes strides{};
  std::int64_t step = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = step;
    step *= sizes[order[i]];
  }
  return strides;
}

}  // namespace convoy
