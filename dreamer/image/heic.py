"""Decodes HEIC with pillow-heif, in its own depth."""

from __future__ import annotations

import importlib
from typing import Any, BinaryIO

import numpy as np

from dreamer.errors import PhotoError
from dreamer.image.bands import bands
from dreamer.image.photo import Photo, straight
from dreamer.image.source import check_size


def read_heic(name: str, file: BinaryIO, max_pixels: int) -> Photo:
    """The main picture of a HEIC file, turned upright as it says: 8 bits, or 10 and 12 as 16.

    Raises PhotoError if pillow-heif is not installed, or if the picture has more than `max_pixels` pixels, and any
    error of pillow-heif for a damaged one.
    """
    try:
        heif: Any = importlib.import_module("pillow_heif")
    except ImportError:
        raise PhotoError(
            f"{name} is a HEIC picture; install dreamer-art[heif] to read it, or save it as JPEG"
        ) from None
    file.seek(0)
    opened = heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
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
