"""Chunks of a film that can be dreamt by themselves, with the very frames that the whole film has.

A dream goes on from frame to frame, and one that is begun elsewhere may never come to the same forms: after a run-up of
eighty frames the difference can be as large as without one (`tests/benchmarks/run_up.py`). After a cut, though, a dream
begins anew anyway. So what is dreamt begins at a cut, and what is written at the next segment of the clip: whole
segments, which are put together without being encoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamer.videos.clip.encode import Frame
from dreamer.videos.film.film import Film

LEAST = 60  # frames of a chunk: finding a place in a clip and its run-up cost something
_SIDE = 64  # pixels of the frames that are compared first
_CHANGED = 0.03  # mean difference of neighbours, black to white being 1: with less, nothing was cut


@dataclass(frozen=True)
class Chunk:
    """Frames `begin` to `end` - 1, for which frames from `start` on are dreamt; numbers in the film."""

    start: int
    begin: int
    end: int


@dataclass(frozen=True)
class Scan:
    """A scan of a film: the time of each frame in seconds, and the numbers of those that follow a cut."""

    times: Sequence[Fraction]
    cuts: Sequence[int]


def scan(
    film: Film, frames: Iterable[tuple[Fraction, Frame]], on_frame: Callable[[int], None] = lambda number: None
) -> Scan:
    """Look through all frames of a film, and find the cuts as the film does; `on_frame` is told each number.

    A cut is seen at the first frame after it that is dreamt over.
    """
    times, cuts = list[Fraction](), list[int]()
    before: tuple[Frame, NDArray[np.float32]] | None = None
    for number, (time, values) in enumerate(frames):
        times.append(time)
        on_frame(number)
        if number % film.every:
            continue
        small = _small(values)
        if before is not None and (film.resets or np.abs(small - before[1]).mean() > _CHANGED):
            if film.resets or film.cut_between(before[0], values):
                cuts.append(number)
        before = (values, small)
    return Scan(times, cuts)


def chunks(frames: int, cuts: Sequence[int], segment: int, least: int = LEAST) -> list[Chunk]:
    """The chunks of a film of so many frames.

    Args:
        frames: Number of frames.
        cuts: Numbers of the frames that follow a cut, rising.
        segment: Number of frames in a segment of the clip; each chunk but the last has whole ones.
        least: The fewest frames of a chunk.
    """
    found = [Chunk(0, 0, frames)]
    for cut in cuts:
        begin = -(-cut // segment) * segment
        last = found[-1]
        if begin - last.begin < least or frames - begin < min(least, segment):
            continue
        start = max(each for each in cuts if each <= begin)
        found[-1:] = [Chunk(last.start, last.begin, begin), Chunk(start, begin, frames)]
    return found


def _small(values: Frame) -> NDArray[np.float32]:
    """A frame (h, w, 3 or 4), uint8, made small by leaving out pixels: (h', w', 3), from 0 to 1."""
    step = max(1, max(values.shape[:2]) // _SIDE)
    return values[::step, ::step, :3].astype(np.float32) / np.float32(255)
