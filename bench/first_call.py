#!/usr/bin/env python3
# How soon the first convolution of a process is done: cold (nothing on disk) and warm (a process before it did the same). Each
# in a process of its own, on fresh folders. The driver's own cache of compiled code starts empty, too, and stays between the
# two processes as it does for any user; --no-driver-cache takes it away.
"""Per device: milliseconds of the first convolution (plan, compile or load, run, check), of the second in the warm process, and
of everything from opening the device. The ratio is cold / warm. Kernels: what was compiled and what came from the cache."""

import argparse
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from convoy_library import Call, Convoy, Shape

PROBLEM = "fwd:f32:nchw:n1c64h56w56:k64r3s3:pad1x1:stride1x1:dil1x1:g1"
# A simulated card needs as long for the kernel as a compiler for its text: less of it.
SIMULATED_PROBLEM = "fwd:f32:nchw:n1c3h32w32:k16r3s3:pad1x1:stride1x1:dil1x1:g1"
BYTES = {"f32": 4, "f16": 2, "bf16": 2}


def child(options):
    begin = time.perf_counter()
    convoy = Convoy(options.library, json.loads(options.settings), options.device)
    opened = time.perf_counter()
    shape = Shape(options.problem)
    call = Call()
    for name in ("x", "w", "y"):
        count = 1
        for size in getattr(shape, name):
            count *= size
        size, memory = ctypes.c_int64(count * BYTES[shape.dtype]), ctypes.c_void_p()
        convoy.check(convoy.library.convoy_allocate(convoy.handle, size, ctypes.byref(memory)))
        # 0x3f3f...: about 0.75 in f32 and bf16, 1.81 in f16.
        convoy.check(convoy.library.convoy_upload(convoy.handle, memory, b"\x3f" * size.value, size, None))
        setattr(call, name, memory.value)
    ready = time.perf_counter()
    plan = convoy.plan(options.problem)
    convoy.enqueue(plan, call)
    convoy.check(convoy.library.convoy_synchronize(convoy.handle, None))
    done = time.perf_counter()
    convoy.enqueue(plan, call)
    convoy.check(convoy.library.convoy_synchronize(convoy.handle, None))
    again = time.perf_counter()
    kernels = convoy.statistics()["kernels"]
    print(json.dumps({"open_ms": (opened - begin) * 1e3, "first_ms": (done - ready) * 1e3,
                      "second_ms": (again - done) * 1e3, "all_ms": (done - begin) * 1e3,
                      "solver": convoy.solver(plan), "kernels": kernels}))


def problem_for(device):
    return SIMULATED_PROBLEM if device.startswith("sim:") else PROBLEM


def start(options, device, folder, settings):
    driver = os.path.join(folder, "driver")
    environment = dict(os.environ, CUDA_CACHE_PATH=driver, POCL_CACHE_DIR=driver)
    if options.no_driver_cache:
        environment["CUDA_CACHE_DISABLE"] = "1"
    os.makedirs(driver, exist_ok=True)
    all_settings = [f"cache_dir={folder}/convoy", "system_cache_dirs=", *settings]
    command = [sys.executable, __file__, "--child", "--device", device, "--library", options.library,
               "--problem", options.problem or problem_for(device), "--settings", json.dumps(all_settings)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def measure(options, device, settings):
    cold, warm = [], []
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory(prefix="convoy-bench-") as folder:
            cold.append(start(options, device, folder, settings))
            if options.no_driver_cache:
                shutil.rmtree(os.path.join(folder, "driver"))
            warm.append(start(options, device, folder, settings))
    row = {"device": device, "settings": settings, "problem": options.problem or problem_for(device),
           "solver": warm[-1]["solver"],
           "compiled_cold": cold[-1]["kernels"]["compiled"],
           "compiled_warm": max(w["kernels"]["compiled"] for w in warm),
           "loaded_warm": warm[-1]["kernels"]["from_cache"]}
    for key in ("open_ms", "first_ms", "second_ms", "all_ms"):
        row["cold_" + key], row["warm_" + key] = (statistics.median(one[key] for one in side) for side in (cold, warm))
    row["ratio_first"] = row["cold_first_ms"] / row["warm_first_ms"]
    row["ratio_all"] = row["cold_all_ms"] / row["warm_all_ms"]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", action="append", required=True)
    parser.add_argument("--library", default="build/libconvoy.so")
    parser.add_argument("--problem", help=f"default: {PROBLEM}, and for sim: {SIMULATED_PROBLEM}")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=argparse.FileType("w"), help="write one JSON line for each row")
    parser.add_argument("--no-driver-cache", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--settings", default="[]", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        options.device = options.device[0]
        child(options)
        return 0
    print(f"{'':<30} {'first call: cold ms':>19} {'warm ms':>9} {'ratio':>7} {'second ms':>10}   "
          f"{'with opening: cold ms':>21} {'warm ms':>9} {'ratio':>7}   compiled cold, warm; loaded warm")
    for device in options.device:
        for settings in ([], ["find=find"]):
            try:
                row = measure(options, device, settings)
            except RuntimeError as error:
                print(f"{device:<14} left out: {error}")
                break
            print(f"{device:<14} {' '.join(settings) or 'default':<15} {row['cold_first_ms']:19.1f} "
                  f"{row['warm_first_ms']:9.1f} {row['ratio_first']:7.1f} {row['warm_second_ms']:10.1f}   "
                  f"{row['cold_all_ms']:21.1f} {row['warm_all_ms']:9.1f} {row['ratio_all']:7.1f}   "
                  f"{row['compiled_cold']}, {row['compiled_warm']}; {row['loaded_warm']} {row['solver']}", flush=True)
            if options.json:
                options.json.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
