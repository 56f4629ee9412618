"""Which photos a command means, and where their dreams go."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from dreamer.errors import UsageError

_PICTURES = frozenset(".jpg .jpeg .jpe .png .webp .tif .tiff .avif .bmp .gif .heic .heif".split())


def find(arguments: Iterable[str]) -> tuple[list[Path], list[str]]:
    """The photos that files, folders and patterns name, and a sentence for every argument that names none.

    Among several photos, pictures that dreamer made are left out: they are dreams already.
    """
    photos: dict[Path, None] = {}
    problems = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in _PICTURES and not p.name.startswith("."))
            reason = "there are no pictures in this folder"
        elif not path.exists() and glob.has_magic(argument):
            found = sorted(Path(name) for name in glob.glob(argument))
            reason = "no file is called like that"
        else:
            photos[path] = None  # whether it is a photo is seen when it is opened
            continue
        undreamt = [photo for photo in found if not _is_dream(photo)]
        if not undreamt:
            problems.append(f"{argument}: {'every picture here is a dream already' if found else reason}")
        photos |= dict.fromkeys(undreamt)
    if len(photos) > 1:
        photos = {photo: None for photo in photos if not _is_dream(photo)}
    return list(photos), problems


def destination(photo: Path, suffix: str, output: str | None, several: bool) -> Path:
    """Where the dream of a photo goes: beside it, into the folder `output`, or to the file `output`."""
    name = f"{photo.stem}-dream{suffix}"
    if output is None:
        return photo.with_name(name)
    if several or is_folder(output):
        return Path(output) / name
    return Path(output)


def is_folder(output: str) -> bool:
    """Whether -o means a folder: one that is there, or a name that ends like one."""
    return Path(output).is_dir() or output.endswith(("/", os.sep))


def free(path: Path) -> Path:
    """The path, or the same with a number, so that nothing is overwritten."""
    number = 2
    candidate = path
    while candidate.exists():
        candidate = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return candidate


def check_place(path: Path) -> None:
    """Raise UsageError when a picture cannot be put there; the folder is made when only it is missing."""
    folder = path.parent
    if folder.is_dir():
        if not os.access(folder, os.W_OK):
            raise UsageError(f"{path}: writing in {folder} is not permitted; choose another place with -o")
    elif folder.parent.is_dir():
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: the folder {folder} cannot be made ({error.strerror})") from error
    else:
        raise UsageError(f"{path}: there is no folder {folder}")


def _is_dream(photo: Path) -> bool:
    from dreamer.image import read_recipe

    try:
        return read_recipe(photo) is not None
    except UsageError:
        return False
