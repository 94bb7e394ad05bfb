"""What a GPU adds: graphs, streams, switches of precision and of libraries, half precision, no memory left."""

import unittest

import torch
from torch import nn
from torch.nn import functional

import convoy
from checks import SEED, ConvoyTest, random, step, step_on_copy

COARSE = 2e-2  # TF32 and halves, relative to the largest element


def net():
    torch.manual_seed(SEED)
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, stride=2)).cuda()


def loss(output):
    return output.float().square().mean()


@unittest.skipUnless(torch.cuda.is_available(), "needs a GPU")
class OnGpu(ConvoyTest):
    def setUp(self):
        super().setUp()
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        switches = [(cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")]
        for place, name in [*switches, (matmul, "allow_tf32")]:
            self.addCleanup(setattr, place, name, getattr(place, name))
        cudnn.allow_tf32 = matmul.allow_tf32 = False

    def assert_coarse(self, actual, expected):
        for one, other in zip(actual, expected):
            self.assertLessEqual(float((one - other).abs().max()), COARSE * float(other.abs().max()), f"seed {SEED}")


class Switches(OnGpu):
    def check(self, coarse=False):
        x = random(2, 4, 32, 32, device="cuda")
        expected = step_on_copy(net(), x)
        for fault in (None, "torch:error"):
            with self.subTest(fault=fault), self.served(fault=fault):
                actual = step_on_copy(net(), x)
                (self.assert_coarse if coarse else lambda a, b: self.assert_close(a, b, 4096))(actual, expected)

    def test_as_it_is(self):
        self.check()

    def test_tf32(self):
        torch.backends.cudnn.allow_tf32 = True
        self.check(coarse=True)

    def test_benchmark(self):
        torch.backends.cudnn.benchmark = True
        self.check()

    def test_deterministic(self):
        torch.backends.cudnn.deterministic = True
        self.check()
        x = random(2, 4, 32, 32, device="cuda")
        for fault in (None, "torch:error"):
            with self.subTest(fault=fault), self.served(fault=fault):
                first = step_on_copy(net(), x)
                for _ in range(5):
                    self.assertTrue(all(map(torch.equal, step_on_copy(net(), x), first)), "bits differ between runs")

    def test_without_cudnn(self):
        torch.backends.cudnn.enabled = False
        self.check()

    def test_autocast_half(self):
        model, x = net(), random(2, 4, 32, 32, device="cuda")

        def compute():
            with torch.autocast("cuda", dtype=torch.float16):
                y = model(x)
            self.assertEqual(y.dtype, torch.float16)
            scaled = 1024 * loss(y)  # or halves underflow
            return [y.float(), *torch.autograd.grad(scaled, list(model.parameters()))]

        expected = compute()
        for fault in (None, "torch:error"):
            with self.subTest(fault=fault), self.served(fault=fault):
                self.assert_coarse(compute(), expected)

    def test_gradient_scaler(self):
        model, x = net(), random(2, 4, 32, 32, device="cuda")
        optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.cuda.amp.GradScaler()
        losses = []
        with self.served():
            for _ in range(10):
                optimizer.zero_grad()
                with torch.autocast("cuda", dtype=torch.float16):
                    value = loss(model(x))
                scaler.scale(value).backward()
                scaler.step(optimizer)
                scaler.update()
                losses.append(float(value))
        self.assertLess(losses[-1], losses[0])


class Streams(OnGpu):
    def test_side_stream(self):
        """Work on one stream waits for nothing on another, and comes after what was asked for on its own."""
        model, stream = net(), torch.cuda.Stream()
        expected = model(random(2, 4, 32, 32, device="cuda") + 1)
        for fault in (None, "torch:error"):
            with self.subTest(fault=fault), self.served(fault=fault):
                for _ in range(10):
                    stream.wait_stream(torch.cuda.current_stream())
                    with torch.cuda.stream(stream):
                        x = random(2, 4, 32, 32, device="cuda") + 1
                        actual = model(x)
                    torch.cuda.current_stream().wait_stream(stream)
                    self.assert_close(actual, expected, 128)

    def test_graph(self):
        model, x = net(), random(2, 4, 32, 32, device="cuda")
        other = random(2, 4, 32, 32, device="cuda", seed=1)
        with torch.no_grad():
            expected = model(x), model(other)
            for fault in (None, "torch:error"):
                with self.subTest(fault=fault), self.served(fault=fault):
                    self.check_graph(model, x, other, expected)

    def check_graph(self, model, x, other, expected):
        place, stream = x.clone(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                model(place)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = model(place)
        for tensor, result in zip((other, x), expected[::-1]):
            place.copy_(tensor)
            graph.replay()
            self.assert_close(output, result, 128)

    def test_graph_of_what_was_never_run(self):
        """Nothing can be chosen while a graph records: PyTorch's own path is what it records."""
        x, w = random(1, 4, 20, 24, device="cuda"), random(6, 4, 3, 3, device="cuda", seed=1)
        expected = functional.conv2d(x, w)
        with self.convoy():
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                output = functional.conv2d(x, w)
            graph.replay()
            self.assert_close(output, expected, 36)

    def test_graphed_training(self):
        model, x = net(), random(2, 4, 32, 32, device="cuda")
        expected = step_on_copy(model, x)
        with self.served():
            graphed = torch.cuda.make_graphed_callables(model, (x.clone().requires_grad_(),))
            self.assert_close(step(graphed, x), expected, 4096)


class Memory(OnGpu):
    def test_none_left(self):
        """No memory for the result: PyTorch's exception, nobody's fault, and all goes on."""
        x, w = random(1, 8, 64, 64, device="cuda"), random(8, 8, 3, 3, device="cuda", seed=1)
        large, wide = random(1, 1, 1024, 1024, device="cuda"), random(64, 1, 1, 1, device="cuda")  # 256 MiB
        expected = functional.conv2d(x, w)
        with self.served():
            self.assert_close(functional.conv2d(x, w), expected, 72)
            torch.cuda.empty_cache()
            total = torch.cuda.get_device_properties(0).total_memory
            self.addCleanup(torch.cuda.set_per_process_memory_fraction, 1.0)
            torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (64 << 20)) / total)
            for _ in range(2):
                with self.assertRaises(torch.cuda.OutOfMemoryError):
                    functional.conv2d(large, wide)
                self.assert_close(functional.conv2d(x, w), expected, 72)
            torch.cuda.set_per_process_memory_fraction(1.0)
            self.assert_close(functional.conv2d(large, wide), large * wide.reshape(1, 64, 1, 1), 1)
            self.assertEqual(convoy.stats()["quarantined"], {})


@unittest.skipUnless(torch.cuda.device_count() > 1, "needs two GPUs")
class TwoGpus(OnGpu):
    def test_second_device(self):
        """Of tensors on a device that is not the current one."""
        x, w = random(2, 3, 16, 16, device="cuda:1"), random(4, 3, 3, 3, device="cuda:1", seed=1)
        for fault in (None, "torch:error"):
            with self.subTest(fault=fault):
                self.compare(lambda: functional.conv2d(x, w), 27, self.served(fault=fault))


if __name__ == "__main__":
    unittest.main()
