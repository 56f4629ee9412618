"""A folder of pictures as a clip: its frames in natural order, so that 8 comes before 13, and 13 before 100."""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from PIL.ExifTags import Base

from dreamer.errors import PhotoError, UsageError, collect_problems, reported_together
from dreamer.files.suffixes import pictures_among
from dreamer.image import load
from dreamer.image.source import header_of
from dreamer.videos.clip.source import Frames, Source, check_size, frame_of

FPS = Fraction(25)
_DIGITS = re.compile(r"([0-9]+)")
_MOST_PROBLEMS = 5
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


def read_folder(folder: Path, fps: Fraction, max_pixels: int) -> Source:
    """Read the sizes of a folder's pictures, which are shown at `fps` frames a second.

    Raises UsageError where there are none, and names those that cannot be read or are not as large as the first.
    """
    paths = frames_in(folder)
    if not paths:
        raise UsageError(f"{folder}: there are no pictures in this folder; give a clip's file, or a folder of frames")
    first: tuple[int, int] | None = None
    transparent = False
    with reported_together() as problems:
        for path in paths:
            if len(problems) == _MOST_PROBLEMS:
                break
            with collect_problems(problems):
                size, has_alpha = _header(path, max_pixels)
                first, transparent = first or size, transparent or has_alpha
                _check_same(path, size, first)
    assert first is not None  # else there are problems
    return Source(
        first,
        np.arange(len(paths), dtype=np.int64),
        1 / fps,
        partial(_frames, paths, fps, first, max_pixels),
        rate=fps,
        may_be_transparent=transparent,
    )


def frames_in(folder: Path) -> list[Path]:
    """The pictures in a folder, in natural order."""
    return sorted(pictures_among(folder.iterdir()), key=lambda path: _natural(path.name))


def digest_of(folder: Path) -> str:
    """The SHA-256 of the pictures' own, in hex."""
    whole = hashlib.sha256()
    for path in frames_in(folder):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _frames(paths: list[Path], fps: Fraction, size: tuple[int, int], max_pixels: int, begin: Fraction) -> Frames:
    for number, path in enumerate(paths):
        if number / fps < begin:
            continue
        values = frame_of(load(path, max_pixels=max_pixels))
        _check_same(path, (values.shape[0], values.shape[1]), size)
        yield number / fps, values


def _header(path: Path, max_pixels: int) -> tuple[tuple[int, int], bool]:
    """A picture's upright (height, width), and whether it has alpha; of most formats without decoding a pixel."""
    try:
        with header_of(path, max_pixels) as picture:
            size = picture.size if picture.getexif().get(Base.Orientation) in _SIDEWAYS else picture.size[::-1]
            transparent = picture.has_transparency_data
    except PhotoError:  # as for a TIFF of 16 bits
        photo = load(path, max_pixels=max_pixels)
        return (photo.height, photo.width), photo.alpha is not None
    check_size(str(path), size, max_pixels)
    return size, transparent


def _check_same(path: Path, size: tuple[int, int], first: tuple[int, int]) -> None:
    if size != first:
        (height, width), (high, wide) = size, first
        raise UsageError(
            f"{path} has {width}x{height} pixels, and the first frame {wide}x{high}; give all frames one size"
        )


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which names are sorted as people count: numbers by their value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]
