"""The dream over one clip: read it, dream over its frames, write them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.clip import ClipFile, Pace
from dreamer.cli.film_chunks import FilmChunks, tell_barren
from dreamer.cli.hands import Hands, bounded
from dreamer.cli.photos import named_files
from dreamer.cli.progress import Reporter
from dreamer.cli.provenance import provenance_for
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.sound import Hearing
from dreamer.errors import UsageError, collect_problems, reported_together
from dreamer.recipes.drives import Drive

if TYPE_CHECKING:
    from dreamer.cli.clip import Frames
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.reader import Clip
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.film.film import Film
    from dreamer.videos.film.looks import Sections
    from dreamer.videos.film.passage import Dreamt
    from dreamer.videos.sound.driven import Drives
    from dreamer.videos.sound.song import Song
    from dreamer.videos.sound.spectrum import Floats

_SILENT = "none"
_PREVIEW_FRAMES = 18  # frames that a preview dreams over, or more in a long clip ...
_SLOWEST = Fraction(1, 5)  # ... so that it has so many a second at least


@dataclass(frozen=True)
class FilmJob:
    """A clip, where its dream is written, and the options of `dreamer video`."""

    clip: Path
    file: ClipFile
    options: RenderOptions
    stability: float
    part: Mapping[str, Fraction | None]
    """The values of --start, --end and --fps."""
    audio: str | None
    every: int
    hearing: Hearing
    drives: Sequence[Drive]
    told: str
    """The hash of the song that drove a repeated clip."""
    reporter: Reporter
    hands: Hands

    def read(self) -> tuple[Clip, Format]:
        """Return the clip's properties and the format of the dream; UsageError with all that is wrong."""
        from dreamer.videos.clip.reader import probe

        with reported_together() as problems:
            with collect_problems(problems):
                clip = probe(self.clip, max_pixels=self.options.max_pixels, **self.part)
            with collect_problems(problems):
                audio = None if self.audio in (None, _SILENT) else Path(str(self.audio))
                format = self.file.format([self.clip, audio, *named_files(vars(self.options))])
        return clip, format

    def dream(
        self,
        clip: Clip,
        format: Format,
        pipeline: Pipeline,
        plugins: Sequence[Plugin],
        presets: Mapping[str, Pipeline],
        place: tuple[int, int] = (1, 1),
    ) -> int:
        """Write the dream, or what an interrupted one lacks.

        Args:
            clip: Of `read`, like the format.
            format: Of the dream.
            pipeline: Dreams over each frame.
            plugins: The loaded plugins.
            presets: What dreams instead at the sections of a song, by the names that drives have for it.
            place: The clip's number among the clips of the command, from 1, and how many these are.

        Returns:
            The exit code.
        """
        from dreamer.videos.clip.reader import digest

        format = self._told(clip, format)
        audio, audio_begin = self._sound(clip, format)
        if self.divided and not format.segmented:
            raise UsageError(f"--jobs: a clip in {format.codec} is not made of segments; write .mp4 or .webm")
        drives, sections, song = self._heard(clip, presets)
        film = self._film(clip, format, pipeline, drives=drives, sections=sections)
        frames = math.ceil(clip.frames / film.step)
        provenance = provenance_for(film.pipeline, digest(clip), film.plan.machine, plugins)
        recipe = {**json.loads(provenance.text()), "video": self._words()}
        if song and self.drives:
            recipe["sound"] = song.sha256
        moved = moves(drives, [number / clip.fps for number in range(clip.frames)])
        about = (song, float(clip.duration), moved, float(self._begin(clip)))
        self.hearing.draw(*about, replace=self.file.force, resume=self.file.resume)

        def make(writer: ClipWriter) -> tuple[Frames, Pace]:
            pace = Pace((writer.done, frames))
            told = replace(film, on_step=lambda step: self.reporter.frame(pace.step(0, step)))
            return self._frames(told, clip, writer), pace

        chunks = self._chunks(film, clip, format, provenance.photo, presets) if self.divided else None
        return self.file.write(
            make,
            self.reporter,
            str(self.clip),
            format,
            recipe=recipe,
            decides=recipe,
            tiles=[film.plan.machine.tile],
            place=place,
            join=chunks.join if chunks else None,
            size=film.plan.size,
            fps=clip.fps / film.step,
            frames=frames,
            audio=audio,
            audio_begin=audio_begin,
            needs_audio=self.audio is not None,
        )

    def _frames(self, film: Film, clip: Clip, writer: ClipWriter) -> Frames:
        """The frames that the writer lacks; told at their end, if it is of all the clip, where nothing could grow."""
        from dreamer.videos.clip.encode import opaque

        barren = writer.done == 0
        for dreamt in _dreams(film, clip, writer):
            barren &= dreamt.barren
            values = dreamt.frame if writer.format.alpha else opaque(dreamt.frame)
            yield values, dreamt.time if clip.variable else None
        if barren:
            tell_barren(film, self.reporter)

    @property
    def divided(self) -> bool:
        """Whether the processes of --jobs and --on make it."""
        return bool(self.hands) and not self.file.preview

    def _told(self, clip: Clip, format: Format) -> Format:
        """The format with the transparency and the repeats of the clip; notices about both are told."""
        for notice in clip.notices:
            self.reporter.notify(notice)
        if clip.alpha and not format.holds_alpha:
            self.reporter.notify(f"{format.codec} has no transparency; the background becomes white")
        return replace(format, alpha=clip.alpha and format.holds_alpha, plays=clip.plays)

    def _film(self, clip: Clip, format: Format, pipeline: Pipeline, **heard: Any) -> Film:
        """The film of the clip, with the drives and the sections that are `heard`."""
        from dreamer.engine.device import keep_freed_memory

        pipeline, tile = bounded(pipeline) if self.divided else pipeline, self.file.tiles(1)[0]
        if self.options.tile is None and tile is not None:
            pipeline = replace(pipeline, machine=replace(pipeline.machine, tile=tile))
        heard |= {"preview": True} if self.file.preview else {"every": self.every}
        film = film_of(pipeline, clip, format, self.stability, step=self._step(clip), **heard)
        if film.regions:
            film.regions.check(clip.frames)
        if not film.plan.tiled:
            keep_freed_memory()
        return film

    def _chunks(
        self, film: Film, clip: Clip, format: Format, digest: str, presets: Mapping[str, Pipeline]
    ) -> FilmChunks:
        """The film as chunks, with the words that decide every frame, for whoever makes one."""
        part = {name: None if at is None else str(at) for name, at in self.part.items()}
        names = {id(look): name for name, look in presets.items()}
        words = {**replace(self.options, tile=film.plan.machine.tile).to_dict(), "clip": str(self.clip), "part": part}
        words |= {"stability": self.stability, "every": self.every, "format": asdict(format)}
        words |= {"drives": film.drives.told(float(clip.duration))}
        words |= {"sections": [(begin, names[id(look)]) for begin, look in film.sections]}
        return FilmChunks(film, clip, digest, words, self.hands.hire(film.plan.machine), self.reporter)

    def _sound(self, clip: Clip, format: Format) -> tuple[Path | None, Fraction]:
        """The file whose sound the dream gets, and where in it the sound begins."""
        if self.audio == _SILENT or (self.audio is None and not clip.has_audio):
            return None, Fraction(0)
        if not format.has_sound:
            self.reporter.notify(f"{format.codec} cannot hold sound; the sound of the clip is left out")
            return None, Fraction(0)
        return (self.clip, clip.begin) if self.audio is None else (Path(self.audio), Fraction(0))

    def _step(self, clip: Clip) -> int:
        """The distance between two frames that are shown: 1, or more in a preview."""
        if not self.file.preview:
            return 1
        return max(1, min(math.ceil(clip.frames / _PREVIEW_FRAMES), int(clip.fps / _SLOWEST)))

    def _begin(self, clip: Clip) -> Fraction:
        """The time in the sound that is heard at which the clip begins, in seconds."""
        return clip.begin if self.audio in (None, _SILENT) else Fraction(0)

    def _heard(self, clip: Clip, presets: Mapping[str, Pipeline]) -> tuple[Drives, Sections, Song | None]:
        """The drives of the dream, the looks of the song's sections, and the song, of the clip or of another file."""
        from dreamer.videos.film.looks import sections_by
        from dreamer.videos.sound.driven import driven_by

        own = self.clip if clip.has_audio else None
        file = own if self.audio in (None, _SILENT) else Path(str(self.audio))
        song = self.hearing.song(file, bool(self.drives), self.told, self.reporter.notify)
        begin = float(self._begin(clip))
        drives = driven_by(self.drives, song, begin, self.hearing.folder)
        return drives, sections_by(self.drives, song, begin, presets), song

    def _words(self) -> dict[str, Any]:
        """The settings that decide the dream besides its recipe, as JSON can hold it."""
        part = {name: str(at) for name, at in self.part.items() if at is not None}
        words: dict[str, Any] = {"stability": self.stability, **part}
        words |= {"every": self.every} if self.every > 1 else {}
        return words | ({"drives": [drive.words() for drive in self.drives]} if self.drives else {})


