// Tiles worth trying, from measurements on an H200: small groups (64 to 128 threads, depth 16) beat the textbook's 256 threads by
// 3 to 8 %, 8 x 16 registers a thread win where points are many, and k is split where tiles are too few for the machine.
#include "solvers/igemm_choice.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include <fmt/format.h>

namespace convoy {
namespace {

constexpr int k_most_splits = 1024;
constexpr double k_tiny_flops = 1e8;  // below, packing the filter takes longer than it saves

std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

bool is_weights(const Geometry& g) {
  return g.direction == Direction::backward_weights;
}

double flops(const Geometry& g) {
  return 2.0 * static_cast<double>(g.n * g.groups * g.k) *
         static_cast<double>(g.out_points() * g.c * g.filter_points());
}

bool has_phases(const Geometry& g) {
  return g.direction == Direction::backward_data && g.stride[0] * g.stride[1] * g.stride[2] > 1;
}

// Phases as rows fill the tile of a target with few channels, and read the source once instead of once for each phase; zeros in
// the filter are what it costs.
Phases best_phases(const Geometry& g) {
  if (!has_phases(g)) return Phases::none;
  const std::int64_t rows = g.c * g.stride[0] * g.stride[1] * g.stride[2];
  if (rows > 32) return Phases::separate;
  // Taps between far dilated ones count: they may be more than 64 bits hold.
  const IgemmShape merged = igemm_shape(g, Phases::as_rows);
  const double taps = 1.0 * merged.taps[0] * merged.taps[1] * merged.taps[2];
  const double without_zeros = static_cast<double>(divide_up(g.c, 4) * g.filter_points());
  return static_cast<double>(divide_up(rows, 4)) * taps <= 2 * without_zeros ? Phases::as_rows : Phases::separate;
}

// The matrix product's sizes: what the choice of tiles depends on.
struct Product {
  std::int64_t rows, points, depth;
  std::int64_t products;  // groups, phases

  Product(const Geometry& g, Phases phases) {
    const IgemmShape s = igemm_shape(g, phases);
    const bool separate = phases == Phases::separate;
    rows = s.rows;
    points = is_weights(g) ? s.depth * s.all_taps() : s.all_points();
    depth = is_weights(g) ? s.all_points() : divide_up(s.all_taps(), separate ? s.all_phases() : 1) * s.depth;
    products = g.groups * (separate ? s.all_phases() : 1);
  }
};

// Parts of k so that the groups fill the machine `waves` times: all its places are taken at least once, and a part stays long
// enough to be worth its sum.
int splits_for(const Product& product, const IgemmTile& tile, const DeviceInfo& device, int waves) {
  const std::int64_t places = std::int64_t{std::max(device.compute_units, 16)} * tile.resident;
  const std::int64_t groups =
      divide_up(product.rows, tile.rows) * divide_up(product.points, tile.points) * product.products;
  const std::int64_t longest = divide_up(product.depth, tile.depth) / 4;
  return static_cast<int>(std::clamp<std::int64_t>(
      std::min(waves * places / std::max<std::int64_t>(groups, 1), longest), 1, k_most_splits));
}

// Widest first: a narrower tile serves better where its rows would be mostly padding.
constexpr IgemmTile k_large{128, 64, 16, 8, 8, 3}, k_square{64, 64, 16, 8, 8, 4}, k_square5{64, 64, 16, 8, 8, 5};
constexpr IgemmTile k_wide{64, 256, 16, 8, 16, 2}, k_middle{64, 128, 16, 8, 8, 3};
constexpr IgemmTile k_textbook{128, 128, 8, 8, 8, 2}, k_huge{128, 256, 8, 8, 16, 1};
constexpr IgemmTile k_low{32, 128, 16, 8, 8, 5}, k_low_small{32, 64, 16, 4, 8, 5}, k_low_wide{32, 256, 16, 8, 8, 3};
// One row of threads, whose points stay in their registers: 8 steps of k at a time on CUDA, 4 elsewhere, where LLVM brings all of
// them at once.
IgemmTile row_tile(int rows, int thread_points, const DeviceInfo& device) {
  const int resident = rows * thread_points <= 32 ? 8 : 5;
  return {rows, 64 * thread_points, device.kind == DeviceKind::cuda ? 8 : 4, rows, thread_points, resident};
}

std::vector<IgemmTile> weights_tiles(std::int64_t rows) {
  if (rows <= 4) return {{4, 256, 16, 4, 4, 4}};
  if (rows <= 8) return {{8, 256, 16, 8, 4, 4}};
  if (rows <= 16) return {{16, 128, 16, 8, 4, 5}};
  if (rows <= 32) return {k_low_small, k_low};
  if (rows <= 64) return {k_square, k_middle};
  return {k_large, k_textbook, k_square, k_middle};
}

std::vector<IgemmTile> tiles_for(std::int64_t rows, const DeviceInfo& device) {
  if (rows <= 16) {
    const int tile = static_cast<int>(divide_up(rows, 4)) * 4;
    std::vector<IgemmTile> tiles{row_tile(tile, 4, device)};
    if (tile <= 8) tiles.push_back(row_tile(tile, 8, device));
    return tiles;
  }
  if (rows <= 32) return {k_low, k_low_small, k_low_wide};
  if (rows <= 64) return {k_wide, k_square, k_middle, k_square5};
  return {k_large, k_wide, k_square, k_middle, k_huge};
}

// One tile for each height, so that a machine compiles few generic programs. A processor that poses as a GPU builds a small tile
// in a third of the time.
IgemmTile generic_tile(std::int64_t rows, bool weights, const DeviceInfo& device) {
  if (device.is_host_processor) return {16, 32, 8, 4, 4, 1};
  if (rows > 32) return k_square;
  if (rows > 16) return k_low_small;
  if (weights) return weights_tiles(rows > 4 ? 16 : 4).front();
  return row_tile(rows > 4 ? 16 : 4, 4, device);
}

bool suits(const IgemmTile& tile, const DeviceInfo& device) {
  // 8 x 16 registers need 254 of GCN's 256 vector registers: one wave for each SIMD.
  const bool gcn = device.kind == DeviceKind::hip && device.warp_size == 64;
  return !(gcn && tile.thread_rows * tile.thread_points > 64) && tile.threads() <= std::max(device.max_threads, 64);
}

bool is_power_of_two(int value) {
  return value > 0 && (value & (value - 1)) == 0;
}

bool is_tile(const IgemmTile& t) {
  const auto registers = [](int count) { return count == 4 || count == 8 || count == 12 || count == 16; };
  const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
  return registers(t.thread_rows) && registers(t.thread_points) && t.thread_rows * t.thread_points <= 128 &&
         within(t.rows, 4, 256) && t.rows % t.thread_rows == 0 && within(t.points, 32, 512) &&
         is_power_of_two(t.points) && t.points % t.thread_points == 0 && is_power_of_two(t.depth) &&
         within(t.depth, 4, 32) && within(t.threads(), 32, 256) && is_power_of_two(t.threads()) &&
         within(t.resident, 1, 16);
}

// Reads "128x64x16" and the like: numbers of at most four digits.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool literal(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  bool number(int& value) {
    const char* end = text_.data() + std::min<std::size_t>(text_.size(), 4);
    const auto [stop, error] = std::from_chars(text_.data(), end, value);
    if (error != std::errc() || value < 0) return false;
    text_.remove_prefix(static_cast<std::size_t>(stop - text_.data()));
    return true;
  }
  bool done() const { return text_.empty(); }

