"""Parts the boxes of HEIC and AVIF (ISO/IEC 14496-12 and 23008-12) without decoding a pixel.

The items with EXIF and XMP are read here, within bounds, and no decoder is shown them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from dreamer import limits
from dreamer.image import colours
from dreamer.image.metadata import MOST, Metadata
from dreamer.image.spliced import Part, spliced

_GAIN_MAPS, _DEPTHS = (b"hdrgainmap", b"tmap"), (b"depth", b"disparity", b"auxid:2", b"matte")
_XMP = b"application/rdf+xml"


_Property = tuple[int, bytes]
"""Place in the file, and name and data."""


@dataclass
class _Item:
    """A part of the file: a picture, or metadata of one."""

    kind: bytes = b""
    place: int = 0
    """The position of its kind in the file."""
    content: bytes = b""
    """The type of its data, if the kind is `mime`."""
    spans: list[tuple[int, int]] = field(default_factory=list)
    """(start, length) of each piece of its data."""
    properties: list[int] = field(default_factory=list)
    """Numbers of its properties, from 1."""


BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of HEIC, which stand in a file's bytes 8 to 11."""


def format_of(file: BinaryIO) -> str:
    """`HEIF`, `AVIF`, or nothing for another format."""
    file.seek(0)
    head = file.read(256)
    if head[4:8] != b"ftyp":
        return ""
    head = head[: max(12, int.from_bytes(head[:4], "big"))]
    names = {head[8:12], *(head[start : start + 4] for start in range(16, len(head), 4))}
    if head[8:12] in (b"avif", b"avis") or (head[8:12] in (b"mif1", b"msf1", b"miaf") and names & {b"avif", b"avis"}):
        return "AVIF"
    return "HEIF" if head[8:12] in BRANDS else ""


def separated(file: BinaryIO) -> tuple[BinaryIO, Metadata]:
    """The file with its EXIF and XMP hidden, and what it says.

    Raises ValueError if it is damaged, or has more items, or larger ones, than a picture can need.
    """
    size = file.seek(0, io.SEEK_END)
    found, gone = Metadata(orientation=1), set[str]()
    items: dict[int, _Item] = {}
    primary, properties = 0, list[_Property]()
    for kind, start, end in _top(file, size):
        if kind == b"mpvd":
            gone.add("film")
        if kind != b"meta" or items:
            continue
        if end - start > limits.HEIF_META_BYTES:
            raise ValueError("its description is longer than a picture can need")
        file.seek(start)
        try:
            primary, items, properties = _described(file.read(end - start), start)
        except (struct.error, IndexError) as error:
            raise ValueError("its description is damaged") from error
    if sum(length for item in items.values() for _, length in item.spans) > 2 * size:
        raise ValueError("its parts overlap")
    for item in items.values():
        if item.kind == b"Exif":
            data = _data(file, item, MOST["exif"])
            found.put("exif", None if data is None else data[4 + int.from_bytes(data[:4], "big") :])
        elif item.kind == b"mime" and item.content == _XMP:
            found.put("xmp", _data(file, item, MOST["xmp"]))
    words = [item.kind for item in items.values()] + [text for _, text in properties if text.startswith(b"auxC")]
    for thing, signs in (("HDR gain map", _GAIN_MAPS), ("depth map", _DEPTHS)):
        if any(sign in word for word in words for sign in signs):
            gone.add(thing)
    found.left_out([name for name in ("HDR gain map", "depth map", "film") if name in gone])
    patches = _put_colours(found, items.get(primary, _Item()), properties)
    patches |= {item.place: b"skip" for item in items.values() if item.kind in (b"Exif", b"mime")}
    parts: list[Part] = []
    start = 0
    for place, patch in sorted(patches.items()):
        parts += [(start, place), patch]
        start = place + len(patch)
    return spliced(file, [*parts, (start, size)]), found


def _top(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of its data) of each box of the file."""
    position = 0
    for _ in range(limits.HEIF_ITEMS):
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return
        length, start = int.from_bytes(head[:4], "big"), position + 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), position + 16
        end = position + length if length else size
        if end < start:
            return
        yield head[4:8], start, min(end, size)
        position = end


def _inner(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of its data) of each box in these bytes."""
    for _ in range(limits.HEIF_ITEMS):
        if start + 8 > end:
            return
        length = int.from_bytes(data[start : start + 4], "big") or end - start
        if length < 8 or start + length > end:
            raise IndexError
        yield data[start + 4 : start + 8], start + 8, start + length
        start += length


