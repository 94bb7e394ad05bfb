// Expected failures are values. Result<T> carries either a T or an Error; nothing of ours throws across a boundary.
//
//   Result<int> parse(std::string_view);
//   CONVOY_TRY(int value, parse(text));     // returns the error to the caller, else declares value
//   CONVOY_CHECK(write(file));              // the same for Result<void>
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace convoy {

// What kind of failure it is, for code that has to act on it. The numbers are part of the C ABI: never renumber.
enum class ErrorCode {
  invalid_argument = 1,  // the caller's input is wrong: nothing else would accept it
  unsupported = 2,       // a valid request that this implementation does not serve
  out_of_memory = 3,
  io = 4,        // file, database, pipe
  device = 5,    // the device or its runtime reported a failure
  internal = 6,  // a bug of ours, or a library that broke its contract
  interrupted = 7,
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // names the place and, where there is one, the cure
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace convoy

#define CONVOY_CONCAT_INNER(a, b) a##b
#define CONVOY_CONCAT(a, b) CONVOY_CONCAT_INNER(a, b)
#define CONVOY_TRY_INNER(temporary, declaration, expression)                            \
  auto temporary = (expression);                                                        \
  if (!temporary) return tl::unexpected<::convoy::Error>(std::move(temporary).error()); \
  declaration = std::move(*temporary)
#define CONVOY_TRY(declaration, expression) \
  CONVOY_TRY_INNER(CONVOY_CONCAT(convoy_try_, __LINE__), declaration, expression)
#define CONVOY_CHECK(expression)                                                \
  do {                                                                          \
    if (auto convoy_check_ = (expression); !convoy_check_)                      \
      return tl::unexpected<::convoy::Error>(std::move(convoy_check_).error()); \
  } while (false)
