"""What a layer, a channel or one neuron answers."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from dreamer.network import Network
from dreamer.objectives.choice import above, channels, normalised
from dreamer.options import Range


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
    square: bool = True,
) -> Tensor:
    """More of chosen channels, by their numbers or `names`; all of them when none is chosen.

    Each activation a becomes (a - mean) / std where the network knows its channels' statistics (unless `normalise` is
    off); squared above zero, a little of it below, where a channel could not begin otherwise. The score is their mean.
    With both off it is the mean activation, as in Erhan 2009 and Olah 2017.
    """
    count = features.shape[1]
    chosen = channels(index, names, count, network, layer, "channel") or list(range(count))
    seen = features[:, chosen]
    if normalise:
        seen = normalised(seen, network, layer, chosen)
    return (above(seen) if square else seen).mean(1)


def neuron(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Annotated[tuple[int, ...], Range(0)] = (),
    names: tuple[str, ...] = (),
    y: Annotated[float, Range(0, 1)] = 0.5,
    x: Annotated[float, Range(0, 1)] = 0.5,
) -> Tensor:
    """More of one neuron: a channel, by `index` or `names`, at a single place of its map (Erhan 2009); (B, 1, 1).

    `y` and `x` are shares of the picture's height and width, which mean the same in every octave; the middle by
    default. What grows has the size of the neuron's receptive field. Of several channels it is the mean; the first when
    none is chosen.
    """
    chosen = channels(index, names, features.shape[1], network, layer, "neuron") or [0]
    row, column = (min(int(share * side), side - 1) for share, side in zip((y, x), features.shape[-2:], strict=True))
    return features[:, chosen, row, column].mean(1)[:, None, None]
