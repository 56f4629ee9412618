"""`dreamer video`: a dream over video clips, steady over time."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.clip import INTERRUPTED, ClipFile, clip_options, is_dreamt
from dreamer.cli.failures import exit_code
from dreamer.cli.film import FilmJob
from dreamer.cli.hands import Hands, jobs_options
from dreamer.cli.missing import tell_missing
from dreamer.cli.moments import MOMENT, RATE
from dreamer.cli.options import max_pixels_option, option, progress_option, recipe_options
from dreamer.cli.photos import check_folder, check_spared, named_files
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.provenance import motion_in
from dreamer.cli.region_options import dream_options
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.sound import Hearing, song_in, sound_options
from dreamer.cli.values import FiniteRange
from dreamer.errors import UsageError, collect_problems, reported_together
from dreamer.files import make_folder
from dreamer.recipes.drives import FILM_DANCE, FILM_TARGETS, Drive, drives_from
from dreamer.videos.clip.formats import format_for
from dreamer.videos.clip.unfinished import fitting, partial_of

if TYPE_CHECKING:
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin


@click.command()
@click.argument("clips", nargs=-1, metavar="CLIP...")
@option("-o", "--output", metavar="FILE|FOLDER", help="The clip to write, or a folder for several. [CLIP-dream.mp4]")
@option(
    "--stability",
    type=FiniteRange(0, 1),
    metavar="0..1",
    help="How much of a frame's dream the next one keeps; 0 dreams each by itself, and flickers. [0.7]",
)
@option("--start", type=MOMENT, metavar="TIME", help="Begin there: seconds, or as in 1:23.5. [the first frame]")
@option("--end", type=MOMENT, metavar="TIME", help="End there. [the last frame]")
@option("--fps", type=RATE, metavar="N", help="Frames per second of a folder of frames. [25]")
@option("--audio", metavar="FILE|none", help="Use the sound of this file, or none. [the clip's]")
@option("--no-audio", is_flag=True, help="Leave out the sound, as --audio none does.")
@option(
    "--every",
    type=click.IntRange(1, 30),
    metavar="N",
    help="Dream over one frame in so many, and move the dream along in between: faster. [1]",
)
@sound_options
@clip_options
@dream_options(recipe_options)
@jobs_options("chunks")
@max_pixels_option
@progress_option
def video(
    clips: tuple[str, ...],
    output: str | None,
    stability: float | None,
    start: Fraction | None,
    end: Fraction | None,
    fps: Fraction | None,
    audio: str | None,
    no_audio: bool,
    every: int | None,
    how: str,
    **options: Any,
) -> int:
    """Dream over video clips.

    The dream follows the motion: what grows on a thing stays on it. The sound is kept. A CLIP is a file, an animated
    picture, or a folder of frames, which are taken in natural order.

    A --region is as in `dreamer render`. The mask of a file, or a part:N, belongs to the first frame, rides on the
    motion, and begins again after a cut; a folder has a mask for each frame. top or ellipse:... stay where they are,
    and colour:... is found in every frame. Outside of all regions the clip stays as it is.

    \b
    dreamer video clip.mp4              write clip-dream.mp4 beside it
    dreamer video clip.mp4 --preview    make a preview: the whole clip, small
    dreamer video clip.mp4 --resume     continue after Ctrl-C or a power cut
    dreamer video clip.mp4 --size 960 -o out.webm
    dreamer video clip.mp4 --start 1:10 --end 1:25
    dreamer video clip.mp4 --every 3    dream over each third frame
    dreamer video clip.mp4 --dance      move with the clip's music
    dreamer video a.mp4 b.mp4 -o dreams/
    dreamer video frames/ --fps 24
    dreamer video clip.mp4 --region face.png=keep --region colour:#88aadd=bloom
    """
    with progress(how) as reporter:
        hearing = Hearing.read(options)
        named, several = _named(clips, reporter)
        problems, outputs = list[str](), list[Path]()
        hands = Hands.read(options, problems)
        if no_audio and audio:
            problems.append("--no-audio and --audio cannot be combined; leave one of them out")
        if start is not None and end is not None and start >= end:
            problems.append("--end: it must come after --start")
        if len(named) == 1 and not named[0].exists():
            problems.append(f"{named[0]}: there is no such file")
        with collect_problems(problems):
            outputs = _outputs(named, output, several)
            format_for(outputs[0], options["codec"], options["quality"])
        audio = "none" if no_audio else audio
        sound = None if audio in (None, "none") else Path(str(audio))
        with collect_problems(problems):
            hearing.check([*named, sound, hearing.drives, *named_files(options)], options["force"] or options["resume"])
        if hearing.chart and len(named) > 1:
            problems.append("--chart: a chart is of one clip; name a single one")
        tell_missing(problems, options, sound, hearing.drives)

        from dreamer.engine.device import use_threads
        from dreamer.plugins.loading import load_plugins

        problems = []
        part = {"start": start, "end": end, "fps": fps}
        stability, every, drives, told = _motion(options["recipe"], stability, every, hearing, problems)
        shared = (stability, part, audio, every, hearing, drives, told, reporter, hands)
        jobs, read = [], None
        for clip, path in zip(named, outputs, strict=True):
            file = ClipFile.read(path, own := dict(options))
            jobs.append(FilmJob(clip, file, RenderOptions(**own), *shared))
        if not several:  # all that is wrong is told together
            with collect_problems(problems):
                read = jobs[0].read()
        registry, plugins = load_plugins()
        presets = {}
        for name in dict.fromkeys(preset for drive in drives for preset in drive.presets):
            with collect_problems(problems):
                look = replace(jobs[0].options, preset=name, recipe=None)
                presets[name] = look.pipeline(registry, reporter.notify, [], fetch=not problems)[0]
        pipeline, _ = jobs[0].options.pipeline(registry, reporter.notify, problems)
        use_threads(pipeline.machine)
        if read:
            return jobs[0].dream(*read, pipeline, plugins, presets)
        if output:
            make_folder(Path(output))
        return _one_by_one(jobs, pipeline, plugins, presets)


def _one_by_one(
    jobs: Sequence[FilmJob], pipeline: Pipeline, plugins: Sequence[Plugin], presets: Mapping[str, Pipeline]
) -> int:
    """Dream over several clips; what is wrong with one does not stop the others. Returns the exit code."""
    codes = {0}
    taken: dict[Path, Path] = {}
    for number, job in enumerate(jobs, 1):
        try:
            check_spared([output := job.file.output, partial_of(output)], [one.clip for one in jobs])
            other = taken.setdefault(job.file.output.resolve(), job.clip)
            if other != job.clip:
                raise UsageError(f"{job.file.output} is also the name for the dream of {other}; use different folders")
            code = job.dream(*job.read(), pipeline, plugins, presets, (number, len(jobs)))
            if code == INTERRUPTED:
                return code
        except Exception as error:
            codes.add(exit_code(error))
            job.reporter.fail(str(job.clip), error)
    return min(codes - {0}, default=0)


def _named(arguments: Sequence[str], reporter: Reporter) -> tuple[list[Path], bool]:
    """The clips that are named, and whether these are several; of several, those that dreamer made are left out."""
    if not arguments:
        raise UsageError("name a clip, as in `dreamer video clip.mp4`")
    clips: dict[Path, None] = {}
    with reported_together() as problems:
        for argument in arguments:
            is_pattern = glob.has_magic(argument) and not os.path.lexists(argument)
            found = sorted(glob.glob(argument, recursive=True)) if is_pattern else [argument]
            paths = map(Path, found)
            clips |= dict.fromkeys(path if path.name else path.resolve() for path in paths)  # "." has no name
            if not found:
                problems.append(f"{argument}: no file matches this pattern")
    undreamt = [clip for clip in clips if len(clips) == 1 or not is_dreamt(clip)]
    if len(undreamt) < len(clips):
        reporter.notify(f"skipped {len(clips) - len(undreamt)} of the clips, which dreamer made")
    if not undreamt:
        raise UsageError("all these clips were made by dreamer; name a single one to dream over it again")
    return undreamt, len(clips) > 1


def _outputs(clips: Sequence[Path], output: str | None, several: bool) -> list[Path]:
    """The files to which the dreams are written, those of `several` in a folder. Raises UsageError."""
    names = [fitting(clip.stem, "-dream.mp4") for clip in clips]
    if output is None:
        return [clip.with_name(name) for clip, name in zip(clips, names, strict=True)]
    place = Path(output)
    if not several:
        return [place]
    if not place.is_dir():
        if os.path.lexists(place):
            raise UsageError(f"-o {output}: several clips need a folder")
        if place.suffix and not output.endswith(("/", os.sep)):
            raise UsageError(f"-o {output}: several clips need a folder; write {output}/ to create it")
        check_folder(place.parent, f"-o {output}")
    return [place / name for name in names]


def _motion(
    recipe: str | None, stability: float | None, every: int | None, hearing: Hearing, problems: list[str]
) -> tuple[float, int, Sequence[Drive], str]:
    """The motion of the dream: as given, else that of the repeated clip. Problems are added to `problems`.

    Returns its stability, of how many frames one is dreamt over, its drives, and the hash of the repeated clip's song.
    """
    from dreamer.videos.film.film import STABILITY

    before: Mapping[str, Any] = {}
    drives: Sequence[Drive] = ()
    with collect_problems(problems):
        before = motion_in(Path(recipe), "video") if recipe else {}
    found = before.get("stability") if stability is None else stability
    found = STABILITY if found is None else found
    if not (isinstance(found, (int, float)) and 0 <= found <= 1):
        problems.append(f"{recipe}: the stability inside: expected a number from 0 to 1, not {found!r}")
    every = every or (int(before["every"]) if before.get("every") in range(1, 31) else 1)
    with collect_problems(problems):
        drives = drives_from(hearing.tables(before.get("drives"), FILM_DANCE), FILM_TARGETS)
    return found, every, drives, song_in(recipe) if before else ""
