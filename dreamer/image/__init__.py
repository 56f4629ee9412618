"""Photos in, pictures out, nothing of the photo lost on the way.

One convention holds everywhere in dreamer: an image is a tensor (B, 3, H, W), float32, sRGB in [0, 1]; scores
go up and penalties go down. A `Photo` keeps what an image cannot say (depth, alpha, profile, metadata), gives
`image()` to the dream, and takes the dream back as a change: what is saved is the original plus that change.
"""

from __future__ import annotations

from dreamer.image.load import load, read_recipe
from dreamer.image.photo import Photo, blurred, resize, size_at, to_pil
from dreamer.image.save import SUFFIXES, check_suffix, eight_bits, encode, format_for, losses, suffix_of
from dreamer.image.source import pictures_among, pictures_in

__all__ = [
    "SUFFIXES",
    "Photo",
    "blurred",
    "check_suffix",
    "eight_bits",
    "encode",
    "format_for",
    "load",
    "losses",
    "pictures_among",
    "pictures_in",
    "read_recipe",
    "resize",
    "size_at",
    "suffix_of",
    "to_pil",
]
