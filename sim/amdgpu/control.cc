// Control flow: branches, calls, barriers, exec; and what has no effect here (waits, hints, caches, modes).
#include <atomic>

#include "table.h"

namespace convoy::amdgpu {
namespace {

// The offset counts words from the next instruction, where pc stands already.
int64_t distance(const Operand& o) {
  return 4 * static_cast<int64_t>(static_cast<int16_t>(o.integer));
}

template <typename Condition>
void branch(Wave& w, const Instruction& i) {
  if (Condition{}(w)) w.pc += static_cast<uint64_t>(distance(i.operands[0]));
}

// s_and_saveexec and its kin: the old exec is saved, the new one comes of it and the source.
template <typename F>
void save_exec(Wave& w, const Instruction& i) {
  const uint64_t exec = w.exec(), mask = F{}(w.read_mask(i.operands[1]), exec) & w.full();
  w.write_mask(i.operands[0].index, exec);
  w.set_exec(mask);
  w.scalars[scalar::scc] = mask != 0;
}

// s_andn1_wrexec and its kin: the new exec is also the result.
template <typename F>
void write_exec(Wave& w, const Instruction& i) {
  const uint64_t mask = F{}(w.read_mask(i.operands[1]), w.exec()) & w.full();
  w.set_exec(mask);
  w.write_mask(i.operands[0].index, mask);
  w.scalars[scalar::scc] = mask != 0;
}

void whole_quads(Wave& w, const Instruction& i) {
  const uint64_t mask = w.read_mask(i.operands[1]);
  uint64_t quads = 0;
  for (int lane = 0; lane < 64; lane += 4) {
    if (mask >> lane & 15) quads |= 15ull << lane;
  }
  w.write_mask(i.operands[0].index, quads);
  w.scalars[scalar::scc] = quads != 0;
}

// There is no clock: it moves on by 64 with each look.
void read_clock(Wave& w, const Instruction& i) {
  static std::atomic<uint64_t> now{0};
  w.write64(i.operands[0].index, now += 64);
}

void add_exec(Table& t) {
  const auto saves = [&](std::initializer_list<const char*> names, auto f) {
    for (const char* name : names) {
      for (const char* bits : {"_saveexec_b32", "_saveexec_b64"}) {
        t.add(std::string("s_") + name + bits, {save_exec<decltype(f)>, Class::salu});
      }
    }
  };
  // not1 and not0 are gfx11's names: source and not exec; not source and exec.
  saves({"and"}, [](uint64_t a, uint64_t exec) { return a & exec; });
  saves({"or"}, [](uint64_t a, uint64_t exec) { return a | exec; });
  saves({"xor"}, [](uint64_t a, uint64_t exec) { return a ^ exec; });
  saves({"andn2", "and_not1"}, [](uint64_t a, uint64_t exec) { return a & ~exec; });
  saves({"orn2", "or_not1"}, [](uint64_t a, uint64_t exec) { return a | ~exec; });
  saves({"andn1", "and_not0"}, [](uint64_t a, uint64_t exec) { return ~a & exec; });
  saves({"orn1", "or_not0"}, [](uint64_t a, uint64_t exec) { return ~a | exec; });
  saves({"nand"}, [](uint64_t a, uint64_t exec) { return ~(a & exec); });
  saves({"nor"}, [](uint64_t a, uint64_t exec) { return ~(a | exec); });
  saves({"xnor"}, [](uint64_t a, uint64_t exec) { return ~(a ^ exec); });
  const auto writes = [&](const std::string& name, auto f) {
    for (const char* bits : {"_b32", "_b64"}) t.add(name + bits, {write_exec<decltype(f)>, Class::salu});
  };
  writes("s_andn1_wrexec", [](uint64_t a, uint64_t exec) { return ~a & exec; });
  writes("s_andn2_wrexec", [](uint64_t a, uint64_t exec) { return a & ~exec; });
  t.add("s_wqm_b32", {whole_quads, Class::salu});
  t.add("s_wqm_b64", {whole_quads, Class::salu});
}

void add_branches(Table& t) {
  const auto add = [&](const char* name, auto condition) { t.add(name, {branch<decltype(condition)>, Class::salu}); };
  add("s_branch", [](Wave&) { return true; });
  add("s_cbranch_scc0", [](Wave& w) { return w.scalars[scalar::scc] == 0; });
  add("s_cbranch_scc1", [](Wave& w) { return w.scalars[scalar::scc] != 0; });
  add("s_cbranch_vccz", [](Wave& w) { return w.vcc() == 0; });
  add("s_cbranch_vccnz", [](Wave& w) { return w.vcc() != 0; });
  add("s_cbranch_execz", [](Wave& w) { return w.exec() == 0; });
  add("s_cbranch_execnz", [](Wave& w) { return w.exec() != 0; });
  t.add("s_getpc_b64", {[](Wave& w, const Instruction& i) { w.write64(i.operands[0].index, w.pc); }, Class::salu});
  t.add("s_setpc_b64", {[](Wave& w, const Instruction& i) { w.pc = w.read64(i.operands[0]); }, Class::salu});
  t.add("s_swappc_b64", {[](Wave& w, const Instruction& i) {
                           const uint64_t target = w.read64(i.operands[1]);
                           w.write64(i.operands[0].index, w.pc);
                           w.pc = target;
                         },
                         Class::salu});
  t.add("s_call_b64", {[](Wave& w, const Instruction& i) {
                         w.write64(i.operands[0].index, w.pc);
                         w.pc += static_cast<uint64_t>(distance(i.operands[1]));
                       },
                       Class::salu});
}

}  // namespace

void do_nothing(Wave&, const Instruction&) {}

void add_control(Table& t) {
  add_branches(t);
  add_exec(t);
  t.add("s_endpgm", {[](Wave& w, const Instruction&) { w.ended = true; }, Class::other});
  t.add("s_barrier", {[](Wave& w, const Instruction&) { w.at_barrier = true; }, Class::barrier});
  for (const char* name : {"s_memtime", "s_memrealtime"}) t.add(name, {read_clock, Class::smem});
  // Memory is in order and coherent here, so nothing has to be waited for or written back: a missing wait is not found. Modes of
  // rounding and denormals are not modelled, nor are priorities and messages.
  for (const char* name : {"v_nop",
                           "s_nop",
                           "ds_nop",
                           "s_waitcnt",
                           "s_waitcnt_vscnt",
                           "s_waitcnt_vmcnt",
                           "s_waitcnt_lgkmcnt",
                           "s_waitcnt_expcnt",
                           "s_waitcnt_depctr",
                           "s_delay_alu",
                           "s_clause",
                           "s_inst_prefetch",
                           "s_set_inst_prefetch_distance",
                           "s_sendmsg",
                           "s_setprio",
                           "s_sleep",
                           "s_dcache_wb",
                           "s_dcache_inv",
                           "s_gl1_inv",
                           "s_icache_inv",
                           "s_denorm_mode",
                           "s_round_mode",
                           "s_setreg_b32",
                           "s_setreg_imm32_b32",
                           "s_code_end",
                           "s_ttracedata",
                           "s_version",
                           "buffer_gl0_inv",
                           "buffer_gl1_inv",
                           "buffer_wbinvl1",
                           "buffer_wbinvl1_vol",
                           "buffer_wbl2",
                           "buffer_invl2",
                           "s_sethalt",
                           "v_pipeflush",
                           "s_wait_idle",
                           "s_incperflevel",
                           "s_decperflevel"}) {
    t.add(name, {do_nothing, Class::other});
  }
}

}  // namespace convoy::amdgpu
