"""A motif by itself, as objects are drawn: upright, before a plain ground, filling the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.light import Lamp, Palette, lit
from dreamer.motifs.plane import Plane
from dreamer.motifs.relief import Motif


def portraits(motif: Motif, count: int, size: int, random: torch.Generator, half: float = 1.15) -> Tensor:
    """Draw `count` different examples of a motif, (count, 3, size, size) in [0, 1].

    The unit disc, which an object fills, is `size / half` pixels wide.
    """
    plane = Plane.of(count, 2 * size, random, half)  # twice as fine, then averaged: what a print would show
    drawn = motif.draw(plane)
    colour = lit(drawn, plane.pixel, Palette.any(count, random), Lamp.any(count, random))
    ground = Palette.any(count, random)(torch.full_like(drawn.tone, 0.5)) * 0.6
    return F.avg_pool2d(torch.lerp(ground, colour, drawn.alpha[:, None]), 2)
