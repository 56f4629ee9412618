"""Lines of sight of a frame's pixels, for a camera beside the photo's own viewpoint (relief mapping; Policarpo 2005).

In the frame as the photo's own viewpoint sees it, a part of nearness n lies (n - 1/2) v away from where the moved
camera sees it, with v linear in the place: so a pixel's line of sight is a straight line, and where it first meets the
relief is what the pixel shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.videos.zoom.depth.camera import Camera
from dreamer.videos.zoom.similarity import Places, own_places

_FINE, COARSE = 2.5, 8.0
"""px: how far apart a line of sight is looked at, and where the relief has hardly a step."""
_HALVINGS = 7  # bisections of such a step
_TORN = (0.8, 2.0)  # factors by which a view from the side stretches a surface when it begins to tear, and is torn


@dataclass(frozen=True)
class Look:
    """The places at which a frame's pixels look, in the frame as the photo's own viewpoint sees it.

    `whole` (1, 1, h, w) is 1 where that is a surface, and 0 where it is between two, one behind the other.
    """

    at: Places
    whole: Tensor


def border(camera: Camera, size: tuple[int, int]) -> int:
    """The number of pixels beyond a frame of `size` (h, w) that its lines of sight may reach."""
    return math.ceil(camera.reach * max(size) / 2) + 3


def look(nearness: Tensor, camera: Camera, size: tuple[int, int], step: float = _FINE) -> Look:
    """Follow the lines of sight of the pixels of a frame.

    Args:
        nearness: (1, 1, h', w') in [0, 1], as the photo's own viewpoint sees it, a `border` larger on each side.
        camera: Where the camera is.
        size: (height, width).
        step: Distance in pixels between the samples of a line of sight; what is thinner may be missed.
    """
    x, y = (part.float().expand(size) for part in own_places(size))
    side = camera.parallax * max(size)
    right = side * camera.across.real - 2 * camera.parallax * camera.forward * x
    down = side * camera.across.imag - 2 * camera.parallax * camera.forward * y

    def places(near: Tensor | float) -> Places:
        return x + (near - 0.5) * right, y + (near - 0.5) * down

    def seen(near: Tensor | float) -> Tensor:
        return sampled(nearness, places(near))[0, 0]

    low, high = float(nearness.min()), float(nearness.max())
    longest = float(torch.hypot(right, down).max()) * (high - low)
    steps = max(1, math.ceil(longest / step))
    met, before = torch.full(size, low), torch.full(size, high)
    open = torch.ones(size, dtype=torch.bool)
    for number in range(1, steps):
        near = high - (high - low) * number / steps
        hit = open & (seen(near) >= near)
        met[hit] = near
        open &= ~hit
        before[open] = near
        if not open.any():
            break
    for _ in range(_HALVINGS):
        middle = (met + before) / 2
        hit = seen(middle) >= middle
        met, before = torch.where(hit, middle, met), torch.where(hit, before, middle)
    at = places(met)
    rise = sampled(_slopes(nearness), at)[0]
    longer = -(rise[0] * right + rise[1] * down)
    whole = 1 - ((longer - _TORN[0]) / (_TORN[1] - _TORN[0])).clamp(0, 1)
    return Look(at, whole[None, None])


def sampled(picture: Tensor, at: Places) -> Tensor:
    """A picture (1, C, h', w') at places (h, w) in pixels from its centre, linearly: (1, C, h, w)."""
    height, width = picture.shape[-2:]
    grid = torch.stack([at[0] * (2 / (width - 1)), at[1] * (2 / (height - 1))], -1)[None]
    return F.grid_sample(picture, grid.float(), padding_mode="border", align_corners=True)


def _slopes(nearness: Tensor) -> Tensor:
    """The rise of nearness (1, 1, h, w) per pixel to the right and down, (1, 2, h, w)."""
    padded = F.pad(nearness, (1, 1, 1, 1), mode="replicate")
    right = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return torch.cat([right, down], 1)
