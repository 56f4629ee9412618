"""Many recipes over one photo: what their dreams share is made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dreamer.engine.step import Step
from dreamer.image import Photo
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.pipeline import Pipeline


def sharing(pipelines: Sequence[Pipeline]) -> list[Pipeline]:
    """The pipelines with one session for each network and guide, and each mask once: nothing is there twice."""
    found = {(id(one.network), one.guide and one.guide.sha256): one.session for one in reversed(pipelines)}
    masks = {mask.sha256: mask for one in reversed(pipelines) for mask in one.masks}
    return [
        replace(
            one,
            session=found[id(one.network), one.guide and one.guide.sha256],
            masks=tuple(masks[mask.sha256] for mask in one.masks),
        )
        for one in pipelines
    ]


@dataclass(frozen=True)
class Group:
    """Recipes that differ by their strength alone, which one ascent is enough for.

    `whole` is the pipeline at full strength; `strengths` are those of the recipes, by their numbers.
    """

    whole: Pipeline
    strengths: dict[int, float]

    def dreams(
        self, photo: Photo, numbers: Sequence[int], on_step: Callable[[Step], None] = lambda step: None
    ) -> Iterator[tuple[int, Dream]]:
        """The dreams of these numbers over a photo of its final size, the same as each recipe's own.

        Raises what `Pipeline.dream` does.
        """
        full = self.whole.dream(photo, on_step=on_step)
        for number in numbers:
            yield number, replace(full, change=full.change * self.strengths[number])


def groups(pipelines: Sequence[Pipeline]) -> list[Group]:
    """The pipelines, numbered from 0, in groups of those that one ascent is enough for."""
    found: list[Group] = []
    for number, pipeline in enumerate(pipelines):
        # Regions with strengths of their own are left alone: a product of three numbers is rounded in another order.
        alone = any(region.strength != 1 for region in pipeline.recipe.regions)
        whole = pipeline if alone else replace(pipeline, recipe=replace(pipeline.recipe, strength=1.0))
        like = (
            group
            for group in found
            if group.whole.recipe == whole.recipe
            and group.whole.session is whole.session
            and group.whole.machine == whole.machine
        )
        group = next(like, None)
        if group is None:
            found.append(group := Group(whole, {}))
        group.strengths[number] = 1.0 if alone else pipeline.recipe.strength
    return found
