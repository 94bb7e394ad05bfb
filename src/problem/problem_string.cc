// The canonical string, both ways. The parser accepts exactly what the writer writes, so that the string can
// be a key: every number has one spelling (no sign, no leading zero), every part one place, and parts that
// say nothing are refused.
#include <fmt/format.h>

#include <charconv>
#include <system_error>
#include <vector>

#include "problem/printable.h"
#include "problem/problem.h"

namespace convoy {
namespace {

constexpr std::string_view k_grammar =
    "<fwd|bwd|wrw>:<f32|f16|bf16|f64|i8>:<layout>:n1c3h8w8:k4r3s3:pad1x1:stride1x1:dil1x1:g1";
constexpr std::size_t k_fixed_parts = 9;  // up to and with g

// Indexed by rank - 1, then by Layout.
constexpr std::string_view k_layouts[k_max_rank][2] = {{"ncw", "nwc"}, {"nchw", "nhwc"}, {"ncdhw", "ndhwc"}};
constexpr std::string_view k_input_letters[k_max_rank] = {"ncw", "nchw", "ncdhw"};
constexpr std::string_view k_filter_letters[k_max_rank] = {"ks", "krs", "ktrs"};

// Writing.

using Buffer = fmt::memory_buffer;

void put(Buffer& buffer, std::string_view text) {
  buffer.append(text.data(), text.data() + text.size());
}

void put(Buffer& buffer, std::int64_t number) {
  const fmt::format_int digits(number);
  put(buffer, std::string_view(digits.data(), digits.size()));
}

void put_letters(Buffer& buffer, std::string_view letters, const std::int64_t* numbers) {
  for (const char letter : letters) {
    buffer.push_back(letter);
    put(buffer, *numbers++);
  }
}

// ":pad1x1"
void put_joined(Buffer& buffer, std::string_view name, const std::int64_t* numbers, int count) {
  put(buffer, ":");
  put(buffer, name);
  for (int i = 0; i < count; ++i) {
    if (i > 0) buffer.push_back('x');
    put(buffer, numbers[i]);
  }
}

bool any(const Spatial& numbers, int rank) {
  for (int i = 0; i < rank; ++i) {
    if (numbers[i] != 0) return true;
  }
  return false;
}

std::string write(const Problem& p, bool with_batch) {
  const int r = p.rank - 1;
  Buffer buffer;
  for (const std::string_view kind :
       {to_string(p.direction), to_string(p.dtype), k_layouts[r][static_cast<int>(p.layout)]}) {
    put(buffer, kind);
    buffer.push_back(':');
  }
  if (with_batch) {
    put_letters(buffer, "n", &p.n);
  } else {
    put(buffer, "n*");
  }
  put_letters(buffer, "c", &p.c);
  put_letters(buffer, k_input_letters[r].substr(2), p.in.data());
  put(buffer, ":");
  put_letters(buffer, "k", &p.k);
  put_letters(buffer, k_filter_letters[r].substr(1), p.filter.data());
  put_joined(buffer, "pad", p.pad.data(), p.rank);
  put_joined(buffer, "stride", p.stride.data(), p.rank);
  put_joined(buffer, "dil", p.dilation.data(), p.rank);
  put_joined(buffer, "g", &p.groups, 1);
  if (p.transposed) put(buffer, ":tr");
  if (any(p.output_pad, p.rank)) put_joined(buffer, "opad", p.output_pad.data(), p.rank);
  if (p.x_strides) put_joined(buffer, "xs", p.x_strides->data(), 2 + p.rank);
  if (p.w_strides) put_joined(buffer, "ws", p.w_strides->data(), 2 + p.rank);
  if (p.y_strides) put_joined(buffer, "ys", p.y_strides->data(), 2 + p.rank);
  return fmt::to_string(buffer);
}

// Reading.

struct Part {
  std::string_view text;
  std::size_t number;  // counted from 1

