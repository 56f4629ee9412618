"""Animated WebP and AVIF as clips, by Pillow: libav reads no animated WebP, and no transparency of AVIF."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamer import limits
from dreamer.errors import UsageError
from dreamer.files.suffixes import photo_for_clip
from dreamer.image import load
from dreamer.image.heif import BRANDS
from dreamer.image.source import header_of, opened
from dreamer.videos.clip.source import Frames, Source, check_size, frame_of

_FORMATS = ("WEBP", "AVIF")
_BASE = Fraction(1, 1000)
_AVIF_BRANDS = (b"avif", b"avis")
_MOST_PLAYS = 65535  # that WebP can count
_SHORTEST, _USUAL = 11, 100  # milliseconds: what is shown for less, browsers show for 100


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so is WebP, AVIF or HEIC, animated or not."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return webp or (head[4:8] == b"ftyp" and head[8:12] in (*_AVIF_BRANDS, *BRANDS))


def is_animation(head: bytes) -> bool:
    """Whether a file that begins so is a GIF or a PNG, whose frames libav reads."""
    return head.startswith((b"GIF8", b"\x89PNG"))


def plays_of(path: Path) -> int:
    """The number of plays of an animated picture; 0 for without end, and where Pillow cannot read it."""
    with suppress(UsageError), header_of(path) as picture:
        return _plays(picture)
    return 0


def is_still(path: Path) -> bool:
    """Whether a file that is not WebP, AVIF or HEIC is a picture."""
    try:
        with header_of(path):
            return True
    except UsageError:
        return False


def read_animation(path: Path, max_pixels: int) -> Source:
    """Read the properties of an animated picture; every frame is decoded once, since only then Pillow tells its time.

    Raises UsageError for a picture that is not animated, and for frames larger than `max_pixels`.
    """
    if path.stat().st_size > limits.ANIMATION_BYTES:
        raise UsageError(f"{path} is too large for an animated picture; convert it to .mp4 first")
    with opened(path) as file:
        moves = file.read(12)[8:] not in BRANDS  # which may take a plugin to be read
    if moves:
        with header_of(path, max_pixels) as picture:
            size, moves = picture.size[::-1], getattr(picture, "is_animated", False)
    if not moves:
        raise UsageError(photo_for_clip(str(path)))
    check_size(str(path), size, max_pixels)
    with _animation(path) as picture:
        upright = frame_of(load(picture, max_pixels=max_pixels)).shape
        plays = _plays(picture)
        transparent, frames, ticks = picture.has_transparency_data, int(getattr(picture, "n_frames", 1)), [0]
        while len(ticks) <= frames and _is_shown(picture, len(ticks) - 1):
            shown = picture.info.get("duration") or 0
            ticks.append(ticks[-1] + (shown if shown >= _SHORTEST else _USUAL))
    told = f"{path.name}: it is damaged; the frames after the first {len(ticks) - 1} are left out"
    times = np.array(ticks[:-1], np.int64)
    return Source(
        (upright[0], upright[1]),
        times,
        _BASE,
        partial(_frames, path, times, max_pixels),
        may_be_transparent=transparent,
        plays=plays,
        notices=() if len(times) == frames else (told,),
    )


def _frames(path: Path, times: NDArray[np.int64], max_pixels: int, begin: Fraction) -> Frames:
    with _animation(path) as picture:
        for number, time in enumerate(times):
            if int(time) * _BASE >= begin:
                picture.seek(number)
                yield int(time) * _BASE, frame_of(load(picture, max_pixels=max_pixels))


@contextmanager
def _animation(path: Path) -> Iterator[Image.Image]:
    with opened(path) as file, Image.open(file, formats=_FORMATS) as picture:
        yield picture


def _plays(picture: Image.Image) -> int:
    if picture.format == "GIF":  # which counts repeats, and without a count is played once
        loop = picture.info.get("loop")
        return 1 if loop is None else min(loop + 1, _MOST_PLAYS) if loop else 0
    return min(int(picture.info.get("loop") or 0), _MOST_PLAYS)


def _is_shown(picture: Image.Image, number: int) -> bool:
    """Go to a frame; False where it is damaged."""
    try:
        picture.seek(number)
        picture.load()
    except (OSError, ValueError, SyntaxError, EOFError):
        return False
    return True
