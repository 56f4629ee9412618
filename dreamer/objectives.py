"""What to strengthen at a layer: (features (B, C, h, w), *, options) -> score map (B, h, w); larger is dreamier.

The map's mean over all positions of the picture is climbed. Each position looks only at its own features, which is
what makes tiles exact.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from dreamer.errors import RecipeError
from dreamer.hookspecs import Register, hookimpl
from dreamer.network import Network
from dreamer.options import Range

_ROWS = 4096  # positions compared with the guide at a time


def deepdream(features: Tensor) -> Tensor:
    """More of whatever the layer sees: the mean over channels of the squared activation (Mordvintsev 2015)."""
    return features.square().mean(1)


def channel(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Annotated[tuple[int, ...], Range(0)] = (),
    normalise: bool = True,
) -> Tensor:
    """More of chosen channels, by their numbers; all of them when none is named.

    Each activation a becomes max(0, (a - mean) / std) squared where the network knows its channels' statistics (unless
    `normalise` is off), max(0, a) squared elsewhere; the score is their mean.
    """
    chosen = list(index) or list(range(features.shape[1]))
    if max(chosen) >= features.shape[1]:
        raise RecipeError(
            f"objectives.channel.index: layer {layer} of {network.name} has channels 0 to {features.shape[1] - 1}, "
            f"not {max(chosen)}"
        )
    seen = features[:, chosen]
    if normalise and layer in network.statistics:
        mean, std = (values[chosen].to(seen)[:, None, None] for values in network.statistics[layer])
        seen = (seen - mean) / std
    return seen.clamp(min=0).square().mean(1)


def guided(features: Tensor, *, guide: Tensor) -> Tensor:
    """More of what another picture shows: each position climbs the guide's features that match it best.

    The dot product with the best-matching position of `guide` (1, C, h', w') (Mordvintsev 2015).
    """
    channels = features.shape[1]
    known = guide.flatten(2)[0]  # (C, n)
    places = features.permute(0, 2, 3, 1).reshape(-1, channels)
    with torch.no_grad():
        best = torch.cat([(rows @ known).argmax(1) for rows in torch.split(places, _ROWS)])
    scores = (places * known.t()[best]).mean(1)
    return scores.view(features.shape[0], *features.shape[2:])


@hookimpl
def register_objectives(register: Register) -> None:
    """The built-in objectives."""
    for function in (deepdream, channel, guided):
        register(function)
