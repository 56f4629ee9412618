"""A clip whose segments are made by the processes of --jobs and --on, and put together without being encoded again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dreamer.cli.clip import INTERRUPTED
from dreamer.cli.hands import failure
from dreamer.cli.progress import Frame, Reporter
from dreamer.errors import RenderError, many
from dreamer.units.results import note, noted
from dreamer.units.unit import Order, Unit
from dreamer.units.working import Hire, work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamer.videos.clip.concat import Segment
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.writer import ClipWriter

MOST_FRAMES = 60
"""Largest number of frames in a unit whose frames are independent: a few seconds' work, so that little can be lost."""


AGAIN = "--force starts the clip again"


@dataclass(frozen=True)
class Joiner:
    """Has the units of a clip made, and joins their segments."""

    order: Order
    hire: Hire
    reporter: Reporter
    label: str
    on_notes: Callable[[Sequence[Mapping[str, Any]]], None] = lambda notes: None
    """Called with the notes of all units, once they are made."""

    def join(
        self,
        writer: ClipWriter,
        units_of: Callable[[], Sequence[Unit]],
        before: Callable[[Unit], None] = lambda unit: None,
    ) -> int:
        """Have the units made that are not there yet, and the clip put together.

        Args:
            writer: Of the clip; the segments are in its folder.
            units_of: Returns the units, in the order of showing.
            before: Called before a unit is given out, to make what it needs.

        Returns:
            The exit code.

        Raises:
            RenderError: Units failed; the others are kept.
        """
        began = time.monotonic()
        try:
            units = units_of()
            failed = self._made(writer.folder, units, before)
            if not failed:
                self.on_notes([noted(writer.folder, unit.key(self.order)) or {} for unit in units])
                writer.join([segment for unit in units for segment in self._segments(writer.folder, unit) or []])
        except KeyboardInterrupt:
            self.reporter.interrupted(self.label, str(writer.folder))
            self.reporter.notify("run the same command with --resume to continue")
            return INTERRUPTED
        if failed:
            parts = many(len(units), "part")
            raise RenderError(f"{failed} of {parts} failed; what is done is kept, and --resume continues")
        self.reporter.done(self.label, str(writer.output), time.monotonic() - began)
        return 0

    def _made(self, folder: Path, units: Sequence[Unit], before: Callable[[Unit], None]) -> int:
        """Have the units made that are not done; returns how many failed."""
        missing = [unit for unit in units if self._segments(folder, unit) is None]
        failed, done, frames = 0, len(units) - len(missing), sum(len(unit.words["shown"]) for unit in units)

        def source() -> Iterator[Unit]:
            for unit in missing:
                before(unit)
                yield unit

        def show(share: float) -> None:
            whole = (done + share) / len(units)
            self.reporter.frame(Frame(round(whole * frames), frames, whole, f"in {many(len(units), 'part')}"))

        with closing(work(self.order, source(), self.hire, show)) as outcomes:
            for outcome in outcomes:
                done += 1
                if outcome.problems:
                    failed += 1
                    self.reporter.fail(outcome.unit.label, failure(outcome.problems, outcome.code))
                show(0.0)
        return failed

    def _segments(self, folder: Path, unit: Unit) -> list[Segment] | None:
        """The segments of a unit that is done; None if they are not all there."""
        from dreamer.videos.clip.concat import Segment
        from dreamer.videos.clip.manifest import SegmentEntry, is_whole
        from dreamer.videos.clip.unfinished import segment_path

        length, count, found = unit.words["segment"], len(unit.words["shown"]), list[Segment]()
        places = range(unit.words["begin"] // length, (unit.words["begin"] + count - 1) // length + 1)
        try:
            entries = (noted(folder, unit.key(self.order)) or {})["segments"]
            for number, entry in zip(places, entries, strict=True):
                frames = min(length, count - length * len(found))
                read, path = SegmentEntry.read(entry, frames), segment_path(folder, number)
                if entry["number"] != number or not is_whole(path, read):
                    return None
                found.append(Segment(path, read.start, read.frames))
        except (KeyError, TypeError, ValueError):
            return None
        return found


def shown_at(writer: ClipWriter, times: Iterable[Fraction]) -> list[Fraction]:
    """The times at which the clip shows frames of these times: each later than the one before, as the writer has it."""
    from dreamer.videos.clip.encode import ticks_per_second, told_apart

    shown, before = list[Fraction](), -1
    for at in times:
        moment = told_apart(at, before, writer.fps, writer.format.suffix)
        before = max(before, round(moment * ticks_per_second(writer.fps)))
        shown.append(moment)
    return shown


def words_of(writer: ClipWriter, begin: int, shown: Sequence[Fraction]) -> dict[str, Any]:
    """The words of a unit that begins with frame `begin`, for `write_segments`."""
    about = {"begin": begin, "shown": [str(at) for at in shown], "segment": writer.segment}
    return {**about, "fps": str(writer.fps), "folder": str(writer.folder)}


def write_segments(
    unit: Unit,
    order: Order,
    frames: Iterable[NDArray[np.uint8]],
    format: Format,
    size: tuple[int, int],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Mapping[str, Any]:
    """Write the frames of a unit as segments, and a note of them, which is returned; `more` is noted as it is then."""
    from dreamer.files import write_atomically
    from dreamer.videos.clip.encode import encode_timed, opaque
    from dreamer.videos.clip.manifest import digest
    from dreamer.videos.clip.unfinished import segment_path

    words, entries, gathered = unit.words, [], []
    folder, length, begin, count = Path(words["folder"]), words["segment"], words["begin"], len(words["shown"])
    for number, frame in enumerate(frames):
        gathered.append((Fraction(words["shown"][number]), frame if format.alpha else opaque(frame)))
        if len(gathered) == length or number == count - 1:
            data, start = encode_timed(gathered, format, size, Fraction(words["fps"]))
            place = (begin + number) // length
            write_atomically(segment_path(folder, place), data)
            entries.append({"number": place, "start": start, "frames": len(gathered), "sha256": digest(data)})
            gathered = []
    if sum(entry["frames"] for entry in entries) != count:
        raise RenderError(f"{unit.label}: there are fewer frames than before; {AGAIN}")
    found = {"segments": entries, **more}
    note(folder, unit.key(order), found)
    return found
