"""Parts the chunks of a WebP (RFC 9649) without decoding a pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BufferedReader
from typing import BinaryIO

from dreamer import limits
from dreamer.image.metadata import MOST, Metadata
from dreamer.image.spliced import Part, spliced

_METADATA = {b"ICCP": "profile", b"EXIF": "exif", b"XMP ": "xmp"}
_PIXELS = (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
_ALPHA, _ANIMATION = 0x10, 0x02


def is_webp(head: bytes) -> bool:
    """Whether a file that begins so is a WebP."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def separated(file: BufferedReader) -> tuple[BinaryIO, Metadata]:
    """The picture without its metadata, and what that says. Raises ValueError if it has too many chunks."""
    parts: list[Part] = []
    found = Metadata()
    for kind, start, size in _chunks(file):
        if kind in _METADATA:
            key = _METADATA[kind]
            file.seek(start)
            data = file.read(size) if size <= MOST[key] else b""
            found.put(key, data if data and len(data) == size else None)
        elif kind == b"VP8X" and size == 10:
            file.seek(start)
            features = file.read(size)
            parts.append(struct.pack("<4sIB", kind, size, features[0] & (_ALPHA | _ANIMATION)) + features[1:])
        elif kind in _PIXELS:
            parts.append((start - 8, start + size + size % 2))
    length = 4 + sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in parts)
    return spliced(file, [struct.pack("<4sI4s", b"RIFF", min(length, 0xFFFFFFFF), b"WEBP"), *parts]), found


def _chunks(file: BufferedReader) -> Iterator[tuple[bytes, int, int]]:
    """(name, position of the data, length of the data) of each chunk."""
    file.seek(4)
    end = 8 + int.from_bytes(file.read(4), "little")
    position = 12
    for _ in range(limits.WEBP_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or position >= end:
            return
        kind, size = struct.unpack("<4sI", head)
        yield kind, position + 8, size
        position += 8 + size + size % 2
    raise ValueError(f"it has more than {limits.WEBP_CHUNKS:,} parts")
