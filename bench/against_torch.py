#!/usr/bin/env python3
# Convoy against PyTorch on the CPU: the same problems on the same memory in one process, in alternating pairs. Convoy is
# called through its C interface. The numbers are compared first, so that a wrong result cannot win. PyTorch allocates its
# result in every call, as it does for everybody; Convoy writes into one tensor of the caller's.
"""Reads canonical problem strings, one per line (against_onednn --list), from a file or standard input."""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time

try:
    import torch
except ImportError as error:
    sys.exit(f"against_torch.py needs PyTorch (pip install torch): {error}")

from convoy_library import Convoy, Shape

LEAST_PAIRS, MOST_PAIRS = 5, 200
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}  # PyTorch 1.13 has no f16 convolution on the CPU
# Largest difference over largest value: both sides round, in an order of their own, and Winograd transforms.
TOLERANCES = {"f32": 1e-4, "bf16": 2e-2}


class Problem(Shape):
    """A problem and its tensors."""

    def __init__(self, text):
        super().__init__(text)
        if self.dtype not in DTYPES:
            raise ValueError("only f32 and bf16")
        torch.manual_seed(1)
        self.x, self.w, self.y = (torch.randn(shape).to(DTYPES[self.dtype]) for shape in (self.x, self.w, self.y))

    def torch_call(self):
        if self.direction == "fwd":
            convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[len(self.pad) - 1]
            return lambda: convolve(self.x, self.w, None, self.stride, self.pad, self.dilation, self.groups)
        mask = [self.direction == "bwd", self.direction == "wrw", False]
        backward = torch.ops.aten.convolution_backward
        return lambda: backward(self.y, self.x, self.w, None, self.stride, self.pad, self.dilation, False,
                                [0] * len(self.pad), self.groups, mask)[mask.index(True)]

    def convoy_call(self, convoy, plan):
        """The call, and the tensor that it fills."""
        tensors = {"x": self.x, "w": self.w, "y": self.y,
                   self.output: torch.full_like(getattr(self, self.output), math.nan)}
        return convoy.runner(plan, **tensors), tensors[self.output]


def robust_centre(samples):
    """Mean of what lies within three median deviations of the median: src/base/timing.h."""
    centre = statistics.median(samples)
    spread = statistics.median(abs(sample - centre) for sample in samples)
    return statistics.fmean(sample for sample in samples if abs(sample - centre) <= 3 * spread)


def time_pairs(theirs, ours, budget_ms, clock):
    def milliseconds(call):
        begin = clock()
        call()
        return (clock() - begin) * 1e3

    torch_ms, convoy_ms = [], []
    begin = time.perf_counter()
    while len(torch_ms) < LEAST_PAIRS or (len(torch_ms) < MOST_PAIRS and (time.perf_counter() - begin) * 1e3 < budget_ms):
        # In alternating order, so that neither side always finds the caches as the other left them.
        if len(torch_ms) % 2 == 0:
            torch_ms.append(milliseconds(theirs))
            convoy_ms.append(milliseconds(ours))
        else:
            convoy_ms.append(milliseconds(ours))
            torch_ms.append(milliseconds(theirs))
    return torch_ms, convoy_ms


def compare(convoy, text, budget_ms, clock):
    problem = Problem(text)
    plan = convoy.plan(text)
    try:
        theirs = problem.torch_call()
        ours, output = problem.convoy_call(convoy, plan)
        ours()
        expected = theirs().float()
        error = float((output.float() - expected).abs().max() / expected.abs().max())
        torch_ms, convoy_ms = time_pairs(theirs, ours, budget_ms, clock)
        row = {"problem": text, "gflop": problem.flops / 1e9, "ms_torch": robust_centre(torch_ms),
               "ms_convoy": robust_centre(convoy_ms), "pairs": len(torch_ms),
               "ratio": robust_centre([b / a for a, b in zip(torch_ms, convoy_ms)]),
               "error": error, "agrees": error <= TOLERANCES[problem.dtype],
               "solver": convoy.solver(plan)}
        row["gflops_torch"] = row["gflop"] / row["ms_torch"] * 1e3
        row["gflops_convoy"] = row["gflop"] / row["ms_convoy"] * 1e3
        return row
    finally:
        convoy.library.convoy_plan_destroy(plan)


