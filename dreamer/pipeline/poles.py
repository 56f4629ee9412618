"""The poles of a 360-degree panorama, dreamt as they are seen: drawn out over its width, forms would look pinched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.sphere import face_of, face_side, with_face
from dreamer.engine.step import Step
from dreamer.errors import Interrupted, UsageError, argument
from dreamer.pipeline.plan import Plan
from dreamer.pipeline.regions import areas_of

if TYPE_CHECKING:
    from dreamer.pipeline.pipeline import Pipeline

_WHOLE = 0.6  # share of all work that goes into the panorama as a whole


def check_sphere(height: int, width: int) -> None:
    """Raise UsageError for a picture that has not the shape of a whole panorama."""
    if abs(width - 2 * height) > 1:
        raise UsageError(
            f"wrap: a 360-degree panorama is twice as wide as high, and this picture has {width}x{height} pixels; "
            f"crop it, or use {argument('wrap', 'x')}"
        )


def ascend_sphere(
    pipeline: Pipeline, image: Tensor, *, plan: Plan, on_step: Callable[[Step], None], **asked: Any
) -> Tensor:
    """Dream over a panorama at full strength, and over its poles apart; see `Pipeline.ascend`.

    Args:
        pipeline: Of the dream.
        image: The panorama, (1, 3, H, W) in [0, 1].
        plan: Of the dream; the faces have its octaves, so that forms are as large there.
        on_step: Called with each step.
        **asked: What else the panorama's own ascent is asked for.

    Returns:
        The dream, (B, 3, H, W) in [0, 1].

    Raises:
        Interrupted: Ctrl-C was pressed; has the picture so far.
    """
    dreamt = pipeline.ascend(image, plan=plan, on_step=lambda step: on_step(_part(step, 0, _WHOLE)), **asked)
    height, width = image.shape[-2:]
    side, image = face_side(width), image.to(dreamt)
    octaves = tuple(
        replace(octave, size=(max(1, round(side * octave.size[0] / height)),) * 2) for octave in plan.octaves
    )
    flat = replace(pipeline, recipe=replace(pipeline.recipe, wrap="none"))
    areas = areas_of(pipeline.recipe, pipeline.masks, image, pipeline.registry)
    change = dreamt - image

    def picture() -> Tensor:
        return (change + image).clamp_(0, 1)

    for up, begin, end in ((True, _WHOLE, (1 + _WHOLE) / 2), (False, (1 + _WHOLE) / 2, 1.0)):
        face = face_of(image, side, up).clamp(0, 1)
        own = areas and Areas(face_of(areas.shares, side, up).clamp(0, 1))
        tell = partial(_told, on_step, picture, begin, end)
        try:
            seen = flat.ascend(face, plan=Plan(octaves, plan.machine), areas=own, on_step=tell)
        except Interrupted:
            raise Interrupted(picture()) from None
        change = with_face(change, seen - face, up)
    return picture()


def _told(on_step: Callable[[Step], None], picture: Callable[[], Tensor], begin: float, end: float, step: Step) -> None:
    """Tell of a face's step, with the panorama so far as its picture."""
    on_step(replace(_part(step, begin, end), picture=picture))


def _part(step: Step, begin: float, end: float) -> Step:
    """A step of a part of the work, from one share of all work to another."""
    return replace(step, share=begin + (end - begin) * step.share)
