"""The convolution operators with Convoy on: numbers, gradients, memory formats, dtypes and errors are plain PyTorch's.

The same cases run three ways: as they are, with PyTorch's path failing (Convoy's next solver computes), and with all
solvers failing but the reference.
"""

import collections
import itertools
import math
import unittest

import torch
from torch import nn
from torch.nn import functional
from torch.utils import mkldnn

import convoy
from checks import DEVICES, SEED, ConvoyTest, of_format, random, step_on_copy

Case = collections.namedtuple("Case", "function x w options")
CONVOLUTIONS = {
    "conv1d": Case(functional.conv1d, (2, 4, 17), (6, 4, 3), dict(padding=1)),
    "conv1d strided": Case(functional.conv1d, (2, 4, 30), (6, 4, 5), dict(stride=3, dilation=2)),
    "conv1d groups": Case(functional.conv1d, (2, 6, 12), (9, 2, 4), dict(groups=3)),
    "conv2d": Case(functional.conv2d, (2, 3, 9, 11), (5, 3, 3, 3), dict(padding=1)),
    "conv2d 1x1": Case(functional.conv2d, (2, 8, 7, 7), (6, 8, 1, 1), {}),
    "conv2d strided": Case(functional.conv2d, (2, 4, 12, 13), (6, 4, 3, 5), dict(stride=(2, 3), padding=(1, 2))),
    "conv2d dilated": Case(functional.conv2d, (2, 4, 12, 13), (6, 4, 3, 3), dict(dilation=(2, 3), padding=2)),
    "conv2d groups": Case(functional.conv2d, (2, 8, 9, 9), (12, 2, 3, 3), dict(groups=4, padding=1)),
    "conv2d depthwise": Case(functional.conv2d, (2, 8, 9, 9), (8, 1, 3, 3), dict(groups=8, padding=1)),
    "conv2d depthwise twice": Case(functional.conv2d, (2, 4, 9, 9), (8, 1, 5, 5), dict(groups=4, stride=2)),
    "conv2d unbatched": Case(functional.conv2d, (3, 9, 9), (5, 3, 3, 3), dict(padding=1)),
    "conv2d same": Case(functional.conv2d, (2, 3, 9, 9), (5, 3, 4, 3), dict(padding="same", dilation=2)),
    "conv2d valid": Case(functional.conv2d, (2, 3, 9, 9), (5, 3, 3, 3), dict(padding="valid")),
    "conv2d large": Case(functional.conv2d, (1, 16, 33, 35), (32, 16, 3, 3), dict(padding=1)),
    "conv3d": Case(functional.conv3d, (2, 3, 5, 6, 7), (4, 3, 3, 3, 3), dict(padding=1)),
    "conv3d strided": Case(functional.conv3d, (1, 4, 7, 8, 9), (6, 2, 3, 2, 3), dict(stride=(2, 1, 2), groups=2)),
    "transposed 1d": Case(functional.conv_transpose1d, (2, 4, 9), (4, 6, 4), dict(stride=2, padding=1)),
    "transposed 2d": Case(functional.conv_transpose2d, (2, 4, 7, 8), (4, 6, 3, 3), dict(padding=1)),
    "transposed 2d strided": Case(
        functional.conv_transpose2d, (2, 4, 7, 8), (4, 3, 3, 3), dict(stride=2, output_padding=1, groups=2)
    ),
    "transposed 2d dilated": Case(functional.conv_transpose2d, (2, 4, 7, 8), (4, 6, 3, 3), dict(dilation=2)),
    "transposed 3d": Case(functional.conv_transpose3d, (1, 4, 3, 4, 5), (4, 6, 2, 2, 2), dict(stride=2)),
}
# What each way is to be served by; `never`: the faults strike here and not in a child, which is much faster.
WAYS = {
    "as it is": {},
    "without PyTorch's path": dict(fault="torch:error", trial="never"),
    "with the reference": dict(fault="*:error", trial="never"),
}


def operands(case, dtype, device, memory_format=torch.contiguous_format):
    transposed = case.function.__name__.startswith("conv_transpose")
    outputs = case.w[1] * case.options.get("groups", 1) if transposed else case.w[0]
    shapes = (case.x, case.w, (outputs,))
    tensors = [random(*shape, dtype=dtype, device=device, seed=i) for i, shape in enumerate(shapes)]
    if memory_format is not torch.contiguous_format:
        tensors[:2] = [one.contiguous(memory_format=memory_format) for one in tensors[:2]]
    return [one.requires_grad_() for one in tensors]


