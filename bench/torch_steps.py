#!/usr/bin/env python3
# Whole steps of whole networks, plain PyTorch against Convoy on, as users would see it: inference and training in one
# process, in pairs whose order alternates. What both compute is compared first. On a GPU the times are CUDA events'.
"""Times ResNet-50, Stable Diffusion's autoencoder and a video decoder with and without Convoy."""

import argparse
import collections
import contextlib
import functools
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time

try:
    import torch
except ImportError as error:
    sys.exit(f"torch_steps.py needs PyTorch (pip install torch): {error}")

import convoy  # PYTHONPATH: the package's folder, see README.md

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torch", "tests"))
import models  # noqa: E402

WARM_UP = 5
# Norm of the difference over norm, of outputs or of all gradients: a whole network's rounding, in which ReLUs fall on
# their other side; the second with fewer bits. Of gradients that have nothing to do with each other it would be 1.4.
TOLERANCE, COARSE_TOLERANCE = 5e-2, 7e-1


class Autoencoder(torch.nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.encoder, self.decoder = models.ImageEncoder(**sizes), models.ImageDecoder(**sizes)

    def forward(self, x):
        return self.decoder(self.encoder(x).chunk(2, 1)[0])


Workload = collections.namedtuple("Workload", "build shape cpu_shape train autocast")
SMALL = dict(channels=(16, 32, 32, 32), groups=8, blocks=1)


def workloads(on_gpu):
    """Networks in the sizes that people run; on the CPU in sizes that a few cores get through."""
    resnet = lambda: models.torchvision.models.resnet50()
    autoencoder = {} if on_gpu else SMALL
    decoder = lambda: models.ImageDecoder(**autoencoder)
    video = lambda: models.VideoDecoder(*(() if on_gpu else ((8, 16, 16, 16),)))
    image, small_image = (64, 3, 224, 224), (4, 3, 64, 64)
    return {
        "resnet50-train": Workload(resnet, image, small_image, True, False),
        "resnet50-train-bf16": Workload(resnet, image, small_image, True, True),
        "resnet50-infer": Workload(resnet, image, small_image, False, False),
        "sd-vae-decode": Workload(decoder, (1, 4, 64, 64), (1, 4, 8, 8), False, False),
        "sd-vae-train": Workload(lambda: Autoencoder(**autoencoder), (2, 3, 256, 256), (1, 3, 32, 32), True, False),
        "video-vae-decode": Workload(video, (1, 4, 5, 32, 32), (1, 4, 2, 4, 4), False, False),
        "video-vae-train": Workload(video, (1, 4, 4, 16, 16), (1, 4, 2, 4, 4), True, False),
    }


class Step:
    """One step of a workload on a device, and what it computes."""

    def __init__(self, workload, device):
        torch.manual_seed(1)
        self.train, self.device = workload.train, device
        self.model = workload.build().to(device).train(workload.train)
        self.x = torch.randn(workload.shape if device == "cuda" else workload.cpu_shape, device=device)
        # Parameters hardly move: every step of every contestant computes the same.
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-12, momentum=0.9)
        autocast = functools.partial(torch.autocast, device, torch.bfloat16)
        self.autocast = autocast if workload.autocast else contextlib.nullcontext

    def __call__(self):
        if not self.train:
            with torch.inference_mode(), self.autocast():
                return self.model(self.x)
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            loss = models.loss_of(self.model(self.x))
        loss.backward()
        self.optimizer.step()
        return loss

    def results(self):
        """The output, or all gradients."""
        output = self()
        if not self.train:
            return [output.float().clone()]
        return [one.grad.float().clone() for one in self.model.parameters()]

    def milliseconds(self):
        if self.device == "cpu":
            begin = time.perf_counter()
            self()
            return (time.perf_counter() - begin) * 1e3
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        self()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)


@contextlib.contextmanager
def contestant(name, settings):
    """Plain PyTorch, PyTorch without cuDNN or MIOpen, or Convoy."""
    if name == "convoy":
        convoy.enable(**settings)
    former = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = former and name != "cudnn-off"
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = former
        convoy.disable()


def norm(tensors):
    return math.sqrt(sum(float(one.double().square().sum()) for one in tensors))


def difference(actual, expected):
    return norm([one - other for one, other in zip(actual, expected)]) / norm(expected)


def quartiles(values):
    values = sorted(values)
    return [values[round(part * (len(values) - 1))] for part in (0.25, 0.5, 0.75)]


def warm_up(step, name, settings):
    """Results, and milliseconds of the first step, which is where everybody chooses."""
    with contestant(name, settings):
        begin = time.perf_counter()
        results = step.results()
        first = (time.perf_counter() - begin) * 1e3
        for _ in range(WARM_UP):
            step.milliseconds()
    return results, first


