"""The poles of a 360-degree panorama, dreamt as they are seen: drawn out over its width, forms would look pinched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.sphere import face_of, face_side, with_face
from dreamer.engine.step import Step
from dreamer.errors import Interrupted, UsageError, argument
from dreamer.pipeline.plan import Plan
from dreamer.pipeline.regions import areas_of

if TYPE_CHECKING:
    from dreamer.pipeline.pipeline import Pipeline


def check_sphere(height: int, width: int) -> None:
    """Raise UsageError for a picture that has not the shape of a whole panorama."""
    if width != 2 * height:
        raise UsageError(
            f"wrap: a 360-degree panorama is twice as wide as high, and this picture has {width}x{height} pixels; "
            f"crop it, or use {argument('wrap', 'x')}"
        )


def with_poles(
    pipeline: Pipeline, image: Tensor, dreamt: Tensor, plan: Plan, on_step: Callable[[Step], None]
) -> Tensor:
    """A dream over a panorama, with its poles dreamt apart.

    Args:
        pipeline: Of the dream.
        image: The panorama, (1, 3, H, W) in [0, 1].
        dreamt: The dream over it, (B, 3, H, W) on the plan's device.
        plan: Of the dream; the faces have its octaves, so that forms are as large there.
        on_step: Told of each step.

    Returns:
        The dream, (B, 3, H, W) in [0, 1].

    Raises:
        Interrupted: Ctrl-C was pressed; has the picture so far.
    """
    height, width = image.shape[-2:]
    side, image = face_side(width), image.to(dreamt)
    octaves = tuple(
        replace(octave, size=(max(1, round(side * octave.size[0] / height)),) * 2) for octave in plan.octaves
    )
    flat = replace(pipeline, recipe=replace(pipeline.recipe, wrap="none"))
    areas = areas_of(pipeline.recipe, pipeline.masks, image, pipeline.registry)
    change = dreamt - image
    for up in (True, False):
        face = face_of(image, side, up).clamp(0, 1)
        own = areas and Areas(face_of(areas.shares, side, up).clamp(0, 1))

        def tell(step: Step) -> None:
            on_step(replace(step, share=1.0, picture=lambda: dreamt))

        try:
            seen = flat.ascend(face, plan=Plan(octaves, plan.machine), areas=own, on_step=tell)
        except Interrupted:
            raise Interrupted(change.add_(image).clamp_(0, 1)) from None
        change = with_face(change, seen - face, up)
    return change.add_(image).clamp_(0, 1)
