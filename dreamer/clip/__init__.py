"""Clips in and out: a `Reel` is a clip in the making that survives anything, `frames` reads what others made.

A frame is uint8 (H, W, 3), sRGB, upright; a time is a Fraction of seconds from the first frame.
"""

from __future__ import annotations

from dreamer.clip.formats import Format, format_for, frame_size
from dreamer.clip.reader import Clip, frames, probe, read_recipe
from dreamer.clip.reel import Reel, notes_of, partial_of
from dreamer.clip.state import FolderStore, MemoryStore, StateStore

__all__ = [
    "Clip",
    "FolderStore",
    "Format",
    "MemoryStore",
    "Reel",
    "StateStore",
    "format_for",
    "frame_size",
    "frames",
    "notes_of",
    "partial_of",
    "probe",
    "read_recipe",
]
