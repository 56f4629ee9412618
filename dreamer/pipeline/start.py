"""The picture that a dream starts from."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamer.recipes.recipe import Recipe


def start_of(recipe: Recipe, image: Tensor) -> Tensor:
    """The picture that the dream over an image (B, 3, H, W) starts from; a canvas's own start comes with the canvas."""
    if recipe.init == "photo":
        return image
    canvas = torch.full_like(image, 0.5)
    if recipe.init == "noise":
        generator = torch.Generator().manual_seed(recipe.seed)
        canvas += 0.1 * torch.randn(canvas.shape, generator=generator).to(canvas)
    return canvas.clamp_(0, 1)
