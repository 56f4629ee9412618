"""The depth that phones put into a photo's own file."""

from __future__ import annotations

from torch import Tensor

from dreamer.errors import PhotoError
from dreamer.image.load import Picture


def depth_inside(source: Picture, max_pixels: int) -> Tensor:
    """How near each part of a photo is, (1, 1, h, w) in [0, 1], as its own file says.

    Raises PhotoError if it has no depth, or if that is damaged.
    """
    raise PhotoError(f"{source}: there is no depth in this photo")
