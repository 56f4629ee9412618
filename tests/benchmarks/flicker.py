"""How much a dreamt clip flickers, compared with the same clip dreamt frame by frame independently.

    python tests/benchmarks/flicker.py CLIP [--size 320] [--preset NAME] [--stability 0.5,0.7] [--every 1,3]

Flicker is the mean absolute difference between a frame and the one before it, moved along the source's motion, minus
the same for the source; change is the mean absolute difference to the source. Both are in levels of 255, over all
frames. The default stability should give at most half of the flicker at no less than 90 % of the change. `--sheet`
writes some frames side by side: source, independent dreams, and one column for each stability.
"""

from __future__ import annotations

import argparse
import time
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamer.api import registry
from dreamer.image import Photo
from dreamer.pipeline.build import build
from dreamer.recipes.preset import find_preset
from dreamer.videos.clip.reader import frames, probe
from dreamer.videos.film.film import STABILITY, Film
from dreamer.videos.film.motion import Motion, find_motion
from dreamer.videos.film.optical_flow import warp


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean()) * 255


def flicker(dreams: list[Tensor], source: list[Tensor], motions: list[Motion]) -> float:
    def unrest(pictures: list[Tensor]) -> float:
        moved = (warp(before, motion.flow) for before, motion in zip(pictures, motions, strict=False))
        return float(np.mean([difference(now, before) for now, before in zip(pictures[1:], moved, strict=True)]))

    return unrest(dreams) - unrest(source)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--preset")
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--stability", default=str(STABILITY))
    parser.add_argument("--every", default="1", help="one frame in so many is dreamt over")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    clip = probe(asked.clip)
    shown = list(islice(frames(clip), asked.frames))
    words = find_preset(registry(), asked.preset).words if asked.preset else {}
    pipeline = build(words, registry())
    photos = [Photo(values).resized(asked.size) for _, values in shown]
    size = (photos[0].height, photos[0].width)
    source = [photo.image() for photo in photos]
    motions = [find_motion(now, before) for before, now in pairwise(source)]
    speed = np.mean([float(motion.flow.norm(dim=1).mean()) for motion in motions])
    print(f"{asked.clip.name}: {len(shown)} frames of {size[1]}x{size[0]}, moving {speed:.2f} px a frame on average")
    alone = None
    columns = [source]
    ways = [
        (float(stability), int(every)) for stability in asked.stability.split(",") for every in asked.every.split(",")
    ]
    for stability, every in ((0.0, 1), *ways):
        film = Film.of(pipeline, *size, stability=stability, every=every)
        began = time.process_time()
        dreams = [Photo(dreamt.frame).image() for dreamt in film.dreams(shown)]
        seconds = (time.process_time() - began) / len(shown)
        unrest = flicker(dreams, source, motions)
        change = float(np.mean([difference(a, b) for a, b in zip(dreams, source, strict=True)]))
        alone = alone or (unrest, change)
        print(
            f"stability {stability:.2f}, every {every}: flicker {unrest:5.2f} ({unrest / alone[0]:4.0%}), "
            f"change {change:5.2f} ({change / alone[1]:4.0%}), {seconds:.2f} s of processor a frame",
            flush=True,
        )
        columns.append(dreams)
    if asked.sheet:
        rows = np.linspace(0, len(shown) - 1, 5).round().astype(int)
        sheet = torch.cat([torch.cat([column[row] for column in columns], -1) for row in rows], -2)
        Image.fromarray((sheet[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(asked.sheet)


if __name__ == "__main__":
    main()
