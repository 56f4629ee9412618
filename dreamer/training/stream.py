"""Pictures to learn from: drawn by a process of their own into shared memory, seen in changing crops and colours."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RenderError
from dreamer.motifs.composite import Pictures, World

Vary = Callable[[Tensor, torch.Generator], Tensor]
"""How crops (B, 3, S, S) are changed, by chance, before they are learnt."""
SIZE = 128
"""Pixels a side of a picture as drawn; crops of it are looked at."""
_CHUNK = 128
_HELD = 48  # chunks: what is kept, and drawn anew in turn, round and round
_FIRST = 4  # chunks to begin with
_PERMUTED, _GREY = 0.2, 0.05  # of batches, of samples: more would teach that colour means nothing
_NOISE = 0.2  # as much as, of a sample: it keeps the gradients' spectrum natural, and costs nothing


class Stream(AbstractContextManager["Stream"]):
    """Endless labelled pictures of a world; a second process draws them, from `seed` on."""

    def __init__(self, world: World, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        count = _CHUNK * _HELD
        self._pictures = torch.zeros(count, 3, SIZE, SIZE, dtype=torch.uint8)
        self._labels = torch.zeros(count, 2, SIZE, SIZE, dtype=torch.uint8)
        for shared in (self._pictures, self._labels):
            shared.share_memory_()  # type: ignore[no-untyped-call]
        self._drawn = context.Value("q", 0)
        arguments = (world, self._pictures, self._labels, self._drawn, seed)
        self._painter = context.Process(target=_paint, args=arguments, daemon=True)

    def __enter__(self) -> Stream:
        self._painter.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._painter.terminate()
        self._painter.join()

    def wait(self) -> None:
        """Until the first pictures are there; raises RenderError when nobody draws."""
        while self._drawn.value < _CHUNK * _FIRST:
            if not self._painter.is_alive():
                raise RenderError("the process that draws the pictures to learn from has ended")
            time.sleep(0.1)

    def batch(self, count: int, size: int, random: torch.Generator, vary: Vary) -> Pictures:
        """`count` crops of `size` pixels, in [0, 1] before they are varied."""
        self.wait()
        there = min(self._drawn.value, len(self._pictures))
        chosen = torch.randint(0, there, (count,), generator=random)
        side = int(torch.randint(size, SIZE + 1, (1,), generator=random))
        corners = torch.randint(0, SIZE - side + 1, (count, 2), generator=random)
        crops = [
            (row, slice(None), slice(top, top + side), slice(left, left + side))
            for row, (top, left) in zip(chosen.tolist(), corners.tolist(), strict=True)
        ]
        image = torch.stack([self._pictures[crop] for crop in crops]).float() / 255
        labels = torch.stack([self._labels[crop] for crop in crops])
        if side != size:
            image = F.interpolate(image, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
            labels = F.interpolate(labels, size=(size, size), mode="nearest-exact")
        if torch.rand((), generator=random) < 0.5:
            image, labels = image.flip(3), labels.flip(3)
        kind, second = labels.long().unbind(1)
        return Pictures(vary(image, random), kind, second)


def varied(image: Tensor, random: torch.Generator) -> Tensor:
    """Other colours, contrasts and brightness, and noise: what must not tell one motif from another."""
    image = _recoloured(image, random)
    return image + torch.randn(image.shape, generator=random) * _each(image, random, 0, _NOISE)


def recoloured(image: Tensor, random: torch.Generator) -> Tensor:
    """Other colours, contrasts and brightness, in [0, 1]: pictures still."""
    return _recoloured(image, random).clamp(0, 1)


def _recoloured(image: Tensor, random: torch.Generator) -> Tensor:
    if torch.rand((), generator=random) < _PERMUTED:
        image = image[:, torch.randperm(3, generator=random)]
    image = torch.where(_each(image, random, 0, 1) < _GREY, image.mean(1, keepdim=True), image)
    return (image - 0.5) * _each(image, random, 0.5, 1.5) + 0.5 + 0.25 * _each(image, random, -0.5, 0.5, 3)


def _each(image: Tensor, random: torch.Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """A number by chance for each picture, (B, channels, 1, 1)."""
    return torch.rand(len(image), channels, 1, 1, generator=random) * (high - low) + low


def _paint(world: World, pictures: Tensor, labels: Tensor, drawn: Any, seed: int) -> None:
    """Draw for ever; ends with the process that wants the pictures."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's to answer
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(5)  # the trainer comes first: it can look at a picture more than once
    parent = os.getppid()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        while os.getppid() == parent:
            fresh = world.draw(_CHUNK, SIZE, random)
            start = drawn.value % len(pictures)
            pictures[start : start + _CHUNK] = (fresh.image * 255).round().byte()
            labels[start : start + _CHUNK] = torch.stack([fresh.kind, fresh.second], 1).byte()
            drawn.value += _CHUNK
