// The last rung: every problem, every layout and stride, sums in double, cannot fail but for memory. The
// three directions are one matrix product C[M,N] = A[M,K] * B[K,N] whose operands are gathered block by
// block, so that the arithmetic is a dense loop over doubles; only the gathers know about convolution:
//   fwd  M = k, N = output points, K = c * taps      bwd  M = c, N = input points, K = k * taps
//   wrw  M = k, N = c * taps,      K = n * output points
#include <algorithm>
#include <atomic>
#include <new>
#include <vector>

#include "base/parallel.h"
#include "solvers/element.h"
#include "solvers/geometry.h"
#include "solvers/host_tensors.h"
#include "solvers/solver.h"

namespace convoy {
namespace {

constexpr std::int64_t k_columns = 128;  // of B and C in one work item
constexpr std::int64_t k_rows = 256;     // of A and C in one work item
constexpr std::int64_t k_depth = 256;    // of A and B in one step
constexpr std::int64_t k_tile_rows = 4;  // of C held in registers
constexpr std::int64_t k_tile_columns = 16;

using Vector = double __attribute__((vector_size(64)));

// c[rows x k_columns] += a[rows x depth] * b[depth x k_columns]; rows is a multiple of k_tile_rows.
inline __attribute__((always_inline)) void multiply_tiles(std::int64_t rows, std::int64_t depth, const double* a,
                                                          const double* b, double* c) {
  for (std::int64_t row = 0; row < rows; row += k_tile_rows) {
    for (std::int64_t column = 0; column < k_columns; column += k_tile_columns) {
      Vector sum[k_tile_rows][2];
      for (std::int64_t i = 0; i < k_tile_rows; ++i) {
        __builtin_memcpy(sum[i], c + (row + i) * k_columns + column, sizeof sum[i]);
      }
      for (std::int64_t d = 0; d < depth; ++d) {
        Vector right[2];
        __builtin_memcpy(right, b + d * k_columns + column, sizeof right);
        for (std::int64_t i = 0; i < k_tile_rows; ++i) {
          const double left = a[(row + i) * k_depth + d];
          sum[i][0] += left * right[0];
          sum[i][1] += left * right[1];
        }
      }
      for (std::int64_t i = 0; i < k_tile_rows; ++i) {
        __builtin_memcpy(c + (row + i) * k_columns + column, sum[i], sizeof sum[i]);
      }
    }
  }
}

using MultiplyFunction = void (*)(std::int64_t, std::int64_t, const double*, const double*, double*);

void multiply_plain(std::int64_t rows, std::int64_t depth, const double* a, const double* b, double* c) {
  multiply_tiles(rows, depth, a, b, c);
}

#if defined(__x86_64__)
__attribute__((target("avx512f,fma"))) void multiply_avx512(std::int64_t rows, std::int64_t depth, const double* a,
                                                            const double* b, double* c) {
  multiply_tiles(rows, depth, a, b, c);
}
__attribute__((target("avx2,fma"))) void multiply_avx2(std::int64_t rows, std::int64_t depth, const double* a,
                                                       const double* b, double* c) {
  multiply_tiles(rows, depth, a, b, c);
}
#endif

MultiplyFunction pick_multiply() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return multiply_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return multiply_avx2;
#endif
  return multiply_plain;
}

// The matrix product that a geometry amounts to, for one group; images are separate products except in wrw.
struct Product {
  std::int64_t rows, columns, depth, images;
};

Product product_of(const Geometry& g) {
  switch (g.direction) {
    case Direction::forward: return {g.k, g.out_points(), g.c * g.filter_points(), g.n};
    case Direction::backward_data: return {g.c, g.in_points(), g.k * g.filter_points(), g.n};
    case Direction::backward_weights: return {g.k, g.c * g.filter_points(), g.n * g.out_points(), 1};
  }
  return {};
}

// One work item: a block of rows and columns of one product.
struct Block {
  std::int64_t image, group, row, rows, column, columns;
};

// Gathers operands and scatters results for one direction.
class Gather {
 public:
  Gather(const Geometry& geometry, const Tensors& tensors) : g_(geometry), t_(tensors) {}

  // Fills one row of an A block: columns [begin, begin + length) of the product's depth.
  void a_row(const Block& block, std::int64_t row, std::int64_t begin, std::int64_t length, double* target) const {
    if (g_.direction == Direction::backward_weights) return a_outputs(block.group * g_.k + row, begin, length, target);
    for (std::int64_t i = 0; i < length; ++i) {
      const Spatial tap = unflatten((begin + i) % g_.filter_points(), g_.filter);
      const std::int64_t channel = (begin + i) / g_.filter_points();
      const bool forward = g_.direction == Direction::forward;
      const std::int64_t k = block.group * g_.k + (forward ? row : channel);
      const std::int64_t c = forward ? channel : row;
      target[i] = load_element(t_.w, g_.dtype, k * g_.w[0] + c * g_.w[1] + offset_of(tap, g_.w));
    }
  }

