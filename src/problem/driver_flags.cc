// The table of MIOpenDriver's conv flags, and reading values against it.
#include "problem/driver_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "problem/printable.h"

namespace convoy {
namespace {

using enum FlagKind;

constexpr auto k_flags = std::to_array<DriverFlag>({
    {'n', "batchsize", "100", number, "images"},
    {'c', "in_channels", "3", number, "input channels"},
    {'!', "in_d", "32", number, "input depth (3-D)"},
    {'H', "in_h", "32", number, "input height"},
    {'W', "in_w", "32", number, "input width"},
    {'k', "out_channels", "32", number, "output channels"},
    {'@', "fil_d", "3", number, "filter depth (3-D)"},
    {'y', "fil_h", "3", number, "filter height"},
    {'x', "fil_w", "3", number, "filter width"},
    {'$', "pad_d", "0", number, "padding in depth (3-D)"},
    {'p', "pad_h", "0", number, "padding in height"},
    {'q', "pad_w", "0", number, "padding in width"},
    {'#', "conv_stride_d", "1", number, "stride in depth (3-D)"},
    {'u', "conv_stride_h", "1", number, "stride in height"},
    {'v', "conv_stride_w", "1", number, "stride in width"},
    {'^', "dilation_d", "1", number, "dilation in depth (3-D)"},
    {'l', "dilation_h", "1", number, "dilation in height"},
    {'j', "dilation_w", "1", number, "dilation in width"},
    {'%', "trans_output_pad_d", "0", number, "output padding in depth (-m trans, 3-D)"},
    {'Y', "trans_output_pad_h", "0", number, "output padding in height (-m trans)"},
    {'X', "trans_output_pad_w", "0", number, "output padding in width (-m trans)"},
    {'_', "spatial_dim", "2", number, "2 or 3"},
    {'g', "group_count", "1", number, "groups; 0 counts as 1"},
    {'F', "forw", "0", number, "sum of 1 forward, 2 backward data, 4 backward weights; 0 is all three"},
    {'m', "mode", "conv", word, "conv or trans"},
    {'z', "pad_mode", "default", word, "same, valid or default"},
    {'I', "in_layout", "", word, "NCHW or NHWC, 3-D NCDHW or NDHWC; empty is channels first"},
    {'O', "out_layout", "", word, "the output's layout"},
    {'f', "fil_layout", "", word, "the filter's layout"},
    {'Z', "tensor_vect", "0", unsupported, "vectorised channels"},
    {'L', "vector_length", "1", unsupported, "channels in a vector"},
    {'r', "pad_val", "0", unsupported, "value of the padding"},
    {'U', "in_cast_type", "-1", unsupported, "cast of the input (fp8)"},
    {'R', "wei_cast_type", "-1", unsupported, "cast of the filter (fp8)"},
    {'T', "out_cast_type", "-1", unsupported, "cast of the output (fp8)"},
    {'i', "iter", "10", ignored, "iterations"},
    {'V', "verify", "1", ignored, "compare with the CPU"},
    {'C', "verification_cache", "", ignored, "folder of reference results"},
    {'t', "time", "0", ignored, "print times"},
    {'w', "wall", "0", ignored, "print wall-clock times"},
    {'s', "search", "0", ignored, "tune"},
    {'P', "printconv", "1", ignored, "print the sizes"},
    {'o', "dump_output", "0", ignored, "write the outputs to files"},
    {'d', "in_data", "", ignored, "file of inputs"},
    {'e', "weights", "", ignored, "file of filters"},
    {'D', "dout_data", "", ignored, "file of output gradients"},
    {'b', "bias", "", ignored, "also run the bias, a kernel of its own"},
    {'a', "in_bias", "", ignored, "file of biases"},
    {'S', "solution", "-1", ignored, "immediate mode with this solution"},
    {'G', "gpualloc", "0", ignored, "fill the buffers on the GPU"},
    {'h', "help", "", help, "print the flags and stop"},
    {'?', "", "", help, "the same"},
});
static_assert(k_flags.size() <= DriverValues::k_capacity);

std::size_t index_of(char letter) {
  const auto* const row =
      std::find_if(k_flags.begin(), k_flags.end(), [&](const DriverFlag& flag) { return flag.letter == letter; });
  return static_cast<std::size_t>(row - k_flags.begin());
}

// Levenshtein distance of two short words.
std::size_t distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, 33> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

std::span<const DriverFlag> driver_flags() {
  return k_flags;
}

const DriverFlag* find_driver_flag(std::string_view token) {
  if (token.size() < 2 || token[0] != '-') return nullptr;
  for (const DriverFlag& flag : k_flags) {
    if (token.size() == 2 && token[1] == flag.letter) return &flag;
    if (!flag.name.empty() && token[1] == '-' && token.substr(2) == flag.name) return &flag;
  }
  return nullptr;
}

std::string nearest_driver_flag(std::string_view token) {
  constexpr std::size_t k_longest_name = 32;
  const std::string_view name = token.substr(std::min(token.find_first_not_of('-'), token.size()));
  if (name.empty() || name.size() > k_longest_name) return {};
  if (name.size() == 1) {  // only the case can be wrong
    for (const DriverFlag& flag : k_flags) {
      if (lower(flag.letter) == lower(name[0])) return {'-', flag.letter};
    }
    return {};
  }
  const DriverFlag* best = nullptr;
  std::size_t smallest = std::max<std::size_t>(2, name.size() / 2);  // beyond half the name it is no guess any more
  for (const DriverFlag& flag : k_flags) {
    const std::size_t edits = distance(name, flag.name);
    if (edits >= smallest) continue;
    smallest = edits;
    best = &flag;
  }
  if (best != nullptr) return fmt::format("--{}", best->name);
  // "-n5" and "-Hx": MIOpenDriver's letters do not take their value without a blank.
  const bool known = !token.starts_with("--") && index_of(name[0]) < k_flags.size();
  return known ? std::string{'-', name[0]} : std::string();
}

DriverValues::DriverValues() {
  for (std::size_t i = 0; i < k_flags.size(); ++i) {
    words_[i] = k_flags[i].initial;
    if (k_flags[i].kind == FlagKind::number)
      std::from_chars(words_[i].data(), words_[i].data() + words_[i].size(), numbers_[i]);
  }
}

Result<void> DriverValues::set(const DriverFlag& flag, std::string_view value) {
  const std::size_t i = index_of(flag.letter);
  if (flag.kind == FlagKind::number) {
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, numbers_[i]);
    if (error == std::errc::result_out_of_range)
      return fail(ErrorCode::invalid_argument, "the number does not fit 64 bits: use a smaller one");
    if (error != std::errc() || stop != end)
      return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a whole number: write one", printable(value)));
  }
  if (flag.kind == unsupported && value != flag.initial) {
    return fail(ErrorCode::unsupported, fmt::format("{} is supported with its default {} alone: leave the flag out",
                                                    flag.meaning, flag.initial));
  }
  words_[i] = value;
  return {};
}

std::int64_t DriverValues::number(char letter) const {
  return numbers_[index_of(letter)];
}

std::string_view DriverValues::word(char letter) const {
  return words_[index_of(letter)];
}

}  // namespace convoy
