"""The sound of a clip, cut to the clip's length: copied where the container allows it, else re-encoded.

Strangers' sound is read as far as it can be: damaged packets are passed over, and the time they would have taken is
silence, so that what follows stays beside its pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import RenderError, UsageError, many
from dreamer.videos.clip.clock import demuxed
from dreamer.videos.clip.container import open_media
from dreamer.videos.clip.timeline import BEYOND, RATE, Timeline

if TYPE_CHECKING:
    from av.audio.fifo import AudioFifo
    from av.audio.frame import AudioFrame
    from av.container import InputContainer, OutputContainer
    from av.error import FFmpegError
    from av.packet import Packet

_COPYABLE = {"mp4": ("aac", "mp3", "ac3", "eac3", "alac"), "webm": ("opus", "vorbis")}
"""Codecs that players expect in these containers; other sound is re-encoded with `_ENCODERS`."""
_ENCODERS = {"mp4": "aac", "webm": "libopus"}
_BITS = 192_000  # a second
_TRIED = 2_000  # packets of a track that may be damaged before it counts as one that cannot be read


@dataclass(frozen=True)
class Sound:
    """A track of sound that can be read, and how it is taken.

    `track` is its number among the file's tracks of sound. The clip's sound begins at `begin` seconds from a film's
    first picture, or from the beginning of the sound. With `copied` packets are kept as they are, else re-encoded.
    """

    path: Path
    track: int
    begin: Fraction
    copied: bool


def find_sound(path: Path, begin: Fraction, container: str) -> tuple[list[Sound], list[str]]:
    """The ways to take a file's sound into a container ("mp4" or "webm"), the best one first; and what is left out.

    The track is the first that can be decoded; see `Sound` for `begin`.

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
                    new = Sound(path, track, begin, False)
                    copied = [replace(new, copied=True)] if codec in _COPYABLE[container] else []
                    return [*copied, new], [f"{sentence}; it is left out" for sentence in passed_over]
            passed_over.append(f"{path}: sound track {track + 1} of {count} cannot be read ({why})")
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path}: the sound cannot be read ({error.strerror})") from error
    raise UsageError(*passed_over)


def _why_unreadable(source: InputContainer, track: int) -> str:
    """The reason why nothing of a track can be decoded; empty where something can."""
    if source.streams.audio[track].codec_context is None:
        return "this build of libav does not know its codec"
    damage: list[FFmpegError] = []
    for _, frames in _decoded(source, track, damage):
        if frames:
            return ""
        if len(damage) > _TRIED:
            break
    return str(damage[0].strerror) if damage else "it is empty"


def sound_in(path: Path, length: Fraction) -> Iterator[AudioFrame]:
    """A file's sound as stereo floats at 48 kHz, in planes; from a film's first picture on, or from its own beginning.

    What is damaged is silent, and nothing is read after `length` seconds. Raises UsageError for a file without sound,
    or with none that can be read, also while the frames are taken.
    """
    import av

    (sound, *_), _ = find_sound(path, Fraction(0), "mp4")
    damage: list[FFmpegError] = []
    try:
        with open_media(path) as source:
            frames = chain.from_iterable(frames for _, frames in _decoded(source, sound.track, damage))
            yield from Timeline("fltp", _first_picture_time(source), length).of(frames, damage)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UsageError(f"{path}: the sound cannot be read ({getattr(error, 'strerror', None) or error})") from error


