"""Time of a visualization relative to its bare forward and backward passes, as a ratio of medians.

    python tests/benchmarks/visualize.py [--weights FILE] [--steps 128] [--repeats 5] [--threads 1]

128 steps at 224 pixels of squeezenet1_0: a channel of its default layer, the Fourier canvas, Adam, and the standard
transforms (pad, jitter, scale, rotate, jitter) as one warp; the bare passes have the same number, size,
prepared network and layer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torchvision.models.feature_extraction import create_feature_extractor

from dreamer.api import registry
from dreamer.engine.device import Machine, keep_freed_memory
from dreamer.image import load, to_pil
from dreamer.networks import load_from, untrained
from dreamer.pipeline.build import build
from dreamer.visualization.unit import FROM_NOTHING, Unit, grey


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", default="squeezenet1_0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--canvas", default="fourier")
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as the command line does, for both sides
    networks = registry().networks
    if arguments.weights:
        network = load_from(networks, arguments.network, arguments.weights)
    else:
        network = untrained(networks, arguments.network)
    layer = network.default_layer
    pipeline = build(
        FROM_NOTHING,
        registry(),
        changes=[
            ("octaves.count", 1),
            ("octaves.steps", arguments.steps),
            ("size", arguments.size),
            ("canvas.name", arguments.canvas),
        ],
        network=network,
        machine=Machine("cpu", "float32", 0),
        aim=lambda network, words: Unit(channel=20).objectives(network, layer, (arguments.size, arguments.size)),
    )
    photo = load(to_pil(grey(arguments.size, arguments.size)))
    module = network.prepared([layer], torch.device("cpu"), torch.float32).module
    bare = create_feature_extractor(module, [layer])
    image = torch.rand(1, 3, arguments.size, arguments.size).contiguous(memory_format=torch.channels_last)

    def passes() -> None:
        for _ in range(arguments.steps):
            leaf = image.detach().requires_grad_()
            (features,) = bare(leaf).values()
            torch.autograd.grad(features[:, 20].mean(), leaf)

    seconds: dict[str, list[float]] = {"visualize": [], "bare": []}
    for turn in range(arguments.repeats + 1):
        for name, work in (("visualize", lambda: pipeline.dream(photo)), ("bare", passes)):
            began = time.process_time()
            work()
            if turn:  # the first turn warms up
                seconds[name].append(time.process_time() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:6.2f} s  ({min(seconds[name]):.2f} to {max(seconds[name]):.2f})")
    print(f"visualize / bare: {medians['visualize'] / medians['bare']:.3f}")


if __name__ == "__main__":
    main()
