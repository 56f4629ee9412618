"""A film in chunks, by the processes of --jobs and --on: the same segments, and so the same file, as without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.hands import bounded, order_of
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.segments import AGAIN, Joiner, shown_at, words_of, write_segments
from dreamer.errors import RenderError, UsageError
from dreamer.units.serving import Tell
from dreamer.units.unit import Unit
from dreamer.units.working import Hire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamer.engine.step import Step
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.reader import Clip
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.film.chunks import Chunk
    from dreamer.videos.film.film import Film

_MAKER = "dreamer.cli.film_chunks:Chunks"


@dataclass(frozen=True)
class FilmChunks:
    """A film, and who makes its chunks.

    `digest` is the clip's SHA-256; `words` decide every frame (see `Chunks`).
    """

    film: Film
    clip: Clip
    digest: str
    words: Mapping[str, Any]
    hire: Hire
    reporter: Reporter

    def join(self, writer: ClipWriter) -> int:
        """Have the film made and finished; returns the exit code."""
        label = str(self.clip.path)
        joiner = Joiner(order_of(_MAKER, **self.words), self.hire, self.reporter, label, self._tell)
        return joiner.join(writer, lambda: self._units(writer))

    def _tell(self, notes: Sequence[Mapping[str, Any]]) -> None:
        if all(note.get("barren") for note in notes):
            tell_barren(self.film, self.reporter)

    def _units(self, writer: ClipWriter) -> Sequence[Unit]:
        from dreamer.videos.clip.reader import frames
        from dreamer.videos.film.chunks import chunks, scan

        def on_frame(number: int) -> None:
            self.reporter.frame(Frame(number, self.clip.frames, 0.0, "looking for cuts"))

        found = scan(self.film, frames(self.clip), on_frame)
        even = (number / self.clip.fps for number in range(len(found.times)))
        shown = shown_at(writer, found.times if self.clip.variable else even)

        def unit(chunk: Chunk) -> Unit:
            times = [str(at) for at in found.times[chunk.start : self.film.reach(chunk.end)]]
            words = words_of(writer, chunk.begin, shown[chunk.begin : chunk.end])
            words |= {"sha256": self.digest, "start": chunk.start, "times": times}
            return Unit(f"frames {chunk.begin} to {chunk.end - 1}", words, str(writer.folder))

        cut = chunks(len(found.times), found.cuts, writer.segment)
        if len(cut) == 1:
            self.reporter.notify(
                f"{self.clip.path}: there are no cuts to divide it at; one process makes it, in one go"
            )
        return [unit(chunk) for chunk in cut]


def tell_barren(film: Film, reporter: Reporter) -> None:
    """Tell that nothing could grow in any frame."""
    from dreamer.pipeline.regions import where_it_grows

    why = where_it_grows(film.pipeline.recipe)
    reporter.notify(f"in no frame do the regions leave a place in which anything could grow; {why}")


class Chunks:
    """Makes chunks of a film: writes their segments, and a note of them.

    Its words are those of `RenderOptions.to_dict`, the `clip` and the `part` of it, its `stability`, one frame of how
    many is dreamt over (`every`), what `drives` it, the `sections` with the names of their looks, and the `format`.
    Besides those of `words_of`, a unit's are the number of the first frame to dream over, `start`, the `times` of all
    frames from there on in the clip that it needs, and the clip's `sha256`.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        from dreamer.engine.device import keep_freed_memory, use_threads
        from dreamer.plugins.loading import load_plugins

        self._words, (self._registry, _) = words, load_plugins()
        self._pipeline = self._look()
        use_threads(self._pipeline.machine)
        keep_freed_memory()

    def _look(self, preset: str | None = None) -> Pipeline:
        """The pipeline of the film, or that of the sections with a preset."""
        given = RenderOptions.read(self._words)
        given = given if preset is None else replace(given, preset=preset, recipe=None)
        return bounded(given.pipeline(self._registry, lambda sentence: None, [])[0])

    @cached_property
    def _clip(self) -> Clip:
        from dreamer.videos.clip.reader import probe

        part = {name: None if at is None else Fraction(at) for name, at in self._words["part"].items()}
        return probe(Path(self._words["clip"]), max_pixels=self._pipeline.max_pixels, **part)

    @cached_property
    def _digest(self) -> str:
        from dreamer.videos.clip.reader import digest

        return digest(self._clip)

    @cached_property
    def _format(self) -> Format:
        from dreamer.videos.clip.formats import Format

        return Format(**self._words["format"])

    @cached_property
    def _film(self) -> Film:
        from dreamer.cli.film import film_of
        from dreamer.videos.sound.driven import retold

        words = self._words
        looks = {name: self._look(name) for name in dict.fromkeys(name for _, name in words["sections"])}
        sections = [(begin, looks[name]) for begin, name in words["sections"]]
        more = {"every": words["every"], "drives": retold(words["drives"]), "sections": sections}
        return film_of(self._pipeline, self._clip, self._format, words["stability"], **more)

    def make(self, unit: Unit, tell: Tell) -> Mapping[str, Any]:
        """Dream over a chunk; returns its note."""
        if self._digest != unit.words["sha256"]:
            raise UsageError(f"{self._clip.path} is another clip than when its cuts were looked for; {AGAIN}")
        found = {"barren": True}
        how = (self._format, self._film.plan.size, found)
        return write_segments(unit, order_of(_MAKER, **self._words), self._dreams(unit.words, tell, found), *how)

    def _dreams(self, words: Mapping[str, Any], tell: Tell, found: dict[str, bool]) -> Iterator[NDArray[np.uint8]]:
        """Every frame of a chunk, dreamt over; its run-up is, too. `found` gets whether nothing could grow in any."""
        from dreamer.videos.clip.reader import frames

        times, start = [Fraction(at) for at in words["times"]], words["start"]
        part, done = replace(self._clip, begin=self._clip.begin + times[0]), 0

        def read() -> Iterator[tuple[Fraction, Any]]:
            for wanted, (at, values) in zip(times, frames(part), strict=False):
                if at + times[0] != wanted:
                    what = f"the frame at {float(wanted):g} s cannot be found again"
                    raise RenderError(f"{part.path}: {what}; leave out --jobs and --on")
                yield wanted, values

        def on_step(step: Step) -> None:
            tell((done + step.share) / len(times))

        film = replace(self._film, on_step=on_step)
        for dreamt in islice(
            film.dreams(read(), begin=start, first=start), words["begin"] - start + len(words["shown"])
        ):
            done += 1
            if start + done > words["begin"]:
                found["barren"] &= dreamt.barren
                yield dreamt.frame
