"""Exchange forms and textures: a ground cut to a pebble, an object with a ground's texture."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import Plane
from dreamer.motifs.relief import Relief


def piece(relief: Relief, plane: Plane) -> Relief:
    """A piece of a ground: a bulging pebble of it."""
    side = plane.u.shape[-1]
    axis = torch.linspace(-1.15, 1.15, side, device=plane.u.device)
    u, v = axis[None, None, :] * plane.any(1.05, 1.5), axis[None, :, None] * plane.any(1.05, 1.5)
    power = torch.exp(plane.any(math.log(1.6), math.log(5)))
    q = (u.abs() ** power + v.abs() ** power) ** (1 / power) + 0.05 * plane.noise(2, 2)
    bulge = (1 - q.clamp(0, 1) ** 2.5).sqrt()
    half = plane.pixel * side / 2  # of the tile, in units of the plane: a bulge is as steep on a fine texture
    return replace(
        relief,
        alpha=relief.alpha * torch.sigmoid((1 - q) * side / 1.15),
        height=relief.height + 0.6 * bulge * half * plane.any(0, 1),
        shade=relief.shade * (0.35 + 0.65 * bulge),
    )


def window(side: int, device: torch.device) -> Tensor:
    """(1, T, T): 1, but for the tile's last pixels: whatever reaches beyond its tile fades out."""
    inner = torch.arange(side, device=device) + 0.5
    ramp = (torch.minimum(inner, side - inner) / 4).clamp(0, 1)
    return (ramp[:, None] * ramp)[None]


def clothed(relief: Relief, clothes: Relief) -> Relief:
    """An object's form in a ground's texture."""
    return replace(
        relief,
        tone=clothes.tone,
        height=relief.height + 0.5 * clothes.height,
        shade=relief.shade * clothes.shade,
        shine=relief.shine + clothes.shine,
    )
