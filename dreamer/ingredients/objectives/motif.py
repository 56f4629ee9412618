"""The motifs that a network was taught to name: as texture, and whole where the network has figures."""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from dreamer.engine.wide import wide_convolution
from dreamer.errors import RecipeError, argument
from dreamer.ingredients.objectives.choice import Names, label_directions, label_rows, leaky_square, normalised, numbers
from dreamer.networks.network import Network
from dreamer.networks.randomness import Randomness
from dreamer.recipes.options import Range, reaching

_WIDEST = 11  # positions: tiles overlap by so many, so that it fits
_APART, _NEAR = 4, 2  # positions within which figures of one kind, and of different kinds, are rivals
_LINEAR = 10.0  # weight of a figure's score beside its square, for a gradient where nothing is found yet
_SHARP = 2.0  # sharpness of the rivalry: at 0 all figures grow, at infinity only the best
_CHANCE = 0.15  # chance of a motif that stands out less in the photo: at 0 none, at infinity the same for all
_PLACES = 0.02  # share of a photo's places that count: those most like a motif
_UNLIKE = 1.0  # penalty on a motif for its likeness to one that is drawn already
_LIKED: MutableMapping[Tensor, dict[tuple[int, ...], list[int]]] = WeakTensorKeyDictionary()  # by overview


@reaching(_WIDEST // 2 + _APART)
def motif(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    overview: Tensor | None = None,
    names: Names = (),
    some: Annotated[int, Range(0, 1000)] = 0,
    texture: Annotated[float, Range(0, 1)] = 0.02,
) -> Tensor:
    """More of what the network was taught to name, as `eye,feather` or the group `flowers`, or of all that it knows.

    Where the network has figures for the layer, whole motifs grow, each where the picture is most like it already. The
    texture is the features' dot product with each motif's direction (its row of the layer's head less the mean row, of
    length 1), squared; below zero a tenth of it, so that a motif can begin in flat grey.

    Args:
        features: (B, C, h, w); they are normalised channel by channel here.
        network: The network, which needs a head for the layer.
        layer: The layer.
        overview: The features of the whole photo, (1, C, h, w).
        names: Labels, or groups of them; all labels when there are none.
        some: How many of them are dreamt of, drawn for each seed, by preference those that the photo is like; 0 for
            all.
        texture: Share of the texture in the score, the rest is the whole motifs'; all without figures.

    Returns:
        (B, h, w).

    Raises:
        RecipeError: The layer has no head, a label is unknown, or a figure is wider than 11 positions.
    """
    if layer not in network.heads:
        able = f"layer {layer} of {network.name} names no motifs; those that do: {', '.join(network.heads)}"
        raise RecipeError(f"objectives.motif: {able if network.heads else _without(network)}")
    known = label_rows(network, layer)
    listed = dict.fromkeys(label for name in names for label in network.groups.get(name, (name,)))
    where = f"objectives.motif.names: {network.name}"
    chosen = numbers(listed, known, where, network.groups) or list(known.values())
    if 0 < some < len(chosen):
        chosen = _drawn(chosen, some, network, layer, overview)
    seen = normalised(features, network, layer)
    directions = label_directions(chosen, network, layer, seen)
    textured = leaky_square(F.conv2d(seen, directions[:, :, None, None])).mean(1)
    if layer not in network.figures or texture == 1:
        return textured
    return (1 - texture) * _whole(seen, network, layer, chosen) + texture * textured


def _without(network: Network) -> str:
    """The sentence about a network of which no layer names motifs, and what else it has."""
    named = [{*channels} for channels in network.channels.values()]
    groups = [group for group, members in network.groups.items() if any(own >= {*members} for own in named)]
    untaught = f"{network.name} was not taught to name motifs"
    if not groups:
        return untaught
    return f"{untaught}; {argument('channel', groups[0])} has its channels grow, for one of {', '.join(groups)}"


def _drawn(known: list[int], some: int, network: Network, layer: str, overview: Tensor | None) -> list[int]:
    """Some of the known motifs, as the seed draws them; given a photo, by preference what it is like."""
    seed = Randomness.active().seed
    if overview is None or layer not in network.figures:
        with Randomness(seed):
            return [known[number] for number in torch.randperm(len(known))[:some].tolist()]
    liked = _LIKED.setdefault(overview, {})
    key = (seed, some, *known)
    if key not in liked:  # to look the photo through at each step would take a twentieth of the time
        liked[key] = _like(overview, known, some, network, layer, seed)
    return liked[key]


def _like(overview: Tensor, known: list[int], some: int, network: Network, layer: str, seed: int) -> list[int]:
    """Some of the known motifs, drawn by preference from those that the photo is like, of many kinds.

    What counts is how far the places that are most like a motif stand out from the photo's others, in standard
    deviations; its mean would let one motif win in every photo with straight edges. The probability grows exponentially
    with it (Gumbel's trick: Yellott 1977), and falls with likeness to what is drawn already (Carbonell and Goldstein
    1998).
    """
    with Randomness(seed):
        chance = -torch.rand(len(known)).clamp(min=1e-9).log().neg().log()
    found = _figures(normalised(overview, network, layer), network, layer, known)[0].amax(1).flatten(1)
    most = found.topk(math.ceil(_PLACES * found.shape[1]), 1).values.mean(1)
    value = ((most - found.mean(1)) / found.std(1, correction=0).clamp(min=1e-6)).cpu() + _CHANCE * chance
    directions = label_directions(known, network, layer, overview).cpu()
    alike = (directions @ directions.T).clamp(min=0)
    drawn: list[int] = []
    for _ in range(some):
        drawn.append(int(value.argmax()))
        value -= _UNLIKE * alike[drawn[-1]]
        value[drawn] = -math.inf
    return [known[number] for number in drawn]


def _whole(seen: Tensor, network: Network, layer: str, chosen: list[int]) -> Tensor:
    """The mean over the chosen motifs of their figures' scores at each position of features (B, C, h, w), (B, h, w).

    A position counts the less, the further its score lies below the best one near it: so one whole figure grows there
    instead of many that overlap.
    """
    found = _figures(seen, network, layer, chosen)
    now = found.detach()
    own = now.amax(2)
    behind = (_best(own, _APART) + _best(own.amax(1, keepdim=True), _NEAR))[:, :, None] - 2 * now
    return ((found.clamp(min=0).square() + _LINEAR * found) * (-_SHARP * behind).exp()).sum((1, 2)) / len(chosen)


def _figures(seen: Tensor, network: Network, layer: str, chosen: list[int]) -> Tensor:
    """The answers of each chosen motif's figures at each position of features (B, C, h, w): (B, K, V, h, w)."""
    basis, weight, bias = network.figures[layer]
    if (wide := weight.shape[-1]) > _WIDEST:
        raise RecipeError(f"objectives.motif: {network.name}'s figures are {wide} positions wide; at most {_WIDEST}")
    reduced = F.conv2d(seen, basis.to(seen)[:, :, None, None])
    found = wide_convolution(reduced, weight, chosen, bias)
    return found.view(len(found), len(chosen), -1, *found.shape[2:])


def _best(found: Tensor, reach: int) -> Tensor:
    """The highest value within `reach` positions of each, of the same shape."""
    return F.max_pool2d(found, 2 * reach + 1, 1, reach)
