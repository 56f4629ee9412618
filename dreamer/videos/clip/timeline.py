"""Sound laid out in time: whatever kind and times its frames have, one piece of stereo at 48 kHz comes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

RATE = 48_000  # samples a second
BEYOND = 50  # frames or packets after a clip's end at which reading ends; fewer have damaged times
_GAP = Fraction(1, 10)  # seconds; smaller gaps come from clocks that are not exact


class Timeline:
    """Lays sound out from second 0 to `length`; where there is none it is silent.

    `format` is libav's name of the samples' format; `begin` is the time in seconds that becomes 0. Sound that is timed
    before what was heard already follows it. `heard` says whether there was any sound.
    """

    def __init__(self, format: str, begin: Fraction, length: Fraction) -> None:
        self._format, self._begin, self._length = format, begin, length
        self.heard = False
        self._made = 0  # samples so far
        self._dropped = 0  # samples that are still to be left out, from before second 0
        self._kind: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def of(self, frames: Iterator[AudioFrame], damage: Sized) -> Iterator[AudioFrame]:
        """The sound of frames; reading ends soon after the timeline does. `damage` grows where frames are missing."""
        clock, beyond, lost = Fraction(0), 0, 0  # seconds so far; frames after the end; damage so far
        for frame in frames:
            time = clock
            if frame.pts is not None and frame.time_base is not None:
                time = frame.pts * frame.time_base - self._begin
            end = time + Fraction(frame.samples, frame.sample_rate)
            if time >= self._length:
                beyond += 1
            elif end > 0:
                if time - clock > (_GAP if self.heard and len(damage) == lost else 0):
                    yield from self._silence(round(time * RATE))
                    clock = time
                elif not self.heard:
                    self._dropped = round(-time * RATE)
                    clock = time
                self.heard, lost = True, len(damage)
                yield from self._converted(frame)
                clock += end - time
            if clock >= self._length or beyond > BEYOND:
                break
        yield from self._rest()
        if not self.heard:
            yield from self._silence(round(self._length * RATE))

    def _converted(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            yield from self._rest()
            self._resampler, self._kind = av.AudioResampler(self._format, "stereo", RATE), kind
        yield from self._counted(self._resampler.resample(frame))

    def _rest(self) -> Iterator[AudioFrame]:
        """Yield the frames that the resampler still holds back."""
        rest = self._resampler.resample(None) if self._resampler else []
        self._resampler = self._kind = None
        yield from self._counted(rest)

    def _silence(self, until: int) -> Iterator[AudioFrame]:
        """Silence up to a number of samples from second 0, a second at a time."""
        import av

        yield from self._rest()
        while self._made < until:
            silent = av.AudioFrame(self._format, "stereo", min(RATE, until - self._made))
            silent.sample_rate = RATE
            for plane in silent.planes:
                plane.update(bytes(plane.buffer_size))
            yield from self._counted([silent])

    def _counted(self, frames: list[AudioFrame | None]) -> Iterator[AudioFrame]:
        """The frames without the samples that are left out."""
        import av

        for frame in filter(None, frames):  # a resampler that has nothing to do gives None back
            dropped = min(self._dropped, frame.samples)
            if dropped:
                planes = frame.to_ndarray()
                planes = planes[:, dropped * planes.shape[1] // frame.samples :].copy()
                frame = av.AudioFrame.from_ndarray(planes, frame.format.name, "stereo")
                frame.sample_rate = RATE
            frame.pts = None
            self._dropped -= dropped
            self._made += frame.samples
            if frame.samples:
                yield frame
