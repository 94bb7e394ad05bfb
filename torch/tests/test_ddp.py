"""Several processes train one network over one empty cache folder: nobody times out, and losses are plain PyTorch's.

The same program by hand, with NCCL on all GPUs: bench/torch_ddp.py.
"""

import os
import sys
import unittest

import torch

from checks import SEED, ConvoyTest

# The ranks, which are new processes, look for it by its name.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
import torch_ddp  # noqa: E402


@unittest.skipUnless(torch.distributed.is_available(), "this PyTorch has no torch.distributed")
class Distributed(ConvoyTest):
    RANKS = 2

    def check(self, **settings):
        plain = torch_ddp.run(self.RANKS, steps=4, threads=1)
        served = torch_ddp.run(self.RANKS, steps=4, threads=1, settings=self.settings(**settings))
        self.assertEqual(len(served), self.RANKS)
        for one, other in zip(plain, served):
            self.assertEqual(one["rank"], other["rank"])
            self.assertEqual(one["calls"], 0)
            self.assertGreater(other["calls"], 0)
            for expected, loss in zip(one["losses"], other["losses"]):
                self.assertAlmostEqual(loss, expected, delta=1e-4 * abs(expected), msg=f"seed {SEED}")
        return served

    def test_cold(self):
        self.check()

    def test_cold_with_search(self):
        self.check(find="find")

    def test_hang(self):
        """A hang that one rank meets stops no other for longer than the trial takes."""
        served = self.check(fault="torch:hang", deadline_ms=500)
        for one in served:
            self.assertNotIn("torch", one["solvers"])


if __name__ == "__main__":
    unittest.main()
