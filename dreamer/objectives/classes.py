"""The classes that a network was taught to tell apart."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from dreamer.network import Network
from dreamer.objectives.choice import numbers, within
from dreamer.options import Range


def logit(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Annotated[tuple[int, ...], Range(0)] = (),
    names: tuple[str, ...] = (),
) -> Tensor:
    """More of a class, by its number or name: its score before the softmax (Simonyan 2013).

    The classes are those of the layer's read-out, or the channels of a layer that has one for each class, as the last
    layer of a classifier. At a layer with a map, every position votes. When none is chosen, the strongest.
    """
    return _mean(_logits(features, network, layer), index, names, network, layer, "logit")


def probability(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    index: Annotated[tuple[int, ...], Range(0)] = (),
    names: tuple[str, ...] = (),
) -> Tensor:
    """More of a class, by its number or name: its share after the softmax (Simonyan 2013); see `logit`.

    It rises by what speaks against the other classes, too, and hardly moves near 0 and 1: `logit` makes clearer forms.
    """
    return _mean(_logits(features, network, layer).softmax(1), index, names, network, layer, "probability")


def _logits(features: Tensor, network: Network, layer: str) -> Tensor:
    """The classes' scores at each position, (B, K, h, w)."""
    if layer not in network.heads:
        return features
    weight, bias = (values.to(features) for values in network.heads[layer])
    return F.conv2d(features, weight[:, :, None, None], bias)


def _mean(
    scores: Tensor, index: tuple[int, ...], names: tuple[str, ...], network: Network, layer: str, who: str
) -> Tensor:
    count = scores.shape[1]
    known = {name: number for number, name in enumerate(network.labels)} if len(network.labels) == count else {}
    chosen = [*index, *numbers(names, known, f"objectives.{who}.names: {network.name} at {layer}")]
    within(chosen, count, f"objectives.{who}.index: layer {layer} of {network.name} has classes")
    return scores[:, chosen].mean(1) if chosen else scores.amax(1)
