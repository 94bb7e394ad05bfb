// One oneDNN convolution compiled for a part of a problem: some images, some groups, some channels. The whole
// problem is one piece unless memory or index ranges force smaller ones (onednn.cc decides).
//
// Each tensor passes up to two steps between the user's memory and the primitive: a conversion to float where
// oneDNN does not compute in the type ("stage"), and a reorder to the memory format that the primitive asked
// for. Both live in the workspace, at offsets fixed here.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "solvers/geometry.h"
#include "solvers/onednn_primitive.h"

namespace convoy {

struct PieceOptions {
  int rank = 2;
  AlgorithmSet allowed = k_all_algorithms;
  bool any_algorithm = true;  // else exactly `algorithm`
  Algorithm algorithm = Algorithm::direct;
  // The output is a partial sum: written dense, in f32 (i32 for i8), for the caller to add up.
  bool partial_sum = false;
  int threads = 0;
};

class OnednnPiece {
 public:
  // `geometry` has the piece's sizes and the whole problem's strides.
  static Result<std::unique_ptr<OnednnPiece>> create(const Geometry& geometry, const PieceOptions& options);
  // The families that have an implementation for this geometry, oneDNN's own first choice first.
  static std::vector<Algorithm> families(const Geometry& geometry, int rank, int threads);
  ~OnednnPiece();

  std::int64_t workspace_bytes() const { return workspace_bytes_; }
  Algorithm algorithm() const { return algorithm_; }
  const std::string& implementation() const { return implementation_; }
  // Elements of the dense output of a partial sum, and their strides.
  std::int64_t output_elements() const { return output_elements_; }
  const std::array<std::int64_t, 5>& output_sizes() const { return tensors_[2].sizes; }
  const std::array<std::int64_t, 5>& output_strides() const { return tensors_[2].user_strides; }

  // first, second: the input tensors in the order x, w, y; output: the third. Pointers to the piece's first
  // elements.
  Result<void> run(void* first, void* second, void* output, void* workspace) const;

 private:
  struct Execution;
  struct Tensor {
    std::array<std::int64_t, 5> sizes{};  // n c d h w, k c t r s (k over all groups), n k d h w
    std::array<std::int64_t, 5> user_strides{};
    Dtype user_dtype = Dtype::f32;
    bool staged = false;
    std::array<std::int64_t, 5> stage_strides{};
    std::int64_t stage_offset = 0;
    dnnl::memory::desc plain;      // what the reorder (or the primitive) sees on our side
    dnnl::memory::desc primitive;  // what the primitive wants
    bool reordered = false;
    std::int64_t reorder_offset = 0;
    dnnl::primitive reorder;
  };

  OnednnPiece() = default;
  void describe(const Geometry& geometry, const PieceOptions& options);
  bool pick_primitive(const Geometry& geometry, const PieceOptions& options, bool staged);
  void finish();
  std::unique_ptr<Execution> take_execution() const;
  void move_in(Execution& execution, std::size_t index, char* workspace) const;

  std::array<Tensor, 3> tensors_;  // two inputs, then the output
  int rank_ = 2;
  int threads_ = 0;
  Direction direction_ = Direction::forward;
  dnnl::primitive convolution_;
  std::int64_t scratchpad_offset_ = 0;
  dnnl::memory::desc scratchpad_;
  std::int64_t workspace_bytes_ = 0;
  std::int64_t output_elements_ = 0;
  Algorithm algorithm_ = Algorithm::direct;
  std::string implementation_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Execution>> idle_;  // one per thread that has run at the same time
};

}  // namespace convoy
