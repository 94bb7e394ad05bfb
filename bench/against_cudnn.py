#!/usr/bin/env python3
# Convoy on an NVIDIA GPU against cuDNN and against PyTorch without it, in fp32 without TF32, in one process on the same
# memory. Every side is timed alike: a CUDA graph of several calls on one stream, replayed; the median of the replays. (PyTorch
# without cuDNN cannot always be recorded: then by events around plain calls.) Convoy's packing of weights is part of its time.
"""Reads lines "name problem" and measures forward, backward data and backward weights of each."""

import argparse
import json
import math
import statistics
import sys
import tempfile

try:
    import torch
except ImportError as error:
    sys.exit(f"against_cudnn.py needs PyTorch for CUDA (pip install torch): {error}")

from convoy_library import Call, Convoy, Shape
from cudnn import Cudnn

REPLAYS = 7
ROW_MS = 2.0  # of calls in one graph
TOLERANCE = 1e-4  # largest difference over largest value


def directions(text):
    return [text.replace("fwd:", direction + ":", 1) for direction in ("fwd", "bwd", "wrw")]


def timed(run):
    """Milliseconds between events around run()."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end)


def by_events(call, budget_ms=300):
    call()
    once = timed(call)
    samples = [timed(call) for _ in range(max(1, min(REPLAYS, int(budget_ms / max(once, 1e-3)))))]
    return statistics.median(samples)


def by_graph(call):
    """Milliseconds of one call."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        call()
        once = timed(call)
    stream.synchronize()
    count = max(1, min(50, int(ROW_MS / max(once, 1e-3))))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(count):
            call()
    with torch.cuda.stream(stream):
        graph.replay()
        samples = [timed(graph.replay) / count for _ in range(REPLAYS)]
    stream.synchronize()
    return statistics.median(samples)


class Measurement:
    def __init__(self, text):
        self.shape = Shape(text)
        torch.manual_seed(1)
        self.x, self.w, self.y = (torch.randn(size, device="cuda") for size in (self.shape.x, self.shape.w, self.shape.y))

    def torch_call(self):
        s = self.shape
        if s.direction == "fwd":
            convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[len(s.pad) - 1]
            return lambda: convolve(self.x, self.w, None, s.stride, s.pad, s.dilation, s.groups)
        mask = [s.direction == "bwd", s.direction == "wrw", False]
        backward = torch.ops.aten.convolution_backward
        return lambda: backward(self.y, self.x, self.w, None, s.stride, s.pad, s.dilation, False, [0] * len(s.pad),
                                s.groups, mask)[mask.index(True)]

    def torch_ms(self):
        """cuDNN as PyTorch finds it: the better of its two searches."""
        times = []
        for limit in (10, 0):
            torch.backends.cudnn.benchmark_limit = limit
            torch.backends.cudnn.benchmark = True
            times.append(by_graph(self.torch_call()))
        return min(times)

    def without_cudnn_ms(self):
        with torch.backends.cudnn.flags(enabled=False):
            try:
                return by_graph(self.torch_call())
            except RuntimeError:
                torch.cuda.synchronize()
                return by_events(self.torch_call())

    def cudnn_ms(self, cudnn):
        """{algorithm: milliseconds} of the legacy interface. Overwrites a copy of the output tensor."""
        tensors = {"x": self.x, "w": self.w, "y": self.y}
        tensors[self.shape.output] = torch.empty_like(tensors[self.shape.output])
        times = {}
        for algorithm, run in cudnn.calls(self.shape, **tensors):
            try:
                times[algorithm] = by_graph(run)
            except RuntimeError:
                torch.cuda.synchronize()
        return times

    def convoy_ms(self, convoy, expected):
        """Milliseconds, the difference from `expected`, and the solver."""
        plan = convoy.plan(self.shape.text)
        try:
            convoy.prepare(plan)
            size = convoy.workspace_bytes(plan)
            workspace = torch.empty(max(size, 64), dtype=torch.uint8, device="cuda")
            tensors = {"x": self.x, "w": self.w, "y": self.y}
            output = tensors[self.shape.output] = torch.full_like(tensors[self.shape.output], math.nan)
            call = Call(**{name: tensor.data_ptr() for name, tensor in tensors.items()},
                        workspace=workspace.data_ptr(), workspace_bytes=size)

            def run():
                call.stream = torch.cuda.current_stream().cuda_stream
                convoy.enqueue(plan, call)

            milliseconds = by_graph(run)
            error = float((output - expected).abs().max() / expected.abs().max())
            report = next(one for one in convoy.statistics()["per_problem"] if one["problem"] == self.shape.text)
            return milliseconds, error, f"{report['solver']} {report.get('detail', '')}".strip()
        finally:
            convoy.library.convoy_plan_destroy(plan)


