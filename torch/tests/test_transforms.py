"""Convoy under what PyTorch does around a convolution: autocast, functorch, derivatives, scripting, compiling, threads.

Everything equals plain PyTorch, and is served where it computes.
"""

import copy
import os
import signal
import threading
import time
import unittest

import torch
from torch import fx, nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional
from torch.nn.utils import parametrizations

import convoy
from checks import SEED, ConvoyTest, on_each_device, random, step, step_on_copy

try:
    from torch.func import grad, jvp, vjp, vmap
except ImportError:
    try:
        from functorch import grad, jvp, vjp, vmap
    except ImportError:
        vmap = None

IS_2 = int(torch.__version__.split(".")[0]) >= 2


def small_net(device="cpu"):
    torch.manual_seed(SEED)
    first, depthwise = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, groups=6)
    return nn.Sequential(first, nn.ReLU(), depthwise, nn.ConvTranspose2d(6, 2, 2, stride=2)).to(device)


class Modes(ConvoyTest):
    @on_each_device
    def test_autocast(self, device):
        """Without the transposed one, which autocast leaves in float on the CPU."""
        net, x = small_net(device)[:-1], random(2, 3, 8, 8, device=device)

        def compute():
            with torch.autocast(device, dtype=torch.bfloat16):
                y = net(x)
            self.assertEqual(y.dtype, torch.bfloat16)
            return [y, *torch.autograd.grad(y.float().square().mean(), list(net.parameters()))]

        with self.served():
            actual = compute()
        expected = compute()
        # The parameters' gradients are float, of products in bfloat16.
        rounded = [[one.to(torch.bfloat16) for one in tensors] for tensors in (actual, expected)]
        self.assert_close(*rounded, 400)

    @on_each_device
    def test_inference_mode(self, device):
        net, x = small_net(device), random(2, 3, 8, 8, device=device)
        with torch.inference_mode():
            self.compare(lambda: net(x), 54)

    @on_each_device
    def test_no_grad(self, device):
        net, x = small_net(device), random(2, 3, 8, 8, device=device)
        with torch.no_grad():
            y = self.compare(lambda: net(x), 54)
        self.assertFalse(y.requires_grad)

    @on_each_device
    def test_checkpoint(self, device):
        from torch.utils.checkpoint import checkpoint

        options = {"use_reentrant": False}
        net, x = small_net(device), random(2, 3, 8, 8, device=device).requires_grad_()
        self.compare(lambda: torch.autograd.grad(checkpoint(net, x, **options).sum(), [x, *net.parameters()]), 400)

    @on_each_device
    def test_gradients_after_switching_off(self, device):
        """What was computed with Convoy on has gradients with Convoy off, and the other way round."""
        net, x = small_net(device), random(2, 3, 8, 8, device=device)
        expected = torch.autograd.grad(net(x).sum(), list(net.parameters()))
        with self.served():
            y = net(x)
        self.assert_close(torch.autograd.grad(y.sum(), list(net.parameters())), expected, 400)
        y = net(x)
        with self.served():
            actual = torch.autograd.grad(y.sum(), list(net.parameters()))
        self.assert_close(actual, expected, 400)


class Derivatives(ConvoyTest):
    @on_each_device
    def test_forward_mode(self, device):
        x, t = random(2, 3, 8, 8, device=device), random(2, 3, 8, 8, device=device, seed=1)
        w, s = random(4, 3, 3, 3, device=device, seed=2), random(4, 3, 3, 3, device=device, seed=3)

        def tangent():
            with forward_ad.dual_level():
                y = functional.conv2d(forward_ad.make_dual(x, t), forward_ad.make_dual(w, s), padding=1)
                return list(forward_ad.unpack_dual(y))

        self.compare(tangent, 54)

    @on_each_device
    def test_second_derivatives(self, device):
        x, w = random(1, 2, 6, 6, device=device), random(3, 2, 3, 3, device=device, seed=1)
        x, w = x.requires_grad_(), w.requires_grad_()

        def second():
            y = torch.tanh(functional.conv2d(x, w)).sum()
            gradients = torch.autograd.grad(y, [x, w], create_graph=True)
            return torch.autograd.grad(sum(one.square().sum() for one in gradients), [x, w])

        self.compare(second, 400)


