"""Reads TIFF of 16 bits per channel, and writes TIFF with an EXIF directory.

Written here since Pillow has no 16-bit colour, and tifffile will not write an EXIF directory (cgohlke/tifffile#1).
"""

from __future__ import annotations

import logging
import zlib
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base
from PIL.TiffTags import BYTE, LONG, SHORT, UNDEFINED

from dreamer.image import exif, libav
from dreamer.image.bands import bands

CMYK, DEFLATE, DIFFERENCES = 5, 8, 2
ASSOCIATED, UNASSOCIATED = 1, 2
_MOST_SAMPLES = 8  # colours, alpha and some masks
_LARGEST_TILE = 1 << 24  # pixels; the tiles of a small picture may be larger than it


def read_deep(file: BinaryIO, size: tuple[int, int]) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """The exact pixels (H, W, 1 or 3) and alpha (H, W) of a 16-bit TIFF, grey or RGB; `size` is (width, height).

    Raises ValueError if it has another size, is cut short, or has an unsupported layout or compression, and any
    error of tifffile for a damaged one.
    """
    import tifffile

    if not tifffile.logger().handlers:  # it raises what it logs, so the log need not be printed as well
        tifffile.logger().addHandler(logging.NullHandler())
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        page = opened.pages.first
        photometric, extras, axes = int(page.photometric), tuple(page.extrasamples), page.axes
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        if end > file.seek(0, 2):
            raise ValueError("it is cut short")
        if photometric > 2:
            raise ValueError("it has 16 bits but is neither grey nor RGB")
        _check_room(page, size)
        try:
            values = page.asarray()
        except (KeyError, ValueError, ImportError):  # a compression that tifffile does not decode
            if photometric == 0:
                raise
            values, axes = libav.read_deep(file, "tiff_pipe"), "YXS"
    if axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    elif axes == "YX":
        values = values[..., None]
    elif axes != "YXS":
        raise ValueError(f"its axes {axes} are not supported")
    colours = 3 if photometric == 2 else 1
    if values.shape[2] < colours:
        raise ValueError("it has too few channels")
    values = values.astype(np.uint16, copy=False)
    pixels = np.ascontiguousarray(values[..., :colours])
    if photometric == 0:
        pixels = 65535 - pixels
    if values.shape[2] == colours or (extras and extras[0] not in (ASSOCIATED, UNASSOCIATED)):
        return pixels, None
    alpha = np.ascontiguousarray(values[..., colours])
    if extras and extras[0] == ASSOCIATED:
        for rows in bands(*alpha.shape):
            cover = np.maximum(alpha[rows], 1)[..., None].astype(np.float32)
            pixels[rows] = np.rint(np.minimum(pixels[rows] * (65535 / cover), 65535))
    return pixels, alpha


def _check_room(page: Any, size: tuple[int, int]) -> None:
    """Raise ValueError if decoding the page would need far more memory than a photo of that size."""
    if (page.imagewidth, page.imagelength) != size:
        raise ValueError("its header states two different sizes")
    if page.samplesperpixel > _MOST_SAMPLES:
        raise ValueError(f"it has {page.samplesperpixel} channels; dreamer reads at most {_MOST_SAMPLES}")
    if page.imagedepth > 1:
        raise ValueError(f"it is a volume of {page.imagedepth} layers, not a photo")
    if page.tilewidth * page.tilelength > max(_LARGEST_TILE, page.imagewidth * page.imagelength):
        raise ValueError(f"its tiles of {page.tilewidth} x {page.tilelength} pixels are larger than the picture")


def write(
    pixels: NDArray[Any],
    alpha: NDArray[Any] | None,
    *,
    directory: exif.Directory,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    xmp: bytes = b"",
    iptc: bytes = b"",
) -> bytes:
    """A TIFF file as bytes, in strips deflated with horizontal differences (TIFF 6.0, section 14).

    Args:
        pixels: (H, W, C), uint8 or uint16, C 1 for grey or 3 for RGB.
        alpha: (H, W), of the same dtype.
        directory: The photo's EXIF; it becomes the file's first directory and decides its byte order.
        profile: The ICC profile.
        dpi: Pixels per inch, (across, down).
        xmp: The XMP packet.
        iptc: The IPTC captions.
    """
    height, width, channels = pixels.shape
    samples, depth = channels + (alpha is not None), pixels.dtype.itemsize
    strips = []
    for rows in bands(height, width):
        band = pixels[rows] if alpha is None else np.dstack([pixels[rows], alpha[rows]])
        band = np.diff(band, axis=1, prepend=band.dtype.type(0))
        strips.append(zlib.compress(band.astype(f"{directory.order}u{depth}").tobytes(), 6))
    sizes = [len(strip) for strip in strips]
    offsets = list(accumulate(sizes[:-1], initial=8))
    out = exif.Directory(directory.order, dict(directory.fields), dict(directory.children))
    out.put(Base.ImageWidth, LONG, width)
    out.put(Base.ImageLength, LONG, height)
    out.put(Base.BitsPerSample, SHORT, *[8 * depth] * samples)
    out.put(Base.Compression, SHORT, DEFLATE)
    out.put(Base.PhotometricInterpretation, SHORT, 2 if channels == 3 else 1)
    out.put(Base.StripOffsets, LONG, *offsets)
    out.put(Base.SamplesPerPixel, SHORT, samples)
    out.put(Base.RowsPerStrip, LONG, next(bands(height, width)).stop)
    out.put(Base.StripByteCounts, LONG, *sizes)
    out.put(Base.Predictor, SHORT, DIFFERENCES)
    if alpha is not None:
        out.put(Base.ExtraSamples, SHORT, UNASSOCIATED)
    if dpi is not None:
        out.put_resolution(dpi)
    for tag, kind, data in (
        (Base.XMLPacket, BYTE, xmp),
        (Base.IPTCNAA, UNDEFINED, iptc),
        (Base.InterColorProfile, UNDEFINED, profile),
    ):
        if data:
            out.fields[tag] = exif.Field(kind, data)
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    return exif.header(out.order, 8 + len(body)) + body + out.packed(8 + len(body))
