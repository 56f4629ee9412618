"""Depth of a photo: from a picture of its own, or from what phones put into the photo's file.

Part of `image`. Everywhere in dreamer it is nearness, (1, 1, h, w), from 0, the farthest part, to 1, the nearest.
"""

from dreamer.image.depth.inside import depth_inside
from dreamer.image.depth.shades import nearness_of, stretched

__all__ = ["depth_inside", "nearness_of", "stretched"]