def film_of(pipeline: Pipeline, clip: Clip, format: Format, stability: float, **more: Any) -> Film:
    """The film of a clip for a format. Raises UsageError for frames that cannot be dreamt over."""
    from dreamer.videos.clip.formats import frame_size
    from dreamer.videos.film.film import Film

    fit = partial(frame_size, format)
    return Film.of(pipeline, clip.height, clip.width, stability=stability, fit=fit, **more)


def moves(drives: Drives, times: Sequence[Fraction]) -> dict[str, Floats]:
    """The values that drives give at times in seconds, by what they move, (n,)."""
    import numpy as np

    at = np.array([float(time) for time in times])
    return {each.drive.to: each.at(at) for each in drives.driven}


def _dreams(film: Film, clip: Clip, writer: ClipWriter) -> Iterator[Dreamt]:
    """Yield the frames that the writer lacks; what the next one starts with is kept."""
    from dreamer.videos.clip.reader import frames
    from dreamer.videos.film.film import load_change, save_change

    change, masks = load_change(writer.state, writer.done, film.plan.size), None
    if film.regions and film.regions.carried:
        masks = load_change(writer.state, writer.done, film.plan.size, "masks", film.regions.carried)
    wanted = islice(frames(clip), None, None, film.step)
    for dreamt in film.dreams(wanted, begin=writer.done, change=change, masks=masks):
        if film.regions and film.regions.carried and dreamt.masks is not None:
            save_change(writer.state, writer.done + 1, dreamt.masks, "masks")
        save_change(writer.state, writer.done + 1, dreamt.change)
        yield dreamt
