"""Whole networks with Convoy on: outputs, gradients and three training steps equal plain PyTorch's.

Once as they are, once with PyTorch's own path failing, so that every convolution is computed by somebody else.
"""

import copy
import unittest

import torch
from torch import nn

import convoy
import models
from checks import SEED, ConvoyTest, on_each_device, tensors_in

# Rounding grows through layers, most in norms over few elements. How much shows in plain PyTorch's own distance from
# the same computed in double: Convoy's may be a few times that.
TIMES = 4
FORWARD, BACKWARD = 1e-4, 1e-3


def smoothed(network):
    """Without kinks: at a ReLU's, rounding in one layer decides over whole gradients (a tenth of a MobileNet's)."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, (nn.ReLU, nn.ReLU6)):
                setattr(module, name, nn.SiLU())
    return network


def outputs(model, x):
    with torch.no_grad():
        return dict(enumerate(tensors_in([model(x)])))


def training(model, x, steps=3):
    """Losses, gradients of the first step, by how much parameters and the norms' statistics have changed in the end."""
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    x = x.detach().requires_grad_()
    results = {}
    for place in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = models.loss_of(model(x))
        loss.backward()
        if place == 0:
            results["gradient of input"] = x.grad.clone()
            results.update((f"gradient of {name}", one.grad.clone()) for name, one in model.named_parameters())
        optimizer.step()
        results[f"loss {place}"] = loss.detach()
    results.update((name, one - before[name]) for name, one in model.state_dict().items())
    return {name: one for name, one in results.items() if one.dtype.is_floating_point}


WAYS = {"as it is": {}, "without PyTorch's path": {"fault": "torch:error", "trial": "never"}}


class Models(ConvoyTest):
    def references(self, compute, model, x):
        """What plain PyTorch computes in double, and how far it is from there in float."""
        exact = compute(copy.deepcopy(model).double(), x.double())
        plain = compute(copy.deepcopy(model), x)
        return exact, {name: float((plain[name] - exact[name]).norm()) for name in exact}

    def check_results(self, compute, model, x, floor, ways):
        exact, rounding = self.references(compute, model, x)
        largest = max(float(one.norm()) for one in exact.values())
        for name_of_way, way in ways.items():
            with self.served(**way):
                actual = compute(copy.deepcopy(model), x)
            for name, expected in exact.items():
                scale = float(expected.norm())
                if scale < 1e-5 * largest and not str(name).startswith("loss"):
                    continue  # a bias before a norm: nothing but rounding
                difference = float((actual[name] - expected).norm())
                allowed = floor * scale + TIMES * rounding[name]
                message = f"{compute.__name__}: {name} off by {difference} of {scale}, plain PyTorch {rounding[name]}"
                self.assertLessEqual(difference, allowed, f"{message}; {name_of_way}, seed {SEED}")

    def check_solvers(self, way):
        with self.convoy(**way):
            solvers = {one["solver"] for one in convoy.stats()["problems"] if one["calls"]}
        self.assertEqual("torch" in solvers, not way, solvers)

    def check(self, name, device):
        if models.needs_torchvision(name) and models.torchvision is None:
            self.skipTest(models.WITHOUT_TORCHVISION)
        model, x = (one.to(device) for one in models.build(name, SEED))
        smoothed(model)
        self.check_results(outputs, copy.deepcopy(model).eval(), x, FORWARD, WAYS)
        self.check_results(training, model, x, BACKWARD, WAYS)
        for way in WAYS.values():
            self.check_solvers(way)


def add_test(name):
    setattr(Models, f"test_{name}", on_each_device(lambda self, device: self.check(name, device)))


for one in models.NAMES:
    add_test(one)


class Sizes(unittest.TestCase):
    """The benchmarks' networks are what they are called."""

    def test_parameters(self):
        expected = {models.ImageDecoder: 49490199, models.ImageEncoder: 34163664}
        for kind, count in expected.items():
            with self.subTest(kind.__name__):
                self.assertEqual(sum(one.numel() for one in kind().parameters()), count)

    def test_every_rank_is_there(self):
        kinds = {type(one) for one in models.build("mixed")[0].modules()}
        self.assertLessEqual({nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d}, kinds)


if __name__ == "__main__":
    unittest.main()
