"""Checks of the place where a clip is to be written."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dreamer.errors import UsageError, collect_problems, reported_together
from dreamer.files import is_taken, taken
from dreamer.videos.clip.formats import PREVIEW, Format
from dreamer.videos.clip.frame_store import is_replaceable
from dreamer.videos.clip.reader import read_recipe
from dreamer.videos.clip.unfinished import folder_of, holds_work, is_file, is_folder, partial_of

_PNG_BYTES, _SEGMENT_BYTES = 2.0, 0.3  # bytes a pixel, roughly, of a frame that is stored, or encoded and joined


def check_new(output: Path, format: Format, force: bool) -> None:
    """Raise UsageError where a new clip, its preview or its folder has no place."""
    with reported_together() as problems:
        for path, kind in ((output, format), (partial_of(output), PREVIEW)):
            with collect_problems(problems):
                _check(path, kind, force)
        folder = folder_of(output)
        if holds_work(folder) and not force:
            why = "holds parts of an unfinished clip that cannot be continued"
            problems.append(f"{folder} {why}; --force deletes them, another -o keeps them")


def check_resumed(output: Path, is_ours: Callable[[str | None], bool], force: bool) -> None:
    """Raise UsageError where an unfinished clip, or its preview, may not replace what is there.

    `is_ours` tells whether a recipe is that of the unfinished clip. An empty file is how a killed process has kept a
    name for itself; it is taken away.
    """
    with reported_together() as problems:
        for path in (output, partial_of(output)):
            if is_file(path) and not path.stat().st_size:
                path.unlink()
            elif is_taken(path) and not force and not is_ours(recipe_at(path)):
                problems.append(replaceable_by_force(path))


def replaceable_by_force(path: Path) -> str:
    """The error's sentence about a file in the place of a clip that is resumed."""
    return f"{path} already exists; --resume --force continues and replaces it"


def recipe_at(output: Path) -> str | None:
    """The recipe in the file or folder at the output; None where there is none that can be read."""
    try:
        return read_recipe(output) if is_taken(output) else None
    except (UsageError, OSError):
        return None


def disk_notice(folder: Path, format: Format, size: tuple[int, int], frames: int) -> str:
    """A sentence if the disk may have no room for `frames` more frames of `size` (height, width); else nothing."""
    needed = frames * size[0] * size[1] * (_SEGMENT_BYTES if format.segmented else _PNG_BYTES)
    with suppress(OSError):
        there = shutil.disk_usage(folder).free
        if needed > there:
            about = f"some {needed / 1e9:.1f} GB may be needed in {folder.parent}, and {there / 1e9:.1f} GB are free"
            return f"{about}; if the disk gets full, make room and continue with --resume"
    return ""


def is_same(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes."""
    with suppress(OSError):
        return is_file(one) and is_file(other) and filecmp.cmp(one, other, shallow=False)
    return False


def _check(output: Path, format: Format, force: bool) -> None:
    """Raise UsageError when a clip cannot have this name, or may not replace what has it."""
    try:
        os.lstat(output)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{output}: no file can have this name ({why}); choose another -o") from error
    if not force:
        raise UsageError(taken(output))
    if is_folder(output) and (format.suffix or not is_replaceable(output)):
        raise UsageError(f"{output} is a folder that holds more than a clip's frames; choose another -o")
    if not format.suffix and output.is_file():
        raise UsageError(f"{output} is a file; choose another -o, or one that ends in .mp4")
