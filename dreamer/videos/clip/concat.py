"""Concatenate encoded segments by stream copy: nothing is encoded twice, and the same segments give the same bytes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import RenderError, UsageError
from dreamer.videos.clip.audio import Sound, add_sound
from dreamer.videos.clip.container import address, open_media
from dreamer.videos.clip.encode import BIT_EXACT, decoding_times, ticks_per_second
from dreamer.videos.clip.formats import ENCODERS, Format

if TYPE_CHECKING:
    from av.packet import Packet

_AGAIN = "--force starts the clip again"


@dataclass(frozen=True)
class Segment:
    """An mp4 file of `frames` frames that can be decoded alone; its first frame is at `start` ticks of the clip."""

    path: Path
    start: int
    frames: int


def concatenate(
    segments: Sequence[Segment],
    output: Path,
    suffix: str,
    fps: Fraction,
    recipe: str,
    sound: Sound | None = None,
    notify: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Write the segments as one clip.

    Args:
        segments: In the order of showing, at least one.
        output: The file to write.
        suffix: ".mp4" or ".webm", which decides the container.
        fps: Frames per second.
        recipe: Text for the clip's comment.
        sound: Sound, which is cut to the clip's length.
        notify: Called with a sentence about sound that is damaged.

    Raises:
        OSError: The clip cannot be written.
        RenderError: A segment is damaged, or the sound cannot be taken in this way.
    """
    import av

    options = BIT_EXACT | ({"movflags": "+faststart"} if suffix == ".mp4" else {})
    ticks = ticks_per_second(fps)
    try:
        with av.open(address(output), "w", format=suffix[1:], options=options) as container:
            container.metadata["comment"] = recipe
            shown = [time for _, time in _packets(segments, ticks)]
            with open_media(segments[0].path) as first:
                stream: Any = container.add_stream_from_template(first.streams.video[0], opaque=True)
                if first.streams.video[0].metadata.get("alpha_mode") == "1":  # what Matroska says of transparency
                    stream.metadata["alpha_mode"] = "1"
            stream.time_base, stream.rate = Fraction(1, ticks), fps
            times = sorted(shown)
            ends = [*times[1:], times[-1] + round(ticks / fps)]
            durations = {time: end - time for time, end in zip(times, ends, strict=True)}

            def pictures() -> Iterator[Packet[Any]]:
                for (packet, time), clock in zip(_packets(segments, ticks), decoding_times(shown), strict=True):
                    packet.stream, packet.time_base = stream, Fraction(1, ticks)
                    packet.pts, packet.dts, packet.duration = time, clock, durations[time]
                    yield packet

            length = Fraction(ends[-1], ticks)
            tracks = [pictures(), *([add_sound(sound, container, length, notify)] if sound else [])]
            for packet in heapq.merge(*tracks, key=_seconds):
                container.mux(packet)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        if isinstance(error, OSError):
            raise
        raise RenderError(f"the segments could not be put together into a clip: {error}") from error


def check_segments(segments: Sequence[Segment], format: Format, size: tuple[int, int], fps: Fraction) -> int:
    """Return the time of the last frame in ticks; -1 without segments.

    Raises UsageError for a segment that is no clip of this format and size (height, width), or out of order.
    """
    import av

    codec = av.Codec(ENCODERS[format.codec], "w").canonical_name
    last = -1
    for segment in segments:
        try:
            kind = (codec, size[0] - size[0] % 2, size[1] - size[1] % 2)
            found = _packets([segment], ticks_per_second(fps), kind)
            times = sorted(time for _, time in found)
        except RenderError as error:
            raise UsageError(str(error)) from error
        if not all(before < after for before, after in pairwise([last, *times])):
            raise UsageError(f"{segment.path} is damaged: its frames do not follow those before; {_AGAIN}")
        last = times[-1]
    return last


def _packets(
    segments: Sequence[Segment], ticks: int, kind: tuple[str, int, int] | None = None
) -> Iterator[tuple[Packet[Any], int]]:
    """Every packet in the order of decoding, with its time in ticks of the clip, `ticks` a second.

    `kind` is the codec, height and width that each segment must have.
    """
    import av

    for segment in segments:
        try:
            with open_media(segment.path) as container:
                context = container.streams.video[0].codec_context
                packets = (p for p in container.demux(video=0) if p.size and p.pts is not None)
                found = [*islice(packets, segment.frames + 1)]
                same = not kind or kind == (context.codec.canonical_name, context.height, context.width)
        except (av.error.FFmpegError, OSError, LookupError, AttributeError) as error:
            raise RenderError(f"{segment.path} is damaged ({error}); {_AGAIN}") from error
        if len(found) != segment.frames or not same:
            what = f"it has {len(found)} of {segment.frames} frames" if same else "it is another clip's"
            raise RenderError(f"{segment.path} is damaged: {what}; {_AGAIN}")
        for packet in found:
            assert packet.pts is not None and packet.time_base is not None
            yield packet, segment.start + round(packet.pts * packet.time_base * ticks)


def _seconds(packet: Packet[Any]) -> Fraction:
    assert packet.dts is not None and packet.time_base is not None
    return packet.dts * packet.time_base
