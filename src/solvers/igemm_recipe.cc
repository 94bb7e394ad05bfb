// Which loader, which store, which sizes.
#include "solvers/igemm_recipe.h"

#include <algorithm>

#include "solvers/geometry.h"
#include "solvers/gpu_kernel.h"
#include "solvers_cl.h"

#include <fmt/format.h>

namespace convoy {
namespace {

// Values of LOADER and STORE (igemm_shape.cl, igemm_store.cl).
enum class Loader { across = 0, along = 1, along4 = 2, point4 = 3, table = 4 };
enum class Store { anywhere = 0, points4 = 1, rows4 = 2 };

// Offsets up to here fit an i32, with room for positions in the padding and past the last image.
constexpr std::int64_t k_most_in_32_bits = 0x78000000;
// Rows of the table of taps and channels in local memory: 20 bytes each.
constexpr std::int64_t k_table_rows = 512;
// Of a launch in its second and third dimension.
constexpr std::int64_t k_most_groups = 65535;
// Numbers beyond are no problem that fits a machine.
constexpr double k_most_packed = 1e15;

std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

std::string_view text_of(std::string_view kernel) {
  static const std::string gather =
      with_elements(fmt::format("{}{}{}{}{}{}{}", k_igemm_shape_cl, k_igemm_phase_cl, k_igemm_tile_cl,
                                k_igemm_source_cl, k_igemm_filter_cl, k_igemm_store_cl, k_igemm_gather_cl));
  static const std::string weights =
      with_elements(fmt::format("{}{}{}", k_igemm_shape_cl, k_igemm_tile_cl, k_igemm_weights_cl));
  static const std::string pack = with_elements(fmt::format("{}{}", k_igemm_shape_cl, k_igemm_pack_cl));
  static const std::string reduce = with_elements(k_igemm_reduce_cl);
  if (kernel == "gather") return gather;
  if (kernel == "weights") return weights;
  return kernel == "pack" ? pack : reduce;
}

// Spatial positions that lie one after another, `step` elements apart.
bool is_dense(const IgemmShape::Triple& sizes, const std::array<std::int64_t, 5>& strides, std::int64_t step) {
  return (sizes[2] == 1 || strides[4] == step) && (sizes[1] == 1 || strides[3] == step * sizes[2]) &&
         (sizes[0] == 1 || strides[2] == step * sizes[2] * sizes[1]);
}

class Cook {
 public:
  Cook(const Problem& problem, const DeviceInfo& device, IgemmChoice choice)
      : problem_(problem), device_(device), geometry_(geometry_of(problem)), choice_(choice) {
    recipe_.direction = problem.direction;
    shape_ = igemm_shape(geometry_, choice_.phases);
  }

  Result<IgemmRecipe> cook(std::int64_t limit) {
    const double packed = 1.0 * shape_.taps[0] * shape_.taps[1] * shape_.taps[2] * shape_.groups *
                          (shape_.depth + tile().depth) * (shape_.rows + tile().rows);
    if (packed > k_most_packed) return fail(ErrorCode::unsupported, "igemm: the phases' filters are beyond all memory");
    choose_access();
    if (!tile_serves())
      return fail(ErrorCode::unsupported,
                  fmt::format("igemm: tile {} does not serve this problem's memory order, or needs more local memory than there is",
                              to_string(choice_)));
    fill_shape(limit);
    name_programs();
    CONVOY_CHECK(size_launches());
    recipe_.shape = shape_;
    recipe_.choice = choice_;
    recipe_.workspace = 4 * (shape_.partials_at + (shape_.splits > 1 ? shape_.splits * shape_.target_size : 0));
    return std::move(recipe_);
  }

 private:
  const IgemmTile& tile() const { return choice_.tile; }
  bool weights() const { return recipe_.direction == Direction::backward_weights; }

