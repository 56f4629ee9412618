"""The path of a zoom: its speed, integrated on a clock of its own, so that motion does not depend on fps."""

from __future__ import annotations

import bisect
import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError, argument
from dreamer.videos.zoom.similarity import Similarity

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]

_TICKS = 240  # per second
_AT_ONCE = 1 << 16  # ticks that are computed together
_DEEPEST = 1e-280  # scale of the view beyond which numbers are too small to compute with
# Turning by this angle, or moving by this share of the long side, shows enough that is new for a keyframe.
_TURN, _PAN = math.radians(30), 0.25


@dataclass(frozen=True)
class Speed:
    """The speed of the view at n times.

    `rate` (n,) is a factor per second, at least 1; `angle` (n,) degrees per second, clockwise; `centre` (2, n) the
    point of the frame that does not move, x and y from its top left, each 0 to 1; `pan` (2, n) how fast the view moves,
    x and y in long sides of the frame per second.
    """

    rate: Floats
    angle: Floats
    centre: Floats
    pan: Floats


class Path:
    """The similarity from a frame's points to the photo's at any time, in long sides of the frame.

    Args:
        speed: The speed at times in seconds, (n,).
        seconds: Length of the clip; beyond it the last speed continues.
        aspect: (width, height) of the frame, in its long sides.
        spacing: Factor between keyframes.
        whole: Adjust the spacing so that a whole number of keyframes, at least two, fits into `seconds`.
    """

    def __init__(
        self,
        speed: Callable[[Floats], Speed],
        seconds: float,
        aspect: tuple[float, float],
        spacing: float,
        *,
        whole: bool = False,
    ) -> None:
        self._speed, self._aspect, self._spacing, self._density = speed, aspect, spacing, 1.0
        ticks = math.ceil(seconds * _TICKS) + 1
        self._factors = np.ones(ticks + 1, np.complex128)
        self._shifts = np.zeros(ticks + 1, np.complex128)
        self._passed = np.zeros(ticks + 1)
        for begin in range(0, ticks, _AT_ONCE):
            end = min(begin + _AT_ONCE, ticks)
            now = speed((np.arange(begin, end) + 0.5) / _TICKS)
            factors, moves = self._steps(now, 1 / _TICKS)
            part, after = slice(begin, end + 1), slice(begin + 1, end + 1)
            self._factors[after] = factors
            self._factors[part] = np.cumprod(self._factors[part])
            self._shifts[after] = self._factors[begin:end] * moves
            self._shifts[part] = np.cumsum(self._shifts[part])
            self._passed[after] = self._keyframe_rates(now) / _TICKS
            self._passed[part] = np.cumsum(self._passed[part])
        if whole and (passed := self.keyframe(seconds)):
            self._density = max(2, round(passed)) / passed
            self._passed *= self._density

    def at(self, time: float) -> Similarity:
        """The place of the frame at a time in seconds; UsageError where it is too deep for a computer's numbers."""
        k, rest = self._tick(time)
        if abs(self._factors[k]) < _DEEPEST:
            shorter, slower = argument("seconds"), argument("rate")
            raise UsageError(f"the zoom becomes too deep; make it shorter ({shorter}), or slower ({slower})")
        factors, shifts = self._steps(self._speed_in(k), rest)
        start = Similarity(complex(self._factors[k]), complex(self._shifts[k]))
        return start.after(Similarity(complex(factors[0]), complex(shifts[0])))

    def keyframe(self, time: float) -> float:
        """The number of keyframes that have passed at a time, with the fraction of the next."""
        k, rest = self._tick(time)
        return float(self._passed[k]) + self._keyframe_rate(k) * rest

    def time_of(self, keyframe: float) -> float:
        """The time in seconds at which a keyframe is reached; infinite where nothing moves."""
        k = min(bisect.bisect_right(self._passed, keyframe) - 1, len(self._passed) - 2)
        rate = self._keyframe_rate(k)
        missing = keyframe - float(self._passed[k])
        return k / _TICKS + (missing / rate if rate else (0.0 if missing <= 0 else math.inf))

    def _tick(self, time: float) -> tuple[int, float]:
        """The last tick before a time, and the seconds since."""
        k = min(max(int(time * _TICKS), 0), len(self._factors) - 2)
        return k, time - k / _TICKS

    def _speed_in(self, tick: int) -> Speed:
        """The speed during a tick."""
        return self._speed(np.array([(tick + 0.5) / _TICKS]))

    def _steps(self, speed: Speed, seconds: float) -> tuple[Complex, Complex]:
        """The factors and shifts from points of the frame `seconds` later to points of the frame now, each (n,)."""
        turn = np.empty(len(speed.rate), np.complex128)
        turn.real = -each(math.log, speed.rate) * seconds
        turn.imag = -each(math.radians, speed.angle) * seconds
        factors: Complex = each(cmath.exp, turn)
        x, y = ((centre - 0.5) * side for centre, side in zip(speed.centre, self._aspect, strict=True))
        stays = 1 - factors
        shifts = np.empty_like(factors)
        shifts.real = (x * stays.real - y * stays.imag) + speed.pan[0] * seconds
        shifts.imag = (x * stays.imag + y * stays.real) + speed.pan[1] * seconds
        return factors, shifts

    def _keyframe_rates(self, speed: Speed) -> Floats:
        """Keyframes per second, (n,)."""
        zoomed = each(math.log, speed.rate) / math.log(self._spacing)
        turned = np.abs(each(math.radians, speed.angle)) / _TURN
        panned: Floats = each(abs, speed.pan[0] + 1j * speed.pan[1]) / _PAN
        rates: Floats = self._density * np.maximum(np.maximum(zoomed, turned), panned)
        return rates

    def _keyframe_rate(self, tick: int) -> float:
        return float(self._keyframe_rates(self._speed_in(tick))[0])


def each(function: Callable[[Any], Any], values: NDArray[Any]) -> NDArray[Any]:
    """A function of Python's of each value (n,).

    NumPy's own exp and log differ in the last bit from machine to machine, and with them the frames.
    """
    if len(values) > 1 and (values == values[0]).all():
        return np.full(len(values), function(values[0].item()))
    return np.array([function(value) for value in values.tolist()])
