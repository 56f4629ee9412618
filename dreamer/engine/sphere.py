"""The poles of a 360-degree panorama as flat pictures, and back.

A panorama is equirectangular: its columns are longitudes, its rows latitudes, and what lies near a pole is drawn out
over its whole width. A face is what somebody sees who looks straight up or down (the gnomonic projection, as of a
cube's side).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image.edges import around

_HALF = math.radians(52.5)  # from the middle of a face to its edge
_FROM, _TO = math.radians(45.0), math.radians(60.0)  # latitudes between which a panorama becomes its face
_BEYOND = 2  # px: what a cubic spline looks at


def face_side(width: int) -> int:
    """The side in pixels of a face of a panorama so wide: pixels of the equator and of the face's middle are alike."""
    return max(2, round(width / math.pi * math.tan(_HALF)))


def face_of(panorama: Tensor, side: int, up: bool) -> Tensor:
    """The view up or down, (B, C, side, side), of a panorama (B, C, H, W); its top is longitude 0."""
    height, width = panorama.shape[-2:]
    line = ((torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 - 1) * math.tan(_HALF)
    right, down = line[None, :].expand(side, side), line[:, None].expand(side, side)
    longitude = torch.atan2(right, -down)
    latitude = torch.atan2(torch.ones(()).double(), torch.hypot(right, down)) * (1 if up else -1)
    x = (longitude / (2 * math.pi) + 0.5) * width + _BEYOND
    y = (0.5 - latitude / math.pi) * height
    wide = around(panorama, -1, (-_BEYOND, width + _BEYOND))
    return _sampled(wide, x / (width + 2 * _BEYOND), y / height)


def with_face(panorama: Tensor, face: Tensor, up: bool) -> Tensor:
    """A panorama's change (B, C, H, W) that becomes a face's towards that pole, at equal strength between them."""
    height, width = panorama.shape[-2:]
    rows = math.ceil(height * (0.5 - _FROM / math.pi))
    latitude = (0.5 - (torch.arange(rows, dtype=torch.float64) + 0.5) / height) * math.pi
    longitude = ((torch.arange(width, dtype=torch.float64) + 0.5) / width - 0.5) * (2 * math.pi)
    away = 1 / latitude.tan()[:, None] / math.tan(_HALF)
    x, y = away * longitude.sin(), -away * longitude.cos()
    seen = _sampled(face, (x + 1) / 2, (y + 1) / 2)
    angle = ((latitude - _FROM) / (_TO - _FROM)).clamp(0, 1) * (math.pi / 2)
    share = angle.to(panorama)[:, None]
    result = panorama if up else panorama.flip(-2)
    cap = result[..., :rows, :] * share.cos() + seen * share.sin()
    result = torch.cat([cap, result[..., rows:, :]], -2)
    return result if up else result.flip(-2)


def _sampled(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A picture (B, C, H, W) at places (h, w), each from 0 to 1 of its sides, by a cubic spline: (B, C, h, w)."""
    places = torch.stack([x, y], -1).to(picture)[None] * 2 - 1
    places = places.expand(len(picture), -1, -1, -1)
    return F.grid_sample(picture, places, mode="bicubic", padding_mode="border", align_corners=False)