  // Fills one row of a B block: `depth` fixed, columns of the block.
  void b_row(const Block& block, std::int64_t depth, double* row) const {
    switch (g_.direction) {
      case Direction::forward: return b_forward(block, depth, row);
      case Direction::backward_data: return b_backward_data(block, depth, row);
      case Direction::backward_weights: return b_backward_weights(block, depth, row);
    }
  }

  void store(const Block& block, std::int64_t row, std::int64_t column, double value) const {
    switch (g_.direction) {
      case Direction::forward:
        return store_element(
            t_.y, g_.output_dtype,
            block.image * g_.y[0] + (block.group * g_.k + row) * g_.y[1] + offset_of(unflatten(column, g_.out), g_.y),
            value);
      case Direction::backward_data:
        return store_element(
            t_.x, g_.output_dtype,
            block.image * g_.x[0] + (block.group * g_.c + row) * g_.x[1] + offset_of(unflatten(column, g_.in), g_.x),
            value);
      case Direction::backward_weights:
        return store_element(t_.w, g_.output_dtype,
                             (block.group * g_.k + row) * g_.w[0] + column / g_.filter_points() * g_.w[1] +
                                 offset_of(unflatten(column % g_.filter_points(), g_.filter), g_.w),
                             value);
    }
  }

 private:
  // wrw: outputs of channel k, which the depth counts image by image; rows of y are contiguous.
  void a_outputs(std::int64_t k, std::int64_t begin, std::int64_t length, double* target) const {
    for (std::int64_t i = 0; i < length;) {
      const std::int64_t n = (begin + i) / g_.out_points();
      const Spatial out = unflatten((begin + i) % g_.out_points(), g_.out);
      const std::int64_t run = std::min(length - i, g_.out[2] - out[2]);
      load_row(t_.y, g_.dtype, n * g_.y[0] + k * g_.y[1] + offset_of(out, g_.y), g_.y[4], run, target + i);
      i += run;
    }
  }

  // Columns are output points: runs along w read every stride[2]-th input, zeros in the padding.
  void b_forward(const Block& block, std::int64_t depth, double* row) const {
    const Spatial tap = unflatten(depth % g_.filter_points(), g_.filter);
    const std::int64_t base = block.image * g_.x[0] + (block.group * g_.c + depth / g_.filter_points()) * g_.x[1];
    std::fill(row, row + block.columns, 0.0);
    for (std::int64_t i = 0; i < block.columns;) {
      const Spatial out = unflatten(block.column + i, g_.out);
      const std::int64_t run = std::min(block.columns - i, g_.out[2] - out[2]);
      const std::int64_t d = out[0] * g_.stride[0] - g_.pad[0] + tap[0] * g_.dilation[0];
      const std::int64_t h = out[1] * g_.stride[1] - g_.pad[1] + tap[1] * g_.dilation[1];
      const std::int64_t w = out[2] * g_.stride[2] - g_.pad[2] + tap[2] * g_.dilation[2];
      if (d >= 0 && d < g_.in[0] && h >= 0 && h < g_.in[1] && w < g_.in[2]) {
        const std::int64_t first = w < 0 ? (-w - 1) / g_.stride[2] + 1 : 0;
        const std::int64_t end = std::min(run, (g_.in[2] - w - 1) / g_.stride[2] + 1);
        const Spatial at{d, h, w + first * g_.stride[2]};
        load_row(t_.x, g_.dtype, base + offset_of(at, g_.x), g_.stride[2] * g_.x[4], end - first, row + i + first);
      }
      i += run;
    }
  }

  // Columns are input points: under a stride only every stride[2]-th of a run has an output.
  void b_backward_data(const Block& block, std::int64_t depth, double* row) const {
    const Spatial tap = unflatten(depth % g_.filter_points(), g_.filter);
    const std::int64_t base = block.image * g_.y[0] + (block.group * g_.k + depth / g_.filter_points()) * g_.y[1];
    std::fill(row, row + block.columns, 0.0);
    for (std::int64_t i = 0; i < block.columns;) {
      Spatial in = unflatten(block.column + i, g_.in);
      const std::int64_t run = std::min(block.columns - i, g_.in[2] - in[2]);
      // The first input of the run that is at or past the first output, and on the stride's grid.
      const std::int64_t shifted = in[2] + g_.pad[2] - tap[2] * g_.dilation[2];
      const std::int64_t skip = shifted < 0 ? -shifted : (g_.stride[2] - shifted % g_.stride[2]) % g_.stride[2];
      in[2] += skip;
      Spatial at;
      if (skip < run && output_position(g_, in, tap, at)) {
        const std::int64_t count = std::min((run - skip - 1) / g_.stride[2] + 1, g_.out[2] - at[2]);
        load_row(t_.y, g_.dtype, base + offset_of(at, g_.y), g_.y[4], count, row + i + skip, g_.stride[2]);
      }
      i += run;
    }
  }

