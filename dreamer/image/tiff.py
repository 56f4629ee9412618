"""Reads TIFF of 16 bits per channel, parts the fields of a TIFF, and writes TIFF with an EXIF directory.

Written here since Pillow has no 16-bit colour, and tifffile will not write an EXIF directory (cgohlke/tifffile#1).
Neither is shown a field that the pixels do not need: both read each one whole, wherever it points.
"""

from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base
from PIL.TiffTags import BYTE, LONG, SHORT, UNDEFINED

from dreamer import limits
from dreamer.image import exif, libav
from dreamer.image.bands import bands
from dreamer.image.inflation import DEFLATE, LZMA, ZSTD, check_inflation
from dreamer.image.metadata import Metadata
from dreamer.image.photo import straight
from dreamer.image.spliced import spliced

CMYK, DIFFERENCES = 5, 2
ASSOCIATED, UNASSOCIATED = 1, 2
_RAW = (1,)
BIG = 1 << 31
"""Bytes of pixels from which on a file is a BigTIFF: many programs count a TIFF's bytes with a sign."""
_TILE = 512
_MOST_SAMPLES = 8  # colours, alpha and some masks
_DEPTH = 32997  # layers of a volume, which Pillow does not name
_OLD_JPEG = frozenset(
    {
        *(Base.JPEGProc, Base.JpegIFOffset, Base.JpegIFByteCount, Base.JpegRestartInterval, Base.JpegQTables),
        *(Base.JpegLosslessPredictors, Base.JpegPointTransforms, Base.JpegDCTables, Base.JpegACTables),
    }
)

_PIXELS = frozenset(
    {
        *(Base.ImageWidth, Base.ImageLength, Base.BitsPerSample, Base.Compression, Base.PhotometricInterpretation),
        *(Base.FillOrder, Base.StripOffsets, Base.SamplesPerPixel, Base.RowsPerStrip, Base.StripByteCounts),
        *(Base.PlanarConfiguration, Base.T4Options, Base.T6Options, Base.Predictor, Base.ColorMap, Base.TileWidth),
        *(Base.TileLength, Base.TileOffsets, Base.TileByteCounts, Base.InkSet, Base.NumberOfInks, Base.ExtraSamples),
        *(Base.SampleFormat, Base.JPEGTables, Base.YCbCrCoefficients, Base.YCbCrSubSampling, Base.YCbCrPositioning),
        *(Base.ReferenceBlackWhite, _DEPTH, *_OLD_JPEG),
    }
)
"""Fields without which the pixels cannot be read."""


def separated(file: BinaryIO) -> tuple[BinaryIO, Metadata, exif.Directory]:
    """A TIFF of the fields that its first picture's pixels need, what the others say, and the whole first directory.

    Raises ValueError if the file is no TIFF, or if decoding it would need far more memory than a photo of its size.
    """
    table, directory = exif.first_table(file), exif.read_directory(file)
    kept: dict[int, exif.Entry] = {}
    for entry in table.entries:
        tag, kind, values, _ = entry
        if tag not in _PIXELS:
            continue
        if values * exif.KINDS.get(kind, 1) > limits.TIFF_LAYOUT_BYTES:
            raise ValueError("it has more strips or tiles than a picture can need")
        if kept.setdefault(tag, entry) != entry and tag in (Base.ImageWidth, Base.ImageLength):
            raise ValueError("its header states two different sizes")
    size = file.seek(0, io.SEEK_END)
    lengths = _integers(file, table, kept, Base.StripByteCounts, Base.TileByteCounts)
    _check_room(directory, sum(lengths), size)
    starts = _integers(file, table, kept, Base.StripOffsets, Base.TileOffsets)
    ends = [start + length for start, length in zip(starts, lengths, strict=False)]
    ends += [table.end(entry) for entry in kept.values()]
    if len(starts) > len(lengths) or not _OLD_JPEG.isdisjoint(kept):
        ends.append(size)
    data = table.packed(list(kept.values()))
    behind = table.offset + len(data)
    lean = spliced(file, [(0, table.offset), data, (behind, max(behind, min(size, max(ends))))])
    found = Metadata(several=not table.last)
    for key, tag in (("xmp", Base.XMLPacket), ("profile", Base.InterColorProfile), ("iptc", Base.IPTCNAA)):
        found.put(key, None if tag in directory.missed else directory.data(tag))
    return lean, found, directory


