"""The motion of a clip: a `Zoom`, with the settings that people give and keyframes in time."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from dreamer.errors import UsageError, argument
from dreamer.recipes.drives import Target
from dreamer.videos.sound.driven import STILL, Drives
from dreamer.videos.zoom.path import Floats, Speed, each

Ease = Literal["none", "in", "out", "both"]
Mode = Literal["keyframes", "feedback"]
Direction = Literal["in", "out"]

DEPTH = ("dolly", "orbit", "parallax")
"""The settings of a camera that moves in depth."""
PARALLAX, MOST_PARALLAX = 0.05, 0.2
"""Movement of near and far parts against each other, as a share of the frame's long side: the default, and the most."""

_MAX_SECONDS = 4 * 3600
_MAX_RATE = 100.0
_MAX_LOOKS = 64  # a network is prepared for each


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
    dolly: float | None = None
    orbit: float | None = None
    parallax: float | None = None


@dataclass(frozen=True)
class Zoom:
    """The motion of a clip.

    `rate` is a factor per second (at least 1), `angle` degrees per second; `centre` is the point of the frame to fall
    into, (x, y) from the top left, each 0 to 1; `pan` moves the view by that many long sides of the frame per second.
    `ease` slows the motion at its beginning (in), its end (out) or both, on the logarithm of the scale; the whole way
    stays the same. `out` is the inward clip reversed. With `loop` the end meets the start. What `drives` move is theirs
    throughout, but for the strength, of which they give a share.

    Through a photo whose depth is known the camera moves as well: forward by `dolly` a second, and round by `orbit`
    degrees a second. The nearest and the farthest part move against each other by `parallax`, in long sides of the
    frame, where the camera is on its circle, or has gone forward by 1. All are None where it does not.
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
    drives: Drives = STILL
    dolly: float | None = None
    orbit: float | None = None
    parallax: float | None = None

    @property
    def frames(self) -> int:
        """The number of frames."""
        return max(1, round(self.seconds * self.fps))

    def time(self, frame: int) -> float:
        """The time of a frame, in seconds of the inward motion."""
        number = self.frames - 1 - frame if self.direction == "out" else frame
        return float(number / self.fps)

    def heard(self, times: Floats) -> Floats:
        """The times of the clip, and so of its sound, at times of the inward motion, both in seconds, (n,)."""
        return float((self.frames - 1) / self.fps) - times if self.direction == "out" else times

    def speed(self, times: Floats | float) -> Speed:
        """The speed of the view at times in seconds, (n,)."""
        times = np.atleast_1d(times)
        pace = self._pace(times)
        rate = each(math.exp, self._track("rate", times) * pace)
        angle, pan = self._track("angle", times) * pace, self._track("pan", times) * pace
        return Speed(rate, angle, self._track("centre", times), pan)

    @property
    def deep(self) -> bool:
        """Whether the camera moves in depth."""
        return any(getattr(each, name) is not None for each in (self, *self.keyframes) for name in DEPTH)

    def in_depth(self, there: bool) -> Zoom:
        """The zoom with a camera that moves in depth, if depth is `there`: once round in the clip, if nothing says how.

        Raises UsageError where the camera is to move in depth and there is none.
        """
        if not there:
            if self.deep:
                moves = ", ".join(map(argument, DEPTH))
                raise UsageError(
                    f"{moves}: how near things are has to be known for that; name it ({argument('depth')})"
                )
            return self
        still = not any(getattr(each, name) for each in (self, *self.keyframes) for name in ("dolly", "orbit"))
        turn = 360 / self.seconds if still and self.orbit is None else 0.0
        given = {name: getattr(self, name) for name in DEPTH if getattr(self, name) is not None}
        return replace(self, **{"dolly": 0.0, "orbit": turn, "parallax": PARALLAX, **given})

    def advance(self, times: Floats) -> tuple[Floats, Floats]:
        """The camera's speed forward, and round in degrees, per second at times (n,), each (n,)."""
        pace = self._pace(times)
        return self._track("dolly", times) * pace, self._track("orbit", times) * pace

    def parallax_at(self, time: float) -> float:
        """The parallax at a time."""
        return float(self._track("parallax", np.array([time]))[0])

    def strength(self, time: float, default: float) -> float:
        """The strength of the dream at a time; `default`, the recipe's, where no keyframe sets one."""
        points = self._points["strength"]
        own = float(_interpolated(points, np.array([time]))[0]) if points else default
        share = self.driven("strength", time)
        return own if share is None else own * share

    def driven(self, to: Target, time: float) -> float | None:
        """The driven value of a setting at a time; None where nothing drives it."""
        return self.drives.number(to, self._heard_at(time)) if self.drives.driven else None

    def colour_gain(self, time: float, colour: float) -> float:
        """The factor on the colours of a dream made with this `colour` that the drives ask for at a time."""
        return self.drives.colour_gain(self._heard_at(time), colour) if self.drives.driven else 1.0

    def _heard_at(self, time: float) -> float:
        return float(self.heard(np.array([time]))[0])

    def look(self, time: float) -> tuple[str | None, str | None]:
        """The preset and the layer that keyframes have set up to a time."""
        passed = bisect.bisect_right(self.keyframes, time + 1e-9, key=lambda key: key.time)
        return self._looks[passed]

    def looks(self) -> list[tuple[str | None, str | None]]:
        """Every pair that `look` can give."""
        return list(dict.fromkeys([self.look(0.0), *(self.look(key.time) for key in self.keyframes)]))

    def problems(self) -> list[str]:
        """Everything that is wrong, a sentence each."""
        found = []
        if not 0 < self.seconds <= _MAX_SECONDS:
            how = f"expected a number above 0 and up to {_MAX_SECONDS} (four hours)"
            found.append(f"{argument('seconds', self.seconds)}: {how}")
        if not Fraction(1) <= self.fps <= 240:
            found.append(f"{argument('fps', str(self.fps))}: expected 1 to 240, as in 30, 23.976 or 30000/1001")
        found += _wrong_motion("", self)
        loop, mode = argument("loop"), argument("mode", "keyframes")
        if self.loop and self.mode == "feedback":
            found.append(f"{loop} needs {mode}, because in feedback every frame depends on the one before")
        if self.loop and self.drives.driven:
            found.append(f"{loop} cannot be driven by a song, which does not end as it begins; leave out one of them")
        if self.loop and self.rate == 1 and not any(key.rate for key in self.keyframes):
            found.append(
                f"{loop} needs {argument('rate')} above 1, because the loop closes by zooming into its own start"
            )
        for number, key in enumerate(self.keyframes):
            where = f"keyframes[{number}]"
            if not 0 <= key.time <= self.seconds:
                length = f"{self.seconds:g} second{'s' * (self.seconds != 1)}"
                found.append(f"{where}.time: {key.time:g} is outside the clip, which lasts {length}")
            if number and key.time <= self.keyframes[number - 1].time:
                before = self.keyframes[number - 1].time
                found.append(f"{where}.time: {key.time:g} does not come after {before:g}; put them in order")
            found += _wrong_motion(f"{where}.", key)
            if key.strength is not None and not 0 <= key.strength <= 1:
                found.append(f"{where}.strength: {key.strength:g} is not between 0 and 1")
        if len(looks := self.looks()) > _MAX_LOOKS:
            found.append(f"keyframes: {len(looks)} pairs of preset and layer are too many; the limit is {_MAX_LOOKS}")
        if self.loop and self.strength(0, 1) != self.strength(self.seconds, 1):
            found.append(f"{loop}: strength must be the same at the start and at the end, where they meet")
        return found

    def _pace(self, times: Floats) -> Floats:
        """The factor on the motion's speed: the derivative of the easing, a smooth step (3 t^2 - 2 t^3 for both)."""
        t = np.minimum(np.maximum(times / self.seconds, 0.0), 1.0)
        pace: Floats = {"none": np.ones_like(t), "in": 2 * t, "out": 2 - 2 * t, "both": 6 * t * (1 - t)}[self.ease]
        return pace

    def _track(self, name: str, times: Floats) -> Floats:
        """A setting at times (n,): (n,), or (2, n) for a pair; of rate, its logarithm."""
        if driven := self.drives.get(name):
            return driven.at(self.heard(times))
        points = self._points[name]
        if points:
            return _interpolated(points, times)
        value = getattr(self, name)
        value = math.log(value) if name == "rate" else value
        return np.full(len(times), value) if np.isscalar(value) else np.repeat(np.array(value)[:, None], len(times), 1)

    @cached_property
    def _points(self) -> dict[str, tuple[Floats, Floats] | None]:
        """For each setting the times at which keyframes set it, (k,), and its values there, (k,) or (2, k)."""
        found: dict[str, tuple[Floats, Floats] | None] = {}
        for name in ("rate", "angle", "centre", "pan", "strength", *DEPTH):
            keys = [(key.time, getattr(key, name)) for key in self.keyframes if getattr(key, name) is not None]
            values = [math.log(value) if name == "rate" and value > 0 else value for _, value in keys]
            found[name] = (np.array([time for time, _ in keys]), np.array(values).T) if keys else None
        return found

    @cached_property
    def _looks(self) -> list[tuple[str | None, str | None]]:
        """The preset and the layer before the first keyframe and from each one on."""
        found: list[tuple[str | None, str | None]] = [(None, None)]
        for key in self.keyframes:
            preset, layer = found[-1]
            found.append((preset if key.preset is None else key.preset, layer if key.layer is None else key.layer))
        return found


