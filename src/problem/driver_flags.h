// The flags of MIOpenDriver's conv commands: one table, from which values, defaults, documentation and "did
// you mean" come. Source: driver/conv_driver.hpp, AddCmdLineArgs, of ROCm/MIOpen. A flag's letter is its key
// here as it is there; the depth flags have odd ones ('!', '@') because MIOpen ran out of letters.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace convoy {

enum class FlagKind {
  number,       // shapes the problem
  word,         // shapes the problem
  unsupported,  // would shape the problem in a way that Convoy has no word for: only the default is accepted
  ignored,      // steers the run, not the problem; takes a value all the same
  help,         // takes no value and runs nothing
};

struct DriverFlag {
  char letter;
  std::string_view name;     // without the dashes
  std::string_view initial;  // default value
  FlagKind kind;
  std::string_view meaning;
};

std::span<const DriverFlag> driver_flags();
const DriverFlag* find_driver_flag(std::string_view token);  // "-n" or "--batchsize"; nullptr when there is none
std::string nearest_driver_flag(std::string_view token);     // "--batchsize", or "" when nothing comes near

// A value for every flag, MIOpenDriver's defaults to begin with. Words are views of the text they were read
// from.
class DriverValues {
 public:
  static constexpr std::size_t k_capacity = 64;  // more than there are flags, checked at compile time

  DriverValues();
  Result<void> set(const DriverFlag& flag, std::string_view value);
  std::int64_t number(char letter) const;
  std::string_view word(char letter) const;

 private:
  std::array<std::int64_t, k_capacity> numbers_{};
  std::array<std::string_view, k_capacity> words_{};
};

}  // namespace convoy
