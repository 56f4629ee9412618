"""Encode a few frames as a segment that can be decoded alone; the same frames always give the same bytes.

One encoder thread, no date and no version inside: bytes depend only on the frames, the format and this build of libav.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError, WriteError
from dreamer.videos.clip.formats import ENCODERS, Format

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame

Frame = NDArray[np.uint8]
"""(H, W, 3), sRGB, or (H, W, 4) with straight alpha."""

# x264's macroblock tree reads uninitialised memory, so that the same frames sometimes give other bytes; hence mbtree=0.
_OPTIONS = {
    "h264": {"preset": "medium", "x264-params": "mbtree=0"},
    "h265": {"preset": "medium", "x265-params": "log-level=error:pools=none:frame-threads=1", "tag": "hvc1"},
    "vp9": {"deadline": "good", "cpu-used": "2", "row-mt": "0", "b": "0"},
    "av1": {"preset": "6", "svtav1-params": "lp=1"},
}
_MPEG_CLOCK = 90_000  # ticks per second, about
_WEBM_CLOCK = 1000  # ticks per second
BIT_EXACT = {"fflags": "+bitexact"}


def ticks_per_second(fps: Fraction) -> int:
    """The clock rate of a clip: about 90 kHz and a multiple of the frame rate, so that every frame's time is exact."""
    return fps.numerator * max(1, round(_MPEG_CLOCK / fps.numerator))


def decoding_times(shown: Sequence[int]) -> list[int]:
    """The decoding times of packets, in ticks, from the times at which they are shown; both in the order of decoding.

    These are the display times sorted, shifted back just enough that no packet is shown before it is decoded.
    """
    clock = sorted(shown)
    late = max(at - time for at, time in zip(clock, shown, strict=True))
    return [at - late for at in clock]


def encode_segment(frames: Iterable[tuple[int, Frame]], format: Format, size: tuple[int, int], fps: Fraction) -> bytes:
    """Encode frames as an mp4 (Matroska, for frames with alpha) that can be decoded alone, and return its bytes.

    Args:
        frames: Each (H, W, 3), or (H, W, 4) if the format has alpha, with its time in ticks from the segment's start.
        format: Codec and quality.
        size: (height, width); an odd last row or column is left out, as yuv420p needs even sizes.
        fps: Frames per second.

    Raises:
        WriteError: The encoder does not accept such frames.
    """
    import av

    clock = Fraction(1, ticks_per_second(fps))
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="matroska" if format.alpha else "mp4", options=BIT_EXACT) as container:
            stream = _add_stream(container, format, size, fps)
            packets = []
            for ticks, values in frames:
                frame = _yuv(values, format.alpha)
                frame.pts, frame.time_base = ticks, clock
                packets += stream.encode(frame)
            packets += stream.encode(None)
            # x265 gives a single frame an arbitrary decoding time, and other encoders disagree on very short segments.
            for packet, decoded in zip(packets, decoding_times([packet.pts or 0 for packet in packets]), strict=True):
                packet.dts = decoded
                container.mux(packet)
    except (av.error.FFmpegError, OverflowError) as error:
        why = getattr(error, "strerror", error)
        raise WriteError(f"the frames could not be encoded as {format.codec}: {why}") from error
    return file.getvalue()


def encode_timed(
    frames: Iterable[tuple[Fraction, Frame]], format: Format, size: tuple[int, int], fps: Fraction
) -> tuple[bytes, int]:
    """The segment of at least one frame with its time in seconds, and the time of the first frame in ticks.

    Raises WriteError, as `encode_segment` does.
    """
    rate, timed = ticks_per_second(fps), iter(frames)
    seconds, values = next(timed)
    first = round(seconds * rate)
    rest = ((round(seconds * rate) - first, values) for seconds, values in timed)
    return encode_segment(chain([(0, values)], rest), format, size, fps), first


def told_apart(seconds: Fraction, before: int, fps: Fraction, suffix: str) -> Fraction:
    """The time of a frame in seconds, or the earliest one that a clip tells from that of the frame before, in ticks.

    `before` is -1 for the first frame.
    """
    rate = ticks_per_second(fps)
    apart = math.ceil(rate / _WEBM_CLOCK) if suffix == ".webm" else 1
    return seconds if before < 0 or round(seconds * rate) >= before + apart else Fraction(before + apart, rate)


def check_encoder(format: Format, size: tuple[int, int], fps: Fraction) -> None:
    """Raise UsageError when the encoder does not accept frames of this size (height, width)."""
    height, width = size
    if min(size) < 2:
        raise UsageError(f"{width}x{height} pixels are too few for a clip; make the frames at least 2x2")
    if fps > _WEBM_CLOCK and format.suffix == ".webm":
        raise UsageError(f"a WebM has at most {_WEBM_CLOCK} frames a second, not {float(fps):.4g}; write .mp4")
    try:
        encode_segment([(0, blank_frame(format, size))], format, size, fps)
    except WriteError as error:
        raise UsageError(
            f"{format.codec} cannot encode frames of {width}x{height} pixels at {float(fps):.4g} per second; "
            f"choose another size or codec ({error})"
        ) from error


def blank_frame(format: Format, size: tuple[int, int]) -> Frame:
    """A black frame, transparent if the format has alpha."""
    return np.zeros((*size, 4 if format.alpha else 3), np.uint8)


def _add_stream(container: OutputContainer, format: Format, size: tuple[int, int], fps: Fraction) -> Any:
    """Add a video stream of the format to a container."""
    os.environ.setdefault("SVT_LOG", "1")  # else SVT-AV1 prints its settings on stderr; 1 is errors only
    options = {"crf": str(format.crf), **_OPTIONS[format.codec]}
    if format.alpha:  # libvpx cannot hide frames then
        options["auto-alt-ref"] = "0"
    stream: Any = container.add_stream(ENCODERS[format.codec], rate=fps, options=options)
    context = stream.codec_context
    stream.height, stream.width = (side - side % 2 for side in size)
    stream.pix_fmt = _pixels(format.alpha)
    stream.time_base = context.time_base = Fraction(1, ticks_per_second(fps))
    context.thread_count = 1
    # BT.709, limited range, written in full, because players guess differently at what is not stated.
    context.color_range = context.colorspace = context.color_primaries = context.color_trc = 1
    return stream


def opaque(values: Frame) -> Frame:
    """A frame (H, W, 3 or 4) on white, (H, W, 3)."""
    if values.shape[2] == 3:
        return values
    alpha = values[..., 3:] / np.float32(255)
    return np.rint(values[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _pixels(alpha: bool) -> str:
    return "yuva420p" if alpha else "yuv420p"


def _yuv(values: Frame, alpha: bool) -> VideoFrame:
    """A frame in yuv420p, or in yuva420p with `alpha`; an odd last row or column is left out."""
    import av

    height, width = (side - side % 2 for side in values.shape[:2])
    values = values if alpha else opaque(values)
    frame = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(values[:height, :width]), format="rgba" if alpha else "rgb24"
    )
    return frame.reformat(format=_pixels(alpha), dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
