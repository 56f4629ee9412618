"""Zooms by keyframes: a new dream each time everything has grown by some factor; in between, the dream only moves.

A keyframe is the change that dreaming makes to the photo at a place, as floating-point numbers and larger than a frame.
The next one dreams over the photo there plus the last change, enlarged once and faded a little, so that old motifs give
way to new ones. A frame samples the photo and the one or two keyframes around it exactly once: nothing blurs or rings,
however long the zoom is. While the next, smaller keyframe fades in, the enlarged one fades out; `FrameStatistics` keeps
grain, brightness and colour as they were in the first frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.image.easing import eased
from dreamer.videos.zoom.scene import Scene, areas_from, keyframe_size, moved
from dreamer.videos.zoom.similarity import Places, Similarity
from dreamer.videos.zoom.spline import coefficients, sample
from dreamer.videos.zoom.stabilise import FrameStatistics, calmed, measured, steadied

# Share of the last keyframe's change that the next one starts with; at 0.6 one motif crowds out all others.
_KEPT = 0.35


@dataclass(frozen=True)
class View:
    """The view of a frame: the photo (1, 3, h, w), the dream's change of it, and the looks' shares, (1, looks, h, w).

    The change is None where its strength is 0, the shares where the looks are everywhere.
    """

    photo: Tensor
    change: Tensor | None
    shares: Tensor | None


class _Seen(Protocol):
    """The view (1, C, h, w) at a place of a picture of a size (h, w), each pixel of which may look elsewhere."""

    def __call__(self, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor: ...


class KeyframeZoom:
    """Makes the frames of a scene by keyframes, in any order."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._keyframe_size = keyframe_size(scene.size, scene.spacing)
        self._splines: dict[int, Tensor] = {}
        self._there = 0  # number of keyframes that are stored for certain
        self._oldest = 1  # the first keyframe after number 0 that may still be stored

    @cached_property
    def last(self) -> int:
        """The number of the last keyframe; the first is 0."""
        return max(1, math.ceil(self._scene.path.keyframe(self._scene.zoom.seconds) - 1e-9))

    @cached_property
    def _reference(self) -> FrameStatistics | None:
        """The first frame's statistics, which every frame keeps; None where no look is in sight."""
        place, size = self._scene.place(0.0), self._scene.size
        return measured(self._seen_from(0, place), self.photo_at(place, size), self._areas_at(place, size))

    @cached_property
    def _end(self) -> Similarity:
        """The place in the photo of a loop's start."""
        return self.reached(self.last)

    def frame(self, number: int) -> Tensor:
        """Frame `number` of the clip: (1, 3, h, w) in [0, 1]."""
        time = self._scene.zoom.time(number)
        return self.shown(self.seen(time), time)

    def seen(self, time: float, at: Places | None = None) -> View:
        """The view of the frame at a time; with `at`, each of its pixels looks there and not where it is."""
        scene, place = self._scene, self._scene.place(time)
        photo = self.photo_at(place, scene.size, at)
        if scene.strength(time) == 0:
            return View(photo, None, None)
        shares = self._shares_at(place, scene.size, at)
        return View(photo, self._blended(scene.path.keyframe(time), place, at), shares)

    def shown(self, view: View, time: float) -> Tensor:
        """The frame that shows what is seen at a time, (1, 3, h, w) in [0, 1]."""
        scene, photo = self._scene, view.photo
        if view.change is None:
            return photo
        areas = None if view.shares is None else areas_from(view.shares)
        change = steadied(self._reference, view.change, photo, areas)
        return scene.tinted(change, time).mul_(scene.strength_in(areas, time)).add_(photo).clamp_(0, 1)

    def change(self, number: int) -> Tensor:
        """The change of keyframe `number` as the frame at its time sees it, (1, 3, h, w)."""
        return self._seen_from(number, self.reached(number))

    def whole(self, number: int) -> Tensor:
        """The change of keyframe `number`, as large as that is."""
        return self._change(number)

    def dreams(self, done: int, frames: int) -> tuple[int, int]:
        """The number of keyframes dreamt for the first `done` frames, and for the first `frames`."""
        return self._needed(done), self._needed(frames)

    def ensure(self, count: int) -> None:
        """Dream those of the first `count` keyframes that the store lacks, one after another."""
        for number in range(self._there, count):
            self._change(number)
        self._there = max(self._there, count)

    def checkpoint(self, frame: int) -> None:
        """Delete the keyframes that no frame from `frame` on needs; the earlier frames are safe."""
        if self._scene.zoom.direction == "in":
            now = int(self._scene.path.keyframe(self._scene.zoom.time(frame)) + 1e-9)
            for number in range(self._oldest, now):
                self._scene.store.drop(_name(number))
            self._oldest = max(self._oldest, now)

    def _needed(self, frames: int) -> int:
        """The number of keyframes that the first `frames` frames need."""
        zoom, path = self._scene.zoom, self._scene.path
        if not frames:
            return 0
        passed = max(path.keyframe(zoom.time(0)), path.keyframe(zoom.time(frames - 1)))
        latest = min(int(2 * passed + 1) // 2, self.last)  # a keyframe is visible from halfway before its time
        return latest + (not zoom.loop or latest < self.last)

    def _blended(self, keyframe: float, place: Similarity, at: Places | None) -> Tensor:
        """The change at a place between two keyframes, (1, 3, h, w); the next one fades in from halfway on."""
        now = min(int(keyframe + 1e-9), self.last - 1)
        change = self._seen_from(now, place, at)
        share = eased(min(max(2 * (keyframe - now) - 1, 0.0), 1.0))
        return change.lerp_(self._seen_from(now + 1, place, at), share) if share else change

    def _seen_from(self, number: int, place: Similarity, at: Places | None = None) -> Tensor:
        """A keyframe's change as seen by a frame at `place`, (1, 3, h, w); `at` is as for `seen`."""
        if number not in self._splines:
            change = self._change(number).contiguous(memory_format=torch.channels_last)
            self._splines = {k: spline for k, spline in self._splines.items() if abs(k - number) == 1}
            self._splines[number] = coefficients(change)
        spline = self._splines[number]
        way = self.reached(number).inverse().after(place)
        return sample(spline, *way.places(self._scene.size, (spline.shape[-2], spline.shape[-1]), at))

    def _change(self, number: int) -> Tensor:
        """The change of keyframe `number`, dreamt where the store lacks it; in a loop the last is the first."""
        if self._scene.zoom.loop and number == self.last:
            number = 0
        change = self._scene.store.load(_name(number), self._size(number), torch.float16)
        if change is None:
            change = self._dream(number).half()  # as it is stored, so that a resumed clip is the same
            self._scene.store.save(_name(number), change)
        return change.float()

    def _dream(self, number: int) -> Tensor:
        """Dream keyframe `number`; returns its change."""
        scene = self._scene
        place, time = self.reached(number), self.time_of(number)
        photo = self.photo_at(place, self._size(number))
        areas = self._areas_at(place, self._size(number))
        if number == 0:
            return scene.dream(photo, time, 0, areas=areas) - photo
        before = self._change(number - 1)
        change = moved(before, self.reached(number - 1).inverse().after(place), self._keyframe_size).mul_(_KEPT)
        if scene.zoom.loop:
            way = self._end.inverse().after(place)
            share = self._share(way, self._keyframe_size)
            if share is not None:
                change = change.lerp_(moved(self._change(0), way, self._keyframe_size), share)
        if areas:
            change = areas.kept(change, torch.zeros_like(change))
        change = scene.dream((photo + change).clamp_(0, 1), time, number, areas=areas) - photo
        return calmed(self._reference, steadied(self._reference, change, photo, areas), areas)

    def _size(self, number: int) -> tuple[int, int]:
        """The (h, w) of keyframe `number`; around the first one nothing is seen but in loops and depth."""
        around = number or self._scene.zoom.loop or self._scene.relief
        return self._keyframe_size if around else self._scene.size

    def photo_at(self, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor:
        """The photo at a place, (1, 3, h, w); in a loop it contains the start's view, which grows to fill the frame."""
        return self.looped(self._scene.photo_at, place, size, at)

    def _areas_at(self, place: Similarity, size: tuple[int, int]) -> Areas | None:
        """The areas of the looks in a picture of `size` (h, w) at a place; in a loop they move as the photo does."""
        shares = self._shares_at(place, size)
        return None if shares is None else areas_from(shares)

    def _shares_at(self, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor | None:
        return self.looped(self._scene.shares_at, place, size, at) if self._scene.has_regions else None

    def looped(self, seen: _Seen, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor:
        """The view at a place, (1, C, h, w), with that of the start in the middle of a loop's end."""
        picture = seen(place, size, at)
        if self._scene.zoom.loop:
            way = self._end.inverse().after(place)
            share = self._share(way, size, at)
            if share is not None:
                picture = picture.lerp_(seen(self._scene.place(0.0).after(way), size, at), share)
        return picture

    def _share(self, way: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor | None:
        """The weight of the loop's start at each pixel of a picture that lies on it by `way`: (h, w), from 0 to 1.

        It is 1 within the start's frame and 0 beyond a keyframe's size. It fades in over the first half of the way (on
        a log scale), so that the start itself has nothing within; None where all weights are 0.
        """
        whole = math.log(1 / abs(self._end.factor))
        seen = 2 - 2 * math.log(abs(way.factor)) / whole if whole > 1e-6 else 0.0
        if seen <= 1e-9:
            return None
        height, width = self._scene.size
        x, y = way.places(size, (1, 1), at)
        edge = math.sqrt(self._scene.spacing) - 1
        beyond = torch.maximum(x.abs() / (width / 2), y.abs() / (height / 2)).sub_(1).div_(edge)
        return eased(1 - beyond.clamp_(0, 1)) * min(seen, 1.0)

    def time_of(self, number: int) -> float:
        """The time at which a keyframe is reached; the clip's end if it never is, as after the motion has stopped."""
        time = self._scene.path.time_of(float(number))
        return time if math.isfinite(time) else self._scene.zoom.seconds

    def reached(self, number: int) -> Similarity:
        """The place of keyframe `number`, in frame pixels."""
        return self._scene.place(self.time_of(number))


def _name(number: int) -> str:
    return f"keyframe-{number:04d}"
