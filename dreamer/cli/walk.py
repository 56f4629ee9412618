"""`dreamer walk`: a clip over one photo that morphs from look to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.camera import frame_side
from dreamer.cli.clip import ClipFile, Pace, clip_options_for
from dreamer.cli.missing import check_preset, tell_missing
from dreamer.cli.moments import RATE
from dreamer.cli.options import changes_for, max_pixels_option, option, progress_option
from dreamer.cli.photos import named_files
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.region_options import dream_options
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.still_clip import StillClip
from dreamer.cli.values import FILE, FiniteRange
from dreamer.errors import collect_problems, reported_together
from dreamer.files.suffixes import is_file_name
from dreamer.recipes.cells import named_cell
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    from dreamer.cli.clip import Frames
    from dreamer.image import Photo
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.recipes.registry import Registry
    from dreamer.videos.clip.writer import ClipWriter

_MOST_SECONDS = 4 * 3600
_TWO = "name two looks at least, as in `dreamer walk bloom citadel --photo photo.jpg`"


@click.command()
@click.argument("looks", nargs=-1, metavar="LOOK...")
@option("-o", "--output", metavar="FILE", type=FILE, help="The clip to write. [PHOTO-walk.mp4]")
@option("--photo", metavar="FILE", type=FILE, help="The photo to dream over.")
@option("--sample", is_flag=True, help="Dream over a scene that dreamer draws itself.")
@option("--seconds", type=FiniteRange(0.1, _MOST_SECONDS), metavar="SECONDS", help="Length of the clip. [20]")
@option("--fps", type=RATE, metavar="N", help="Frames per second; a fraction such as 30000/1001 is possible. [30]")
@option("--loop", is_flag=True, help="Come back to the first look, for an endless loop.")
@option(
    "--stability",
    type=FiniteRange(0, 1),
    metavar="0..1",
    help="How much of a frame's dream the next one keeps; less changes more at once. [0.92]",
)
@clip_options_for("Make a preview: the whole walk, a second from look to look, and small.")
@dream_options(changes_for("Long side of the frames; `full` keeps the photo's. [1280]"))
@max_pixels_option
@progress_option
def walk(
    looks: tuple[str, ...],
    output: Path | None,
    photo: Path | None,
    sample: bool,
    seconds: float | None,
    fps: Fraction | None,
    loop: bool,
    stability: float | None,
    how: str,
    **options: Any,
) -> int:
    """Make a clip of a photo that morphs from look to look.

    The result is a clip in which each look becomes the next. A LOOK is a preset, a .toml file, or a picture or clip
    made by dreamer, whose recipe is taken; the photo is not in it, and is named with --photo. The options change all
    looks alike; a --region is as in `dreamer render`.

    \b
    dreamer walk bloom citadel gaze --photo photo.jpg
    dreamer walk a-dream.png b-dream.png --photo a.jpg --seconds 10 -o walk.webm
    dreamer walk bloom reef --photo photo.jpg --loop --preview
    dreamer walk bloom reef --photo photo.jpg --resume
    """
    clip = ClipFile.read(output or _beside(photo), options)
    shared = RenderOptions(preset=None, recipe=None, layer=None, init=None, guide=None, **options)
    problems: list[str] = []
    with collect_problems(problems):
        files = [Path(named_cell(look)[0]) for look in looks if is_file_name(look)]
        format = clip.format([photo, *files, *named_files(vars(shared))])
    if photo is None and not sample:
        problems.append("name the photo to walk over: --photo photo.jpg; --sample takes a scene that dreamer draws")
    if photo and sample:
        problems.append("--sample draws its own scene; leave out --photo")
    problems += _missing(looks)
    tell_missing(problems, options, photo)

    from dreamer.image import load
    from dreamer.plugins.loading import load_plugins
    from dreamer.videos.walk.walk import FPS, SECONDS, STABILITY, Walk, frame_count

    stability = STABILITY if stability is None else stability
    fps, seconds = fps or FPS, seconds or SECONDS
    if clip.preview:
        seconds = min(seconds, len(looks) - (not loop))
    with progress(how) as reporter:
        with reported_together() as problems:
            with collect_problems(problems):
                whole = load(photo, max_pixels=shared.max_pixels) if photo else _scene()
            registry, plugins = load_plugins()
            pipelines = _pipelines(looks, shared, registry, reporter, problems)
        side = frame_side(whole, shared.size, None, reporter.notify)
        tile = clip.tiles(1)[0] if shared.tile is None else None
        still = StillClip.of(clip, format, whole, side, pipelines, names=looks, tile=tile)
        made = Walk(still.picture, still.looks, frame_count(seconds, fps), loop, stability)

        def make(writer: ClipWriter) -> tuple[Frames, Pace]:
            pace = Pace((writer.done, made.frames))
            told = replace(made, on_step=lambda step: reporter.frame(pace.step(0, step)))
            return ((dreamt.frame, None) for dreamt in told.dreams(writer.state, writer.done)), pace

        words = {"seconds": seconds, "fps": str(fps), "loop": loop, "stability": stability}
        words |= {"looks": [look.to_dict() for look in still.looks]}
        label = str(photo or "sample")
        return still.write(make, reporter, label, plugins, {"walk": words}, fps=fps, frames=made.frames)


def _beside(photo: Path | None) -> Path:
    """The clip that is written where -o names none."""
    return photo.with_name(fitting(photo.stem, "-walk.mp4")) if photo and photo.name else Path("walk.mp4")


def _missing(looks: Sequence[str]) -> list[str]:
    """The problems of the looks that are found without torch."""
    from dreamer.videos.walk import MOST_LOOKS

    found = [] if len(looks) > 1 else [_TWO]
    if len(looks) > MOST_LOOKS:
        found.append(f"{len(looks)} looks are too many for a walk; the limit is {MOST_LOOKS}")
    for look in dict.fromkeys(looks[:MOST_LOOKS]):
        with collect_problems(found):
            if not is_file_name(look):
                check_preset(look)
            elif not Path(named_cell(look)[0]).exists():
                found.append(f"there is no file {look}")
    return found


def _pipelines(
    looks: Sequence[str], shared: RenderOptions, registry: Registry, reporter: Reporter, problems: list[str]
) -> list[Pipeline]:
    """A pipeline for each look; what is wrong with them is added to `problems`."""
    found: dict[str, Pipeline] = {}
    for look in dict.fromkeys(looks):
        given = replace(shared, recipe=look) if is_file_name(look) else replace(shared, preset=look)
        with collect_problems(problems):
            found[look] = given.pipeline(registry, reporter.notify, [], fetch=not problems)[0]
    return [found[look] for look in looks if look in found]


def _scene() -> Photo:
    """dreamer's own scene."""
    from dreamer.image import load, to_pil
    from dreamer.motifs.sample_scene import scene

    return load(to_pil(scene(960, 640)))
