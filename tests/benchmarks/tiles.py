"""Differences between the tiled gradient and the whole one, at 700x523 and tile 192.

    python tests/benchmarks/tiles.py

Measured on a photo and on a picture with flat areas. Prints the largest difference over the largest gradient, and in
float32 also the RMS of the differences over that of the gradient. On flat areas torch's float64 convolution rounds
equal values differently from place to place, so that ties in max-pooling are random: there, float64 breaks ties on
values rounded to float32 (`settled`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from networks import calibrated, settled
from test_tiles import flat, gradient, photo

CASES = (
    ("squeezenet1_0", "features.10"),
    ("googlenet", "inception4c"),
    ("vgg16", "features.20"),
    ("reverie", "m4b"),
)
HEIGHT, WIDTH, TILE = 523, 700, 192


def main() -> None:
    torch.set_num_threads(2)
    print("network, layer, picture: float64 largest | float32 RMS, largest")
    for name, layer in CASES:
        for picture in (photo, flat):
            found = []
            for dtype in (torch.float64, torch.float32):
                network = calibrated(name)
                if picture is flat and dtype == torch.float64:
                    network = settled(network)
                image = picture(HEIGHT, WIDTH, dtype)
                _, whole = gradient(network, [layer], 0, image)
                _, tiled = gradient(network, [layer], TILE, image)
                difference = tiled - whole
                found.append(float(difference.square().mean().sqrt() / whole.square().mean().sqrt()))
                found.append(float(difference.abs().max() / whole.abs().max()))
            _, largest64, rms32, largest32 = found
            print(f"{name} {layer}, {picture.__name__}: {largest64:.1e} | {rms32:.1e}, {largest32:.1e}", flush=True)


if __name__ == "__main__":
    main()
