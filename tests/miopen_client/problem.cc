// Shapes, strides and the text form of a problem.
#include "problem.h"

#include <algorithm>
#include <cstdlib>
#include <regex>

namespace convoy::client {
namespace {

TensorShape packed(std::vector<int> sizes, bool channels_last) {
  TensorShape shape{std::move(sizes), {}};
  const int dimensions = static_cast<int>(shape.sizes.size());
  shape.strides.resize(shape.sizes.size());
  int stride = 1;
  const auto place = [&](int axis) {
    shape.strides[axis] = stride;
    stride *= std::max(shape.sizes[axis], 1);
  };
  if (channels_last) place(1);
  for (int axis = dimensions - 1; axis > 1; --axis) place(axis);
  if (!channels_last) place(1);
  place(0);
  return shape;
}

std::vector<int> joined(int first, int second, const std::vector<int>& spatial) {
  std::vector<int> sizes{first, second};
  sizes.insert(sizes.end(), spatial.begin(), spatial.end());
  return sizes;
}

// "1x2" into the last two of three. False when there are not as many as the problem has.
bool read_spatial(const std::string& text, int rank, Problem::Spatial& spatial) {
  if (text.empty()) return true;
  if (std::count(text.begin(), text.end(), 'x') != rank - 1) return false;
  const char* at = text.c_str();
  for (int axis = 3 - rank; axis < 3; ++axis) {
    char* end = nullptr;
    spatial[axis] = static_cast<int>(std::strtol(at, &end, 10));
    at = end + 1;
  }
  return true;
}

bool sensible(const Problem& problem) {
  for (int axis = 0; axis < 3; ++axis) {
    if (problem.stride[axis] < 1 || problem.dilation[axis] < 1 || problem.filter[axis] < 1) return false;
    if (problem.in[axis] + 2 * problem.pad[axis] < (problem.filter[axis] - 1) * problem.dilation[axis] + 1)
      return false;
  }
  if (problem.n < 1 || problem.c < 1 || problem.k < 1) return false;
  return problem.groups > 0 && problem.c % problem.groups == 0 && problem.k % problem.groups == 0;
}

std::string crossed(const std::vector<int>& values) {
  std::string text;
  for (int value : values) {
    if (!text.empty()) text += 'x';
    text += std::to_string(value);
  }
  return text;
}

// sizes with the letters of their axes: "h9w11"
std::string lettered(const std::vector<int>& sizes, const char* letters) {
  std::string text;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    text += letters[3 - sizes.size() + i];
    text += std::to_string(sizes[i]);
  }
  return text;
}

}  // namespace

std::size_t TensorShape::elements() const {
  std::size_t count = 1;
  for (int size : sizes) count *= static_cast<std::size_t>(size);
  return count;
}

std::array<std::int64_t, 5> TensorShape::strides_of_five() const {
  std::array<std::int64_t, 5> five{strides[0], strides[1], 0, 0, 0};
  std::copy_backward(strides.begin() + 2, strides.end(), five.end());
  return five;
}

TensorShape Problem::x() const {
  return packed(joined(n, c, counted(in)), channels_last);
}
TensorShape Problem::w() const {
  return packed(joined(k, c / groups, counted(filter)), channels_last);
}
TensorShape Problem::y() const {
  return packed(joined(n, k, counted({out(0), out(1), out(2)})), channels_last);
}

TensorShape Problem::output(Direction direction) const {
  return direction == Direction::forward ? y() : direction == Direction::backward_data ? x() : w();
}

Problem Problem::with_height() const {
  Problem wider = *this;
  wider.rank = std::max(rank, 2);
  return wider;
}

Problem Problem::with_width() const {
  Problem wider = with_height();
  if (rank > 1) return wider;
  for (Spatial* spatial : {&wider.in, &wider.filter, &wider.pad, &wider.stride, &wider.dilation})
    std::swap((*spatial)[1], (*spatial)[2]);
  return wider;
}

std::optional<Problem> parse_problem(const std::string& text) {
  static const std::regex form(
      "n(\\d+)c(\\d+)(?:d(\\d+))?(?:h(\\d+))?w(\\d+):k(\\d+)(?:t(\\d+))?(?:r(\\d+))?s(\\d+)"
      "(?::pad([0-9x]+))?(?::stride([0-9x]+))?(?::dil([0-9x]+))?(?::g(\\d+))?");
  std::smatch parts;
  if (text.size() > 200 || !std::regex_match(text, parts, form)) return std::nullopt;
  const auto number = [&](int part) { return parts[part].matched ? std::atoi(parts[part].str().c_str()) : 1; };
  Problem problem;
  problem.rank = 1 + parts[4].matched + parts[3].matched;
  if (parts[3].matched != parts[7].matched || parts[4].matched != parts[8].matched) return std::nullopt;
  problem.n = number(1);
  problem.c = number(2);
  problem.in = {number(3), number(4), number(5)};
  problem.k = number(6);
  problem.filter = {number(7), number(8), number(9)};
  problem.groups = number(13);
  if (!read_spatial(parts[10], problem.rank, problem.pad) || !read_spatial(parts[11], problem.rank, problem.stride) ||
      !read_spatial(parts[12], problem.rank, problem.dilation) || !sensible(problem))
    return std::nullopt;
  return problem;
}

const char* to_text(Direction direction) {
  return direction == Direction::forward ? "fwd" : direction == Direction::backward_data ? "bwd" : "wrw";
}

std::string to_text(const Problem& problem, Direction direction) {
  static constexpr const char* k_layouts[2][3] = {{"ncw", "nchw", "ncdhw"}, {"nwc", "nhwc", "ndhwc"}};
  const char* dtype = problem.dtype == miopen::k_half ? "f16" : problem.dtype == miopen::k_bfloat16 ? "bf16" : "f32";
  return std::string(to_text(direction)) + ":" + dtype + ":" + k_layouts[problem.channels_last][problem.rank - 1] +
         ":n" + std::to_string(problem.n) + "c" + std::to_string(problem.c) +
         lettered(problem.counted(problem.in), "dhw") + ":k" + std::to_string(problem.k) +
         lettered(problem.counted(problem.filter), "trs") + ":pad" + crossed(problem.counted(problem.pad)) + ":stride" +
         crossed(problem.counted(problem.stride)) + ":dil" + crossed(problem.counted(problem.dilation)) + ":g" +
         std::to_string(problem.groups);
}

}  // namespace convoy::client
