"""Networks for tests and benchmarks: torchvision's, and small ones of the kinds that convolutions are used for today.

All with random weights from one seed. Sizes are the caller's: tests take a few channels, benchmarks what people run.
"""

import collections

import torch
from torch import nn
from torch.nn import functional

try:
    import torchvision
except (ImportError, RuntimeError) as error:  # RuntimeError: built for another PyTorch
    torchvision = None
    WITHOUT_TORCHVISION = f"torchvision cannot be imported: {error}"

Model = collections.namedtuple("Model", "build shape")  # shape of one batch


class ResidualBlock(nn.Module):
    """GroupNorm, SiLU, convolution, twice, as autoencoders of images and videos have it."""

    def __init__(self, inside, outside, groups, convolution):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, inside), convolution(inside, outside, 3)
        self.norm2, self.conv2 = nn.GroupNorm(groups, outside), convolution(outside, outside, 3)
        self.shortcut = nn.Identity() if inside == outside else convolution(inside, outside, 1)

    def forward(self, x):
        hidden = self.conv1(functional.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(functional.silu(self.norm2(hidden)))


class Attention(nn.Module):
    """One head over all pixels, its projections written as 1x1 convolutions."""

    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv, self.out = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        query, key, value = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).chunk(3, dim=2)
        if hasattr(functional, "scaled_dot_product_attention"):
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            mixed = (query @ key.transpose(1, 2) * key.shape[2] ** -0.5).softmax(2) @ value
        return x + self.out(mixed.transpose(1, 2).reshape_as(x))


class Upsample(nn.Module):
    def __init__(self, channels, factor, convolution):
        super().__init__()
        self.factor = tuple(float(one) for one in factor)
        self.conv = convolution(channels, channels, 3)

    def forward(self, x):
        return self.conv(functional.interpolate(x, scale_factor=self.factor, mode="nearest"))


class Downsample(nn.Module):
    """Stride 2 with padding on one side only."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


def same_conv2d(inside, outside, kernel):
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2)


def middle(channels, groups):
    block = [ResidualBlock(channels, channels, groups, same_conv2d) for _ in range(2)]
    return [block[0], Attention(channels, groups), block[1]]


def head(inside, outside, groups, convolution):
    return [nn.GroupNorm(groups, inside), nn.SiLU(), convolution(inside, outside, 3)]


class ImageDecoder(nn.Sequential):
    """The decoder of Stable Diffusion's autoencoder, by default in its size. Latents become eight times as large."""

    def __init__(self, channels=(128, 256, 512, 512), groups=32, blocks=3, latent=4):
        plan = channels[::-1]
        layers = [same_conv2d(latent, latent, 1), same_conv2d(latent, plan[0], 3), *middle(plan[0], groups)]
        for level, width in enumerate(plan):
            before = plan[max(level - 1, 0)]
            layers += [ResidualBlock(width if i else before, width, groups, same_conv2d) for i in range(blocks)]
            if level + 1 < len(plan):
                layers.append(Upsample(width, (2, 2), same_conv2d))
        super().__init__(*layers, *head(plan[-1], 3, groups, same_conv2d))


class ImageEncoder(nn.Sequential):
    """The encoder that belongs to it: mean and log variance of the latents."""

    def __init__(self, channels=(128, 256, 512, 512), groups=32, blocks=2, latent=4):
        layers = [same_conv2d(3, channels[0], 3)]
        for level, width in enumerate(channels):
            before = channels[max(level - 1, 0)]
            layers += [ResidualBlock(width if i else before, width, groups, same_conv2d) for i in range(blocks)]
            if level + 1 < len(channels):
                layers.append(Downsample(width))
        layers += middle(channels[-1], groups) + head(channels[-1], 2 * latent, groups, same_conv2d)
        super().__init__(*layers, same_conv2d(2 * latent, 2 * latent, 1))