  void choose_access() {
    const std::int64_t points = shape_.all_points() + tile().points;
    const std::int64_t packed =
        shape_.all_taps() * shape_.groups * (shape_.depth + tile().depth) * (shape_.rows + tile().rows);
    wide_ = std::max({points, packed, problem_.span(TensorRole::x), problem_.span(TensorRole::y),
                      problem_.span(TensorRole::w), padding_offset()}) >= k_most_in_32_bits;
    const bool channels_last = shape_.source_strides[1] == 1 && shape_.source[2] > 1 && shape_.source_strides[4] != 1;
    // PoCL 3.1 miscompiles `along` (its other work-group method, cbs, does not); on a CPU the order of threads gains nothing.
    const bool along = channels_last && !device_.is_host_processor;
    if (weights()) {
      loader_ = along ? Loader::along : Loader::across;
      return;
    }
    const std::int64_t padded = divide_up(shape_.depth, tile().depth) * tile().depth;
    const std::int64_t steps = shape_.all_taps() * shape_.depth;
    if (!wide_ && padded * 100 > shape_.depth * 115 &&
        divide_up(steps, tile().depth) * tile().depth <= k_table_rows &&
        local_memory(Loader::table) <= local_memory_limit())
      loader_ = Loader::table;
    else if (channels_last && choice_.specialised && is_aligned(shape_.source_strides, shape_.depth))
      loader_ = Loader::along4;
    else if (choice_.specialised && is_pointwise())
      loader_ = Loader::point4;
    else
      loader_ = along ? Loader::along : Loader::across;
    if (choice_.specialised && choice_.phases == Phases::none) choose_store();
    if (owns_source() && store_ == Store::points4) store_ = Store::anywhere;
    recipe_.vectors = loader_ == Loader::along4 || loader_ == Loader::point4 || store_ != Store::anywhere;
  }

  // How far outside its tensor a position in the padding, or of a tap there, may point.
  std::int64_t padding_offset() const {
    double most = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      const double reach = static_cast<double>(geometry_.pad[d] + geometry_.dilation[d] * geometry_.filter[d]);
      most += reach * static_cast<double>(std::max(shape_.source_strides[d + 2], shape_.target_strides[d + 2]));
    }
    return static_cast<std::int64_t>(std::min(most, static_cast<double>(k_most_in_32_bits)));
  }

  // Static local memory ends at 48 KiB on CUDA.
  std::int64_t local_memory_limit() const {
    return std::min<std::int64_t>(device_.local_memory > 0 ? device_.local_memory : 32768, 49152);
  }
  std::int64_t local_memory(Loader loader) const {
    const int points = tile().points;
    return std::int64_t{8} * tile().depth * (tile().rows + points + 8) +
           (loader == Loader::table ? table_rows() * 20 : 0) +
           (loader == Loader::along || loader == Loader::along4 ? points * 24 : 0);
  }

  // Channels side by side, and every fourth at a multiple of four elements.
  static bool is_aligned(const std::array<std::int64_t, 5>& strides, std::int64_t channels) {
    return strides[1] == 1 && channels % 4 == 0 && strides[0] % 4 == 0 && strides[2] % 4 == 0 && strides[3] % 4 == 0 &&
           strides[4] % 4 == 0;
  }

  bool points_in_fours(const IgemmShape::Triple& sizes, const std::array<std::int64_t, 5>& strides) const {
    return is_dense(sizes, strides, 1) && sizes[0] * sizes[1] * sizes[2] % 4 == 0 && strides[0] % 4 == 0 &&
           strides[1] % 4 == 0;
  }

  bool is_pointwise() const {
    return shape_.all_taps() == 1 && shape_.start == IgemmShape::Triple{0, 0, 0} && shape_.source == shape_.points &&
           shape_.step == IgemmShape::Triple{1, 1, 1} && choice_.phases == Phases::none &&
           points_in_fours(shape_.source, shape_.source_strides);
  }

  void choose_store() {
    const auto& strides = shape_.target_strides;
    if (points_in_fours(shape_.target, strides)) {
      store_ = Store::points4;
    } else if (is_aligned(strides, shape_.channels) && is_dense(shape_.target, strides, strides[4]) &&
               strides[0] == strides[4] * shape_.target[0] * shape_.target[1] * shape_.target[2]) {
      store_ = Store::rows4;
    }
  }