def _integers(file: BinaryIO, table: exif.Table, kept: dict[int, exif.Entry], *tags: int) -> tuple[int, ...]:
    """The integers of the first of these fields that there is."""
    entry = next((kept[tag] for tag in tags if tag in kept), None)
    return () if entry is None else exif.Field(entry[1], table.values(file, entry)).integers(table.order)


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins so is a TIFF or BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_deep(directory: exif.Directory) -> bool:
    """Whether a TIFF has more than 8 bits per channel, which Pillow would cut to 8 or refuse."""
    return max(directory.integers(Base.BitsPerSample), default=1) > 8 and directory.integers(
        Base.PhotometricInterpretation
    ) != (CMYK,)


def size_of(directory: exif.Directory) -> tuple[int, int]:
    """(width, height)."""
    width, height = (sum(directory.integers(side)[:1]) for side in (Base.ImageWidth, Base.ImageLength))
    return width, height


def read_deep(file: BinaryIO, directory: exif.Directory) -> tuple[NDArray[np.uint16], NDArray[np.uint16] | None]:
    """The exact pixels (H, W, 1 or 3) and alpha (H, W) of a 16-bit TIFF, grey or RGB.

    Raises ValueError if it is cut short, or has an unsupported depth, layout or compression, and any error of tifffile
    for a damaged one.
    """
    import tifffile

    bits, kind = max(directory.integers(Base.BitsPerSample)), max(directory.integers(Base.SampleFormat), default=1)
    if bits != 16 or kind != 1:
        raise ValueError(f"its values have {bits} bits or are not unsigned integers; dreamer reads 8 and 16 bits")
    if not tifffile.logger().handlers:  # it raises what it logs, so the log need not be printed as well
        tifffile.logger().addHandler(logging.NullHandler())
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        page = opened.pages.first
        photometric, extras, axes = int(page.photometric), tuple(page.extrasamples), page.axes
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        if end > file.seek(0, io.SEEK_END):
            raise ValueError("it is cut short")
        if photometric > 2:
            raise ValueError("it has 16 bits but is neither grey nor RGB")
        if page.compression in (*_RAW, *DEFLATE, *LZMA, *ZSTD):
            _check_parts(file, page)
            values = page.asarray()
        elif photometric == 0:
            raise ValueError("it has 16 bits, zero for white, and a compression that is not supported")
        else:  # libav keeps to the pixels' bytes by itself
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
    return straight(pixels, alpha) if extras and extras[0] == ASSOCIATED else pixels, alpha


def _check_room(directory: exif.Directory, packed: int, length: int) -> None:
    """Raise ValueError if decoding would need far more memory or time than a photo of that size.

    Args:
        directory: The picture's.
        packed: Bytes of all its strips or tiles together.
        length: Bytes of the file.
    """
    width, height, across, down, samples, layers = (
        sum(directory.integers(tag)[:1]) or 1
        for tag in (*(Base.ImageWidth, Base.ImageLength, Base.TileWidth, Base.TileLength), Base.SamplesPerPixel, _DEPTH)
    )
    if samples > _MOST_SAMPLES:
        raise ValueError(f"it has {samples} channels; dreamer reads at most {_MOST_SAMPLES}")
    if layers > 1:
        raise ValueError(f"it is a volume of {layers} layers, not a photo")
    if across * down > max(limits.TIFF_TILE_PIXELS, width * height):
        raise ValueError(f"its tiles of {across} x {down} pixels are larger than the picture")
    if packed > 2 * max(length, width * height * samples * 8):
        raise ValueError("its parts overlap")