class CausalConv3d(nn.Conv3d):
    """Sees no frame of the future: what time lacks is padded in front, with the first frame."""

    def __init__(self, inside, outside, kernel):
        super().__init__(inside, outside, kernel, padding=(0, kernel // 2, kernel // 2))

    def forward(self, x):
        before = self.kernel_size[0] - 1
        return super().forward(functional.pad(x, (0, 0, 0, 0, before, 0), mode="replicate") if before else x)


class VideoDecoder(nn.Sequential):
    """The decoder of a video autoencoder: frames become four times as many and eight times as large."""

    def __init__(self, channels=(32, 64, 128, 128), groups=8, latent=4):
        plan = channels[::-1]
        layers = [CausalConv3d(latent, plan[0], 3), ResidualBlock(plan[0], plan[0], groups, CausalConv3d)]
        for level, width in enumerate(plan):
            layers.append(ResidualBlock(plan[max(level - 1, 0)], width, groups, CausalConv3d))
            if level + 1 < len(plan):
                layers.append(Upsample(width, (2 if level < 2 else 1, 2, 2), CausalConv3d))
        super().__init__(*layers, *head(plan[-1], 3, groups, CausalConv3d))


def conv_norm(inside, outside, kernel=3, stride=1, groups=1):
    convolution = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.SiLU())


class UNet(nn.Module):
    """Down by pooling, up by transposed convolutions, with skip connections."""

    def __init__(self, channels=(16, 32, 64), classes=2):
        super().__init__()

        def twice(inside, outside):
            return nn.Sequential(conv_norm(inside, outside), conv_norm(outside, outside))

        self.down = nn.ModuleList(twice(a, b) for a, b in zip((3,) + channels[:-2], channels[:-1]))
        self.bottom = twice(channels[-2], channels[-1])
        pairs = list(zip(channels[:0:-1], channels[-2::-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.merge = nn.ModuleList(twice(2 * b, b) for _, b in pairs)
        self.out = nn.Conv2d(channels[0], classes, 1)

    def forward(self, x):
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat((up(x), skips.pop()), 1))
        return self.out(x)


class Split(nn.Module):
    """C2f: half of the channels goes through bottlenecks, and every step of that is kept."""

    def __init__(self, inside, outside, bottlenecks=1):
        super().__init__()
        half = outside // 2
        self.first = conv_norm(inside, outside, 1)
        self.steps = nn.ModuleList(
            nn.Sequential(conv_norm(half, half), conv_norm(half, half)) for _ in range(bottlenecks)
        )
        self.last = conv_norm(outside + bottlenecks * half, outside, 1)

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for step in self.steps:
            parts.append(parts[-1] + step(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Pyramid(nn.Module):
    """SPPF: the same pooling once, twice and three times."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.last = conv_norm(channels, channels // 2, 1), conv_norm(2 * channels, channels, 1)

    def forward(self, x):
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.last(torch.cat(parts, 1))


class Detector(nn.Module):
    """A detector in the manner of YOLO: backbone, pyramid of features, three heads with depthwise convolutions."""

    def __init__(self, width=8, outputs=12):
        super().__init__()
        a, b, c = 2 * width, 4 * width, 8 * width
        self.stem = nn.Sequential(conv_norm(3, width, 3, 2), conv_norm(width, a, 3, 2), Split(a, a))
        self.eighth = nn.Sequential(conv_norm(a, a, 3, 2), Split(a, a, 2))
        self.sixteenth = nn.Sequential(conv_norm(a, b, 3, 2), Split(b, b, 2))
        self.last = nn.Sequential(conv_norm(b, c, 3, 2), Split(c, c), Pyramid(c))
        self.neck = nn.ModuleList([Split(c + b, b), Split(b + a, a)])
        self.heads = nn.ModuleList(
            nn.Sequential(conv_norm(one, one, 3, groups=one), conv_norm(one, one, 1), nn.Conv2d(one, outputs, 1))
            for one in (a, b, c)
        )

    def forward(self, x):
        small = self.eighth(self.stem(x))
        medium = self.sixteenth(small)
        large = self.last(medium)
        medium = self.neck[0](torch.cat((functional.interpolate(large, scale_factor=2.0), medium), 1))
        small = self.neck[1](torch.cat((functional.interpolate(medium, scale_factor=2.0), small), 1))
        return [head(x) for head, x in zip(self.heads, (small, medium, large))]


class MixedNet(nn.Module):
    """Convolutions of one, two and three dimensions in one small network, for training."""

    def __init__(self, channels=4):
        super().__init__()
        self.one = nn.Conv1d(2, channels, 3, padding=1)
        self.two = nn.Conv2d(1, channels, 3, padding=1)
        self.three = nn.Conv3d(1, channels, 3, padding=1)
        self.up = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.out = nn.Linear(3 * channels, 3)

    def forward(self, x):
        """`x`: [batch, 2, 64]."""
        batch = x.shape[0]
        features = [
            self.one(x),
            self.up(torch.tanh(self.two(x.reshape(batch, 1, 8, 16)))),
            self.three(x.reshape(batch, 1, 4, 4, 8)),
        ]
        return self.out(torch.cat([torch.tanh(one).flatten(2).mean(2) for one in features], 1))


def _vision(name):
    """Without what is drawn anew in each run."""

    def make():
        network = getattr(torchvision.models, name)(num_classes=10)
        for module in network.modules():
            if isinstance(module, (nn.Dropout, torchvision.ops.StochasticDepth)):
                module.p = 0.0
        return network

    return make


def _vgg16():
    """Without the two large linear layers, of which nothing could be learned here."""
    network = torchvision.models.vgg16(num_classes=10)
    network.classifier = nn.Linear(512 * 7 * 7, 10)
    return network


_OF_TORCHVISION = {
    "resnet18": Model(_vision("resnet18"), (2, 3, 64, 64)),
    "resnet50": Model(_vision("resnet50"), (2, 3, 64, 64)),
    "vgg16": Model(_vgg16, (2, 3, 32, 32)),
    "mobilenet_v2": Model(_vision("mobilenet_v2"), (2, 3, 64, 64)),
    "efficientnet_b0": Model(_vision("efficientnet_b0"), (2, 3, 64, 64)),
    "densenet121": Model(_vision("densenet121"), (2, 3, 64, 64)),
}

_OF_OUR_OWN = {
    "image_decoder": Model(lambda: ImageDecoder((8, 16, 16, 16), groups=4, blocks=1), (1, 4, 4, 4)),
    "image_encoder": Model(lambda: ImageEncoder((8, 16, 16, 16), groups=4, blocks=1), (1, 3, 32, 32)),
    "video_decoder": Model(lambda: VideoDecoder((4, 8, 8, 8), groups=4), (1, 4, 2, 4, 4)),
    "unet": Model(lambda: UNet((8, 16, 32)), (2, 3, 32, 32)),
    "detector": Model(Detector, (2, 3, 64, 64)),
    "mixed": Model(MixedNet, (4, 2, 64)),
}

NAMES = tuple({**_OF_TORCHVISION, **_OF_OUR_OWN})


def needs_torchvision(name):
    return name in _OF_TORCHVISION


def build(name, seed=1):
    """The network in train mode and one batch for it, on the CPU. ImportError where torchvision is missing."""
    if needs_torchvision(name) and torchvision is None:
        raise ImportError(WITHOUT_TORCHVISION)
    model = {**_OF_TORCHVISION, **_OF_OUR_OWN}[name]
    torch.manual_seed(seed)
    return model.build(), torch.randn(model.shape)


def loss_of(outputs):
    """One number from whatever a network gives, as large for many outputs as for few."""
    if isinstance(outputs, torch.Tensor):
        outputs = [outputs]
    return sum(one.float().square().mean() for one in outputs)
