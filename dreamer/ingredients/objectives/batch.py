"""Objectives that compare the pictures of a batch: to make them differ, or to align them."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.recipes.options import Range

_NEIGHBOURS = 4  # how far alignment looks along the batch, as in Lucid


def diversity(features: Tensor, *, relative: bool = False) -> Tensor:
    """Pictures of a batch that differ: less likeness of their channels' Gram matrices (Olah 2017); (B, 1, 1).

    With G = F F^T / |F F^T| of each picture's features F (C, h w): minus the sum of <G, G'> over all others G'.
    With `relative` it is multiplied by the RMS of all features: one weight then suits every unit and layer.
    """
    flat = features.flatten(2)
    gram = (flat @ flat.mT).flatten(1)
    gram = gram / torch.linalg.vector_norm(gram, dim=1, keepdim=True).clamp(min=torch.finfo(gram.dtype).tiny)
    alike: Tensor = gram @ gram.mT
    measure = features.detach().square().mean().sqrt() if relative else 1.0
    return -(alike.sum(1) - alike.diagonal())[:, None, None] * measure


def alignment(features: Tensor, *, decay: Annotated[float, Range(1, 100)] = 2.0) -> Tensor:
    """Neighbours in a batch that show the same at the same place: less squared difference (Lucid 2017).

    Of pictures up to 4 apart, n apart counting 1 / `decay`^n. It keeps what interpolations show from jumping.
    """
    score = features[:, 0] * 0
    for apart in range(1, min(_NEIGHBOURS, len(features) - 1) + 1):
        unlike = (features[apart:] - features[:-apart]).square().mean(1) / decay**apart
        score = score - F.pad(unlike, (0, 0, 0, 0, 0, apart))
    return score
