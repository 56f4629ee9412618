"""Zooms by feedback, the classic way (Mordvintsev 2015): every frame is the last one, moved and dreamt over again.

What is moved is the change that the dream makes, never the photo beneath, and by a spline, which neither erases fine
detail nor makes it ring; it fades a little on the way. A frame takes a few steps, not a whole dream.
"""

from __future__ import annotations

import math
from functools import cached_property

from torch import Tensor

from dreamer.video.zoom.scene import Scene, moved
from dreamer.video.zoom.similarity import Similarity
from dreamer.video.zoom.stabilise import Level

_SHARE = 8  # a frame takes this part of a dream's steps
_FADING = -math.log(0.35) / math.log(1.5)  # what has grown by 1.5 has faded to 0.35 ...
_TIRING = 0.25  # ... and where nothing grows, to exp(-0.25) in a second
_EVERY = 10  # frames between changes that are kept to go on from


class FeedbackZoom:
    """The frames of a scene by feedback; in order they come cheapest."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._made: tuple[int, Tensor] | None = None
        self._states: list[int] = []

    def frame(self, number: int) -> Tensor:
        """Frame `number` of the clip: (1, 3, h, w) in [0, 1]."""
        zoom = self._scene.zoom
        if zoom.direction == "in":
            return self._inward(number)
        wanted = zoom.frames - 1 - number
        kept = self._scene.store.load(_picture(wanted))
        for inward in () if kept is not None else range(wanted + 1):
            if self._scene.store.load(_picture(inward)) is None:
                kept = self._inward(inward).mul_(255).round_().byte()
                if inward % _EVERY == 0:
                    self._keep()
                self._scene.store.save(_picture(inward), kept)
        assert kept is not None  # the last of the loop is the one that is wanted
        return kept.float().div_(255)

    def dreams(self, done: int, frames: int) -> tuple[int, int]:
        """Every frame is a dream: there are none besides."""
        return 0, 0

    def checkpoint(self, frame: int) -> None:
        """The frames before `frame` are safe: keep what the later ones grow out of, now and then, and drop the rest."""
        if self._scene.zoom.direction == "in" and frame % _EVERY == 0:
            self._keep()

    def _keep(self) -> None:
        assert self._made is not None  # a frame has been made
        number, change = self._made
        self._scene.store.save(_state(number), change)
        for old in (state for state in self._states if state not in (0, number)):
            self._scene.store.drop(_state(old))
        self._states = [number]

    def _inward(self, number: int) -> Tensor:
        scene = self._scene
        change, photo = self._grown(number), self._photo(number)
        strength = scene.strength(self._time(number))
        return change.mul(strength).add_(photo).clamp_(0, 1) if strength else photo

    def _grown(self, number: int) -> Tensor:
        """The change at a frame, from the last one that is known."""
        start, change = -1, None
        if self._made is not None and self._made[0] <= number:
            start, change = self._made
        for known in range(number, start, -1):
            kept = self._scene.store.load(_state(known))
            if kept is not None:
                start, change = known, kept
                break
        for following in range(start + 1, number + 1):
            change = self._dreamt(following, change)
            self._made = (following, change)
        assert change is not None
        self._made = (number, change)
        return change

    def _dreamt(self, number: int, before: Tensor | None) -> Tensor:
        scene, photo, time = self._scene, self._photo(number), self._time(number)
        if before is None:
            change = scene.dreamt(photo, time, 0) - photo
            scene.store.save(_state(0), change)  # the level is taken from it
            return change
        way = self._place(number - 1).inverse().after(self._place(number))
        faded = abs(way.factor) ** _FADING * math.exp(-_TIRING / scene.zoom.fps)
        change = moved(before, way, scene.size).mul_(faded)
        steps = max(1, round(scene.pipeline_at(time).recipe.octaves.steps / _SHARE))
        change = scene.dreamt(change.add_(photo).clamp_(0, 1), time, number, steps) - photo
        return self._level.steadied(self._level.calmed(change), photo)

    @cached_property
    def _level(self) -> Level:
        """What every frame is held to: the first one."""
        first = self._scene.store.load(_state(0))
        if first is None:
            first = self._scene.dreamt(self._photo(0), 0.0, 0) - self._photo(0)
        return Level.of(first, self._photo(0))

    def _photo(self, number: int) -> Tensor:
        return self._scene.undreamt(self._place(number), self._scene.size)

    def _place(self, number: int) -> Similarity:
        return self._scene.place(self._time(number))

    def _time(self, number: int) -> float:
        return float(number / self._scene.zoom.fps)


def _state(number: int) -> str:
    return f"change-{number:06d}"


def _picture(number: int) -> str:
    return f"picture-{number:06d}"
