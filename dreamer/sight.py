"""How a dream looks at its picture: a network on a device, in some precision, in tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from dreamer.anatomy import Layer
from dreamer.errors import NetworkError, NotFiniteError, UsageError
from dreamer.lens import Lens
from dreamer.network import Network
from dreamer.step import Moment
from dreamer.tiles import Tile, plan, surroundings

SMALLEST_TILE = 64  # px: smaller ones are nothing but surroundings

T = TypeVar("T")


@dataclass(frozen=True)
class Term:
    """One objective of the score: its name, weight, layer, and function (features, moment) -> score map (B, h, w).

    `compares`: whether it asks for the photo's features. With `layers` the function is given the features of all of
    these, {layer: (B, C, h, w)}, and looks at the whole picture. `reach`: how many positions around its own each
    position of the map looks at.
    """

    name: str
    weight: float
    layer: str
    objective: Callable[[Any, Moment], Tensor]
    compares: bool = False
    layers: tuple[str, ...] = ()
    reach: int = 0


class Sight:
    """Looks at a picture through a network: the score S(x) = sum of weight * mean over positions, and its gradient.

    `tile` is the side of a tile in pixels, 0 for none; `lens` changes how gradients come back; `prepare` gives the
    network made fast for a precision, where somebody keeps such. Two things change while
    it works, and `say` is told a sentence each: when a GPU runs out of memory the tile is halved, and when bfloat16
    gives NaN or Inf float32 takes over.
    """

    def __init__(
        self,
        network: Network,
        terms: tuple[Term, ...],
        *,
        device: torch.device,
        precision: torch.dtype,
        tile: int,
        say: Callable[[str], None],
        lens: Lens = Lens(),  # noqa: B008 - frozen
        prepare: Callable[[torch.dtype], Network] | None = None,
    ) -> None:
        self.layers = looked_at(network, terms)
        self.terms = terms
        self.tile = tile
        self.precision = precision
        self.device = device
        self._network = network
        self._prepare = prepare or partial(network.prepared, self.layers, device)
        self._prepared = self._prepare(precision)
        self._say = say
        self._lens = lens
        self._plans: dict[tuple[int, int], _Plan] = {}

    def gradient(self, image: Tensor, moment: Moment, weights: Sequence[float] = ()) -> tuple[float, Tensor]:
        """The score of `image` (B, 3, H, W) and its gradient, with other weights than the terms' own where given.

        Raises NotFiniteError.
        """
        weights = weights or [term.weight for term in self.terms]
        if self._lens.redirects(moment.step) and len(self._plan(image).tiles) > 1:
            raise UsageError(
                "redirect cannot be tiled: it asks whether any gradient at all comes through; "
                "use --tile none, a smaller --size, or redirect=0"
            )

        def look() -> tuple[float, Tensor]:
            with self._lens.before(self._prepared.module, moment.step):
                return self._gradient(image, moment, weights)

        return self._adapting(image, look)

    def score(self, image: Tensor, moment: Moment, weights: Sequence[float] = ()) -> float:
        """The score alone, without a gradient."""
        scores = self._adapting(image, lambda: self._scores(image, moment))
        return sum(w * score for w, score in zip(weights or [t.weight for t in self.terms], scores, strict=True))

    def balance(self, image: Tensor, moment: Moment) -> list[float]:
        """The terms' weights, each divided by its term's score on `image`: so they become comparable."""
        scores = self._adapting(image, lambda: self._scores(image, moment))
        return [term.weight / (abs(score) or 1.0) for term, score in zip(self.terms, scores, strict=True)]

    def _adapting(self, image: Tensor, look: Callable[[], T]) -> T:
        """Look, and again in smaller tiles or in float32 when the device or the precision was too small."""
        while True:
            try:
                return look()
            except torch.cuda.OutOfMemoryError:
                side = min(self.tile or max(image.shape[-2:]), max(image.shape[-2:])) // 2
                if side < SMALLEST_TILE:
                    raise
                torch.cuda.empty_cache()
                self.tile = side
                self._plans.clear()
                self._say(f"the GPU is out of memory; going on with tiles of {side} pixels")
            except NotFiniteError:
                if self.precision != torch.bfloat16:
                    raise
                self._say("bfloat16 gave NaN or Inf; going on in float32")
                self.precision = torch.float32
                self._prepared = self._prepare(self.precision)

    def _gradient(self, image: Tensor, moment: Moment, weights: Sequence[float]) -> tuple[float, Tensor]:
        sums = torch.zeros(len(self.terms), dtype=image.dtype, device=image.device)
        tiles = self._plan(image).tiles
        photo = self._photo(moment)
        gradient = torch.zeros_like(image) if len(tiles) > 1 else image
        for tile in tiles:
            crop = _crop(image, tile).detach().requires_grad_()
            with torch.enable_grad():
                parts = self._parts(image, tile, crop, moment, photo)
                (slope,) = torch.autograd.grad(parts @ parts.new_tensor(weights), crop)
            sums += parts.detach()
            if len(tiles) > 1:
                _crop(gradient, tile).add_(slope)
            else:
                gradient = slope.contiguous()  # plane by plane: the filters' slices are fast then
        scores = self._finite(sums)
        if not gradient.sum().isfinite():
            raise NotFiniteError(f"the gradient of {', '.join(self.layers)} is not finite")
        return sum(weight * score for weight, score in zip(weights, scores, strict=True)), gradient

    def _scores(self, image: Tensor, moment: Moment) -> list[float]:
        with torch.no_grad():
            tiles = self._plan(image).tiles
            photo = self._photo(moment)
            parts = [self._parts(image, tile, _crop(image, tile), moment, photo) for tile in tiles]
            return self._finite(torch.stack(parts).sum(0))

    def _finite(self, scores: Tensor) -> list[float]:
        for term, score in zip(self.terms, scores.tolist(), strict=True):
            if not math.isfinite(score):
                raise NotFiniteError(f"{term.name} at layer {term.layer} gave {score}")
        return [float(score) for score in scores]

    def _photo(self, moment: Moment) -> Tensor | None:
        """The photo as this step sees it, if some objective asks for its features."""
        with torch.no_grad():
            if not any(term.compares for term in self.terms):
                return None
            return moment.view(moment.photo.expand_as(moment.image))

    def _parts(self, image: Tensor, tile: Tile | None, crop: Tensor, moment: Moment, photo: Tensor | None) -> Tensor:
        """What the tile adds to each term's mean over the positions of the whole picture, (terms,)."""
        features = self._features(crop)
        known: dict[str, Tensor] = {}
        if photo is not None:
            with torch.no_grad():
                known = self._prepared.features(_crop(photo, tile), self.layers)
        parts = []
        for term in self.terms:
            seen = features[term.layer].to(crop.dtype)
            if known:
                moment = replace(moment, photo_features=known[term.layer].to(crop.dtype))
            several = {name: features[name].to(crop.dtype) for name in term.layers}
            scores = term.objective(several or seen, moment)
            if tile is None:
                parts.append(scores.mean())
            elif scores.shape[-2:] == seen.shape[-2:] and not several:
                (top, bottom), (left, right) = tile.owned[term.layer]
                positions = self._plan(image).positions[term.layer] * len(scores)
                parts.append(scores[..., top:bottom, left:right].sum() / positions)
            else:
                raise UsageError(
                    f"objective {term.name} cannot be tiled: it looks at the whole picture; "
                    "use --tile none or a smaller --size"
                )
        return torch.stack(parts)

    def _features(self, view: Tensor) -> dict[str, Tensor]:
        """What the layers answer; UsageError when transforms have left too little of the picture."""
        try:
            return self._prepared.features(view, self.layers)
        except (RuntimeError, ValueError):
            try:
                self._network.sizes(view.shape[-2], view.shape[-1], self.layers)
            except NetworkError as why:
                raise UsageError(f"the transforms leave too little of the picture: {why}") from None
            raise

    def _plan(self, image: Tensor) -> _Plan:
        height, width = size = (image.shape[-2], image.shape[-1])
        if not self.tile or max(size) <= self.tile:
            return _WHOLE
        if size not in self._plans:
            sizes = self._network.sizes(height, width, self.layers)
            tiles = plan(height, width, self.tile, self.layers, sizes)
            self._plans[size] = _Plan(tuple(tiles), {name: h * w for name, (h, w) in sizes.items()})
        return self._plans[size]


def looked_at(network: Network, terms: Iterable[Term]) -> dict[str, Layer]:
    """The layers that the terms look at; each as if a position saw what its terms' positions do."""
    reaches: dict[str, int] = {}
    for term in terms:
        for name in (term.layer, *term.layers):
            reaches[name] = max(term.reach, reaches.get(name, 0))
    return {name: network.layer(name).reaching(reach) for name, reach in reaches.items()}


@dataclass(frozen=True)
class _Plan:
    tiles: tuple[Tile | None, ...]  # None: the whole picture
    positions: Mapping[str, int]  # how many positions each layer has in the whole picture


_WHOLE = _Plan((None,), {})


def largest_tile(layers: Mapping[str, Layer], free: int) -> int:
    """The side of the largest tile, in pixels, whose pass forward and back takes at most `free` bytes."""
    per_pixel = max(layer.memory for layer in layers.values()) * 1.5  # the gradients on the way back
    return max(SMALLEST_TILE, int((free / per_pixel) ** 0.5) - surroundings(layers))


def _crop(image: Tensor, tile: Tile | None) -> Tensor:
    return image if tile is None else image[..., slice(*tile.rows), slice(*tile.columns)]
