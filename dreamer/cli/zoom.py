"""`dreamer zoom`: a clip that zooms endlessly into a photo and its dream."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.camera import FOLLOW, frame_side, kept_way, motion_of, motion_options, moves, planned
from dreamer.cli.clip import ClipFile, Pace, clip_options, few
from dreamer.cli.depth import depth_file, depth_options, relief_for
from dreamer.cli.hands import Hands, bounded, jobs_options
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import max_pixels_option, option, progress_option, recipe_options_for
from dreamer.cli.photos import named_files
from dreamer.cli.progress import Frame, Reporter, progress
from dreamer.cli.provenance import provenance_for
from dreamer.cli.region_options import dream_options
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.sound import Hearing, sound_options
from dreamer.cli.values import FILE
from dreamer.cli.zoom_spans import ZoomSpans, divisible, looks_of
from dreamer.errors import collect_problems, reported_together
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    from dreamer.cli.clip import Frames
    from dreamer.engine.step import Step
    from dreamer.image import Photo
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.sound.song import Song
    from dreamer.videos.zoom.depth.relief import Relief
    from dreamer.videos.zoom.scene import Look, OnStep, Scene
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
@dream_options(recipe_options_for("Long side of the frames; `full` keeps the photo's. [1280]"))
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
    motion, hearing, preview = motion_of(options), Hearing.read(options), options["preview"]
    output = output or photo.parent / fitting(photo.stem, "-zoom.mp4")
    clip = ClipFile.read(output, options, small="path" if bare else None)
    problems = ["--path and --preview cannot be combined; a path is quick to make by itself"] * (bare and preview)
    hands = Hands.read(options, problems)
    divided = bool(hands) and not clip.preview
    files = [photo, keyframes, audio, hearing.drives, depth_file(depth)]
    named = [*files, *named_files(options)]
    with collect_problems(problems):
        format = clip.format(named)
    with collect_problems(problems):
        hearing.check(named, clip.force or clip.resume)
    tell_missing(problems, options, *files)

    from dreamer.engine.device import keep_freed_memory, use_threads
    from dreamer.image import load
    from dreamer.plugins.loading import load_plugins

    with progress(how) as reporter:
        plan = whole = None
        with reported_together() as problems:
            with collect_problems(problems):
                plan, song = planned(options["recipe"], motion, keyframes, hearing, audio, reporter.notify)
                plan = plan.in_depth(depth is not None)
            if plan and divided:
                problems += divisible(plan, format)
            with collect_problems(problems):
                clip.format([Path(key.preset) for key in plan.keyframes if key.preset] if plan else [])
            with collect_problems(problems):
                whole = load(photo, max_pixels=options["max_pixels"])
                options["size"] = frame_side(whole, options["size"], options["recipe"], reporter.notify)
            registry, plugins = load_plugins()
            given = RenderOptions(**options)
            with collect_problems(problems):
                if plan and whole:
                    deep = relief_for(depth, plan, whole, photo, registry, given.max_pixels)
            looks = looks_of(given, plan, registry, reporter.notify, problems, clip.tiles)
        about = (depth, *deep, hearing, song, clip, format, audio, bare, motion.get("centre") == FOLLOW)
        job = ZoomJob(photo, whole, plan, looks, given, *about, hands, divided, reporter).settled()
        use_threads(job.usual.machine)
        if not job.usual.plan(*job.size).tiled:
            keep_freed_memory()
        return job.following().write(plugins)


@dataclass(frozen=True)
class ZoomJob:
    """A photo, how its zoom moves, what dreams, and the options of `dreamer zoom`."""

    path: Path
    photo: Photo
    plan: Zoom
    looks: Mapping[Look, Pipeline]
    options: RenderOptions
    depth: str | None
    relief: Relief | None
    relief_key: str
    hearing: Hearing
    song: Song | None
    file: ClipFile
    format: Format
    audio: Path | None
    bare: bool
    follows: bool
    hands: Hands
    divided: bool
    """Whether they make the clip, in spans."""
    reporter: Reporter
    size: tuple[int, int] = (0, 0)
    """(height, width) of the frames, once they are settled."""

    @property
    def usual(self) -> Pipeline:
        """The pipeline that dreams at the beginning."""
        return self.look_at(0.0)

    @property
    def step(self) -> int:
        """The distance between two frames that are made: 1, or more in a preview."""
        return few(self.plan.fps) if self.file.preview and not self.bare else 1

    @property
    def frames(self) -> int:
        """The number of frames that are made."""
        return math.ceil(self.plan.frames / self.step)

    @property
    def tiles(self) -> list[int]:
        """The tiles of the looks."""
        return [look.machine.tile for look in self.looks.values()]

    def look_at(self, time: float) -> Pipeline:
        """The pipeline that dreams at a time."""
        return self.looks[self.plan.look(time)]

    def settled(self) -> ZoomJob:
        """The same with the size of its frames, and with looks that are ready for it."""
        from dreamer.videos.zoom.scene import keyframe_size, settled_looks

        _, size, wholes = self.file.framed(self.photo, self.usual.recipe.size, self.format, self._preview_side)
        wholes |= {keyframe_size(own): keyframe_size(whole) for own, whole in wholes.items()}
        looks = {name: replace(look, wholes=wholes) for name, look in self.looks.items()}
        looks = {name: bounded(look) for name, look in looks.items()} if self.divided else looks
        return replace(self, looks=settled_looks(looks, self.photo, size), size=size)

    def _preview_side(self, height: int, width: int) -> int:
        from dreamer.pipeline.preview import preview_side, small_side

        return small_side(height, width, max(height, width)) if self.bare else preview_side(self.usual, height, width)

    def following(self) -> ZoomJob:
        """The same with the way of a camera that looks for its own, if it is to."""
        from dreamer.videos.zoom.following import along, followed

        if not self.follows:
            return self
        if kept := kept_way(self.file.note("way"), self.plan.seconds):  # other machines might see another one
            return replace(self, plan=along(self.plan, kept))
        self.reporter.notify("looking for the way through the photo")
        return replace(self, plan=followed(self.photo, self.plan, self.look_at, self.size))

    def write(self, plugins: Sequence[Plugin]) -> int:
        """Write the clip, or what an interrupted one lacks; returns the exit code."""
        from dreamer.videos.zoom.following import way_of

        recipe = self._recipe(plugins)
        self._draw()
        looks = {"looks": [look.to_dict() for look in self.looks.values()]}
        return self.file.write(
            self._make,
            self.reporter,
            str(self.path),
            self.format,
            recipe=recipe,
            decides={**recipe, **looks, **({"bare": True} if self.bare else {})},
            notes={"way": [(time, *centre) for time, centre in way_of(self.plan)]} if self.follows else {},
            tiles=self.tiles,
            join=self._join if self.divided else None,
            size=self.size,
            fps=self.plan.fps / self.step,
            frames=self.frames,
            audio=self.audio,
        )

    def _recipe(self, plugins: Sequence[Plugin]) -> dict[str, Any]:
        """The recipe that is written into the clip."""
        from dreamer.videos.zoom.schedule import zoom_words

        provenance = provenance_for(self.usual, self.photo.sha256, self.usual.machine, plugins)
        recipe = {**json.loads(provenance.text()), "zoom": zoom_words(self.plan)}
        recipe |= {"sound": self.plan.drives.sha256} if self.plan.drives.driven else {}
        return recipe | ({"depth": self.relief_key} if self.relief_key else {})

    def _draw(self) -> None:
        """Draw the chart, if one is wanted. Raises UsageError for a zoom that is too deep."""
        from dreamer.videos.zoom.scene import path_of

        plan, way = self.plan, path_of(self.plan, self.size)
        way.at(max(plan.time(0), plan.time(plan.frames - 1)))  # refuses one that is too deep
        if self.hearing.chart:
            moved = moves(plan, way, self.usual.recipe.strength)
            how = {"replace": self.file.force, "resume": self.file.resume}
            self.hearing.draw(self.song, plan.seconds, moved, **how)

    def _scene(self, writer: ClipWriter, on_step: OnStep) -> Scene:
        from dreamer.videos.zoom.scene import SPACING, Scene

        how = (self.plan, self.size, self.look_at, writer.state, SPACING, on_step, self.relief)
        return Scene(self.photo.image(), *how)

    def _make(self, writer: ClipWriter) -> tuple[Frames, Pace]:
        """The frames that a writer lacks, and the pace at which they are made."""
        from dreamer.videos.film.passage import eight_bits
        from dreamer.videos.zoom.frames import BareZoom, frames_of, pictures

        def on_step(number: int, step: Step) -> None:
            self.reporter.seen(step.picture)
            self.reporter.frame(pace.step(number, step))

        scene = self._scene(writer, on_step)
        made = BareZoom(scene) if self.bare else frames_of(scene)
        passed = (min(number * self.step, self.plan.frames) for number in (writer.done, self.frames))
        pace = Pace((writer.done, self.frames), made.dreams(*passed))
        numbers = range(writer.done * self.step, self.plan.frames, self.step)
        return ((eight_bits(picture), None) for picture in pictures(made, numbers)), pace

    def _join(self, writer: ClipWriter) -> int:
        """Have the clip made in spans; returns the exit code."""
        from dreamer.videos.sound.driven import STILL
        from dreamer.videos.zoom.frames import spanned
        from dreamer.videos.zoom.schedule import zoom_words

        def on_step(number: int, step: Step) -> None:
            doing = f"keyframe {number + 1}, octave {step.octave + 1}/{step.octaves}"
            self.reporter.frame(Frame(0, self.frames, 0.0, doing))

        plan = self.plan
        words = {**self.options.to_dict(), "photo": str(self.path), "sha256": self.photo.sha256, "depth": self.depth}
        words |= {"zoom": zoom_words(replace(plan, drives=STILL)), "drives": plan.drives.told(plan.seconds)}
        words |= {"tiles": self.tiles, "size": list(self.size), "format": asdict(self.format)}
        words |= {"folder": str(writer.folder)}
        made, hire = spanned(self._scene(writer, on_step)), self.hands.hire(self.usual.machine)
        return ZoomSpans(made, self.frames, words, hire, self.reporter).join(writer)
