"""The pictures of a clip's file, decoded by libav: upright, with square pixels and times that go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError
from dreamer.videos.clip import colour
from dreamer.videos.clip.clock import Clock
from dreamer.videos.clip.container import open_media
from dreamer.videos.clip.deinterlace import deinterlaced
from dreamer.videos.clip.orientation import Orientation
from dreamer.videos.clip.source import Frames, Source, check_size

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MAX_PIXEL_ASPECT = 10  # a pixel more oblong than this is taken for damage
RATES = (Fraction(1, 3600), Fraction(1000))  # frames a second; a stated rate beyond is taken for damage
USUAL_RATE = Fraction(25)
_EARLIER = (1, 10)
"""Seconds before a place at which its keyframe is sought; some containers come out behind what is asked for."""
_INTERLACED = (2, 3, 4, 5)  # libav's field orders of two fields
_DOLBY = ("dvh1", "dvhe", "dav1")  # tags of clips that only Dolby Vision shows
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders of the transparency that WebM keeps beside a frame, which libav's own decoders leave out."""


@dataclass(frozen=True)
class _Track:
    """Facts about a file's pictures, known once its first frame is decoded.

    `stored` is the (height, width) of its frames before they are turned, with square pixels. If frames are `numbered`,
    their times follow from their order, since they do not state them themselves, or wrongly. Decoding may begin at a
    keyframe in the middle if the clip is `seekable`: where each frame states its time, and none depends on one before.
    """

    path: Path
    max_pixels: int
    stored: tuple[int, int]
    orientation: Orientation
    interlaced: bool
    rate: Fraction
    base: Fraction
    ticks: NDArray[np.int64]
    numbered: bool
    seekable: bool

    def frames(self, begin: Fraction) -> Frames:
        """Every frame from a time on that can be decoded, upright, with its time; times always increase."""
        for early in _EARLIER:
            found = self._read(begin, begin - early) if self.seekable and begin > early else iter(())
            if (first := next(found, None)) is not None:
                yield first
                yield from found
                return
        yield from self._read(begin)

    def _read(self, begin: Fraction, keyframe: Fraction | None = None) -> Frames:
        """The frames; none if decoding is to begin at a `keyframe` before a time, and begins behind `begin`."""
        with opened(self.path, self.max_pixels) as container:
            stream = pictures_of(self.path, container)
            if keyframe is not None and not _sought(container, stream, int(self.ticks[0]) + int(keyframe / self.base)):
                return
            pictures = _decoded(container, stream, self.max_pixels)
            last: Fraction | None = None
            for number, picture in enumerate(deinterlaced(pictures) if self.interlaced else pictures):
                time = self._time(number, picture)
                if keyframe is not None and last is None and (time is None or time > begin):
                    return
                if time is None:
                    time = Fraction(0) if last is None else last + 1 / self.rate
                if last is not None and time <= last:
                    continue
                last = time
                if time >= begin:
                    yield time, self.orientation.applied(colour.rgb(picture, self.stored))

    def _time(self, number: int, frame: VideoFrame) -> Fraction | None:
        """The time of a frame in seconds from the first, if it is known."""
        start = int(self.ticks[0]) * self.base
        if self.numbered:
            return int(self.ticks[number]) * self.base - start if number < len(self.ticks) else None
        return None if frame.pts is None else frame.pts * (frame.time_base or self.base) - start


def read_track(path: Path, max_pixels: int) -> Source:
    """Read a file's properties; of its frames only the first is decoded.

    Raises UsageError for a file that is not a clip, and for frames larger than `max_pixels`.
    """
    with opened(path, max_pixels) as container:
        stream = pictures_of(path, container)
        check_size(str(path), (stream.height, stream.width), max_pixels)
        first = next(_decoded(container, stream, max_pixels), None)
        if first is None:
            raise UsageError(f"{path}: none of its frames can be decoded; choose another clip")
        orientation, stored = Orientation.of(first), _square(first, stream)
        size = stored[::-1] if orientation.sideways else stored
        check_size(str(path), size, max_pixels)
        interlaced = first.interlaced_frame or stream.codec_context.field_order in _INTERLACED
        notices = [*colour.notices(first), *_notices(stream, first, orientation)]
        _check_readable(path, first, stored)
        rate, has_audio = _rate(stream), bool(container.streams.audio)
    if interlaced:
        notices.append("it is interlaced; its frames were deinterlaced")
    with opened(path, max_pixels) as container:
        stream = pictures_of(path, container)
        base = _base(stream)
        ticks, numbered, jumps, told = _times(container, stream, rate or USUAL_RATE)
    seekable = not (numbered or jumps or interlaced)
    track = _Track(
        path, max_pixels, stored, orientation, interlaced, rate or USUAL_RATE, base, ticks, numbered, seekable
    )
    return Source(
        size,
        ticks,
        base,
        track.frames,
        rate=rate,
        may_be_transparent=colour.has_alpha(first),
        has_audio=has_audio,
        turns=orientation.turns,
        notices=tuple(f"{path.name}: {notice}" for notice in (*notices, *told)),
    )


