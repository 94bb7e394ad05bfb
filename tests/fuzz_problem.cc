// libFuzzer target for the two parsers of untrusted text. Build and run:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc tests/fuzz_problem.cc
//     $(ls src/problem/*.cc | grep -v _test) -lfmt -o fuzz_problem
//   ./fuzz_problem -max_len=400 corpus/
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "problem/driver_line.h"

namespace {

void require(bool held) {
  if (!held) std::abort();
}

void check(const convoy::Problem& problem) {
  require(convoy::validate(problem).has_value());
  require(convoy::validate(problem.lowered()).has_value());
  const convoy::Result<convoy::Problem> back = convoy::parse_problem(problem.to_string());
  require(back.has_value() && *back == problem);
  require(problem.bytes(convoy::TensorRole::y) >= 0 && problem.reduction_length() >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto problem = convoy::parse_problem(text); problem) {
    check(*problem);
    require(text.find(problem->to_string()) != std::string_view::npos);
  }
  const convoy::ProblemList list = convoy::read_problems(text, "fuzz");
  require(!list.problems.empty() || !list.errors.empty());
  for (const convoy::SourcedProblem& sourced : list.problems) check(sourced.problem);
  return 0;
}
