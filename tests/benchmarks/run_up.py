"""Whether a film that is begun elsewhere comes to the same dream: the difference, frame by frame, and at cuts.

python tests/benchmarks/run_up.py [--side 96] [--frames 110] [--stability 0.7] [--steps 6]

A camera wanders over a drawn scene, and is cut once, after two thirds. The whole film is compared with one that begins
at a sixth of it: the mean difference of each frame, in 255ths, so many frames after the beginning.
"""

from __future__ import annotations

import argparse
import math
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from dreamer.api import registry
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.videos.film.film import Film


def frame(picture: torch.Tensor, number: int, side: int) -> NDArray[np.uint8]:
    """A view of half of a picture, from a place that wanders, (3 side / 4, side, 3)."""
    scale = 0.55 + 0.1 * math.sin(number / 20)
    x, y = 0.3 * math.cos(number / 15), 0.3 * math.sin(number / 22)
    grid = F.affine_grid(
        torch.tensor([[[scale, 0, x], [0, scale, y]]]), [1, 3, side * 3 // 4, side], align_corners=False
    )
    seen = F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)
    return seen[0].permute(1, 2, 0).mul(255).round().byte().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("side", 96), ("frames", 110), ("steps", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--stability", type=float, default=0.7)
    given = parser.parse_args()
    pictures = [scene(2 * given.side, 2 * given.side, seed=seed) for seed in range(2)]
    pictures[1] = 1 - pictures[1]
    cut, begin = given.frames * 2 // 3, given.frames // 6
    clip = [(Fraction(n, 25), frame(pictures[n >= cut], n, given.side)) for n in range(given.frames)]
    film = Film.of(
        build({"octaves": {"steps": given.steps}}, registry()),
        given.side * 3 // 4,
        given.side,
        stability=given.stability,
    )
    whole = [dreamt.frame.astype(int) for dreamt in film.dreams(clip)]
    change = np.mean([np.abs(dream - values).mean() for dream, (_, values) in zip(whole, clip, strict=True)])
    print(f"the dream changes frames by {change:.1f} of 255; begun at frame {begin}, cut before frame {cut}")
    for number, dreamt in enumerate(film.dreams(clip[begin:]), begin):
        if (number - begin) % 5 == 0 or number in (cut - 1, cut):
            print(f"{number - begin:4} frames later: {np.abs(dreamt.frame - whole[number]).mean():.2f}")


if __name__ == "__main__":
    main()
