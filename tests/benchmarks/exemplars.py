"""Speed and peak memory of an exemplar search; the peak must not grow after a tenth of the pictures.

    python tests/benchmarks/exemplars.py [--pictures 10000] [--side 640] [--network reverie] [--weights FILE]

The pictures are drawn into a temporary folder. Exits with 1 where the peak has grown by more than 5 %.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

import dreamer
from dreamer.image import to_pil
from dreamer.motifs.sample_scene import scene
from dreamer.visualization.exemplars import Channel, Search, search


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--network", default="reverie")
    parser.add_argument("--weights", type=Path)
    wishes = parser.parse_args()
    network = dreamer.load_network(wishes.network, wishes.weights)
    unit = Channel(network, network.default_layer, 0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        drawn = [to_pil(scene(wishes.side, wishes.side * 3 // 4, seed)) for seed in range(8)]
        names = [f"{number:06}.jpg" for number in range(wishes.pictures)]
        for number, name in enumerate(names):
            drawn[number % len(drawn)].rotate(number % 360).save(folder / name, quality=85)
        early, begun = 0, time.perf_counter()

        def watch(so_far: Search) -> None:
            nonlocal early
            if len(so_far.done) == len(names) // 10:
                early = _peak()

        found = search(folder, names, unit, notes=folder / ".notes", device=torch.device("cpu"), on_picture=watch)
        pace = len(names) / (time.perf_counter() - begun)
    growth = _peak() / early - 1
    print(f"{len(found.done)} pictures, {pace:.1f} a second, {len(found.best[0])} kept")
    print(f"peak {early / 1024:.0f} MB after a tenth, {_peak() / 1024:.0f} MB at the end: {growth:+.1%}")
    return 0 if growth < 0.05 else 1


def _peak() -> int:
    """The largest resident size so far, in KB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
