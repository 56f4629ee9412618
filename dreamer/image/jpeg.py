"""Parts the segments of a JPEG without decoding a pixel: those of the picture, its metadata, and what comes behind it.

A phone puts a gain map and a film behind the picture; of these a notice is left, and never a segment that points there.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import BinaryIO

from dreamer import limits
from dreamer.image import xmp
from dreamer.image.metadata import Metadata, captions_in
from dreamer.image.spliced import Part, spliced

MAGIC = b"\xff\xd8\xff"
GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_APP0, _APP1, _APP2, _APP13, _APP14, _COMMENT, _SCAN, _END = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDA, 0xD9
_KEPT = {
    "exif": (_APP1, b"Exif\0\0"),
    "xmp": (_APP1, xmp.SEGMENT),
    "extended": (_APP1, xmp.EXTENSION),
    "profile": (_APP2, b"ICC_PROFILE\0"),
    "map": (_APP2, GAIN_MAP),
    "iptc": (_APP13, b"Photoshop 3.0\0"),
}
"""Key -> marker and first bytes of the segments that are read."""
_BARE = (0x00, 0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE), 0xFF)
"""Markers without a length."""

_ENDS_SCAN = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_MAP = re.compile(rb"hdr-gain-map/|HDRGainMap|hdrgainmap|urn:iso:std:iso:ts:21496:-1")
_DEPTH = re.compile(rb"aux:depth|aux:disparity|photo:2018:aux:")
_PROMISES = {
    "HDR gain map": re.compile(rb"hdr-gain-map/|HDRGainMap|[\"'>]GainMap[\"'<]"),
    "depth map": re.compile(rb"[\"'>]Depth[\"'<]"),
}
"""XMP by which a picture describes another one behind it."""
_FILM = re.compile(rb"\0\0\0[\x08-\x80]ftyp|MotionPhoto_Data")


def separated(file: BufferedReader) -> tuple[BinaryIO, Metadata]:
    """The picture without its metadata, and what that says.

    Raises ValueError if it has more segments or scans than a picture can need.
    """
    parts: list[Part] = [MAGIC[:2]]
    found, blocks = Metadata(), dict[str, list[bytes]]()
    others, scan, end = 0, -1, 0
    for marker, start, end in _segments(file):
        if marker == _SCAN and scan < 0:
            scan = start
        if scan >= 0:
            continue
        others += (is_other := _APP0 <= marker <= _APP14 + 1 or marker == _COMMENT)
        if is_other and others > limits.METADATA_PARTS:
            continue
        file.seek(start + 4)
        data = file.read(end - start - 4) if is_other else b""
        if marker == _COMMENT:
            found.comment(data)
        for key, (place, head) in _KEPT.items():
            if marker == place and data.startswith(head):
                blocks.setdefault(key, []).append(data[len(head) :])
        if not is_other or marker == _APP0 or (marker == _APP14 and data.startswith(b"Adobe")):
            parts.append((start, end))
    file.seek(end)
    behind = file.read(limits.TRAILER_BYTES) if scan >= 0 else b""
    _put(found, blocks)
    if others > limits.METADATA_PARTS:
        found.note(f"of its {others:,} parts besides the pixels, the first {limits.METADATA_PARTS:,} were read")
    gone = {"HDR gain map": "map" in blocks or _MAP.search(behind), "depth map": _DEPTH.search(behind)}
    if MAGIC in behind:
        gone = {name: there or _PROMISES[name].search(found.xmp) for name, there in gone.items()}
    found.left_out([name for name, there in {**gone, "film": _FILM.search(behind)}.items() if there])
    if scan >= 0:
        parts.append((scan, file.seek(0, io.SEEK_END)))
    return spliced(file, parts), found


def end_of(file: BufferedReader) -> int:
    """The position where the picture ends; raises ValueError as `separated` does."""
    return max((end for _, _, end in _segments(file)), default=0)


def _put(found: Metadata, blocks: dict[str, list[bytes]]) -> None:
    found.put("exif", b"".join(blocks.get("exif", [])))
    found.put("xmp", blocks.get("xmp", [b""])[-1])
    found.put("iptc", captions_in(b"".join(blocks.get("iptc", []))))
    extended: dict[bytes, dict[bytes, bytes]] = {}
    for part in blocks.get("extended", []):  # the packet's name, its length, the part's place in it, the part
        extended.setdefault(part[:32], {})[part[36:40]] = part[40:]
    found.extended = [b"".join(part for _, part in sorted(packet.items())) for packet in extended.values()]
    profile = sorted(blocks.get("profile", []))  # number, how many, part
    whole = [part[0:1] for part in profile] == [bytes([number]) for number in range(1, len(profile) + 1)]
    found.put("profile", b"".join(part[2:] for part in profile) if whole else None)


def _segments(file: BufferedReader) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment up to the picture's end; a scan's data is part of its segment."""
    position, scans = 2, 0
    for _ in range(limits.JPEG_SEGMENTS):
        file.seek(position)
        while (block := file.read(1 << 12)) and (at := block.find(b"\xff")) < 0:
            position += len(block)
        if not block:
            return
        position += at
        file.seek(position + 1)
        head = file.read(3)
        if len(head) < 1:
            return
        marker, end = head[0], position + 2
        if marker == 0xFF:  # filling
            position += 1
            continue
        if marker not in _BARE:
            end = position + 2 + max(2, int.from_bytes(head[1:3], "big"))
        if marker == _SCAN:
            scans += 1
            if scans > limits.JPEG_SCANS:
                raise ValueError(f"it has more than {limits.JPEG_SCANS} scans")
            end = _end_of_scan(file, end)
        yield marker, position, end
        if marker == _END:
            return
        position = end
    raise ValueError(f"it has more than {limits.JPEG_SEGMENTS:,} parts")


def _end_of_scan(file: BufferedReader, position: int) -> int:
    """The position of the next marker outside of a scan's data, or the end of the file."""
    file.seek(position)
    while block := file.read(1 << 20):
        if found := _ENDS_SCAN.search(block):
            return position + found.start()
        position += len(block)
        if block.endswith(b"\xff") and len(block) > 1:
            position -= 1
            file.seek(position)
    return position
