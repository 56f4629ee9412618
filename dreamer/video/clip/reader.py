"""Read a clip: its frames, upright and in sRGB, each with its time; and the recipe in a clip that dreamer made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dreamer.errors import UsageError
from dreamer.video.clip.container import open_media
from dreamer.video.clip.encode import Frame

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_LONGEST_RECIPE = 1 << 20  # characters; longer comments are ignored
_HD = 720  # lines: a clip without a stated colour matrix is BT.709 from here on, BT.601 below
_MAX_PIXEL_ASPECT = 10  # a pixel more oblong than this is taken for damage
_UNSPECIFIED = 2  # libav's number for "no colour space stated"


@dataclass(frozen=True)
class Clip:
    """A clip's properties.

    `width` and `height` are those of the upright frames with square pixels; `fps` is the average; `duration` is in
    seconds; `rotation` is how far the stored frames must be turned counter-clockwise, in degrees; `variable` says that
    the frames are not evenly spaced.
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
    with _opened(path) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    comment = tags.get("comment")
    return comment if comment and len(comment) <= _LONGEST_RECIPE else None


def probe(path: Path, *, max_pixels: int = 200_000_000) -> Clip:
    """Read a clip's properties; only the first frame is decoded.

    Raises UsageError for a file that is missing, empty or not a clip, and for frames larger than `max_pixels`.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        _check_size(path, stream.height, stream.width, max_pixels)
        first = next(_decoded(container), None)
        if first is None:
            raise UsageError(f"{path}: none of its frames can be decoded; choose another clip")
        height, width = _upright_size(first, stream)
        _check_size(path, height, width, max_pixels)
    with _opened(path) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1, 1000)
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None and packet.size)
        has_audio = bool(container.streams.audio)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    steps = np.diff(np.array(times, np.int64))
    # Containers round times to their clock, so evenly spaced frames may differ by a tick.
    variable = bool(len(steps)) and bool(steps.max() - steps.min() > 1 and (steps.max() - steps.min()) * base > 2e-3)
    if variable and len(times) > 1 and times[-1] > times[0]:
        rate = Fraction(len(times) - 1) / ((times[-1] - times[0]) * base)
    fps = Fraction(rate).limit_denominator(1001 * 1000)
    count, rotation = max(1, len(times)), first.rotation % 360
    duration = (times[-1] - times[0]) * base + 1 / fps if times else 1 / fps
    return Clip(path, width, height, fps, count, duration, rotation, has_audio, variable)


def frames(clip: Clip) -> Iterator[tuple[Fraction, Frame]]:
    """Every frame (H, W, 3), upright, uint8 sRGB, with its time in seconds from the first, in the order of showing.

    A frame that cannot be decoded is skipped, as players do; times always increase.
    """
    with _opened(clip.path) as container:
        base = container.streams.video[0].time_base or Fraction(1, 1000)
        begin = last = None
        for number, frame in enumerate(_decoded(container)):
            time = frame.pts * (frame.time_base or base) if frame.pts is not None else Fraction(number) / clip.fps
            begin = time if begin is None else begin
            if last is not None and time <= last:
                continue
            last = time
            yield time - begin, _rgb(frame, (clip.height, clip.width))


def _decoded(container: InputContainer) -> Iterator[VideoFrame]:
    """The frames that can be decoded."""
    import av

    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _check_size(path: Path, height: int, width: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise UsageError(
            f"{path}: frames of {width} x {height} pixels exceed the limit of {max_pixels:,} pixels; "
            "if you trust this clip, raise the limit with --max-pixels"
        )


def _upright_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """The (height, width) of a frame when upright, with square pixels; an absurd pixel shape is ignored as damage."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _MAX_PIXEL_ASPECT <= aspect <= _MAX_PIXEL_ASPECT:
        aspect = Fraction(1)
    height, width = frame.height, max(1, round(frame.width * aspect))
    return (width, height) if frame.rotation % 180 else (height, width)


def _rgb(frame: VideoFrame, size: tuple[int, int]) -> Frame:
    """A frame as upright RGB, converted by its stated matrix and range, else by those usual for its size."""
    turned = frame.rotation % 180 != 0
    height, width = size[::-1] if turned else size
    hd = frame.height >= _HD or frame.width >= 1280
    space = {"src_colorspace": "ITU709" if hd else "ITU601"} if frame.colorspace == _UNSPECIFIED else {}
    rgb = frame.reformat(width, height, "rgb24", interpolation="BICUBIC", threads=1, **space)  # type: ignore[arg-type]
    return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), frame.rotation // 90))


def _opened(path: Path) -> InputContainer:
    """Open a clip; raises UsageError where that fails."""
    import av

    if not path.exists():
        raise UsageError(f"{path}: there is no such file")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give a clip's file")
    if not path.stat().st_size:
        raise UsageError(f"{path}: the file is empty")
    try:
        container = open_media(path)
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path}: not a readable clip ({getattr(error, 'strerror', error)})") from error
    if container.format.name.endswith("_pipe") or container.format.name == "image2":
        container.close()
        raise UsageError(f"{path} is a picture, not a clip; use `dreamer render` for it")
    if not container.streams.video:
        container.close()
        raise UsageError(f"{path}: the file has no video; choose another file")
    return container


def _gif_comment(path: Path) -> str | None:
    from dreamer.image.source import opened, picture_in

    with opened(path) as file, picture_in(path, file, max_pixels=1 << 40) as picture:
        comment = picture.info.get("comment", b"")
        return comment.decode("utf-8", "replace") if 0 < len(comment) <= _LONGEST_RECIPE else None
