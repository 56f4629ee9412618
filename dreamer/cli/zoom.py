"""`dreamer zoom`: a clip that zooms endlessly into a photo and its dream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.clip import ClipFile, Pace, clip_options
from dreamer.cli.hands import Hands, bounded, jobs_options
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import (
    FILE,
    machine_options,
    max_pixels_option,
    option,
    progress_option,
    recipe_options_for,
    region_options,
)
from dreamer.cli.photos import named_files
from dreamer.cli.progress import Frame, progress
from dreamer.cli.provenance import motion_in, provenance_for, provenance_in
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.zoom_spans import ZoomSpans
from dreamer.errors import UsageError, collect_problems
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from dreamer.cli.clip import Frames
    from dreamer.engine.step import Step
    from dreamer.image import Photo
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.recipes.registry import Registry
    from dreamer.videos.clip.state import StateStore
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.zoom.feedback import FeedbackZoom
    from dreamer.videos.zoom.keyframes import KeyframeZoom
    from dreamer.videos.zoom.zoom import Zoom

_MOTION = ("seconds", "fps", "rate", "angle", "centre", "pan", "ease", "direction", "loop", "mode")


@click.command()
@click.argument("photo", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The clip to write. [PHOTO-zoom.mp4]")
@option("--seconds", metavar="SECONDS", help="Length of the clip. [10]")
@option("--fps", metavar="N", help="Frames per second; a fraction such as 30000/1001 is possible. [30]")
@option("--rate", metavar="FACTOR", help="Magnification per second. [1.3]")
@option("--angle", metavar="DEGREES", help="Rotation of the view per second. [0]")
@option("--centre", metavar="X,Y", help="Point to zoom into, from 0,0 (top left) to 1,1. [0.5,0.5]")
@option("--pan", metavar="X,Y", help="Movement of the view per second, in units of its long side. [0,0]")
@option("--ease", metavar="none|in|out|both", help="Start slowly, end slowly, or both. [none]")
@option("--direction", metavar="in|out", help="Zoom in, or out: the same clip reversed. [in]")
@option("--loop", is_flag=True, default=None, help="Make the end meet the start, for an endless loop.")
@option("--mode", metavar="keyframes|feedback", help="Sharp and cheap, or the classic frame by frame. [keyframes]")
@option("--keyframes", metavar="FILE", type=FILE, help="Change settings over time: a .toml file.")
@option("--audio", metavar="FILE", type=FILE, help="Add a sound track, cut to the length of the clip.")
@clip_options
@recipe_options_for("Long side of the frames; `full` keeps the photo's. [1280]")
@region_options
@machine_options
@jobs_options("spans")
@max_pixels_option
@progress_option
def zoom(
    photo: Path,
    output: Path | None,
    keyframes: Path | None,
    audio: Path | None,
    how: str,
    **options: Any,
) -> int:
    """Zoom endlessly into a photo.

    The result is a clip in which new forms grow all the time.

    A --region is as in `dreamer render`, and a part of the photo: its mask, by formula as well, moves as the photo
    does. Outside of all regions every frame shows the photo alone. Presets of keyframes are the looks of regions
    without one.

    \b
    dreamer zoom photo.jpg              write ten seconds, photo-zoom.mp4
    dreamer zoom photo.jpg --preview    make a preview of the first second
    dreamer zoom photo.jpg --resume     continue after Ctrl-C or a power cut
    dreamer zoom photo.jpg --loop -o clip.webm
    dreamer zoom photo.jpg --region sky.png=bloom --region face.png=keep
    """
    motion = {name: value for name in _MOTION if (value := options.pop(name)) is not None}
    clip = ClipFile.read(output or photo.parent / fitting(photo.stem, "-zoom.mp4"), options)
    problems: list[str] = []
    hands = Hands.read(options, problems)
    plan = format = whole = None
    with collect_problems(problems):
        format = clip.format([photo, audio, keyframes, *named_files(options)])
    tell_missing(problems, options, photo, keyframes, audio)

    from dreamer.engine.device import keep_freed_memory, use_threads
    from dreamer.image import load
    from dreamer.plugins.loading import load_plugins
    from dreamer.videos.clip.formats import frame_size
    from dreamer.videos.zoom.frames import frames_of
    from dreamer.videos.zoom.keyframes import KeyframeZoom
    from dreamer.videos.zoom.scene import SPACING, Scene, path_of, settled_looks
    from dreamer.videos.zoom.schedule import zoom_words

    with progress(how) as reporter:
        with collect_problems(problems):
            plan = _plan(options["recipe"], motion, keyframes)
        if hands and plan and plan.mode != "keyframes":
            problems.append("--jobs: with --mode feedback each frame needs the one before; leave one of them out")
        if hands and format and not format.segmented:
            problems.append(f"--jobs: a clip in {format.codec} is not made of segments; write .mp4 or .webm")
        with collect_problems(problems):
            clip.format([Path(key.preset) for key in plan.keyframes if key.preset] if plan else [])
        with collect_problems(problems):
            whole = load(photo, max_pixels=options["max_pixels"])
            options["size"] = _side(whole, options["size"], options["recipe"], clip.preview, reporter.notify)
        registry, plugins = load_plugins()
        looks = looks_of(RenderOptions(**options), plan, registry, reporter.notify, problems, clip.tiles)
        if problems or not (plan and format and whole):
            raise UsageError(*problems)
        sized = whole.resized(looks[plan.look(0.0)].recipe.size)
        size = frame_size(format, sized.height, sized.width)
        looks = {look: bounded(each) for look, each in looks.items()} if hands else looks
        looks = settled_looks(looks, whole, size)
        usual = looks[plan.look(0.0)]
        use_threads(usual.machine)
        if not usual.plan(*size).tiled:
            keep_freed_memory()
        frames = min(plan.frames, max(1, round(plan.fps))) if clip.preview else plan.frames
        provenance = provenance_for(usual, whole.sha256, usual.machine, plugins)
        recipe = {**json.loads(provenance.text()), "zoom": zoom_words(plan)}
        path_of(plan, size).at(max(plan.time(0), plan.time(frames - 1)))  # refuses one that is too deep

        tiles = [look.machine.tile for look in looks.values()]
        words = {**RenderOptions(**options).to_dict(), "photo": str(photo), "zoom": zoom_words(plan), "tiles": tiles}
        words |= {"size": list(size), "format": asdict(format)}

        def scene(store: StateStore, on_step: Callable[[int, Step], None]) -> Scene:
            return Scene(whole.image(), plan, size, lambda time: looks[plan.look(time)], store, SPACING, on_step)

        def join(writer: ClipWriter) -> int:
            def on_step(number: int, step: Step) -> None:
                reporter.frame(Frame(0, frames, 0.0, f"keyframe {number + 1}, octave {step.octave + 1}/{step.octaves}"))

            made = KeyframeZoom(scene(writer.state, on_step))
            about = {**words, "folder": str(writer.folder)}
            return ZoomSpans(made, frames, about, hands.hire(usual.machine), reporter).join(writer)

        def make(writer: ClipWriter) -> tuple[Frames, Pace]:
            def on_step(number: int, step: Step) -> None:
                reporter.frame(pace.step(number, step))

            made = frames_of(scene(writer.state, on_step))
            pace = Pace((writer.done, frames), made.dreams(writer.done, frames))
            return _frames(made, writer.done, frames), pace

        return clip.write(
            make,
            reporter,
            str(photo),
            format,
            recipe=recipe,
            decides={**recipe, "looks": [look.to_dict() for look in looks.values()]},
            tiles=tiles,
            join=join if hands else None,
            size=size,
            fps=plan.fps,
            frames=frames,
            audio=audio,
        )


def _side(photo: Photo, asked: int | None, recipe: str | None, preview: bool, notify: Callable[[str], None]) -> int:
    """The long side of the frames: as given, else that of the repeated clip, else the photo's, but at most SIZE.

    A given size may be larger than the photo, since a zoom magnifies anyway; a clip, which may be a stranger's, cannot
    ask for that.
    """
    from dreamer.videos.zoom.scene import SIZE

    whole = max(photo.width, photo.height)
    if asked is None and recipe and motion_in(Path(recipe)):
        size = provenance_in(Path(recipe)).recipe.get("size")
        if isinstance(size, int) and size >= 16:
            asked = min(size, whole)
            if size > whole:
                notify(
                    f"the frames are {whole} pixels long, as the photo is, and not {size}; --size {size} enlarges them"
                )
    side = min(whole, SIZE) if asked is None else asked or whole
    return side // 4 if preview else side


def _plan(recipe: str | None, options: Mapping[str, Any], keyframes: Path | None) -> Zoom:
    """How the clip moves: by the options, else like the repeated clip."""
    from dreamer.videos.zoom.schedule import read_schedule, zoom_from

    words = dict(motion_in(Path(recipe))) if recipe else {}
    words |= options
    if keyframes:
        words["keyframes"] = read_schedule(keyframes)
    try:
        plan = zoom_from(words)
    except UsageError as error:
        where = f"{keyframes}: " if keyframes else ""
        raise UsageError(*(where + each if each.startswith("keyframes") else each for each in error.problems)) from None
    files = [number for number, key in enumerate(plan.keyframes) if (key.preset or "").endswith(".toml")]
    if files and not keyframes:  # a stranger's clip must not open files here
        why = "a clip may name a preset, but not a file; use --keyframes for that"
        raise UsageError(*(f"{recipe}: keyframes[{number}].preset: {why}" for number in files))
    return plan


def looks_of(
    given: RenderOptions,
    plan: Zoom | None,
    registry: Registry,
    notify: Callable[[str], None],
    problems: list[str],
    tiles: Callable[[int], Sequence[int | None]],
) -> dict[tuple[str | None, str | None], Pipeline]:
    """A pipeline for every preset and layer that the keyframes name; `tiles` gives those of so many looks, if known.

    What is wrong with them is added to `problems`.
    """
    looks = {}
    wanted = plan.looks() if plan else [(None, None)]
    for (preset, layer), tile in zip(wanted, tiles(len(wanted)), strict=True):
        look = replace(given, layer=layer or given.layer, tile=tile if given.tile is None else given.tile)
        look = replace(look, preset=preset, recipe=None) if preset else look
        with collect_problems(problems):
            looks[preset, layer] = look.pipeline(registry, notify, [], fetch=not problems)[0]
    return looks


def _frames(made: KeyframeZoom | FeedbackZoom, begin: int, end: int) -> Frames:
    """Yield frames `begin` to `end` - 1, evenly spaced in time."""
    for number in range(begin, end):
        image = made.frame(number)
        made.checkpoint(number)
        yield pixels_of(image), None


def pixels_of(image: Tensor) -> NDArray[np.uint8]:
    """Return a picture (1, 3, H, W) in [0, 1] as (H, W, 3), uint8."""
    import numpy as np

    return np.ascontiguousarray(image[0].permute(1, 2, 0).mul(255).round().byte().numpy())
