"""Luma: the perceived brightness of a colour."""

from __future__ import annotations

from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (Rec. 601)."""


def luma(image: Tensor) -> Tensor:
    """The luma of a picture, (B, 3, H, W) -> (B, 1, H, W)."""
    red, green, blue = image.unbind(1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])[:, None]
