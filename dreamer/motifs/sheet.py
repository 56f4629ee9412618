"""Every motif, some samples of each: the whole motif world on one sheet."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.light import Lamp, Palette, lit
from dreamer.motifs.plane import Plane
from dreamer.motifs.relief import Motif

_GAP = 4


def rows(motifs: Iterable[Motif], samples: int, size: int, seed: int) -> Tensor:
    """(rows, samples, 3, size, size): each motif on a plain ground, drawn as objects are: upright, filling the tile."""
    pictures = []
    for motif in motifs:
        random = torch.Generator().manual_seed(seed)
        plane = Plane.of(samples, 2 * size, random)  # twice as fine, then averaged: what a print would show
        drawn = motif.draw(plane)
        colour = lit(drawn, plane.pixel, Palette.any(samples, random), Lamp.any(samples, random))
        ground = Palette.any(samples, random)(torch.full_like(drawn.tone, 0.5)) * 0.6
        picture = torch.lerp(ground, colour, drawn.alpha[:, None])
        pictures.append(F.avg_pool2d(picture, 2))
    return torch.stack(pictures)


def sheet(motifs: Iterable[Motif], samples: int = 12, size: int = 128, seed: int = 0) -> Tensor:
    """(1, 3, H, W) in [0, 1]: a row for each motif."""
    tiles = F.pad(rows(motifs, samples, size, seed), (_GAP, 0, _GAP, 0), value=0.08)
    count, samples, _, high, wide = tiles.shape
    return tiles.permute(2, 0, 3, 1, 4).reshape(1, 3, count * high, samples * wide)
