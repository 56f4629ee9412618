"""The plane on which motifs are drawn: coordinates, and the random generator that makes each one different."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

TURN = 2 * math.pi


@dataclass(frozen=True)
class Plane:
    """B planes of S x S pixels: u to the right, v down, both (B, S, S).

    `pixel` (B, 1, 1) is the width of a pixel in u and v. All random numbers come from `random`, a generator on the
    planes' device.
    """

    u: Tensor
    v: Tensor
    pixel: Tensor
    random: torch.Generator

    @classmethod
    def of(cls, batch: int, size: int, random: torch.Generator, half: float = 1.15) -> Plane:
        """Upright planes from -half to half in both directions."""
        axis = (torch.arange(size, device=random.device) + 0.5) * (2 * half / size) - half
        v, u = torch.meshgrid(axis, axis, indexing="ij")
        pixel = torch.full((batch, 1, 1), 2 * half / size, device=random.device)
        return cls(u.expand(batch, -1, -1), v.expand(batch, -1, -1), pixel, random)

    @property
    def r(self) -> Tensor:
        """Distance from the middle."""
        return torch.hypot(self.u, self.v)

    @property
    def angle(self) -> Tensor:
        """-pi to pi, 0 to the right, clockwise on the screen."""
        return torch.atan2(self.v, self.u)

    def any(self, low: float, high: float) -> Tensor:
        """One number for each plane, (B, 1, 1), evenly from low to high."""
        return torch.rand(self._one, generator=self.random, device=self.u.device) * (high - low) + low

    def whole(self, low: int, high: int) -> Tensor:
        """One whole number for each plane, (B, 1, 1) of floats, low to high, both included."""
        return torch.randint(low, high + 1, self._one, generator=self.random, device=self.u.device).float()

    def chance(self, share: float) -> Tensor:
        """(B, 1, 1) of booleans: true for about that share of the planes."""
        return self.any(0, 1) < share

    def sign(self) -> Tensor:
        """1 or -1 by chance for each plane, (B, 1, 1)."""
        return torch.where(self.chance(0.5), 1.0, -1.0)

    def noise(self, waves: float = 3, octaves: int = 4, gain: float = 0.5) -> Tensor:
        """(B, S, S): value noise of unit variance, with about `waves` bumps across the picture, not the plane."""
        batch, size = self.u.shape[0], self.u.shape[-1]
        total = torch.zeros_like(self.u)
        for octave in range(octaves):
            cells = min(size, int(waves * 2**octave)) + 3
            rough = torch.randn(batch, 1, cells, cells, generator=self.random, device=self.u.device)
            smooth = F.interpolate(rough, size=(size, size), mode="bicubic", align_corners=True)[:, 0]
            total = total + gain**octave * smooth
        return total / total.flatten(1).std(1)[:, None, None].clamp_min(1e-6)

    def at(
        self, du: Tensor | float, dv: Tensor | float, scale: Tensor | float = 1.0, turn: Tensor | float = 0
    ) -> Plane:
        """The plane of a part: its origin at (du, dv), its unit `scale` long, turned clockwise by `turn`."""
        scale, turn = torch.as_tensor(scale, device=self.u.device), torch.as_tensor(turn, device=self.u.device)
        u, v = (self.u - du) / scale, (self.v - dv) / scale
        c, s = torch.cos(turn), torch.sin(turn)
        return replace(self, u=c * u + s * v, v=c * v - s * u, pixel=self.pixel / scale.abs())

    def bent(self, u: Tensor, v: Tensor) -> Plane:
        """The plane with other coordinates (B, S, S) of about the same scale, and the same random generator."""
        return replace(self, u=u, v=v)

    def folded(self, count: Tensor) -> Plane:
        """`count` (B, 1, 1) like sectors about the middle, mirrored: u runs along the middle of each."""
        width = TURN / count
        angle = (torch.remainder(self.angle + width / 2, width) - width / 2).abs()
        return self.bent(self.r * torch.cos(angle), self.r * torch.sin(angle))

    def edge(self, distance: Tensor, soft: float = 0.0) -> Tensor:
        """0 to 1 across distance 0, antialiased: 1 where the distance, in units of the plane, is positive."""
        return torch.sigmoid(distance / (0.5 * self.pixel + soft))

    def fine(self, wave: Tensor | float) -> Tensor:
        """The visible share of a detail of a wavelength: 1 above five pixels, 0 under two."""
        return ((wave / self.pixel - 2) / 3).clamp(0, 1)

    def block(self, top: Tensor | float, foot: Tensor | float, half: Tensor | float) -> Tensor:
        """The distance inside an upright rectangle from `top` to `foot`, 2 `half` wide; negative outside."""
        return torch.minimum(torch.minimum(self.v - top, foot - self.v), half - self.u.abs())

    def line(self, distance: Tensor, width: Tensor | float) -> Tensor:
        """1 on a line (where the distance is 0) of that half width, never thinner than a pixel; falls off smoothly."""
        return torch.exp(-((distance / (width + 0.4 * self.pixel)) ** 2))

    @property
    def _one(self) -> tuple[int, int, int]:
        return self.u.shape[0], 1, 1


def frac(x: Tensor) -> Tensor:
    """The part behind the point, 0 to 1."""
    return x - torch.floor(x)


def saw(x: Tensor) -> Tensor:
    """A triangle wave of period 1: 0 at whole numbers, 1 half-way."""
    return 1 - 2 * (frac(x) - 0.5).abs()


def dome(q: Tensor) -> Tensor:
    """The height of half a ball at a distance q from its middle, 0 outside."""
    return (1 - q * q).clamp_min(0).sqrt()


def hashed(x: Tensor, y: Tensor, seed: Tensor | float = 0.0) -> Tensor:
    """0 to 1: chance, but the same for the same whole numbers x and y."""
    return frac(torch.sin(x * 127.1 + y * 311.7 + seed * 74.7) * 43758.5453)


def least(a: Tensor, b: Tensor, soft: Tensor | float) -> Tensor:
    """The smaller of two distances, with the corner rounded over about `soft`."""
    blend = (0.5 + 0.5 * (b - a) / soft).clamp(0, 1)
    return torch.lerp(b, a, blend) - soft * blend * (1 - blend)
