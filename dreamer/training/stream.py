"""Training pictures: a second process draws them into shared memory; crops and colours vary each time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RenderError
from dreamer.motifs.composite import Pictures, World

Vary = Callable[[Tensor, torch.Generator], Tensor]
"""Changes crops (B, 3, S, S) in [0, 1] at random, before they are learnt."""
SIZE = 128
"""Side of a drawn picture in pixels; training uses crops of it."""
_CHUNK = 128  # pictures drawn at once
_HELD = 48  # chunks in shared memory; the oldest is replaced by the newest
_FIRST = 4  # chunks that must be drawn before training starts
_PERMUTED, _GREY = 0.2, 0.05  # shares of batches and of samples: more would teach that colour means nothing
_NOISE = 0.2  # largest deviation of the noise on a sample, which keeps the gradients' spectrum natural


class PictureStream(AbstractContextManager["PictureStream"]):
    """An endless supply of labelled pictures of a world, drawn by a second process with the seed `seed`."""

    def __init__(self, world: World, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        count = _CHUNK * _HELD
        self._pictures = torch.zeros(count, 3, SIZE, SIZE, dtype=torch.uint8)
        self._labels = torch.zeros(count, 2, SIZE, SIZE, dtype=torch.uint8)
        for shared in (self._pictures, self._labels):
            shared.share_memory_()  # type: ignore[no-untyped-call]
        with _safe_path():  # it starts a process, too
            self._drawn = context.Value("q", 0)
        arguments = (world, self._pictures, self._labels, self._drawn, seed, _CHUNK)
        self._process = context.Process(target=_draw, args=arguments, daemon=True)

    def __enter__(self) -> PictureStream:
        with _safe_path():
            self._process.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.join()

    def wait(self) -> None:
        """Wait for the first pictures; raises RenderError when the drawing process has ended."""
        while self._drawn.value < _CHUNK * _FIRST:
            if not self._process.is_alive():
                raise RenderError("the process that draws the training pictures has ended; continue with --resume")
            time.sleep(0.1)

    def batch(self, count: int, size: int, random: torch.Generator, vary: Vary) -> Pictures:
        """Draw random crops.

        Args:
            count: Number of crops.
            size: Their side in pixels.
            random: For all choices.
            vary: Changes the crops, (count, 3, size, size) in [0, 1].

        Returns:
            The changed crops with their labels.
        """
        self.wait()
        available = min(self._drawn.value, len(self._pictures))
        chosen = torch.randint(0, available, (count,), generator=random)
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


@contextmanager
def _safe_path() -> Iterator[None]:
    """Processes that start in the block import nothing from the current folder, which may hold a stranger's files."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def varied(image: Tensor, random: torch.Generator) -> Tensor:
    """Crops with random colours, contrast, brightness and noise, by which motifs must not be told apart."""
    image = _recoloured(image, random)
    return image + torch.randn(image.shape, generator=random) * _uniform(image, random, 0, _NOISE)


def recoloured(image: Tensor, random: torch.Generator) -> Tensor:
    """Crops with random colours, contrast and brightness, clipped to [0, 1]."""
    return _recoloured(image, random).clamp(0, 1)


def _recoloured(image: Tensor, random: torch.Generator) -> Tensor:
    """Crops with random colours, contrast and brightness, not clipped."""
    if torch.rand((), generator=random) < _PERMUTED:
        image = image[:, torch.randperm(3, generator=random)]
    image = torch.where(_uniform(image, random, 0, 1) < _GREY, image.mean(1, keepdim=True), image)
    return (image - 0.5) * _uniform(image, random, 0.5, 1.5) + 0.5 + 0.25 * _uniform(image, random, -0.5, 0.5, 3)


def _uniform(image: Tensor, random: torch.Generator, low: float, high: float, channels: int = 1) -> Tensor:
    """Uniform random numbers between `low` and `high` for each picture, (B, channels, 1, 1)."""
    return torch.rand(len(image), channels, 1, 1, generator=random) * (high - low) + low


def _draw(world: World, pictures: Tensor, labels: Tensor, drawn: Any, seed: int, chunk: int) -> None:
    """Draw pictures, `chunk` at once, until the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(5)  # training has priority, as it can use a picture more than once
    parent = os.getppid()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        while os.getppid() == parent:
            fresh = world.draw(chunk, SIZE, random)
            start = drawn.value % len(pictures)
            pictures[start : start + chunk] = (fresh.image * 255).round().byte()
            labels[start : start + chunk] = torch.stack([fresh.kind, fresh.second], 1).byte()
            drawn.value += chunk
