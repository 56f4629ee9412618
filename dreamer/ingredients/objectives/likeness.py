"""Likeness to the photo's features, or to a guide's."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.recipes.options import Range

_ROWS = 4096  # positions compared with the guide at a time
_FLOOR, _EPS = 0.1, 1e-8


def guided(features: Tensor, *, guide: Tensor) -> Tensor:
    """More of what another picture shows: each position climbs the guide's features that match it best.

    The dot product with the best-matching position of `guide` (1, C, h', w') (Mordvintsev 2015), both less the guide's
    mean: what is everywhere in the guide, as it is in most pictures, would make all guides alike.
    """
    channels = features.shape[1]
    mean = guide.mean((2, 3))  # (1, C)
    known = guide.flatten(2)[0] - mean.t()  # (C, n)
    places = features.permute(0, 2, 3, 1).reshape(-1, channels) - mean
    with torch.no_grad():
        best = torch.cat([(rows @ known).argmax(1) for rows in torch.split(places, _ROWS)])
    scores = (places * known.t()[best]).mean(1)
    return scores.view(features.shape[0], *features.shape[2:])


def style(features: Tensor, *, guide: Tensor) -> Tensor:
    """The guide's textures, wherever they grow: less distance of the channels' Gram matrices (Gatys 2015); (B, 1, 1).

    Minus the mean over all pairs of channels of (G - A)^2 / 4, where G and A are the pairs' mean products over the
    positions of the picture and of the guide.
    """
    return -(_gram(features) - _gram(guide)).square().mean((1, 2))[:, None, None] / 4


def texture(features: Tensor, *, guide: Tensor, directions: Annotated[int, Range(0, 1024)] = 32) -> Tensor:
    """The guide's textures, told by all values and not by their products alone: see `style`; (B, 1, 1).

    Minus the mean squared difference of the sorted values of picture and guide, along `directions` unit directions of
    the channels, drawn anew each step (the sliced Wasserstein distance: Heitz 2021); with 0 along each channel (sorted
    matching: Görgün 2025). Where the guide has another number of positions, its sorted values are interpolated.

    Args:
        features: (B, C, h, w).
        guide: The guide's, (1, C, h', w').
        directions: How many directions; 0 for the channels themselves.

    Returns:
        (B, 1, 1).
    """
    seen, wanted = features.flatten(2), guide.flatten(2)
    if directions:
        ways = F.normalize(torch.randn(directions, seen.shape[1]), dim=1).to(seen)
        seen, wanted = ways @ seen, ways @ wanted
    order = F.interpolate(wanted.sort(2).values, size=seen.shape[2], mode="linear", align_corners=False)
    return -(seen.sort(2).values - order).square().mean((1, 2))[:, None, None]


def content(features: Tensor, *, photo_features: Tensor) -> Tensor:
    """Likeness to the photo at each place: minus the squared difference of features (Gatys 2015).

    Minus half the mean over channels of (a - photo's)^2.
    """
    return -(features - photo_features).square().mean(1) / 2


def inversion(features: Tensor, *, photo_features: Tensor) -> Tensor:
    """A picture that the layer takes for the photo: less distance of their features (Mahendran 2014); (B, 1, 1).

    Minus |a - photo's|^2 / |photo's|^2. Begin with `init` noise or grey: what the layer has forgotten comes out new.
    """
    return _inverted(features, photo_features)


def guide_inversion(features: Tensor, *, guide: Tensor) -> Tensor:
    """A picture that the layer takes for the guide, stretched to this picture's size; see `inversion`; (B, 1, 1)."""
    size = (features.shape[-2], features.shape[-1])
    return _inverted(features, F.interpolate(guide, size=size, mode="bilinear", align_corners=False))


def caricature(features: Tensor, *, photo_features: Tensor, power: Annotated[float, Range(0, 10)] = 2.0) -> Tensor:
    """The photo exaggerated: more of the features that it has already (Lucid 2018); (B, 1, 1).

    The dot product with the photo's features times max(0.1, cosine)^`power`, over all channels and positions at once.

    Args:
        features: (B, C, h, w).
        photo_features: The photo's, (1 or B, C, h, w).
        power: The higher, the less of anything else.

    Returns:
        (B, 1, 1).
    """
    seen, known = features.flatten(1), photo_features.flatten(1)
    dot: Tensor = (seen * known).sum(1)
    lengths = torch.linalg.vector_norm(seen, dim=1) * torch.linalg.vector_norm(known, dim=1)
    score: Tensor = dot * (dot / (lengths + _EPS)).clamp(min=_FLOOR).pow(power)
    return score[:, None, None]


def _inverted(features: Tensor, wanted: Tensor) -> Tensor:
    energy = wanted.square().sum((1, 2, 3)).clamp(min=_EPS)
    return -((features - wanted).square().sum((1, 2, 3)) / energy)[:, None, None]


def _gram(features: Tensor) -> Tensor:
    """The mean product of each pair of channels over all positions, (B, C, C)."""
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[2]
