"""A tiny network and a small photo for checks: seeded and computed, so the same each time and everywhere."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from dreamer.networks.network import Network

LAYER = "two"
"""The tiny network's default layer, of stride 4."""

_CHANNELS = {"one": 8, "two": 16}


def tiny_network() -> Network:
    """A network of two convolutions with ReLU, with a pooling between: layers `one`, `pool`, `two`, strides 2, 4, 4.

    It is untrained (7 kB), but has everything that a trained one can have: channel statistics, read-outs of `eye`,
    `leaf` and `shell` at `two`, and two named channels there (`spiral` and `scale`). torch's random state is kept.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        module = nn.Sequential()
        module.add_module("one", nn.Sequential(nn.Conv2d(3, _CHANNELS["one"], 5, stride=2, padding=2), nn.ReLU()))
        module.add_module("pool", nn.AvgPool2d(3, stride=2, padding=1))
        module.add_module("two", nn.Sequential(nn.Conv2d(_CHANNELS["one"], _CHANNELS["two"], 3, padding=1), nn.ReLU()))
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        heads = {LAYER: (torch.randn(4, _CHANNELS[LAYER]), torch.zeros(4))}
    network = Network(
        name="tiny",
        module=module,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        licence="MIT",
        source="dreamer.testing: random, seeded",
        default_layer=LAYER,
        heads=heads,
        labels=("eye", "leaf", "shell", "nothing"),
        channels={LAYER: {"spiral": 3, "scale": 7}},
        background="nothing",
    )
    features = network.features(as_image(photo()), _CHANNELS)
    statistics = {name: (seen.mean((0, 2, 3)), seen.std((0, 2, 3)) + 1e-3) for name, seen in features.items()}
    return replace(network, statistics=statistics)


def photo(width: int = 96, height: int = 72) -> Image.Image:
    """A computed picture: coloured waves with grain, a black disc and a white corner."""
    return _photo(width, height).copy()


@cache
def _photo(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    grain = 0.04 * np.sin(np.arange(height * width) ** 1.7 % 97).reshape(height, width)
    planes = [
        0.5 + 0.3 * np.sin(2 * math.pi * (shift + 2.3 * x + (1.1 + shift) * y * (1 + x))) + grain
        for shift in (0.0, 0.17, 0.41)
    ]
    picture = np.stack(planes, -1)
    picture[np.hypot(x - 0.62, y - 0.3) < 0.09] = 0
    picture[x + y < 0.12] = 1
    return Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8))


def as_image(picture: Image.Image) -> Tensor:
    """A PIL image as a tensor (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)[None].contiguous()
