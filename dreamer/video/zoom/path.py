"""Where a zoom is at any moment: its speed, integrated on a clock of its own, so that motion does not depend on fps."""

from __future__ import annotations

import bisect
import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dreamer.video.zoom.similarity import Similarity

_TICKS = 240  # of the clock, per second
_TURN, _PAN = (
    math.radians(30),
    0.25,
)  # this much turning (radians), or moving (of the long side), is as new as a keyframe


@dataclass(frozen=True)
class Speed:
    """How a frame moves at a moment.

    `rate` is a factor per second, at least 1; `angle` degrees per second, clockwise; `centre` the point of the frame
    that stays where it is, (x, y) from its top left, each 0 to 1 of the frame; `pan` how fast the view wanders, (x, y)
    in long sides of the frame per second.
    """

    rate: float = 1.0
    angle: float = 0.0
    centre: tuple[float, float] = (0.5, 0.5)
    pan: tuple[float, float] = (0.0, 0.0)

    def velocity(self) -> complex:
        """The logarithm of the factor by which things grow in a second."""
        return complex(math.log(self.rate), math.radians(self.angle))


class Path:
    """From frame to photo at any time: the similarity of a frame's points and the photo's, in long sides.

    `aspect` is the frame's (width, height) in them. `spacing` is the factor between keyframes; with `whole` it gives
    way so that a whole number of them, at least two, lies between 0 and `seconds`. Beyond the end the last speed goes
    on.
    """

    def __init__(
        self,
        speed: Callable[[float], Speed],
        seconds: float,
        aspect: tuple[float, float],
        spacing: float,
        *,
        whole: bool = False,
    ) -> None:
        self._speed, self._aspect, self._spacing, self._dense = speed, aspect, spacing, 1.0
        ticks = math.ceil(seconds * _TICKS) + 1
        speeds = [speed((k + 0.5) / _TICKS) for k in range(ticks)]
        steps = [self._step(one, 1 / _TICKS) for one in speeds]
        factors = np.cumprod(np.array([1.0, *(step.factor for step in steps)], np.complex128))
        moves = np.array([step.shift for step in steps], np.complex128)
        self._factors = factors
        self._shifts = np.concatenate([[0j], np.cumsum(factors[:-1] * moves)])
        self._news = np.concatenate([[0.0], np.cumsum([self._news_of(one) / _TICKS for one in speeds])])
        if whole and (passed := self.keyframe(seconds)):
            self._dense = max(2, round(passed)) / passed
            self._news *= self._dense

    def at(self, time: float) -> Similarity:
        """Where the frame is at a time."""
        k, rest = self._tick(time)
        start = Similarity(complex(self._factors[k]), complex(self._shifts[k]))
        return start.after(self._step(self._speed((k + 0.5) / _TICKS), rest))

    def keyframe(self, time: float) -> float:
        """How many keyframes have passed by then, with the share of the next."""
        k, rest = self._tick(time)
        return float(self._news[k]) + self._news_of(self._speed((k + 0.5) / _TICKS)) * rest

    def time_of(self, keyframe: float) -> float:
        """When a keyframe is reached; beyond the end the last speed goes on. Infinite where nothing moves."""
        k = min(bisect.bisect_right(self._news, keyframe) - 1, len(self._news) - 2)
        pace = self._news_of(self._speed((k + 0.5) / _TICKS))
        missing = keyframe - float(self._news[k])
        return k / _TICKS + (missing / pace if pace else (0.0 if missing <= 0 else math.inf))

    def _tick(self, time: float) -> tuple[int, float]:
        k = min(max(int(time * _TICKS), 0), len(self._factors) - 2)
        return k, time - k / _TICKS

    def _step(self, speed: Speed, seconds: float) -> Similarity:
        """What a frame sees `seconds` later, in the frame before."""
        wide, high = self._aspect
        fixed = complex((speed.centre[0] - 0.5) * wide, (speed.centre[1] - 0.5) * high)
        factor = cmath.exp(-speed.velocity() * seconds)
        return Similarity(factor, fixed * (1 - factor) + complex(*speed.pan) * seconds)

    def _news_of(self, speed: Speed) -> float:
        """Keyframes per second."""
        zoomed = math.log(speed.rate) / math.log(self._spacing)
        return self._dense * max(zoomed, abs(math.radians(speed.angle)) / _TURN, abs(complex(*speed.pan)) / _PAN)
