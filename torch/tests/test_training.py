"""Training goes on whatever PyTorch's own path does: fails, hangs, crashes, lies or finds no memory.

Memory stays flat, too, and a second process does not meet again what the first has learned. Faults that would end or
stop the process (hang, crash) strike in the child that tries first; the others strike in the process, too.
"""

import json
import os
import subprocess
import sys
import unittest

import torch

import convoy
import models
from checks import SEED, ConvoyTest, on_each_device

KINDS = ("error", "hang", "crash", "wrong", "nan", "oom", "compile", "silent")
DEADLINE_MS = 500
STEPS = 5


def losses(device="cpu", steps=STEPS):
    """Of a small network whose convolutions have one, two and three dimensions."""
    model, x = (one.to(device) for one in models.build("mixed", SEED))
    target = torch.linspace(-1, 1, 3, device=device).repeat(x.shape[0], 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    return values


def bytes_used(device):
    if device != "cpu":
        return torch.cuda.memory_allocated()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class LossesTest(ConvoyTest):
    def assert_same_losses(self, actual, expected):
        for place, (one, other) in enumerate(zip(actual, expected)):
            self.assertAlmostEqual(one, other, delta=1e-4 * abs(other), msg=f"loss {place}, seed {SEED}")
        self.assertEqual(len(actual), len(expected))


class Training(ConvoyTest):
    def test_learns(self):
        values = losses(steps=20)
        self.assertLess(values[-1], 0.5 * values[0])

    @on_each_device
    def test_memory_stays_flat(self, device):
        with self.served():
            losses(device, 40)
            before = bytes_used(device)
            losses(device, 200)
            grown = bytes_used(device) - before
        # One gradient kept at each step would be two megabytes on the CPU; pages come and go.
        self.assertLess(grown, (1 << 20) if device == "cpu" else 4096, "memory grows while training")


class Faults(LossesTest):
    def train_under(self, fault, **settings):
        """Losses as without Convoy, and what its statistics say after."""
        expected = losses()
        with self.served(fault=fault, deadline_ms=DEADLINE_MS, **settings):
            self.assert_same_losses(losses(), expected)
            return convoy.stats()

    def check_gave_up_torch(self, stats, kind):
        """PyTorch's path serves nothing, and what is told is what happened."""
        outcome = {"hang": "timed_out", "crash": "crashed", "oom": "refused"}.get(kind)
        outcome = outcome or ("wrong_result" if kind in ("wrong", "nan", "silent") else "failed")
        self.assertGreater(len(stats["problems"]), 0)
        for one in stats["problems"]:
            self.assertNotEqual(one["solver"], "torch", one)
            self.assertIn(outcome, [attempt["outcome"] for attempt in one["fallbacks"]], one)


def add_fault_tests(kind):
    def of_torch(self):
        self.check_gave_up_torch(self.train_under(f"torch:{kind}"), kind)

    def of_all(self):
        stats = self.train_under(f"*:{kind}")
        self.check_gave_up_torch(stats, kind)
        self.assertEqual({one["solver"] for one in stats["problems"]}, {"reference"})

    def in_process(self):
        self.check_gave_up_torch(self.train_under(f"torch:{kind}", trial="never"), kind)

    setattr(Faults, f"test_{kind}_of_torch", of_torch)
    setattr(Faults, f"test_{kind}_of_all", of_all)
    if kind not in ("hang", "crash"):
        setattr(Faults, f"test_{kind}_in_the_process", in_process)


for one in KINDS:
    add_fault_tests(one)


SECOND = """
import json, sys, time
import convoy, test_training
begin = time.perf_counter()
convoy.enable(**json.loads(sys.argv[1]))
losses = test_training.losses()
print(json.dumps([losses, time.perf_counter() - begin, convoy.raw_stats()]))
"""


class SecondProcess(LossesTest):
    def in_new_process(self, settings):
        command = [sys.executable, "-c", SECOND, json.dumps(settings)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_hang_is_met_once(self):
        expected = losses()
        settings = self.settings(fault="torch:hang", deadline_ms=DEADLINE_MS)
        first, first_seconds, _ = self.in_new_process(settings)
        second, second_seconds, stats = self.in_new_process(settings)
        self.assert_same_losses(first, expected)
        self.assert_same_losses(second, expected)
        self.assertEqual(sum(one["statistics"]["children_started"] for one in stats["devices"]), 0)
        self.assertLess(second_seconds, first_seconds / 2)


if __name__ == "__main__":
    unittest.main()