def measure(name, text, convoy, cudnn):
    one = Measurement(text)
    expected = one.torch_call()()
    convoy_ms, error, solver = one.convoy_ms(convoy, expected)
    algorithms = one.cudnn_ms(cudnn)
    torch_ms = one.torch_ms()
    best, best_ms = min([("as PyTorch finds it", torch_ms), *algorithms.items()], key=lambda pair: pair[1])
    plain_ms = one.without_cudnn_ms()
    return {"name": name, "problem": text, "direction": one.shape.direction, "gflop": one.shape.flops / 1e9,
            "us_convoy": convoy_ms * 1e3, "us_torch_cudnn": torch_ms * 1e3, "us_best_cudnn": best_ms * 1e3,
            "best_cudnn": best, "us_without_cudnn": plain_ms * 1e3, "ratio_best": best_ms / convoy_ms,
            "ratio_torch": torch_ms / convoy_ms, "ratio_without": plain_ms / convoy_ms,
            "tflops": one.shape.flops / convoy_ms / 1e9, "error": error, "agrees": error <= TOLERANCE, "solver": solver}


HEAD = (f"{'':<26} {'':<4} {'us Convoy':>9} {'TF/s':>5} {'us best':>8} {'us torch':>8} {'us plain':>9} {'best/C':>6} "
        f"{'torch/C':>7} {'plain/C':>7} {'error':>7}  best cuDNN; Convoy's solver")


def row_line(row):
    return (f"{row['name']:<26} {row['direction']:<4} {row['us_convoy']:9.1f} {row['tflops']:5.1f} {row['us_best_cudnn']:8.1f} "
            f"{row['us_torch_cudnn']:8.1f} {row['us_without_cudnn']:9.1f} {row['ratio_best']:6.2f} {row['ratio_torch']:7.2f} "
            f"{row['ratio_without']:7.2f} {row['error']:7.1e}  {row['best_cudnn']}; {row['solver']}"
            + ("" if row["agrees"] else "; THE NUMBERS DIFFER, not counted"))


def summary(rows):
    yield "Geometric means, above 1: Convoy is faster"
    yield f"{'':<6} {'shapes':>6} {'best cuDNN / Convoy':>20} {'torch / Convoy':>15} {'without cuDNN / Convoy':>23}"
    for direction in ("fwd", "bwd", "wrw"):
        chosen = [row for row in rows if row["direction"] == direction and row["agrees"]]
        if chosen:
            means = [math.exp(statistics.fmean(math.log(row[key]) for row in chosen))
                     for key in ("ratio_best", "ratio_torch", "ratio_without")]
            yield f"{direction:<6} {len(chosen):6} {means[0]:20.3f} {means[1]:15.3f} {means[2]:23.2f}"
    yield f"results that differ: {sum(not row['agrees'] for row in rows)}"


def main():
    parser = argparse.ArgumentParser(description="Times Convoy against cuDNN on an NVIDIA GPU, fp32 without TF32.")
    parser.add_argument("shapes", nargs="?", type=argparse.FileType(), default="bench/cudnn-shapes.txt")
    parser.add_argument("--library", default="build/libconvoy.so")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--only", default="", help="a direction, or part of a name")
    parser.add_argument("--setting", action="append", default=[], help="key=value for Convoy")
    parser.add_argument("--json", type=argparse.FileType("w"), help="write one JSON line for each row")
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.inference_mode().__enter__()
    torch.zeros(1, device="cuda")  # the context that all sides share
    cudnn = Cudnn()
    rows = []
    with tempfile.TemporaryDirectory(prefix="convoy-bench-") as folder:
        # The user's own databases stay untouched, and every run decides anew.
        convoy = Convoy(options.library, [f"cache_dir={folder}", "system_cache_dirs=", "find=find", *options.setting], options.device)
        print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__} with cuDNN "
              f"{torch.backends.cudnn.version()}, legacy interface of {cudnn.version}")
        print(HEAD)
        for line in options.shapes:
            if line.startswith("#") or not line.strip():
                continue
            name, forward = line.split()
            for text in directions(forward):
                if options.only not in name and not text.startswith(options.only):
                    continue
                row = measure(name, text, convoy, cudnn)
                torch.cuda.empty_cache()
                rows.append(row)
                print(row_line(row), flush=True)
                if options.json:
                    options.json.write(json.dumps(row) + "\n")
                    options.json.flush()
        convoy.close()
    print("\nSummary")
    print("\n".join(summary(rows)))
    return 0 if all(row["agrees"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
