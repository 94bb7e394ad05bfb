// Right numbers: random inputs, the tolerance that a correct convolution meets, and checks of an output
// against it.
//
// The error of one element is |got - want| / size, where want is summed in double and
//   size = max(|want|, |want - bias|, sqrt(sum of squares of the products)):
// whoever adds the bias to a rounded sum has rounded that sum.
// Rounding after each of L additions leaves an error that grows like sqrt(L) units of the accumulator's
// precision, for sums that wander (random signs: size is the root of the square sum) as for sums that grow
// (one sign: size is |want|). So
//   tolerance = 2 u(output type) + (16 + 8 sqrt(L)) u(float),  u(t) = half a unit in the last place of 1,
// where 16 covers the transforms of Winograd F(4x4) and 8 their growth.
// Integers are exact. A missing product among L changes the result by about size / sqrt(L), which is far
// above that for any L below 10^6.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "problem/problem.h"
#include "solvers/solver.h"

namespace convoy {

double tolerance_of(const Problem& problem);

// Fills `count` elements with random non-zero values: floats of either sign between 1/8 and 1, integers over
// their whole range. Element i depends on (seed, i) alone.
void fill_random(void* data, Dtype dtype, std::int64_t count, std::uint64_t seed, int threads = 0);

// Makes every byte 0xff (NaN; -1 for integers), so that what a solver leaves out shows.
void fill_poison(void* data, std::int64_t bytes);
// The same for the elements of a problem's output tensor on a device; the gaps that strides leave stay as they are. On a GPU
// it may be queued only.
Result<void> poison_output(const Problem& problem, Device& device, const Tensors& tensors);

// The tensor that a problem computes.
void* output_of(const Problem& problem, const Tensors& tensors);

// Tensors of a problem on a device: inputs random, output poisoned.
struct RandomTensors {
  std::array<DeviceBuffer, 3> buffers;
  Tensors tensors;
};
Result<RandomTensors> make_random_tensors(const Problem& problem, Device& device, std::uint64_t seed, int threads = 0);

struct NumbersCheck {
  bool passed = true;
  double error = 0;  // the largest seen; infinity for NaN or infinity where a number belongs
  double tolerance = 0;
  std::int64_t compared = 0;
  // False when the data could not have told right from wrong: only zeros belong in the elements compared (a layer that starts
  // at zero), sums so large that rounding inside a solver may overflow, or an input that is not finite where elements differ
  // (padding times infinity, or a block with a NaN in it, spreads as each solver's order of work has it).
  bool telling = false;
  std::string reason;  // of a failure: which element, got, want
};

// For others' arithmetic, of which the caller knows that it is coarser than a sum of rounded products.
struct Leniency {
  double allowance = 0;  // added to the tolerance
  // Errors are measured by the size that elements of this tensor have in the mean, where their own is less: Winograd's and
  // Fourier's transforms carry rounding from one element to its neighbours, also to those where nothing belongs.
  bool common_size = false;
};

// The checks below read tensors on the host (host_tensors.h); a bias counts.
//
// Compares about `samples` elements of the output, spread over it with its first and last, with their
// definition. `problem` must be ordinary (lowered()). Samples get fewer where one costs much (wrw of large
// images): about 10^9 products.
NumbersCheck check_sampled(const Problem& problem, const Tensors& tensors, int samples, std::uint64_t seed,
                           const Leniency& leniency = {});

// Compares every element with `expected`, a second output tensor of the same strides computed by the
// reference solver.
NumbersCheck check_full(const Problem& problem, const Tensors& tensors, const void* expected,
                        const Leniency& leniency = {});

// The same, with what the reference solver computes here, on all threads. An Error where there is no memory for a second
// output.
Result<NumbersCheck> check_with_reference(const Problem& problem, const Tensors& tensors, const Leniency& leniency = {});

}  // namespace convoy
