#!/usr/bin/env python3
# Distributed training with Convoy: the ranks of one machine share one cold cache folder, and every collective waits for
# the slowest of them. What is asked: does one make the others wait until they give up, and what do first steps cost?
"""Trains a small network on several ranks, with plain PyTorch and with Convoy on, and compares losses and times."""

import argparse
import datetime
import json
import os
import platform
import socket
import sys
import tempfile
import time

try:
    import torch
    from torch import distributed, multiprocessing, nn
except ImportError as error:
    sys.exit(f"torch_ddp.py needs PyTorch (pip install torch): {error}")

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torch", "tests"))
import models  # noqa: E402

TIMEOUT = datetime.timedelta(seconds=60)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def train(rank, options):
    """Losses and seconds of each step."""
    on_gpu = options["backend"] == "nccl"
    torch.backends.cudnn.allow_tf32 = False  # what own kernels compute in
    device = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
    network, x = models.build(options["model"], seed=1)
    network = nn.parallel.DistributedDataParallel(network.to(device), device_ids=[rank] if on_gpu else None)
    x = (x + 0.1 * rank).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-2)
    losses, seconds = [], []
    for _ in range(options["steps"]):
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss = models.loss_of(network(x))
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        seconds.append(time.perf_counter() - begin)
    return losses, seconds


def counts():
    """What Convoy did in this rank."""
    import convoy

    raw = convoy.raw_stats()
    problems = [one for device in raw["devices"] for one in device["statistics"]["per_problem"]]
    return {
        "calls": raw["calls"]["forward"] + raw["calls"]["backward"],
        "children": sum(device["statistics"]["children_started"] for device in raw["devices"]),
        "problems": len(problems),
        "tried": sum(len(one["attempts"]) for one in problems),
        "solvers": sorted({one["solver"] for one in problems if one["calls"]}),
    }


def one_rank(rank, options, results):
    """A process of its own."""
    torch.set_num_threads(options["threads"])
    address = f"tcp://127.0.0.1:{options['port']}"
    distributed.init_process_group(
        options["backend"], init_method=address, rank=rank, world_size=options["ranks"], timeout=TIMEOUT
    )
    if options["backend"] == "nccl":
        torch.cuda.set_device(rank)
    if options["settings"] is not None:
        import convoy

        convoy.enable(**options["settings"])
    losses, seconds = train(rank, options)
    row = {"rank": rank, "losses": losses, "seconds": seconds, "calls": 0}
    if options["settings"] is not None:
        row.update(counts())
    with open(os.path.join(results, f"{rank}.json"), "w") as file:
        json.dump(row, file)
    distributed.barrier()
    distributed.destroy_process_group()


def run(ranks, model="mixed", steps=10, backend="gloo", threads=1, settings=None):
    """One row for each rank. `settings`: Convoy's, or None for plain PyTorch. Raises what a rank has raised."""
    options = dict(ranks=ranks, model=model, steps=steps, backend=backend, threads=threads)
    options.update(settings=settings, port=free_port())
    with tempfile.TemporaryDirectory(prefix="convoy-ddp-") as results:
        multiprocessing.spawn(one_rank, (options, results), nprocs=ranks)
        rows = []
        for rank in range(ranks):
            with open(os.path.join(results, f"{rank}.json")) as file:
                rows.append(json.load(file))
        return rows


def show(name, rows):
    for row in rows:
        first, later = row["seconds"][0], sorted(row["seconds"][1:])
        text = f"{name:<6} rank {row['rank']}: first step {first:8.3f} s, others {later[len(later) // 2] * 1e3:9.3f} ms"
        if "children" in row:
            text += f"; {row['problems']} problems, {row['tried']} tried, {row['children']} children, {row['solvers']}"
        print(text, flush=True)


def furthest(plain, rows):
    return max(
        abs(loss - expected) / max(abs(expected), 1e-30)
        for one, other in zip(plain, rows)
        for loss, expected in zip(one["losses"], other["losses"])
    )


def parse():
    parser = argparse.ArgumentParser(description="Distributed training with and without Convoy.")
    parser.add_argument("--backend", choices=("gloo", "nccl"), default="nccl" if torch.cuda.is_available() else "gloo")
    parser.add_argument("--ranks", type=int, help="default: all GPUs with nccl, 2 with gloo")
    parser.add_argument("--model", choices=models.NAMES, default="mixed")
    parser.add_argument("--steps", type=int, default=10, help="at least 2")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each rank")
    parser.add_argument("--find", default="auto", help="Convoy's setting")
    parser.add_argument("--fault", default="", help="Convoy's setting, for example torch:hang")
    parser.add_argument("--deadline-ms", type=int, default=0, help="Convoy's setting")
    parser.add_argument("--json", type=argparse.FileType("w"), help="write one JSON line for each rank and contestant")
    options = parser.parse_args()
    if options.steps < 2:
        parser.error("--steps must be at least 2")
    if options.ranks is None:
        options.ranks = torch.cuda.device_count() if options.backend == "nccl" else 2
    return options


def main():
    options = parse()
    on = torch.cuda.get_device_name() if options.backend == "nccl" else platform.machine()
    print(f"{on}, PyTorch {torch.__version__}, {options.backend}, {options.ranks} ranks, {options.model}")
    common = dict(model=options.model, steps=options.steps, backend=options.backend, threads=options.threads)
    contestants = {"plain": run(options.ranks, **common)}
    with tempfile.TemporaryDirectory(prefix="convoy-ddp-cache-") as folder:
        settings = dict(cache_dir=folder, system_cache_dirs="", find=options.find, deadline_ms=options.deadline_ms)
        settings.update({"fault": options.fault} if options.fault else {})
        for name in ("cold", "warm"):
            contestants[name] = run(options.ranks, settings=settings, **common)
    worst = 0.0
    for name, rows in contestants.items():
        show(name, rows)
        worst = max(worst, furthest(contestants["plain"], rows))
        if options.json:
            options.json.writelines(json.dumps({"contestant": name, **row}) + "\n" for row in rows)
    print(f"losses differ from plain PyTorch's by at most {worst:.2g} of their size")
    return 0 if worst < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
