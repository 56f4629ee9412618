"""The activation of a layer, of channels, or of one neuron."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from dreamer.ingredients.objectives.choice import Index, Names, channels, leaky_square, normalised
from dreamer.networks.network import Network
from dreamer.recipes.options import Range


def deepdream(features: Tensor) -> Tensor:
    """More of whatever the layer sees: the mean over channels of the squared activation (Mordvintsev 2015)."""
    return features.square().mean(1)


def channel(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Index = (),
    names: Names = (),
    normalise: bool = True,
    square: bool = True,
) -> Tensor:
    """More of chosen channels, by their numbers or `names`; all of them when none is chosen.

    With `normalise` and `square` off it is the mean activation, as in Erhan 2009 and Olah 2017.

    Args:
        features: (B, C, h, w).
        network: The network.
        layer: The layer.
        index: Numbers of channels.
        names: Names that the network has for channels of the layer.
        normalise: Make each activation a (a - mean) / std, where the network knows its channels' statistics.
        square: Square what is above zero; below, a tenth of it counts, so that a channel can begin.

    Returns:
        (B, h, w), the mean over the channels.

    Raises:
        RecipeError: The layer has no such channel.
    """
    count = features.shape[1]
    chosen = channels(index, names, count, network, layer, "channel") or list(range(count))
    seen = normalised(features[:, chosen], network, layer, chosen) if normalise else features[:, chosen]
    return (leaky_square(seen) if square else seen).mean(1)


def neuron(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Index = (),
    names: Names = (),
    y: Annotated[float, Range(0, 1)] = 0.5,
    x: Annotated[float, Range(0, 1)] = 0.5,
) -> Tensor:
    """More of one neuron: a channel, by `index` or `names`, at a single place of its map (Erhan 2009); (B, 1, 1).

    What grows has the size of the neuron's receptive field.

    Args:
        features: (B, C, h, w).
        network: The network.
        layer: The layer.
        index: Numbers of channels, of which the mean is taken; channel 0 when none is chosen.
        names: Names that the network has for channels of the layer.
        y: Share of the picture's height, which means the same in every octave.
        x: Share of the picture's width.

    Returns:
        (B, 1, 1).

    Raises:
        RecipeError: The layer has no such channel.
    """
    chosen = channels(index, names, features.shape[1], network, layer, "neuron") or [0]
    row, column = (min(int(share * side), side - 1) for share, side in zip((y, x), features.shape[-2:], strict=True))
    return features[:, chosen, row, column].mean(1)[:, None, None]
