"""A zoom whose camera moves in depth: two sheets of the photo, each with a dream of its own.

Both are dreamt over as the photo's own viewpoint sees them, so that the dream lies on the things and moves with them.
Each pixel of a frame samples photo and change where its line of sight meets the first sheet, and, where that is torn,
the one behind it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from dreamer.videos.clip.state import StateStore
from dreamer.videos.zoom.depth.camera import CameraWay
from dreamer.videos.zoom.depth.rays import COARSE, border, look, sampled
from dreamer.videos.zoom.keyframes import KeyframeZoom, View
from dreamer.videos.zoom.photo_sampler import MaskSampler
from dreamer.videos.zoom.scene import Scene
from dreamer.videos.zoom.similarity import Places

_NEXT_TO_NOTHING = 1e-3  # a share that does not count
_SEAMLESS = 4.0  # px: what lies beside edges is seen from behind once near and far have moved so far


class DepthZoom:
    """Makes the frames of a scene with a relief, in any order."""

    def __init__(self, scene: Scene) -> None:
        assert scene.relief
        self._scene, self._relief = scene, scene.relief
        self._camera = CameraWay.of(scene.zoom)
        self._front = KeyframeZoom(replace(scene, on_step=lambda number, step: scene.on_step(2 * number, step)))

    def frame(self, number: int) -> Tensor:
        """Frame `number` of the clip: (1, 3, h, w) in [0, 1]."""
        time = self._scene.zoom.time(number)
        return self._front.shown(self._seen(time), time)

    def bare(self, number: int) -> Tensor:
        """Frame `number` of the photo without any dream."""
        time = self._scene.zoom.time(number)
        place, size = self._scene.place(time), self._scene.size
        at, behind, whole = self._looks(time)
        picture = self._front.photo_at(place, size, at)
        return picture if behind is None else self._back.photo_at(place, size, behind).lerp_(picture, whole)

    def dreams(self, done: int, frames: int) -> tuple[int, int]:
        """The number of dreams for the first `done` frames, and for the first `frames`: two for each keyframe."""
        before, after = self._front.dreams(done, frames)
        return 2 * before, 2 * after

    def ensure(self, count: int) -> None:
        """Make those of the first `count` dreams that the store lacks, one after another."""
        self._front.ensure((count + 1) // 2)
        self._back.ensure(count // 2)

    def checkpoint(self, frame: int) -> None:
        """Delete the keyframes that no frame from `frame` on needs; the earlier frames are safe."""
        self._front.checkpoint(frame)
        self._back.checkpoint(frame)

    def _seen(self, time: float) -> View:
        at, behind, whole = self._looks(time)
        front = self._front.seen(time, at)
        if behind is None:
            return front
        back = self._back.seen(time, behind)
        return View(
            back.photo.lerp_(front.photo, whole),
            _between(back.change, front.change, whole),
            _between(back.shares, front.shares, whole),
        )

    def _looks(self, time: float) -> tuple[Places, Places | None, Tensor]:
        """The places at which pixels look on the first sheet and, if that is torn, behind it; the first one's share.

        The share is (1, 1, h, w).
        """
        scene, camera = self._scene, self._camera.at(time)
        size, around = scene.size, border(camera, scene.size)
        larger = (size[0] + 2 * around, size[1] + 2 * around)
        relief = self._front.looped(self._sampler.at, scene.place(time), larger)
        first = look(relief[:, :1], camera, size)
        moved = min(camera.reach * max(size) / _SEAMLESS, 1.0)
        whole = first.whole * (1 - moved * (1 - sampled(relief[:, 2:], first.at)))
        if float(whole.min()) > 1 - _NEXT_TO_NOTHING:
            return first.at, None, whole
        return first.at, look(relief[:, 1:2], camera, size, COARSE).at, whole

    @cached_property
    def _sampler(self) -> MaskSampler:
        """The sampler of both sheets' nearness, and of the first one's share."""
        relief = self._relief
        return MaskSampler(torch.cat([relief.nearness, relief.far, relief.front], 1), self._scene.size)

    @cached_property
    def _back(self) -> KeyframeZoom:
        """The second sheet, what is behind the first."""
        scene, relief = self._scene, self._relief
        shares = scene.shares
        behind = replace(
            scene,
            photo=relief.behind(scene.photo),
            looks=None if shares is None else relief.masks_behind(shares),
            store=_Behind(scene.store),
            on_step=lambda number, step: scene.on_step(2 * number + 1, step),
        )
        return _BehindZoom(behind, self._front, MaskSampler((relief.far < relief.nearness).float(), scene.size))


def _between(back: Tensor | None, front: Tensor | None, whole: Tensor) -> Tensor | None:
    return None if back is None or front is None else back.lerp_(front, whole)


class _BehindZoom(KeyframeZoom):
    """Makes what is behind; a keyframe in which nothing is hidden is the first sheet's, and not dreamt again."""

    def __init__(self, scene: Scene, front: KeyframeZoom, hidden: MaskSampler) -> None:
        super().__init__(scene)
        self._before, self._hidden = front, hidden

    def _dream(self, number: int) -> Tensor:
        hidden = self.looped(self._hidden.at, self.reached(number), self._size(number))
        return super()._dream(number) if bool(hidden.any()) else self._before.whole(number)


class _Behind:
    """The part of a store that is the second sheet's."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def load(
        self, name: str, size: tuple[int, int], dtype: torch.dtype = torch.float32, channels: int = 3
    ) -> Tensor | None:
        """See `StateStore`, here and below."""
        return self._store.load(f"behind-{name}", size, dtype, channels)

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor."""
        self._store.save(f"behind-{name}", state)

    def drop(self, name: str) -> None:
        """Delete a tensor."""
        self._store.drop(f"behind-{name}")
