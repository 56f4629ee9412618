"""Reads and writes PNG of 16 bits per channel, and parts the chunks of a PNG without decoding a pixel.

Written here since Pillow has no 16-bit colour (python-pillow/Pillow#1888), and imagecodecs, which has, is 26 MB.
Neither Pillow nor libav is shown a chunk that the pixels do not need: libav unpacks texts and profiles without a bound,
and for one that is damaged or too long either refuses the whole picture.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dreamer import limits
from dreamer.image import colours, libav
from dreamer.image.bands import bands
from dreamer.image.inflation import inflated
from dreamer.image.metadata import TEXTS, Metadata, raw_profile
from dreamer.image.spliced import Part, spliced

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"
COMMENT_KEYWORD = "Comment"
EXIF_KEYWORD = "Raw profile type exif"

_ONCE = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256}
"""Chunks that the pixels need besides IDAT and IEND -> their largest size; a second one is passed over."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")

Chunk = tuple[bytes, int, int]
"""(name, length of the data, position of the data)."""


def bit_depth(file: BinaryIO) -> int:
    """Bits per channel, from the header; 0 if the file is not a PNG."""
    file.seek(0)
    head = file.read(26)
    return head[24] if head.startswith(SIGNATURE) and head[12:16] == b"IHDR" and len(head) == 26 else 0


def separated(file: BinaryIO) -> tuple[BinaryIO, Metadata]:
    """A PNG of only the chunks that the pixels need, and what all others say.

    Raises ValueError if it has no header, or more chunks than a picture can need.
    """
    if not bit_depth(file):
        raise ValueError("its header is missing")
    parts: list[Part] = [SIGNATURE]
    others: list[Chunk] = []
    known, whole = set(), file.seek(0, io.SEEK_END)
    for kind, size, start in _chunks(file):
        if kind in (b"IDAT", b"IEND") or (kind not in known and size <= _ONCE.get(kind, -1)):
            # of a file cut short, since Pillow takes memory for as much as a chunk says that it has
            parts.append((start - 8, start) if start + size <= whole else struct.pack(">I", whole - start) + kind)
            parts.append((start, min(start + size + 4, whole)))
            known.add(kind)
        elif kind not in _ONCE:
            others.append((kind, size, start))
    return spliced(file, parts), _metadata(file, others)


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


def text(file: BinaryIO, keyword: str) -> str | None:
    """The international text (iTXt) of a keyword; None if there is none, or if it is damaged or too long."""
    for chunk in _chunks(file):
        if chunk[0] == b"iTXt" and _keyword(file, chunk) == keyword:
            words = _words(file, chunk)
            return None if words is None else words.decode("utf-8", "replace")
    return None


def _metadata(file: BinaryIO, chunks: list[Chunk]) -> Metadata:
    """What these chunks say; a block that is damaged or too long is passed over, with a notice."""
    found = Metadata()
    if len(chunks) > limits.METADATA_PARTS:
        found.note(f"of its {len(chunks):,} parts besides the pixels, the first {limits.METADATA_PARTS:,} were read")
    small: dict[bytes, bytes] = {}
    for chunk in chunks[: limits.METADATA_PARTS]:
        kind, size, _ = chunk
        if kind == b"eXIf":
            found.put("exif", _data(file, chunk, limits.EXIF_BYTES))
        elif kind == b"iCCP":  # the profile's name, a zero, the method, and the deflated profile
            packed = _data(file, chunk, limits.PROFILE_BYTES) or b""
            found.put("profile", inflated(packed.partition(b"\0")[2][1:], limits.PROFILE_BYTES))
        elif kind == b"iTXt" and _keyword(file, chunk) == XMP_KEYWORD:
            found.put("xmp", _words(file, chunk))
        elif kind in _TEXTS[:2] and _keyword(file, chunk) == EXIF_KEYWORD:
            words = _words(file, chunk)
            found.put("exif", None if words is None else raw_profile(words.decode("latin-1")))
        elif kind in _TEXTS and (tag := TEXTS.get(_keyword(file, chunk))) and (words := _words(file, chunk)):
            found.texts.setdefault(tag, _decoded(kind, words))
        elif kind in _TEXTS and _keyword(file, chunk) == COMMENT_KEYWORD and (words := _words(file, chunk)):
            found.comment(_decoded(kind, words).encode())
        elif size <= 32:
            small.setdefault(kind, _data(file, chunk, 32) or b"")
    if len(scale := small.get(b"pHYs", b"")) == 9 and scale[8] == 1:
        across, down = struct.unpack(">II", scale[:8])
        found.dpi = (across * 0.0254, down * 0.0254)
    found.several = small.get(b"acTL", b"")[:4] > b"\0\0\0\1"
    _put_colours(found, small)
    return found


