"""Where a zoom is at any time: its speed, integrated on a clock of its own, so that motion does not depend on fps."""

from __future__ import annotations

import bisect
import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dreamer.video.zoom.similarity import Similarity

_TICKS = 240  # per second
# Turning by this angle, or moving by this share of the long side, shows enough that is new for a keyframe.
_TURN, _PAN = math.radians(30), 0.25


@dataclass(frozen=True)
class Speed:
    """How the view moves at a time.

    `rate` is a factor per second, at least 1; `angle` degrees per second, clockwise; `centre` the point of the frame
    that does not move, (x, y) from its top left, each 0 to 1; `pan` how fast the view moves, (x, y) in long sides of
    the frame per second.
    """

    rate: float = 1.0
    angle: float = 0.0
    centre: tuple[float, float] = (0.5, 0.5)
    pan: tuple[float, float] = (0.0, 0.0)


class Path:
    """The similarity from a frame's points to the photo's at any time, in long sides of the frame.

    Args:
        speed: The speed at a time in seconds.
        seconds: Length of the clip; beyond it the last speed continues.
        aspect: (width, height) of the frame, in its long sides.
        spacing: Factor between keyframes.
        whole: Adjust the spacing so that a whole number of keyframes, at least two, fits into `seconds`.
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
        self._speed, self._aspect, self._spacing, self._density = speed, aspect, spacing, 1.0
        ticks = math.ceil(seconds * _TICKS) + 1
        speeds = [speed((k + 0.5) / _TICKS) for k in range(ticks)]
        steps = [self._step(one, 1 / _TICKS) for one in speeds]
        factors = np.cumprod(np.array([1.0, *(step.factor for step in steps)], np.complex128))
        moves = np.array([step.shift for step in steps], np.complex128)
        self._factors = factors
        self._shifts = np.concatenate([[0j], np.cumsum(factors[:-1] * moves)])
        self._passed = np.concatenate([[0.0], np.cumsum([self._keyframe_rate(one) / _TICKS for one in speeds])])
        if whole and (passed := self.keyframe(seconds)):
            self._density = max(2, round(passed)) / passed
            self._passed *= self._density

    def at(self, time: float) -> Similarity:
        """Where the frame is at a time in seconds."""
        k, rest = self._tick(time)
        start = Similarity(complex(self._factors[k]), complex(self._shifts[k]))
        return start.after(self._step(self._speed((k + 0.5) / _TICKS), rest))

    def keyframe(self, time: float) -> float:
        """How many keyframes have passed at a time, with the fraction of the next."""
        k, rest = self._tick(time)
        return float(self._passed[k]) + self._keyframe_rate(self._speed((k + 0.5) / _TICKS)) * rest

    def time_of(self, keyframe: float) -> float:
        """The time in seconds at which a keyframe is reached; infinite where nothing moves."""
        k = min(bisect.bisect_right(self._passed, keyframe) - 1, len(self._passed) - 2)
        rate = self._keyframe_rate(self._speed((k + 0.5) / _TICKS))
        missing = keyframe - float(self._passed[k])
        return k / _TICKS + (missing / rate if rate else (0.0 if missing <= 0 else math.inf))

    def _tick(self, time: float) -> tuple[int, float]:
        """The last tick before a time, and the seconds since."""
        k = min(max(int(time * _TICKS), 0), len(self._factors) - 2)
        return k, time - k / _TICKS

    def _step(self, speed: Speed, seconds: float) -> Similarity:
        """From points of the frame `seconds` later to points of the frame now."""
        wide, high = self._aspect
        fixed = complex((speed.centre[0] - 0.5) * wide, (speed.centre[1] - 0.5) * high)
        factor = cmath.exp(-complex(math.log(speed.rate), math.radians(speed.angle)) * seconds)
        return Similarity(factor, fixed * (1 - factor) + complex(*speed.pan) * seconds)

    def _keyframe_rate(self, speed: Speed) -> float:
        """Keyframes per second."""
        zoomed = math.log(speed.rate) / math.log(self._spacing)
        return self._density * max(zoomed, abs(math.radians(speed.angle)) / _TURN, abs(complex(*speed.pan)) / _PAN)
