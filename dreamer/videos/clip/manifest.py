"""The manifest of an unfinished clip: which clip it will be, and which of its segments are on disk.

A segment that is not listed here does not count, even if its file exists.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError
from dreamer.files import read_bounded, write_atomically
from dreamer.limits import CLIP_TICKS, MANIFEST_BYTES, MANIFEST_DEPTH, MB
from dreamer.videos.clip.concat import Segment
from dreamer.videos.clip.unfinished import MANIFEST, check_folder, folder_of, segment_path

SCHEMA = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AGAIN = "--force deletes the unfinished clip and starts again"


@dataclass(frozen=True)
class SegmentEntry:
    """A segment: the time of its first frame in ticks, its number of frames, and the SHA-256 of its file."""

    start: int
    frames: int
    sha256: str

    @classmethod
    def read(cls, table: Mapping[str, Any], frames: int) -> SegmentEntry:
        """The entry of a segment of so many frames; raises ValueError, KeyError or TypeError for anything else."""
        found = cls(table["start"], table["frames"], table["sha256"])
        if type(found.start) is not int or not 0 <= found.start <= CLIP_TICKS or found.frames != frames:
            raise ValueError("a segment has another length, or a time beyond all clips")
        if not _SHA256.fullmatch(found.sha256):
            raise ValueError("a segment has no SHA-256")
        return found


@dataclass(frozen=True)
class Manifest:
    """The record of an unfinished clip.

    `identity` is what decides the frames, as text; `settings` is how the clip is written; `notes` are decisions made
    for the first frame, to be repeated on resuming.
    """

    identity: str
    settings: Mapping[str, Any]
    segments: tuple[SegmentEntry, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read an unfinished clip's manifest, without a look at its segments; raises UsageError when it is damaged."""
        path = folder / MANIFEST
        check_folder(folder)
        try:
            table = json.loads(read_bounded(path, MANIFEST_BYTES))
            if table["schema"] != SCHEMA:
                raise UsageError(f"{path} was written by another version of dreamer; --force starts the clip again")
            identity, settings, notes = table["identity"], table["settings"], table["notes"]
            if not isinstance(identity, str) or not isinstance(settings, dict) or not isinstance(notes, dict):
                raise TypeError("identity, settings or notes are of the wrong type")
            if not _is_within(table, MANIFEST_DEPTH):
                raise ValueError("it is nested too deeply")
            entries = tuple(SegmentEntry.read(entry, settings["segment"]) for entry in table["segments"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"{path} is damaged ({error}); {_AGAIN}") from error
        return cls(identity, settings, entries, notes)

    def check_segments(self, folder: Path, size: tuple[int, int]) -> None:
        """Raise UsageError when a segment is missing, damaged or larger than raw frames of `size` (height, width)."""
        for entry, segment in zip(self.segments, self.segment_files(folder), strict=True):
            whole = is_whole(segment.path, entry, entry.frames * 3 * size[0] * size[1] + MB)
            if not whole:
                raise UsageError(f"{segment.path} is missing or damaged; {_AGAIN}")

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder. Raises WriteError."""
        write_atomically(folder / MANIFEST, json.dumps({"schema": SCHEMA, **asdict(self)}).encode())

    def segment_files(self, folder: Path) -> list[Segment]:
        """The segments with their files in a folder."""
        return [Segment(segment_path(folder, k), e.start, e.frames) for k, e in enumerate(self.segments)]

    def check_same(self, wanted: Manifest, folder: Path) -> None:
        """Raise UsageError, which names the keys that differ, when this is not the clip that is wanted."""
        found = [key for key in wanted.settings if wanted.settings[key] != self.settings.get(key)]
        if wanted.identity != self.identity:
            before, now = _table(self.identity), _table(wanted.identity)
            keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
            found += keys or ["the inputs of its frames"]
        if found:
            raise UsageError(
                f"--resume: the unfinished clip in {folder} differs in {', '.join(found)}; "
                "--force deletes it and starts again if --resume is left out, another -o keeps it"
            )

    def is_of(self, wanted: str, recipe: str | None) -> bool:
        """Whether the recipe in a clip is the one that is wanted, or agrees with whatever it says of the frames."""
        ours, theirs = _table(self.identity), _table(recipe or "")
        both = ours.keys() & theirs.keys()
        return recipe == wanted or (bool(both) and all(ours[key] == theirs[key] for key in both))


def notes_of(output: Path) -> Mapping[str, Any]:
    """The notes of an unfinished clip; empty where there is none, or its manifest is damaged."""
    try:
        return Manifest.read(folder_of(output)).notes
    except UsageError:  # `ClipWriter.open` reports what is wrong
        return {}


def is_whole(path: Path, entry: SegmentEntry, most: float = math.inf) -> bool:
    """Whether a segment's file is what it was when it was written, and of at most so many bytes."""
    try:
        with path.open("rb") as file:
            small = os.fstat(file.fileno()).st_size <= most
            return small and hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


def digest(data: bytes) -> str:
    """The SHA-256 of a segment's file."""
    return hashlib.sha256(data).hexdigest()


def _is_within(value: object, depth: int) -> bool:
    """Whether JSON is nested at most so deeply."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_within(part, depth - 1) for part in inner)


def _table(identity: str) -> dict[str, Any]:
    """An identity's JSON table with nested keys joined by dots; empty where it is no table."""
    try:
        table = json.loads(identity)
    except (ValueError, RecursionError):
        return {}
    return _flat(table) if isinstance(table, dict) and _is_within(table, MANIFEST_DEPTH) else {}


def _flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested tables by their dotted keys: {"recipe.seed": 0}."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found
