"""Noise that repeats, for drawing by formula: fields of unit variance, read at any place and any scale."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


def tile(random: torch.Generator, size: int, dims: int, waves: int) -> Tensor:
    """Noise of unit variance that repeats, with about `waves` waves to a side: white noise, band-passed.

    Unlike noise on a lattice it has no preferred direction, and no grid to be seen.
    """
    axes = [torch.fft.fftfreq(size) * size] * (dims - 1) + [torch.fft.rfftfreq(size) * size]
    radius = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
    ring = torch.exp(-(((radius / waves).clamp_min(1e-6).log() / 0.45) ** 2))
    white = torch.randn((size,) * dims, generator=random)
    noise: Tensor = torch.fft.irfftn(torch.fft.rfftn(white) * ring, s=white.shape)
    return noise / noise.std()


class Plane:
    """Noise over the plane, read from one tile: `plane(x, z)` has waves about one unit long."""

    SIZE, WAVES = 512, 24

    def __init__(self, random: torch.Generator) -> None:
        self.tile = F.pad(tile(random, self.SIZE, 2, self.WAVES)[None, None], (2, 2, 2, 2), mode="circular")

    def __call__(self, x: Tensor, z: Tensor) -> Tensor:
        at = torch.stack((x, z), -1).view(1, 1, -1, 2) / self.WAVES
        at = ((at - at.floor()) * self.SIZE + 2) * (2 / (self.SIZE + 4)) - 1
        return F.grid_sample(self.tile, at, mode="bicubic", align_corners=False).view(x.shape)

    def octaves(self, x: Tensor, z: Tensor, wave: float, shortest: float) -> Iterator[tuple[float, Tensor]]:
        """Wavelengths and their noise, each half the last and turned by 2.4 rad: nothing lines up."""
        x, z = x / wave, z / wave
        while wave >= shortest:
            yield wave, self(x, z)
            x, z, wave = -1.497 * x - 1.371 * z + 7.3, 1.371 * x - 1.497 * z + 3.1, wave / 2.03

    def fbm(self, x: Tensor, z: Tensor, shortest: float, gain: float) -> Tensor:
        """Fractional Brownian motion with waves from 1 down to `shortest`, each `gain` times as strong."""
        return torch.stack([gain**i * n for i, (_, n) in enumerate(self.octaves(x, z, 1, shortest))]).sum(0)
