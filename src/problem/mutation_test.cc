// Mutated real input: whatever comes in, nothing crashes, and what is accepted is valid and has one spelling.
// tests/fuzz_problem.cc does the same without end.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

#include "problem/driver_line.h"

namespace convoy {
namespace {

constexpr std::uint64_t k_seed = 16180339;
constexpr int k_rounds = 200000;

std::vector<std::string> real_lines() {
  std::vector<std::string> lines;
  for (const char* name : {"real-problems.tsv", "model-layers.tsv", "edge-cases.txt"}) {
    std::ifstream file(std::string(CONVOY_SOURCE_DIR "/shapes/") + name);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  return lines;
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, std::vector<std::string> lines) : engine_(seed), lines_(std::move(lines)) {}

  std::string next() {
    std::string text = pick();
    for (std::size_t rounds = below(4); rounds > 0; --rounds) mutate(text);
    return text;
  }

 private:
  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_); }
  const std::string& pick() { return lines_[below(lines_.size())]; }

  static std::string from(const std::string& text, std::size_t at) { return text.substr(std::min(at, text.size())); }

  void mutate(std::string& text) {
    constexpr const char* k_pieces[] = {"\n",         "\t",
                                        "\"",         "`",
                                        " -",         "--",
                                        "=",          ":",
                                        "x",          "0",
                                        "-1",         "\\\n",
                                        "\r\n",       "*",
                                        " -F 0 ",     " -m trans ",
                                        " -I NHWC ",  " -z same ",
                                        ":tr",        ":opad1x1",
                                        ":ys1x1x1x1", "9223372036854775807",
                                        "4294967296", "MIOpenDriver conv ",
                                        "fwd:f32:",   "\xc3"};
    const std::size_t at = below(text.size() + 1);
    switch (below(7)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1: text.resize(at); break;
      case 2: text.erase(0, at); break;
      case 3: text.insert(at, k_pieces[below(std::size(k_pieces))]); break;
      case 4: text = text.substr(0, at) + from(pick(), below(20)); break;
      case 5: text.erase(at, below(8)); break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
    }
  }

  std::mt19937_64 engine_;
  std::vector<std::string> lines_;
};

TEST(Mutation, WhateverIsAcceptedIsValidAndHasOneSpelling) {
  SCOPED_TRACE(k_seed);
  Mutator mutator(k_seed, real_lines());
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < k_rounds; ++i) {
    const std::string text = mutator.next();
    if (const Result<Problem> problem = parse_problem(text); problem) {
      ASSERT_NE(text.find(problem->to_string()), std::string::npos) << text;  // but for blanks around it
    }
    const ProblemList list = read_problems(text, "f");
    ASSERT_FALSE(list.problems.empty() && list.errors.empty()) << text;
    for (const SourcedProblem& sourced : list.problems) {
      ASSERT_TRUE(validate(sourced.problem)) << text;
      const Result<Problem> back = parse_problem(sourced.problem.to_string());
      ASSERT_TRUE(back) << text << "\n" << back.error().message;
      ASSERT_EQ(*back, sourced.problem) << text;
    }
    for (const InputError& error : list.errors) {
      ASSERT_FALSE(error.message.empty()) << text;
      ASSERT_TRUE(std::all_of(error.token.begin(), error.token.end(), [](char c) { return c >= ' ' && c <= '~'; }));
    }
    accepted += list.problems.empty() ? 0 : 1;
    refused += list.errors.empty() ? 0 : 1;
  }
  // Both ways are exercised.
  EXPECT_GT(accepted, k_rounds / 10);
  EXPECT_GT(refused, k_rounds / 10);
}

}  // namespace
}  // namespace convoy
