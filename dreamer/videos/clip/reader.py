"""Read a clip: its frames, upright and in sRGB, each with its time; and the recipe in a clip that dreamer made."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError
from dreamer.files.suffixes import CLIPS, photo_for_clip
from dreamer.videos.clip.animated import is_animation, is_picture, is_still, plays_of, read_animation
from dreamer.videos.clip.encode import Frame
from dreamer.videos.clip.folder import FPS, digest_of, read_folder
from dreamer.videos.clip.source import Frames, Source
from dreamer.videos.clip.track import RATES, USUAL_RATE, opened, read_track

_LONGEST_RECIPE = 1 << 20  # characters; longer comments are ignored
_MAX_ERROR = Fraction(1, 10)  # largest error of a stated frame rate; beyond it the frames are counted


@dataclass(frozen=True)
class Clip:
    """A clip's properties, or those of a part of it.

    `width` and `height` are those of the upright frames with square pixels; `fps` is the average; `duration` is in
    seconds; `rotation` is how far the stored frames must be turned counter-clockwise, in degrees; `variable` says that
    the frames are not evenly spaced, `alpha` that they are transparent somewhere. `plays` is how often an animated
    picture is played, 0 for without end. `begin` is the time of the part's first frame, in seconds from the clip's;
    frames from `end` on are left out. `notices` are sentences about what was changed in reading it.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int
    duration: Fraction
    rotation: int
    has_audio: bool
    variable: bool
    alpha: bool
    plays: int
    begin: Fraction
    end: Fraction | None
    notices: tuple[str, ...]
    source: Source = field(repr=False, compare=False)


def read_recipe(path: Path) -> str | None:
    """The recipe in a finished clip (mp4, webm, GIF, WebP or a folder of PNGs), or None.

    Raises UsageError when the file is not a clip.
    """
    from dreamer.image import read_recipe as recipe_in_picture

    if path.is_dir():
        first = path / "frame-000000.png"
        return recipe_in_picture(first) if first.exists() else None
    if path.suffix.lower() == ".webp":
        return recipe_in_picture(path)
    if path.suffix.lower() == ".gif":
        return _gif_comment(path)
    with opened(path, max_pixels=1 << 30) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    comment = tags.get("comment")
    return comment if comment and len(comment) <= _LONGEST_RECIPE else None


def recipe_text(path: Path) -> str:
    """The recipe in a picture or clip that dreamer made; raises UsageError where there is none."""
    from dreamer.image import read_recipe as recipe_in_picture

    is_clip = path.is_dir() or path.suffix.lower() in (*CLIPS, ".gif")
    text = read_recipe(path) if is_clip else recipe_in_picture(path)
    if text is None:
        raise UsageError(f"{path}: there is no recipe inside; only pictures and clips made by dreamer contain one")
    return text


def probe(
    path: Path,
    *,
    max_pixels: int = 200_000_000,
    start: Fraction | None = None,
    end: Fraction | None = None,
    fps: Fraction | None = None,
) -> Clip:
    """Read the properties of a clip, or of a part of it.

    Args:
        path: A clip's file, an animated picture, or a folder of pictures.
        max_pixels: Of a frame.
        start: Of the part, in seconds from the first frame; it begins with the first frame from there on.
        end: Likewise; frames from there on are left out.
        fps: Frames per second, for a folder alone.

    Raises:
        UsageError: The file is missing, empty or not a clip, its frames are too large, or the part has no frames.
    """
    source = _source(path, max_pixels, fps)
    times = source.ticks - source.ticks[0]
    first = 0 if start is None else _index(times, start / source.base)
    last = len(times) if end is None else _index(times, end / source.base)
    if first >= last:
        part = f"from {_seconds(start or Fraction(0))} to {'the end' if end is None else _seconds(end)}"
        latest = _seconds(int(times[-1]) * source.base)
        raise UsageError(f"{path}: there are no frames {part}; the last one is at {latest}")
    times = times[first:last]
    rate, variable = _rate(times, source)
    height, width = source.size
    clip = Clip(
        path,
        width,
        height,
        fps=rate,
        frames=len(times),
        duration=(int(times[-1] - times[0]) * source.base if variable else (len(times) - 1) / rate) + 1 / rate,
        rotation=90 * source.turns,
        has_audio=source.has_audio,
        variable=variable,
        alpha=source.may_be_transparent,
        plays=source.plays,
        begin=int(times[0]) * source.base,
        end=end,
        notices=source.notices,
        source=source,
    )
    transparent = clip.alpha and any(values[..., 3].min() < 255 for _, values in frames(clip))
    return replace(clip, alpha=transparent)


