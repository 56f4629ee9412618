"""One picture, octave by octave: the loop of DeepDream (Mordvintsev 2015).

Each octave starts from the canvas at its size, plus the detail dreamt so far, enlarged: the photo's own detail is never
lost. The loop knows no ingredient by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.ascent import Ascent, is_finite
from dreamer.engine.canvas_ascent import CanvasAscent
from dreamer.engine.colour import within
from dreamer.engine.octaves import Octave
from dreamer.engine.step import Step, StepContext
from dreamer.errors import Interrupted, NotFiniteError
from dreamer.image import OPEN, Edges, resize
from dreamer.image.storage import empty

AscentAt = Callable[[StepContext], Ascent | CanvasAscent]
"""Gives the ascent of an octave, for its photo, its undreamt picture and its first step."""


def render(
    photo: Tensor,
    canvas: Tensor,
    octaves: Sequence[Octave],
    ascent_at: AscentAt,
    *,
    start: Tensor | None = None,
    reinject: bool = True,
    areas: Areas | None = None,
    edges: Edges = OPEN,
    on_step: Callable[[Step], None] = lambda step: None,
    snapshots: Collection[int] = (),
    on_snapshot: Callable[[int, Tensor], None] = lambda number, picture: None,
) -> Tensor:
    """Dream over a picture, from the smallest octave to the largest.

    Args:
        photo: What the ingredients are given as the photo, (B, 3, H, W) in [0, 1]; often `canvas` itself.
        canvas: The undreamt picture, (B, 3, H, W) in [0, 1]; it sets the limits of the values.
        octaves: Sizes and steps, small to large; the last has the size of `canvas`, or nearly so.
        ascent_at: Gives the ascent of each octave.
        start: Picture to start from, (B, 3, H, W): `canvas` with an earlier dream on it.
        reinject: Whether every octave starts from `canvas` plus the detail dreamt so far. Otherwise only the first
            does, and the others go on with the last one's picture, enlarged.
        areas: Where it is dreamt, if not everywhere: outside, the picture stays what `start` is.
        edges: Where the pictures go round.
        on_step: Called after every step.
        snapshots: Steps, counted from 1 over all octaves, after which `on_snapshot` is called.
        on_snapshot: Called with the step's number and the picture so far, (B, 3, H, W).

    Returns:
        The dream, (B, 3, H, W) in [0, 1].

    Raises:
        NotFiniteError: The score, its gradient or the picture was NaN or infinite; names the octave, and the ingredient
            of which it came.
        Interrupted: Ctrl-C was pressed; has the picture so far.
    """
    work = sum(math.prod(octave.size) * octave.steps for octave in octaves)  # pixels times steps
    done = number = 0
    now = _Painting(photo, canvas, canvas if start is None else start, reinject, areas, edges)
    try:
        with torch.no_grad():
            for k, octave in enumerate(octaves):
                now.begin(octave.size)
                if not octave.steps:
                    continue
                step = Step(k, len(octaves), 0, octave.steps, done / work, octave.size, earlier=number)
                ascent = now.ascent = ascent_at(now.seen(now.base, step))
                for i in range(octave.steps):
                    step = replace(step, number=i, share=done / work)
                    now.image, score = _stepped(ascent, now, octave.step_size, now.seen(now.image, step))
                    done += math.prod(octave.size)
                    number += 1
                    on_step(replace(step, share=done / work, score=score, picture=now.whole))
                    if number in snapshots:
                        on_snapshot(number, now.whole())
                now.end()
                if k + 1 < len(octaves):
                    now.reduce()
            return now.whole()
    except KeyboardInterrupt:
        raise Interrupted(now.whole()) from None
    except NotFiniteError as error:
        height, width = now.base.shape[-2:]
        raise NotFiniteError(f"{error}; in octave {k + 1} of {len(octaves)} ({width}x{height})") from error


def _stepped(
    ascent: Ascent | CanvasAscent, now: _Painting, step_size: float, context: StepContext
) -> tuple[Tensor, float]:
    """The picture after a step, and the score before it. Raises NotFiniteError."""
    try:
        image, score = ascent.step(now.image, now.base, step_size, context)
        if not is_finite(image):
            by = ", by its canvas or its optimiser" if isinstance(ascent, CanvasAscent) else ""
            raise NotFiniteError(f"the picture became NaN or infinite{by}; use smaller weights or steps")
        return image, score
    except NotFiniteError as error:
        if is_finite(now.image) and (who := ascent.culprit(now.image, context)):
            raise NotFiniteError(f"{who} made the picture NaN or infinite") from error
        raise


@dataclass(eq=False)
class _Painting:
    """A picture on its way through the octaves: what `render` is given, and the pictures of the octave it is in.

    `canvas` and `start` have the full size, (B, 3, H, W), all others that of the octave.
    """

    photo: Tensor
    canvas: Tensor
    start: Tensor
    reinject: bool
    areas: Areas | None
    edges: Edges

    def __post_init__(self) -> None:
        self.image = self.base = self.own = self.canvas  # so far; undreamt, which sets the limits; beneath the detail
        self.like, self.first = self.photo, self.canvas  # the photo; what the octave began with, for outside of areas
        self.here: Areas | None = None  # the areas at the octave's size
        self.ascent: Ascent | CanvasAscent | None = None  # within an octave
        self.detail: Tensor | None = None  # of the dream so far, at the last octave's size, between two octaves

    def begin(self, size: tuple[int, int]) -> None:
        """Begin an octave of (height, width): with the canvas, plus the detail of the last one, enlarged."""
        base, here = _sized(self.canvas, size, self.edges), None
        first = base if self.start is self.canvas else within(_sized(self.start, size, self.edges), base)
        own = first if self.reinject else first.new_zeros(())
        image = first if self.detail is None else carry_up(self.detail, own, base, self.edges)
        if self.areas is not None:  # enlarged, detail reaches beyond its edges
            here = self.areas.at(size)
            start = base if self.start is self.canvas else _sized(self.start, size, self.edges)
            image = self.first = here.kept(image, start)
        self.image, self.base, self.own, self.here, self.detail = image, base, own, here, None
        self.like = base if self.photo is self.canvas else _sized(self.photo, size, self.edges)

    def seen(self, image: Tensor, step: Step) -> StepContext:
        """The context of a step on a picture, for the ingredients."""
        return StepContext(self.like, image, step, areas=self.here, edges=self.edges)

    def end(self) -> None:
        """Leave the octave."""
        self.image, self.ascent = self._left(self.image), None

    def reduce(self) -> None:
        """Keep the detail alone: nothing else of an octave is needed, and the next one needs the room."""
        self.detail = torch.sub(self.image, self.own, out=empty(self.image.shape, self.image))
        self.image = self.base = self.like = self.detail
        self.first, self.own = self.canvas, self.detail.new_zeros(())

    def whole(self) -> Tensor:
        """The picture so far at the full size, as if its octave ended here."""
        picture = self._left(self.image.clone()) if self.ascent else self.image
        if picture.shape == self.canvas.shape:
            return picture
        start = self.start if self.reinject else self.start.new_zeros(())
        picture = carry_up(picture - self.own, start, self.canvas, self.edges)
        return picture if self.areas is None else self.areas.kept(picture, self.start)

    def _left(self, picture: Tensor) -> Tensor:
        """The picture as it leaves its octave."""
        picture = self.ascent.finished(picture, self.base) if self.ascent else picture
        return picture if self.here is None else self.here.blended(self.first, picture)


def carry_up(detail: Tensor, own: Tensor, base: Tensor, edges: Edges = OPEN) -> Tensor:
    """The detail of a smaller octave, enlarged and added to `own`, within the limits that `base` sets (B, 3, H, W)."""
    large = resize(detail, (base.shape[-2], base.shape[-1]), edges)
    return within(large + own if large is detail else large.add_(own), base)


def _sized(picture: Tensor, size: tuple[int, int], edges: Edges) -> Tensor:
    """The picture at an octave's size; cubic resampling overshoots at edges, hence the limits."""
    return picture if picture.shape[-2:] == size else resize(picture, size, edges).clamp_(0, 1)
