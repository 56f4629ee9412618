"""The files that jobs write: names that are free, also of what lies beside a clip until it is finished."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError
from dreamer.files import free, is_taken
from dreamer.studio.motion import ENDINGS, kind_of
from dreamer.studio.shelf import Shelf
from dreamer.videos.clip.lock import OutputLock
from dreamer.videos.clip.unfinished import empty, folder_of, partial_of

_LONGEST_STEM = 200  # bytes


def output_for(settings: Mapping[str, Any], shelf: Shelf, taken: Collection[Path]) -> Path:
    """A new name for the dream in the folder: neither there nor in use by another job or an unfinished clip."""
    photo = shelf.find(str(settings.get("photo")))
    stem = photo.path.stem if photo else "dream"
    stem = re.sub(r"(-(dream|zoom|loop)(-partial|-so-far)?(-[0-9]+)?)+$", "", stem)
    stem = _short(stem.replace("\\", "-").lstrip(".-")) or "dream"  # so that is_name accepts it
    asked = settings.get("format")
    own = photo.path.suffix.lower() if photo else ".jpg"
    if (kind := kind_of(settings)) == "render":
        usual = own if own in (".jpg", ".png", ".webp") else ".jpg"
        suffix = asked if asked in (".jpg", ".png", ".webp", ".tif") else usual
    else:
        suffix = asked if asked in ENDINGS else ENDINGS[0]
    wanted = shelf.folder / f"{stem}-{kind if kind in ('zoom', 'loop') else 'dream'}{suffix}"
    promised, beside = [*taken], {path for one in taken for path in _beside(one)}
    while True:
        place = free(wanted, promised)
        if not any(path in beside or is_taken(path) for path in _beside(place)):
            return place
        promised.append(place)


def clear_unfinished(output: Path) -> None:
    """Delete what an unfinished clip keeps in its hidden folder, unless another process goes on with it.

    What can be watched of it stays.
    """
    lock = OutputLock(output)
    with suppress(UsageError, OSError):
        lock.acquire()
        try:
            empty(folder_of(output))
        finally:
            lock.release()


def _short(stem: str) -> str:
    """The stem, cut where the kind of the dream, a number and a suffix would have no room behind it."""
    whole = os.fsencode(stem)
    return stem if len(whole) <= _LONGEST_STEM else whole[:_LONGEST_STEM].decode(errors="ignore")


def _beside(output: Path) -> tuple[Path, ...]:
    """The names that a clip needs beside its own until it is finished."""
    return (folder_of(output), partial_of(output)) if output.suffix in ENDINGS else ()
