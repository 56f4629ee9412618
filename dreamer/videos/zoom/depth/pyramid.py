"""Fills holes softly, by a pyramid (Gortler 1996)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def filled(values: Tensor, hole: Tensor) -> Tensor:
    """Values (1, C, h, w), and in a hole (1, 1, h, w) what goes on smoothly from around it."""
    known = (~hole).float()
    if known.all() or not known.any() or min(values.shape[-2:]) < 2:
        return values
    share = F.avg_pool2d(known, 2, ceil_mode=True, count_include_pad=False)
    means = F.avg_pool2d(values * known, 2, ceil_mode=True, count_include_pad=False) / share.clamp(min=1e-6)
    coarse = filled(means, share == 0)
    size = (values.shape[-2], values.shape[-1])
    return torch.where(hole, F.interpolate(coarse, size=size, mode="bilinear"), values)
