"""Non-negative matrix factorisation (Lee, Seung 2001): what occurs together in features, and where.

On a network's features that is deep feature factorisation (Collins 2018; Olah 2018): each factor is a direction among
the channels, and its shares are a map of where that is seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

_STEPS, _MEANS = 60, 12  # of the factorisation, and of the k-means before it
_EPS = 1e-9


def factorised(values: Tensor, count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Values as shares times directions, by multiplicative updates that begin with k-means.

    Args:
        values: (N, C), none below 0.
        count: Number of factors K.
        seed: Of the first centres' draw.

    Returns:
        The shares (N, K), and the directions (K, C) of length 1; none is below 0.
    """
    centres, nearest = _clusters(values, count, torch.Generator().manual_seed(seed))
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


def _clusters(values: Tensor, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """k-means from k-means++ (Arthur, Vassilvitskii 2007): centres (K, C), and the nearest one of each value (N,)."""
    first = int((values - values.mean(0)).square().sum(1).argmax())
    chosen, away = [first], (values - values[first]).square().sum(1)
    for _ in range(count - 1):
        draw = torch.rand((), generator=random, dtype=torch.float64).to(away.device)
        sums = away.double().cumsum(0)
        chosen.append(min(int((sums <= draw * sums[-1]).sum()), len(values) - 1))
        away = torch.minimum(away, (values - values[chosen[-1]]).square().sum(1))
    centres = values[chosen].clone()
    for _ in range(_MEANS):
        nearest = torch.cdist(values, centres).argmin(1)
        for k in range(count):
            if (own := nearest == k).any():
                centres[k] = values[own].mean(0)
    return centres, nearest
