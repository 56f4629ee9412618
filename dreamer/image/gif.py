"""Parts the blocks of a GIF (GIF89a) without decoding a pixel: its first picture, and what else it says."""

from __future__ import annotations

import io
from io import BufferedReader
from typing import BinaryIO

from dreamer import limits
from dreamer.image.metadata import Metadata
from dreamer.image.spliced import Part, spliced

MAGIC = (b"GIF87a", b"GIF89a")
_EXTENSION, _PICTURE, _CONTROL, _APPLICATION = b"!", b",", 0xF9, 0xFF
_XMP, _ICC = b"XMP DataXMP", b"ICCRGBG1012"


def separated(file: BufferedReader) -> tuple[BinaryIO, Metadata]:
    """A GIF of the first picture only, and what the file says. Raises ValueError if it has too many blocks."""
    found = Metadata()
    file.seek(10)
    flags = int.from_bytes(file.read(1), "big")
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    parts: list[Part] = [(0, position)]
    pictures = 0
    for _ in range(limits.GIF_BLOCKS):
        file.seek(position)
        kind, label = file.read(1), file.read(1)
        if kind == _EXTENSION:
            end = _end_of_blocks(file, position + 2)
            if label[:1] == bytes([_CONTROL]) and not pictures:
                parts.append((position, end))
            elif label[:1] == bytes([_APPLICATION]):
                _put_application(found, file, position + 2, end)
        elif kind == _PICTURE:
            pictures += 1
            if pictures == 2:
                found.several = True
                break
            file.seek(position + 9)
            flags = int.from_bytes(file.read(1), "big")
            end = _end_of_blocks(file, position + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
            parts.append((position, end))
        else:
            break
        position = end
    else:
        raise ValueError(f"it has more than {limits.GIF_BLOCKS:,} parts")
    return spliced(file, [*parts, b";"]), found


def _end_of_blocks(file: BufferedReader, position: int) -> int:
    """The position where a sequence of data blocks ends; each begins with its length, and the last one is empty."""
    file.seek(position)
    for _ in range(limits.GIF_BLOCKS):
        length = file.read(1)
        if not length or length == b"\0":
            return file.tell()
        file.seek(length[0], io.SEEK_CUR)
    raise ValueError(f"it has more than {limits.GIF_BLOCKS:,} parts")


def _put_application(found: Metadata, file: BufferedReader, start: int, end: int) -> None:
    """Keep an application's XMP, which stands there as one piece before a trailer of 258 bytes, or ICC profile."""
    file.seek(start)
    name = file.read(12)[1:]
    if name == _XMP:
        found.put("xmp", file.read(end - start - 12)[:-258] if end - start <= limits.XMP_BYTES else None)
    elif name == _ICC:
        rest = file.read(end - start - 12) if end - start <= limits.PROFILE_BYTES else b""
        profile, at = bytearray(), 0
        while at < len(rest) and rest[at]:
            profile += rest[at + 1 : at + 1 + rest[at]]
            at += 1 + rest[at]
        found.put("profile", bytes(profile) or None)
