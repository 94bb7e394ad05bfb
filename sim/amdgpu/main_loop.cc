// A loop is a branch backwards and what lies between. Code that the compiler has moved out of it (rare paths) is not seen.
#include "main_loop.h"

#include <vector>

namespace convoy::amdgpu {
namespace {

struct Loop {
  uint64_t begin, end;  // words
};

bool is_branch(const Instruction& i) {
  return i.mnemonic.starts_with("s_cbranch_") || i.mnemonic == "s_branch";
}

std::vector<Loop> loops_of(const Code& code, uint64_t begin) {
  std::vector<Loop> loops;
  for (uint64_t at = begin; at < code.at.size(); at++) {
    const Instruction* i = code.at[at].get();
    if (!i) continue;
    // Kernels are padded with s_code_end; the next one begins behind it.
    if (i->mnemonic == "s_code_end") break;
    if (!is_branch(*i) || i->unknown) continue;
    const int64_t target = static_cast<int64_t>(at) + 1 + static_cast<int16_t>(i->operands[0].integer);
    if (target >= static_cast<int64_t>(begin) && target <= static_cast<int64_t>(at))
      loops.push_back({static_cast<uint64_t>(target), at + 1});
  }
  return loops;
}

bool is_innermost(const Loop& loop, const std::vector<Loop>& loops) {
  for (const Loop& other : loops) {
    const bool smaller = other.end - other.begin < loop.end - loop.begin;
    if (smaller && other.begin >= loop.begin && other.end <= loop.end) return false;
  }
  return true;
}

Statistics count(const Code& code, const Loop& loop) {
  Statistics s;
  for (uint64_t at = loop.begin; at < loop.end; at++) {
    const Instruction* i = code.at[at].get();
    if (!i) continue;
    s.instructions++;
    switch (i->kind) {
      case Class::fma: s.fma++; [[fallthrough]];
      case Class::valu: s.valu++; break;
      case Class::salu: s.salu++; break;
      case Class::smem: s.smem++; break;
      case Class::vmem: s.vmem++; break;
      case Class::lds: s.lds++; break;
      case Class::barrier: s.barrier++; break;
      case Class::other: s.other++; break;
    }
  }
  return s;
}

}  // namespace

Statistics find_main_loop(const Code& code, uint64_t entry) {
  Statistics best;
  const auto loops = loops_of(code, entry / 4);
  for (const Loop& loop : loops) {
    if (!is_innermost(loop, loops)) continue;
    const Statistics counted = count(code, loop);
    if (counted.fma > best.fma || best.instructions == 0) best = counted;
  }
  return best;
}

}  // namespace convoy::amdgpu
