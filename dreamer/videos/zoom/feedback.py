"""Zooms by feedback (Mordvintsev 2015): every frame is the last one, moved and dreamt over again.

Only the change that the dream makes is moved, never the photo, and by a spline, which neither erases fine detail nor
makes it ring; the change fades a little from frame to frame. A frame takes a few steps, not a whole dream.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.videos.zoom.scene import Scene, areas_from, moved
from dreamer.videos.zoom.similarity import Similarity
from dreamer.videos.zoom.stabilise import FrameStatistics, calmed, measured, steadied

_STEP_DIVISOR = 8  # a frame takes this fraction of a dream's steps
_FADE_PER_GROWTH = -math.log(0.35) / math.log(1.5)  # a change that has grown by 1.5 has faded to 0.35 ...
_FADE_PER_SECOND = 0.25  # ... and to exp(-0.25) in a second where nothing grows
_EVERY = 10  # frames between the changes that are saved for resuming


class FeedbackZoom:
    """Makes the frames of a scene by feedback; cheapest in order."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._latest: tuple[int, Tensor] | None = None
        self._states: list[int] = []

    def frame(self, number: int) -> Tensor:
        """Frame `number` of the clip: (1, 3, h, w) in [0, 1]."""
        zoom = self._scene.zoom
        if zoom.direction == "in":
            return self._inward(number)
        inner = zoom.frames - 1 - number
        kept = self._scene.store.load(_picture(inner), self._scene.size, torch.uint8)
        for inward in () if kept is not None else range(inner + 1):
            if self._scene.store.load(_picture(inward), self._scene.size, torch.uint8) is None:
                kept = self._inward(inward).mul_(255).round_().byte()
                if inward % _EVERY == 0:
                    self._save_state()
                self._scene.store.save(_picture(inward), kept)
        assert kept is not None  # the last pass of the loop makes this frame
        return kept.float().div_(255)

    def dreams(self, done: int, frames: int) -> tuple[int, int]:
        """The number of keyframes dreamt for `done` and for `frames` frames: none, as every frame is a dream."""
        return 0, 0

    def checkpoint(self, frame: int) -> None:
        """Called when the frames before `frame` are safe: now and then save what later ones need."""
        if self._scene.zoom.direction == "in" and frame % _EVERY == 0:
            self._save_state()

    def _save_state(self) -> None:
        """Save the latest change, and delete older ones except the first."""
        assert self._latest is not None  # a frame has been made
        number, change = self._latest
        self._scene.store.save(_state(number), change)
        for old in (state for state in self._states if state not in (0, number)):
            self._scene.store.drop(_state(old))
        self._states = [number]

    def _inward(self, number: int) -> Tensor:
        """Frame `number` of the zoom inwards, (1, 3, h, w) in [0, 1]."""
        scene = self._scene
        change, photo = self._change(number), self._photo(number)
        if not scene.strength(self._time(number)):
            return photo
        strength = scene.strength_in(self._areas(number), self._time(number))
        return scene.tinted(change.clone(), self._time(number)).mul_(strength).add_(photo).clamp_(0, 1)

    def _change(self, number: int) -> Tensor:
        """The change at a frame, (1, 3, h, w), made from the latest one that is known."""
        start, change = -1, None
        if self._latest is not None and self._latest[0] <= number:
            start, change = self._latest
        for known in range(number, start, -1):
            kept = self._scene.store.load(_state(known), self._scene.size)
            if kept is not None:
                start, change = known, kept
                break
        for following in range(start + 1, number + 1):
            change = self._dream(following, change)
        assert change is not None
        self._latest = (number, change)
        return change

    def _dream(self, number: int, before: Tensor | None) -> Tensor:
        """The change at a frame, from that of the frame before."""
        scene, photo, time = self._scene, self._photo(number), self._time(number)
        areas = self._areas(number)
        if before is None:
            change = scene.dream(photo, time, 0, areas=areas) - photo
            scene.store.save(_state(0), change)  # the reference for stabilising
            return change
        way = self._place(number - 1).inverse().after(self._place(number))
        faded = abs(way.factor) ** _FADE_PER_GROWTH * math.exp(-_FADE_PER_SECOND / scene.zoom.fps)
        change = moved(before, way, scene.size).mul_(faded)
        steps = max(1, round(scene.pipeline_at(time).recipe.octaves.steps / _STEP_DIVISOR))
        if areas:
            change = areas.kept(change, torch.zeros_like(change))
        change = scene.dream(change.add_(photo).clamp_(0, 1), time, number, steps, areas) - photo
        return steadied(self._reference, calmed(self._reference, change, areas), photo, areas)

    @cached_property
    def _reference(self) -> FrameStatistics | None:
        """The first frame's statistics, which every frame keeps; None where no look is in sight."""
        first = self._scene.store.load(_state(0), self._scene.size)
        if first is None:
            first = self._scene.dream(self._photo(0), 0.0, 0, areas=self._areas(0)) - self._photo(0)
        return measured(first, self._photo(0), self._areas(0))

    def _photo(self, number: int) -> Tensor:
        return self._scene.photo_at(self._place(number), self._scene.size)

    def _areas(self, number: int) -> Areas | None:
        """The areas of the looks at a frame; None if they are everywhere."""
        scene = self._scene
        if not scene.has_regions:
            return None
        return areas_from(scene.shares_at(self._place(number), scene.size))

    def _place(self, number: int) -> Similarity:
        return self._scene.place(self._time(number))

    def _time(self, number: int) -> float:
        return float(number / self._scene.zoom.fps)


def _state(number: int) -> str:
    return f"change-{number:06d}"


def _picture(number: int) -> str:
    return f"picture-{number:06d}"
