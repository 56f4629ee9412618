"""Which of a layer's channels and classes somebody means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RecipeError, did_you_mean
from dreamer.network import Network

_LEAK = 0.1  # how much a share below zero counts
_FEW = 100  # names that an error lists


def above(values: Tensor) -> Tensor:
    """The square of what is above zero; below, a little of it, so that there is a way up."""
    return values.clamp(min=0).square() + _LEAK * values.clamp(max=0)


def normalised(features: Tensor, network: Network, layer: str, chosen: list[int] | None = None) -> Tensor:
    """Each channel less its mean, in its standard deviations, where the network knows its channels' statistics.

    `features` are those of the `chosen` channels, of all when none is.
    """
    if layer not in network.statistics:
        return features
    which = slice(None) if chosen is None else chosen
    mean, std = (values[which].to(features)[:, None, None] for values in network.statistics[layer])
    return (features - mean) / std


def numbers(names: Iterable[str], known: Mapping[str, int], where: str) -> list[int]:
    """The numbers that belong to names; raises RecipeError with every unknown one."""
    unknown = [name for name in names if name not in known]
    if unknown:
        listed = f"names are {', '.join(known)}" if known else "there are no names"
        raise RecipeError(
            *(f"{where} knows no {name!r}{did_you_mean(name, known)}" for name in unknown),
            *([listed] if len(known) <= _FEW else []),
        )
    return [known[name] for name in names]


def channels(
    index: Iterable[int], names: Iterable[str], count: int, network: Network, layer: str, who: str
) -> list[int]:
    """The numbers of channels, given by number or name; raises RecipeError for those that the layer has not."""
    named = numbers(names, network.channels.get(layer, {}), f"objectives.{who}.names: {network.name} at {layer}")
    chosen = [*index, *named]
    within(chosen, count, f"objectives.{who}.index: layer {layer} of {network.name} has channels")
    return chosen


def within(chosen: Iterable[int], count: int, where: str) -> None:
    """Raises RecipeError for a number beyond the last."""
    highest = max(chosen, default=0)
    if highest >= count:
        raise RecipeError(f"{where} 0 to {count - 1}, not {highest}")


def taught(network: Network, layer: str) -> dict[str, int]:
    """The names that the layer's read-out knows, and their rows; none where it has no read-out."""
    labels = network.labels if layer in network.heads else ()
    return {label: number for number, label in enumerate(labels) if label != "nothing"}


def rows(chosen: list[int], network: Network, layer: str, like: Tensor) -> Tensor:
    """The directions of what a read-out knows, (K, C): each row less the mean row, of length 1."""
    weight = network.heads[layer][0].to(like)
    return F.normalize(weight[chosen] - weight.mean(0), dim=1)
