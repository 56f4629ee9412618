"""The robust view: lucid's stack of small transforms as one warp, sampled once."""

from __future__ import annotations

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.hookspecs import Register, hookimpl
from dreamer.options import Range

_GREY = 0.5  # what lies around the picture


def affine(
    image: Tensor,
    *,
    pad: Annotated[int, Range(0, 256)] = 12,
    jitter: Annotated[int, Range(0, 256)] = 8,
    scale: Annotated[float, Range(0, 0.9)] = 0.1,
    degrees: Annotated[float, Range(0, 180)] = 10.0,
    shake: Annotated[int, Range(0, 256)] = 4,
) -> Tensor:
    """Pad with grey, jitter, scale, turn, jitter again: five small changes as one warp (Olah 2017).

    Moves of up to `jitter` / 2 and `shake` / 2 pixels each way, a factor of 1 - `scale` to 1 + `scale`, a turn of up to
    `degrees`, each picture its own. The result has 2 `pad` - `jitter` - `shake` pixels a side more than the picture.
    """
    batch, _, height, width = image.shape
    grown = 2 * pad - jitter - shake
    tall, wide = max(1, height + grown), max(1, width + grown)
    dice = torch.rand(6, batch).to(image) * 2 - 1
    down, right = dice[0] * jitter / 2, dice[1] * jitter / 2
    factor, angle = 1 + dice[2] * scale, dice[3] * math.radians(degrees)
    later_down, later_right = dice[4] * shake / 2, dice[5] * shake / 2
    # Where each pixel of the result comes from, in pixels from the picture's centre: undo the stack from its end.
    cos, sin = angle.cos() / factor, angle.sin() / factor
    theta = torch.stack(
        [
            *(cos * wide / width, sin * tall / width, 2 / width * (cos * later_right + sin * later_down + right)),
            *(-sin * wide / height, cos * tall / height, 2 / height * (cos * later_down - sin * later_right + down)),
        ],
        1,
    ).view(batch, 2, 3)
    grid = F.affine_grid(theta, [batch, 3, tall, wide], align_corners=False)
    return F.grid_sample(image - _GREY, grid, align_corners=False) + _GREY


@hookimpl
def register_transforms(register: Register) -> None:
    """The robust view."""
    register(affine)
