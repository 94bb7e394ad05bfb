// Bytes as text, for JSON (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace convoy {

std::string to_base64(std::string_view bytes);
// Nothing where the text is not exactly what to_base64() writes.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace convoy
