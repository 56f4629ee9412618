"""Colour and light: motifs share palettes and lamps, so that none can be recognised by its colours."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.relief import Relief

# How the colours of photographs vary together: brightness most, then blue-yellow, then green-magenta (Olah 2017).
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]) / 0.27
_SPREAD = (0.55, 0.95, 1.0)  # of the three axes along a palette
_BASE = (0.5, 1.1, 0.8)  # and of its mean
_WAVES = 3


@dataclass(frozen=True)
class Palette:
    """B cosine palettes: base (B, 3), and amplitudes and phases (B, 3 waves, 3), in decorrelated colour axes."""

    base: Tensor
    amplitude: Tensor
    phase: Tensor

    @classmethod
    def any(cls, batch: int, random: torch.Generator) -> Palette:
        """Random palettes."""
        device = random.device
        normal = torch.randn(batch, _WAVES + 1, 3, generator=random, device=device)
        phase = torch.rand(batch, _WAVES, 3, generator=random, device=device) * 2 * math.pi
        fall = 1 / torch.arange(1, _WAVES + 1, device=device)[:, None]
        spread, base = torch.tensor(_SPREAD, device=device), torch.tensor(_BASE, device=device)
        return cls(normal[:, 0] * base, normal[:, 1:] * spread * fall, phase)

    def take(self, index: Tensor) -> Palette:
        """The palettes at these indices."""
        return Palette(self.base[index], self.amplitude[index], self.phase[index])

    def __call__(self, tone: Tensor) -> Tensor:
        """(B, S, S) from 0 to 1 -> colours (B, 3, S, S) in [0, 1]."""
        axes = self.base[:, :, None, None]
        for wave in range(_WAVES):
            angle = 2 * math.pi * (wave / 2 + 0.5) * tone[:, None] + self.phase[:, wave, :, None, None]
            axes = axes + self.amplitude[:, wave, :, None, None] * torch.cos(angle)
        return torch.sigmoid(0.25 + 1.7 * torch.einsum("ck,bkhw->bchw", _COLOURS.to(tone), axes))


@dataclass(frozen=True)
class Lamp:
    """B lamps: the direction it comes from on the screen (B, 2), and how sharply things shine (B,)."""

    direction: Tensor
    gloss: Tensor

    @classmethod
    def any(cls, batch: int, random: torch.Generator) -> Lamp:
        """Random lamps, mostly from above, as in nature."""
        angle = torch.randn(batch, generator=random, device=random.device) * 0.6 - math.pi / 2
        gloss = torch.rand(batch, generator=random, device=random.device) * 0.5
        return cls(torch.stack([torch.cos(angle), torch.sin(angle)], 1), gloss)

    def take(self, index: Tensor) -> Lamp:
        """The lamps at these indices."""
        return Lamp(self.direction[index], self.gloss[index])


def lit(motif: Relief, pixel: Tensor, palette: Callable[[Tensor], Tensor], lamp: Lamp) -> Tensor:
    """The colours (B, 3, S, S) of a relief under a lamp: Lambert's light, and Blinn's highlight (1977)."""
    height = F.pad(motif.height[:, None], (1, 1, 1, 1), mode="replicate")[:, 0] / (2 * pixel)
    across, down = height[:, 1:-1, 2:] - height[:, 1:-1, :-2], height[:, 2:, 1:-1] - height[:, :-2, 1:-1]
    upright = torch.rsqrt(1 + across**2 + down**2)  # of the surface's normal
    x, y = (0.62 * lamp.direction[:, i, None, None] for i in (0, 1))
    towards = -(across * x + down * y)
    diffuse = ((towards + 0.78) * upright).clamp(0, 1.3)
    mirrored = ((0.55 * towards + 0.94) * upright).clamp(0, 1) ** 24 * lamp.gloss[:, None, None]
    light = (0.36 + 0.84 * diffuse) * motif.shade
    colour = palette(motif.tone) * light[:, None] + (mirrored * motif.shade.sqrt() + motif.shine)[:, None]
    return colour.clamp(0, 1)
