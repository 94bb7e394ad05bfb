// The files in shapes/: every row is understood, and there are as many as shapes/README.md says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "problem/driver_line.h"

namespace convoy {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(CONVOY_SOURCE_DIR "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> rows_of(const std::string& text) {
  std::vector<std::string> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != '#') rows.push_back(line);
  }
  return rows;
}

TEST(Shapes, EveryRowIsUnderstood) {
  const struct {
    const char* name;
    std::size_t rows;
    std::size_t problems;  // each once, -F 0 counting three
    std::int64_t occurrences;
  } table[] = {
      {"real-problems.tsv", 115, 127, 127},    {"demo.tsv", 33, 37, 37},       {"model-layers.tsv", 288, 279, 288},
      {"edge-cases.txt", 72, 72, 72},          {"seed-sizes.txt", 12, 12, 12}, {"conformance.txt", 123, 123, 123},
      {"conformance-choices.txt", 27, 27, 27},
  };
  const std::string readme = read("shapes/README.md");
  for (const auto& row : table) {
    const std::string text = read(fmt::format("shapes/{}", row.name));
    EXPECT_EQ(rows_of(text).size(), row.rows) << row.name;
    const ProblemList list = read_problems(text, row.name);
    for (const InputError& error : list.errors) ADD_FAILURE() << error.source << ": " << error.message;
    EXPECT_EQ(list.problems.size(), row.problems) << row.name;
    std::int64_t occurrences = 0;
    for (const SourcedProblem& sourced : list.problems) occurrences += sourced.count;
    EXPECT_EQ(occurrences, row.occurrences) << row.name;
    EXPECT_NE(readme.find(fmt::format("| `{}` | {} |", row.name, row.rows)), std::string::npos) << row.name;
  }
}

TEST(Shapes, TheDemoIsAChoiceOfRealProblemsThatASmallMachineCanDo) {
  const std::vector<std::string> real = rows_of(read("shapes/real-problems.tsv"));
  for (const std::string& row : rows_of(read("shapes/demo.tsv")))
    EXPECT_NE(std::find(real.begin(), real.end(), row), real.end()) << row;
  for (const SourcedProblem& sourced : read_problems(read("shapes/demo.tsv"), "demo.tsv").problems) {
    EXPECT_LT(sourced.problem.flops(), 5e9) << sourced.source;
    EXPECT_LT(sourced.problem.tensor_bytes(), 150e6) << sourced.source;
  }
}

}  // namespace
}  // namespace convoy
