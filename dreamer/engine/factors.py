"""Non-negative matrix factorisation (Lee, Seung 2001): what occurs together in features, and where.

On a network's features that is deep feature factorisation (Collins 2018; Olah 2018): each factor is a direction among
the channels, and its shares are a map of where that is seen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_STEPS, _MEANS, _POWERS = 60, 12, 20  # of the factorisation, of the k-means before it, and of finding a direction
_EPS = 1e-9


def factorised(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Values as shares times directions, by multiplicative updates that begin with k-means.

    Args:
        values: (N, C), none below 0.
        count: Number of factors K.

    Returns:
        The shares (N, K), and the directions (K, C) of length 1; none is below 0.
    """
    centres, nearest = _clusters(values, count)
    shares = torch.full((len(values), count), 0.1).to(values)
    shares[torch.arange(len(values)), nearest] += 1
    directions = centres + 1e-3 * values.mean() + _EPS
    for _ in range(_STEPS):
        shares *= values @ directions.T / (shares @ (directions @ directions.T) + _EPS)
        directions *= shares.T @ values / (shares.T @ shares @ directions + _EPS)
    lengths = torch.linalg.vector_norm(directions, dim=1).clamp(min=_EPS)
    return shares * lengths, directions / lengths[:, None]


def shares_in(values: Tensor, directions: Tensor) -> Tensor:
    """The shares (N, K) of directions (K, C) in values (N, C), both from 0 on: `factorised` with given directions."""
    shares = (values @ directions.T).clamp(min=0)
    gram = directions @ directions.T
    for _ in range(_STEPS):
        shares *= values @ directions.T / (shares @ gram + _EPS)
    return shares


def _clusters(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Centres (K, C) by k-means, and the nearest one of each value (N,).

    It begins with a division: again and again the cluster that varies most is cut across its widest direction (Boley
    1998). Nothing is drawn, and so values that differ a little have much the same clusters.
    """
    nearest = torch.zeros(len(values), dtype=torch.long)
    for new in range(1, count):
        spread = [_spread(values[nearest == k]) for k in range(new)]
        widest = max(range(new), key=spread.__getitem__)
        own = (nearest == widest).nonzero()[:, 0]
        nearest[own[_side(values[own])]] = new
    centres = torch.stack([_mean(values[nearest == k], values) for k in range(count)])
    for _ in range(_MEANS):
        nearest = torch.cdist(values, centres).argmin(1)
        centres = torch.stack([_mean(values[nearest == k], centres[k : k + 1]) for k in range(count)])
    return centres, nearest


def _mean(values: Tensor, otherwise: Tensor) -> Tensor:
    return (values if len(values) else otherwise).mean(0)


def _spread(values: Tensor) -> float:
    """The sum of the squared distances from the mean."""
    return float((values - values.mean(0)).square().sum()) if len(values) else 0.0


def _side(values: Tensor) -> Tensor:
    """Whether each of the values (N, C) lies on one side of their mean, along their widest direction, (N,)."""
    away = values - values.mean(0)
    way = away.T @ away[:, away.square().sum(0).argmax()]
    for _ in range(_POWERS):
        way = F.normalize(away.T @ (away @ way), dim=0)
    return away @ way > 0