def add_sound(
    sound: Sound, container: OutputContainer, length: Fraction, notify: Callable[[str], None]
) -> Iterator[Packet[Any]]:
    """Add sound to the container at once, and return `length` seconds of its packets.

    `notify` is told how much was damaged. Raises RenderError with the reason, also while the packets are taken, when
    the sound cannot be taken in this way.
    """
    import av

    stream: Any
    try:
        source = open_media(sound.path)
        if sound.copied:
            stream = container.add_stream_from_template(source.streams.audio[sound.track])
        else:
            stream = container.add_stream(_ENCODERS[container.format.name], rate=RATE)
            stream.bit_rate, stream.layout = _BITS, "stereo"
            stream.codec_context.thread_count = 1
            stream.codec_context.open()
    except (av.error.FFmpegError, OSError, ValueError, LookupError) as error:
        raise RenderError(getattr(error, "strerror", None) or str(error)) from error

    def closing_after() -> Iterator[Packet[Any]]:
        taken = _copied if sound.copied else _encoded
        try:
            with source:
                yield from taken(source, sound, stream, length, notify)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise RenderError(getattr(error, "strerror", None) or str(error)) from error

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
    source: InputContainer, sound: Sound, stream: Any, length: Fraction, notify: Callable[[str], None]
) -> Iterator[Packet[Any]]:
    """The packets unchanged except for their times, up to the last one that ends within `length` seconds."""
    first = source.streams.audio[sound.track]
    assert first.time_base is not None
    offset = round((_first_picture_time(source) + sound.begin) / first.time_base)
    last, beyond = None, 0
    damage: list[FFmpegError] = []
    for packet, _ in _decoded(source, sound.track, damage):
        if packet.pts is None or packet.dts is None or not packet.size:
            continue
        end = packet.pts + (packet.duration or 0) - offset
        if end * first.time_base > length:
            beyond += 1
            if beyond > BEYOND:
                break
        elif end > 0 or not offset:  # drop sound before a film's pictures, but keep an encoder's priming samples
            if beyond or (last is not None and packet.dts <= last):
                raise ValueError("its times are damaged")
            last = packet.dts
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            packet.stream = stream
            yield packet
    _tell(sound, damage, last is not None, notify)


def _encoded(
    source: InputContainer, sound: Sound, stream: Any, length: Fraction, notify: Callable[[str], None]
) -> Iterator[Packet[Any]]:
    """The sound as stereo at 48 kHz, cut to the sample and encoded."""
    import av

    damage: list[FFmpegError] = []
    frames = chain.from_iterable(frames for _, frames in _decoded(source, sound.track, damage))
    timeline = Timeline(stream.codec_context.format.name, _first_picture_time(source) + sound.begin, length)
    fifo, part = av.AudioFifo(), stream.codec_context.frame_size or 1024
    done, samples = 0, int(length * RATE)
    for frame in timeline.of(frames, damage):
        fifo.write(frame)
        while fifo.samples >= part and done < samples:
            yield from _encode(stream, fifo, min(part, samples - done), done)
            done += part
    if done < samples and fifo.samples:
        yield from _encode(stream, fifo, min(fifo.samples, samples - done), done)
    yield from stream.encode(None)
    _tell(sound, damage, timeline.heard, notify)


def _tell(sound: Sound, damage: Sequence[FFmpegError], heard: bool, notify: Callable[[str], None]) -> None:
    if damage:
        parts = many(len(damage), "part")
        notify(f"{sound.path}: {parts} of the sound cannot be decoded ({damage[0].strerror}) and will be silent")
    if not heard:
        notify(f"{sound.path}: there is no sound within the length of the clip")


def _encode(stream: Any, fifo: AudioFifo, samples: int, time: int) -> list[Packet[Any]]:
    frame = fifo.read(samples)
    assert frame is not None
    frame.pts, frame.time_base = time, Fraction(1, RATE)
    return stream.encode(frame)  # type: ignore[no-any-return]


def _decoded(
    source: InputContainer, track: int, damage: list[FFmpegError]
) -> Iterator[tuple[Packet[Any], list[AudioFrame]]]:
    """The packets of a track that can be decoded, each with its frames; what cannot is noted in `damage`."""
    import av

    stream = source.streams.audio[track]
    packets = demuxed(source, stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames: list[Any] = stream.decode(packet)
        except av.error.FFmpegError as error:
            damage.append(error)
        else:
            yield packet, [each for each in frames if each.samples and each.sample_rate and each.layout.nb_channels]
