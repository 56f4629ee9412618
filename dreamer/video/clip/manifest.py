"""The manifest of an unfinished clip: which clip it will be, and which of its segments are on disk.

A segment that is not listed here does not count, even if its file exists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError
from dreamer.files import write_atomically
from dreamer.video.clip.concat import Segment

SCHEMA = 1
_NAME = "manifest.json"


@dataclass(frozen=True)
class SegmentEntry:
    """A segment: the time of its first frame in ticks, its number of frames, and the SHA-256 of its file."""

    start: int
    frames: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What is known of an unfinished clip.

    `identity` is what decides the frames, as text; `settings` is how the clip is written; `replaces` says that it may
    replace an older file; `notes` are decisions made for the first frame, to be repeated on resuming.
    """

    identity: str
    settings: Mapping[str, Any]
    replaces: bool
    segments: tuple[SegmentEntry, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read an unfinished clip's manifest, without a look at its segments; raises UsageError when it is damaged."""
        path = folder / _NAME
        try:
            table = json.loads(path.read_bytes())
            if table.pop("schema") != SCHEMA:
                raise UsageError(f"{path} was written by another version of dreamer; --force starts the clip again")
            entries = tuple(
                SegmentEntry(int(e["start"]), int(e["frames"]), str(e["sha256"])) for e in table.pop("segments")
            )
            found = cls(**table, segments=entries)
            if not isinstance(found.identity, str) or not all(
                isinstance(part, dict) for part in (found.settings, found.notes)
            ):
                raise TypeError("identity, settings or notes are of the wrong type")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"{path} is damaged ({error}); --force deletes the unfinished clip and starts again"
            ) from error
        return found

    def check_segments(self, folder: Path) -> None:
        """Raise UsageError when a segment is missing or damaged; every byte of them is read."""
        for entry, segment in zip(self.segments, self.segment_files(folder), strict=True):
            if not segment.path.is_file() or digest(segment.path.read_bytes()) != entry.sha256:
                raise UsageError(
                    f"{segment.path} is missing or damaged; --force deletes the unfinished clip and starts again"
                )

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder. Raises WriteError."""
        write_atomically(folder / _NAME, json.dumps({"schema": SCHEMA, **asdict(self)}).encode())

    def segment_files(self, folder: Path) -> list[Segment]:
        """The segments with their files in a folder."""
        return [Segment(segment_path(folder, k), e.start, e.frames) for k, e in enumerate(self.segments)]

    def differences(self, identity: str, settings: Mapping[str, Any]) -> list[str]:
        """The keys in which this clip differs from another; a general phrase where the identity is no table."""
        found = [key for key in settings if settings[key] != self.settings.get(key)]
        if identity == self.identity:
            return found
        before, now = _table(self.identity), _table(identity)
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return [*found, *(keys or ["the inputs of its frames"])]


def folder_of(output: Path) -> Path:
    """The hidden folder beside the output that holds an unfinished clip."""
    return output.with_name(f".{output.name}.reel")


def notes_of(output: Path) -> Mapping[str, Any]:
    """The notes of an unfinished clip; empty where there is none, or its manifest is damaged."""
    try:
        return Manifest.read(folder_of(output)).notes
    except UsageError:  # `ClipWriter.open` reports what is wrong
        return {}


def partial_of(output: Path) -> Path:
    """The playable preview of an unfinished clip, beside the output."""
    return output.with_name(f"{output.stem}-so-far.mp4")


def has_manifest(folder: Path) -> bool:
    """Whether a folder holds an unfinished clip."""
    return (folder / _NAME).exists()


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment, by its number from 0."""
    return folder / f"segment-{number:06d}.mp4"


def digest(data: bytes) -> str:
    """The SHA-256 of a segment's file."""
    return hashlib.sha256(data).hexdigest()


def _table(identity: str) -> dict[str, Any]:
    """An identity's JSON table with nested keys joined by dots; empty where it is no table."""
    try:
        table = json.loads(identity)
    except (ValueError, RecursionError):
        return {}
    return _flat(table) if isinstance(table, dict) else {}


def _flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested tables by their dotted keys: {"recipe.seed": 0}."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found
