// A marked block of ours in a file that is somebody else's: found, put in and taken out without touching a byte around it.
#pragma once

#include <string>
#include <string_view>

namespace convoy {

struct SplitText {
  enum class Kind { none, one, broken };  // broken: two blocks, or one without its end
  Kind kind = Kind::none;
  std::string_view before, block, after;  // kind one; the block with its marks and its last newline
};
SplitText split_at_block(std::string_view text);

// `body` between the marks.
std::string as_block(std::string_view body);
// In place of the block that is there, or at the end; `text` has no broken one.
std::string with_block(std::string_view text, std::string_view block);

}  // namespace convoy
