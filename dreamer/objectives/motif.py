"""What a network was taught to name, whole where it knows how."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RecipeError
from dreamer.network import LARGEST_FIGURE, Network
from dreamer.objectives.choice import above, normalised, numbers, rows, taught
from dreamer.options import Range, reaching

_APART, _NEAR = 4, 2  # positions between two of a kind, and between figures of different kinds
_STILL = 10.0  # how much a likeness counts besides its square: so that it grows where there is none yet
_SHARP = 2.0  # of the rivalry between them: at 0 all grow, at infinity the best alone


@reaching(LARGEST_FIGURE // 2 + _APART)
def motif(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    names: tuple[str, ...] = (),
    texture: Annotated[float, Range(0, 1)] = 0.02,
) -> Tensor:
    """More of what the network was taught to name, such as `eye,feather`; of everything when nothing is named.

    Where the layer knows figures, whole motifs grow, each where the picture is most like it already; and a little of
    their `texture`. Other layers dream the texture alone: the features' share in each motif's direction, its row of the
    layer's read-out less the mean row, squared. Features are normalised channel by channel. What lies below zero counts
    a little, not squared: so a motif can begin in flat grey, where nothing speaks for it.
    """
    if layer not in network.heads:
        able = ", ".join(network.heads) or "none of its layers does"
        raise RecipeError(f"objectives.motif: layer {layer} of {network.name} names no motifs; those that do: {able}")
    known = taught(network, layer)
    chosen = numbers(names, known, f"objectives.motif.names: {network.name}") or list(known.values())
    seen = normalised(features, network, layer)
    textured = above(F.conv2d(seen, rows(chosen, network, layer, seen)[:, :, None, None])).mean(1)
    if layer not in network.figures or texture == 1:
        return textured
    return (1 - texture) * _whole(seen, network, layer, chosen) + texture * textured


def _whole(seen: Tensor, network: Network, layer: str, chosen: list[int]) -> Tensor:
    """How like whole motifs the surroundings of each position of normalised features are, (B, h, w).

    Neighbours are rivals: a position counts the less, the further it lies below the best one near it. So one whole
    figure grows there instead of many that overlap.
    """
    basis, weight, bias = (values.to(seen) for values in network.figures[layer])
    if (wide := weight.shape[-1]) > LARGEST_FIGURE:
        raise RecipeError(
            f"objectives.motif: {network.name}'s figures are {wide} positions wide; at most {LARGEST_FIGURE}"
        )
    weight, bias = weight[chosen], bias[chosen]
    found = F.conv2d(F.conv2d(seen, basis[:, :, None, None]), weight, bias, padding=weight.shape[-1] // 2)
    now = found.detach()
    behind = _best(now, _APART) + _best(now.amax(1, keepdim=True), _NEAR) - 2 * now
    return ((found.clamp(min=0).square() + _STILL * found) * (-_SHARP * behind).exp()).mean(1)


def _best(found: Tensor, reach: int) -> Tensor:
    """The highest value within so many positions of each."""
    return F.max_pool2d(found, 2 * reach + 1, 1, reach)
