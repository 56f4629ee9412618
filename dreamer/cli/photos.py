"""Which photos a command means, and where their dreams go."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreamer.errors import UsageError

CLIPS = frozenset(".mp4 .m4v .mov .webm .mkv .avi".split())
"""How the names of clips end that are no pictures, too."""


@dataclass(frozen=True)
class Found:
    """The photos that were meant, how many dreams lay among them, and what named none, with the reason."""

    photos: tuple[Path, ...]
    dreams: int
    problems: tuple[tuple[str, str], ...]


def find(arguments: Sequence[str]) -> Found:
    """The photos that files, folders and patterns name.

    Pictures that dreamer made are left out, being dreams already, but for a single one that is named itself.
    """
    photos: dict[Path, None] = {}
    problems = []
    for argument in arguments:
        named, why_none = _named(argument)
        photos |= dict.fromkeys(named)
        if not named:
            problems.append((argument, f"{argument}: {why_none}"))
    by_name = [Path(argument) for argument in arguments] == list(photos) and len(photos) == 1
    undreamt = [photo for photo in photos if by_name or not _is_dream(photo)]
    if photos and not undreamt:
        first = next(iter(photos))
        problems.append((str(first), f"{first} is a dream already, as all are; name one alone to dream on"))
    return Found(tuple(undreamt), len(photos) - len(undreamt), tuple(problems))


def _named(argument: str) -> tuple[list[Path], str]:
    """The pictures that one argument names, and why there are none."""
    from dreamer.image import pictures_among

    path = Path(argument)
    if path.is_dir():
        return pictures_among(path.iterdir()), "there are no pictures in this folder"
    if path.suffix.lower() in CLIPS:
        return [], "this is a clip; `dreamer video` dreams over it"
    if path.exists():
        return [path], ""
    if glob.has_magic(argument):
        return pictures_among(map(Path, glob.glob(argument, recursive=True))), "no picture is called like that"
    return [], "there is no such file"


def _is_dream(photo: Path) -> bool:
    from dreamer.image import read_recipe

    try:
        return read_recipe(photo) is not None
    except UsageError:
        return False


@dataclass(frozen=True)
class Place:
    """Where dreams go: beside their photos, to a file, or, for several, into a folder."""

    output: Path | None
    is_folder: bool

    @classmethod
    def read(cls, output: str | None, several: bool) -> Place:
        """What -o says; raises UsageError for a place where nothing can be written."""
        from dreamer.image import check_suffix

        if output is None:
            return cls(None, False)
        path = Path(output)
        if path.is_dir():
            folder = path
        elif path.exists() and several:
            raise UsageError(f"-o {output}: several photos need a folder")
        elif output.endswith(("/", os.sep)) or (several and not path.suffix):
            check_folder(path.parent, f"-o {output}")
            return cls(path, True)
        elif several:
            raise UsageError(f"-o {output}: several photos need a folder; write {output}/ to have it made")
        elif not path.suffix:
            raise UsageError(f"-o {output}: there is no folder of that name, and no format at its end, as in .jpg")
        else:
            check_suffix(path)
            folder = path.parent
        check_folder(folder, f"-o {output}")
        return cls(path, path.is_dir())

    @property
    def file(self) -> Path | None:
        """The one file to write, where -o names one."""
        return None if self.is_folder else self.output

    def make(self) -> None:
        """Make the folder that -o names, when only it is missing."""
        if self.is_folder and self.output:
            try:
                self.output.mkdir(exist_ok=True)
            except OSError as error:
                raise UsageError(f"-o {self.output}: the folder cannot be made ({error.strerror})") from error

    def of(self, photo: Path, suffix: str) -> Path:
        """Where the dream of a photo goes, whose format's files end in `suffix`."""
        name = f"{photo.stem}-dream{suffix}"
        if self.output is None:
            return photo.with_name(name)
        return self.output / name if self.is_folder else self.output


def check_folder(folder: Path, where: str) -> None:
    """Raise UsageError when no picture can be put in the folder."""
    if not folder.is_dir():
        raise UsageError(f"{where}: there is no folder {folder}; make it first, or choose another with -o")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{where}: writing in {folder} is not permitted; choose another with -o")


def check_spared(outputs: Iterable[Path], sources: Iterable[Path]) -> None:
    """Raise UsageError when a file that is to be written is one of those that are read, which no --force replaces."""
    there = [source for source in sources if source.exists()]
    for output in outputs:
        source = next((path for path in there if output.exists() and output.samefile(path)), None)
        if source is not None:
            raise UsageError(f"{output} is {source} itself, which is never overwritten; choose another -o")


def free(path: Path) -> Path:
    """The path, or the same with a number, so that nothing is overwritten."""
    number = 2
    candidate = path
    while candidate.exists():
        candidate = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return candidate