  void b_backward_weights(const Block& block, std::int64_t depth, double* row) const {
    const std::int64_t n = depth / g_.out_points();
    const Spatial out = unflatten(depth % g_.out_points(), g_.out);
    for (std::int64_t i = 0; i < block.columns; ++i) {
      const std::int64_t column = block.column + i;
      const std::int64_t c = block.group * g_.c + column / g_.filter_points();
      Spatial at;
      const bool inside = input_position(g_, out, unflatten(column % g_.filter_points(), g_.filter), at);
      row[i] = inside ? load_element(t_.x, g_.dtype, n * g_.x[0] + c * g_.x[1] + offset_of(at, g_.x)) : 0;
    }
  }

  const Geometry& g_;
  const Tensors& t_;
};

void compute_block(const Gather& gather, const Block& block, std::int64_t depth, MultiplyFunction multiply) {
  const std::int64_t padded_rows = (block.rows + k_tile_rows - 1) / k_tile_rows * k_tile_rows;
  std::vector<double> a(static_cast<std::size_t>(padded_rows * k_depth));
  std::vector<double> b(static_cast<std::size_t>(k_depth * k_columns));
  std::vector<double> c(static_cast<std::size_t>(padded_rows * k_columns));
  for (std::int64_t begin = 0; begin < depth; begin += k_depth) {
    const std::int64_t length = std::min(k_depth, depth - begin);
    for (std::int64_t d = 0; d < length; ++d) gather.b_row(block, begin + d, b.data() + d * k_columns);
    for (std::int64_t row = 0; row < block.rows; ++row) {
      gather.a_row(block, block.row + row, begin, length, a.data() + row * k_depth);
    }
    multiply(padded_rows, length, a.data(), b.data(), c.data());
  }
  for (std::int64_t row = 0; row < block.rows; ++row) {
    for (std::int64_t column = 0; column < block.columns; ++column) {
      gather.store(block, block.row + row, block.column + column,
                   c[static_cast<std::size_t>(row * k_columns + column)]);
    }
  }
}

class ReferencePlan final : public Plan {
 public:
  ReferencePlan(const Problem& problem, int threads)
      : problem_(problem), geometry_(geometry_of(problem)), threads_(threads) {}

  std::int64_t workspace_bytes() const override { return 0; }
  Algorithm algorithm() const override { return Algorithm::direct; }
  std::string_view detail() const override { return "double accumulation"; }

  Result<void> run(const Tensors& tensors, void*) const override {
    static const MultiplyFunction multiply = pick_multiply();
    const Product product = product_of(geometry_);
    const std::int64_t row_blocks = (product.rows - 1) / k_rows + 1;
    const std::int64_t column_blocks = (product.columns - 1) / k_columns + 1;
    const std::int64_t items = product.images * geometry_.groups * row_blocks * column_blocks;
    const Gather gather(geometry_, tensors);
    std::atomic<bool> starved{false};  // a thread found no memory for its blocks
    parallel_for(items, 1, threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end && !starved; ++item) {
        Block block{};
        block.column = item % column_blocks * k_columns;
        block.row = item / column_blocks % row_blocks * k_rows;
        block.group = item / column_blocks / row_blocks % geometry_.groups;
        block.image = item / column_blocks / row_blocks / geometry_.groups;
        block.columns = std::min(k_columns, product.columns - block.column);
        block.rows = std::min(k_rows, product.rows - block.row);
        try {
          compute_block(gather, block, product.depth, multiply);
        } catch (const std::bad_alloc&) {
          starved = true;
        }
      }
    });
    if (starved) return fail(ErrorCode::out_of_memory, "the host has no memory left for blocks of 1 MiB");
    if (tensors.bias != nullptr) add_bias(problem_, tensors, threads_);
    return {};
  }

 private:
  Problem problem_;
  Geometry geometry_;
  int threads_;
};

class ReferenceSolver final : public Solver {
 public:
  std::string_view id() const override { return "reference"; }
  Tier tier(const Device&) const override { return Tier::reference; }
  std::string library() const override { return "convoy"; }

  Fit fits(const Problem&, const Device&) const override { return Fit::yes(); }

  std::vector<std::string> choices(const Problem&, const Device&, const PlanOptions&) const override { return {""}; }

  // Ignores PlanOptions::allowed: the last rung is there whatever was switched off.
  Result<std::unique_ptr<Plan>> plan(const Problem& problem, Device& device,
                                     const PlanOptions& options) const override {
    if (!device.host_accessible()) return plan_on_host(*this, problem, device, options);
    return std::make_unique<ReferencePlan>(problem, options.threads);
  }
};

}  // namespace

const Solver& reference_solver() {
  static const ReferenceSolver solver;
  return solver;
}

}  // namespace convoy
