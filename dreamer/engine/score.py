"""The score of a picture and its gradient: through a network on a device, in some precision, whole or in tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.ascent import is_finite
from dreamer.engine.gradient_overrides import GradientOverrides
from dreamer.engine.objective import WeightedObjective, no_map, scored_layers
from dreamer.engine.step import StepContext
from dreamer.engine.tiling import SMALLEST_TILE, Tile, plan, positions
from dreamer.errors import NetworkError, NotFiniteError, UsageError, argument
from dreamer.image import OPEN, Edges
from dreamer.image.storage import zeros_like
from dreamer.networks.network import Network

T = TypeVar("T")


class Scorer:
    """The score of a picture, S(x) = sum of weight * mean over positions, and its gradient.

    Two things change while it works, and each time `notify` is called with a sentence: when a GPU runs out of memory
    the tile is halved, and when bfloat16 gives NaN or Inf float32 takes over.

    Args:
        network: The network that gives the features.
        terms: The objectives of which the score is the weighted sum.
        device: Where the network runs; the pictures must be there, too.
        precision: The data type of the network's weights.
        tile: Side of a tile in pixels, 0 for none.
        notify: Called with each of the sentences above.
        overrides: Changes to the gradients on their way back through the network.
        prepare: Gives the network prepared for a precision; by default `network.prepared`.
        edges: Where the pictures go round.
    """

    def __init__(
        self,
        network: Network,
        terms: tuple[WeightedObjective, ...],
        *,
        device: torch.device,
        precision: torch.dtype,
        tile: int,
        notify: Callable[[str], None],
        overrides: GradientOverrides = GradientOverrides(),  # noqa: B008 - frozen
        prepare: Callable[[torch.dtype], Network] | None = None,
        edges: Edges = OPEN,
    ) -> None:
        self.layers = scored_layers(network, terms)
        self.terms = terms
        self.tile = tile
        self.precision = precision
        self.device = device
        self._network = network
        self._prepare = prepare or partial(network.prepared, self.layers, device)
        self._prepared = self._prepare(precision)
        self._notify = notify
        self._overrides = overrides
        self._edges = edges
        self._plans: dict[tuple[int, int], Sequence[Tile | None]] = {}

    def gradient(self, image: Tensor, context: StepContext, weights: Sequence[float] = ()) -> tuple[float, Tensor]:
        """The score and its gradient.

        Args:
            image: The picture as the network sees it, (B, 3, H, W) in [0, 1].
            context: What the objectives may know of this step.
            weights: One for each term, in place of their own.

        Returns:
            The score, and its gradient (B, 3, H, W).

        Raises:
            NotFiniteError: The score or the gradient is NaN or infinite, in float32 too.
            UsageError: A term or an override is impossible in tiles, or the transforms leave too little of the picture.
        """
        weights = weights or [term.weight for term in self.terms]
        if self._overrides.redirects(context.step) and len(self._tiles(image)) > 1:
            raise UsageError(
                "redirect cannot be tiled: it depends on whether any gradient of the whole picture comes through; "
                f"use {argument('tile', 0, 'none')}, a smaller {argument('size')}, or redirect=0"
            )

        def compute() -> tuple[float, Tensor]:
            with self._overrides.applied_to(self._prepared.module, context.step):
                return self._gradient(image, context, weights)

        return self._adapting(image, compute)

    def score(self, image: Tensor, context: StepContext, weights: Sequence[float] = ()) -> float:
        """The score alone of `image` (B, 3, H, W), with `weights` in place of the terms' own where given."""
        scores = self._adapting(image, lambda: self._scores(image, context))
        return sum(w * score for w, score in zip(weights or [t.weight for t in self.terms], scores, strict=True))

    def balance(self, image: Tensor, context: StepContext) -> list[float]:
        """The terms' weights, each divided by the size of its term's score on `image` (B, 3, H, W).

        With these weights all terms contribute alike to the score of that picture, or of the part in which they grow.
        """
        scores = self._adapting(image, lambda: self._scores(image, context))
        parts = [1.0 if share is None else float(share.mean()) or 1.0 for share in self._moved(image, context)[1]]
        terms = zip(self.terms, scores, parts, strict=True)
        return [term.weight / (abs(score / part) or 1.0) for term, score, part in terms]

    def _adapting(self, image: Tensor, compute: Callable[[], T]) -> T:
        """Compute, and again in smaller tiles if the GPU is out of memory, or in float32 if bfloat16 is not enough."""
        while True:
            try:
                return compute()
            except torch.cuda.OutOfMemoryError:
                side = min(self.tile or max(image.shape[-2:]), max(image.shape[-2:])) // 2
                if side < SMALLEST_TILE:
                    raise
                torch.cuda.empty_cache()
                self.tile = side
                self._plans.clear()
                self._notify(f"the GPU is out of memory; going on with tiles of {side} pixels")
            except NotFiniteError:
                if self.precision != torch.bfloat16:
                    raise
                self._notify("bfloat16 gave NaN or Inf; going on in float32")
                self.precision = torch.float32
                self._prepared = self._prepare(self.precision)

    def _gradient(self, image: Tensor, context: StepContext, weights: Sequence[float]) -> tuple[float, Tensor]:
        sums = torch.zeros(len(self.terms), dtype=image.dtype, device=image.device)
        tiles = self._tiles(image)
        photo, (areas, shares) = self._photo(context), self._moved(image, context)
        gradient = image if tiles[0] is None else zeros_like(image)
        for tile in tiles:
            crop = _crop(image, tile).detach().requires_grad_()
            with torch.enable_grad():
                parts = self._parts(tile, crop, context, photo, shares)
                slope = self._slope(tile, crop, parts, parts.new_tensor(weights), areas)
            sums += parts.detach()
            if tile is None:
                gradient = slope.contiguous()  # plane by plane: the filters' slices are fast then
            else:
                tile.add(gradient, slope)
        scores = self._finite(sums)
        if not is_finite(gradient):
            raise NotFiniteError(
                f"the gradient of {', '.join(self.layers)} is not finite; use smaller weights or another layer"
            )
        return sum(weight * score for weight, score in zip(weights, scores, strict=True)), gradient

    def _scores(self, image: Tensor, context: StepContext) -> list[float]:
        with torch.no_grad():
            photo, (_, shares) = self._photo(context), self._moved(image, context)
            tiles = self._tiles(image)
            parts = [self._parts(tile, _crop(image, tile), context, photo, shares) for tile in tiles]
            return self._finite(torch.stack(parts).sum(0))

    def _finite(self, scores: Tensor) -> list[float]:
        for term, score in zip(self.terms, scores.tolist(), strict=True):
            if not math.isfinite(score):
                raise NotFiniteError(
                    f"{term.name} at layer {term.layer} gave {score}; use smaller weights or another layer"
                )
        return [float(score) for score in scores]

    def _photo(self, context: StepContext) -> Tensor | None:
        """The photo through this step's transforms, (B, 3, H, W), if some objective needs its features."""
        with torch.no_grad():
            if not any(term.needs_photo for term in self.terms):
                return None
            return context.apply_transforms(context.photo.expand_as(context.image))

    def _moved(self, image: Tensor, context: StepContext) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """Each area where the transforms have put it, and each term's share at the positions of its layer (B, h, w).

        None stands for one that is everywhere.
        """
        if context.areas is None:
            return [], [None] * len(self.terms)
        with torch.no_grad():
            areas = context.areas.moved(context.apply_transforms, context.image.to(image))
            sizes = self._sizes((image.shape[-2], image.shape[-1]))
            own = [None if term.area is None else areas[term.area] for term in self.terms]
            terms = zip(self.terms, own, strict=True)
            return areas, [a if a is None else F.adaptive_avg_pool2d(a, sizes[term.layer])[:, 0] for term, a in terms]

    def _slope(
        self, tile: Tile | None, crop: Tensor, parts: Tensor, weights: Tensor, areas: list[Tensor | None]
    ) -> Tensor:
        """The gradient of the weighted parts at a tile `crop`, each look's within its own area alone."""
        looks = sorted({term.area for term in self.terms if term.area is not None})
        if not areas or not looks:
            return torch.autograd.grad(parts @ weights, crop)[0]
        slope: Tensor | None = None
        for look in looks:
            own = weights * weights.new_tensor([term.area == look for term in self.terms])
            (one,) = torch.autograd.grad(parts @ own, crop, retain_graph=look != looks[-1])
            if (area := areas[look]) is not None:
                one = one * _crop(area, tile)
            slope = one if slope is None else slope + one
        assert slope is not None
        return slope

    def _parts(
        self,
        tile: Tile | None,
        crop: Tensor,
        context: StepContext,
        photo: Tensor | None,
        shares: Sequence[Tensor | None],
    ) -> Tensor:
        """The tile's part of each term's mean over the positions of the whole picture, (terms,).

        `crop` is the tile of the picture, (B, 3, h, w); `photo` the transformed photo, of the whole picture's size;
        `shares` are those of `_moved`.
        """
        features = self._features(crop)
        with torch.no_grad():
            known = {} if photo is None else self._prepared.features(_crop(photo, tile), self.layers)
        parts = []
        for term, share in zip(self.terms, shares, strict=True):
            seen = features[term.layer].to(crop.dtype)
            if known:
                context = replace(context, photo_features=known[term.layer].to(crop.dtype))
            several = {name: features[name].to(crop.dtype) for name in term.layers}
            scores = term.objective(several or seen, context)
            mapped = scores.shape[-2:] == seen.shape[-2:] and not several
            if share is not None:
                if not mapped:
                    raise no_map(term.name)
                scores = scores * (share if tile is None else tile.part_of(share, self.layers[term.layer], seen))
            if tile is None:
                parts.append(scores.mean())
            elif mapped:
                count = tile.positions[term.layer] * len(scores)
                parts.append(tile.own(term.layer, scores).sum() / count)
            elif tile.owns_all(term.layer):
                several = {name: tile.own(name, values) for name, values in several.items()}
                if known:
                    context = replace(context, photo_features=tile.own(term.layer, known[term.layer]).to(crop.dtype))
                parts.append(term.objective(several or tile.own(term.layer, seen), context).mean())
            else:
                raise UsageError(
                    f"objective {term.name} cannot be tiled: it looks at the whole picture; "
                    f"use {argument('tile', 0, 'none')} or a smaller {argument('size')}"
                )
        return torch.stack(parts)

    def _features(self, view: Tensor) -> dict[str, Tensor]:
        """The layers' features of `view` (B, 3, H, W); UsageError if the transforms left too little of the picture."""
        try:
            return self._prepared.features(view, self.layers)
        except NetworkError as why:
            raise UsageError(f"the transforms leave too little of the picture: {why}; leave some out") from None

    def _tiles(self, image: Tensor) -> Sequence[Tile | None]:
        """The tiles of a picture; None stands for the whole of it."""
        height, width = size = (image.shape[-2], image.shape[-1])
        whole = not self.tile or max(size) <= self.tile
        if whole and not self._edges:
            return [None]
        if size not in self._plans:
            tile = 2 * max(size) if whole else self.tile
            self._plans[size] = plan(height, width, tile, self.layers, self._sizes(size), self._edges)
        return self._plans[size]

    def _sizes(self, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """The (height, width) of each layer's map of a picture."""
        return positions(size, self.layers, self._network.sizes(*size, self.layers), self._edges)


def _crop(image: Tensor, tile: Tile | None) -> Tensor:
    return image if tile is None else tile.crop(image)