def _check_parts(file: BinaryIO, page: Any) -> None:
    """Raise ValueError if a strip or tile of tifffile's page unpacks to more than its pixels."""
    rows, width = min(page.rowsperstrip, page.imagelength), page.imagewidth
    if page.is_tiled:
        rows, width = page.tilelength, page.tilewidth
    most = rows * width * (page.samplesperpixel if page.planarconfig == 1 else 1) * 2
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        check_inflation(file, offset, length, int(page.compression), most)


def write(
    file: BinaryIO,
    pixels: NDArray[Any],
    alpha: NDArray[Any] | None,
    *,
    directory: exif.Directory,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    xmp: bytes = b"",
    iptc: bytes = b"",
) -> None:
    """Write a TIFF, in strips deflated with horizontal differences (TIFF 6.0, section 14), or a BigTIFF in tiles.

    Args:
        file: Where to; it can seek.
        pixels: (H, W, C), uint8 or uint16, C 1 for grey or 3 for RGB. From `BIG` bytes on the file is a BigTIFF.
        alpha: (H, W), of the same dtype.
        directory: The photo's EXIF; it becomes the file's first directory and decides its byte order.
        profile: The ICC profile.
        dpi: Pixels per inch, (across, down).
        xmp: The XMP packet.
        iptc: The IPTC captions.
    """
    height, width, channels = pixels.shape
    samples, depth = channels + (alpha is not None), pixels.dtype.itemsize
    big = height * width * samples * depth >= BIG
    out = exif.Directory(directory.order, dict(directory.fields), dict(directory.children))
    file.write(exif.header(out.order, 0, big))
    sizes = []
    for part in _tiles(pixels, alpha) if big else _strips(pixels, alpha):
        differences = np.diff(part, axis=1, prepend=part.dtype.type(0))
        packed = zlib.compress(differences.astype(f"{out.order}u{depth}").tobytes(), 6)
        sizes.append(file.write(packed))
    offsets = list(accumulate(sizes[:-1], initial=len(exif.header(out.order, 0, big))))
    end = offsets[-1] + sizes[-1]
    file.write(bytes(end % 2))
    out.put(Base.ImageWidth, LONG, width)
    out.put(Base.ImageLength, LONG, height)
    out.put(Base.BitsPerSample, SHORT, *[8 * depth] * samples)
    out.put(Base.Compression, SHORT, DEFLATE[0])
    out.put(Base.PhotometricInterpretation, SHORT, 2 if channels == 3 else 1)
    out.put(Base.SamplesPerPixel, SHORT, samples)
    if big:
        out.put(Base.TileWidth, SHORT, _TILE)
        out.put(Base.TileLength, SHORT, _TILE)
        out.put(Base.TileOffsets, exif.LONG8, *offsets)
        out.put(Base.TileByteCounts, LONG, *sizes)
    else:
        out.put(Base.StripOffsets, LONG, *offsets)
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
    file.write(out.packed(end + end % 2, big))
    file.seek(0)
    file.write(exif.header(out.order, end + end % 2, big))


def _strips(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Iterator[NDArray[Any]]:
    """The picture from the top, a few rows at a time."""
    for rows in bands(*pixels.shape[:2]):
        yield pixels[rows] if alpha is None else np.dstack([pixels[rows], alpha[rows]])


def _tiles(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Iterator[NDArray[Any]]:
    """The picture in squares, row by row; those at the right and at the bottom go on with their last pixels."""
    for top in range(0, pixels.shape[0], _TILE):
        for left in range(0, pixels.shape[1], _TILE):
            place = slice(top, top + _TILE), slice(left, left + _TILE)
            part = pixels[place] if alpha is None else np.dstack([pixels[place], alpha[place]])
            missing = (_TILE - part.shape[0], _TILE - part.shape[1])
            yield np.pad(part, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
