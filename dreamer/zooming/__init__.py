"""Zooms: falling endlessly into a dream.

`Zoom` says how a clip moves, `Path` where that leads, `Scene` what its frames are made of; `Falling` and `Feedback`
make the frames.
"""

from __future__ import annotations

from dreamer.zooming.falling import SPACING, Falling
from dreamer.zooming.feedback import Feedback
from dreamer.zooming.scene import Scene, check_size
from dreamer.zooming.schedule import read_schedule, zoom_from, zoom_words
from dreamer.zooming.store import Folder, Memory
from dreamer.zooming.zoom import Zoom

__all__ = [
    "SPACING",
    "Falling",
    "Feedback",
    "Folder",
    "Memory",
    "Scene",
    "Zoom",
    "check_size",
    "read_schedule",
    "zoom_from",
    "zoom_words",
]
