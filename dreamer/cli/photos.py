"""Which photos a command line names, and where their dreams are written."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.regions import mask_files
from dreamer.errors import UsageError
from dreamer.files import is_taken
from dreamer.files.suffixes import CLIPS, check_suffix, clip_for_photo, pictures_among
from dreamer.recipes.cells import named_cell

if TYPE_CHECKING:
    from PIL import Image

_LONGEST_STEM = 220  # bytes; file systems end at 255, and marks and extensions follow


@dataclass(frozen=True)
class Found:
    """The photos that were named, the number of dreams among them, and (argument, problem) for what named none."""

    photos: tuple[Path, ...]
    dreams: int
    problems: tuple[tuple[str, str], ...]
    folders: Mapping[Path, Path]
    """The folder of each photo, relative to the folder or the pattern that was named."""


def find(arguments: Sequence[str]) -> Found:
    """Return the photos that files, folders and patterns name.

    Folders are searched with their subfolders, but not those that links lead to. Pictures that dreamer made are left
    out, except a single one that is named directly.
    """
    photos: dict[Path, Path] = {}
    problems = []
    for argument in arguments:
        root, named, problem = _named(argument)
        photos |= {photo: photo.parent.relative_to(root) for photo in named if photo not in photos}
        if not named:
            problems.append((argument, problem))
    by_name = [Path(argument) for argument in arguments] == list(photos) and len(photos) == 1
    undreamt = [photo for photo in photos if by_name or not _is_dream(photo)]
    if photos and not undreamt:
        first = next(iter(photos))
        why = "all these pictures were made by dreamer; name a single one to dream over it again"
        problems.append((str(first), f"{first}: {why}"))
    return Found(tuple(undreamt), len(photos) - len(undreamt), tuple(problems), photos)


def unfit_photo(photo: Path) -> str:
    """The problem with a path that should be a photo's file; empty if there is none."""
    if photo.is_file():
        return ""
    return f"{photo}: {'this is a folder; name a photo' if photo.is_dir() else 'there is no such file'}"


def _named(argument: str) -> tuple[Path, list[Path], str]:
    """The pictures that one argument names, the folder in which they lie, and the problem if there are none."""
    path = Path(argument)
    if path.is_dir():
        none = f"{argument}: there are no pictures in this folder, nor in its subfolders; name another"
        return path, _found(path, "**/*"), none
    if path.exists():
        is_clip = path.suffix.lower() in CLIPS
        return path.parent, [] if is_clip else [path], clip_for_photo(argument)
    if glob.has_magic(argument):
        root = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
        # ** is all folders below as a part of its own, and * twice within one, which pathlib refuses.
        parts = [part if part == "**" else re.sub(r"\*+", "*", part) for part in path.relative_to(root).parts]
        return root, _found(root, str(Path(*parts))), f"{argument}: no picture matches this pattern"
    return path, [], f"{argument}: there is no such file"


def _found(root: Path, pattern: str) -> list[Path]:
    """The pictures below a folder that match a pattern, but none in hidden folders or behind links to folders."""
    return pictures_among(
        path for path in root.glob(pattern) if not any(part[0] == "." for part in path.relative_to(root).parts)
    )


def _is_dream(photo: Path) -> bool:
    from dreamer.image import read_recipe

    try:
        return read_recipe(photo) is not None
    except UsageError:
        return False


@dataclass(frozen=True)
class Place:
    """The place for dreams: beside their photos, a file, or a folder."""

    output: Path | None
    is_folder: bool
    folders: Mapping[Path, Path] = field(default_factory=dict)
    """Subfolders of a folder: that of each photo's dream."""

    @classmethod
    def read(cls, output: str | None, several: bool) -> Place:
        """Return the place that -o names; UsageError if nothing can be written there."""
        if output is None:
            return cls(None, False)
        path = Path(output)
        if path.is_dir():
            folder = path
        elif path.exists() and several:
            raise UsageError(f"-o {output}: several photos need a folder, and this is a file; name a folder")
        elif output.endswith(("/", os.sep)) or (several and not path.suffix):
            check_folder(path.parent, f"-o {output}")
            return cls(path, True)
        elif several:
            raise UsageError(f"-o {output}: several photos need a folder; write {output}/ to create it")
        elif not path.suffix:
            raise UsageError(f"-o {output}: not a folder, and the name has no extension; add one, as in {output}.jpg")
        else:
            check_suffix(path)
            folder = path.parent
        check_folder(folder, f"-o {output}")
        return cls(path, path.is_dir())

    @property
    def file(self) -> Path | None:
        """The file that -o names, if it names one."""
        return None if self.is_folder else self.output

    def make(self, output: Path) -> None:
        """Create the folders of a file in the folder that -o names, where they are missing."""
        if self.is_folder and self.output:
            try:
                output.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                where = f"-o {self.output}: the folder {output.parent} cannot be created"
                raise UsageError(f"{where} ({error.strerror}); choose another folder") from error

    def of(self, photo: Path, suffix: str) -> Path:
        """Return where the dream of a photo goes, in a format whose files end in `suffix`, as in .jpg."""
        name = f"{_shortened(photo.stem)}-dream{suffix}"
        if self.output is None:
            return photo.with_name(name)
        return self.output / self.folders.get(photo, Path()) / name if self.is_folder else self.output


def _shortened(stem: str) -> str:
    """A name that is short enough for what is appended to it: -dream, -partial, a number, and an extension."""
    while len(os.fsencode(stem)) > _LONGEST_STEM:
        stem = stem[:-1]
    return stem


def check_folder(folder: Path, where: str) -> None:
    """Raise UsageError unless files can be written in the folder; `where` begins the sentence, as in -o NAME."""
    if not folder.is_dir():
        raise UsageError(f"{where}: there is no folder {folder}; create it, or choose another with -o")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{where}: writing in {folder} is not permitted; choose another folder with -o")


def check_new(output: Path, force: bool) -> None:
    """Raise UsageError unless the file can be written, which replaces an existing one only if `force`."""
    if is_taken(output) and not force:
        raise UsageError(f"-o {output}: the file already exists; --force replaces it")
    check_folder(output.parent, f"-o {output}")


def write_sheet(output: Path, sheet: Image.Image, *, replace: bool = True, recipe: str = "") -> Path:
    """Write a sheet of pictures, in the format that its file's extension names; returns where it is.

    `recipe` is what it says of its pictures (`dreamer.recipes.cells`).
    """
    from dreamer.files import write_atomically
    from dreamer.image import encode, load

    photo = load(sheet)
    return write_atomically(output, encode(photo, photo.pixels, check_suffix(output), recipe=recipe), replace=replace)


def named_files(options: Mapping[str, Any]) -> list[Path]:
    """Return the files that options of a dream name, its masks too: nothing may replace them, not even with --force."""
    names = [options.get(name) for name in ("guide", "weights", "recipe", "preset")]
    return [*(Path(named_cell(str(name))[0]) for name in names if name), *mask_files(options.get("region", ()))]


def check_spared(outputs: Iterable[Path], sources: Iterable[Path]) -> None:
    """Raise UsageError if a file to write is one of the files to read, which not even --force replaces."""
    there = [source for source in sources if source.exists()]
    for output in outputs:
        source = next((path for path in there if output.exists() and output.samefile(path)), None)
        if source is not None:
            raise UsageError(f"{output} is the input {source} itself, which is never overwritten; choose another -o")
