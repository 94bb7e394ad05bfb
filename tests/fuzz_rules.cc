// libFuzzer target for files of device rules. Build and run:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc tests/fuzz_rules.cc src/rules/{parse,range,rule}.cc
//     $(ls src/problem/*.cc | grep -v _test) -lfmt -o fuzz_rules
//   mkdir corpus && cp rules/devices.json corpus && ./fuzz_rules -max_len=20000 corpus
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "rules/parse.h"

namespace {

void require(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const convoy::RuleVocabulary vocabulary{
      {"vendor", "own", "generic", "cpu", "miopen"}, {"winograd"}, {"auto", "gemm"}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const convoy::ParsedRules parsed = convoy::parse_rules(text, "fuzz", vocabulary);
  for (const std::string& problem : parsed.problems) require(problem.starts_with("fuzz: ") && problem.size() < 2000);
  for (const convoy::DeviceRule& rule : parsed.rules) {
    if (rule.disabled) continue;
    require(applies(rule.machine, rule.example.machine));
    require(!rule.problem.any() || (rule.example.problem && applies(rule.problem, *rule.example.problem)));
    for (const convoy::RuleSetting& one : rule.effects.environment) require(one.value.find('\'') == std::string::npos);
  }
  return 0;
}
