"""dreamer beside the loop that somebody would write out in torch: lines of code, seconds and pictures.

    python tests/benchmarks/bare.py [--network googlenet --layer inception4c] [--steps 64] [--repeats 5] [-o SHEET.png]

Three visualizations with the objectives of lucent's README: a channel, a neuron, and four pictures of a channel that
differ. Both sides have the same size, number of steps, canvas (a spectrum of decorrelated colours), changes (pad,
jitter, scale, rotate, jitter), optimiser (Adam, 0.05) and layer, where the pass ends. They take turns; the figure is
the ratio of their medians.
"""

from __future__ import annotations

import argparse
import inspect
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.utils import make_grid, save_image

sys.path.insert(0, str(Path(__file__).parents[1]))
from networks import calibrated

import dreamer

Objective = Callable[[Tensor], Tensor]


def bare(net: nn.Module, mean: Any, std: Any, layer: str, objective: Objective, size: int, steps: int, count: int = 1):
    """`count` pictures that an objective of a layer's map (B, C, h, w) wants to see, (B, 3, size, size)."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (mean, std))
    down, across = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)
    scale = size / torch.hypot(down, across).clamp(min=1 / size)
    z = (0.01 * torch.randn(count, 3, *scale.shape, 2)).requires_grad_()
    axes = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    axes = axes / axes.norm(dim=0).max()
    middle = torch.tensor([0.485, 0.456, 0.406])[:, None, None].logit()
    seen: dict[str, Tensor] = {}

    class Enough(Exception):
        pass

    def keep(module: nn.Module, args: Any, output: Tensor) -> None:
        seen[layer] = output
        raise Enough

    def paint() -> Tensor:
        colours = torch.fft.irfft2(torch.view_as_complex(z) * scale, s=(size, size)) / 4
        return (torch.einsum("ij,bjhw->bihw", axes, colours) + middle).sigmoid()

    def cut(image: Tensor, most: int) -> Tensor:
        top, left = random.randint(0, most), random.randint(0, most)
        return image[..., top : image.shape[-2] - most + top, left : image.shape[-1] - most + left]

    def changed(image: Tensor) -> Tensor:
        image = cut(F.pad(image, (12,) * 4, value=0.5), 8)
        share = 1 + random.randint(-5, 5) / 50
        image = F.interpolate(image, scale_factor=share, mode="bilinear", align_corners=False)
        turn = torch.deg2rad(torch.tensor(float(random.randint(-10, 10))))
        matrix = torch.tensor([[turn.cos(), -turn.sin(), 0.0], [turn.sin(), turn.cos(), 0.0]])[None]
        grid = F.affine_grid(matrix.expand(len(image), -1, -1), list(image.shape), align_corners=False)
        return cut(F.grid_sample(image - 0.5, grid, align_corners=False) + 0.5, 4)

    net = net.eval().requires_grad_(False)
    optimiser = torch.optim.Adam([z], lr=0.05)
    hook = net.get_submodule(layer).register_forward_hook(keep)
    try:
        for _ in range(steps):
            optimiser.zero_grad()
            try:
                net((changed(paint()) - mean) / std)
            except Enough:
                (-objective(seen[layer])).backward()
            optimiser.step()
    finally:
        hook.remove()
    return paint().detach()


def bare_channel(net: nn.Module, mean: Any, std: Any, layer: str, size: int, steps: int) -> Tensor:
    return bare(net, mean, std, layer, lambda f: f[:, 7].mean(), size, steps)


def bare_neuron(net: nn.Module, mean: Any, std: Any, layer: str, size: int, steps: int) -> Tensor:
    return bare(net, mean, std, layer, lambda f: f[:, 7, f.shape[2] // 2, f.shape[3] // 2].mean(), size, steps)


def bare_diverse(net: nn.Module, mean: Any, std: Any, layer: str, size: int, steps: int) -> Tensor:
    def objective(f: Tensor) -> Tensor:
        flat = F.normalize(f.flatten(2) @ f.flatten(2).mT, dim=(1, 2)).flatten(1)
        alike = flat @ flat.mT
        return f[:, 7].mean() - 0.5 * f.detach().square().mean().sqrt() * (alike.sum(1) - alike.diagonal()).mean()

    return bare(net, mean, std, layer, objective, size, steps, count=4)


ALIKE: dict[str, Any] = {"octaves": {"count": 1}, "redirect": 0, "returns": "tensor"}
"""What lucent's loop has not: several sizes, and gradients led past ReLUs that are shut."""


def channel(network: dreamer.Network, layer: str, **words: Any) -> list[Tensor]:
    return dreamer.visualize(network, layer, channel=7, **words)


def neuron(network: dreamer.Network, layer: str, **words: Any) -> list[Tensor]:
    return dreamer.visualize(network, layer, neuron=7, **words)


def diverse(network: dreamer.Network, layer: str, **words: Any) -> list[Tensor]:
    return dreamer.visualize(network, layer, channel=7, facets=4, **words)


PAIRS = {"channel": (bare_channel, channel), "neuron": (bare_neuron, neuron), "diverse": (bare_diverse, diverse)}


def lines(*functions: Callable[..., Any]) -> int:
    """Lines of code without definitions' first lines' docstrings and blank ones."""
    text = [line.strip() for function in functions for line in inspect.getsource(function).splitlines()]
    return sum(1 for line in text if line and not line.startswith('"""'))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="googlenet")
    parser.add_argument("--layer", default="inception4c")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--defaults", action="store_true", help="dreamer with its own octaves and redirected gradients")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    network = calibrated(given.network)
    words = {"size": given.size, "steps": given.steps, **ALIKE}
    if given.defaults:
        words = {"size": given.size, "returns": "tensor"}
    rows = []
    for name, (by_hand, short) in PAIRS.items():
        seconds: dict[str, list[float]] = {"bare": [], "dreamer": []}
        for turn in range(given.repeats + 1):
            torch.manual_seed(0)
            random.seed(0)
            began = time.perf_counter()
            one = by_hand(network.module, network.mean, network.std, given.layer, given.size, given.steps)
            middle = time.perf_counter()
            other = short(network, given.layer, **words)
            if turn:  # the first turn warms up
                seconds["bare"].append(middle - began)
                seconds["dreamer"].append(time.perf_counter() - middle)
        blank = torch.ones_like(one[0])
        rows += [picture for side in (one, other) for picture in (*side, *[blank] * (4 - len(side)))]
        medians = {side: statistics.median(times) for side, times in seconds.items()}
        code = f"{lines(bare, by_hand)} lines and {lines(short)}"
        print(
            f"{name:8} {code}; {medians['bare']:.2f} s and {medians['dreamer']:.2f} s: "
            f"dreamer / bare {medians['dreamer'] / medians['bare']:.3f}",
            flush=True,
        )
    if given.output:
        save_image(make_grid(torch.stack(rows), nrow=8, padding=4, pad_value=1), given.output)
        print(given.output, Image.open(given.output).size)


if __name__ == "__main__":
    main()
