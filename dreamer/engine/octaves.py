"""The octaves of a dream: the sizes at which a picture is dreamt over, small to large (Mordvintsev 2015)."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LEAST_STEPS = 2  # fewest steps of a tapered octave: a single one would show its random draw


@dataclass(frozen=True)
class Octave:
    """One scale of the dream: `size` (height, width) in pixels, `steps` of `step_size` in image units each."""

    size: tuple[int, int]
    steps: int
    step_size: float

    def lessened(self, share: float) -> Octave:
        """A share of the way: fewer steps, and shorter ones where the share is no whole number of them."""
        way = self.steps * share
        steps = math.ceil(way - 1e-9)
        return Octave(self.size, steps, self.step_size * way / max(steps, 1))


def tapered(sizes: list[tuple[int, int]], steps: int, step_size: float, taper: float, way: float) -> tuple[Octave, ...]:
    """The octaves of these sizes, small to large.

    The first has `steps` steps of `step_size`. Each one after it has `taper` of the steps of the one before, but two at
    least where the first has as many, and goes `way` as far in all: forms are made in the small octaves, and a step
    costs most in the large ones.
    """
    found = []
    for number, size in enumerate(sizes):
        fewer = max(min(steps, _LEAST_STEPS), round(steps * taper**number))
        found.append(Octave(size, fewer, step_size * steps * way**number / max(fewer, 1)))
    return tuple(found)


def octave_sizes(
    height: int, width: int, *, smallest: int, scale: float, count: int | None = None
) -> list[tuple[int, int]]:
    """The octaves' sizes (height, width), small to large: round(size / scale^(n-1-k)) for k = 0 ... n-1.

    Without `count` there are as many as keep the shortest side at `smallest` pixels or more, and always one.
    """
    if count is None:
        count = 1 + max(0, math.floor(math.log(min(height, width) / smallest) / math.log(scale) + 1e-9))
    powers = [scale**k for k in reversed(range(count))]
    return [(max(1, round(height / power)), max(1, round(width / power))) for power in powers]


def rising_sizes(height: int, width: int, *, smallest: int, scale: float) -> list[tuple[int, int]]:
    """The octaves' sizes, built from below: the first short side is `smallest` (or the picture's), whatever its size.

    A preview and a print then share their first octaves, and with them their forms. The last step is the one that
    gives way: it is a factor between the square root of `scale` and `scale` times that.
    """
    short = min(height, width)
    sides = [float(min(smallest, short))]
    while sides[-1] * scale**1.5 < short:
        sides.append(sides[-1] * scale)
    sizes = [(max(1, round(height * side / short)), max(1, round(width * side / short))) for side in sides]
    return [size for size in sizes if min(size) * math.sqrt(scale) < short] + [(height, width)]