  tl::unexpected<Error> wrong(std::string_view expected) const {
    return fail(ErrorCode::invalid_argument,
                fmt::format("part {} '{}': expected {}", number, printable(text), expected));
  }
};

// Takes a canonical number off the front of `rest`. Otherwise says what was expected there.
std::string_view take_number(std::string_view& rest, std::int64_t& number) {
  constexpr std::string_view k_canonical = "a number without sign or leading zero";
  if (rest.empty() || rest[0] < '0' || rest[0] > '9') return k_canonical;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  const auto digits = static_cast<std::size_t>(end - rest.data());
  if (rest[0] == '0' && digits > 1) return k_canonical;
  if (error != std::errc()) return "a number below 2^63 (this one is too large)";
  rest.remove_prefix(digits);
  return {};
}

// "n32c64h56w56" for the letters nchw.
Result<void> read_letters(const Part& part, std::string_view letters, std::vector<std::int64_t*> numbers) {
  std::string_view rest = part.text;
  const auto example = [&] {
    std::string text;
    for (const char letter : letters) text += fmt::format("{}8", letter);
    return text;
  };
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const bool found = !rest.empty() && rest[0] == letters[i];
    if (found) rest.remove_prefix(1);
    if (!found) return part.wrong(fmt::format("'{}' and a number, as in {}", letters[i], example()));
    if (const auto expected = take_number(rest, *numbers[i]); !expected.empty())
      return part.wrong(fmt::format("'{}' and {}, as in {}", letters[i], expected, example()));
  }
  if (!rest.empty()) return part.wrong(fmt::format("nothing after '{}', as in {}", letters.back(), example()));
  return {};
}

// "pad1x1" for the name pad and two numbers.
Result<void> read_joined(const Part& part, std::string_view name, std::int64_t* numbers, int count) {
  const auto example = [&] {
    std::string text = fmt::format("{}1", name);
    for (int i = 1; i < count; ++i) text += "x1";
    return text;
  };
  std::string_view rest = part.text;
  if (!rest.starts_with(name)) return part.wrong(fmt::format("{}, as in {}", name, example()));
  rest.remove_prefix(name.size());
  for (int i = 0; i < count; ++i) {
    if (i > 0 && (rest.empty() || rest[0] != 'x'))
      return part.wrong(fmt::format("{} numbers joined by x, as in {}", count, example()));
    if (i > 0) rest.remove_prefix(1);
    if (const auto expected = take_number(rest, numbers[i]); !expected.empty())
      return part.wrong(fmt::format("{}, as in {}", expected, example()));
  }
  if (!rest.empty()) return part.wrong(fmt::format("{} numbers and no more, as in {}", count, example()));
  return {};
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<Part> split(std::string_view text) {
  std::vector<Part> parts;
  while (true) {
    const std::size_t end = text.find(':');
    parts.push_back({text.substr(0, end), parts.size() + 1});
    // One more than any problem has is enough to say so.
    if (end == std::string_view::npos || parts.size() > k_fixed_parts + 5) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<void> read_kinds(const std::vector<Part>& parts, Problem& p) {
  bool found = false;
  for (const Direction direction : {Direction::forward, Direction::backward_data, Direction::backward_weights}) {
    if (parts[0].text != to_string(direction)) continue;
    p.direction = direction;
    found = true;
  }
  if (!found) return parts[0].wrong("fwd, bwd or wrw");
  const std::optional<Dtype> dtype = dtype_from_string(parts[1].text);
  if (!dtype || *dtype == Dtype::i32) return parts[1].wrong("f32, f16, bf16, f64 or i8");
  p.dtype = *dtype;
  for (int rank = 1; rank <= k_max_rank; ++rank) {
    for (const Layout layout : {Layout::channels_first, Layout::channels_last}) {
      if (parts[2].text != k_layouts[rank - 1][static_cast<int>(layout)]) continue;
      p.rank = rank;
      p.layout = layout;
      return {};
    }
  }
  return parts[2].wrong("ncw, nwc, nchw, nhwc, ncdhw or ndhwc");
}

Result<void> read_sizes(const std::vector<Part>& parts, Problem& p) {
  const int r = p.rank - 1;
  std::vector<std::int64_t*> input = {&p.n, &p.c};
  std::vector<std::int64_t*> filter = {&p.k};
  for (int i = 0; i < p.rank; ++i) {
    input.push_back(&p.in[i]);
    filter.push_back(&p.filter[i]);
  }
  CONVOY_CHECK(read_letters(parts[3], k_input_letters[r], std::move(input)));
  CONVOY_CHECK(read_letters(parts[4], k_filter_letters[r], std::move(filter)));
  CONVOY_CHECK(read_joined(parts[5], "pad", p.pad.data(), p.rank));
  CONVOY_CHECK(read_joined(parts[6], "stride", p.stride.data(), p.rank));
  CONVOY_CHECK(read_joined(parts[7], "dil", p.dilation.data(), p.rank));
  return read_joined(parts[8], "g", &p.groups, 1);
}

// The parts after g, each at most once and in this order.
Result<void> read_options(const std::vector<Part>& parts, Problem& p) {
  std::size_t next = k_fixed_parts;
  const auto at = [&](std::string_view name) { return next < parts.size() && parts[next].text.starts_with(name); };
  if (next < parts.size() && parts[next].text == "tr") {
    p.transposed = true;
    ++next;
  }
  if (at("opad")) {
    CONVOY_CHECK(read_joined(parts[next], "opad", p.output_pad.data(), p.rank));
    if (!p.transposed || !any(p.output_pad, p.rank))
      return parts[next].wrong("opad only after tr, and only when it is not zero: leave it out");
    ++next;
  }
  const auto read_strides = [&](std::string_view name, std::optional<Dims>& strides) -> Result<void> {
    if (!at(name)) return {};
    return read_joined(parts[next++], name, strides.emplace(Dims{}).data(), 2 + p.rank);
  };
  CONVOY_CHECK(read_strides("xs", p.x_strides));
  CONVOY_CHECK(read_strides("ws", p.w_strides));
  CONVOY_CHECK(read_strides("ys", p.y_strides));
  if (next < parts.size()) return parts[next].wrong("tr, opad, xs, ws, ys, each once and in this order");
  return {};
}

}  // namespace

std::string Problem::to_string() const {
  return write(*this, true);
}

std::string Problem::class_string() const {
  return write(*this, false);
}

Result<Problem> parse_problem(std::string_view text) {
  const std::vector<Part> parts = split(trimmed(text));
  Problem problem;
  if (parts.size() < k_fixed_parts) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' has {} parts, a problem has at least {}: {}",
                                                         printable(text), parts.size(), k_fixed_parts, k_grammar));
  }
  CONVOY_CHECK(read_kinds(parts, problem));
  CONVOY_CHECK(read_sizes(parts, problem));
  CONVOY_CHECK(read_options(parts, problem));
  if (Result<void> valid = validate(problem); !valid) {
    valid.error().message = fmt::format("'{}': {}", printable(trimmed(text)), valid.error().message);
    return tl::unexpected<Error>(std::move(valid).error());
  }
  return problem;
}

}  // namespace convoy
