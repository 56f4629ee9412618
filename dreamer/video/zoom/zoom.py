"""How a clip moves: a `Zoom`, with the settings that people give and keyframes in time."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from dreamer.video.zoom.path import Speed

Ease = Literal["none", "in", "out", "both"]
Mode = Literal["keyframes", "feedback"]
Direction = Literal["in", "out"]

_MAX_SECONDS = 4 * 3600
_MAX_RATE = 100.0


@dataclass(frozen=True)
class Keyframe:
    """Settings at a time in seconds; None leaves a setting unchanged. `preset` and `layer` hold from there on."""

    time: float
    rate: float | None = None
    angle: float | None = None
    centre: tuple[float, float] | None = None
    pan: tuple[float, float] | None = None
    strength: float | None = None
    preset: str | None = None
    layer: str | None = None


@dataclass(frozen=True)
class Zoom:
    """How a clip moves.

    `rate` is a factor per second (at least 1), `angle` degrees per second; `centre` is the point of the frame to fall
    into, (x, y) from the top left, each 0 to 1; `pan` moves the view by that many long sides of the frame per second.
    `ease` slows the motion at its beginning (in), its end (out) or both, on the logarithm of the scale; the whole way
    stays the same. `out` is the inward clip reversed. With `loop` the end meets the start.
    """

    seconds: float = 10.0
    fps: Fraction = Fraction(30)
    rate: float = 1.3
    angle: float = 0.0
    centre: tuple[float, float] = (0.5, 0.5)
    pan: tuple[float, float] = (0.0, 0.0)
    ease: Ease = "none"
    direction: Direction = "in"
    loop: bool = False
    mode: Mode = "keyframes"
    keyframes: tuple[Keyframe, ...] = ()

    @property
    def frames(self) -> int:
        """The number of frames."""
        return max(1, round(self.seconds * self.fps))

    def time(self, frame: int) -> float:
        """The time of a frame, in seconds of the inward motion."""
        number = self.frames - 1 - frame if self.direction == "out" else frame
        return float(number / self.fps)

    def speed(self, time: float) -> Speed:
        """How the view moves at a time."""
        pace = self._pace(time)
        angle, pan = (self._track(name, time) for name in ("angle", "pan"))
        rate = math.exp(self._track("rate", time, math.log) * pace)
        return Speed(rate, angle * pace, self._track("centre", time), (pan[0] * pace, pan[1] * pace))

    def strength(self, time: float, default: float) -> float:
        """The strength of the dream at a time; `default`, the recipe's, where no keyframe sets one."""
        return float(_interpolated(self._points("strength"), time, default))

    def look(self, time: float) -> tuple[str | None, str | None]:
        """The preset and the layer that keyframes have set up to a time."""
        passed = [key for key in self.keyframes if key.time <= time + 1e-9]
        preset = next((key.preset for key in reversed(passed) if key.preset is not None), None)
        layer = next((key.layer for key in reversed(passed) if key.layer is not None), None)
        return preset, layer

    def looks(self) -> list[tuple[str | None, str | None]]:
        """Every pair that `look` can give."""
        return list(dict.fromkeys([self.look(0.0), *(self.look(key.time) for key in self.keyframes)]))

    def problems(self) -> list[str]:
        """Everything that is wrong, a sentence each."""
        found = []
        if not 0 < self.seconds <= _MAX_SECONDS:
            found.append(f"--seconds {self.seconds:g}: expected a number above 0 and up to {_MAX_SECONDS} (four hours)")
        if not Fraction(1) <= self.fps <= 240:
            found.append(f"--fps {self.fps}: expected 1 to 240, as in 30, 23.976 or 30000/1001")
        found += _wrong_motion("--", self)
        if self.loop and self.mode == "feedback":
            found.append("--loop needs --mode keyframes, because in feedback every frame depends on the one before")
        if self.loop and self.rate == 1 and not self._points("rate"):
            found.append("--loop needs --rate above 1, because the loop closes by zooming into its own start")
        for number, key in enumerate(self.keyframes):
            where = f"keyframes[{number}]"
            if not 0 <= key.time <= self.seconds:
                found.append(f"{where}.time: {key.time:g} is outside the clip, which lasts {self.seconds:g} seconds")
            if number and key.time <= self.keyframes[number - 1].time:
                before = self.keyframes[number - 1].time
                found.append(f"{where}.time: {key.time:g} does not come after {before:g}; put them in order")
            found += _wrong_motion(f"{where}.", key)
            if key.strength is not None and not 0 <= key.strength <= 1:
                found.append(f"{where}.strength: {key.strength:g} is not between 0 and 1")
        if self.loop and self.strength(0, 1) != self.strength(self.seconds, 1):
            found.append("--loop: strength must be the same at the start and at the end, where they meet")
        return found

    def _pace(self, time: float) -> float:
        """The factor on the motion's speed: the derivative of the easing, a smooth step (3 t^2 - 2 t^3 for both)."""
        t = min(max(time / self.seconds, 0.0), 1.0)
        return {"none": 1.0, "in": 2 * t, "out": 2 - 2 * t, "both": 6 * t * (1 - t)}[self.ease]

    def _track(self, name: str, time: float, scale: Callable[[float], float] = float) -> Any:
        """A setting at a time, interpolated on the given scale."""
        points = [(at, value if isinstance(value, tuple) else scale(value)) for at, value in self._points(name)]
        default = getattr(self, name)
        return _interpolated(points, time, default if isinstance(default, tuple) else scale(default))

    def _points(self, name: str) -> list[tuple[float, Any]]:
        """The (time, value) of each keyframe that sets a setting."""
        return [(key.time, getattr(key, name)) for key in self.keyframes if getattr(key, name) is not None]


def _interpolated(points: Sequence[tuple[float, Any]], time: float, default: Any) -> Any:
    """The value at a time, linear between points, constant before the first and after the last."""
    if not points:
        return default
    k = bisect.bisect_right([at for at, _ in points], time)
    if k == 0 or k == len(points):
        return points[min(k, len(points) - 1)][1]
    (start, before), (end, after) = points[k - 1], points[k]
    share = (time - start) / (end - start)
    if isinstance(before, tuple):
        return tuple(a + (b - a) * share for a, b in zip(before, after, strict=True))
    return before + (after - before) * share


def _wrong_motion(prefix: str, of: Zoom | Keyframe) -> list[str]:
    """What is wrong with rate, angle, centre and pan; errors name them with `prefix`."""
    rate, angle, centre, pan = (f"{prefix}{name}" for name in ("rate", "angle", "centre", "pan"))
    found = []
    if of.rate is not None and not 1 <= of.rate <= _MAX_RATE:
        how = "1.3 enlarges 1.3 times each second; use --direction out to zoom out"
        found.append(f"{rate} {of.rate:g}: expected 1 to {_MAX_RATE:g}; {how}")
    if of.angle is not None and not abs(of.angle) <= 720:
        found.append(f"{angle} {of.angle:g}: expected -720 to 720 degrees per second")
    if of.centre is not None and not all(0 <= part <= 1 for part in of.centre):
        how = "expected two numbers from 0 to 1, measured from the frame's top left"
        found.append(f"{centre} {_pair(of.centre)}: {how}")
    if of.pan is not None and not all(abs(part) <= 2 for part in of.pan):
        found.append(f"{pan} {_pair(of.pan)}: expected two numbers from -2 to 2, in long sides of the frame per second")
    return found


def _pair(values: tuple[float, float]) -> str:
    return ",".join(f"{value:g}" for value in values)
