"""Time of a render relative to its bare forward and backward passes, as ratios of medians.

    python tests/benchmarks/speed.py [--network googlenet] [--layer inception4c] [--repeats 5]

A render goes from a decoded picture to a float picture, with a warm network. The bare passes have the same sizes,
layer and precision, with batch norm folded and channels last, cut at the layer by torchvision's feature extractor.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torchvision.models.feature_extraction import create_feature_extractor

sys.path.insert(0, str(Path(__file__).parents[1]))
from networks import calibrated

from dreamer.engine.device import Machine, keep_freed_memory
from dreamer.image import Photo
from dreamer.motifs.sample_scene import scene
from dreamer.networks.network import Network
from dreamer.networks.stem import Stem
from dreamer.networks.winograd import Winograd
from dreamer.pipeline.build import build
from dreamer.plugins.loading import load_plugins


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="googlenet")
    parser.add_argument("--layer", default="inception4c")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as the command line does, for both sides
    network = calibrated(arguments.network)
    seconds = measured(network, arguments.layer, arguments.repeats)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:18} {median:6.2f} s  ({min(seconds[name]):.2f} to {max(seconds[name]):.2f})")
    for precision in ("float32", "bfloat16"):
        print(f"render / bare, {precision}: {medians[f'render {precision}'] / medians[f'bare {precision}']:.3f}")
    print(f"bfloat16 / float32, render: {medians['render bfloat16'] / medians['render float32']:.3f}")
    print(f"cosine of their gradients: {cosine(network, arguments.layer):.5f}")


def measured(
    network: Network,
    layer: str,
    repeats: int,
    size: tuple[int, ...] = (),
    precisions=("float32", "bfloat16"),
    steps: int = 10,
) -> dict[str, list[float]]:
    """Seconds of renders and of their bare passes in turn, by name, for a scene of that `size` (width, height)."""
    photo = Photo((scene(*size) * 255).round().byte()[0].permute(1, 2, 0).contiguous().numpy())
    timed: dict[str, Callable[[], object]] = {}
    for precision in precisions:
        dtype = getattr(torch, precision)
        pipeline = compose_for(network, layer, precision, steps)
        octaves = pipeline.plan(photo.height, photo.width).octaves
        module = network.prepared([layer], torch.device("cpu"), dtype).module
        for part in module.modules():
            if isinstance(part, (Stem, Winograd)):  # dreamer's own
                part.__class__ = torch.nn.Conv2d
        bare = create_feature_extractor(module, [layer])
        images = [torch.rand(1, 3, *octave.size) for octave in octaves]
        timed[f"render {precision}"] = lambda c=pipeline: c.dream(photo)
        timed[f"bare {precision}"] = lambda b=bare, i=images, o=octaves, d=dtype: [
            passes(b, x.to(d), k.steps) for x, k in zip(i, o, strict=True)
        ]
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for turn in range(repeats + 1):
        for name, work in timed.items():
            began = time.perf_counter()
            work()
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - began)
    return seconds


def compose_for(network, layer: str, precision: str, steps: int = 10):
    """The same dream for every network: 4 octaves, as a rule of 10 steps, jitter, Laplacian filter, no noise."""
    registry, _ = load_plugins()
    registry.networks.add(f"the-{network.name}", "benchmark", lambda: network)
    words = {
        "octaves": {"count": 4, "steps": steps},
        "objectives": [{"name": "deepdream", "layer": layer}],
        "transforms": [{"name": "jitter"}],
    }
    return build(words, registry, network=f"the-{network.name}", machine=Machine("cpu", precision, 0))


def passes(module: torch.nn.Module, image: torch.Tensor, count: int) -> None:
    """Run `count` forward and backward passes up to the layer."""
    image = image.contiguous(memory_format=torch.channels_last)
    for _ in range(count):
        leaf = image.detach().requires_grad_()
        (features,) = module(leaf).values()
        torch.autograd.grad(features.float().square().mean(), leaf)


def cosine(network, layer: str) -> float:
    """The cosine between the gradients of one picture in float32 and in bfloat16."""
    gradients = []
    image = scene(512, 341)
    for dtype in (torch.float32, torch.bfloat16):
        leaf = image.clone().requires_grad_()
        features = network.prepared([layer], torch.device("cpu"), dtype).features(leaf, [layer])[layer]
        gradients.append(torch.autograd.grad(features.float().square().mean(), leaf)[0].flatten())
    return float(torch.nn.functional.cosine_similarity(*gradients, dim=0))


if __name__ == "__main__":
    main()
