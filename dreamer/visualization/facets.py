"""Facets: a picture for each of the different things that excite one unit (Nguyen, Yosinski, Clune 2016).

The pictures of a folder that excite the unit most are clustered by what its layers see in them, and each facet starts
from the blurred mean of one cluster. The folder is searched picture by picture, as for exemplars.
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
from dreamer.visualization.exemplars import Search, forget, search
from dreamer.visualization.ranker import Answer, Match

_MEMBERS = 15  # pictures in a facet's mean, as in the paper
_BLUR = 0.02  # sigma of a mean's blur, in shares of its side: no edge of a single picture stays visible
_ROUNDS, _RESTARTS = 50, 8


@dataclass(frozen=True)
class Facets:
    """The start of each facet, (N, 3, side, side) in [0, 1], and the names of the pictures whose mean it is.

    `skipped` has the reason for each picture that could not be used.
    """

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
    """Find as many facets as the pipeline makes pictures.

    Args:
        pipeline: Its score ranks the pictures.
        folder: Where the pictures are.
        names: Their names, relative to the folder.
        notes: File from which an interrupted search continues; deleted at the end.
        max_pixels: Larger pictures are skipped.
        on_picture: Called with the search so far after each picture.

    Raises:
        UsageError: There are too few pictures.
    """
    count, ranker = pipeline.recipe.pictures, ScoreRanker(pipeline)
    enough, device = count * _MEMBERS, torch.device(pipeline.machine.device)
    found = search(
        folder, names, ranker, count=enough, notes=notes, device=device, max_pixels=max_pixels, on_picture=on_picture
    )
    forget(notes)
    best = [exemplar.name for exemplar in found.best[0]]
    if len(best) < count:
        raise UsageError(
            f"{folder}: {count} facets need at least {count} usable pictures, better {enough}, and there "
            f"{'is' if len(best) == 1 else 'are'} {len(best) or 'none'}; add pictures or ask for fewer facets",
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
        starts.append(without_edges(sum((shown(name) for name in members[-1]), torch.zeros(())) / len(nearest)))
    return Facets(torch.cat(starts), tuple(members), found.skipped)


@dataclass(frozen=True)
class ScoreRanker:
    """Ranks pictures by the score that a pipeline maximises, on their middle squares at the pipeline's size."""

    pipeline: Pipeline
    units: ClassVar[int] = 1

    def shown(self, photo: Photo) -> Tensor:
        """The largest square around a photo's middle, (1, 3, side, side) in [0, 1]."""
        return photo.middle(self.pipeline.recipe.size)

    def on(self, device: torch.device) -> Answer:
        """The function that ranks a square, better ones lower; its place is the whole square."""
        pipeline = self.pipeline
        terms, precision = pipeline.terms, pipeline.machine.dtype
        scorer = Scorer(pipeline.network, terms, device=device, precision=precision, tile=0, notify=pipeline.notify)

        def answer(image: Tensor) -> list[Match]:
            step = Step(0, 1, 0, 1, 0.0, (image.shape[-2], image.shape[-1]))
            return [((-scorer.score(image, StepContext(image, image, step)),), (0.0, 0.0, 1.0, 1.0))]

        return answer

    def pooled(self, image: Tensor) -> Tensor:
        """The means of the layers' channels over a square (1, 3, side, side): (C,), each layer's part of length 1."""
        with torch.no_grad():
            seen = self.pipeline.network.features(image, self.pipeline.layers)
        means = [seen[name][0].flatten(1).mean(1) for name in self.pipeline.layers]
        return torch.cat([mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny) for mean in means])

    def identity(self) -> dict[str, Any]:
        """Everything that decides the ranks, to recognise notes of the same search."""
        return {"recipe": self.pipeline.to_dict(), "weights": self.pipeline.network.weights_hash}


def clusters(points: Tensor, count: int, seed: int = 0) -> list[list[int]]:
    """The numbers of the points (N, D) in each of `count` clusters: k-means (Lloyd 1982), the best of several runs.

    Centres start far from each other (k-means++, Arthur and Vassilvitskii 2007). Written here since dreamer depends on
    neither SciPy nor scikit-learn. Raises UsageError where fewer than `count` points differ.
    """
    if len({tuple(point) for point in points.tolist()}) < count:
        raise UsageError(
            f"{count} facets need at least {count} different pictures; the layer sees the same in too many of them"
        )
    random = torch.Generator().manual_seed(seed)
    runs = [_lloyd(points, count, random) for _ in range(_RESTARTS)]
    _, nearest = min(runs, key=lambda run: run[0])
    return [(nearest == k).nonzero().flatten().tolist() for k in range(count)]


def _lloyd(points: Tensor, count: int, random: torch.Generator) -> tuple[float, Tensor]:
    """One run: the summed squared distance to the centres, and the number of each point's centre, (N,)."""
    centres = points[torch.randint(len(points), (1,), generator=random)]
    while len(centres) < count:
        distance, _ = _nearest(points, centres)
        centres = torch.cat([centres, points[torch.multinomial(distance.square(), 1, generator=random)]])
    for _ in range(_ROUNDS):
        distance, nearest = _nearest(points, centres)
        for k in set(range(count)) - set(nearest.tolist()):  # an empty cluster takes the point farthest from its centre
            nearest[distance.argmax()] = k
            distance[distance.argmax()] = 0
        centres = torch.stack([points[nearest == k].mean(0) for k in range(count)])
    return float((points - centres[nearest]).square().sum()), nearest


def _nearest(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """The distance to the nearest centre, and its number, for each point: both (N,)."""
    distances = torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist")
    distance, nearest = distances.min(1)
    return distance, nearest


def without_edges(image: Tensor) -> Tensor:
    """A picture (B, 3, H, W), blurred by a Gaussian until no edge is left."""
    return blurred(image, max(0.5, _BLUR * min(image.shape[-2:])))
