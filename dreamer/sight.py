"""How a dream looks at its picture: a network on a device, in some precision, in tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamer.ascent import Bound
from dreamer.errors import NotFiniteError, UsageError
from dreamer.network import Network
from dreamer.step import Moment
from dreamer.tiles import Tile, plan, surroundings

_SMALLEST_TILE = 64


@dataclass(frozen=True)
class Term:
    """One objective of the score: its name, weight, layer, and function (features, moment) -> score map (B, h, w)."""

    name: str
    weight: float
    layer: str
    objective: Bound


class Sight:
    """Looks at a picture through a network: the score S(x) = sum of weight * mean over positions, and its gradient.

    `tile` is the side of a tile in pixels, 0 for none. Two things change while it works, and `say` is told a sentence
    each: when a GPU runs out of memory the tile is halved, and when bfloat16 gives NaN or Inf float32 takes over.
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
    ) -> None:
        self.layers = {term.layer: network.layer(term.layer) for term in terms}
        self.terms = terms
        self.tile = tile
        self.precision = precision
        self.device = device
        self._network = network
        self._prepared = network.prepared(self.layers, device, precision)
        self._say = say
        self._plans: dict[tuple[int, int], _Plan] = {}

    def gradient(self, image: Tensor, moment: Moment) -> tuple[float, Tensor]:
        """The score of `image` (B, 3, H, W) and its gradient; raises NotFiniteError."""
        while True:
            try:
                return self._gradient(image, moment)
            except torch.cuda.OutOfMemoryError:
                if min(self.tile or max(image.shape[-2:]), max(image.shape[-2:])) < 2 * _SMALLEST_TILE:
                    raise
                self._halve_tile(image)
            except NotFiniteError:
                if self.precision == torch.float32 or self.precision == torch.float64:
                    raise
                self._say("bfloat16 gave NaN or Inf; going on in float32")
                self.precision = torch.float32
                self._prepared = self._network.prepared(self.layers, self.device, self.precision)

    def balanced(self, image: Tensor, moment: Moment) -> Sight:
        """The same sight with each term's weight divided by the term's score on `image`: terms become comparable."""
        scores = [0.0] * len(self.terms)
        with torch.no_grad():
            for tile in self._plan(image).tiles:
                for k, value in enumerate(self._scores(image, tile, _crop(image, tile), moment)):
                    scores[k] += float(value)
        balanced = Sight.__new__(Sight)
        balanced.__dict__.update(self.__dict__)
        balanced.terms = tuple(
            replace(term, weight=term.weight / abs(score) if score else term.weight)
            for term, score in zip(self.terms, scores, strict=True)
        )
        return balanced

    def _gradient(self, image: Tensor, moment: Moment) -> tuple[float, Tensor]:
        scores = [torch.zeros((), dtype=image.dtype, device=image.device) for _ in self.terms]
        tiles = self._plan(image).tiles
        gradient = torch.zeros_like(image) if len(tiles) > 1 else image
        for tile in tiles:
            crop = _crop(image, tile).detach().requires_grad_()
            with torch.enable_grad():
                parts = self._scores(image, tile, crop, moment)
                total = torch.stack([term.weight * part for term, part in zip(self.terms, parts, strict=True)]).sum()
                (part,) = torch.autograd.grad(total, crop)
            for score, value in zip(scores, parts, strict=True):
                score += value.detach()
            if len(tiles) > 1:
                _crop(gradient, tile).add_(part)
            else:
                gradient = part.contiguous()  # plane by plane: the filters' slices are fast then
        for term, score in zip(self.terms, scores, strict=True):
            if not score.isfinite():
                raise NotFiniteError(f"{term.name} at layer {term.layer} gave {score.item()}")
        if not gradient.sum().isfinite():
            raise NotFiniteError(f"the gradient of {', '.join(self.layers)} is not finite")
        return sum(term.weight * float(score) for term, score in zip(self.terms, scores, strict=True)), gradient

    def _scores(self, image: Tensor, tile: Tile | None, crop: Tensor, moment: Moment) -> list[Tensor]:
        """What the tile adds to each term's mean over the positions of the whole picture."""
        features = self._prepared.features(crop, self.layers)
        parts = []
        for term in self.terms:
            seen = features[term.layer].to(crop.dtype)
            scores = term.objective(seen, moment)
            if tile is None:
                parts.append(scores.mean())
            elif scores.shape[-2:] == seen.shape[-2:]:
                (top, bottom), (left, right) = tile.owned[term.layer]
                positions = self._plan(image).positions[term.layer] * len(scores)
                parts.append(scores[..., top:bottom, left:right].sum() / positions)
            else:
                raise UsageError(
                    f"objective {term.name} cannot be tiled: it looks at the whole picture; "
                    "use --tile none or a smaller --size"
                )
        return parts

    def _plan(self, image: Tensor) -> _Plan:
        height, width = size = (image.shape[-2], image.shape[-1])
        if not self.tile or max(size) <= self.tile:
            return _WHOLE
        if size not in self._plans:
            sizes = self._network.sizes(height, width, self.layers)
            tiles = plan(height, width, self.tile, self.layers, sizes)
            self._plans[size] = _Plan(tuple(tiles), {name: h * w for name, (h, w) in sizes.items()})
        return self._plans[size]

    def _halve_tile(self, image: Tensor) -> None:
        torch.cuda.empty_cache()
        self.tile = min(self.tile or max(image.shape[-2:]), max(image.shape[-2:])) // 2
        self._plans.clear()
        self._say(f"the GPU is out of memory; going on with tiles of {self.tile} pixels")


@dataclass(frozen=True)
class _Plan:
    tiles: tuple[Tile | None, ...]  # None: the whole picture
    positions: Mapping[str, int]  # how many positions each layer has in the whole picture


_WHOLE = _Plan((None,), {})


def largest_tile(network: Network, layers: list[str], free: int) -> int:
    """The side of the largest tile, in pixels, whose pass forward and back takes at most `free` bytes."""
    known = {name: network.layer(name) for name in layers}
    per_pixel = max(layer.memory for layer in known.values()) * 1.5  # the gradients on the way back
    return max(_SMALLEST_TILE, int((free / per_pixel) ** 0.5) - surroundings(known))


def _crop(image: Tensor, tile: Tile | None) -> Tensor:
    return image if tile is None else image[..., slice(*tile.rows), slice(*tile.columns)]
