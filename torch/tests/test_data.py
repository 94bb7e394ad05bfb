"""Data on which solvers rightly differ: what is not finite, nothing at all, numbers next to zero, signs that never change. None of it
may cost a solver its place, or the program an exception: loss scaling overflows on purpose, in the very calls that are checked.
"""

import random as numbers
import unittest

import torch

import checks
import convoy
from checks import ConvoyTest, on_each_device

CASES = 120


def problem(choose, dtype, device, seed):
    """A random small convolution: inputs and a gradient of its output."""
    rank = choose.choice((1, 2, 2, 3))
    groups = choose.choice((1, 1, 2))
    inside, outside = groups * choose.randint(1, 6), groups * choose.randint(1, 6)
    sizes = [choose.randint(4, 14) for _ in range(rank)]
    kernel, padding = choose.randint(1, 3), choose.randint(0, 1)
    x = checks.random(2, inside, *sizes, dtype=dtype, device=device, seed=seed)
    w = checks.random(outside, inside // groups, *[kernel] * rank, dtype=dtype, device=device, seed=seed + 1)
    function = (torch.conv1d, torch.conv2d, torch.conv3d)[rank - 1]
    options = dict(padding=padding, groups=groups, stride=choose.randint(1, 2))
    dy = torch.empty_like(function(x, w, **options))
    dy.copy_(checks.random(*dy.shape, dtype=dtype, device=device, seed=seed + 2))
    return function, options, [x, w, dy]


def results(function, options, tensors):
    x, w, dy = (one.detach().clone() for one in tensors)
    x.requires_grad_(), w.requires_grad_()
    y = function(x, w, **options)
    return [y.detach(), *torch.autograd.grad(y, (x, w), dy)]


class Data(ConvoyTest):
    def check(self, device, dtypes, spoil):
        """Results are PyTorch's own, bit for bit, and nothing is held against anybody. The processor alone sums in one order."""
        choose = numbers.Random(checks.SEED)
        for case in range(CASES):
            dtype = choose.choice(dtypes)
            function, options, tensors = problem(choose, dtype, device, case)
            spoil(choose, tensors)
            plain = results(function, options, tensors)
            with self.served():
                served = results(function, options, tensors)
                stats = convoy.stats()
            about = f"case {case}, {dtype}, {options}, sizes {[tuple(one.shape) for one in tensors]}, seed {checks.SEED}"
            self.assertEqual(stats["fallbacks"], 0, f"{about}: {stats['causes']}")
            self.assertGreater(stats["calls"], 0, about)
            for mine, theirs in zip(served, plain):
                if device == "cpu":
                    self.assertTrue(torch.equal(mine.nan_to_num(7.0), theirs.nan_to_num(7.0)), about)

    def spoil_one(self, values):
        def spoil(choose, tensors):
            flat = choose.choice(tensors).view(-1)
            flat[choose.randrange(len(flat))] = choose.choice(values)

        return spoil

    @on_each_device
    def test_what_is_not_finite(self, device):
        self.check(device, (torch.float32, torch.float32, torch.bfloat16, torch.float64),
                   self.spoil_one((float("inf"), float("-inf"), float("nan"))))

    @on_each_device
    def test_half_of_it_is_nothing(self, device):
        def spoil(choose, tensors):
            one = choose.choice(tensors)
            one[..., : one.shape[-1] // 2] = 0

        self.check(device, (torch.float32, torch.bfloat16), spoil)

    @on_each_device
    def test_all_of_it_is_nothing(self, device):
        self.check(device, (torch.float32,), lambda choose, tensors: choose.choice(tensors).zero_())

    @on_each_device
    def test_next_to_zero(self, device):
        def spoil(choose, tensors):
            for one in tensors:
                one.mul_(10.0 ** -choose.randint(15, 25))

        for flush in (False, True):
            with self.subTest(flush=flush):
                if torch.set_flush_denormal(flush) or not flush:
                    try:
                        self.check(device, (torch.float32, torch.bfloat16), spoil)
                    finally:
                        torch.set_flush_denormal(False)

    @on_each_device
    def test_one_sign(self, device):
        self.check(device, (torch.float32, torch.bfloat16), lambda choose, tensors: [one.abs_() for one in tensors])


if __name__ == "__main__":
    unittest.main()
