"""Makes the frames of a zoom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from dreamer.videos.zoom.depth.depth_zoom import DepthZoom
from dreamer.videos.zoom.feedback import FeedbackZoom
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import Scene


def frames_of(scene: Scene) -> KeyframeZoom | FeedbackZoom | DepthZoom:
    """The maker of a scene's frames, for its zoom's mode."""
    return spanned(scene) if scene.zoom.mode == "keyframes" else FeedbackZoom(scene)


def spanned(scene: Scene) -> KeyframeZoom | DepthZoom:
    """The frames of a scene that can be made in any order."""
    return DepthZoom(scene) if scene.relief else KeyframeZoom(scene)


def pictures(made: KeyframeZoom | FeedbackZoom | DepthZoom | BareZoom, numbers: Iterable[int]) -> Iterator[Tensor]:
    """Yield frames (1, 3, h, w) in [0, 1]; what later ones need of a frame is kept before it is given."""
    for number in numbers:
        picture = made.frame(number)
        made.checkpoint(number)
        yield picture


class BareZoom:
    """The frames of a scene without any dream: the camera's way through the photo."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._view = scene, KeyframeZoom(scene)
        self._deep = DepthZoom(scene) if scene.relief else None

    def frame(self, number: int) -> Tensor:
        """Frame `number` of the clip: (1, 3, h, w) in [0, 1]."""
        if self._deep:
            return self._deep.bare(number)
        return self._view.photo_at(self._scene.place(self._scene.zoom.time(number)), self._scene.size)

    def dreams(self, done: int, frames: int) -> tuple[int, int]:
        """Nothing: there are no keyframes to dream."""
        return 0, 0

    def checkpoint(self, frame: int) -> None:
        """Nothing: no frame needs another."""
