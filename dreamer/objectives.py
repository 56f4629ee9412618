"""What to strengthen at a layer: (features (B, C, h, w), *, options) -> score map (B, h, w); larger is dreamier.

The map's mean over all positions of the picture is climbed. Each position looks only at its own features, which is
what makes tiles exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RecipeError, did_you_mean
from dreamer.hookspecs import Register, hookimpl
from dreamer.network import Network
from dreamer.options import Range

_LEAK = 0.1  # how much a share below zero counts
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
    names: tuple[str, ...] = (),
    normalise: bool = True,
) -> Tensor:
    """More of chosen channels, by their numbers or `names`; all of them when none is chosen.

    Each activation a becomes (a - mean) / std where the network knows its channels' statistics (unless `normalise` is
    off); squared above zero, a little of it below, where a channel could not begin otherwise. The score is their mean.
    """
    named = _numbers(names, network.channels.get(layer, {}), f"objectives.channel.names: {network.name} at {layer}")
    chosen = [*index, *named] or list(range(features.shape[1]))
    if max(chosen) >= features.shape[1]:
        raise RecipeError(
            f"objectives.channel.index: layer {layer} of {network.name} has channels 0 to {features.shape[1] - 1}, "
            f"not {max(chosen)}"
        )
    seen = features[:, chosen]
    if normalise and layer in network.statistics:
        mean, std = (values[chosen].to(seen)[:, None, None] for values in network.statistics[layer])
        seen = (seen - mean) / std
    return _above(seen).mean(1)


def motif(features: Tensor, *, network: Network, layer: str, names: tuple[str, ...] = ()) -> Tensor:
    """More of what the network was taught to name, such as `eye,feather`; of everything when nothing is named.

    Each motif's direction is its row of the layer's read-out less the mean row, on features that are normalised
    channel by channel; the features' share in that direction squared, its mean over the motifs. Where a share is below
    zero it counts a little, and not squared: so a motif can begin in flat grey, where nothing speaks for it.
    """
    if layer not in network.heads:
        able = ", ".join(network.heads) or "none of its layers does"
        raise RecipeError(f"objectives.motif: layer {layer} of {network.name} names no motifs; those that do: {able}")
    known = {label: number for number, label in enumerate(network.labels) if label != "nothing"}
    chosen = _numbers(names, known, f"objectives.motif.names: {network.name}") or list(known.values())
    rows = network.heads[layer][0].to(features)
    directions = F.normalize(rows[chosen] - rows.mean(0), dim=1)
    if layer in network.statistics:
        mean, std = (values.to(features)[:, None, None] for values in network.statistics[layer])
        features = (features - mean) / std
    share = F.conv2d(features, directions[:, :, None, None])
    return _above(share).mean(1)


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


def _above(values: Tensor) -> Tensor:
    """The square of what is above zero; below, a little of it, so that there is a way up."""
    return values.clamp(min=0).square() + _LEAK * values.clamp(max=0)


def _numbers(names: Iterable[str], known: Mapping[str, int], where: str) -> list[int]:
    """The numbers that belong to names; raises RecipeError with every unknown one."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise RecipeError(
            *(f"{where} knows no {name!r}{did_you_mean(name, known)}" for name in unknown),
            f"names are {', '.join(known)}" if known else "there are no names",
        )
    return [known[name] for name in names]


@hookimpl
def register_objectives(register: Register) -> None:
    """The built-in objectives."""
    for function in (deepdream, channel, motif, guided):
        register(function)
