"""Opening clips and sound with libav, to which a colon in a name makes an address, and a list of files is a clip."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer

_CLIPS = (
    "mov mp4 m4a 3gp 3g2 matroska webm avi gif apng mpegts mpeg mpegvideo m4v h264 hevc obu ivf flv ogg asf mxf nut dv "
    "rm wtv yuv4mpegpipe mjpeg"
)
_SOUNDS = "wav w64 mp3 flac aac ac3 eac3 aiff caf amr ape wv tta au dts truehd"
_FORMATS = ",".join([*_CLIPS.split(), *_SOUNDS.split()])
"""Formats that hold pictures or sound themselves: no playlist, no list of files, no address, no device."""


def address(path: Path) -> str:
    """The name by which libav opens this file, to read or to write, whatever stands before a colon in it."""
    return f"file:{path}"


def open_media(path: Path, options: dict[str, str] | None = None) -> InputContainer:
    """Open a clip or a sound file for reading; nothing but this file will be read.

    `options` are libav's. Raises av.error.FFmpegError, or OSError where it is no regular file or of no known format;
    each has a `strerror`.
    """
    import av

    if path.exists() and not path.is_file():  # a pipe or a device may have no end
        raise OSError(errno.EINVAL, "it is no regular file")
    bounds = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        return av.open(address(path), "r", options={**(options or {}), **bounds}, metadata_errors="replace")
    except av.error.ArgumentError:  # not on the list
        raise OSError(errno.EINVAL, "it is of no format of clips or sound") from None
