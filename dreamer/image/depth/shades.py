"""A depth map's shades as nearness."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dreamer.errors import PhotoError
from dreamer.image.luma import LUMA
from dreamer.image.photo import Photo, resize, size_at

SIDE = 2048
"""px: the long side at which depth is kept at most."""


def nearness_of(depth: Photo, name: str, *, far_is_bright: bool = False) -> Tensor:
    """The nearness that a depth map shows, (1, 1, h, w) in [0, 1]: the brighter, the nearer, or the other way round.

    Raises PhotoError if it has one shade throughout; `name` is what it is called there.
    """
    values = shades_of(depth)
    return stretched(1 - values if far_is_bright else values, name)


def shades_of(depth: Photo) -> Tensor:
    """The shades of a depth map, (1, 1, h, w), from 0, black, to 1, without a colour profile."""
    values = torch.from_numpy(depth.pixels.astype(np.float32)).permute(2, 0, 1)[None] / depth.white
    return values if values.shape[1] == 1 else (values * values.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def stretched(values: Tensor, name: str) -> Tensor:
    """Values (1, 1, h, w) brought to [0, 1], at most 2048 pixels a side; raises PhotoError where all are the same."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        raise PhotoError(f"{name}: everything in it is equally far away, and nothing can move; use another")
    values = (values - low) / (high - low)
    size = values.shape[-2], values.shape[-1]
    return resize(values, size_at(*size, SIDE)).clamp(0, 1) if max(size) > SIDE else values
