"""The sound of a clip: copied as it is where the container takes it, else encoded anew, and cut to the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import UsageError

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_TAKES = {
    "mp4": ("aac", "mp3", "ac3", "eac3", "alac"),
    "webm": ("opus", "vorbis"),
}
"""What players expect to hear in these containers; anything else is encoded as below."""
_ENCODERS = {"mp4": "aac", "webm": "libopus"}
_RATE, _BITS = 48_000, 192_000  # samples a second, bits a second


@dataclass(frozen=True)
class Sound:
    """The first sound track of a file; of a film, its time counts from the first picture."""

    path: Path

    @classmethod
    def of(cls, path: Path) -> Sound:
        """Raises UsageError when there is no sound in the file."""
        import av

        try:
            with av.open(str(path)) as source:
                if not source.streams.audio:
                    raise UsageError(f"{path}: there is no sound in it")
        except (av.error.FFmpegError, OSError) as error:
            raise UsageError(f"{path}: the sound cannot be read ({error.strerror})") from error
        return cls(path)

    def packets(self, container: OutputContainer, length: Fraction) -> Iterator[Packet[Any]]:
        """A track in the container, made at once, and its packets up to `length` seconds."""
        import av

        source = av.open(str(self.path))
        codec = source.streams.audio[0].codec_context.codec.canonical_name
        copied = codec in _TAKES[container.format.name]
        stream: Any
        if copied:
            stream = container.add_stream_from_template(source.streams.audio[0])
            return self._closing(source, _copied(source, stream, length, _start(source)))
        stream = container.add_stream(_ENCODERS[container.format.name], rate=_RATE)
        stream.bit_rate, stream.layout = _BITS, "stereo"
        stream.codec_context.thread_count = 1
        return self._closing(source, _encoded(source, stream, length, _start(source)))

    @staticmethod
    def _closing(source: InputContainer, packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
        with source:
            yield from packets


def _start(source: InputContainer) -> Fraction:
    """When the pictures begin, in seconds; 0 where there are none but a cover."""
    import av

    for stream in source.streams.video:
        is_cover = bool(stream.disposition & av.stream.Disposition.attached_pic)
        if not is_cover and stream.start_time and stream.time_base:
            return stream.start_time * stream.time_base
    return Fraction(0)


def _copied(source: InputContainer, stream: Any, length: Fraction, start: Fraction) -> Iterator[Packet[Any]]:
    """The packets as they are, as long as they end with the pictures or before."""
    first = source.streams.audio[0]
    assert first.time_base is not None
    back = round(start / first.time_base)
    for packet in source.demux(first):
        if packet.pts is None or packet.dts is None or not packet.size:
            continue
        end = packet.pts + (packet.duration or 0) - back
        if end * first.time_base > length:
            return
        if end > 0 or not back:  # a film's sound may begin before its pictures; an encoder's run-in is no such thing
            packet.pts, packet.dts = packet.pts - back, packet.dts - back
            packet.stream = stream
            yield packet


def _encoded(source: InputContainer, stream: Any, length: Fraction, start: Fraction) -> Iterator[Packet[Any]]:
    """The sound decoded, in stereo at 48 kHz, cut to the sample, and encoded."""
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
    with suppress(av.EOFError):  # all that is wanted has come out
        for frame in chain(source.decode(audio=0), (None,)):
            graph.push(frame)
            with suppress(av.BlockingIOError):
                while True:
                    part: Any = graph.pull()
                    yield from stream.encode(part)
    yield from stream.encode(None)
