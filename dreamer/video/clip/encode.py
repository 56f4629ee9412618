"""Closed segments: a few frames encoded so that they stand alone, and the same bytes whenever it is done.

One encoder thread, no time of day, no version: the bytes depend on the frames, the format and this build of libav.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError, WriteError
from dreamer.video.clip.formats import ENCODERS, Format

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Frame = NDArray[np.uint8]
"""(H, W, 3), sRGB."""

# x264's macroblock tree reads memory that nobody has written: with it, the same frames give other bytes now and then.
_OPTIONS = {
    "h264": {"preset": "medium", "x264-params": "mbtree=0"},
    "h265": {"preset": "medium", "x265-params": "log-level=error:pools=none:frame-threads=1", "tag": "hvc1"},
    "vp9": {"deadline": "good", "cpu-used": "2", "row-mt": "0", "b": "0"},
    "av1": {"preset": "6", "svtav1-params": "lp=1"},
}
_FINEST = 90_000  # ticks a second, about: MPEG's clock
BIT_EXACT = {"fflags": "+bitexact"}


def ticks_per_second(fps: Fraction) -> int:
    """The clock of a clip: fine, and a multiple of the frame rate, so that every frame's time is exact."""
    return fps.numerator * max(1, round(_FINEST / fps.numerator))


def decoding_times(shown: Sequence[int]) -> list[int]:
    """When packets are decoded, by the times at which they are shown, both in the order of decoding: the same times
    in their order, set back just so far that nothing is shown before it is decoded."""
    clock = sorted(shown)
    late = max(at - time for at, time in zip(clock, shown, strict=True))
    return [at - late for at in clock]


def encode_segment(frames: Iterable[tuple[int, Frame]], format: Format, size: tuple[int, int], fps: Fraction) -> bytes:
    """A closed mp4 of frames with their times in ticks from the segment's start; `size` is (height, width).

    A row or column that yuv420p has no room for is left out. Raises WriteError.
    """
    import av

    clock = Fraction(1, ticks_per_second(fps))
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp4", options=BIT_EXACT) as container:
            stream = _stream(container, format, size, fps)
            packets = []
            for ticks, values in frames:
                frame = _yuv(values)
                frame.pts, frame.time_base = ticks, clock
                packets += stream.encode(frame)
            packets += stream.encode(None)
            # x265 says anything of a single frame, and others disagree on very short segments.
            for packet, decoded in zip(packets, decoding_times([packet.pts or 0 for packet in packets]), strict=True):
                packet.dts = decoded
                container.mux(packet)
    except av.error.FFmpegError as error:
        raise WriteError(f"the frames could not be encoded as {format.codec}: {error.strerror}") from error
    return file.getvalue()


def check_encoder(format: Format, size: tuple[int, int], fps: Fraction) -> None:
    """Raise UsageError when the encoder takes no frames of this size (height, width)."""
    height, width = size
    if min(size) < 2:
        raise UsageError(f"{width}x{height} pixels are too few for a clip")
    try:
        encode_segment([(0, np.zeros((*size, 3), np.uint8))], format, size, fps)
    except WriteError as error:
        raise UsageError(
            f"frames of {width}x{height} pixels, {float(fps):.4g} a second, are not to be had as {format.codec}; "
            f"choose another size or codec ({error})"
        ) from error


def _stream(container: OutputContainer, format: Format, size: tuple[int, int], fps: Fraction) -> VideoStream:
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells of itself on stderr otherwise; 1 is errors only
    options = {"crf": str(format.crf), **_OPTIONS[format.codec]}
    stream: Any = container.add_stream(ENCODERS[format.codec], rate=fps, options=options)
    context = stream.codec_context
    stream.height, stream.width = (side - side % 2 for side in size)
    stream.pix_fmt = "yuv420p"
    stream.time_base = context.time_base = Fraction(1, ticks_per_second(fps))
    context.thread_count = 1
    # BT.709, limited range, said in full: what is not said is guessed, by each player differently.
    context.color_range = context.colorspace = context.color_primaries = context.color_trc = 1
    found: VideoStream = stream
    return found


def _yuv(values: Frame) -> VideoFrame:
    import av

    height, width = (side - side % 2 for side in values.shape[:2])
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values[:height, :width]), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