def measure(name, workload, options, settings):
    step = Step(workload, options.device)
    names = ["plain", "convoy"] + (["cudnn-off"] if options.cudnn_off else [])
    results, first_ms = {}, {}
    for one in names:
        results[one], first_ms[one] = warm_up(step, one, settings)
    error = difference(results["convoy"], results["plain"])
    del results
    times = {one: [] for one in names}
    for pair in range(options.pairs):
        # In alternating order, so that nobody always finds the caches as the same other left them.
        for one in names if pair % 2 == 0 else names[::-1]:
            with contestant(one, settings):
                times[one].append(step.milliseconds())
    row = {"workload": name, "error": error, "first_ms": first_ms, "pairs": options.pairs}
    row["agrees"] = error <= (COARSE_TOLERANCE if workload.autocast or options.allow_tf32 else TOLERANCE)
    row["ms"] = {one: statistics.median(samples) for one, samples in times.items()}
    for other in names[:1] + names[2:]:
        row[f"ratio_to_{other}"] = quartiles([b / a for a, b in zip(times[other], times["convoy"])])
    return row


def what_served(settings):
    """Calls per solver, and fallbacks, of all workloads so far."""
    with contestant("convoy", settings):
        stats = convoy.stats()
    calls = collections.Counter()
    for one in stats["problems"]:
        calls[one["solver"]] += one["calls"]
    return {"calls": dict(calls), "fallbacks": sum(1 for one in stats["problems"] if one["fallbacks"])}


HEAD = f"{'workload':<20} {'ms plain':>10} {'ms Convoy':>10} {'ratio':>7} {'quartiles':>15} {'first s':>8} {'error':>8}"


def row_line(row):
    low, ratio, high = row["ratio_to_plain"]
    text = f"{row['workload']:<20} {row['ms']['plain']:10.3f} {row['ms']['convoy']:10.3f} {ratio:7.3f} "
    text += f"{low:7.3f} {high:7.3f} {row['first_ms']['convoy'] / 1e3:8.2f} {row['error']:8.1e}"
    if "cudnn-off" in row["ms"]:
        text += f"; without cuDNN {row['ms']['cudnn-off']:.3f} ms, Convoy's ratio {row['ratio_to_cudnn-off'][1]:.3f}"
    return text + ("" if row["agrees"] else "; THE NUMBERS DIFFER, not counted")


def describe(options):
    """The machine, the versions, and what PyTorch was told."""
    on = torch.cuda.get_device_name() if options.device == "cuda" else f"{platform.machine()}, CPU"
    told = {"tf32": options.allow_tf32, "benchmark": options.benchmark, "find": options.find, "fault": options.fault}
    about = {"machine": on, "torch": torch.__version__, "convoy": convoy.__version__}
    about.update(threads=torch.get_num_threads())
    if options.device == "cuda":
        about.update(cuda=torch.version.cuda or torch.version.hip, cudnn=torch.backends.cudnn.version())
    return {**about, **told}


def parse():
    parser = argparse.ArgumentParser(description="Times steps of networks, plain PyTorch against Convoy on.")
    parser.add_argument("--models", nargs="+", metavar="NAME", help=f"of {', '.join(workloads(True))}; default: all")
    parser.add_argument("--pairs", type=int, default=30, help="timed steps of each contestant")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--allow-tf32", action="store_true", help="TF32 in convolutions and matrix products")
    precision.add_argument("--strict", action="store_true", help="no TF32 (default)")
    parser.add_argument("--benchmark", action="store_true", help="torch.backends.cudnn.benchmark for all contestants")
    parser.add_argument("--cudnn-off", action="store_true", help="a third contestant: PyTorch without cuDNN or MIOpen")
    parser.add_argument("--find", default="auto", help="Convoy's setting: auto, find, dynamic_hybrid or immediate")
    parser.add_argument("--fault", default="", help="Convoy's setting, for example torch:error: what do others cost?")
    parser.add_argument("--json", type=argparse.FileType("w"), help="write one JSON line for each workload")
    options = parser.parse_args()
    unknown = set(options.models or []) - set(workloads(True))
    if unknown or options.pairs < 3:
        parser.error(f"no workload {', '.join(unknown)}" if unknown else "--pairs must be at least 3")
    return options


def main():
    options = parse()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.allow_tf32
    torch.backends.cudnn.benchmark = options.benchmark
    print(", ".join(f"{key} {value}" for key, value in describe(options).items() if value != ""))
    print(HEAD)
    rows = []
    with tempfile.TemporaryDirectory(prefix="convoy-bench-") as folder:
        # The user's own databases stay untouched, and every run decides anew.
        settings = dict(cache_dir=folder, system_cache_dirs="", find=options.find)
        settings.update({"fault": options.fault} if options.fault else {})
        for name, workload in workloads(options.device == "cuda").items():
            if options.models and name not in options.models:
                continue
            if name.startswith("resnet") and models.torchvision is None:
                print(f"left out: {name}: {models.WITHOUT_TORCHVISION}")
                continue
            rows.append(measure(name, workload, options, settings))
            print(row_line(rows[-1]), flush=True)
            if options.json:
                options.json.write(json.dumps({**describe(options), **rows[-1]}) + "\n")
        print(f"\nServed: {json.dumps(what_served(settings))}")
    return 0 if all(row["agrees"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
