"""A person's own pictures, to be learnt in addition to the motifs."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import PhotoError, UsageError
from dreamer.files import is_link
from dreamer.files.suffixes import check_folder_of_pictures, pictures_among
from dreamer.image import load, resize

_SIDE = 384  # px: the shorter side at which pictures are kept; crops are a third of this
_MAX_CLASSES = 100
_MAX_PICTURES = 2000
_FEW, _SOME = 5, 20
_NAMED = 20  # notices about what is left out


@dataclass(frozen=True)
class OwnPictures:
    """Pictures (3, h, w), uint8, with the class number of each, and the classes' names.

    `notices` are sentences for the person: which pictures were skipped, and whether there are too few.
    """

    pictures: tuple[Tensor, ...]
    classes: tuple[int, ...]
    names: tuple[str, ...]
    notices: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, taken: Collection[str] = (), max_pixels: int = 200_000_000) -> OwnPictures:
        """Read the pictures of a folder: each subfolder is a class; without subfolders, each picture is one.

        A subfolder's own subfolders belong to it. A class with one of the `taken` names is prefixed with "my-", and one
        with another class's name gets a number. Links out of the folder and pictures that cannot be read, or have more
        than `max_pixels`, are skipped with a notice; raises UsageError where none can be read, or there are too many.
        """
        groups, notices = _grouped(folder)
        pictures: list[Tensor] = []
        classes: list[int] = []
        names: list[str] = []
        for name, paths in groups:
            read = []
            for path in paths:
                try:
                    read.append(_small(load(path, max_pixels=max_pixels).image()))
                except PhotoError as error:
                    notices += [f"skipped: {problem}" for problem in error.problems]
            if read:
                classes += [len(names)] * len(read)
                names.append(_free(f"my-{name}" if name in taken else name, {*taken, *names}))
                pictures += read
        if len(notices) > _NAMED:
            notices[_NAMED:] = [f"skipped: {len(notices) - _NAMED} more"]
        if not pictures:
            raise UsageError(f"--pictures {folder}: there are no readable pictures; add some", *notices)
        return cls(tuple(pictures), tuple(classes), tuple(names), (*notices, *_too_few(len(pictures), len(names))))

    def crops(self, count: int, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw random crops of the pictures, (count, 3, size, size) in [0, 1], and their classes (count,)."""
        chosen = torch.randint(0, len(self.pictures), (count,), generator=random, device=random.device).tolist()
        pieces = []
        for row in chosen:
            picture = self.pictures[row]
            share, y, x = torch.rand(3, generator=random, device=random.device).tolist()
            side = round(min(picture.shape[1:]) * (0.25 + 0.75 * share))
            pieces.append(_piece(picture.to(random.device), side, y, x, size))
        return torch.cat(pieces), torch.tensor([self.classes[row] for row in chosen], device=random.device)

    def whole(self, which: int, size: int) -> Tensor:
        """The largest middle squares of all pictures of a class, (B, 3, size, size) in [0, 1]."""
        pictures = [picture for picture, one in zip(self.pictures, self.classes, strict=True) if one == which]
        return torch.cat([_piece(picture, min(picture.shape[1:]), 0.5, 0.5, size) for picture in pictures])


def _grouped(folder: Path) -> tuple[list[tuple[str, list[Path]]], list[str]]:
    """The pictures of a folder by class, and sentences about what is left out; raises UsageError for too many."""
    check_folder_of_pictures(folder, "--pictures")
    inner: dict[str, list[Path]] = {}
    loose: list[Path] = []
    notices: list[str] = []
    root = folder.resolve()
    for at, folders, files in os.walk(folder):
        shown = [Path(at, name) for name in sorted(folders) if not name.startswith(".")]
        notices += [f"skipped: {path} is a link to a folder; put its pictures here" for path in shown if is_link(path)]
        folders[:] = [path.name for path in shown if not is_link(path)]
        for path in pictures_among(Path(at, name) for name in files):
            within = path.relative_to(folder).parts
            if not path.resolve().is_relative_to(root):
                notices.append(f"skipped: {path} is a link that leads out of the folder")
            elif len(within) > 1:
                inner.setdefault(within[0], []).append(path)
            else:
                loose.append(path)
    if inner and loose:
        notices.append(
            f"skipped: pictures beside the subfolders, {len(loose)} in all, such as {loose[0]}; put them into one"
        )
    groups = sorted(inner.items()) or [(path.stem, [path]) for path in loose]
    many = sum(len(paths) for _, paths in groups)
    if len(groups) > _MAX_CLASSES or many > _MAX_PICTURES:
        raise UsageError(
            f"--pictures {folder}: {len(groups)} classes in {many} pictures are too many "
            f"(at most {_MAX_CLASSES} and {_MAX_PICTURES}); put pictures of the same thing into a subfolder"
        )
    return groups, notices


def _free(name: str, taken: Collection[str]) -> str:
    """The name, followed by the first free number where it is taken."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def _piece(picture: Tensor, side: int, y: float, x: float, size: int) -> Tensor:
    """A square of a picture (3, h, w), placed at `y` and `x` from 0 to 1, resized: (1, 3, size, size) in [0, 1]."""
    top, left = round(y * (picture.shape[1] - side)), round(x * (picture.shape[2] - side))
    piece = picture[None, :, top : top + side, left : left + side].float() / 255
    return F.interpolate(piece, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _small(image: Tensor) -> Tensor:
    """A picture (1, 3, H, W) in [0, 1] with a shorter side of at most `_SIDE` pixels: (3, h, w), uint8."""
    factor = min(1.0, _SIDE / min(image.shape[-2:]))
    size = (max(8, round(image.shape[-2] * factor)), max(8, round(image.shape[-1] * factor)))
    return (resize(image, size)[0].clamp(0, 1) * 255).round().byte()


def _too_few(pictures: int, classes: int) -> tuple[str, ...]:
    """A sentence about what can be expected of few pictures; nothing where there are enough."""
    if pictures < _FEW:
        return (
            f"{pictures} pictures teach little more than colours and textures; add more: shapes need at least {_SOME}",
        )
    if pictures / classes < _FEW and pictures < _SOME:
        return (f"{pictures} pictures teach textures and some shapes; {_SOME} or more would teach shapes well",)
    return ()
