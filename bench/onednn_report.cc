// Implementation of onednn_report.h.
#include "onednn_report.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace convoy::bench {
namespace {

constexpr double k_slower = 1.02;
constexpr std::size_t k_worst = 10;

double gflops(const Row& row, const Timing& timing) {
  return row.flops / timing.centre / 1e6;
}

std::string group_line(const std::vector<Row>& rows, std::string_view name,
                       const std::function<bool(const Row&)>& member) {
  double logarithms = 0, direct_ms = 0, convoy_ms = 0;
  int count = 0, slower = 0;
  for (const Row& row : rows) {
    if (!member(row)) continue;
    logarithms += std::log(row.ratio);
    direct_ms += row.direct.centre;
    convoy_ms += row.convoy.centre;
    ++count;
    if (row.ratio > k_slower) ++slower;
  }
  if (count == 0) return fmt::format("{:<22} none\n", name);
  return fmt::format("{:<22} {:>8} {:>8.3f} {:>12.1f} {:>12.1f} {:>10}\n", name, count, std::exp(logarithms / count),
                     direct_ms, convoy_ms, slower);
}

}  // namespace

std::string table_head() {
  return fmt::format("{:>9} {:>9} {:>6} {:>7} {:>7}  {}\n", "ms direct", "ms Convoy", "ratio", "GF/s d.", "GF/s C.",
                     "problem; direct; Convoy");
}

std::string table_line(const Row& row) {
  return fmt::format("{:>9.4f} {:>9.4f} {:>6.3f} {:>7.1f} {:>7.1f}  {}; {} +{}; {} {}\n", row.direct.centre,
                     row.convoy.centre, row.ratio, gflops(row, row.direct), gflops(row, row.convoy), row.problem,
                     row.direct_implementation, row.direct_reorders, row.convoy_solver, row.convoy_implementation);
}

std::string json_line(const Row& row) {
  return nlohmann::json{{"problem", row.problem},
                        {"occurrences", row.occurrences},
                        {"gflop", row.flops / 1e9},
                        {"ms_direct", row.direct.centre},
                        {"ms_direct_spread", row.direct.spread},
                        {"ms_convoy", row.convoy.centre},
                        {"ms_convoy_spread", row.convoy.spread},
                        {"pairs", row.direct.samples},
                        {"ratio", row.ratio},
                        {"gflops_direct", gflops(row, row.direct)},
                        {"gflops_convoy", gflops(row, row.convoy)},
                        {"direct", row.direct_implementation},
                        {"direct_reorders", row.direct_reorders},
                        {"solver", row.convoy_solver},
                        {"convoy", row.convoy_implementation}}
      .dump();
}

std::string summary(const std::vector<Row>& rows) {
  std::string text = fmt::format("{:<22} {:>8} {:>8} {:>12} {:>12} {:>10}\n", "Convoy / direct oneDNN", "problems",
                                 "ratio", "ms direct", "ms Convoy", "over 1.02");
  text += group_line(rows, "all", [](const Row&) { return true; });
  for (const char* direction : {"fwd", "bwd", "wrw"}) {
    text += group_line(rows, direction, [&](const Row& row) { return row.problem.starts_with(direction); });
  }
  text += group_line(rows, "under 0.5 ms", [](const Row& row) { return row.direct.centre < 0.5; });
  text += group_line(rows, "about 1 ms (0.5 to 2)",
                     [](const Row& row) { return row.direct.centre >= 0.5 && row.direct.centre <= 2; });
  text += group_line(rows, "1 ms and more", [](const Row& row) { return row.direct.centre >= 1; });
  const auto same = [](const Row& row) { return row.direct_implementation == row.convoy_implementation; };
  text += group_line(rows, "same implementation", same);
  text += group_line(rows, "same, 1 ms and more", [&](const Row& row) { return same(row) && row.direct.centre >= 1; });

  std::vector<Row> slow = rows;
  std::erase_if(slow, [](const Row& row) { return row.direct.centre < 1 || row.ratio <= k_slower; });
  std::ranges::sort(slow, std::greater<>(), &Row::ratio);
  if (slow.empty()) return text;
  text += fmt::format("\nOf 1 ms and more, where Convoy is slowest ({} of {}):\n", std::min(k_worst, slow.size()),
                      slow.size());
  text += table_head();
  for (std::size_t i = 0; i < std::min(k_worst, slow.size()); ++i) text += table_line(slow[i]);
  return text;
}

}  // namespace convoy::bench
