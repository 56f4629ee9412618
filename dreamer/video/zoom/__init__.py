"""Zooms: falling endlessly into a dream.

`Zoom` says how a clip moves, `Path` where that leads, `Scene` what its frames are made of; `frames_of` makes the
frames.
"""

from __future__ import annotations

from dreamer.video.zoom.feedback import Feedback
from dreamer.video.zoom.keyframes import Falling
from dreamer.video.zoom.scene import SPACING, Scene, check_size, keyframe_size
from dreamer.video.zoom.schedule import read_schedule, zoom_from, zoom_words
from dreamer.video.zoom.zoom import Zoom

SIZE = 1280
"""The long side of the frames, in pixels, where nobody says otherwise and the photo has as many."""


def frames_of(scene: Scene) -> Falling | Feedback:
    """The frames of a scene, in its zoom's mode."""
    return Falling(scene) if scene.zoom.mode == "keyframes" else Feedback(scene)


__all__ = [
    "SIZE",
    "SPACING",
    "Falling",
    "Feedback",
    "Scene",
    "Zoom",
    "check_size",
    "frames_of",
    "keyframe_size",
    "read_schedule",
    "zoom_from",
    "zoom_words",
]