@unittest.skipIf(vmap is None, "neither torch.func nor functorch is installed")
class Functorch(ConvoyTest):
    @on_each_device
    def test_vmap(self, device):
        x, w = random(5, 2, 3, 8, 8, device=device), random(5, 4, 3, 3, 3, device=device, seed=1)
        for dims in ((0, None), (None, 0), (0, 0)):
            with self.subTest(dims=dims):
                inputs = [one if dim == 0 else one[0] for one, dim in zip((x, w), dims)]
                self.compare(lambda: vmap(functional.conv2d, in_dims=dims)(*inputs), 27)

    @on_each_device
    def test_per_sample_gradients(self, device):
        x, w = random(5, 3, 8, 8, device=device), random(4, 3, 3, 3, device=device, seed=1)
        loss = lambda w, one: functional.conv2d(one[None], w).square().sum()
        self.compare(lambda: vmap(grad(loss), in_dims=(None, 0))(w, x), 300)

    @on_each_device
    def test_jvp_and_vjp(self, device):
        x, w = random(2, 3, 8, 8, device=device), random(4, 3, 3, 3, device=device, seed=1)

        def both():
            y, back = vjp(functional.conv2d, x, w)
            return [*jvp(lambda w: functional.conv2d(x, w), (w,), (w,)), *back(y)]

        self.compare(both, 300)


class Programs(ConvoyTest):
    """A module turned into something else, before Convoy is on or while it is."""

    def check(self, device, transform, expects=ConvoyTest.served):
        x = random(2, 3, 8, 8, device=device)
        net = small_net(device).eval()
        expected = net(x)
        with torch.no_grad():
            before = transform(net, x)
            with expects(self):
                during = transform(net, x)
                actual = [before(x), during(x), during(x)]
        self.assert_close(actual, [expected] * 3, 54)
        return before, during

    @on_each_device
    def test_script(self, device):
        self.check(device, lambda net, x: torch.jit.script(net))

    @on_each_device
    def test_trace(self, device):
        """A trace holds PyTorch's operator, not what a solver was made of."""
        for one in self.check(device, lambda net, x: torch.jit.trace(net, x)):
            operators = [node.kind() for node in one.inlined_graph.nodes() if node.kind().startswith("aten::")]
            convolution = "aten::_convolution"
            self.assertEqual(operators, [convolution, "aten::relu", convolution, convolution])

    @on_each_device
    def test_freeze(self, device):
        self.check(device, lambda net, x: torch.jit.freeze(torch.jit.script(net)))

    @on_each_device
    def test_optimize_for_inference(self, device):
        """What PyTorch moves to oneDNN's own operators is no convolution to Convoy."""
        self.check(device, lambda net, x: torch.jit.optimize_for_inference(torch.jit.script(net)), ConvoyTest.convoy)

    @on_each_device
    def test_fx(self, device):
        self.check(device, lambda net, x: fx.symbolic_trace(net))

    @on_each_device
    def test_make_fx(self, device):
        self.check(device, lambda net, x: make_fx(net)(x))

    @on_each_device
    def test_script_trains(self, device):
        net, x = torch.jit.script(small_net(device)), random(2, 3, 8, 8, device=device)
        for _ in range(3):  # the executor specialises after the second
            self.compare(lambda: torch.autograd.grad(net(x).sum(), list(net.parameters())), 400)

    @unittest.skipUnless(IS_2, "torch.compile came with PyTorch 2")
    @on_each_device
    def test_compile(self, device):
        net, x = small_net(device), random(2, 3, 8, 8, device=device)
        expected = step(net, x)
        # Inductor takes half a minute and a compiler on the CPU.
        for backend in ["eager", "aot_eager"] + (["inductor"] if device == "cuda" else []):
            torch._dynamo.reset()
            with self.subTest(backend=backend), self.served():
                self.assert_close(step(torch.compile(net, backend=backend), x), expected, 400)


class Wrapped(torch.Tensor):
    """Counts what passes through it."""

    seen = 0

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        Wrapped.seen += 1
        return super().__torch_function__(function, types, args, kwargs or {})


