"""The terms of a score: objectives at layers of a network, with their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dreamer.engine.step import StepContext
from dreamer.errors import UsageError
from dreamer.networks.layers import Layer
from dreamer.networks.network import Network


@dataclass(frozen=True)
class WeightedObjective:
    """One term of the score: an objective at a layer, with its weight.

    Attributes:
        name: What errors call it.
        weight: By how much its score counts.
        layer: The layer whose features (B, C, h, w) the objective is given.
        objective: The function (features, context) -> score map (B, h, w), or one score for each picture.
        needs_photo: Whether it needs the photo's features, `StepContext.photo_features`.
        layers: If any, the objective is given the features of all of these, {layer: (B, C, h, w)}; tiles are then
            impossible.
        context: How many positions around its own each position of the score map depends on.
        area: Which of the step's areas it grows in: its score map is multiplied by that area's share at each position.
    """

    name: str
    weight: float
    layer: str
    objective: Callable[[Any, StepContext], Tensor]
    needs_photo: bool = False
    layers: tuple[str, ...] = ()
    context: int = 0
    area: int | None = None


def no_map(name: str) -> UsageError:
    """The error about an objective in a region that has no score for each position."""
    how = "choose a look with other objectives"
    return UsageError(f"objective {name} cannot grow in a region: it looks at the whole picture; {how}")


def scored_layers(network: Network, terms: Iterable[WeightedObjective]) -> dict[str, Layer]:
    """The layers of the terms; a position's receptive field covers all positions that a term there depends on."""
    contexts: dict[str, int] = {}
    for term in terms:
        for name in (term.layer, *term.layers):
            contexts[name] = max(term.context, contexts.get(name, 0))
    return {name: network.layer(name).reaching(context) for name, context in contexts.items()}
