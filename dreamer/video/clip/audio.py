"""The sound of a clip, cut to the clip's length: copied where the container allows it, else encoded anew.

Strangers' sound is read as far as it can be: damaged packets are passed over, and the time they would have taken is
silence, so that what follows stays beside its pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import RenderError, UsageError
from dreamer.video.clip.container import open_media

if TYPE_CHECKING:
    from av.audio.fifo import AudioFifo
    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_COPYABLE = {"mp4": ("aac", "mp3", "ac3", "eac3", "alac"), "webm": ("opus", "vorbis")}
"""Codecs that players expect in these containers; other sound is re-encoded with `_ENCODERS`."""
_ENCODERS = {"mp4": "aac", "webm": "libopus"}
_RATE, _BITS = 48_000, 192_000  # samples a second, bits a second
_GAP = Fraction(1, 10)  # seconds; smaller ones come from clocks that are not exact
_TRIED = 2_000  # packets of a track that may be damaged before it counts as one that cannot be read
_BEYOND = 50  # packets after the clip's end at which reading ends; fewer have damaged times


@dataclass(frozen=True)
class Sound:
    """A track of sound that can be read: the file, the track's number among its tracks of sound, and how it is taken.

    With `copied` its packets are kept as they are, else it is encoded anew.
    """

    path: Path
    track: int
    copied: bool


def find_sound(path: Path, container: str) -> tuple[list[Sound], list[str]]:
    """The ways to take a file's sound into a container ("mp4" or "webm"), the best one first; and what is left out.

    The track is the first that can be decoded.

    Returns:
        The ways, of one track, and a sentence about each track before it that cannot be read.

    Raises:
        UsageError: The file has no sound, or none that can be read.
    """
    import av

    try:
        with open_media(path) as source:
            count = len(source.streams.audio)
        if not count:
            raise UsageError(f"{path}: the file has no sound; choose another file")
        passed_over: list[str] = []
        for track in range(count):
            with open_media(path) as source:
                why = _why_unreadable(source, track)
                if not why:
                    codec = source.streams.audio[track].codec_context.codec.canonical_name
                    new = Sound(path, track, False)
                    copied = [replace(new, copied=True)] if codec in _COPYABLE[container] else []
                    return [*copied, new], [f"{sentence}; it is left out" for sentence in passed_over]
            passed_over.append(f"{path}: sound track {track + 1} of {count} cannot be read ({why})")
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path}: the sound cannot be read ({error.strerror})") from error
    raise UsageError(*passed_over)


def _why_unreadable(source: InputContainer, track: int) -> str:
    """Why nothing of a track can be decoded; empty where something can."""
    if source.streams.audio[track].codec_context is None:
        return "this build of libav does not know its codec"
    frame = next(_decoded(source, track, islice(source.demux(audio=track), _TRIED), []), None)
    return "none of it can be decoded" if frame is None else ""


def add_sound(
    sound: Sound, container: OutputContainer, length: Fraction, say: Callable[[str], None]
) -> Iterator[Packet[Any]]:
    """Add a file's sound to the container at once, and return its packets up to `length` seconds.

    The time of a film's sound counts from its first picture. `say` is told how much was damaged. Raises RenderError,
    also while the packets are taken, when this sound cannot be taken in this way.
    """
    import av

    stream: Any
    try:
        source = open_media(sound.path)
        if sound.copied:
            stream = container.add_stream_from_template(source.streams.audio[sound.track])
        else:
            stream = container.add_stream(_ENCODERS[container.format.name], rate=_RATE)
            stream.bit_rate, stream.layout = _BITS, "stereo"
            stream.codec_context.thread_count = 1
            stream.codec_context.open()
    except (av.error.FFmpegError, OSError, ValueError, LookupError) as error:
        raise RenderError(f"{sound.path}: the sound cannot be read ({error})") from error

    def closing_after() -> Iterator[Packet[Any]]:
        taken = _copied if sound.copied else _encoded
        try:
            with source:
                yield from taken(source, sound, stream, length, say)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise RenderError(f"{sound.path}: the sound cannot be read ({error})") from error

    return closing_after()


def _first_picture_time(source: InputContainer) -> Fraction:
    """The time of the first picture in seconds; 0 where the file has no pictures except a cover."""
    import av

    for stream in source.streams.video:
        is_cover = bool(stream.disposition & av.stream.Disposition.attached_pic)
        if not is_cover and stream.start_time and stream.time_base:
            return stream.start_time * stream.time_base
    return Fraction(0)


def _copied(
    source: InputContainer, sound: Sound, stream: Any, length: Fraction, say: Callable[[str], None]
) -> Iterator[Packet[Any]]:
    """The packets unchanged except for their times, up to the last one that ends within `length` seconds."""
    first = source.streams.audio[sound.track]
    assert first.time_base is not None
    offset = round(_first_picture_time(source) / first.time_base)
    last, beyond = None, 0
    for packet in source.demux(first):
        if packet.pts is None or packet.dts is None or not packet.size:
            continue
        end = packet.pts + (packet.duration or 0) - offset
        if end * first.time_base > length:
            beyond += 1
            if beyond > _BEYOND:
                break
        elif end > 0 or not offset:  # drop sound before a film's pictures, but keep an encoder's priming samples
            if beyond or (last is not None and packet.dts <= last):
                raise ValueError("its times are damaged")
            last = packet.dts
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            packet.stream = stream
            yield packet
    if last is None:
        raise ValueError("there is none within the length of the clip")


def _encoded(
    source: InputContainer, sound: Sound, stream: Any, length: Fraction, say: Callable[[str], None]
) -> Iterator[Packet[Any]]:
    """The sound as stereo at 48 kHz, cut to the sample and encoded."""
    import av

    damage: list[Exception] = []
    fifo, done, samples = av.AudioFifo(), 0, int(length * _RATE)
    frames = _decoded(source, sound.track, source.demux(audio=sound.track), damage)
    begin, part = _first_picture_time(source), stream.codec_context.frame_size or 1024
    for frame in _in_time(frames, begin, length, stream.codec_context.format.name):
        fifo.write(frame)
        while fifo.samples >= part and done < samples:
            yield from _encode(stream, fifo, min(part, samples - done), done)
            done += part
    if done < samples and fifo.samples:
        yield from _encode(stream, fifo, min(fifo.samples, samples - done), done)
    elif not done:
        raise ValueError("none of it can be decoded")
    yield from stream.encode(None)
    if damage:
        say(f"{sound.path}: {len(damage)} damaged parts of the sound are silent now")


def _encode(stream: Any, fifo: AudioFifo, samples: int, time: int) -> list[Packet[Any]]:
    frame = fifo.read(samples)
    assert frame is not None
    frame.pts, frame.time_base = time, Fraction(1, _RATE)
    return stream.encode(frame)  # type: ignore[no-any-return]


def _decoded(
    source: InputContainer, track: int, packets: Iterator[Packet[Any]], damage: list[Exception]
) -> Iterator[AudioFrame]:
    """The frames of a track that can be decoded; what cannot is noted in `damage`."""
    import av

    stream = source.streams.audio[track]
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames: list[Any] = stream.decode(packet)
        except av.error.FFmpegError as error:
            damage.append(error)
            continue
        yield from (frame for frame in frames if frame.samples and frame.sample_rate and frame.layout.nb_channels)


def _in_time(frames: Iterator[AudioFrame], begin: Fraction, length: Fraction, format: str) -> Iterator[AudioFrame]:
    """Sound as stereo at 48 kHz in one piece from second 0 to `length`; where there is none it is silent.

    `begin` is the time in seconds that becomes 0. Sound that is timed before what was heard already follows it.
    """
    convert = _Converter(format)
    clock, beyond = Fraction(0), 0  # seconds so far; frames after the end
    for frame in frames:
        stated = frame.pts is not None and frame.time_base is not None
        time = frame.pts * frame.time_base - begin if stated else clock  # type: ignore[operator]
        lasts = Fraction(frame.samples, frame.sample_rate)
        if time >= length:
            beyond += 1
        elif time + lasts > 0:
            if not clock and time < 0:
                convert.left_out = round(-time * _RATE)
            if time - clock > (_GAP if clock else 0):
                yield from convert.silence(round(time * _RATE))
                clock = time
            yield from convert.frame(frame)
            clock += lasts + (0 if clock else min(time, 0))
        if clock >= length or beyond > _BEYOND:
            break
    yield from convert.rest()


class _Converter:
    """Makes stereo at 48 kHz of sound whose kind may change."""

    def __init__(self, format: str) -> None:
        self._format = format
        self._made = 0  # samples so far
        self.left_out = 0  # samples that are dropped first
        self._kind: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def frame(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """What a frame becomes."""
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self.rest()
            self._resampler, self._kind = av.AudioResampler(self._format, "stereo", _RATE), kind
        yield from self._counted(self._resampler.resample(frame))

    def silence(self, until: int) -> Iterator[AudioFrame]:
        """Silence up to a number of samples from the beginning."""
        import av

        yield from self.rest()
        while self._made < until:
            silent = av.AudioFrame(self._format, "stereo", min(_RATE, until - self._made))
            silent.sample_rate = _RATE
            for plane in silent.planes:
                plane.update(bytes(plane.buffer_size))
            yield from self._counted([silent])

    def rest(self) -> Iterator[AudioFrame]:
        """What is still to come of the frames so far."""
        rest = self._resampler.resample(None) if self._resampler else []
        self._resampler = self._kind = None
        yield from self._counted(rest)

    def _counted(self, frames: list[AudioFrame | None]) -> Iterator[AudioFrame]:
        import av

        for frame in filter(None, frames):  # a resampler without anything to do gives None back
            dropped = min(self.left_out, frame.samples)
            self.left_out -= dropped
            if dropped:
                planes = frame.to_ndarray()
                planes = planes[:, dropped * planes.shape[1] // frame.samples :]
                frame = av.AudioFrame.from_ndarray(planes.copy(), frame.format.name, "stereo")
                frame.sample_rate = _RATE
            frame.pts = None
            self._made += frame.samples
            if frame.samples:
                yield frame
