"""One picture, octave by octave: the loop of DeepDream (Mordvintsev 2015).

Each octave starts from the canvas at its size, plus the detail dreamt so far, enlarged: the photo's own detail is never
lost. The loop knows no ingredient by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.ascent import Ascent
from dreamer.engine.canvas_ascent import CanvasAscent
from dreamer.engine.colour import within
from dreamer.engine.octaves import Octave
from dreamer.engine.step import Step, StepContext
from dreamer.errors import Interrupted, NotFiniteError, argument
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
        NotFiniteError: The score or its gradient was NaN or infinite; names the octave.
        Interrupted: Ctrl-C was pressed; has the picture so far.
    """
    work = sum(math.prod(octave.size) * octave.steps for octave in octaves)  # pixels times steps
    done = number = 0
    start = canvas if start is None else start
    image = base = own = canvas
    detail: Tensor | None = None  # of the dream so far, at the last octave's size
    climbing: Ascent | CanvasAscent | None = None  # within an octave
    here: Areas | None = None  # the areas at the octave's size
    first = canvas  # the picture that the octave began with

    def whole() -> Tensor:
        """The picture so far at the canvas' size, as if its octave ended here."""
        picture = left(image.clone()) if climbing else image
        if picture.shape == canvas.shape:
            return picture
        picture = carry_up(picture - own, start if reinject else start.new_zeros(()), canvas, edges)
        return picture if areas is None else areas.kept(picture, start)

    def left(picture: Tensor) -> Tensor:
        """The picture as it leaves its octave."""
        picture = climbing.finished(picture, base) if climbing else picture
        return picture if here is None else here.blended(first, picture)

    try:
        with torch.no_grad():
            for k, octave in enumerate(octaves):
                base, own, image = begin_octave(canvas, start, octave.size, detail, edges, reinject=reinject)
                if areas is not None:  # enlarged, detail reaches beyond its edges
                    here = areas.at(octave.size)
                    image = first = here.kept(image, base if start is canvas else _sized(start, octave.size, edges))
                detail = None
                if not octave.steps:
                    continue
                like = base if photo is canvas else _sized(photo, octave.size, edges)
                step = Step(k, len(octaves), 0, octave.steps, done / work, octave.size)
                climbing = ascent = ascent_at(StepContext(like, base, step, areas=here, edges=edges))
                for i in range(octave.steps):
                    step = replace(step, number=i, share=done / work)
                    moment = StepContext(like, image, step, areas=here, edges=edges)
                    image, score = ascent.step(image, base, octave.step_size, moment)
                    done += math.prod(octave.size)
                    number += 1
                    on_step(replace(step, share=done / work, score=score, picture=whole))
                    if number in snapshots:
                        on_snapshot(number, whole())
                image = left(image)
                climbing = None
                if k + 1 < len(octaves):
                    detail = torch.sub(image, own, out=empty(image.shape, image))
                    # Nothing else of this octave is needed, and the next one needs the room.
                    image = base = like = detail
                    first, own = canvas, detail.new_zeros(())
            image = whole()
    except KeyboardInterrupt:
        raise Interrupted(whole()) from None
    except NotFiniteError as error:
        height, width = base.shape[-2:]
        raise NotFiniteError(
            f"{error}, in octave {k + 1} of {len(octaves)} ({width}x{height}); try {argument('precision', 'float32')}"
        ) from error
    return image


def begin_octave(
    canvas: Tensor,
    start: Tensor,
    size: tuple[int, int],
    detail: Tensor | None,
    edges: Edges = OPEN,
    *,
    reinject: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures that an octave begins with.

    Args:
        canvas: The undreamt picture at full size, (B, 3, H, W) in [0, 1].
        start: What to dream on at full size, (B, 3, H, W); often `canvas` itself.
        size: The octave's (height, width).
        detail: The detail of the dream so far at the last octave's size, None in the first octave.
        edges: Where the pictures go round.
        reinject: Whether `start` is put beneath the detail; otherwise the detail holds it already.

    Returns:
        The canvas at this size, which sets the limits; what the detail lies on, or 0; and the picture to go on with,
        which is both together. Each (B, 3, height, width).
    """
    base = _sized(canvas, size, edges)
    first = base if start is canvas else within(_sized(start, size, edges), base)
    own = first if reinject else first.new_zeros(())
    return base, own, first if detail is None else carry_up(detail, own, base, edges)


def carry_up(detail: Tensor, own: Tensor, base: Tensor, edges: Edges = OPEN) -> Tensor:
    """The detail of a smaller octave, enlarged and added to `own`, within the limits that `base` sets (B, 3, H, W)."""
    large = resize(detail, (base.shape[-2], base.shape[-1]), edges)
    return within(large + own if large is detail else large.add_(own), base)


def _sized(picture: Tensor, size: tuple[int, int], edges: Edges) -> Tensor:
    """The picture at an octave's size; cubic resampling overshoots at edges, hence the limits."""
    return picture if picture.shape[-2:] == size else resize(picture, size, edges).clamp_(0, 1)
