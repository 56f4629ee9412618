"""The files beside an output while its clip is made: their names, and which of them may be deleted.

What is found there may be a stranger's. Nothing is followed through a link, and nothing is deleted but files that have
the names which dreamer gives.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dreamer.errors import UsageError
from dreamer.files import is_link, is_taken

MANIFEST, FRAMES, REPLACED = "manifest.json", "frames", "replaced"
_FILE = re.compile(
    r"manifest\.json|(rest|trial)\.mp4|segment-\d{6,}\.mp4|unit-[0-9a-f]{32}\.json|[a-z]+-\d{2,}\.safetensors", re.ASCII
)
_FRAME = re.compile(r"frame-(\d{6,18})\.png", re.ASCII)
_PART = re.compile(r"\.dreamer-[0-9a-f]+\.part", re.ASCII)
_LONGEST = 255  # bytes of a name, on nearly every file system


def folder_of(output: Path) -> Path:
    """The hidden folder beside the output that holds an unfinished clip."""
    return output.with_name(fitting(f".{output.name}", ".reel"))


def lock_of(output: Path) -> Path:
    """The file beside the output that one process at a time locks."""
    return output.with_name(fitting(f".{output.name}", ".lock"))


def partial_of(output: Path) -> Path:
    """The playable preview of an unfinished clip, beside the output."""
    return output.with_name(fitting(output.stem, "-so-far.mp4"))


def fitting(stem: str, end: str) -> str:
    """A file's name of a stem and an end; a stem that is too long is cut, and told apart by a hash."""
    whole, room = os.fsencode(stem), _LONGEST - len(os.fsencode(end))
    if len(whole) <= room:
        return stem + end
    mark = f"~{hashlib.sha256(whole).hexdigest()[:8]}"
    return whole[: room - len(mark)].decode(errors="ignore") + mark + end


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment, by its number from 0."""
    return folder / f"segment-{number:06d}.mp4"


def rest_path(folder: Path) -> Path:
    """The file of the last, shorter segment."""
    return folder / "rest.mp4"


def trial_path(folder: Path) -> Path:
    """The file of a clip that is only tried."""
    return folder / "trial.mp4"


def frame_path(folder: Path, number: int) -> Path:
    """The file of a frame, by its number from 0."""
    return folder / f"frame-{number:06d}.png"


def frame_number(path: Path) -> int:
    """The number of a frame, by its file's name; -1 for any other name, and for what is no file."""
    found = _FRAME.fullmatch(path.name)
    return int(found[1]) if found and is_file(path) else -1


def is_part(path: Path) -> bool:
    """Whether this is a temporary file of dreamer's, as a killed process leaves it."""
    return bool(_PART.fullmatch(path.name)) and is_file(path)


def is_file(path: Path) -> bool:
    """Whether this is a regular file itself, and no link to one."""
    return not is_link(path) and path.is_file()


def is_folder(path: Path) -> bool:
    """Whether this is a folder itself, and no link to one."""
    return not is_link(path) and path.is_dir()


def has_manifest(folder: Path) -> bool:
    """Whether a folder holds an unfinished clip."""
    return is_taken(folder / MANIFEST)


def check_folder(folder: Path) -> None:
    """Raise UsageError where one of dreamer's names belongs to something else, such as a link."""
    for path in _found(folder):
        right = is_folder(path) if path == folder or path.name in (FRAMES, REPLACED) else is_file(path)
        if not right:
            raise UsageError(f"{path} was not made by dreamer, or is a link; remove it, or choose another -o")


def holds_work(folder: Path) -> bool:
    """Whether a folder holds files of a clip, more than what is only tried or half-written."""
    return any(is_file(path) and not is_part(path) and path != trial_path(folder) for path in _found(folder))


def empty(folder: Path) -> None:
    """Delete the files that dreamer made in the folder of an unfinished clip, and the folder if nothing else is in it.

    The manifest goes first: without it the rest is no unfinished clip any more. Raises OSError.
    """
    found = [*_found(folder)]
    for path in sorted(filter(is_file, found), key=lambda path: path.name != MANIFEST):
        path.unlink()
    for path in (folder / FRAMES, folder / REPLACED, folder):
        with suppress(OSError):  # it is not there, or holds something else
            path.rmdir()


def _found(folder: Path) -> Iterator[Path]:
    """The folder of an unfinished clip, if it is there, and what has one of dreamer's names inside."""
    if is_taken(folder):
        yield folder
    if is_folder(folder):
        for path in folder.iterdir():
            if path.name in (FRAMES, REPLACED):
                yield path
                yield from filter(_has_frame_s_name, path.iterdir() if is_folder(path) else ())
            elif _FILE.fullmatch(path.name) or _PART.fullmatch(path.name):
                yield path


def _has_frame_s_name(path: Path) -> bool:
    return bool(_FRAME.fullmatch(path.name) or _PART.fullmatch(path.name))