class Copies(ConvoyTest):
    @on_each_device
    def test_subclass(self, device):
        x, w = random(2, 3, 8, 8, device=device), random(4, 3, 3, 3, device=device, seed=1)
        expected = functional.conv2d(x, w)
        with self.served():
            before = Wrapped.seen
            actual = functional.conv2d(x.as_subclass(Wrapped), w)
        self.assertGreater(Wrapped.seen, before)
        self.assertIs(type(actual), Wrapped)
        self.assert_close(actual.as_subclass(torch.Tensor), expected, 27)

    @on_each_device
    def test_parametrized(self, device):
        wrappers = {
            "spectral": parametrizations.spectral_norm,
            "orthogonal": parametrizations.orthogonal,
            "weight": getattr(parametrizations, "weight_norm", nn.utils.weight_norm),
        }
        for name, wrap in wrappers.items():

            def compute():
                torch.manual_seed(SEED)  # for what power iterations begin with, too
                return step(wrap(nn.Conv2d(3, 4, 3)).to(device), random(2, 3, 8, 8, device=device))

            with self.subTest(name):
                self.compare(compute, 400)

    @on_each_device
    def test_deepcopy(self, device):
        net, x = small_net(device), random(2, 3, 8, 8, device=device)
        self.compare(lambda: copy.deepcopy(net)(x), 54)


class Threads(ConvoyTest):
    def test_eight_threads_one_layer(self):
        """They all meet the problem for the first time."""
        x, layer = random(2, 8, 16, 16), nn.Conv2d(8, 8, 3)
        expected = step_on_copy(layer, x)
        results, gate = [None] * 8, threading.Barrier(8)

        def work(place):
            gate.wait()
            results[place] = [step_on_copy(layer, x) for _ in range(5)]

        for fault in (None, "torch:error"):
            with self.subTest(fault=fault, seed=SEED), self.served(fault=fault, trial="never"):
                threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(convoy.stats()["forward_calls"], 40)
                self.assert_close(results, [[expected] * 5] * 8, 800)

    def test_switched_while_another_computes(self):
        x, layer = random(1, 4, 12, 12), nn.Conv2d(4, 4, 3)
        expected = step_on_copy(layer, x)
        stop, results = threading.Event(), []

        def work():
            while not stop.is_set():
                results.append(step_on_copy(layer, x))

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(30):
            with self.convoy():
                time.sleep(0.005)
        stop.set()
        thread.join()
        for result in results:
            self.assert_close(result, expected, 400)


class Convolving(torch.utils.data.Dataset):
    """Each item is a convolution, computed by the worker."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        y = functional.conv2d(random(1, 3, 8, 8, seed=index), random(4, 3, 3, 3, seed=50))
        return y[0], convoy.stats()["forward_calls"]


@unittest.skipUnless(hasattr(os, "fork"), "needs fork()")
class Processes(ConvoyTest):
    def in_child(self, body, seconds=30):
        """True where `body()` is, in a forked child."""
        child = os.fork()
        if child == 0:
            try:
                torch.set_num_threads(1)  # OpenMP's threads stay in the parent
                os._exit(0 if body() else 1)
            except BaseException:
                os._exit(2)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return status == 0
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.fail(f"the child was not done after {seconds} seconds")

    def test_fork(self):
        known, new, w = random(1, 3, 8, 8), random(1, 3, 9, 9), random(4, 3, 3, 3, seed=1)
        expected = [functional.conv2d(x, w) for x in (known, new)]
        for fault in (None, "torch:error"):
            with self.subTest(fault=fault, seed=SEED), self.served(fault=fault, trial="never"):
                functional.conv2d(known, w)

                def body():
                    before = convoy.stats()["forward_calls"]
                    actual = [functional.conv2d(x, w) for x in (known, new)]
                    self.assert_close(actual, expected, 27)
                    return convoy.stats()["forward_calls"] == before + 2

                self.assertTrue(self.in_child(body))
                self.assert_close(functional.conv2d(new, w), expected[1], 27)  # the parent goes on

    def test_fork_then_enable(self):
        x, w = random(1, 3, 8, 8), random(4, 3, 3, 3, seed=1)
        expected = functional.conv2d(x, w)
        with self.served():
            functional.conv2d(x, w)

        def body():
            with self.served():
                self.assert_close(functional.conv2d(x, w), expected, 27)
            return True

        self.assertTrue(self.in_child(body))

    def test_data_loader(self):
        expected = torch.stack([Convolving()[i][0] for i in range(6)])
        with self.served():
            Convolving()[0]
            items = list(torch.utils.data.DataLoader(Convolving(), num_workers=2, timeout=30))
        self.assert_close(torch.cat([y for y, _ in items]), expected, 27)
        self.assertTrue(all(int(calls) > 0 for _, calls in items), "a worker was not served")


if __name__ == "__main__":
    unittest.main()
