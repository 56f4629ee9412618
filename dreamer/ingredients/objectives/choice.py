"""Which of a layer's channels and labels are chosen, and what objectives share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RecipeError, did_you_mean, quoted
from dreamer.networks.network import Network
from dreamer.recipes.options import Range

Index = Annotated[tuple[int, ...], Range(0)]
"""Numbers of channels or classes."""
Names = tuple[str, ...]

NO_GROUPS: Mapping[str, Sequence[str]] = MappingProxyType({})

_LEAK = 0.1  # slope below zero
_FEW = 100  # names that an error lists


def leaky_square(values: Tensor) -> Tensor:
    """The square above zero, a tenth of the value below: so that a gradient leads up from there."""
    return values.clamp(min=0).square() + _LEAK * values.clamp(max=0)


def normalised(features: Tensor, network: Network, layer: str, chosen: list[int] | None = None) -> Tensor:
    """Subtract each channel's mean and divide by its standard deviation.

    Args:
        features: (B, C, h, w).
        network: Knows the channels' statistics; features of a layer without them stay as they are.
        layer: The features' layer.
        chosen: The numbers of the channels that `features` has, where it has not all of the layer's.

    Returns:
        (B, C, h, w).
    """
    if layer not in network.statistics:
        return features
    which = slice(None) if chosen is None else chosen
    mean, std = (values[which].to(features)[:, None, None] for values in network.statistics[layer])
    return (features - mean) / std


def numbers(
    names: Iterable[str], known: Mapping[str, int], where: str, groups: Mapping[str, Sequence[str]] = NO_GROUPS
) -> list[int]:
    """Look up names.

    Args:
        names: The names.
        known: The number of each name that there is.
        where: The recipe's key, and what knows the names, to begin the error with.
        groups: Names for several of them, which may have been meant as well.

    Returns:
        Their numbers.

    Raises:
        RecipeError: Some are unknown; each is named, with the nearest.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        grouped = [group for group, members in groups.items() if known.keys() >= {*members}]
        listed = f"names are {', '.join(known)}" if known else "there are no names"
        listed += f"; groups of them are {', '.join(grouped)}" if known and grouped else ""
        raise RecipeError(
            *(f"{where} knows no {quoted(name)}{did_you_mean(name, [*known, *grouped])}" for name in unknown),
            *([listed] if len(known) <= _FEW else []),
        )
    return [known[name] for name in names]


def channels(
    index: Iterable[int], names: Iterable[str], count: int, network: Network, layer: str, who: str
) -> list[int]:
    """Choose channels by number and by name.

    Args:
        index: Numbers.
        names: Names that the network has for channels of the layer, or for groups of them.
        count: How many channels the layer has.
        network: The network.
        layer: The layer.
        who: The objective's name, for the error.

    Returns:
        The numbers of all of them.

    Raises:
        RecipeError: The layer has no such channel.
    """
    known = network.channels.get(layer, {})
    listed = dict.fromkeys(channel for name in names for channel in network.groups.get(name, (name,)))
    chosen = [*index, *numbers(listed, known, f"objectives.{who}.names: {network.name} at {layer}", network.groups)]
    within(chosen, count, f"objectives.{who}.index: layer {layer} of {network.name} has channels")
    return chosen


def within(chosen: Iterable[int], count: int, where: str) -> None:
    """Check that numbers are below a count.

    Args:
        chosen: Numbers from 0.
        count: The first number that is too high.
        where: The recipe's key, and what has so many of what, to begin the error with.

    Raises:
        RecipeError: A number is too high.
    """
    highest = max(chosen, default=0)
    if highest >= count:
        raise RecipeError(f"{where} 0 to {count - 1}, not {highest}")


def label_rows(network: Network, layer: str) -> dict[str, int]:
    """The labels that can be asked for at a layer, and their rows of its head; empty where it has no head."""
    labels = network.labels if layer in network.heads else ()
    return {label: row for row, label in enumerate(labels) if label != network.background}


def label_directions(chosen: list[int], network: Network, layer: str, like: Tensor) -> Tensor:
    """The directions in which labels lie among a layer's channels.

    Args:
        chosen: Rows of the layer's head.
        network: The network.
        layer: A layer that has a head.
        like: A tensor of the wished type and device.

    Returns:
        (len(chosen), C): each row of the head less its mean row, of length 1.
    """
    weight = network.heads[layer][0].to(like)
    return F.normalize(weight[chosen] - weight.mean(0), dim=1)
