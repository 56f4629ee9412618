"""Notes of finished units, a file for each: nothing is done again, and nobody waits for a common list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError
from dreamer.files import read_bounded, write_atomically

_MOST = 2**20  # bytes of a note


def note_path(folder: Path, key: str) -> Path:
    """The note of the unit with this key, 32 hex digits."""
    return folder / f"unit-{key}.json"


def noted(folder: Path, key: str) -> Mapping[str, Any] | None:
    """The note of a unit's result; None where there is none that can be read."""
    with suppress(OSError, UsageError, ValueError, RecursionError):
        found = json.loads(read_bounded(note_path(folder, key), _MOST))
        return found if isinstance(found, dict) else None
    return None


def note(folder: Path, key: str, result: Mapping[str, Any]) -> None:
    """Note that a unit is done, once its files are written. Raises WriteError."""
    write_atomically(note_path(folder, key), json.dumps(result).encode())
