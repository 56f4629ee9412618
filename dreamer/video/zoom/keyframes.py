"""Zooms by keyframes: the dream is renewed each time that everything has grown by some factor; between, it only moves.

A keyframe is what dreaming adds to the photo at that place, the change, kept as numbers and larger than the frame. The
next one dreams over the photo there plus the last change, enlarged once and faded a little, so that old motifs give way
to new ones. A frame samples the photo and the one or two keyframes around it exactly once, whatever way they have come:
nothing blurs or rings, however long the fall is. While the next keyframe, seen from afar, fades in, what was enlarged
fades out; `Level` keeps grain, light and colour as they were in the first frame.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TypeVar

import torch
from torch import Tensor

from dreamer.video.zoom.scene import Scene, keyframe_size, moved
from dreamer.video.zoom.similarity import Similarity
from dreamer.video.zoom.spline import coefficients, sample
from dreamer.video.zoom.stabilise import Level

Share = TypeVar("Share", float, Tensor)

_KEPT = 0.35  # of the last keyframe's change stays in the next one's ground: at 0.6 one motif drives out all others


class KeyframeZoom:
    """The frames of a scene by keyframes."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._field = keyframe_size(scene.size, scene.spacing)
        self._splines: dict[int, Tensor] = {}

    @cached_property
    def last(self) -> int:
        """The number of the last keyframe; the first is 0."""
        return max(1, math.ceil(self._scene.path.keyframe(self._scene.zoom.seconds) - 1e-9))

    @cached_property
    def _level(self) -> Level:
        """What every frame is held to: the first one."""
        place = self._scene.place(0.0)
        return Level.of(self._seen(0, place), self._ground(place, self._scene.size))

    @cached_property
    def _end(self) -> Similarity:
        """Where a loop's start lies, seen from the photo."""
        return self._place(self.last)

    def frame(self, number: int) -> Tensor:
        """Frame `number` of the clip: (1, 3, h, w) in [0, 1]."""
        scene = self._scene
        time = scene.zoom.time(number)
        place = scene.place(time)
        photo = self._ground(place, scene.size)
        strength = scene.strength(time)
        if strength == 0:
            return photo
        change = self._level.steadied(self._between(scene.path.keyframe(time), place), photo)
        return change.mul_(strength).add_(photo).clamp_(0, 1)

    def dreams(self, done: int, frames: int) -> tuple[int, int]:
        """How many keyframes are dreamt when `done` frames are, and how many when `frames` are."""
        return self._needed(done), self._needed(frames)

    def checkpoint(self, frame: int) -> None:
        """The frames before `frame` are safe: drop what no later one needs."""
        if self._scene.zoom.direction == "in":
            now = int(self._scene.path.keyframe(self._scene.zoom.time(frame)) + 1e-9)
            for number in range(1, now):
                self._scene.store.drop(_name(number))

    def _needed(self, frames: int) -> int:
        zoom, path = self._scene.zoom, self._scene.path
        if not frames:
            return 0
        times = [zoom.time(0), zoom.time(frames - 1)]
        latest = min(int(2 * max(map(path.keyframe, times)) + 1) // 2, self.last)  # it is seen from halfway on
        return latest + (not zoom.loop or latest < self.last)

    def _between(self, keyframe: float, place: Similarity) -> Tensor:
        """The change at a place between two keyframes; the next one fades in over the second half of the way."""
        now = min(int(keyframe + 1e-9), self.last - 1)
        change = self._seen(now, place)
        share = _eased(min(max(2 * (keyframe - now) - 1, 0.0), 1.0))
        return change.lerp_(self._seen(now + 1, place), share) if share else change

    def _seen(self, number: int, place: Similarity) -> Tensor:
        """A keyframe's change as a frame at `place` sees it."""
        if number not in self._splines:
            change = self._change(number).contiguous(memory_format=torch.channels_last)
            self._splines = {k: spline for k, spline in self._splines.items() if abs(k - number) == 1}
            self._splines[number] = coefficients(change)
        spline = self._splines[number]
        way = self._place(number).inverse().after(place)
        return sample(spline, *way.places(self._scene.size, (spline.shape[-2], spline.shape[-1])))

    def _change(self, number: int) -> Tensor:
        if self._scene.zoom.loop and number == self.last:
            number = 0
        return self._scene.kept(_name(number), lambda: self._dreamt(number))

    def _dreamt(self, number: int) -> Tensor:
        """The change that keyframe `number` makes."""
        scene = self._scene
        place, time = self._place(number), self._time(number)
        photo = self._ground(place, self._field if number or scene.zoom.loop else scene.size)
        if number == 0:
            return scene.dreamt(photo, time, 0) - photo
        before = self._change(number - 1)
        change = moved(before, self._place(number - 1).inverse().after(place), self._field).mul_(_KEPT)
        if scene.zoom.loop:
            way = self._end.inverse().after(place)
            share = self._share(way, self._field)
            change = change.lerp_(moved(self._change(0), way, self._field), share) if share is not None else change
        change = scene.dreamt((photo + change).clamp_(0, 1), time, number) - photo
        return self._level.calmed(self._level.steadied(change, photo))

    def _ground(self, place: Similarity, size: tuple[int, int]) -> Tensor:
        """The photo at a place; in a loop the photo's start lies small within it, and grows to be all there is."""
        scene = self._scene
        photo = scene.undreamt(place, size)
        if scene.zoom.loop:
            way = self._end.inverse().after(place)
            share = self._share(way, size)
            if share is not None:
                photo = photo.lerp_(scene.undreamt(scene.place(0.0).after(way), size), share)
        return photo

    def _share(self, way: Similarity, size: tuple[int, int]) -> Tensor | None:
        """How much of the loop's start is seen at each place of a picture that lies on it by `way`: (h, w), 0 to 1.

        All of it within the start's frame, none beyond a keyframe's field. It shows over the first half of the way (on
        a log scale), so that the start itself has nothing in it; None while nothing is to be seen.
        """
        whole = math.log(1 / abs(self._end.factor))
        seen = 2 - 2 * math.log(abs(way.factor)) / whole if whole > 1e-6 else 0.0
        if seen <= 1e-9:
            return None
        height, width = self._scene.size
        x, y = way.places(size, (1, 1))
        edge = math.sqrt(self._scene.spacing) - 1
        beyond = torch.maximum(x.abs() / (width / 2), y.abs() / (height / 2)).sub_(1).div_(edge)
        return _eased(1 - beyond.clamp_(0, 1)) * min(seen, 1.0)

    def _time(self, number: int) -> float:
        return self._scene.path.time_of(float(number))

    def _place(self, number: int) -> Similarity:
        time = self._time(number)
        return self._scene.place(time) if math.isfinite(time) else Similarity()


def _eased(share: Share) -> Share:
    """From 0 to 1 without a corner at either end."""
    return share * share * (3 - 2 * share)


def _name(number: int) -> str:
    return f"keyframe-{number:04d}"
