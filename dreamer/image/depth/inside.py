"""The depth that phones put into a photo's own file, found and decoded within bounds.

In JPEG: GDepth (in XMP), Dynamic Depth and other items of a container (behind the picture, listed in XMP), and pictures
behind it whose own XMP says that they are depth (CIPA DC-007, as Apple writes them). In HEIC: its depth images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import numpy as np
import torch
from PIL.ExifTags import Base
from torch import Tensor

from dreamer import limits
from dreamer.errors import PhotoError, argument
from dreamer.image import exif, given, heif, jpeg
from dreamer.image.depth.description import DepthDescription, description_in, packed
from dreamer.image.depth.shades import shades_of, stretched
from dreamer.image.heic import depth_in_heic
from dreamer.image.load import UPRIGHT, Picture, load
from dreamer.image.metadata import Metadata
from dreamer.image.photo import Photo
from dreamer.image.source import named, opened
from dreamer.image.spliced import spliced

_HEAD = 2 * limits.XMP_BYTES  # bytes of a picture behind another one, in which its XMP stands
_APPLE = re.compile(rb"AuxiliaryImageType\W{1,3}(?:[a-zA-Z]*D|d)(isparity|epth)|(?:aux:|:2018:aux:)(disparity|depth)")
"""XMP by which a picture behind another one says that it is that one's depth."""


def depth_inside(source: Picture, photo: Photo, max_pixels: int) -> Tensor:
    """The nearness in a photo's own file, (1, 1, h, w) in [0, 1], upright.

    Args:
        source: A path, or the bytes of a file, or a file open in binary mode; anything else has no depth inside.
        photo: What was read from it.
        max_pixels: The largest picture that is decoded.

    Raises:
        PhotoError: It has no depth, or that is damaged, or cannot be read.
    """
    with _file_of(source) as (name, file):
        if file is not None and heif.format_of(file) == "HEIF":
            lean, found = heif.separated(file)
            values = depth_in_heic(name, lean, max_pixels)
            if values is not None:
                lies = (photo.width > photo.height) == (values.shape[-1] > values.shape[-2])  # turned by its own words
                return stretched(values if lies else _upright(values, found.exif, photo), _called(name))
        elif file is not None and _begins(file) == jpeg.MAGIC:
            _, found = jpeg.separated(file)
            for depth, data in _depths(file, found):
                return stretched(_upright(_decoded(depth, data, name, max_pixels), found.exif, photo), _called(name))
    wants = f"name a map of its depth, as in {argument('depth', 'map.png')}"
    raise PhotoError(f"{name}: this photo holds no depth, as phones' portraits do; {wants}")


@contextmanager
def _file_of(source: Picture) -> Iterator[tuple[str, BufferedReader | None]]:
    """The photo's name for errors, and its file, if it has one."""
    if given.is_file(source):
        with named("the picture"), given.stream_of(source) as stream:
            yield "the picture", stream
    elif isinstance(source, (str, Path)):
        with opened(Path(source)) as file:
            yield str(source), file
    else:
        yield "the picture", None


def _begins(file: BufferedReader) -> bytes:
    file.seek(0)
    return file.read(3)


def _depths(file: BufferedReader, found: Metadata) -> Iterator[tuple[DepthDescription, bytes]]:
    """Yield each depth in a JPEG: its description, and its file."""
    depth = description_in([found.xmp, *found.extended])
    if depth.data:
        yield depth, packed(depth.data)
    end = jpeg.end_of(file)
    for start, length in depth.places(end):
        file.seek(start)
        data = file.read(min(length, limits.DEPTH_BYTES + 1))
        if len(data) > limits.DEPTH_BYTES or len(data) < length:
            raise ValueError("the depth in it is cut short, or too large")
        yield depth, data
    file.seek(end)
    behind = file.read(limits.TRAILER_BYTES)
    starts = [match.start() for match in re.finditer(re.escape(jpeg.MAGIC), behind)]
    for start in starts[: limits.DEPTH_PICTURES]:
        _, theirs = jpeg.separated(spliced(file, [(end + start, end + start + _HEAD)]))
        if kind := next(filter(None, map(_APPLE.search, [theirs.xmp, *theirs.extended])), None):
            inverse = b"isparity" in kind[0]
            format = "RangeInverse" if inverse else "RangeLinear"
            yield DepthDescription(format, bright_is_near=inverse), behind[start:]


def _decoded(depth: DepthDescription, data: bytes, name: str, max_pixels: int) -> Tensor:
    """The nearness in a depth's file, (1, 1, h, w)."""
    try:
        shades = shades_of(load(data, max_pixels=max_pixels))
    except PhotoError as error:
        raise ValueError(f"its depth: {str(error).removeprefix('the picture ')}") from None
    return depth.nearness(shades)


def _upright(nearness: Tensor, block: bytes, photo: Photo) -> Tensor:
    """Nearness (1, 1, h, w), turned as the EXIF block of its photo says, unless it lies as the upright photo does."""
    turns, mirrored = UPRIGHT.get(next(iter(exif.parse(block).integers(Base.Orientation)), 1), (0, False))
    if turns % 2 and (photo.width > photo.height) == (nearness.shape[-1] > nearness.shape[-2]):
        return nearness
    values = np.rot90(nearness[0, 0].numpy(), turns)
    return torch.from_numpy(np.ascontiguousarray(values[:, ::-1] if mirrored else values))[None, None]


def _called(name: str) -> str:
    return f"{name}: the depth in it"
