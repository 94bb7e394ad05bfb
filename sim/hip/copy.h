// Copies and fills, with bounds: one description for linear and pitched ones, synchronous and queued ones.
#pragma once

#include "sim/hip/queue.h"

namespace convoy::hip {

struct Rectangle {
  char* base;
  std::size_t pitch;  // bytes from row to row

  // Bytes from the first to the last; the largest number where that overflows, which no allocation holds.
  std::size_t extent(std::size_t width, std::size_t rows) const;
};

struct Copy {
  Rectangle to, from;
  std::size_t width;  // bytes of a row
  std::size_t rows;
  CopyKind kind;
};

// With elements of 1, 2 or 4 bytes.
struct Fill {
  Rectangle to;
  std::size_t width;  // bytes of a row
  std::size_t rows;
  std::uint32_t value;
  std::size_t element_bytes;
};

enum class Wait { no, yes };

// With Wait::no and memory that the runtime did not allocate the copy is complete on return, too: a real runtime stages such
// memory through its own before it returns.
Error copy(Runtime& runtime, const Copy& what, Stream* stream, Wait wait);
Error fill(Runtime& runtime, const Fill& what, Stream* stream, Wait wait);

}  // namespace convoy::hip