def frames(clip: Clip) -> Frames:
    """Every frame, upright, uint8 sRGB, with its time in seconds from the first, in the order of showing.

    Frames are (H, W, 3), or (H, W, 4) if `clip.alpha`. One that cannot be decoded is skipped, as players do; times
    always increase.
    """
    begin: Fraction | None = None
    for time, values in clip.source.frames(clip.begin):
        if clip.end is not None and time >= clip.end:
            return
        begin = time if begin is None else begin
        yield time - begin, _with_alpha(values) if clip.alpha else np.ascontiguousarray(values[..., :3])


def digest(clip: Clip) -> str:
    """The SHA-256 of a clip's file, or of all pictures in its folder, in hex."""
    if clip.path.is_dir():
        return digest_of(clip.path)
    with clip.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _source(path: Path, max_pixels: int, fps: Fraction | None) -> Source:
    """The source of the frames at a path. Raises UsageError."""
    if not os.path.exists(path):
        raise UsageError(f"{path}: there is no such file")
    if path.is_dir():
        return read_folder(path, fps or FPS, max_pixels)
    if fps is not None:
        raise UsageError(f"{path}: --fps is for a folder of frames; a clip has a rate of its own")
    if not path.is_file():
        raise UsageError(f"{path} is no regular file; give a clip's file, or a folder of frames")
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        raise UsageError(f"{path}: the file is empty; choose another")
    if is_picture(head):
        return read_animation(path, max_pixels)
    try:
        return replace(read_track(path, max_pixels), plays=plays_of(path) if is_animation(head) else 0)
    except UsageError:
        if is_still(path):
            raise UsageError(photo_for_clip(str(path))) from None
        raise


def _rate(times: NDArray[np.int64], source: Source) -> tuple[Fraction, bool]:
    """The frames per second, and whether they are not evenly spaced; `times` are ticks."""
    steps, base = np.diff(times), source.base
    # Containers round times to their clock, so evenly spaced frames may differ by a tick.
    variable = bool(len(steps)) and bool(steps.max() - steps.min() > 1 and (steps.max() - steps.min()) * base > 2e-3)
    rate = source.rate
    if len(steps) and times[-1] > times[0]:
        measured = len(steps) / (int(times[-1] - times[0]) * base)
        if not RATES[0] <= measured <= RATES[1]:  # the clock is damaged
            variable = False
        elif variable or rate is None or abs(rate / measured - 1) > _MAX_ERROR:
            rate = measured
    return (rate or USUAL_RATE).limit_denominator(1001 * 1000), variable


def _with_alpha(values: Frame) -> Frame:
    """A frame (H, W, 3 or 4) as (H, W, 4)."""
    if values.shape[2] == 4:
        return values
    return np.concatenate([values, np.full_like(values[..., :1], 255)], axis=2)


def _index(times: NDArray[np.int64], ticks: Fraction) -> int:
    """The number of times before one, given in ticks."""
    return int(np.searchsorted(times, min(math.ceil(ticks), 1 << 62)))


def _seconds(time: Fraction) -> str:
    return f"{float(time):g} s"


def _gif_comment(path: Path) -> str | None:
    from dreamer.image.source import header_of

    with header_of(path) as picture:
        comment = picture.info.get("comment", b"")
        return comment.decode("utf-8", "replace") if 0 < len(comment) <= _LONGEST_RECIPE else None
