// What MIOpenDriver would run for the flags it is given, and the way back: to_driver_line(). Where the driver
// silently does something else than the line says (rounds asymmetric padding off, drops an int8 gradient)
// this is an error with the cure.
#include "problem/driver_problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "problem/printable.h"

namespace convoy {
namespace {

struct Verb {
  std::string_view name;
  std::optional<Dtype> dtype;  // empty: refused
};
constexpr Verb k_verbs[] = {{"conv", Dtype::f32},    {"convfp16", Dtype::f16},  {"convbfp16", Dtype::bf16},
                            {"convint8", Dtype::i8}, {"convfp8", std::nullopt}, {"convbfp8", std::nullopt}};

const Verb* find_verb(std::string_view name) {
  const auto* const row =
      std::find_if(std::begin(k_verbs), std::end(k_verbs), [&](const Verb& verb) { return verb.name == name; });
  return row == std::end(k_verbs) ? nullptr : row;
}

// The letters of the spatial flags, d h w. A 2-D problem leaves the first out.
constexpr std::string_view k_in = "!HW", k_filter = "@yx", k_pad = "$pq", k_stride = "#uv", k_dilation = "^lj",
                           k_output_pad = "%YX";

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::invalid_argument, std::move(message));
}

bool all_one(const Spatial& numbers, int rank) {
  return std::all_of(numbers.begin(), numbers.begin() + rank, [](std::int64_t number) { return number == 1; });
}

class Reader {
 public:
  Reader(std::string_view verb, const DriverValues& values) : verb_(verb), values_(values) {}

  // Everything but the direction; valid as a forward problem.
  Result<Problem> read_shape();
  Result<std::vector<Direction>> read_directions();
  const std::string& token() const { return token_; }  // what was being read when an error arose

 private:
  void look_at(char letter) { token_ = fmt::format("-{} {}", letter, printable(values_.word(letter))); }
  Result<Dtype> read_dtype();
  Result<int> read_rank();
  Result<bool> read_transposed();
  Result<Layout> read_layout(char letter, int rank);
  Spatial read_spatial(std::string_view letters, int rank) const;
  Result<void> apply_pad_mode(Problem& p);
  Result<void> apply_layouts(Problem& p);

  std::string_view verb_;
  const DriverValues& values_;
  std::string token_;
};

Result<Dtype> Reader::read_dtype() {
  token_ = printable(verb_);
  const Verb* const verb = find_verb(verb_);
  if (verb == nullptr) return invalid("unknown command: use conv, convfp16, convbfp16 or convint8");
  if (!verb->dtype) return fail(ErrorCode::unsupported, "fp8 is not supported: use convfp16 or convbfp16");
  return *verb->dtype;
}

Result<int> Reader::read_rank() {
  const std::int64_t rank = values_.number('_');
  token_ = fmt::format("--spatial_dim {}", rank);
  if (rank == 2 || rank == 3) return static_cast<int>(rank);
  return invalid("MIOpenDriver knows 2 and 3: write a 1-D problem as 2-D with -H 1 -y 1 -p 0");
}

Result<bool> Reader::read_transposed() {
  look_at('m');
  const std::string_view mode = values_.word('m');
  if (mode != "conv" && mode != "trans") return invalid("the mode is conv or trans");
  return mode == "trans";
}

Result<std::vector<Direction>> Reader::read_directions() {
  look_at('F');
  const std::int64_t sum = values_.number('F');
  if (sum < 0 || sum > 7) return invalid("the directions are a sum of 1, 2 and 4, or 0 for all");
  std::vector<Direction> result;
  if (sum == 0 || (sum & 1) != 0) result.push_back(Direction::forward);
  if (sum == 0 || (sum & 2) != 0) result.push_back(Direction::backward_data);
  if (sum == 0 || (sum & 4) != 0) result.push_back(Direction::backward_weights);
  return result;
}

// Case does not count, as in MIOpenDriver.
Result<Layout> Reader::read_layout(char letter, int rank) {
  look_at(letter);
  std::string name(values_.word(letter));
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  if (name.empty() || name == (rank == 2 ? "NCHW" : "NCDHW")) return Layout::channels_first;
  if (name == (rank == 2 ? "NHWC" : "NDHWC")) return Layout::channels_last;
  return invalid(rank == 2 ? "the layouts of 2-D are NCHW and NHWC" : "the layouts of 3-D are NCDHW and NDHWC");
}

Spatial Reader::read_spatial(std::string_view letters, int rank) const {
  Spatial result{};
  letters.remove_prefix(static_cast<std::size_t>(k_max_rank - rank));
  for (int i = 0; i < rank; ++i) result[i] = values_.number(letters[static_cast<std::size_t>(i)]);
  return result;
}

// -z same and valid count where MIOpenDriver heeds them: ordinary mode without a dilation that matters.
Result<void> Reader::apply_pad_mode(Problem& p) {
  look_at('z');
  const std::string_view mode = values_.word('z');
  if (mode != "same" && mode != "valid" && mode != "default")
    return invalid("the padding mode is same, valid or default");
  if (mode == "default" || p.transposed) return {};
  if (!all_one(p.dilation, p.rank) && !all_one(p.filter, p.rank)) return {};
  for (int i = 0; i < p.rank; ++i) {
    p.pad[i] = 0;
    if (mode == "valid" || p.in[i] < 1 || p.filter[i] < 1 || p.stride[i] < 1) continue;  // validate() judges
    const std::int64_t rest = p.in[i] % p.stride[i];
    const std::int64_t total = std::max<std::int64_t>(p.filter[i] - (rest == 0 ? p.stride[i] : rest), 0);
    if (total % 2 != 0) {
      return fail(ErrorCode::unsupported,
                  fmt::format("padding would be {} pixels on one side and {} on the other (MIOpenDriver runs {} on "
                              "both): leave -z out and write the padding with -p and -q",
                              total / 2, total - total / 2, total / 2));
    }
    p.pad[i] = total / 2;
  }
  return {};
}