 private:
  std::string_view text_;
};

void add(std::vector<IgemmChoice>& choices, const IgemmChoice& choice) {
  const std::string text = to_string(choice);
  if (std::none_of(choices.begin(), choices.end(), [&](const IgemmChoice& c) { return to_string(c) == text; }))
    choices.push_back(choice);
}

}  // namespace

std::string to_string(const IgemmChoice& choice) {
  const IgemmTile& t = choice.tile;
  return fmt::format("{}:{}x{}x{}/{}x{}/b{}/k{}{}{}", choice.specialised ? 's' : 'g', t.rows, t.points, t.depth,
                     t.thread_rows, t.thread_points, t.resident, choice.splits,
                     choice.phases == Phases::as_rows ? "/m" : "", choice.packed ? "" : "/u");
}

std::optional<IgemmChoice> parse_igemm_choice(std::string_view text, const Geometry& g, const DeviceInfo& device) {
  Reader read(text);
  IgemmChoice c;
  c.specialised = text.starts_with('s');
  IgemmTile& t = c.tile;
  const bool tile = (read.literal("s:") || read.literal("g:")) && read.number(t.rows) && read.literal("x") &&
                    read.number(t.points) && read.literal("x") && read.number(t.depth) && read.literal("/") &&
                    read.number(t.thread_rows) && read.literal("x") && read.number(t.thread_points) &&
                    read.literal("/b") && read.number(t.resident) && read.literal("/k") && read.number(c.splits);
  if (!tile || !is_tile(t) || !suits(t, device) || c.splits < 1 || c.splits > k_most_splits) return std::nullopt;
  c.phases = has_phases(g) ? Phases::separate : Phases::none;
  if (read.literal("/m")) {
    if (!has_phases(g)) return std::nullopt;
    c.phases = Phases::as_rows;
  }
  c.packed = !read.literal("/u");
  const bool packs = !is_weights(g) && c.phases != Phases::as_rows;
  if (!read.done() || (!c.packed && !packs)) return std::nullopt;
  return c;
}

IgemmChoice default_igemm_choice(const Geometry& g, const DeviceInfo& device) {
  IgemmChoice choice;
  choice.phases = best_phases(g);
  const Product product(g, choice.phases);
  choice.tile = generic_tile(product.rows, is_weights(g), device);
  choice.splits = splits_for(product, choice.tile, device, 1);
  choice.packed = is_weights(g) || choice.phases == Phases::as_rows || flops(g) > k_tiny_flops;
  return choice;
}

std::vector<IgemmChoice> igemm_choices(const Geometry& g, const DeviceInfo& device) {
  std::vector<IgemmChoice> choices;
  IgemmChoice choice;
  choice.specialised = true;
  const Phases best = best_phases(g);
  for (const Phases phases : {best, best == Phases::as_rows ? Phases::separate : best}) {
    choice.phases = phases;
    const Product product(g, phases);
    for (const IgemmTile& tile : is_weights(g) ? weights_tiles(product.rows) : tiles_for(product.rows, device)) {
      if (!suits(tile, device)) continue;
      choice.tile = tile;
      // Backward weights without splits would leave the machine empty; the others take them where they help.
      for (const int waves : {1, 2}) {
        choice.splits = splits_for(product, tile, device, waves);
        choice.packed = is_weights(g) || phases == Phases::as_rows || flops(g) > k_tiny_flops;
        if (choice.packed || waves == 1) add(choices, choice);
      }
      if (!is_weights(g)) {
        choice.splits = 1;
        choice.packed = true;
        add(choices, choice);
      }
    }
  }
  return choices;
}

}  // namespace convoy
