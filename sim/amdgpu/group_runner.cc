// The scheduler, and the loop around every instruction.
#include "group_runner.h"

#include <bit>
#include <cinttypes>
#include <cstdio>

namespace convoy::amdgpu {
namespace {

constexpr uint32_t k_slice = 1 << 16;

void count(Wave& w, const Instruction& i) {
  Statistics& s = w.statistics;
  switch (i.kind) {
    case Class::fma: s.fma++; [[fallthrough]];
    case Class::valu: {
      const auto lanes = static_cast<uint64_t>(std::popcount(w.exec()));
      s.valu++;
      s.lanes += lanes;
      s.flops += lanes * i.flops;
      break;
    }
    case Class::salu: s.salu++; break;
    case Class::smem: s.smem++; break;
    case Class::vmem: s.vmem++; break;
    case Class::lds: s.lds++; break;
    case Class::barrier: s.barrier++; break;
    case Class::other: s.other++; break;
  }
}

}  // namespace

GroupRunner::GroupRunner(const Job& job) : job_(job) {
  group_.kernel = &job.kernel;
  group_.options = &job.launch.options;
}

void GroupRunner::run(uint64_t group) {
  const auto& groups = job_.launch.dims.groups;
  group_.id[0] = static_cast<uint32_t>(group % groups[0]);
  group_.id[1] = static_cast<uint32_t>(group / groups[0] % groups[1]);
  group_.id[2] = static_cast<uint32_t>(group / groups[0] / groups[1]);
  group_.lds.assign(job_.lds_bytes, 0xcd);
  if (job_.launch.options.race) group_.shadow.begin_group(job_.lds_bytes);

  const auto size = job_.size_of_group(group_.id);
  const auto width = static_cast<uint32_t>(job_.width);
  const uint32_t waves = (size[0] * size[1] * size[2] + width - 1) / width;
  while (waves_.size() < waves) waves_.push_back(std::make_unique<Wave>());
  for (uint32_t n = 0; n < waves; n++) {
    waves_[n]->group = &group_;
    waves_[n]->id = n;
    start_wave(job_, size, *waves_[n]);
  }
  for (uint32_t left = waves; left > 0;) {
    uint32_t waiting = 0;
    for (uint32_t n = 0; n < waves; n++) {
      Wave& w = *waves_[job_.launch.options.reverse ? waves - 1 - n : n];
      if (w.ended) continue;
      if (!w.at_barrier) run_slice(w);
      if (w.ended)
        left--;
      else if (w.at_barrier)
        waiting++;
    }
    if (waiting < left) continue;
    group_.shadow.pass_barrier();
    for (uint32_t n = 0; n < waves; n++) waves_[n]->at_barrier = false;
  }
  for (uint32_t n = 0; n < waves; n++) statistics_ += waves_[n]->statistics;
}

void GroupRunner::run_slice(Wave& w) {
  const Code& code = job_.code;
  const bool statistics = w.statistics_on, traces = job_.launch.options.trace;
  w.yields = false;
  for (uint32_t n = 0; n < k_slice && !w.ended && !w.at_barrier && !w.yields; n++) {
    const uint64_t offset = w.pc - code.base;
    const Instruction* i = offset < code.size && offset % 4 == 0 ? code.at[offset / 4].get() : nullptr;
    w.current = i;
    if (!i) w.fault("the program counter left the code");
    w.statistics.instructions++;
    if (statistics) count(w, *i);
    if (traces) trace(w);
    w.pc += i->size;
    i->run(w, *i);
  }
}

void GroupRunner::trace(const Wave& w) const {
  if (w.id || group_.id[0] || group_.id[1] || group_.id[2]) return;
  std::fprintf(stderr, "%6" PRIx64 " exec=%016" PRIx64 " %s\n", w.pc - w.code->base, w.exec(), w.current->text.c_str());
}

}  // namespace convoy::amdgpu
