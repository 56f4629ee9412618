"""Reads and writes PNG of 16 bits per channel, and finds its texts without decoding a pixel.

Written here since Pillow has no 16-bit colour (python-pillow/Pillow#1888), and imagecodecs, which has, is 26 MB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dreamer.image import libav
from dreamer.image.bands import bands

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"
TEXT_LIMIT = 1 << 20
"""Bytes; a longer text is not read."""


def bit_depth(file: BinaryIO) -> int:
    """Bits per channel, from the header; 0 if the file is not a PNG."""
    file.seek(0)
    head = file.read(26)
    return head[24] if head.startswith(SIGNATURE) and head[12:16] == b"IHDR" and len(head) == 26 else 0


def read_deep(file: BinaryIO) -> NDArray[np.uint16]:
    """The exact pixels of a 16-bit PNG, interlaced or not: (H, W, C) with 1 to 4 channels.

    Raises ValueError if a chunk is damaged or missing; libav alone would return the part that it could decode.
    """
    ended = False
    for kind, size, start in _chunks(file):
        file.seek(start)
        check = zlib.crc32(kind)
        while size and (part := file.read(min(size, 1 << 20))):
            check, size = zlib.crc32(part, check), size - len(part)
        if size or file.read(4) != struct.pack(">I", check):
            raise ValueError(f"its {kind.decode('latin-1')} part is incomplete")
        ended |= kind == b"IEND"
    if not ended:
        raise ValueError("its end is missing")
    return libav.read_deep(file, "png_pipe")


def chunk(file: BinaryIO, name: bytes) -> bytes:
    """The data of the first chunk of this name; empty if there is none."""
    for kind, size, start in _chunks(file):
        if kind == name and size <= TEXT_LIMIT:
            file.seek(start)
            return file.read(size)
    return b""


def text(file: BinaryIO, keyword: str) -> str | None:
    """The international text (iTXt) of a keyword; None if there is none, or if it is longer than TEXT_LIMIT."""
    for kind, size, start in _chunks(file):
        if kind != b"iTXt" or size > TEXT_LIMIT:
            continue
        file.seek(start)
        name, _, rest = file.read(size).partition(b"\0")
        if name.decode("latin-1") != keyword or len(rest) < 4:
            continue
        words = rest[2:].split(b"\0", 2)[-1]
        if rest[0]:
            inflater = zlib.decompressobj()
            try:
                words = inflater.decompress(words, TEXT_LIMIT)
            except zlib.error:
                return None
            if inflater.unconsumed_tail:
                return None
        return words.decode("utf-8", "replace")
    return None


def write(
    pixels: NDArray[Any],
    alpha: NDArray[Any] | None,
    *,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes = b"",
    texts: Iterable[tuple[str, str]] = (),
) -> bytes:
    """A PNG file as bytes. Each row gets the filter with the smallest sum of absolute differences (PNG, 12.7).

    Args:
        pixels: (H, W, C), uint8 or uint16, C 1 for grey or 3 for RGB.
        alpha: (H, W), of the same dtype.
        profile: The ICC profile.
        dpi: Pixels per inch, (across, down).
        exif: The EXIF block.
        texts: Keyword and text of each iTXt chunk; empty texts are left out.
    """
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize
    colour = (2 if channels == 3 else 0) + (4 if alpha is not None else 0)
    parts = [SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * depth, colour, 0, 0, 0))]
    if profile is not None:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    if dpi is not None:
        x, y = (min(max(round(value / 0.0254), 1), 0x7FFFFFFF) for value in dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif:
        parts.append(_chunk(b"eXIf", exif))
    for keyword, words in texts:
        if words:
            parts.append(_chunk(b"iTXt", keyword.encode("latin-1") + bytes(5) + words.encode()))
    deflater = zlib.compressobj(6, strategy=zlib.Z_FILTERED)
    above = None
    for rows in bands(height, width):
        band = pixels[rows] if alpha is None else np.dstack([pixels[rows], alpha[rows]])
        raw = band.astype(f">u{depth}").reshape(len(band), -1).view(np.uint8)
        packed = deflater.compress(_filtered(raw, above, depth * (channels + (alpha is not None))))
        parts.append(_chunk(b"IDAT", packed) if packed else b"")
        above = raw[-1]
    parts += [_chunk(b"IDAT", deflater.flush()), _chunk(b"IEND", b"")]
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(name, length of the data, position of the data) of every chunk, in order."""
    position = len(SIGNATURE)
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        yield kind, size, position + 8
        if kind == b"IEND":
            return
        position += 12 + size


def _filtered(raw: NDArray[np.uint8], above: NDArray[np.uint8] | None, step: int) -> bytes:
    """The filtered rows as bytes, each after the number of its filter; `step` is the number of bytes per pixel."""
    up = np.vstack([np.zeros_like(raw[:1]) if above is None else above[None], raw[:-1]])
    left, corner = np.zeros_like(raw), np.zeros_like(raw)
    left[:, step:], corner[:, step:] = raw[:, :-step], up[:, :-step]
    a, b, c = left.astype(np.int16), up.astype(np.int16), corner.astype(np.int16)
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    paeth = np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, up, corner))
    average = ((a + b) >> 1).astype(np.uint8)
    best, least = np.empty((len(raw), raw.shape[1] + 1), np.uint8), np.full(len(raw), np.inf)
    for number, guess in enumerate((np.zeros_like(raw), left, up, average, paeth)):
        rest = raw - guess
        cost = np.abs(rest.view(np.int8).astype(np.int16)).sum(axis=1)
        better = cost < least
        best[better, 0], best[better, 1:], least[better] = number, rest[better], cost[better]
    return best.tobytes()
