"""Decodes HEIC with pillow-heif, in its own depth."""

from __future__ import annotations

import importlib
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from dreamer.errors import PhotoError
from dreamer.image.bands import bands
from dreamer.image.photo import Photo, straight
from dreamer.image.source import check_size

_DISTANCE = 2


def read_heic(name: str, file: BinaryIO, max_pixels: int) -> Photo:
    """The main picture of a HEIC file, turned upright as it says: 8 bits, or 10 and 12 as 16.

    Raises PhotoError if pillow-heif is not installed, or if the picture has more than `max_pixels` pixels, and any
    error of pillow-heif for a damaged one.
    """
    opened = _opened(name, file)
    check_size(name, opened.size, max_pixels)
    values, white = np.asarray(opened), 2 ** opened.info["bit_depth"] - 1
    values = values[:, : opened.size[0]].reshape(*opened.size[::-1], -1)
    if values.dtype != np.uint8:
        deep = np.empty(values.shape, np.uint16)
        for rows in bands(*values.shape[:2]):
            deep[rows] = (values[rows].astype(np.uint32) * 65535 + white // 2) // white
        values = deep
    colours = 1 if values.shape[2] < 3 else 3
    pixels = np.ascontiguousarray(values[..., :colours])
    alpha = np.ascontiguousarray(values[..., colours]) if values.shape[2] > colours else None
    if alpha is not None and opened.premultiplied_alpha:
        pixels = straight(pixels, alpha)
    return Photo(pixels, alpha, format="HEIF")


def depth_in_heic(name: str, file: BinaryIO, max_pixels: int) -> Tensor | None:
    """The nearness of a HEIC's main picture, (1, 1, h, w), larger is nearer; None if the file has none.

    Raises as `read_heic` does.
    """
    depths = _opened(name, file).info["depth_images"]
    if not depths:
        return None
    depth = depths[0]
    check_size(f"{name}: the depth in it", depth.size, max_pixels)
    values = np.asarray(depth)[:, : depth.size[0]].reshape(*depth.size[::-1], -1)[..., 0].astype(np.float32)
    said = depth.info["metadata"] or {}
    shades = torch.from_numpy(values)[None, None]
    # Of the kinds of ISO/IEC 23008-2, G.14.3.3, only this one counts the distance; the others grow with nearness
    return -shades if said.get("representation_type") == _DISTANCE else shades


def _opened(name: str, file: BinaryIO) -> Any:
    """The file as pillow-heif opens it; no pixel is decoded."""
    try:
        heif: Any = importlib.import_module("pillow_heif")
    except ImportError:
        raise PhotoError(
            f"{name} is a HEIC picture; install dreamer-art[heif] to read it, or save it as JPEG"
        ) from None
    file.seek(0)
    return heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
