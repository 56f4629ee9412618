"""`dreamer video`: a dream over a video clip, steady over time."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.clip import Pace, clip_options, film, identity_of, may_replace, preview_of, tiles_of
from dreamer.cli.options import FILE, machine_options, max_pixels_option, option, progress_option, recipe_options
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.provenance import motion_in, provenance_for
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, collect_problems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamer.engine.step import Step
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.video.clip.formats import Format
    from dreamer.video.clip.reader import Clip
    from dreamer.video.clip.writer import ClipWriter

_PREVIEW = 1  # second, at a quarter of the size


@click.command()
@click.argument("clip", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The clip to write. [CLIP-dream.mp4]")
@option(
    "--stability",
    type=click.FloatRange(0, 1),
    metavar="0..1",
    help="How much of a frame's dream the next one keeps; 0 dreams each by itself, and flickers. [0.7]",
)
@clip_options
@recipe_options
@machine_options
@max_pixels_option
@progress_option
def video(
    clip: Path,
    output: Path | None,
    stability: float | None,
    codec: str | None,
    quality: int | None,
    resume: bool,
    preview: bool,
    force: bool,
    how: str,
    **options: Any,
) -> int:
    """Dream over a video clip.

    The dream follows the motion: what grows on a thing stays on it. The sound is kept.

    \b
    dreamer video clip.mp4              write clip-dream.mp4 beside it
    dreamer video clip.mp4 --preview    make a preview of the first second
    dreamer video clip.mp4 --resume     continue after Ctrl-C or a power cut
    dreamer video clip.mp4 --size 960 -o out.webm
    """
    from dreamer.engine.device import use_threads
    from dreamer.plugins.loading import load_plugins
    from dreamer.video.clip.formats import format_for
    from dreamer.video.clip.manifest import partial_of
    from dreamer.video.clip.reader import probe
    from dreamer.video.clip.writer import ClipWriter

    wish = RenderOptions(**options)
    output = output or clip.with_name(f"{clip.stem}-dream.mp4")
    output = preview_of(output) if preview else output
    problems: list[str] = []
    with progress(how) as reporter:
        source = format = None
        with collect_problems(problems):
            source = probe(clip, max_pixels=wish.max_pixels)
        with collect_problems(problems):
            format = format_for(output, codec, quality)
            check_folder(output.parent, f"-o {output}")
            check_spared([output, partial_of(output)], [clip, *([wish.guide] if wish.guide else [])])
        with collect_problems(problems):
            stability = _stability(wish.recipe, stability)
        registry, plugins = load_plugins()
        if resume and wish.tile is None:
            wish = replace(wish, tile=tiles_of(output, 1)[0])
        pipeline, _ = wish.pipeline(registry, reporter.say, problems)
        use_threads(pipeline.machine)
        assert source and format and stability is not None  # else `composed` has raised
        sound = clip if source.has_audio and format.has_sound else None
        if source.has_audio and not sound:
            reporter.say(f"{format.codec} cannot hold sound; the sound of the clip is left out")
        work = _Work(pipeline, source, format, stability, preview, reporter)
        recipe = work.recipe(plugins)
        reporter.start(str(clip), 1, 1)
        with ClipWriter.open(
            output,
            format,
            size=work.film.plan.size,
            fps=source.fps,
            frames=work.frames,
            recipe=json.dumps(recipe),
            identity=identity_of(recipe),
            resume=resume,
            force=may_replace(output, preview, force),
            audio=sound,
            notes={"tiles": [work.film.plan.machine.tile]},
        ) as writer:
            if writer.finished:
                reporter.skip(str(clip), str(output))
                return 0
            work.take_up(writer)
            return film(writer, work.made(), work.checkpoint, work.pace, reporter, str(clip))


def _stability(recipe: str | None, wished: float | None) -> float:
    """The stability that was given, else that of the repeated clip, else the default."""
    from dreamer.video.film.film import STABILITY

    before = motion_in(Path(recipe), "video").get("stability") if recipe and wished is None else None
    found = STABILITY if before is None else before
    if wished is None and not (isinstance(found, (int, float)) and 0 <= found <= 1):
        raise UsageError(f"{recipe}: the stability inside is {found!r}; expected a number from 0 to 1")
    return float(found if wished is None else wished)


class _Work:
    """Makes the frames of a clip for the writer, and reports each."""

    def __init__(
        self,
        pipeline: Pipeline,
        source: Clip,
        format: Format,
        stability: float,
        preview: bool,
        reporter: Reporter,
    ) -> None:
        from dreamer.engine.device import keep_freed_memory
        from dreamer.video.clip.formats import frame_size
        from dreamer.video.film.film import Film

        self._source, self._told, self._composition = source, reporter, pipeline
        self.film = Film.of(
            pipeline,
            source.height,
            source.width,
            stability=stability,
            shrink=4 if preview else 1,
            fit=partial(frame_size, format),
            on_step=self._step,
        )
        if not self.film.plan.tiled:
            keep_freed_memory()
        self._until = Fraction(_PREVIEW) if preview else source.duration + 1
        self.frames = min(source.frames, math.ceil(source.fps * _PREVIEW)) if preview else source.frames
        self.pace = Pace((0, self.frames))
        self._writer: ClipWriter | None = None

    def recipe(self, plugins: Sequence[Plugin]) -> dict[str, Any]:
        """Return what is written into the clip: the provenance of a picture, and the stability."""
        with self._source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        provenance = provenance_for(self._composition, digest, self.film.plan.machine, plugins)
        return {**json.loads(provenance.text()), "video": {"stability": self.film.stability}}

    def take_up(self, writer: ClipWriter) -> None:
        """Continue after the frames that the writer has."""
        self._writer, self.pace = writer, Pace((writer.done, self.frames))

    def made(self) -> Iterator[tuple[NDArray[np.uint8], Fraction | None]]:
        """Yield the frames that the writer lacks, with their times where they are not evenly spaced."""
        from dreamer.video.clip.reader import frames
        from dreamer.video.film.film import load_change

        assert self._writer is not None
        begin = self._writer.done
        change = load_change(self._writer.state, begin, self.film.plan.size)
        source = takewhile(lambda pair: pair[0] < self._until, frames(self._source))
        for dreamt in self.film.dreams(source, begin=begin, change=change):
            self._change = dreamt.change
            yield dreamt.frame, dreamt.time if self._source.variable else None

    def checkpoint(self, number: int) -> None:
        """Save the state after frame `number`, which is made; all before it are safe."""
        from dreamer.video.film.film import save_change

        assert self._writer is not None
        save_change(self._writer.state, number + 1, self._change)

    def _step(self, step: Step) -> None:
        self._told.frame(self.pace.step(0, step))
