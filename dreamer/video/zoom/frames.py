"""Makes the frames of a zoom."""

from __future__ import annotations

from dreamer.video.zoom.feedback import FeedbackZoom
from dreamer.video.zoom.keyframes import KeyframeZoom
from dreamer.video.zoom.scene import Scene


def frames_of(scene: Scene) -> KeyframeZoom | FeedbackZoom:
    """The maker of a scene's frames, for its zoom's mode."""
    return KeyframeZoom(scene) if scene.zoom.mode == "keyframes" else FeedbackZoom(scene)