def reduction_of(case):
    """Of the longest of the three sums: one output, one element of the input's gradient, one of the weights'."""
    return max(math.prod(case.w), math.prod(case.x) // case.x[-3 if len(case.x) == 3 else 1]) * 4


def run(case, x, w, b):
    y = case.function(x, w, b, **case.options)
    return [y, *torch.autograd.grad(y, [x, w, b], random(*y.shape, dtype=y.dtype, device=y.device, seed=3))]


class Numbers(ConvoyTest):
    def check(self, names, dtype=torch.float32, memory_format=torch.contiguous_format):
        for device, way in itertools.product(DEVICES, WAYS):
            cases = [CONVOLUTIONS[name] for name in names]
            expected = [run(case, *operands(case, dtype, device, memory_format)) for case in cases]
            with self.served(**WAYS[way]):
                for name, case, tensors in zip(names, cases, expected):
                    with self.subTest(name, way=way, device=device, dtype=dtype, seed=SEED):
                        before = convoy.stats()
                        actual = run(case, *operands(case, dtype, device, memory_format))
                        after = convoy.stats()
                        self.assert_close(actual, tensors, reduction_of(case))
                        self.assertEqual([of_format(one) for one in actual], [of_format(one) for one in tensors])
                        for calls in ("forward_calls", "backward_calls"):
                            self.assertEqual(after[calls], before[calls] + 1)
                self.check_way(way)

    def check_way(self, way):
        stats = convoy.stats()
        solvers = {one["solver"] for one in stats["problems"] if one["calls"]}
        if way == "as it is":
            self.assertEqual(stats["fallbacks"], 0, stats["causes"])
        else:
            self.assertNotIn("torch", solvers)
            self.assertGreater(stats["fallbacks"], 0)
        if way == "with the reference":
            self.assertEqual(solvers, {"reference"})

    def test_float(self):
        self.check(CONVOLUTIONS)

    def test_double(self):
        self.check(CONVOLUTIONS, torch.float64)

    def test_bfloat16(self):
        self.check(["conv1d", "conv2d", "conv2d 1x1", "conv2d strided", "conv2d large", "conv3d"], torch.bfloat16)

    def test_bfloat16_bias(self):
        """Two roundings, of a sum halfway between two numbers and of what a bias leaves of it, are nobody's fault.

        2.0078125 - 0.99609375 is 1.01171875; rounded before and after it is 1.
        """
        x = torch.full((1, 8, 6, 6), 0.25)
        x[:, 0] += 2**-7
        x, w = x.bfloat16(), torch.ones(4, 8, 1, 1, dtype=torch.bfloat16)
        bias = torch.full((4,), -(1 - 2**-8), dtype=torch.bfloat16)
        for device, way in itertools.product(DEVICES, WAYS):
            with self.subTest(way=way, device=device), self.served(**WAYS[way]):
                actual = functional.conv2d(x.to(device), w.to(device), bias.to(device))
                self.check_way(way)
                self.assertLessEqual(float((actual - 1.01171875).abs().max()), 2**-6)

    def test_channels_last(self):
        names = [name for name in CONVOLUTIONS if "2d" in name and "unbatched" not in name]
        self.check(names, memory_format=torch.channels_last)
        self.check(["conv3d", "conv3d strided", "transposed 3d"], memory_format=torch.channels_last_3d)

    def test_only_weights_channels_last(self):
        x, w = random(2, 4, 8, 8), random(6, 4, 3, 3, seed=1).contiguous(memory_format=torch.channels_last)
        expected = functional.conv2d(x, w)
        for way in WAYS.values():
            with self.subTest(way), self.served(**way):
                actual = functional.conv2d(x, w)
                self.assert_close(actual, expected, 36)
                self.assertEqual(of_format(actual), of_format(expected))

    def test_same_call_again(self):
        case = CONVOLUTIONS["conv2d"]
        for device, way in itertools.product(DEVICES, WAYS.values()):
            with self.subTest(way=way, device=device), self.served(**way):
                first = run(case, *operands(case, torch.float32, device))
                for _ in range(3):
                    self.assert_close(run(case, *operands(case, torch.float32, device)), first, reduction_of(case))


class Modules(ConvoyTest):
    def test_padding_modes(self):
        shapes = {nn.Conv1d: (2, 3, 9), nn.Conv2d: (2, 3, 9, 8), nn.Conv3d: (1, 3, 5, 6, 7)}
        modes = ("zeros", "reflect", "replicate", "circular")
        for device, (kind, shape), mode in itertools.product(DEVICES, shapes.items(), modes):
            with self.subTest(kind.__name__, mode=mode, device=device, seed=SEED):
                module = kind(3, 4, 3, padding=1, padding_mode=mode).to(device)
                self.compare(lambda: step_on_copy(module, random(*shape, device=device)), 400)

    def test_transposed_with_output_size(self):
        module = nn.ConvTranspose2d(3, 4, 3, stride=2)
        x = random(1, 3, 5, 5)
        self.compare(lambda: module(x, output_size=(12, 12)), 27)

    def test_lazy(self):
        with self.served():
            module = nn.LazyConv2d(4, 3)
            actual = module(random(1, 3, 8, 8))
        self.assert_close(actual, module(random(1, 3, 8, 8)), 27)


class Gradients(ConvoyTest):
    def test_output_mask(self):
        """What is not asked for may be there: plain PyTorch's oneDNN computes the weights' with the bias's."""
        shapes = ((2, 4, 8, 8), (2, 3, 8, 8), (4, 3, 3, 3))
        masks = list(itertools.product([True, False], repeat=3))[:-1]
        for device, mask, way in itertools.product(DEVICES, masks, WAYS):
            tensors = [random(*shape, device=device, seed=i) for i, shape in enumerate(shapes)]

            def backward():
                options = ([4], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, list(mask))
                gradients = torch.ops.aten.convolution_backward(*tensors, *options)
                return [one for one, wanted in zip(gradients, mask) if wanted]

            with self.subTest(mask=mask, device=device, way=way, seed=SEED), self.convoy(**WAYS[way]):
                before = convoy.stats()["backward_calls"]
                actual = backward()
                self.assertEqual(convoy.stats()["backward_calls"], before + 1)
                convoy.disable()
                self.assert_close(actual, backward(), 256)

    def test_frozen(self):
        for device in DEVICES:
            x = random(2, 3, 8, 8, device=device)
            module = nn.Conv2d(3, 4, 3).to(device)
            for frozen in (["weight"], ["bias"], ["weight", "bias"]):
                for name, parameter in module.named_parameters():
                    parameter.requires_grad_(name not in frozen)

                def step(needs_input):
                    inputs = x.clone().requires_grad_(needs_input)
                    module.zero_grad(set_to_none=True)
                    module(inputs).square().sum().backward()
                    return [one.grad for one in (inputs, *module.parameters()) if one.grad is not None]

                for needs_input in (True, False):
                    if needs_input or len(frozen) < 2:
                        with self.subTest(frozen=frozen, needs_input=needs_input, device=device, seed=SEED):
                            self.compare(lambda: step(needs_input), 300)

    def test_expanded_gradient(self):
        """sum() hands back one number, expanded."""
        for device in DEVICES:
            x = random(2, 3, 8, 8, device=device).requires_grad_()
            w = random(4, 3, 3, 3, device=device).requires_grad_()
            for way in WAYS.values():
                with self.subTest(way=way, device=device):
                    self.compare(
                        lambda: torch.autograd.grad(functional.conv2d(x, w).sum(), [x, w]), 300, self.served(**way)
                    )

    def test_gradcheck(self):
        calls = {
            "conv1d": (lambda x, w, b: functional.conv1d(x, w, b, padding=1), (1, 2, 5), (2, 2, 3)),
            "conv2d": (lambda x, w, b: functional.conv2d(x, w, b, stride=2, groups=2), (1, 2, 5, 5), (2, 1, 3, 3)),
            "transposed": (lambda x, w, b: functional.conv_transpose2d(x, w, b, stride=2), (1, 2, 3, 3), (2, 2, 2, 2)),
            "conv3d": (lambda x, w, b: functional.conv3d(x, w, b), (1, 1, 3, 3, 3), (2, 1, 2, 2, 2)),
        }
        for (name, (call, x, w)), device, way in itertools.product(calls.items(), DEVICES, WAYS):
            with self.subTest(name, way=way, device=device, seed=SEED), self.served(**WAYS[way]):
                shapes = enumerate((x, w, (2,)))
                inputs = [random(*s, dtype=torch.float64, device=device, seed=i).requires_grad_() for i, s in shapes]
                self.assertTrue(torch.autograd.gradcheck(call, inputs))
                self.assertTrue(torch.autograd.gradgradcheck(call, inputs))


class HandedThrough(ConvoyTest):
    def outcome(self, call):
        """What `call` gives, or how it fails: both are compared."""
        try:
            return call(), None
        except Exception as error:
            return None, (type(error), str(error))

    def check_outcome(self, call, context):
        expected, failure = self.outcome(call)
        with context:
            actual, own_failure = self.outcome(call)
        self.assertEqual(own_failure, failure)
        if failure is None:
            self.assert_close(actual, expected, 64)
        return failure

    def test_dtypes(self):
        dtypes = (torch.int64, torch.int32, torch.uint8, torch.bool, torch.complex64)
        for device, dtype in itertools.product(DEVICES, dtypes):
            x, w = (torch.ones(shape, dtype=dtype, device=device) for shape in ((1, 2, 6, 6), (3, 2, 3, 3)))
            plain = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)
            with self.subTest(dtype=dtype, device=device):
                self.check_outcome(lambda: torch.convolution(x, w, None, *plain), self.handed_through("dtype"))

    def test_complex_is_made_of_real_ones(self):
        """conv2d() of complex numbers is computed by PyTorch as several of real ones."""
        for device in DEVICES:
            x = torch.complex(random(1, 2, 6, 6), random(1, 2, 6, 6, seed=1)).to(device).requires_grad_()
            w = torch.complex(random(3, 2, 3, 3, seed=2), random(3, 2, 3, 3, seed=3)).to(device).requires_grad_()

            def step():
                y = functional.conv2d(x.conj(), w)
                return [y, *torch.autograd.grad(y.abs().sum(), [x, w])]

            with self.subTest(device=device, seed=SEED):
                self.compare(step, 100)

    def test_empty_batch(self):
        for device in DEVICES:
            x = torch.empty(0, 3, 8, 8, device=device).requires_grad_()
            w = random(4, 3, 3, 3, device=device).requires_grad_()

            def step():
                y = functional.conv2d(x, w)
                return [y, *torch.autograd.grad(y.sum(), [x, w])]

            with self.subTest(device=device):
                self.assertIsNone(self.check_outcome(step, self.handed_through("empty")))

    def test_wrong_arguments(self):
        x, w = random(1, 4, 8, 8), random(6, 4, 3, 3)
        conv, transposed = functional.conv2d, functional.conv_transpose2d
        wrong = {
            "channels": lambda: conv(x, random(6, 3, 3, 3)),
            "groups do not divide": lambda: conv(x, w, groups=3),
            "groups 0": lambda: conv(x, w, groups=0),
            "kernel larger than image": lambda: conv(x, random(6, 4, 9, 9)),
            "padding negative": lambda: conv(x, w, padding=-1),
            "stride 0": lambda: conv(x, w, stride=0),
            "dilation 0": lambda: conv(x, w, dilation=0),
            "three strides": lambda: conv(x, w, stride=(1, 1, 1)),
            "rank of weights": lambda: conv(x, random(6, 4, 3)),
            "rank of input": lambda: conv(random(1, 2, 4, 8, 8), w),
            "bias of wrong length": lambda: conv(x, w, random(5)),
            "bias of wrong rank": lambda: conv(x, w, random(6, 1)),
            "mixed dtypes": lambda: conv(x, w.double()),
            "dtype of bias": lambda: conv(x, w, random(6, dtype=torch.float64)),
            "no channels": lambda: conv(torch.empty(1, 0, 8, 8), w),
            "no rows": lambda: conv(torch.empty(1, 4, 0, 8), w),
            "same with stride": lambda: conv(x, w, padding="same", stride=2),
            "padding of no meaning": lambda: conv(x, w, padding="some"),
            "output padding": lambda: transposed(x, random(4, 6, 3, 3), output_padding=2),
            "transposed channels": lambda: transposed(x, random(3, 6, 3, 3)),
            "no tensor": lambda: conv(None, w),
        }
        for name, call in wrong.items():
            with self.subTest(name):
                self.assertIsNotNone(self.check_outcome(call, self.handed_through()), "plain PyTorch accepts it")

    def test_wrong_gradient(self):
        x, w = random(1, 3, 8, 8), random(4, 3, 3, 3)
        plain = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False])
        for name, grad in {"size": random(1, 4, 5, 5), "dtype": random(1, 4, 6, 6, dtype=torch.float64)}.items():
            with self.subTest(name):
                call = lambda: torch.ops.aten.convolution_backward(grad, x, w, None, *plain)
                self.assertIsNotNone(self.check_outcome(call, self.handed_through()), "plain PyTorch accepts it")

    def test_mkldnn_tensors(self):
        x, w = random(2, 3, 8, 8), random(4, 3, 3, 3)
        with self.subTest("input"):
            call = lambda: functional.conv2d(x.to_mkldnn(), w).to_dense()
            self.assertIsNone(self.check_outcome(call, self.handed_through()))
        with self.subTest("module"):
            module = mkldnn.to_mkldnn(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval())
            self.assertIsNone(self.check_outcome(lambda: module(x.to_mkldnn()).to_dense(), self.handed_through()))

    def test_meta(self):
        call = lambda: functional.conv2d(torch.empty(2, 3, 8, 8, device="meta"), torch.empty(4, 3, 3, 3, device="meta"))
        with self.handed_through():
            y = call()
        self.assertEqual((y.shape, y.device.type), (torch.Size([2, 4, 6, 6]), "meta"))

    def test_fake_tensors(self):
        try:
            from torch._subclasses import FakeTensorMode
        except ImportError:
            self.skipTest("this PyTorch has no FakeTensorMode")
        for device in DEVICES:
            with self.subTest(device=device), FakeTensorMode():
                x = torch.empty(2, 3, 8, 8, device=device, requires_grad=True)
                with self.handed_through():
                    y = functional.conv2d(x, torch.empty(4, 3, 3, 3, device=device))
                # PyTorch 1.13 finds the gradients' shapes by computing them, from zeros: those may be served.
                with self.convoy():
                    y.sum().backward()
                self.assertEqual((y.shape, x.grad.shape), (torch.Size([2, 4, 6, 6]), x.shape))


