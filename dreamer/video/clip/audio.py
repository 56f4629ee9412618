"""The sound track of a clip, cut to the clip's length: copied where the container allows it, else re-encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import UsageError
from dreamer.video.clip.clock import demuxed
from dreamer.video.clip.container import open_media

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_COPYABLE = {"mp4": ("aac", "mp3", "ac3", "eac3", "alac"), "webm": ("opus", "vorbis")}
"""Codecs that players expect in these containers; other sound is re-encoded with `_ENCODERS`."""
_ENCODERS = {"mp4": "aac", "webm": "libopus"}
_RATE, _BITS = 48_000, 192_000  # samples a second, bits a second


def check_sound(path: Path) -> None:
    """Raise UsageError when a file has no sound or cannot be read."""
    import av

    try:
        with open_media(path) as source:
            if not source.streams.audio:
                raise UsageError(f"{path}: the file has no sound; choose another file")
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path}: the sound cannot be read ({error.strerror})") from error


def add_sound(path: Path, container: OutputContainer, length: Fraction, begin: Fraction) -> Iterator[Packet[Any]]:
    """Add the first sound track of a file to the container at once, and return `length` seconds of its packets.

    They begin at `begin` seconds from a film's first picture, or from the beginning of the sound.
    """

    source = open_media(path)
    stream: Any
    if source.streams.audio[0].codec_context.codec.canonical_name in _COPYABLE[container.format.name]:
        stream, packets = container.add_stream_from_template(source.streams.audio[0]), _copy_packets
    else:
        stream, packets = container.add_stream(_ENCODERS[container.format.name], rate=_RATE), _encode_packets
        stream.bit_rate, stream.layout = _BITS, "stereo"
        stream.codec_context.thread_count = 1

    def closing_after() -> Iterator[Packet[Any]]:
        with source:
            yield from packets(source, stream, length, _first_picture_time(source) + begin)

    return closing_after()


def _first_picture_time(source: InputContainer) -> Fraction:
    """The time of the first picture in seconds; 0 where the file has no pictures except a cover."""
    import av

    for stream in source.streams.video:
        is_cover = bool(stream.disposition & av.stream.Disposition.attached_pic)
        if not is_cover and stream.start_time and stream.time_base:
            return stream.start_time * stream.time_base
    return Fraction(0)


def _copy_packets(source: InputContainer, stream: Any, length: Fraction, start: Fraction) -> Iterator[Packet[Any]]:
    """The packets unchanged except for their times, up to the last one that ends within `length` seconds."""
    first = source.streams.audio[0]
    assert first.time_base is not None
    offset = round(start / first.time_base)
    for packet in demuxed(source, first):
        if packet.pts is None or packet.dts is None or not packet.size:
            continue
        end = packet.pts + (packet.duration or 0) - offset
        if end * first.time_base > length:
            return
        if end > 0 or not offset:  # drop sound before a film's pictures, but keep an encoder's priming samples
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            packet.stream = stream
            yield packet


def _encode_packets(source: InputContainer, stream: Any, length: Fraction, start: Fraction) -> Iterator[Packet[Any]]:
    """The sound as stereo at 48 kHz, cut to the sample and re-encoded."""
    import av

    context = stream.codec_context
    context.open()
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_abuffer(template=source.streams.audio[0]),
        graph.add("asetpts", f"PTS-({start.numerator}/{start.denominator})/TB"),
        graph.add("aresample", f"{_RATE}:first_pts=0"),
        graph.add("atrim", f"end_sample={int(length * _RATE)}"),
        graph.add("aformat", f"sample_fmts={context.format.name}:channel_layouts=stereo"),
        graph.add("asetnsamples", f"n={context.frame_size}:p=0"),
        graph.add("abuffersink"),
    ).configure()
    with suppress(av.EOFError):  # raised once atrim has let through `length` seconds
        frames = chain.from_iterable(packet.decode() for packet in demuxed(source, source.streams.audio[0]))
        for frame in chain(frames, (None,)):
            graph.push(frame)
            with suppress(av.BlockingIOError):
                while True:
                    part: Any = graph.pull()
                    yield from stream.encode(part)
    yield from stream.encode(None)
