"""Kinds of files by their names: pictures, formats that can be written, and clips.

Imports nothing heavy, so that wrong names are reported at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dreamer.errors import UsageError, either

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
}
"""Formats that are written -> their suffixes, the usual one first."""

CLIPS = frozenset(".mp4 .m4v .mov .webm .mkv .avi".split())
"""Suffixes of video clips; .gif and .webp are missing, since they may be pictures, too."""

_READ = frozenset(".jpg .jpeg .jpe .png .webp .tif .tiff .avif .bmp .gif .heic .heif .hif".split())


def suffix_of(format: str) -> str:
    """The usual suffix of a format: `.jpg` for JPEG."""
    return SUFFIXES[format][0]


def check_suffix(path: Path) -> str:
    """The format that the path's suffix stands for. Raises UsageError for an unsupported one."""
    formats = {suffix: name for name, suffixes in SUFFIXES.items() for suffix in suffixes}
    if (suffix := path.suffix.lower()) not in formats:
        fault = f"{'unsupported' if suffix else 'no'} extension; use"
        fault = "this is a folder; name a picture in it, with" if path.is_dir() else fault
        raise UsageError(f"{path}: {fault} one of {', '.join(formats)}")
    return formats[suffix]


def command_for(name: str) -> str:
    """The command that dreams over a file of this name: render or video; empty for what is neither picture nor clip."""
    suffix = Path(name).suffix.lower()
    return "render" if suffix in _READ else "video" if suffix in CLIPS else ""


def pictures_among(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths` that have a picture's suffix and are not hidden, sorted."""
    shown = (path for path in paths if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in shown if path.suffix.lower() in _READ)


def pictures_in(folder: Path, option: str = "") -> list[str]:
    """The names of the pictures in a folder and its subfolders, relative to it, with slashes, sorted.

    Raises UsageError if the folder does not exist or has no pictures; `option` is the one that named it, for the error.
    """
    check_folder_of_pictures(folder, option)
    names = sorted(path.relative_to(folder).as_posix() for path in pictures_among(folder.rglob("*")))
    if not names:
        where = f"{option} {folder}".strip()
        raise UsageError(f"{where}: there are no pictures in this folder; add some, or name another")
    return names


def check_folder_of_pictures(folder: Path, option: str = "") -> None:
    """Raise UsageError where there is no such folder; `option` is the one that named it, for the error."""
    if not os.path.isdir(folder):
        file = "this is a file; name the folder in which the pictures are"
        what = file if os.path.exists(folder) else "there is no such folder; name one with pictures"
        raise UsageError(f"{option} {folder}".strip() + f": {what}")


def is_file_name(look: str) -> bool:
    """Whether a look is named as a file or a folder, and not as a preset."""
    return bool(Path(look).suffix) or Path(look).name != look


def clip_for_photo(name: str) -> str:
    """The sentence about a clip where a photo is wanted."""
    return f"{name}: this is a clip; {either('dreamer.video', '`dreamer video`')} dreams over it"


def photo_for_clip(name: str) -> str:
    """The sentence about a picture that does not move where a clip is wanted."""
    return f"{name} is a picture, not a clip; use {either('dreamer.dream', '`dreamer render`')} for it"
