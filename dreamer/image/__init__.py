"""Reading photos and writing pictures, without losing depth, alpha, profile or metadata.

Layer 1. Nothing here knows a network or a recipe. One convention holds everywhere in dreamer: an image is a tensor
(B, 3, H, W), float32, sRGB in [0, 1]; scores go up and penalties go down. A `Photo` keeps what such a tensor cannot
hold (depth, alpha, profile, metadata): `image()` is its tensor, and a dream is saved as the original pixels plus the
dream's change.
"""

from __future__ import annotations

from dreamer.image.edges import OPEN, Edges
from dreamer.image.load import Picture, load, read_recipe
from dreamer.image.mask import mask_of
from dreamer.image.photo import Photo, blurred, resize, size_at, to_pil
from dreamer.image.save import eight_bits, encode, encode_to, format_for, losses

__all__ = [
    "OPEN",
    "Edges",
    "Photo",
    "Picture",
    "blurred",
    "eight_bits",
    "encode",
    "encode_to",
    "format_for",
    "load",
    "losses",
    "mask_of",
    "read_recipe",
    "resize",
    "size_at",
    "to_pil",
]
