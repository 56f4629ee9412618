"""Concatenate encoded segments by stream copy: nothing is encoded twice, and the same segments give the same bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import RenderError
from dreamer.video.clip.audio import add_sound
from dreamer.video.clip.encode import BIT_EXACT, decoding_times, ticks_per_second

if TYPE_CHECKING:
    from av.packet import Packet


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
    sound: Path | None,
    sound_begin: Fraction = Fraction(0),
) -> None:
    """Write the segments as one clip.

    Args:
        segments: In the order of showing, at least one.
        output: The file to write.
        suffix: ".mp4" or ".webm", which decides the container.
        fps: Frames per second.
        recipe: Text for the clip's comment.
        sound: A file with sound, which is cut to the clip's length.
        sound_begin: Where in the file it begins, in seconds.

    Raises:
        OSError: The clip cannot be written.
        RenderError: A segment is damaged.
    """
    import av

    options = BIT_EXACT | ({"movflags": "+faststart"} if suffix == ".mp4" else {})
    ticks = ticks_per_second(fps)
    try:
        with av.open(str(output), "w", format=suffix[1:], options=options) as container:
            container.metadata["comment"] = recipe
            with av.open(str(segments[0].path)) as first:
                stream: Any = container.add_stream_from_template(first.streams.video[0], opaque=True)
                if first.streams.video[0].metadata.get("alpha_mode") == "1":  # what Matroska says of transparency
                    stream.metadata["alpha_mode"] = "1"
            stream.time_base, stream.rate = Fraction(1, ticks), fps
            shown = [time for _, time in _packets(segments, ticks)]
            times = sorted(shown)
            ends = [*times[1:], times[-1] + round(ticks / fps)]
            durations = {time: end - time for time, end in zip(times, ends, strict=True)}

            def pictures() -> Iterator[Packet[Any]]:
                for (packet, time), clock in zip(_packets(segments, ticks), decoding_times(shown), strict=True):
                    packet.stream, packet.time_base = stream, Fraction(1, ticks)
                    packet.pts, packet.dts, packet.duration = time, clock, durations[time]
                    yield packet

            tracks = [pictures()]
            if sound:
                tracks.append(add_sound(sound, container, Fraction(ends[-1], ticks), sound_begin))
            for packet in heapq.merge(*tracks, key=_seconds):
                container.mux(packet)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise RenderError(f"the segments could not be put together into a clip: {error}") from error


def _packets(segments: Sequence[Segment], ticks: int) -> Iterator[tuple[Packet[Any], int]]:
    """Every packet in the order of decoding, with its time in ticks of the clip, `ticks` a second."""
    import av

    for segment in segments:
        try:
            with av.open(str(segment.path)) as container:
                found = [packet for packet in container.demux(video=0) if packet.size]
        except (av.error.FFmpegError, IndexError) as error:
            raise RenderError(f"{segment.path} is damaged ({error}); --force starts the clip again") from error
        if len(found) != segment.frames:
            raise RenderError(
                f"{segment.path} is damaged: it has {len(found)} of {segment.frames} frames; "
                "--force starts the clip again"
            )
        for packet in found:
            yield packet, segment.start + round((packet.pts or 0) * packet.time_base * ticks)


def _seconds(packet: Packet[Any]) -> Fraction:
    assert packet.dts is not None and packet.time_base is not None
    return packet.dts * packet.time_base
