"""`dreamer loop`: dreams that come and go over a photo, as a clip whose end meets its start."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.camera import frame_side
from dreamer.cli.clip import ClipFile, Pace, clip_options_for, few
from dreamer.cli.missing import tell_missing
from dreamer.cli.moments import RATE, rate_in
from dreamer.cli.options import max_pixels_option, option, progress_option, recipe_options_for
from dreamer.cli.photos import named_files
from dreamer.cli.progress import progress
from dreamer.cli.provenance import motion_in
from dreamer.cli.region_options import dream_options
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.still_clip import StillClip
from dreamer.cli.values import FILE, FiniteRange
from dreamer.errors import UsageError, collect_problems, quoted, reported_together
from dreamer.recipes.options import Option, Range, read_all
from dreamer.videos.clip.unfinished import fitting
from dreamer.videos.loop import MOST_SEEDS

if TYPE_CHECKING:
    from dreamer.cli.clip import Frames
    from dreamer.engine.step import Step
    from dreamer.videos.clip.writer import ClipWriter

_SECONDS = (0.1, 600)
_WORDS = {
    "seconds": Option("seconds", float, None, Range(*_SECONDS)),
    "fps": Option("fps", str, None),
    "seeds": Option("seeds", int, None, Range(1, MOST_SEEDS)),
}


@click.command()
@click.argument("photo", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The clip to write. [PHOTO-loop.mp4]")
@option("--seconds", type=FiniteRange(*_SECONDS), metavar="SECONDS", help="Length of the clip. [6]")
@option("--fps", type=RATE, metavar="N", help="Frames per second; a fraction such as 30000/1001 is possible. [24]")
@option(
    "--seeds",
    type=click.IntRange(1, MOST_SEEDS),
    metavar="N",
    help="How many dreams come and go; a single one grows and fades. [3]",
)
@clip_options_for("Make a preview: the whole loop in few frames and small.")
@dream_options(recipe_options_for("Long side of the frames; `full` keeps the photo's. [1280]"))
@max_pixels_option
@progress_option
def loop(
    photo: Path,
    output: Path | None,
    seconds: float | None,
    fps: Fraction | None,
    seeds: int | None,
    how: str,
    **options: Any,
) -> int:
    """Make an endless loop over a photo.

    The result is a clip without an end, in which the dreams of a few seeds come and go over the photo, here sooner and
    there later. It takes as long as that many single pictures.

    \b
    dreamer loop photo.jpg                       write photo-loop.mp4
    dreamer loop photo.jpg -o loop.webp --size 640 --fps 12
    dreamer loop photo.jpg --seeds 1 --preset bloom
    dreamer loop other.jpg --recipe photo-loop.mp4    as long, and as many dreams
    dreamer loop photo.jpg --region face.png=keep --region all=bloom
    """
    clip = ClipFile.read(output or photo.with_name(fitting(photo.stem, "-loop.mp4")), options)
    problems: list[str] = []
    with collect_problems(problems):
        format = clip.format([photo, *named_files(options)])
    tell_missing(problems, options, photo)

    from dreamer.image import load
    from dreamer.plugins.loading import load_plugins
    from dreamer.videos.film.passage import eight_bits
    from dreamer.videos.loop.loop import FPS, SECONDS, SEEDS, Loop
    from dreamer.videos.walk.walk import frame_count

    with progress(how) as reporter:
        with reported_together() as problems:
            with collect_problems(problems):
                before = _repeated(options["recipe"])
                seconds = seconds or before.get("seconds", SECONDS)
                fps, seeds = fps or before.get("fps", FPS), seeds or before.get("seeds", SEEDS)
            with collect_problems(problems):
                whole = load(photo, max_pixels=options["max_pixels"])
                options["size"] = frame_side(whole, options["size"], options["recipe"], reporter.notify)
            registry, plugins = load_plugins()
            with collect_problems(problems):
                given = RenderOptions(**options)
                tile = clip.tiles(1)[0] if given.tile is None else given.tile
                pipeline, _ = replace(given, tile=tile).pipeline(registry, reporter.notify, [], fetch=not problems)
        still = StillClip.of(clip, format, whole, options["size"], [pipeline], names=[str(photo)], tile=tile)
        rate = fps / few(fps) if clip.preview else fps
        made = Loop(still.picture, still.looks[0], frame_count(seconds, rate), seeds)

        def make(writer: ClipWriter) -> tuple[Frames, Pace]:
            def on_step(number: int, step: Step) -> None:
                reporter.seen(step.picture)
                reporter.frame(pace.step(number, step))

            pace = Pace((writer.done, made.frames), (0, made.seeds))
            pictures = replace(made, on_step=on_step).pictures(writer.state, writer.done)
            return ((eight_bits(picture), None) for picture in pictures), pace

        words = {"loop": {"seconds": seconds, "fps": str(fps), "seeds": seeds}}
        return still.write(make, reporter, str(photo), plugins, words, fps=rate, frames=made.frames)


def _repeated(recipe: str | None) -> dict[str, Any]:
    """The settings of a repeated loop, as far as it has any. Raises UsageError with everything that is wrong there."""
    values, wrong = read_all(motion_in(Path(recipe), "loop") if recipe else {}, _WORDS, "loop")
    if text := values.pop("fps", None):
        values["fps"] = rate_in(text)
        if values["fps"] is None:
            wrong.append(f"loop.fps: {quoted(text)} is not a frame rate from 0.1 to 240")
    if wrong:
        raise UsageError(*(f"{recipe}: {each}" for each in wrong))
    return values
