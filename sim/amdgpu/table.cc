// The table itself: all families of meanings, gathered once.
#include "table.h"

namespace convoy::amdgpu {

const Table& table() {
  static const Table made = [] {
    Table t;
    for (auto* add : {add_scalar_alu, add_control, add_scalar_memory, add_vector_integer, add_vector_float,
                      add_vector_half, add_packed, add_conversions, add_division, add_compares, add_matrix,
                      add_lane_moves, add_flat_memory, add_buffer_memory, add_lds}) {
      add(t);
    }
    return t;
  }();
  return made;
}

}  // namespace convoy::amdgpu
