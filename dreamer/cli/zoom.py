"""`dreamer zoom`: a clip that zooms endlessly into a photo and its dream."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.clip import Pace, clip_options, film, identity_of, may_replace, preview_of, tiles_of
from dreamer.cli.options import FILE, machine_options, max_pixels_option, option, progress_option, recipe_options_for
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.provenance import motion_in, provenance_for, provenance_in
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, collect_problems

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamer.engine.step import Step
    from dreamer.image import Photo
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.recipes.registry import Registry
    from dreamer.video.zoom.scene import Scene
    from dreamer.video.zoom.zoom import Zoom

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
@machine_options
@max_pixels_option
@progress_option
def zoom(
    photo: Path,
    output: Path | None,
    keyframes: Path | None,
    audio: Path | None,
    codec: str | None,
    quality: int | None,
    resume: bool,
    preview: bool,
    force: bool,
    how: str,
    **options: Any,
) -> int:
    """Zoom endlessly into a photo.

    The result is a clip in which new forms grow all the time.

    \b
    dreamer zoom photo.jpg              write ten seconds, photo-zoom.mp4
    dreamer zoom photo.jpg --preview    make a preview of the first second
    dreamer zoom photo.jpg --resume     continue after Ctrl-C or a power cut
    dreamer zoom photo.jpg --loop -o clip.webm
    """
    from dreamer.engine.device import keep_freed_memory, use_threads
    from dreamer.image import load
    from dreamer.plugins.loading import load_plugins
    from dreamer.video.clip.formats import format_for, frame_size
    from dreamer.video.clip.manifest import partial_of
    from dreamer.video.clip.writer import ClipWriter
    from dreamer.video.zoom.scene import SPACING, Scene, settled_looks

    motion = {name: value for name in _MOTION if (value := options.pop(name)) is not None}
    output = output or photo.with_name(f"{photo.stem}-zoom.mp4")
    output = preview_of(output) if preview else output
    problems: list[str] = []
    with progress(how) as reporter:
        falling = format = whole = None
        with collect_problems(problems):
            falling = _falling(options["recipe"], motion, keyframes)
        with collect_problems(problems):
            format = format_for(output, codec, quality)
            check_folder(output.parent, f"-o {output}")
            check_spared([output, partial_of(output)], [path for path in (photo, audio, keyframes) if path])
        with collect_problems(problems):
            whole = load(photo, max_pixels=options["max_pixels"])
            options["size"] = _side(whole, options["size"], options["recipe"], preview)
        wish = RenderOptions(**options)
        registry, plugins = load_plugins()
        looks = _looks(wish, falling, registry, reporter.say, problems, begun=output if resume else None)
        if problems or not (falling and format and whole):
            raise UsageError(*problems)
        sized = whole.resized(looks[falling.look(0.0)].recipe.size)
        size = frame_size(format, sized.height, sized.width)
        looks = settled_looks(looks, whole, size)
        usual = looks[falling.look(0.0)]
        use_threads(usual.machine)
        if not usual.plan(*size).tiled:
            keep_freed_memory()
        frames = min(falling.frames, max(1, round(falling.fps))) if preview else falling.frames
        recipe = _recipe(usual, falling, whole, plugins)
        reporter.start(str(photo), 1, 1)
        with ClipWriter.open(
            output,
            format,
            size=size,
            fps=falling.fps,
            frames=frames,
            recipe=json.dumps(recipe),
            identity=identity_of({**recipe, "looks": [look.to_dict() for look in looks.values()]}),
            resume=resume,
            force=may_replace(output, preview, force),
            audio=audio,
            notes={"tiles": [look.machine.tile for look in looks.values()]},
        ) as writer:
            if writer.finished:
                reporter.skip(str(photo), str(output))
                return 0
            scene = Scene(whole.image(), falling, size, lambda time: looks[falling.look(time)], writer.state, SPACING)
            fall = _Fall(scene, reporter, writer.done, frames)
            made = ((fall.frame(number), None) for number in range(writer.done, frames))
            return film(writer, made, fall.checkpoint, fall.pace, reporter, str(photo))


def _side(photo: Photo, wished: int | None, recipe: str | None, preview: bool) -> int:
    """The long side of the frames: as given, else that of the repeated clip, else the photo's, but at most SIZE.

    A given size may be larger than the photo, since a zoom magnifies anyway.
    """
    from dreamer.video.zoom.scene import SIZE

    whole = max(photo.width, photo.height)
    if wished is None and recipe and motion_in(Path(recipe)):
        size = provenance_in(Path(recipe)).recipe.get("size")
        wished = size if isinstance(size, int) and size >= 16 else None
    side = min(whole, SIZE) if wished is None else wished or whole
    return side // 4 if preview else side


def _falling(recipe: str | None, wishes: Mapping[str, Any], keyframes: Path | None) -> Zoom:
    """How the clip moves: by the options, else like the repeated clip."""
    from dreamer.video.zoom.schedule import read_schedule, zoom_from

    words = dict(motion_in(Path(recipe))) if recipe else {}
    words |= wishes
    if keyframes:
        words["keyframes"] = read_schedule(keyframes)
    try:
        falling = zoom_from(words)
    except UsageError as error:
        where = f"{keyframes}: " if keyframes else ""
        raise UsageError(*(where + each if each.startswith("keyframes") else each for each in error.problems)) from None
    files = [number for number, key in enumerate(falling.keyframes) if (key.preset or "").endswith(".toml")]
    if files and not keyframes:  # a stranger's clip must not open files here
        why = "a clip may name a preset, but not a file; use --keyframes for that"
        raise UsageError(*(f"{recipe}: keyframes[{number}].preset: {why}" for number in files))
    return falling


def _looks(
    wish: RenderOptions,
    falling: Zoom | None,
    registry: Registry,
    say: Callable[[str], None],
    problems: list[str],
    begun: Path | None,
) -> dict[tuple[str | None, str | None], Pipeline]:
    """A pipeline for every preset and layer that the keyframes name, with its tile in the interrupted clip, if any.

    What is wrong with them is added to `problems`.
    """
    looks = {}
    wanted = falling.looks() if falling else [(None, None)]
    tiles = tiles_of(begun, len(wanted)) if begun else [None] * len(wanted)
    for (preset, layer), tile in zip(wanted, tiles, strict=True):
        look = replace(wish, preset=preset or wish.preset, layer=layer or wish.layer)
        look = replace(look, tile=tile if wish.tile is None else wish.tile)
        look = replace(look, recipe=None if preset else wish.recipe)
        with collect_problems(problems):
            looks[preset, layer] = look.pipeline(registry, say, [], fetch=not problems)[0]
    return looks


def _recipe(pipeline: Pipeline, falling: Zoom, photo: Photo, plugins: Sequence[Plugin]) -> dict[str, Any]:
    """What is written into the clip: the provenance of a picture, and how the clip moves."""
    from dreamer.video.zoom.schedule import zoom_words

    provenance = provenance_for(pipeline, photo.sha256, pipeline.machine, plugins)
    return {**json.loads(provenance.text()), "zoom": zoom_words(falling)}


class _Fall:
    """Makes the frames of a zoom, and reports each."""

    def __init__(self, scene: Scene, reporter: Reporter, done: int, frames: int) -> None:
        from dreamer.video.zoom.frames import frames_of

        self._told = reporter
        self._frames = frames_of(replace(scene, on_step=self._step))
        self.pace = Pace((done, frames), self._frames.dreams(done, frames))

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Return frame `number`, (H, W, 3), uint8."""
        import numpy as np

        image = self._frames.frame(number)
        return np.ascontiguousarray(image[0].permute(1, 2, 0).mul(255).round().byte().numpy())

    def checkpoint(self, number: int) -> None:
        """Note that all frames before `number` are safe."""
        self._frames.checkpoint(number)

    def _step(self, number: int, step: Step) -> None:
        self._told.frame(self.pace.step(number, step))
