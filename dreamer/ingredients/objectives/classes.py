"""The classes that a network was taught to tell apart."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from dreamer.ingredients.objectives.choice import Index, Names, numbers, within
from dreamer.networks.network import Network


def logit(features: Tensor, *, network: Network, layer: str, index: Index = (), names: Names = ()) -> Tensor:
    """More of a class, by its number or name: its score before the softmax (Simonyan 2013).

    The classes are those of the layer's head, or the channels of a layer that has one for each class, as the last layer
    of a classifier. At a layer with a map, every position counts.

    Args:
        features: (B, C, h, w).
        network: The network.
        layer: The layer.
        index: Numbers of classes.
        names: Labels of the network.

    Returns:
        (B, h, w), the mean over the classes; the highest score at each position when none is chosen.

    Raises:
        RecipeError: There is no such class.
    """
    return _mean(_logits(features, network, layer), index, names, network, layer, "logit")


def probability(features: Tensor, *, network: Network, layer: str, index: Index = (), names: Names = ()) -> Tensor:
    """More of a class, by its number or name: its share after the softmax (Simonyan 2013); see `logit`.

    It rises by less of the other classes, too, and hardly changes near 0 and 1: `logit` makes clearer forms.

    Args:
        features: (B, C, h, w).
        network: The network.
        layer: The layer.
        index: Numbers of classes.
        names: Labels of the network.

    Returns:
        (B, h, w), in [0, 1], as in `logit`.

    Raises:
        RecipeError: There is no such class.
    """
    return _mean(_logits(features, network, layer).softmax(1), index, names, network, layer, "probability")


def _logits(features: Tensor, network: Network, layer: str) -> Tensor:
    """The classes' scores at each position, (B, K, h, w)."""
    if layer not in network.heads:
        return features
    weight, bias = (values.to(features) for values in network.heads[layer])
    return F.conv2d(features, weight[:, :, None, None], bias)


def _mean(scores: Tensor, index: Index, names: Names, network: Network, layer: str, who: str) -> Tensor:
    """The mean of the chosen classes' scores (B, K, h, w), the highest where none is chosen, (B, h, w)."""
    count = scores.shape[1]
    known = {name: number for number, name in enumerate(network.labels)} if len(network.labels) == count else {}
    chosen = [*index, *numbers(names, known, f"objectives.{who}.names: {network.name} at {layer}")]
    within(chosen, count, f"objectives.{who}.index: layer {layer} of {network.name} has classes")
    return scores[:, chosen].mean(1) if chosen else scores.amax(1)