def row_line(row):
    return (f"{row['ms_torch']:9.4f} {row['ms_convoy']:9.4f} {row['ratio']:6.3f} {row['gflops_torch']:7.1f} "
            f"{row['gflops_convoy']:7.1f} {row['error']:8.1e}  {row['problem']}; {row['solver']}"
            + ("" if row["agrees"] else "; THE NUMBERS DIFFER, not counted"))


HEAD = f"{'ms torch':>9} {'ms Convoy':>9} {'ratio':>6} {'GF/s t.':>7} {'GF/s C.':>7} {'error':>8}  problem; solver"


def summary(rows):
    yield f"{'Convoy / PyTorch':<22} {'problems':>8} {'ratio':>8} {'ms torch':>12} {'ms Convoy':>12} {'slower':>10}"
    groups = [("all", lambda row: True)]
    groups += [(f"{name} {dtype}", lambda row, start=f"{name}:{dtype}:": row["problem"].startswith(start))
               for dtype in DTYPES for name in ("fwd", "bwd", "wrw")]
    groups += [("about 1 ms (0.5 to 2)", lambda row: 0.5 <= row["ms_torch"] <= 2),
               ("1 ms and more", lambda row: row["ms_torch"] >= 1)]
    for name, member in groups:
        chosen = [row for row in rows if row["agrees"] and member(row)]
        if not chosen:
            continue
        ratio = math.exp(statistics.fmean(math.log(row["ratio"]) for row in chosen))
        yield (f"{name:<22} {len(chosen):8} {ratio:8.3f} {sum(row['ms_torch'] for row in chosen):12.1f} "
               f"{sum(row['ms_convoy'] for row in chosen):12.1f} {sum(row['ratio'] > 1.02 for row in chosen):10}")
    yield f"results that differ: {sum(not row['agrees'] for row in rows)}"
    slow = sorted((row for row in rows if row["agrees"] and row["ms_torch"] >= 1 and row["ratio"] > 1.02),
                  key=lambda row: -row["ratio"])
    if slow:
        yield f"\nOf 1 ms and more, where Convoy is slowest ({min(10, len(slow))} of {len(slow)}):"
        yield HEAD
        yield from map(row_line, slow[:10])


def main():
    parser = argparse.ArgumentParser(description="Times Convoy against PyTorch on the CPU.")
    parser.add_argument("problems", nargs="?", type=argparse.FileType(), default=sys.stdin, help="canonical strings (default: standard input)")
    parser.add_argument("--library", default="build/libconvoy.so")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--ms", type=float, default=200, help="milliseconds of pairs for each problem, 5 to 200 pairs")
    parser.add_argument("--cpu-time", action="store_true",
                        help="processor time instead of the wall's, for busy machines; needs --threads 1")
    parser.add_argument("--json", type=argparse.FileType("w"), help="write one JSON line for each problem")
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time needs --threads 1")
    clock = time.thread_time if options.cpu_time else time.perf_counter
    torch.set_num_threads(options.threads)
    rows = []
    with tempfile.TemporaryDirectory(prefix="convoy-bench-") as folder, torch.inference_mode():
        # The user's own databases stay untouched, and every run decides anew.
        convoy = Convoy(options.library, [f"threads={options.threads}", f"cache_dir={folder}", "system_cache_dirs="])
        print(HEAD)
        for line in options.problems:
            try:
                row = compare(convoy, line.strip(), options.ms, clock)
            except (ValueError, RuntimeError) as error:
                print(f"left out: {line.strip()}: {error}")
                continue
            rows.append(row)
            print(row_line(row), flush=True)
            if options.json:
                options.json.write(json.dumps(row) + "\n")
        convoy.close()
    print("\nSummary")
    print("\n".join(summary(rows)))
    return 0 if all(row["agrees"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
