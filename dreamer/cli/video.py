"""`dreamer video`: a dream over a video clip, steady over time."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.clip import ClipFile, Pace, clip_options, named_files
from dreamer.cli.options import FILE, machine_options, max_pixels_option, option, progress_option, recipe_options
from dreamer.cli.progress import progress
from dreamer.cli.provenance import motion_in, provenance_for
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, collect_problems
from dreamer.video.clip.unfinished import fitting

if TYPE_CHECKING:
    from dreamer.cli.clip import Frames
    from dreamer.video.clip.reader import Clip
    from dreamer.video.clip.writer import ClipWriter
    from dreamer.video.film.film import Film


@click.command()
@click.argument("clip", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The clip to write. [CLIP-dream.mp4]")
@option(
    "--stability",
    type=click.FloatRange(0, 1),
    metavar="0..1",
    help="How much of a frame's dream the next one keeps; 0 dreams each by itself, and flickers. [0.7]",
)
@option("--no-audio", is_flag=True, help="Leave out the sound of the clip.")
@clip_options
@recipe_options
@machine_options
@max_pixels_option
@progress_option
def video(
    clip: Path,
    output: Path | None,
    stability: float | None,
    no_audio: bool,
    how: str,
    **options: Any,
) -> int:
    """Dream over a video clip.

    The dream follows the motion: what grows on a thing stays on it. The sound is kept, unless you use --no-audio.

    \b
    dreamer video clip.mp4              write clip-dream.mp4 beside it
    dreamer video clip.mp4 --preview    make a preview of the first second
    dreamer video clip.mp4 --resume     continue after Ctrl-C or a power cut
    dreamer video clip.mp4 --size 960 -o out.webm
    """
    from dreamer.engine.device import keep_freed_memory, use_threads
    from dreamer.plugins.loading import load_plugins
    from dreamer.video.clip.formats import frame_size
    from dreamer.video.clip.reader import probe
    from dreamer.video.film.film import Film

    file = ClipFile.read(output or clip.with_name(fitting(clip.stem, "-dream.mp4")), options)
    wish = RenderOptions(**options)
    problems: list[str] = []
    with progress(how) as reporter:
        source = format = None
        with collect_problems(problems):
            source = probe(clip, max_pixels=wish.max_pixels)
        with collect_problems(problems):
            format = file.format([clip, *named_files(options)])
        with collect_problems(problems):
            stability = _stability(wish.recipe, stability)
        registry, plugins = load_plugins()
        if wish.tile is None:
            wish = replace(wish, tile=file.tiles(1)[0])
        pipeline, _ = wish.pipeline(registry, reporter.say, problems)
        use_threads(pipeline.machine)
        assert source and format and stability is not None  # else `pipeline` has raised
        has_sound = source.has_audio and not no_audio
        if has_sound and not format.has_sound:
            reporter.say(f"{format.codec} cannot hold sound; the sound of the clip is left out")
        shrink, until = (4, Fraction(1)) if file.preview else (1, source.duration + 1)
        fit = partial(frame_size, format)
        film = Film.of(pipeline, source.height, source.width, stability=stability, shrink=shrink, fit=fit)
        if not film.plan.tiled:
            keep_freed_memory()
        frames = min(source.frames, math.ceil(source.fps)) if file.preview else source.frames
        with clip.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        provenance = provenance_for(pipeline, digest, film.plan.machine, plugins)
        recipe = {**json.loads(provenance.text()), "video": {"stability": stability}}

        def make(writer: ClipWriter) -> tuple[Frames, Pace]:
            pace = Pace((writer.done, frames))
            told = replace(film, on_step=lambda step: reporter.frame(pace.step(0, step)))
            return _frames(told, source, until, writer), pace

        return file.write(
            make,
            reporter,
            str(clip),
            format,
            recipe=recipe,
            decides=recipe,
            tiles=[film.plan.machine.tile],
            size=film.plan.size,
            fps=source.fps,
            frames=frames,
            audio=clip if has_sound else None,
            needs_audio=False,
        )


def _stability(recipe: str | None, wished: float | None) -> float:
    """The stability that was given, else that of the repeated clip, else the default."""
    from dreamer.video.film.film import STABILITY

    before = motion_in(Path(recipe), "video").get("stability") if recipe and wished is None else None
    found = STABILITY if before is None else before
    if wished is None and not (isinstance(found, (int, float)) and 0 <= found <= 1):
        raise UsageError(f"{recipe}: the stability inside is {found!r}; expected a number from 0 to 1")
    return float(found if wished is None else wished)


def _frames(film: Film, source: Clip, until: Fraction, writer: ClipWriter) -> Frames:
    """Yield the frames before a time that the writer lacks, with their times where they are not evenly spaced."""
    from dreamer.video.clip.reader import frames
    from dreamer.video.film.film import load_change, save_change

    change = load_change(writer.state, writer.done, film.plan.size)
    wanted = takewhile(lambda pair: pair[0] < until, frames(source))
    for dreamt in film.dreams(wanted, begin=writer.done, change=change):
        save_change(writer.state, writer.done + 1, dreamt.change)
        yield dreamt.frame, dreamt.time if source.variable else None