class Views(ConvoyTest):
    """Inputs that are no plain block of memory."""

    def test_views(self):
        for device in DEVICES:
            self.check_views(random(2, 6, 12, 12, device=device), random(4, 3, 3, 3, device=device, seed=1))

    def check_views(self, x, w):
        views = {
            "every second": lambda: (x[:, ::2, ::2, 1::2], w),
            "transposed": lambda: (x[:, :3].transpose(2, 3), w.transpose(2, 3)),
            "expanded": lambda: (x[:1, :3].expand(3, 3, 12, 12), w[:1].expand(4, 3, 3, 3)),
            "offset": lambda: (x.reshape(-1)[1:433].reshape(1, 3, 12, 12), w),
            "overlapping": lambda: (x.as_strided((1, 3, 8, 8), (1, 5, 8, 1)), w),
            "negative bit": lambda: (torch._neg_view(x[:, :3]), torch._neg_view(w)),
            "imaginary part of a conjugate": lambda: (torch.complex(x, x)[:, :3].conj().imag, w),
        }
        for (name, view), way in itertools.product(views.items(), WAYS):

            def step():
                inputs = [one.detach().requires_grad_() for one in view()]
                y = functional.conv2d(*inputs)
                return [y, *torch.autograd.grad(y.square().sum(), inputs)]

            with self.subTest(name, device=x.device, way=way, seed=SEED):
                self.compare(step, 500, self.served(**WAYS[way]))

    def test_inputs_stay_as_they_are(self):
        x, w = random(2, 3, 8, 8), random(4, 3, 3, 3, seed=1)
        copies = x.clone(), w.clone()
        for way in WAYS.values():
            with self.subTest(way), self.served(**way):
                functional.conv2d(x.requires_grad_(), w.requires_grad_()).sum().backward()
            self.assertTrue(torch.equal(x, copies[0]) and torch.equal(w, copies[1]))


if __name__ == "__main__":
    unittest.main()
