"""One unit of a network, to see what it wants: (features (B, C, h, w), *, options) -> scores, (B, h, w) or (B, 1, 1).

Scores are plain activations: what is climbed is what the network computes (Erhan 2009; Olah 2017).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import PlaceError, RecipeError, did_you_mean
from dreamer.hookspecs import Register, hookimpl
from dreamer.network import Network
from dreamer.options import Range

_NEAREST = 6  # names that an error gives


def neuron(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Annotated[int, Range(0)] = 0,
    y: Annotated[int, Range(0)] | None = None,
    x: Annotated[int, Range(0)] | None = None,
) -> Tensor:
    """One channel at one place, row `y` and column `x` of the layer's map, the centre when not given (Erhan 2009)."""
    _check_channel(features, index, f"objectives.neuron.index: layer {layer} of {network.name}")
    height, width = features.shape[-2:]
    row, column = height // 2 if y is None else y, width // 2 if x is None else x
    if row >= height or column >= width:
        raise PlaceError(
            f"objectives.neuron: row {row}, column {column} lies outside of the map of {layer}, which is {height} high "
            f"and {width} wide for this picture: rows 0 to {height - 1}, columns 0 to {width - 1}"
        )
    return features[:, index, row : row + 1, column : column + 1]


def unit(features: Tensor, *, network: Network, layer: str, index: Annotated[int, Range(0)] = 0) -> Tensor:
    """One channel's mean activation over the map: a texture that fills the picture (Olah 2017)."""
    _check_channel(features, index, f"objectives.unit.index: layer {layer} of {network.name}")
    return features[:, index]


def logit(features: Tensor, *, network: Network, layer: str, names: tuple[str, ...] = ()) -> Tensor:
    """What the network calls by these names: the classes' scores before the softmax, their mean (Simonyan 2014)."""
    if not names:
        return features.mean(1)
    if features.shape[1] != len(network.labels):
        named = f"its {len(network.labels)} classes" if network.labels else "no classes that dreamer knows"
        raise RecipeError(
            f"objectives.logit: layer {layer} of {network.name} has {features.shape[1]} channels, {named}"
        )
    return features[:, class_numbers(network, names)].mean(1)


def direction(
    features: Tensor, *, layer: str, vector: tuple[float, ...] = (), power: Annotated[float, Range(0, 8)] = 0.0
) -> Tensor:
    """A direction among a layer's channels: the dot product with it, times max(0.1, cosine)^`power` (Olah 2017)."""
    if vector and len(vector) != features.shape[1]:
        raise RecipeError(
            f"objectives.direction.vector: it has {len(vector)} numbers, layer {layer} has {features.shape[1]} channels"
        )
    way = features.new_tensor(vector or [1.0] * features.shape[1])
    if not way.any():
        raise RecipeError("objectives.direction.vector: every number is 0, which is no direction")
    way = F.normalize(way, dim=0)[:, None, None]
    along = (features * way).sum(1)
    if not power:
        return along
    cosine = F.cosine_similarity(features, way.expand_as(features), dim=1)
    return along * cosine.clamp(min=0.1).pow(power)


def class_numbers(network: Network, names: Iterable[str]) -> list[int]:
    """The classes' numbers, by name (upper and lower case are alike) or number; RecipeError with the nearest names."""
    known: dict[str, int] = {}
    for number, label in enumerate(network.labels):
        known.setdefault(label.lower(), number)
    found, problems = [], []
    for name in names:
        if name.isdecimal() and int(name) < len(network.labels):
            found.append(int(name))
        elif name.strip().lower() in known:
            found.append(known[name.strip().lower()])
        else:
            within = [label for label in known if name.strip().lower() in label][:_NEAREST]
            near = f"; there are {', '.join(within)}" if within else did_you_mean(name.lower(), known)
            problems.append(f"{network.name} knows no class {name!r}{near}")
    if problems:
        raise RecipeError(*problems)
    return found


def _check_channel(features: Tensor, index: int, where: str) -> None:
    if index >= features.shape[1]:
        raise RecipeError(f"{where} has channels 0 to {features.shape[1] - 1}, not {index}")


@hookimpl
def register_objectives(register: Register) -> None:
    """The objectives that visualizations need."""
    for function in (neuron, unit, logit, direction):
        register(function)