  bool tile_serves() const {
    const int threads = tile().threads(), depth = tile().depth, points = tile().points;
    if (local_memory(loader_) > local_memory_limit()) return false;
    if (weights()) {
      const int step = threads / depth;
      return loader_ == Loader::across ? threads >= depth && tile().rows % step == 0 && points % step == 0
                                       : tile().rows * depth % threads == 0 && threads >= depth &&
                                             points * depth >= threads;
    }
    switch (loader_) {
      case Loader::along: return threads >= depth && threads / depth <= points;
      case Loader::along4: return threads >= depth / 4 && threads / (depth / 4) <= points;
      case Loader::point4: return depth * points / 4 >= threads;
      default: return threads <= points * depth;
    }
  }

  // See igemm_tile.cl.
  bool owns_source() const {
    return tile().rows == tile().thread_rows && (loader_ == Loader::across || loader_ == Loader::table);
  }

  std::int64_t table_rows() const {
    return choice_.specialised && choice_.phases != Phases::separate
               ? divide_up(shape_.all_taps() * shape_.depth, tile().depth) * tile().depth
               : k_table_rows;
  }

  std::int64_t packed_floats() const {
    return weights() || !choice_.packed ? 0
                                        : shape_.groups * shape_.all_taps() * shape_.depth_padded * shape_.rows_padded;
  }

  void fill_shape(std::int64_t limit) {
    shape_.row_tiles = static_cast<std::int32_t>(divide_up(shape_.rows, tile().rows));
    shape_.rows_padded = shape_.row_tiles * tile().rows;
    shape_.depth_padded = loader_ == Loader::table
                              ? shape_.depth
                              : static_cast<std::int32_t>(divide_up(shape_.depth, tile().depth) * tile().depth);
    const auto too_much = [&](std::int64_t floats) { return limit > 0 && floats > limit / 4; };
    if (choice_.phases != Phases::as_rows && too_much(packed_floats())) choice_.packed = false;
    shape_.partials_at = divide_up(packed_floats(), 16) * 16;
    std::int64_t splits = problem_.packed(problem_.output_role()) ? choice_.splits : 1;
    if (limit > 0)
      splits = std::min(splits, (limit / 4 - shape_.partials_at) / std::max<std::int64_t>(shape_.target_size, 1));
    if (choice_.phases == Phases::separate) splits = std::min(splits, k_most_groups / shape_.all_phases());
    if (!wide_) splits = std::min(splits, k_most_in_32_bits / std::max<std::int64_t>(shape_.target_size, 1));
    shape_.splits = static_cast<std::int32_t>(std::max<std::int64_t>(splits, 1));
    if (shape_.splits == 1) shape_.partials_at = packed_floats();
    recipe_.channel_stride = std::max<std::int64_t>(shape_.target_strides[1], 1);
  }

  std::vector<std::string> defines() const {
    const int rows = tile().rows / tile().thread_rows, points = tile().points / tile().thread_points;
    const int lane_rows = rows % 4 == 0 ? 4 : rows % 2 == 0 ? 2 : 1;
    const int unroll = device_.kind == DeviceKind::cuda ? tile().depth : device_.is_host_processor ? 1 : 4;
    const bool deep = shape_.source[0] > 1 || shape_.target[0] > 1 || shape_.taps[0] > 1 || shape_.pad[0] > 0;
    std::vector<std::string> list{element_define(geometry_.dtype)};
    const auto define = [&](const char* name, std::int64_t value) {
      list.push_back(fmt::format("{}={}", name, value));
    };
    define("TILE_ROWS", tile().rows);
    define("TILE_POINTS", tile().points);
    define("TILE_DEPTH", tile().depth);
    define("THREAD_ROWS", tile().thread_rows);
    define("THREAD_POINTS", tile().thread_points);
    define("LANE_ROWS", lane_rows);
    define("LANE_POINTS", std::min(points, 32 / lane_rows));
    define("UNROLL_DEPTH", unroll);
    define("RESIDENT", tile().resident);
    define("LOADER", static_cast<int>(loader_));
    define("DEEP", deep ? 1 : 0);
    define("INDEX64", wide_ ? 1 : 0);
    if (choice_.specialised) list.push_back("SHAPE=" + literal(shape_));
    if (weights()) return list;
    define("OWN_SOURCE", owns_source() ? 1 : 0);
    define("STORE", static_cast<int>(store_));
    define("PACKED", choice_.packed ? 1 : 0);
    define("PHASES", choice_.phases == Phases::separate ? 1 : 0);
    define("MERGED", choice_.phases == Phases::as_rows ? 1 : 0);
    if (loader_ == Loader::table) define("TABLE_ROWS", table_rows());
    return list;
  }

