"""Reading and writing clips: `ClipWriter` writes one and can be resumed after a crash, `frames` reads one.

Part of layer 7; knows nothing of dreams, networks or recipes but their text. A frame is uint8 (H, W, 3), sRGB, upright;
a time is a Fraction of seconds from the first frame.
"""

from __future__ import annotations

from dreamer.video.clip.formats import Format, format_for, frame_size
from dreamer.video.clip.manifest import notes_of, partial_of
from dreamer.video.clip.reader import Clip, frames, probe, read_recipe
from dreamer.video.clip.state import FolderStore, MemoryStore, StateStore
from dreamer.video.clip.writer import ClipWriter

__all__ = [
    "Clip",
    "ClipWriter",
    "FolderStore",
    "Format",
    "MemoryStore",
    "StateStore",
    "format_for",
    "frame_size",
    "frames",
    "notes_of",
    "partial_of",
    "probe",
    "read_recipe",
]
