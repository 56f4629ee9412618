"""Small clips for tests: frames drawn by formula, sound, and files that other programs might have written."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from dreamer.video.clip.formats import format_for
from dreamer.video.clip.writer import ClipWriter

NTSC = Fraction(30000, 1001)


def picture(number: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A red corner that stays, on a ramp of blue; below, green that moves by 3 pixels a frame."""
    values = np.zeros((height, width, 3), np.uint8)
    values[:, :, 2] = np.linspace(0, 255, width, dtype=np.uint8)
    values[: height // 2, : width // 2] = (255, 0, 0)
    values[height // 2 :, 3 * number % width :] = (0, 200, 30)
    return values


def opened(
    output: Path, count: int = 7, *, size: tuple[int, int] = (48, 64), fps: Any = 24, **options: Any
) -> ClipWriter:
    """A writer of small segments; the options are those of `ClipWriter.open`, and the format's codec and quality."""
    format = format_for(output, options.pop("codec", None), options.pop("quality", None))
    options = {"recipe": '{"seed":1}', "identity": '{"seed":1}', "segment": 3} | options
    return ClipWriter.open(output, format, size=size, fps=Fraction(fps), frames=count, **options)


def made(output: Path, count: int = 7, *, times: list[Fraction] | None = None, **options: Any) -> Path:
    """A finished clip of `picture`s."""
    with opened(output, count, **options) as writer:
        if writer.finished:
            return output
        for number in range(writer.done, count):
            writer.add(picture(number, *options.get("size", (48, 64))), times[number] if times else None)
        writer.finish()
    return output


def tone(path: Path, seconds: float = 2.0, codec: str = "pcm_s16le", rate: int = 44100) -> Path:
    """A sound file."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        wave = np.sin(np.arange(int(seconds * rate)) * (2 * np.pi * 440 / rate)) * 20000
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", "mono")
        frame.rate, frame.pts = rate, 0
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            container.mux(stream.encode(part))
    return path


def turned(path: Path, degrees: int) -> Path:
    """Write into an mp4 that it is to be shown turned clockwise, as telephones do."""
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = matrix
    path.write_bytes(data)
    return path


def squeezed(path: Path, wide: int, high: int) -> Path:
    """A clip of one `picture`, an mp4 whose pixels are to be shown `wide` to `high`."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        frame = av.VideoFrame.from_ndarray(picture(0), format="rgb24").reformat(format="yuv444p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    start = data.index(b"pasp") + 4
    data[start : start + 8] = struct.pack(">II", wide, high)
    path.write_bytes(data)
    return path


def heard(path: Path) -> tuple[str, float]:
    """The codec and the length in seconds of a clip's sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.codec.canonical_name, samples / stream.codec_context.sample_rate
