"""A zoom in spans, by the processes of --jobs and --on: keyframes are dreamt one after another, frames at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.hands import order_of
from dreamer.cli.progress import Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.segments import AGAIN, MOST_FRAMES, Joiner, shown_at, words_of, write_segments
from dreamer.errors import UsageError, collect_problems
from dreamer.units.serving import Tell
from dreamer.units.unit import Unit
from dreamer.units.working import Hire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.recipes.registry import Registry
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.writer import ClipWriter
    from dreamer.videos.zoom.depth.depth_zoom import DepthZoom
    from dreamer.videos.zoom.keyframes import KeyframeZoom
    from dreamer.videos.zoom.scene import Look
    from dreamer.videos.zoom.zoom import Zoom

_MAKER = "dreamer.cli.zoom_spans:Spans"


@dataclass(frozen=True)
class ZoomSpans:
    """A zoom of so many frames, and who makes its spans; `words` decide every frame (see `Spans`)."""

    zoom: KeyframeZoom | DepthZoom
    frames: int
    words: Mapping[str, Any]
    hire: Hire
    reporter: Reporter

    def join(self, writer: ClipWriter) -> int:
        """Have the zoom made and finished; returns the exit code."""
        joiner = Joiner(order_of(_MAKER, **self.words), self.hire, self.reporter, str(self.words["photo"]))
        return joiner.join(writer, lambda: self._units(writer), self._dream)

    def _units(self, writer: ClipWriter) -> Sequence[Unit]:
        length = max(1, MOST_FRAMES // writer.segment) * writer.segment
        shown = shown_at(writer, (number / writer.fps for number in range(self.frames)))
        folder = str(writer.folder)
        return [
            Unit(f"frames from {begin} on", words_of(writer, begin, shown[begin : begin + length]), folder)
            for begin in range(0, self.frames, length)
        ]

    def _dream(self, unit: Unit) -> None:
        """Dream the keyframes that a span needs, each over the one before."""
        words = unit.words
        needed, _ = self.zoom.dreams(words["begin"] + len(words["shown"]), self.frames)
        self.zoom.ensure(needed)


def divisible(plan: Zoom, format: Format) -> list[str]:
    """Reasons why a zoom cannot be made in spans, a sentence each."""
    problems = []
    if plan.mode != "keyframes":
        problems.append("--jobs: with --mode feedback each frame needs the one before; leave one of them out")
    if not format.segmented:
        problems.append(f"--jobs: a clip in {format.codec} is not made of segments; write .mp4 or .webm")
    return problems


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


class Spans:
    """Makes spans of a zoom from keyframes that are there.

    Its words are those of `RenderOptions.to_dict`, the `photo` and its `sha256`, its `depth`, the `zoom` and what
    `drives` it, the `tiles` of its looks, the `size` of the frames and the `format`; a unit's are those of `words_of`.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        self._words = words

    @cached_property
    def _zoom(self) -> KeyframeZoom | DepthZoom:
        from dreamer.cli.depth import relief_for
        from dreamer.engine.device import keep_freed_memory, use_threads
        from dreamer.image import load
        from dreamer.plugins.loading import load_plugins
        from dreamer.videos.clip.state import FolderStore
        from dreamer.videos.sound.driven import retold
        from dreamer.videos.zoom.frames import spanned
        from dreamer.videos.zoom.scene import SPACING, Scene
        from dreamer.videos.zoom.schedule import zoom_from

        words, problems = self._words, list[str]()
        plan, given = replace(zoom_from(words["zoom"]), drives=retold(words["drives"])), RenderOptions.read(words)
        registry, _ = load_plugins()
        looks = looks_of(given, plan, registry, lambda sentence: None, problems, lambda count: words["tiles"])
        if problems:
            raise UsageError(*problems)
        usual = looks[plan.look(0.0)]
        use_threads(usual.machine)
        keep_freed_memory()
        path = Path(words["photo"])
        photo = load(path, max_pixels=given.max_pixels)
        if photo.sha256 != words["sha256"]:
            raise UsageError(f"{path} is another photo than when the zoom began; {AGAIN}")
        relief, _ = relief_for(words["depth"], plan, photo, path, registry, given.max_pixels)
        store, (height, width) = FolderStore(Path(words["folder"])), words["size"]
        scene = Scene(photo.image(), plan, (height, width), lambda time: looks[plan.look(time)], store, SPACING)
        return spanned(replace(scene, relief=relief))

    def make(self, unit: Unit, tell: Tell) -> Mapping[str, Any]:
        """Make a span; returns its note."""
        from dreamer.videos.clip.formats import Format

        words, (height, width) = self._words, self._words["size"]
        format = Format(**words["format"])
        return write_segments(unit, order_of(_MAKER, **words), self._frames(unit, tell), format, (height, width))

    def _frames(self, unit: Unit, tell: Tell) -> Iterator[NDArray[np.uint8]]:
        from dreamer.videos.film.passage import eight_bits

        begin, count = unit.words["begin"], len(unit.words["shown"])
        for number in range(count):
            yield eight_bits(self._zoom.frame(begin + number))
            tell((number + 1) / count)