  void name_programs() {
    const std::string index = fmt::format("INDEX64={}", wide_ ? 1 : 0);
    recipe_.main = {"igemm", text_of(weights() ? "weights" : "gather"), defines()};
    if (packed_floats() > 0) recipe_.pack = {"igemm_pack", text_of("pack"), {element_define(geometry_.dtype), index}};
    if (shape_.splits > 1) recipe_.reduce = {"igemm_reduce", text_of("reduce"), {element_define(geometry_.dtype)}};
  }

  Result<void> size_launches() {
    const std::int64_t points = weights() ? shape_.depth * shape_.all_taps() : shape_.all_points();
    const std::int64_t phases = choice_.phases == Phases::separate ? shape_.all_phases() : 1;
    recipe_.main_size = {{shape_.row_tiles * divide_up(points, tile().points), shape_.groups, phases * shape_.splits},
                         tile().threads()};
    recipe_.pack_size = {
        {divide_up(shape_.rows_padded, 32) * divide_up(shape_.all_taps() * shape_.depth_padded, 32), shape_.groups, 1},
        256};
    recipe_.reduce_size = {{divide_up(shape_.target_size, 256), 1, 1}, 256};
    const auto& groups = recipe_.main_size.groups;
    // HIP counts threads along a dimension in 32 bits.
    const std::int64_t most = device_.kind == DeviceKind::hip ? 0xffffffff / 256 : 0x7fffffff;
    if (std::max({groups[0], recipe_.pack_size.groups[0], recipe_.reduce_size.groups[0]}) > most ||
        groups[1] > k_most_groups || groups[2] > k_most_groups)
      return fail(ErrorCode::unsupported, "igemm: the problem needs more groups of threads than a launch can have");
    return {};
  }

  const Problem& problem_;
  const DeviceInfo& device_;
  Geometry geometry_;
  IgemmChoice choice_;
  IgemmShape shape_;
  Loader loader_ = Loader::across;
  Store store_ = Store::anywhere;
  bool wide_ = false;
  IgemmRecipe recipe_;
};

}  // namespace

Result<IgemmRecipe> igemm_recipe(const Problem& problem, const DeviceInfo& device, IgemmChoice choice,
                                 std::int64_t workspace_limit) {
  auto recipe = Cook(problem, device, choice).cook(workspace_limit);
  // Phases as rows exist in the packed filter only.
  if (recipe && workspace_limit > 0 && recipe->workspace > workspace_limit && choice.phases == Phases::as_rows) {
    choice.phases = Phases::separate;
    recipe = Cook(problem, device, choice).cook(workspace_limit);
  }
  return recipe;
}

std::vector<IgemmChoice> usable_igemm_choices(const Problem& problem, const DeviceInfo& device,
                                              std::int64_t workspace_limit) {
  constexpr std::size_t k_most_choices = 8;
  // A processor that poses as a GPU compiles for seconds and gains little.
  const std::size_t most = device.is_host_processor ? 2 : k_most_choices;
  std::vector<IgemmChoice> usable;
  for (const IgemmChoice& choice : igemm_choices(geometry_of(problem), device)) {
    if (usable.size() < most && igemm_recipe(problem, device, choice, workspace_limit)) usable.push_back(choice);
  }
  return usable;
}

}  // namespace convoy
