"""What tests of the PyTorch door share: random inputs, tolerances, Convoy switched on with a cache folder of its own.

Every comparison is with plain PyTorch (Convoy off) on the same inputs. CONVOY_TEST_SEED draws others.
"""

import contextlib
import copy
import functools
import math
import os
import shutil
import tempfile
import unittest

import torch

import support

SEED = int(os.environ.get("CONVOY_TEST_SEED", "20260117"))
DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
# A busy machine takes OpenMP's threads away one by one, while the others spin: twenty times as long for small networks.
THREADS = int(os.environ.get("CONVOY_TEST_THREADS", "1"))
torch.set_num_threads(THREADS)
# Both sides in full precision: plain PyTorch's cuDNN rounds to TF32 unless told not to.
torch.backends.cudnn.allow_tf32 = False
support.isolate()

import convoy  # noqa: E402  nothing of the user's may be read when it is loaded

# What products are added in: CPUs and GPUs add the halves in float.
_ADDED_IN = {torch.bfloat16: torch.float32, torch.float16: torch.float32}


def random(*shape, dtype=torch.float32, device="cpu", seed=0):
    """Numbers from the seed without zeros, which would hide a missing product."""
    generator = torch.Generator().manual_seed(SEED + seed)
    values = torch.randn(shape, generator=generator)
    values = torch.where(values.abs() < 0.05, torch.full_like(values, 0.05), values)
    return values.to(device, dtype)


def tolerance(expected, reduction):
    """The largest difference that rounding explains, for sums of `reduction` products.

    Transforms such as Winograd's cost a few bits more than the sums themselves.
    """
    if expected.numel() == 0:
        return 0.0
    dtype = expected.dtype
    bits = 4 * torch.finfo(dtype).eps + 16 * math.sqrt(reduction) * torch.finfo(_ADDED_IN.get(dtype, dtype)).eps
    return bits * float(expected.detach().abs().max())


def tensors_in(tree):
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [tensor for one in tree for tensor in tensors_in(one)] if isinstance(tree, (list, tuple)) else []


def of_format(tensor):
    """The memory formats that a tensor has, for comparison: strides of dimensions of size 1 mean nothing."""
    formats = [torch.contiguous_format]
    formats += {4: [torch.channels_last], 5: [torch.channels_last_3d]}.get(tensor.dim(), [])
    return [tensor.is_contiguous(memory_format=one) for one in formats]


def on_each_device(test):
    """Runs test(self, device) for all devices."""

    @functools.wraps(test)
    def run(self):
        for device in DEVICES:
            with self.subTest(device=device, seed=SEED):
                test(self, device)

    return run


class ConvoyTest(unittest.TestCase):
    """Begins and ends with Convoy off; its cache folder is empty at first and gone in the end."""

    def setUp(self):
        convoy.disable()
        self.addCleanup(convoy.disable)
        self.folder = tempfile.mkdtemp(prefix="convoy-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        torch.manual_seed(SEED)

    def settings(self, **others):
        return {"cache_dir": self.folder, "system_cache_dirs": "", "threads": THREADS, **others}

    @contextlib.contextmanager
    def convoy(self, **settings):
        convoy.enable(**self.settings(**settings))
        try:
            yield
        finally:
            convoy.disable()

    @contextlib.contextmanager
    def served(self, **settings):
        """Convoy on, and at least one convolution served."""
        with self.convoy(**settings):
            before = convoy.stats()["calls"]
            yield
            self.assertGreater(convoy.stats()["calls"], before, f"Convoy served nothing; seed {SEED}")

    @contextlib.contextmanager
    def handed_through(self, *reasons):
        """Convoy on, and none served. With reasons: some were met, and handed through for one of these."""
        with self.convoy():
            before = convoy.stats()
            yield
            after = convoy.stats()
        self.assertEqual(after["calls"], before["calls"], f"Convoy served what it cannot express; seed {SEED}")
        if reasons:
            grown = [one for one, n in after["handed_through"].items() if n > before["handed_through"].get(one, 0)]
            self.assertTrue(set(grown) & set(reasons), f"handed through for {grown}, expected {reasons}")

    def assert_close(self, actual, expected, reduction, what=""):
        actual, expected = tensors_in([actual]), tensors_in([expected])
        self.assertEqual(len(actual), len(expected), what)
        for place, (one, other) in enumerate(zip(actual, expected)):
            name = f"{what} tensor {place}, seed {SEED}: "
            self.assertEqual((one.dtype, one.device, one.shape), (other.dtype, other.device, other.shape), name)
            if not other.dtype.is_floating_point and not other.dtype.is_complex:
                self.assertTrue(torch.equal(one, other), name + "integers differ")
                continue
            if other.dtype.is_complex:
                one, other = (torch.view_as_real(tensor.detach().resolve_conj()) for tensor in (one, other))
            allowed = tolerance(other, reduction)
            difference = float((one.detach() - other.detach()).abs().double().max()) if one.numel() else 0.0
            self.assertLessEqual(difference, allowed, f"{name}differs by {difference}, {allowed} is rounding")

    def compare(self, compute, reduction, context=None):
        """`compute` gives tensors; they are the same with Convoy as without."""
        expected = compute()
        with context if context is not None else self.served():
            actual = compute()
        self.assert_close(actual, expected, reduction)
        return actual


def step(module, *inputs):
    """Output and all gradients of one forward and backward run."""
    inputs = [one.detach().clone().requires_grad_() for one in inputs]
    output = module(*inputs)
    upstream = random(*output.shape, dtype=output.dtype, device=output.device, seed=99)
    return [output, *torch.autograd.grad(output, [*inputs, *module.parameters()], upstream)]


def step_on_copy(module, *inputs):
    """The same, and statistics of norms in `module` stay as they are."""
    return step(copy.deepcopy(module), *inputs)
