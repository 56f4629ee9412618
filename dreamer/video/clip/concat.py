"""Closed segments become one clip by stream copy: nothing is encoded twice, the same segments give the same bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import RenderError
from dreamer.video.clip.audio import Sound
from dreamer.video.clip.encode import BIT_EXACT, decoding_times, ticks_per_second

if TYPE_CHECKING:
    from av.packet import Packet

_MUXERS = {".mp4": "mp4", ".webm": "webm"}


@dataclass(frozen=True)
class Segment:
    """A closed mp4 of `frames` frames, the first of them at `start` ticks of the clip."""

    path: Path
    start: int
    frames: int


def join(
    segments: Sequence[Segment], output: Path, suffix: str, fps: Fraction, recipe: str, sound: Sound | None
) -> None:
    """Write the clip at `output`, with the recipe as its comment, and the sound cut to its length.

    Raises OSError when it cannot be written, RenderError when a segment is damaged.
    """
    import av

    try:
        _join(segments, output, _MUXERS[suffix], fps, recipe, sound)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise RenderError(f"the clip could not be put together: {error}") from error


def _join(
    segments: Sequence[Segment], output: Path, muxer: str, fps: Fraction, recipe: str, sound: Sound | None
) -> None:
    import av

    options = BIT_EXACT | ({"movflags": "+faststart"} if muxer == "mp4" else {})
    with av.open(str(output), "w", format=muxer, options=options) as container:
        container.metadata["comment"] = recipe
        with av.open(str(segments[0].path)) as first:
            stream: Any = container.add_stream_from_template(first.streams.video[0], opaque=True)
        stream.time_base, stream.rate = Fraction(1, ticks_per_second(fps)), fps
        shown = [time for _, time in _packets(segments)]
        decoded = decoding_times(shown)
        times = sorted(shown)
        ends = [*times[1:], times[-1] + round(ticks_per_second(fps) / fps)]
        lasting = {time: end - time for time, end in zip(times, ends, strict=True)}

        def pictures() -> Iterator[Packet[Any]]:
            for (packet, time), clock in zip(_packets(segments), decoded, strict=True):
                packet.stream = stream
                packet.pts, packet.dts, packet.duration = time, clock, lasting[time]
                yield packet

        tracks: list[Iterable[Packet[Any]]] = [pictures()]
        if sound is not None:
            tracks.append(sound.packets(container, Fraction(ends[-1], ticks_per_second(fps))))
        for packet in heapq.merge(*tracks, key=_seconds):
            container.mux(packet)


def _packets(segments: Sequence[Segment]) -> Iterator[tuple[Packet[Any], int]]:
    """Every packet, in the order of decoding, with its time in the clip."""
    import av

    for segment in segments:
        try:
            with av.open(str(segment.path)) as container:
                found = [packet for packet in container.demux(video=0) if packet.size]
        except (av.error.FFmpegError, IndexError) as error:
            raise RenderError(f"{segment.path} is damaged ({error})") from error
        if len(found) != segment.frames:
            raise RenderError(f"{segment.path} is damaged: it has {len(found)} frames of {segment.frames}")
        for packet in found:
            yield packet, segment.start + (packet.pts or 0)


def _seconds(packet: Packet[Any]) -> Fraction:
    assert packet.dts is not None and packet.time_base is not None
    return packet.dts * packet.time_base
