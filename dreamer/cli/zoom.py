"""`dreamer zoom`: a clip that zooms endlessly into a photo and its dream."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.camera import FOLLOW, frame_side, kept_way, motion_of, motion_options, moves, planned
from dreamer.cli.clip import ClipFile, Pace, clip_options, few
from dreamer.cli.depth import depth_file, depth_options, relief_for
from dreamer.cli.hands import Hands, bounded, jobs_options
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import (
    FILE,
    machine_options,
    max_pixels_option,
    option,
    progress_option,
    recipe_options_for,
)
from dreamer.cli.photos import named_files
from dreamer.cli.progress import Frame, progress
from dreamer.cli.provenance import provenance_for
from dreamer.cli.region_options import region_options
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.sound import Hearing, sound_options
from dreamer.cli.zoom_spans import ZoomSpans, divisible
from dreamer.errors import UsageError, collect_problems
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from dreamer.cli.clip import Frames
    from dreamer.engine.step import Step
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.recipes.registry import Registry
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.zoom.depth.depth_zoom import DepthZoom
    from dreamer.videos.zoom.feedback import FeedbackZoom
    from dreamer.videos.zoom.frames import BareZoom
    from dreamer.videos.zoom.keyframes import KeyframeZoom
    from dreamer.videos.zoom.scene import Look
    from dreamer.videos.zoom.zoom import Zoom


@click.command()
@click.argument("photo", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The clip to write. [PHOTO-zoom.mp4]")
@motion_options
@option("--audio", metavar="FILE", type=FILE, help="Add a sound track, cut to the length of the clip.")
@sound_options
@depth_options
@option(
    "--path", "bare", is_flag=True, help="Write only the way of the camera over the undreamt photo, small: in seconds."
)
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
    bare: bool,
    depth: str | None,
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
    dreamer zoom photo.jpg --preview    make a preview: the whole clip, small
    dreamer zoom photo.jpg --resume     continue after Ctrl-C or a power cut
    dreamer zoom photo.jpg --loop -o clip.webm
    dreamer zoom photo.jpg --audio song.m4a --dance --chart song.png
    dreamer zoom photo.jpg --centre follow --path
    dreamer zoom photo.jpg --depth near-is-bright.png --dolly 0.1
    dreamer zoom photo.jpg --region sky.png=bloom --region face.png=keep
    """
    motion, hearing = motion_of(options), Hearing.read(options)
    output = output or photo.parent / fitting(photo.stem, "-zoom.mp4")
    clip = ClipFile.read(output, options, small="path" if bare else None)
    problems: list[str] = []
    hands = Hands.read(options, problems)
    divided = bool(hands) and not clip.preview and not bare
    plan = format = whole = song = None
    with collect_problems(problems):
        named = [photo, audio, keyframes, hearing.drives, depth_file(depth), *named_files(options)]
        format = clip.format(named)
        hearing.check(named, clip.force or clip.resume)
    tell_missing(problems, options, photo, keyframes, audio, hearing.drives, depth_file(depth))

    from dreamer.engine.device import keep_freed_memory, use_threads
    from dreamer.image import load
    from dreamer.pipeline.preview import preview_side, small_side
    from dreamer.plugins.loading import load_plugins
    from dreamer.videos.clip.formats import frame_size
    from dreamer.videos.sound.driven import STILL
    from dreamer.videos.zoom.following import along, followed, way_of
    from dreamer.videos.zoom.frames import BareZoom, frames_of, spanned
    from dreamer.videos.zoom.scene import SPACING, Scene, keyframe_size, path_of, settled_looks
    from dreamer.videos.zoom.schedule import zoom_words

    with progress(how) as reporter:
        with collect_problems(problems):
            plan, song = planned(options["recipe"], motion, keyframes, hearing, audio, reporter.notify)
            plan = plan.in_depth(depth is not None)
        if divided and plan and format:
            problems += divisible(plan, format)
        with collect_problems(problems):
            clip.format([Path(key.preset) for key in plan.keyframes if key.preset] if plan else [])
        with collect_problems(problems):
            whole = load(photo, max_pixels=options["max_pixels"])
            options["size"] = frame_side(whole, options["size"], options["recipe"], reporter.notify)
        registry, plugins = load_plugins()
        relief, deep = None, ""
        if plan and whole:
            with collect_problems(problems):
                relief, deep = relief_for(depth, plan, whole, photo, registry, options["max_pixels"])
        looks = looks_of(RenderOptions(**options), plan, registry, reporter.notify, problems, clip.tiles)
        if problems or not (plan and format and whole):
            raise UsageError(*problems)
        sized = whole.resized(looks[plan.look(0.0)].recipe.size)
        size = large = frame_size(format, sized.height, sized.width)
        if clip.preview:
            side = small_side(*large, max(large)) if bare else preview_side(looks[plan.look(0.0)], *large)
            sized = whole.resized(side)
            size = frame_size(format, sized.height, sized.width)
            wholes = {size: large, keyframe_size(size): keyframe_size(large)}
            looks = {name: replace(look, wholes=wholes) for name, look in looks.items()}
        looks = {look: bounded(each) for look, each in looks.items()} if divided else looks
        looks = settled_looks(looks, whole, size)
        usual = looks[plan.look(0.0)]
        use_threads(usual.machine)
        if not usual.plan(*size).tiled:
            keep_freed_memory()
        if motion.get("centre") == FOLLOW:
            if kept := kept_way(clip.note("way"), plan.seconds):  # other machines might see another one
                plan = along(plan, kept)
            else:
                reporter.notify("looking for the way through the photo")
                plan = followed(whole, plan, partial(_look_at, looks, plan), size)
        step = few(plan.fps) if clip.preview and not bare else 1
        frames = math.ceil(plan.frames / step)
        provenance = provenance_for(usual, whole.sha256, usual.machine, plugins)
        recipe = {**json.loads(provenance.text()), "zoom": zoom_words(plan)}
        if plan.drives.driven:
            recipe["sound"] = plan.drives.sha256
        if deep:
            recipe["depth"] = deep
        way = path_of(plan, size)
        way.at(max(plan.time(0), plan.time(plan.frames - 1)))  # refuses one that is too deep
        if hearing.chart:
            moved = moves(plan, way, usual.recipe.strength)
            hearing.draw(song, plan.seconds, moved, replace=clip.force or clip.resume)

        tiles = [look.machine.tile for look in looks.values()]

        def scene(writer: ClipWriter, on_step: Callable[[int, Step], None]) -> Scene:
            look = partial(_look_at, looks, plan)
            return Scene(whole.image(), plan, size, look, writer.state, SPACING, on_step, relief)

        def join(writer: ClipWriter) -> int:
            def on_step(number: int, step: Step) -> None:
                reporter.frame(Frame(0, frames, 0.0, f"keyframe {number + 1}, octave {step.octave + 1}/{step.octaves}"))

            still = zoom_words(replace(plan, drives=STILL))
            words = {**RenderOptions(**options).to_dict(), "photo": str(photo), "sha256": whole.sha256, "zoom": still}
            words |= {"depth": depth, "drives": plan.drives.told(plan.seconds), "tiles": tiles, "size": list(size)}
            words |= {"format": asdict(format), "folder": str(writer.folder)}
            made = spanned(scene(writer, on_step))
            return ZoomSpans(made, frames, words, hands.hire(usual.machine), reporter).join(writer)

        def make(writer: ClipWriter) -> tuple[Frames, Pace]:
            def on_step(number: int, step: Step) -> None:
                reporter.seen(step.picture)
                reporter.frame(pace.step(number, step))

            made = BareZoom(scene(writer, on_step)) if bare else frames_of(scene(writer, on_step))
            passed = (min(number * step, plan.frames) for number in (writer.done, frames))
            pace = Pace((writer.done, frames), made.dreams(*passed))
            return _frames(made, range(writer.done * step, plan.frames, step)), pace

        return clip.write(
            make,
            reporter,
            str(photo),
            format,
            recipe=recipe,
            decides={
                **recipe,
                "looks": [look.to_dict() for look in looks.values()],
                **({"bare": True} if bare else {}),
            },
            notes={"way": [(time, *centre) for time, centre in way_of(plan)]} if motion.get("centre") == FOLLOW else {},
            tiles=tiles,
            join=join if divided else None,
            size=size,
            fps=plan.fps / step,
            frames=frames,
            audio=audio,
        )


def looks_of(
    given: RenderOptions,
    plan: Zoom | None,
    registry: Registry,
    notify: Callable[[str], None],
    problems: list[str],
    tiles: Callable[[int], Sequence[int | None]],
) -> dict[Look, Pipeline]:
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


def _look_at(looks: Mapping[Look, Pipeline], plan: Zoom, time: float) -> Pipeline:
    """What dreams at a time."""
    return looks[plan.look(time)]


def _frames(made: BareZoom | DepthZoom | FeedbackZoom | KeyframeZoom, numbers: range) -> Frames:
    """Yield frames, evenly spaced in time."""
    for number in numbers:
        image = made.frame(number)
        made.checkpoint(number)
        yield pixels_of(image), None


def pixels_of(image: Tensor) -> NDArray[np.uint8]:
    """Return a picture (1, 3, H, W) in [0, 1] as (H, W, 3), uint8."""
    import numpy as np

    return np.ascontiguousarray(image[0].permute(1, 2, 0).mul(255).round().byte().numpy())
