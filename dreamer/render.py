"""One picture, octave by octave: the loop of DeepDream (Mordvintsev 2015).

Each octave starts from the canvas at its size, plus the detail dreamt so far, enlarged: the photo's own detail is never
lost. The loop knows no ingredient by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.ascent import Ascent
from dreamer.colour import within
from dreamer.errors import Interrupted, NotFiniteError
from dreamer.image import resize
from dreamer.painting import Painting
from dreamer.pyramid import Octave
from dreamer.step import Moment, Step

AscentAt = Callable[[Moment], Ascent | Painting]
"""What climbs an octave, given its photo and its undreamt picture."""


def render(
    photo: Tensor,
    canvas: Tensor,
    octaves: Sequence[Octave],
    ascent_at: AscentAt,
    *,
    start: Tensor | None = None,
    reinject: bool = True,
    on_step: Callable[[Step], None] = lambda step: None,
    snapshots: Collection[int] = (),
    on_snapshot: Callable[[int, Tensor], None] = lambda number, picture: None,
) -> Tensor:
    """Dream over `canvas` (1, 3, H, W); `photo` is what the ingredients know as the photo, often the canvas itself.

    `start` is the canvas with a dream on it already, to be dreamt on; the canvas still sets the limits.
    Without `reinject` no octave but the first sees the canvas: each goes on with the last one's picture, enlarged.
    Steps are counted from 1 over all octaves for `snapshots`, each handed to `on_snapshot` as a whole picture. Raises
    NotFiniteError, naming the octave, and Interrupted with the picture so far.
    """
    work = sum(_work(octave) for octave in octaves)
    done = number = 0
    start = canvas if start is None else start
    kept = start if reinject else torch.zeros_like(start)
    image = base = own = canvas
    detail: Tensor | None = None
    try:
        with torch.no_grad():
            for k, octave in enumerate(octaves):
                base = _sized(canvas, octave.size)
                like = base if photo is canvas else _sized(photo, octave.size)
                first = base if start is canvas else within(_sized(start, octave.size), base)
                added = first if reinject else torch.zeros_like(first)
                begun = first if detail is None else within(resize(detail, octave.size) + added, base)
                image, own = begun, added  # at once: an interruption finds two of one size
                detail = None
                step = Step(k, len(octaves), 0, octave.steps, done / max(work, 1), octave.size)
                if not octave.steps:
                    continue
                ascent = ascent_at(Moment(like, base, step))
                for i in range(octave.steps):
                    step = replace(step, number=i, share=done / work)
                    image, score = ascent.step(image, base, octave.step_size, Moment(like, image, step))
                    done += octave.size[0] * octave.size[1]
                    number += 1
                    on_step(replace(step, share=done / work, score=score))
                    if number in snapshots:
                        on_snapshot(number, _whole(canvas, kept, image, own))
                if k + 1 < len(octaves):
                    detail = image - own
    except KeyboardInterrupt:
        raise Interrupted(_whole(canvas, kept, image, own)) from None
    except NotFiniteError as error:
        height, width = base.shape[-2:]
        raise NotFiniteError(
            f"{error}, in octave {k + 1} of {len(octaves)} ({width}x{height}); try --precision float32"
        ) from error
    return image


def _work(octave: Octave) -> int:
    return octave.size[0] * octave.size[1] * octave.steps


def _sized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture at an octave's size; cubic resampling overshoots at edges, hence the limits."""
    return picture if picture.shape[-2:] == size else resize(picture, size).clamp_(0, 1)


def _whole(canvas: Tensor, kept: Tensor, image: Tensor, own: Tensor) -> Tensor:
    """An octave's picture at the canvas' size: what every octave keeps, and its detail enlarged."""
    if image.shape == canvas.shape:
        return image
    return within(resize(image - own, (canvas.shape[-2], canvas.shape[-1])) + kept, canvas)
