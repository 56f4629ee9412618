"""Makes the frames of a zoom."""

from __future__ import annotations

from dreamer.videos.zoom.feedback import FeedbackZoom
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import Scene


def frames_of(scene: Scene) -> KeyframeZoom | FeedbackZoom:
    """The maker of a scene's frames, for its zoom's mode."""
    return KeyframeZoom(scene) if scene.zoom.mode == "keyframes" else FeedbackZoom(scene)