def opened(path: Path, max_pixels: int) -> InputContainer:
    """Open a clip's file; raises UsageError where that fails."""
    import av

    try:
        return open_media(path, {"max_pixels": str(max_pixels)})
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path}: not a readable clip ({error.strerror}); choose another file") from error


def pictures_of(path: Path, container: InputContainer) -> VideoStream:
    """The stream of pictures that is no cover; raises UsageError where none can be decoded."""
    import av

    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise UsageError(f"{path}: the file has no video; choose another file")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise UsageError(f"{path}: its pictures are in a codec that libav does not know; convert it to H.264 first")
    return known[0]


def _check_readable(path: Path, frame: VideoFrame, size: tuple[int, int]) -> None:
    import av

    try:
        colour.rgb(frame, size)
    except (av.error.FFmpegError, ValueError) as error:
        what = frame.format.name
        raise UsageError(f"{path}: its frames ({what}) cannot be read ({error}); convert it to H.264 first") from error


def _notices(stream: VideoStream, frame: VideoFrame, orientation: Orientation) -> list[str]:
    """Notices about a clip, but not its colours, a sentence each."""
    found = []
    if stream.codec_context.codec_tag in _DOLBY and frame.color_trc == colour.UNKNOWN:
        found.append("its colours are those of Dolby Vision (profile 5) and come out wrong; convert it to HDR10 first")
    if "SPHERICAL" in frame.side_data:  # PyAV cannot write it
        found.append(
            "it is a 360-degree clip, and its frames are dreamt like flat ones: there is a seam, and players have to "
            "be told that the dream is one, as by a spatial media metadata injector"
        )
    if not orientation.exact:
        found.append("it is turned by an odd angle, which was rounded to a quarter of a circle")
    return found


def _rate(stream: VideoStream) -> Fraction | None:
    """The stated frames per second, where that makes sense."""
    stated = stream.average_rate or stream.guessed_rate
    return stated if stated and RATES[0] <= stated <= RATES[1] else None


def _base(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _sought(container: InputContainer, stream: VideoStream, ticks: int) -> bool:
    """Go to the last keyframe before a time; False where the file cannot."""
    import av

    try:
        container.seek(ticks, stream=stream)
    except (av.error.FFmpegError, OSError, OverflowError):
        return False
    return True


def _times(
    container: InputContainer, stream: VideoStream, rate: Fraction
) -> tuple[NDArray[np.int64], bool, int, list[str]]:
    """The times of the frames that are shown, in ticks, in order.

    Besides, whether they have to be counted, since frames do not state their own; the number of places where the clock
    jumps; and what there is to be told.
    """
    clock = Clock(_base(stream), rate)
    shown: list[tuple[int | None, int | None]] = []
    damage: list[str] = []
    for packet in _packets(container, stream, clock, damage):
        if packet.size and not packet.is_discard:
            shown.append((packet.pts, packet.dts))
    numbered = container.format.name == "avi" or any(pts is None for pts, _ in shown)  # AVI has the times of decoding
    times = [dts if numbered else pts for pts, dts in shown]
    if None in times or not times:
        step = max(1, round(1 / (rate * _base(stream))))
        times = [number * step for number in range(max(1, len(shown)))]
    told = [f"it is damaged ({damage[0]}); the frames after that are left out"] if damage else []
    if clock.jumps:
        places = "one place" if clock.jumps == 1 else f"{clock.jumps} places"
        told.append(f"its clock jumps at {places}; time goes on there from where it was")
    return np.sort(np.array(times, np.int64)), numbered, clock.jumps, told


def _packets(
    container: InputContainer, stream: VideoStream, clock: Clock, damage: list[str]
) -> Iterator[Packet[VideoStream]]:
    """The packets of a stream with times that go on; an error of the file ends them and is added to `damage`."""
    import av

    try:
        yield from clock.continuous(container.demux(stream))
    except av.error.FFmpegError as error:
        damage.append(error.strerror or str(error))


def _decoded(container: InputContainer, stream: VideoStream, max_pixels: int) -> Iterator[VideoFrame]:
    """The frames that can be decoded, in the order of showing."""
    import av

    decoder: Any = stream.codec_context
    name = _WITH_ALPHA.get(decoder.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if tags.get("alpha_mode") == "1" and name in av.codecs_available:
        decoder = av.CodecContext.create(name, "r")
        decoder.extradata = stream.codec_context.extradata
    decoder.thread_type = "AUTO"
    decoder.options = {"max_pixels": str(max_pixels)}
    clock = Clock(_base(stream), _rate(stream) or USUAL_RATE)
    for packet in _packets(container, stream, clock, []):
        try:
            yield from decoder.decode(packet)
        except av.error.FFmpegError:  # as players do
            continue


def _square(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """The (height, width) of a stored frame with square pixels; an absurd pixel shape is ignored as damage."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _MAX_PIXEL_ASPECT <= aspect <= _MAX_PIXEL_ASPECT:
        aspect = Fraction(1)
    return frame.height, max(1, round(frame.width * aspect))