// Tensors whose layout is not the input's get explicit strides.
Result<void> Reader::apply_layouts(Problem& p) {
  Problem other = p;
  CONVOY_TRY(other.layout, read_layout('f', p.rank));
  p.w_strides = other.strides(TensorRole::w);
  CONVOY_TRY(other.layout, read_layout('O', p.rank));
  p.y_strides = other.strides(TensorRole::y);
  if (p.packed(TensorRole::w)) p.w_strides.reset();
  if (p.packed(TensorRole::y)) p.y_strides.reset();
  return {};
}

Result<Problem> Reader::read_shape() {
  Problem p;
  CONVOY_TRY(p.dtype, read_dtype());
  CONVOY_TRY(p.rank, read_rank());
  CONVOY_TRY(p.transposed, read_transposed());
  CONVOY_TRY(p.layout, read_layout('I', p.rank));
  p.n = values_.number('n');
  p.c = values_.number('c');
  p.k = values_.number('k');
  p.groups = values_.number('g') == 0 ? 1 : values_.number('g');
  p.in = read_spatial(k_in, p.rank);
  p.filter = read_spatial(k_filter, p.rank);
  p.pad = read_spatial(k_pad, p.rank);
  p.stride = read_spatial(k_stride, p.rank);
  p.dilation = read_spatial(k_dilation, p.rank);
  if (p.transposed) p.output_pad = read_spatial(k_output_pad, p.rank);  // else the driver does not look at it
  CONVOY_CHECK(apply_pad_mode(p));
  token_ = printable(verb_);
  CONVOY_CHECK(validate(p));
  CONVOY_CHECK(apply_layouts(p));
  return p;
}

// Writing.

std::string flags_of(std::string_view letters, const Spatial& numbers, int rank) {
  std::string result;
  for (int i = 0; i < rank; ++i) {
    const char letter = letters[static_cast<std::size_t>(k_max_rank - rank + i)];
    const bool odd = i == 0 && rank == 3;  // the depth flags' letters are not for shells
    result += odd ? fmt::format(" --{} {}", find_driver_flag(std::string{'-', letter})->name, numbers[i])
                  : fmt::format(" -{} {}", letter, numbers[i]);
  }
  return result;
}

// A 1-D problem is a 2-D one of height 1, which is also how PyTorch hands it to MIOpen.
Problem as_2d(Problem p) {
  if (p.rank != 1) return p;
  p.rank = 2;
  const auto widen = [](Spatial& numbers, std::int64_t height) { numbers = {height, numbers[0], 1}; };
  widen(p.in, 1);
  widen(p.filter, 1);
  widen(p.pad, 0);
  widen(p.stride, 1);
  widen(p.dilation, 1);
  widen(p.output_pad, 0);
  return p;
}

}  // namespace

bool is_conv_verb(std::string_view verb) {
  return find_verb(verb) != nullptr;
}

DriverProblems problems_of(std::string_view verb, const DriverValues& values) {
  DriverProblems result;
  Reader reader(verb, values);
  const auto report = [&](std::string message) { result.errors.push_back({{}, reader.token(), std::move(message)}); };
  Result<Problem> shape = reader.read_shape();
  if (!shape) {
    report(std::move(shape).error().message);
    return result;
  }
  Result<std::vector<Direction>> directions = reader.read_directions();
  if (!directions) {
    report(std::move(directions).error().message);
    return result;
  }
  for (const Direction direction : *directions) {
    shape->direction = direction;
    if (Result<void> valid = validate(*shape); valid) {
      result.problems.push_back(*shape);
    } else {
      report(std::move(valid).error().message);
    }
  }
  return result;
}

Result<std::string> to_driver_line(const Problem& problem) {
  CONVOY_CHECK(validate(problem));
  if (problem.x_strides || problem.w_strides || problem.y_strides || problem.out_override)
    return fail(ErrorCode::unsupported, "MIOpenDriver has no flags for explicit strides: use the problem string");
  const auto* const verb =
      std::find_if(std::begin(k_verbs), std::end(k_verbs), [&](const Verb& row) { return row.dtype == problem.dtype; });
  if (verb == std::end(k_verbs))
    return fail(ErrorCode::unsupported,
                fmt::format("MIOpenDriver has no command for {}: use the problem string", to_string(problem.dtype)));
  const Problem p = as_2d(problem);
  std::string line = fmt::format("./bin/MIOpenDriver {} -n {} -c {}", verb->name, p.n, p.c);
  line += flags_of(k_in, p.in, p.rank) + fmt::format(" -k {}", p.k) + flags_of(k_filter, p.filter, p.rank);
  line += flags_of(k_pad, p.pad, p.rank) + flags_of(k_stride, p.stride, p.rank);
  line += flags_of(k_dilation, p.dilation, p.rank);
  if (p.rank == 3) line += " --spatial_dim 3";
  if (p.layout == Layout::channels_last) {
    const std::string_view name = p.rank == 2 ? "NHWC" : "NDHWC";
    line += fmt::format(" --in_layout {} --fil_layout {} --out_layout {}", name, name, name);
  }
  if (p.output_pad != Spatial{0, 0, 0}) line += flags_of(k_output_pad, p.output_pad, p.rank);
  constexpr int k_bits[] = {1, 2, 4};  // indexed by Direction
  return line + fmt::format(" -m {} -g {} -F {} -t 1", p.transposed ? "trans" : "conv", p.groups,
                            k_bits[static_cast<int>(p.direction)]);
}

}  // namespace convoy
