"""Units that do not fire: their picture is chance, and a notice says so."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from dreamer.engine.step import Step, StepContext
from dreamer.errors import argument
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.pipeline import Pipeline
from dreamer.visualization.unit import DIVERSITY


def silence(pipeline: Pipeline, dream: Dream) -> str:
    """A sentence about the pictures of a finished dream in which the unit does not fire; empty if it does in all."""
    dead = silent(pipeline, dream.photo.image() + dream.change)
    where = "" if len(dead) == len(dream.change) else f"picture {', '.join(str(number + 1) for number in dead)}: "
    another = f"another {argument('seed')}, or another unit"
    return f"{where}the unit does not fire, and nothing that was tried excites it; try {another}" if dead else ""


def silent(pipeline: Pipeline, pictures: Tensor) -> list[int]:
    """Find finished pictures that show nothing of the unit.

    Args:
        pipeline: Has made the pictures.
        pictures: (B, 3, H, W) in [0, 1].

    Returns:
        The numbers of those, from 0, in which no change of any pixel would excite the unit more: it is dead, or was
        never reached.
    """
    unit = tuple(item for item in pipeline.recipe.objectives if item.name != DIVERSITY["name"])
    plain = replace(pipeline, recipe=replace(pipeline.recipe, objectives=unit, redirect=0, weight_noise=0.0))
    height, width = pictures.shape[-2:]
    scorer, step = plain.scorer(plain.plan(height, width)), Step(0, 1, 0, 1, 1.0, (height, width))
    pictures = pictures.to(scorer.device)
    _, gradient = scorer.gradient(pictures, StepContext(pictures, pictures, step))
    return (gradient.flatten(1) == 0).all(1).nonzero().flatten().tolist()
