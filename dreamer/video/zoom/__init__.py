"""Zooms: clips that fall endlessly into a dream.

Part of layer 7, on top of the pipeline; makes frames and writes none. `Zoom` says how a clip moves, `Path` computes
where that leads, `Scene` what its frames are made of; `frames_of` makes the frames.
"""

from __future__ import annotations

from dreamer.video.zoom.feedback import FeedbackZoom
from dreamer.video.zoom.keyframes import KeyframeZoom
from dreamer.video.zoom.scene import SPACING, Look, Scene, keyframe_size, settled_looks
from dreamer.video.zoom.schedule import read_schedule, zoom_from, zoom_words
from dreamer.video.zoom.zoom import Zoom

SIZE = 1280
"""Default for the long side of the frames, in pixels; smaller photos keep their size."""


def frames_of(scene: Scene) -> KeyframeZoom | FeedbackZoom:
    """The maker of a scene's frames, for its zoom's mode."""
    return KeyframeZoom(scene) if scene.zoom.mode == "keyframes" else FeedbackZoom(scene)


__all__ = [
    "SIZE",
    "SPACING",
    "FeedbackZoom",
    "KeyframeZoom",
    "Look",
    "Scene",
    "Zoom",
    "frames_of",
    "keyframe_size",
    "read_schedule",
    "settled_looks",
    "zoom_from",
    "zoom_words",
]
