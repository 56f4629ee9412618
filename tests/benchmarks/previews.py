"""Whether a preview predicts its film: how the low bands of their changes correlate, and what each takes.

    python tests/benchmarks/previews.py PHOTO [--size 960] [--keyframes 3] [--preset NAME]
    python tests/benchmarks/previews.py CLIP [--frames 13] [--preset NAME]

Of a photo, the keyframes of a zoom are compared; of a clip, every second frame of its dream.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from dreamer.api import registry
from dreamer.files.suffixes import command_for
from dreamer.image import load
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.preview import preview_side
from dreamer.recipes.preset import find_preset
from dreamer.videos.clip.reader import frames, probe
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.film.film import Film
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import SPACING, Scene, keyframe_size, settled_looks
from dreamer.videos.zoom.zoom import Zoom

LOW = 8  # px: the finest wavelength of a low band, in the preview


def alike(preview: Tensor, whole: Tensor) -> float:
    """How the low bands of two changes (1, 3, h, w) correlate."""
    size = preview.shape[-2] // LOW, preview.shape[-1] // LOW
    low = [adaptive_avg_pool2d(change.float(), size).flatten() for change in (preview, whole)]
    return float(torch.corrcoef(torch.stack(low))[0, 1])


def zoomed(pipeline: Pipeline, path: Path, side: int, count: int) -> tuple[Callable[[], list[Tensor]], ...]:
    """What gives the changes of a zoom's preview at its keyframes, and of the zoom."""
    photo = load(path)
    sizes = [(photo.resized(side).height, photo.resized(side).width)]
    small = photo.resized(preview_side(pipeline, *sizes[0]))
    sizes.append((small.height, small.width))
    wholes = {at(sizes[1]): at(sizes[0]) for at in (tuple, keyframe_size)}

    def made(size: tuple[int, int]) -> list[Tensor]:
        look = settled_looks({(None, None): replace(pipeline, wholes=wholes)}, photo, size)[None, None]
        scene = Scene(photo.image(), Zoom(), size, lambda time: look, MemoryStore(), SPACING)
        return [KeyframeZoom(scene).change(number) for number in range(count)]

    return (lambda: made(sizes[1])), (lambda: made(sizes[0]))


def filmed(pipeline: Pipeline, path: Path, count: int) -> tuple[Callable[[], list[Tensor]], ...]:
    """What gives the changes of every second frame of a clip's preview, and of the whole."""
    clip = probe(path)
    shown = [*islice(frames(clip), count)]

    def made(step: int) -> list[Tensor]:
        film = Film.of(pipeline, clip.height, clip.width, preview=step > 1, step=step)
        return [dreamt.change for dreamt in film.dreams(shown[::step])]

    return (lambda: made(2)), (lambda: made(1)[::2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--size", type=int, default=960)
    parser.add_argument("--keyframes", type=int, default=3)
    parser.add_argument("--frames", type=int, default=13)
    parser.add_argument("--preset")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = build(find_preset(registry(), asked.preset).words if asked.preset else {}, registry())
    if command_for(asked.source) == "video":
        ways = filmed(pipeline, asked.source, asked.frames)
    else:
        ways = zoomed(pipeline, asked.source, asked.size, asked.keyframes)
    found = []
    for name, made in zip(("preview", "whole"), ways, strict=True):
        began = time.process_time()
        found.append(made())
        print(f"{name}: {time.process_time() - began:.1f} s of processor", flush=True)
    for number, (preview, whole) in enumerate(zip(*found, strict=True)):
        print(f"number {number}: low bands correlate {alike(preview, whole):.3f}")


if __name__ == "__main__":
    main()