def _interpolated(points: tuple[Floats, Floats], times: Floats) -> Floats:
    """The values at times (n,): linear between points, constant before the first and after the last."""
    at, values = points
    after = np.searchsorted(at, times, "right")
    within = (after > 0) & (after < len(at))
    low, high = np.maximum(after - 1, 0), np.minimum(after, len(at) - 1)
    lengths = at[high] - at[low]
    share = np.divide(times - at[low], lengths, out=np.zeros(len(times)), where=within & (lengths > 0))
    found: Floats = values[..., low] + (values[..., high] - values[..., low]) * share
    return found


def _wrong_motion(prefix: str, of: Zoom | Keyframe) -> list[str]:
    """Problems of rate, angle, centre and pan; they name them with `prefix`."""

    def named(name: str, value: float | tuple[float, float]) -> str:
        return argument(name, value) if not prefix else f"{prefix}{name} {_pair(value)}"

    found = []
    if of.rate is not None and not 1 <= of.rate <= _MAX_RATE:
        how = f"1.3 enlarges 1.3 times each second; use {argument('direction', 'out')} to zoom out"
        found.append(f"{named('rate', of.rate)}: expected 1 to {_MAX_RATE:g}; {how}")
    if of.angle is not None and not abs(of.angle) <= 720:
        found.append(f"{named('angle', of.angle)}: expected -720 to 720 degrees per second")
    if of.centre is not None and not all(0 <= part <= 1 for part in of.centre):
        how = "expected two numbers from 0 to 1, measured from the frame's top left"
        found.append(f"{named('centre', of.centre)}: {how}")
    if of.pan is not None and not all(abs(part) <= 2 for part in of.pan):
        how = "expected two numbers from -2 to 2, in long sides of the frame per second"
        found.append(f"{named('pan', of.pan)}: {how}")
    if of.dolly is not None and not abs(of.dolly) <= 10:
        found.append(f"{named('dolly', of.dolly)}: expected -10 to 10, forward per second")
    # once round, a clip's own way where nothing else is said, is never too fast, however short the clip is
    most = max(720.0, 360.001 / of.seconds) if isinstance(of, Zoom) and of.seconds > 0 else 720.0
    if of.orbit is not None and not abs(of.orbit) <= most:
        found.append(f"{named('orbit', of.orbit)}: expected -{most:g} to {most:g} degrees per second")
    if of.parallax is not None and not 0 <= of.parallax <= MOST_PARALLAX:
        how = f"expected 0 to {MOST_PARALLAX:g}, in long sides of the frame"
        found.append(f"{named('parallax', of.parallax)}: {how}")
    return found


def _pair(values: float | tuple[float, float]) -> str:
    return ",".join(f"{value:g}" for value in (values if isinstance(values, tuple) else (values,)))
