"""What is known of a writer: which clip it will be, and which of its segments are on the disk. It is the only truth."""

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
class Entry:
    """A segment: its first frame's time in ticks, its frames, the SHA-256 of its file."""

    start: int
    frames: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """`identity` is the maker's, `settings` is how the clip is written; `replaces` whether it may replace one. `notes`
    are what the maker settled when it began, to be settled so again."""

    identity: str
    settings: Mapping[str, Any]
    replaces: bool
    segments: tuple[Entry, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest in a reel's folder; raises UsageError when it is damaged, or a segment that it names is."""
        path = folder / _NAME
        try:
            words = json.loads(path.read_bytes())
            if words.pop("schema") != SCHEMA:
                raise UsageError(f"{path} was written by another version of dreamer; --force begins the clip anew")
            entries = tuple(Entry(int(e["start"]), int(e["frames"]), str(e["sha256"])) for e in words.pop("segments"))
            found = cls(**words, segments=entries)
            if not isinstance(found.identity, str) or not all(
                isinstance(table, dict) for table in (found.settings, found.notes)
            ):
                raise TypeError("identity, settings or notes")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"{path} is damaged ({error}); --force discards what lies there and begins anew"
            ) from error
        for entry, segment in zip(entries, found.placed(folder), strict=True):
            if not segment.path.is_file() or _digest(segment.path.read_bytes()) != entry.sha256:
                raise UsageError(
                    f"{segment.path} is missing or damaged; --force discards what lies there and begins anew"
                )
        return found

    def write(self, folder: Path) -> None:
        """Raises WriteError."""
        write_atomically(folder / _NAME, json.dumps({"schema": SCHEMA, **asdict(self)}).encode())

    def placed(self, folder: Path) -> list[Segment]:
        """The segments as files of the folder."""
        return [Segment(segment_path(folder, k), e.start, e.frames) for k, e in enumerate(self.segments)]

    def differences(self, identity: str, settings: Mapping[str, Any]) -> list[str]:
        """What would be another clip now, by name where the names are known."""
        found = [key for key in settings if settings[key] != self.settings.get(key)]
        if identity == self.identity:
            return found
        before, now = _table(self.identity), _table(identity)
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return [*found, *(keys or ["what it is made of"])]


def folder_of(output: Path) -> Path:
    """Where a clip in the making lies: a hidden folder beside it."""
    return output.with_name(f".{output.name}.reel")


def notes_of(output: Path) -> Mapping[str, Any]:
    """What the maker of a clip that was begun noted down; nothing where none was, or it is damaged."""
    try:
        return Manifest.read(folder_of(output)).notes
    except UsageError:  # `ClipWriter.open` says what is wrong with it
        return {}


def partial_of(output: Path) -> Path:
    """The playable clip of what there is so far."""
    return output.with_name(f"{output.stem}-so-far.mp4")


def is_begun(folder: Path) -> bool:
    """Whether something was begun there."""
    return (folder / _NAME).exists()


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment lies, by its number from 0."""
    return folder / f"segment-{number:06d}.mp4"


def entry_of(data: bytes, start: int, frames: int) -> Entry:
    """The entry of a segment's bytes."""
    return Entry(start, frames, _digest(data))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _table(identity: str) -> dict[str, Any]:
    """An identity as a table, when it is one in JSON."""
    try:
        words = json.loads(identity)
    except (ValueError, RecursionError):
        return {}
    return _flat(words) if isinstance(words, dict) else {}


def _flat(words: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Tables within tables by their paths: {"recipe.seed": 0}."""
    found: dict[str, Any] = {}
    for key, value in words.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found
