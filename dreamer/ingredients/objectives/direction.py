"""Directions in a layer's activation space: given or random ones, concepts, and sums and differences of named ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import RecipeError, collect_problems, reported_together
from dreamer.ingredients.objectives.choice import Names, channels, label_directions, label_rows, numbers
from dreamer.limits import CONCEPTS
from dreamer.networks.network import Network
from dreamer.recipes.options import Range
from dreamer.recipes.parsing import whole_number

_FLOOR, _EPS = 0.1, 1e-4  # as in Lucid

Power = Annotated[float, Range(0, 10)]
Seed = Annotated[int, Range(0, 2**63 - 1)]


def direction(
    features: Tensor, *, layer: str, vector: tuple[float, ...] = (), seed: Seed = 0, power: Power = 0.0
) -> Tensor:
    """More of one direction among the channels: `vector`, one number each, or one by chance (Szegedy 2013).

    The dot product with the direction, of length 1, at each position, times max(0.1, cosine)^`power` (Lucid).

    Args:
        features: (B, C, h, w).
        layer: The layer.
        vector: The direction, one number for each channel; without it one is drawn from a Gaussian.
        seed: Of that draw.
        power: The higher, the less of anything else.

    Returns:
        (B, h, w).

    Raises:
        RecipeError: The vector is zero, or has not one number for each channel.
    """
    count = features.shape[1]
    if vector:
        if len(vector) != count or not any(vector):
            wrong = f"has {len(vector)} numbers" if any(vector) else "has no number but 0"
            raise RecipeError(f"objectives.direction.vector: it {wrong}; layer {layer} needs {count}, one a channel")
        return _climb(features, features.new_tensor(vector), power)
    drawn = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    return _climb(features, drawn, power)


def concept(
    features: Tensor,
    *,
    layer: str,
    file: str = "",
    number: Annotated[int, Range(1, CONCEPTS)] = 1,
    power: Power = 0.0,
    sha256: str = "",
    vector: tuple[float, ...] = (),
) -> Tensor:
    """More of a concept that `dreamer concepts` found in pictures: its `number` in a `file` (Collins 2018).

    Args:
        features: (B, C, h, w).
        layer: The layer; the file's.
        file: A file of concepts, read when it is named on the command line or in Python. A recipe keeps its name, its
            hash and the concept itself, so that it is repeated without the file, and never has one read.
        number: Which of its concepts, counted from 1.
        power: As in `direction`.
        sha256: The file's hash, filled in.
        vector: The concept, one number for each channel, filled in; without it all channels count alike.

    Returns:
        (B, h, w).

    Raises:
        RecipeError: The vector is zero, or has not one number for each channel.
    """
    count = features.shape[1]
    if vector and (len(vector) != count or not any(vector)):
        wrong = f"has {len(vector)} numbers" if any(vector) else "has no number but 0"
        raise RecipeError(f"objectives.concept: concept {number} {wrong}; layer {layer} needs {count}, one a channel")
    return _climb(features, features.new_tensor(vector) if vector else features.new_ones(count), power)


def arithmetic(
    features: Tensor, *, network: Network, layer: str, plus: Names = ("0",), minus: Names = (), power: Power = 0.0
) -> Tensor:
    """More of a sum of channels and motifs less others: `plus` and `minus`, by number or name (Olah 2017).

    Each is a direction of length 1: a channel's axis, or that of a label of the layer's head, as in `motif`.

    Args:
        features: (B, C, h, w).
        network: The network.
        layer: The layer.
        plus: Numbers or names of channels, or labels.
        minus: The same.
        power: As in `direction`.

    Returns:
        (B, h, w).

    Raises:
        RecipeError: The layer has no such channel or label, or the sum is zero.
    """
    ways = _named([*plus, *minus], network, layer, features, "arithmetic")
    more, less = (sum((ways[word] for word in words), features.new_zeros(())) for words in (plus, minus))
    vector = more - less
    if not vector.any():
        raise RecipeError("objectives.arithmetic: plus and minus leave nothing of each other; name something else")
    return _climb(features, vector, power)


def interpolation(features: Tensor, *, network: Network, layer: str, first: str = "0", second: str = "1") -> Tensor:
    """From one channel or motif to another along a batch of pictures: (1 - t) `first` + t `second` (Olah 2017).

    t rises evenly from 0 at the first picture to 1 at the last. To go from one layer to another, use two of these: one
    with an empty `second`, one with an empty `first`.

    Args:
        features: (B, C, h, w).
        network: The network.
        layer: The layer.
        first: Number or name of a channel, or a label of the layer's head; may be empty.
        second: The same.

    Returns:
        (B, h, w).

    Raises:
        RecipeError: The layer has no such channel or label.
    """
    share = torch.linspace(0, 1, len(features)).to(features)[:, None, None]
    score = features[:, 0] * 0
    ways = _named(filter(None, (first, second)), network, layer, features, "interpolation")
    for word, part in ((first, 1 - share), (second, share)):
        if word:
            score = score + part * _dot(features, ways[word])
    return score


def _climb(features: Tensor, vector: Tensor, power: float) -> Tensor:
    """The score of a direction (C,) of any length but 0, (B, h, w); see `direction`."""
    vector = vector.to(features) / vector.abs().max()
    dot = _dot(features, vector / torch.linalg.vector_norm(vector))
    if not power:
        return dot
    cosine = dot / (torch.linalg.vector_norm(features, dim=1) + _EPS)
    score: Tensor = dot * cosine.clamp(min=_FLOOR).pow(power)
    return score


def _dot(features: Tensor, vector: Tensor) -> Tensor:
    """The dot product with a direction (C,) at each position, (B, h, w)."""
    score: Tensor = F.conv2d(features, vector[None, :, None, None])
    return score[:, 0]


def _named(words: Iterable[str], network: Network, layer: str, like: Tensor, who: str) -> dict[str, Tensor]:
    """Word -> direction (C,) of a channel, by number or name, or of a label of the layer's head."""
    count, own, labels = like.shape[1], network.channels.get(layer, {}), label_rows(network, layer)
    words = dict.fromkeys(words)
    plain = [word for word in words if word in own or word not in labels]
    chosen = {word: number for word in plain if (number := whole_number(word)) is not None}
    names = [word for word in plain if word not in chosen]
    with reported_together(RecipeError) as problems:
        with collect_problems(problems):
            channels(chosen.values(), (), count, network, layer, who)
        with collect_problems(problems):
            found = numbers(names, {**labels, **own}, f"objectives.{who}: {network.name} at {layer}")
            chosen |= zip(names, found, strict=True)
    axes = torch.eye(count, dtype=like.dtype, device=like.device)
    return {
        word: axes[chosen[word]] if word in chosen else label_directions([labels[word]], network, layer, like)[0]
        for word in words
    }