def _put_colours(found: Metadata, small: dict[bytes, bytes]) -> None:
    """Keep what is said about the colours without a profile: the first of cICP, sRGB, gAMA and cHRM (PNG 3, 4.3)."""
    gamma, corners = small.get(b"gAMA", b""), small.get(b"cHRM", b"")
    if len(codes := small.get(b"cICP", b"")) == 4:
        found.said = colours.of_codes(codes[0], codes[1])
    elif b"sRGB" in small:
        found.said = colours.Colours()
    elif len(gamma) == 4 or len(corners) == 32:
        places = [value / 100_000 for value in struct.unpack(">8I", corners)] if len(corners) == 32 else None
        found.said = colours.of_gamma(int.from_bytes(gamma, "big") / 100_000, places)


def _keyword(file: BinaryIO, chunk: Chunk) -> str:
    """The keyword of a text."""
    file.seek(chunk[2])
    return file.read(min(chunk[1], 80)).partition(b"\0")[0].decode("latin-1")


def _words(file: BinaryIO, chunk: Chunk) -> bytes | None:
    """A text, unpacked; None if it is damaged or too long."""
    data = _data(file, chunk, limits.XMP_BYTES)
    if data is None:
        return None
    rest, packed = data.partition(b"\0")[2], chunk[0] == b"zTXt"
    if chunk[0] == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    return inflated(rest, limits.XMP_BYTES) if packed else rest


def _data(file: BinaryIO, chunk: Chunk, most: int) -> bytes | None:
    """The data of a chunk; None if it is longer than `most` bytes, or damaged."""
    kind, size, start = chunk
    if size > most:
        return None
    file.seek(start)
    data = file.read(size)
    return data if file.read(4) == struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))) else None


def write(
    file: BinaryIO,
    pixels: NDArray[Any],
    alpha: NDArray[Any] | None,
    *,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    exif: bytes = b"",
    texts: Iterable[tuple[str, str]] = (),
) -> None:
    """Write a PNG. Each row gets the filter with the smallest sum of absolute differences (PNG, 12.7).

    Args:
        file: Where to.
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
    file.write(SIGNATURE)
    file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * depth, colour, 0, 0, 0)))
    if profile is not None:
        file.write(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    if dpi is not None:
        x, y = (min(max(round(value / 0.0254), 1), 0x7FFFFFFF) for value in dpi)
        file.write(_chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    if exif:
        file.write(_chunk(b"eXIf", exif))
    for keyword, words in texts:
        if words:
            file.write(_chunk(b"iTXt", keyword.encode("latin-1") + bytes(5) + words.encode()))
    deflater = zlib.compressobj(3, strategy=zlib.Z_FILTERED)  # 6 takes three times as long for one per cent
    above = None
    for rows in bands(height, width):
        band = pixels[rows] if alpha is None else np.dstack([pixels[rows], alpha[rows]])
        raw = band.astype(f">u{depth}").reshape(len(band), -1).view(np.uint8)
        packed = deflater.compress(_filtered(raw, above, depth * (channels + (alpha is not None))))
        file.write(_chunk(b"IDAT", packed) if packed else b"")
        above = raw[-1]
    file.write(_chunk(b"IDAT", deflater.flush()))
    file.write(_chunk(b"IEND", b""))


def _decoded(kind: bytes, words: bytes) -> str:
    return words.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Every chunk, in order."""
    position = len(SIGNATURE)
    for _ in range(limits.PNG_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        yield kind, size, position + 8
        if kind == b"IEND":
            return
        position += 12 + size
    raise ValueError(f"it has more than {limits.PNG_CHUNKS:,} parts")


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
