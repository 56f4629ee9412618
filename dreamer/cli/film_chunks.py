"""A film in chunks, by the processes of --jobs and --on: the same segments, and so the same file, as without."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.clip import INTERRUPTED
from dreamer.cli.hands import bounded, failure, order_of
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import RenderError
from dreamer.units.results import note, noted
from dreamer.units.serving import Tell
from dreamer.units.unit import Order, Unit
from dreamer.units.working import Hire, work

if TYPE_CHECKING:
    from dreamer.engine.step import Step
    from dreamer.videos.clip.concat import Segment
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.reader import Clip
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.film.chunks import Chunk, Scan
    from dreamer.videos.film.film import Film


@dataclass(frozen=True)
class FilmChunks:
    """A film, and who makes its chunks.

    `until` is where a preview ends; `digest` is the clip's SHA-256; `words` decide every frame (see `Chunks`).
    """

    film: Film
    clip: Clip
    until: Fraction | None
    digest: str
    words: Mapping[str, Any]
    hire: Hire
    reporter: Reporter

    def join(self, writer: ClipWriter) -> int:
        """Have the chunks made that are not there yet, and the clip put together; returns the exit code."""
        began, label = time.monotonic(), str(self.clip.path)
        order = order_of("dreamer.cli.film_chunks:Chunks", **self.words)
        try:
            units, scanned = self._units(writer, order)
            failed = self._made(units, order, writer.folder, len(scanned.times))
            if not failed:
                writer.join(self._segments(units, order, writer.folder))
        except KeyboardInterrupt:
            self.reporter.interrupted(label, str(writer.folder))
            self.reporter.notify("run the same command with --resume to continue")
            return INTERRUPTED
        if failed:
            raise RenderError(f"{failed} of {len(units)} chunks failed; what is done is kept, and --resume continues")
        self.reporter.done(label, str(writer.output), time.monotonic() - began)
        return 0

    def _units(self, writer: ClipWriter, order: Order) -> tuple[list[Unit], Scan]:
        from dreamer.videos.clip.encode import ticks_per_second, told_apart
        from dreamer.videos.clip.reader import frames
        from dreamer.videos.film.chunks import chunks, scan

        def on_frame(number: int) -> None:
            self.reporter.frame(Frame(number, self.clip.frames, 0.0, "looking for cuts"))

        wanted = takewhile(lambda pair: self.until is None or pair[0] < self.until, frames(self.clip))
        found = scan(self.film, wanted, on_frame)
        fps, segment, shown, before = self.clip.fps, writer.segment, list[Fraction](), -1
        for number, at in enumerate(found.times):
            moment = told_apart(at if self.clip.variable else number / fps, before, fps, writer.format.suffix)
            before = max(before, round(moment * ticks_per_second(fps)))
            shown.append(moment)

        def unit(chunk: Chunk) -> Unit:
            times = [str(at) for at in found.times[chunk.start : chunk.end]]
            words = {
                "sha256": self.digest,
                "start": chunk.start,
                "begin": chunk.begin,
                "segment": segment,
                "times": times,
            }
            words |= {"shown": [str(at) for at in shown[chunk.begin : chunk.end]], "folder": str(writer.folder)}
            words |= {"fps": str(fps)}
            return Unit(f"frames {chunk.begin} to {chunk.end - 1}", words, str(writer.folder))

        return [unit(chunk) for chunk in chunks(len(found.times), found.cuts, segment)], found

    def _made(self, units: list[Unit], order: Order, folder: Path, frames: int) -> int:
        """Have the units made that are not done; returns how many failed."""
        failed, done = 0, 0
        missing = [unit for unit in units if self._segments_of(unit, order, folder) is None]
        done = len(units) - len(missing)

        def show(share: float) -> None:
            here = (done + share) / len(units)
            self.reporter.frame(Frame(round(here * frames), frames, here, f"{len(units)} chunks"))

        with closing(work(order, missing, self.hire, show)) as outcomes:
            for outcome in outcomes:
                done += 1
                if outcome.problems:
                    failed += 1
                    self.reporter.fail(outcome.unit.label, failure(outcome.problems, outcome.code))
                show(0.0)
        return failed

    def _segments(self, units: list[Unit], order: Order, folder: Path) -> list[Segment]:
        return [segment for unit in units for segment in self._segments_of(unit, order, folder) or []]

    def _segments_of(self, unit: Unit, order: Order, folder: Path) -> list[Segment] | None:
        """The segments of a unit that is done; None if they are not all there."""
        from dreamer.videos.clip.concat import Segment
        from dreamer.videos.clip.manifest import SegmentEntry, is_whole
        from dreamer.videos.clip.unfinished import segment_path

        try:
            found = []
            for entry in (noted(folder, unit.key(order)) or {})["segments"]:
                read = SegmentEntry.read(entry, entry["frames"])
                path = segment_path(folder, int(entry["number"]))
                if not is_whole(path, read):
                    return None
                found.append(Segment(path, read.start, read.frames))
            return found
        except (KeyError, TypeError, ValueError):
            return None


class Chunks:
    """Makes chunks of a film: writes their segments, and a note of them.

    Its words are those of `RenderOptions.to_dict`, the `clip` and the `part` of it, its `stability`, whether it is a
    `preview`, and the `format`. A unit's are the number of the first frame to dream over (`start`) and to write
    (`begin`), the `times` of all of them in the clip and of the written ones as they are `shown`, the `fps`, the number
    of frames in a `segment`, the `folder`, and the clip's `sha256`.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        from dreamer.engine.device import keep_freed_memory, use_threads
        from dreamer.plugins.loading import load_plugins

        registry, _ = load_plugins()
        pipeline, _ = RenderOptions.read(words).pipeline(registry, lambda sentence: None, [])
        use_threads(pipeline.machine)
        keep_freed_memory()
        self._words, self._pipeline = words, bounded(pipeline)

    @cached_property
    def _clip(self) -> Clip:
        from dreamer.videos.clip.reader import probe

        part = {name: None if at is None else Fraction(at) for name, at in self._words["part"].items()}
        return probe(Path(self._words["clip"]), max_pixels=self._pipeline.max_pixels, **part)

    @cached_property
    def _format(self) -> Format:
        from dreamer.videos.clip.formats import Format

        return Format(**self._words["format"])

    @cached_property
    def _film(self) -> Film:
        from dreamer.cli.film import film_of

        words = self._words
        return film_of(self._pipeline, self._clip, self._format, words["stability"], words["preview"])

    def make(self, unit: Unit, tell: Tell) -> Mapping[str, Any]:
        """Dream over a chunk; returns its note."""
        from dreamer.files import write_atomically
        from dreamer.videos.clip.encode import encode_timed, opaque
        from dreamer.videos.clip.manifest import digest
        from dreamer.videos.clip.unfinished import segment_path

        words, entries = unit.words, []
        size, length, folder = self._film.plan.size, words["segment"], Path(words["folder"])
        start, begin = words["start"], words["begin"]
        shown, gathered = [Fraction(at) for at in words["shown"]], []
        for number, frame in self._dreams(words, tell):
            if number < begin:
                continue
            gathered.append((shown[number - begin], frame if self._format.alpha else opaque(frame)))
            if len(gathered) == length or number - begin == len(shown) - 1:
                data, at = encode_timed(gathered, self._format, size, Fraction(words["fps"]))
                place = number // length
                write_atomically(segment_path(folder, place), data)
                entry = {"number": place, "start": at, "frames": len(gathered), "sha256": digest(data)}
                entries.append(entry)
                gathered = []
        found = {"segments": entries, "dreamt": len(words["times"]), "start": start}
        note(folder, unit.key(order_of("dreamer.cli.film_chunks:Chunks", **self._words)), found)
        return found

    def _dreams(self, words: Mapping[str, Any], tell: Tell) -> Iterator[tuple[int, Any]]:
        """Every frame of a chunk and of its run-up, dreamt over, with its number in the film."""
        from dreamer.videos.clip.reader import frames

        times, start = [Fraction(at) for at in words["times"]], words["start"]
        number = 0
        part = replace(self._clip, begin=self._clip.begin + times[0])

        def read() -> Iterator[tuple[Fraction, Any]]:
            for wanted, (at, values) in zip(times, frames(part), strict=False):
                if at + times[0] != wanted:
                    raise RenderError(
                        f"{part.path}: the frame at {float(wanted):g} s cannot be found again; leave out --jobs"
                    )
                yield wanted, values

        def on_step(step: Step) -> None:
            tell((number + step.share) / len(times))

        film = replace(self._film, on_step=on_step)
        for dreamt in film.dreams(read(), begin=start, first=start):
            yield start + number, dreamt.frame
            number += 1
        if number < len(times):
            raise RenderError(f"{part.path} has fewer frames than before; --force starts the clip again")
