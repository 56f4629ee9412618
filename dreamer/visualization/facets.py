"""Facets: the different things that excite one unit, a picture of each (Nguyen, Yosinski, Clune 2016).

Of a folder's pictures those that excite the unit most are sorted by what its layer sees in them, and each facet begins
with the blurred mean of some that are alike. The folder is gone through picture by picture, as for exemplars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import UsageError
from dreamer.image import Photo, blurred, load
from dreamer.pipeline.pipeline import Pipeline
from dreamer.visualization.exemplars import Answer, Match, Search, search

_MEMBERS = 15  # pictures in a facet's mean, as in the paper
_SOFT = 0.02  # the blur of a mean, in shares of its side: no edge of any of them stays
_ROUNDS, _BEGINNINGS = 50, 8


@dataclass(frozen=True)
class Facets:
    """What each facet begins with, (N, 3, side, side), the pictures that it is the mean of, and those left out."""

    starts: Tensor
    members: tuple[tuple[str, ...], ...]
    skipped: Mapping[str, str]


def facets(
    pipeline: Pipeline,
    folder: Path,
    names: Sequence[str],
    *,
    notes: Path,
    max_pixels: int = 200_000_000,
    on_picture: Callable[[Search], None] = lambda so_far: None,
) -> Facets:
    """As many facets as the pipeline makes pictures, from a folder's pictures of these names.

    `notes` is a file that an interrupted search goes on from; it is taken away. Raises UsageError for too few pictures.
    """
    count, ranker = pipeline.recipe.pictures, Likeness(pipeline)
    device = torch.device(pipeline.machine.device)
    found = search(
        folder,
        names,
        ranker,
        count=count * _MEMBERS,
        notes=notes,
        device=device,
        max_pixels=max_pixels,
        on_picture=on_picture,
    )
    notes.unlink(missing_ok=True)
    best = [exemplar.name for exemplar in found.best[0]]
    if len(best) < count:
        raise UsageError(
            f"{folder}: {count} facets need at least {count} pictures that can be looked at, better "
            f"{count * _MEMBERS}, and there {'is' if len(best) == 1 else 'are'} {len(best) or 'none'}",
            *(f"{name}: {why}" for name, why in found.skipped.items()),
        )

    def shown(name: str) -> Tensor:
        return ranker.shown(load(folder / name, max_pixels=max_pixels))

    seen = torch.stack([ranker.pooled(shown(name)) for name in best])
    groups = sorted((list(group) for group in clusters(seen, count, pipeline.recipe.seed)), key=min)
    starts, members = [], []
    for group in groups:
        centre = seen[group].mean(0)
        nearest = sorted(group, key=lambda number: float((seen[number] - centre).square().sum()))[:_MEMBERS]
        members.append(tuple(best[number] for number in nearest))
        starts.append(soft(sum((shown(name) for name in members[-1]), torch.zeros(())) / len(nearest)))
    return Facets(torch.cat(starts), tuple(members), found.skipped)


@dataclass(frozen=True)
class Likeness:
    """Ranks pictures by the very score that a pipeline climbs: the middle square, at the pipeline's size."""

    pipeline: Pipeline
    units: ClassVar[int] = 1

    def shown(self, photo: Photo) -> Tensor:
        """The largest square about a photo's middle, (1, 3, side, side)."""
        return photo.middle(self.pipeline.recipe.size)

    def on(self, device: torch.device) -> Answer:
        """What ranks a square, lower first; all of it is the place that counts."""
        pipeline = self.pipeline
        terms, precision = pipeline.terms, pipeline.machine.dtype
        sight = Scorer(pipeline.network, terms, device=device, precision=precision, tile=0, say=pipeline.say)

        def answer(image: Tensor) -> list[Match]:
            step = Step(0, 1, 0, 1, 0.0, (image.shape[-2], image.shape[-1]))
            return [((-sight.score(image, StepContext(image, image, step)),), (0.0, 0.0, 1.0, 1.0))]

        return answer

    def pooled(self, image: Tensor) -> Tensor:
        """What the pipeline's layers see in a square, wherever it is: the channels' means, of length 1, (C,)."""
        with torch.no_grad():
            seen = self.pipeline.network.features(image, self.pipeline.layers)
        means = [seen[name][0].flatten(1).mean(1) for name in self.pipeline.layers]
        return torch.cat([mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny) for mean in means])

    def identity(self) -> dict[str, Any]:
        """What decides the ranks, to tell one search from another."""
        return {"recipe": self.pipeline.to_dict(), "weights": self.pipeline.network.weights}


def clusters(points: Tensor, count: int, seed: int = 0) -> list[list[int]]:
    """The numbers of the points (N, D) of each cluster: k-means (Lloyd 1982), of several beginnings the best.

    Centres begin far from each other (k-means++, Arthur and Vassilvitskii 2007). Written here since dreamer depends on
    neither SciPy nor scikit-learn. Raises UsageError where fewer points differ.
    """
    if len({tuple(point) for point in points.tolist()}) < count:
        raise UsageError(f"{count} facets need as many pictures that differ; the layer sees the same in too many")
    dice = torch.Generator().manual_seed(seed)
    runs = [_lloyd(points, count, dice) for _ in range(_BEGINNINGS)]
    _, nearest = min(runs, key=lambda run: run[0])
    return [(nearest == k).nonzero().flatten().tolist() for k in range(count)]


def _lloyd(points: Tensor, count: int, dice: torch.Generator) -> tuple[float, Tensor]:
    """The summed squared distance to the centres, and the number of each point's centre, (N,)."""
    centres = points[torch.randint(len(points), (1,), generator=dice)]
    while len(centres) < count:
        apart, _ = _nearest(points, centres)
        centres = torch.cat([centres, points[torch.multinomial(apart.square(), 1, generator=dice)]])
    for _ in range(_ROUNDS):
        apart, nearest = _nearest(points, centres)
        for k in set(range(count)) - set(nearest.tolist()):  # an empty one takes the point that has it farthest
            nearest[apart.argmax()] = k
            apart[apart.argmax()] = 0
        centres = torch.stack([points[nearest == k].mean(0) for k in range(count)])
    return float((points - centres[nearest]).square().sum()), nearest


def _nearest(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    distances = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")
    apart, nearest = distances.min(1)
    return apart, nearest


def soft(image: Tensor) -> Tensor:
    """A picture (B, 3, H, W) without its edges, by a Gaussian blur."""
    return blurred(image, max(0.5, _SOFT * min(image.shape[-2:])))