def _described(data: bytes, base: int) -> tuple[int, dict[int, _Item], list[_Property]]:
    """The primary item, all items by number, and all properties with their names; the meta box begins at `base`."""
    primary, items, properties, inside = 0, dict[int, _Item](), list[_Property](), 0
    boxes = {kind: (start, end) for kind, start, end in _inner(data, 4, len(data))}
    if b"pitm" in boxes:
        start = boxes[b"pitm"][0]
        primary = int.from_bytes(data[start + 4 : start + (8 if data[start] else 6)], "big")
    if b"iinf" in boxes:
        start, end = boxes[b"iinf"]
        for kind, at, stop in _inner(data, start + (8 if data[start] else 6), end):
            if kind == b"infe" and data[at] in (2, 3):
                wide = 2 * (data[at] - 1)
                kind_at = at + 4 + wide + 2
                item = items.setdefault(int.from_bytes(data[at + 4 : at + 4 + wide], "big"), _Item())
                item.kind, item.place = data[kind_at : kind_at + 4], base + kind_at
                item.content = data[kind_at + 4 : stop].split(b"\0")[1:2][0] if item.kind == b"mime" else b""
    if b"idat" in boxes:
        inside = base + boxes[b"idat"][0]
    if b"iloc" in boxes:
        _locate(data, boxes[b"iloc"][0], items, inside)
    if b"iprp" in boxes:
        below = list(_inner(data, *boxes[b"iprp"]))
        for kind, at, stop in below:
            if kind == b"ipco":
                properties += [(base + start - 4, data[start - 4 : end]) for _, start, end in _inner(data, at, stop)]
            elif kind == b"ipma":
                _associate(data, at, items)
    return primary, items, properties


def _locate(data: bytes, at: int, items: dict[int, _Item], inside: int) -> None:
    """Read the spans of all items (ISO/IEC 14496-12, 8.11.3); `inside` is where the file's `idat` begins."""
    version, sizes = data[at], data[at + 4 : at + 6]
    offset_size, length_size, base_size, index_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4, sizes[1] & 15
    number = 4 if version == 2 else 2
    at += 6

    def take(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise IndexError
        return int.from_bytes(data[at - size : at], "big")

    extents = 0
    for _ in range(take(number)):
        item = items.setdefault(take(number), _Item())
        method = take(2) & 15 if version else 0
        take(2)
        start = take(base_size) + (inside if method == 1 else 0)
        for _ in range(take(2)):
            extents += 1
            if extents > limits.HEIF_ITEMS:
                raise IndexError
            take(index_size if version else 0)
            offset = take(offset_size)
            item.spans.append((start + offset, take(length_size)))


def _associate(data: bytes, at: int, items: dict[int, _Item]) -> None:
    """Read which properties belong to which item (ISO/IEC 23008-12, 9.3)."""
    version, wide = data[at], data[at + 3] & 1
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 8
    for _ in range(min(count, limits.HEIF_ITEMS)):
        length = 4 if version else 2
        item = items.setdefault(int.from_bytes(data[at : at + length], "big"), _Item())
        many = data[at + length]
        at += length + 1
        for _ in range(many):
            item.properties.append(int.from_bytes(data[at : at + 1 + wide], "big") & (0x7FFF if wide else 0x7F))
            at += 1 + wide


def _data(file: BinaryIO, item: _Item, most: int) -> bytes | None:
    """The data of an item; None if it is longer than `most` bytes, or incomplete."""
    length = sum(size for _, size in item.spans)
    if length > most:
        return None
    pieces = []
    for start, size in item.spans:
        file.seek(start)
        pieces.append(file.read(size))
    whole = b"".join(pieces)
    return whole if len(whole) == length else None


def _put_colours(found: Metadata, picture: _Item, properties: list[_Property]) -> dict[int, bytes]:
    """Keep the profile of the main picture or, without one, what its codes say, and its depth.

    Returns:
        Bytes to be put at places of the file: unknown codes become unspecified ones, since pillow-heif would refuse the
        whole picture for them.
    """
    patches = {}
    own = [properties[number - 1] for number in picture.properties if 0 < number <= len(properties)]
    for place, text in own:
        if text.startswith((b"colrprof", b"colrrICC")):
            found.put("profile", text[8:])
        elif text.startswith(b"colrnclx") and len(text) >= 14:
            found.said = colours.of_codes(*struct.unpack(">HH", text[8:12]))
            if found.said.curve == colours.SRGB_CURVE and found.said.notice:
                patches[place + 8] = struct.pack(">HH", 2, 2)
        elif text.startswith(b"pixi") and len(text) > 9:
            found.bits = max(text[9:])
    return patches
