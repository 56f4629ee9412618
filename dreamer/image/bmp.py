"""Reads what a BMP of version 4 or 5 says about its colours, which Pillow passes over."""

from __future__ import annotations

import struct
from typing import BinaryIO

from dreamer import limits
from dreamer.image import colours
from dreamer.image.metadata import Metadata

_HEADER, _V4, _V5 = 14, 108, 124  # bytes of the file's header and of the picture's
_CALIBRATED, _EMBEDDED = b"\0\0\0\0", b"DEBM"


def read(file: BinaryIO) -> Metadata:
    """The profile of a BMP, or its corners and gamma; nothing if it says nothing about its colours."""
    found = Metadata()
    file.seek(_HEADER)
    head = file.read(_V5)
    size = int.from_bytes(head[:4], "little")
    if size < _V4 or len(head) < _V4:
        return found
    kind = head[56:60]
    if kind == _EMBEDDED and size >= _V5 and len(head) == _V5:
        start, length = struct.unpack("<II", head[112:120])
        file.seek(_HEADER + start)
        data = file.read(length) if length <= limits.PROFILE_BYTES else b""
        found.put("profile", data if data and len(data) == length else None)
    elif kind == _CALIBRATED:
        corners = [struct.unpack("<3i", head[start : start + 12]) for start in (60, 72, 84)]
        white = tuple(sum(numbers) for numbers in zip(*corners, strict=True))
        if all(sum(numbers) > 0 for numbers in (*corners, white)):
            places = [number / sum(numbers) for numbers in (white, *corners) for number in numbers[:2]]
            power = int.from_bytes(head[100:104], "little") / 65536  # of green
            found.said = colours.of_gamma(1 / power if power else None, places)
    return found
