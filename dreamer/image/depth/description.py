"""Depth in a photo's XMP: GDepth, Dynamic Depth, and the items of a container.

Packets with depth are long: they are read piece by piece, and nothing of them is kept but what is asked for here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from xml.parsers import expat

from torch import Tensor

from dreamer import limits

_DEPTH = re.compile(r"^http://ns\.google\.com/photos/(1\.0/depthmap|dd/1\.0/depthmap)/$")
_ITEM = re.compile(r"^http://ns\.google\.com/photos/(1\.0/container|dd/1\.0)/item/$")
_WANTED = frozenset({"Data", "Format", "Near", "Far", "DepthURI"})
_DEEPEST = 100


@dataclass
class DepthDescription:
    """The description of a depth; by default a darker shade is nearer, as in GDepth and Dynamic Depth."""

    format: str = "RangeInverse"
    """RangeInverse where the shade counts 1 / distance, RangeLinear where it counts the distance."""
    near: float = 0.0
    far: float = 0.0
    """Distances, in any unit; 0 where they are not given."""
    bright_is_near: bool = False
    data: str = ""
    """The depth's file in base64."""
    uri: str = ""
    items: list[dict[str, str]] = field(default_factory=list)
    """The items of the container in order: the picture itself, then those behind it."""

    def places(self, end: int) -> Iterator[tuple[int, int]]:
        """(start, length) of each item that is depth; the picture ends at `end`."""
        start = end + _count(self.items[0].get("Padding")) if self.items else end
        for item in self.items[1:]:
            length = _count(item.get("Length"))
            if item.get("Semantic") == "Depth" or (self.uri and item.get("DataURI") == self.uri):
                yield start, length
            start += length + _count(item.get("Padding"))

    def nearness(self, shades: Tensor) -> Tensor:
        """The nearness, from 0 to 1, that shades from 0 to 1 stand for; it counts 1 / distance, as parallax does."""
        away = 1 - shades if self.bright_is_near else shades
        if self.format != "RangeLinear" or not 0 < self.near < self.far:
            return 1 - away
        distance = self.near + away * (self.far - self.near)
        return (1 / distance - 1 / self.far) / (1 / self.near - 1 / self.far)


def description_in(packets: Sequence[bytes]) -> DepthDescription:
    """The depth described in XMP packets; of a damaged one, what stands before the damage.

    Raises ValueError for one with depth that is too large.
    """
    depth = DepthDescription()
    for packet in packets:
        if len(packet) > 2 * limits.DEPTH_BYTES and b"depthmap" in packet:
            raise ValueError(f"the depth in it is larger than {limits.DEPTH_BYTES // limits.MB} MB")
        with suppress(expat.ExpatError, ValueError):
            _read(packet.strip(b"\0 \r\n\t"), depth)
    return depth


def packed(text: str) -> bytes:
    """The bytes that stand in base64; raises ValueError where they are damaged."""
    try:
        return base64.b64decode("".join(text.split()) + "=" * (-len("".join(text.split())) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the depth in it is damaged ({error})") from None


def _read(packet: bytes, depth: DepthDescription) -> None:
    names: list[str] = []
    text: list[str] = []

    def put(name: str, value: str) -> None:
        space, _, local = name.rpartition(" ")
        if _DEPTH.match(space) and local in _WANTED:
            if local in ("Near", "Far"):
                with suppress(ValueError):
                    setattr(depth, local.lower(), float(value))
            else:
                setattr(depth, {"DepthURI": "uri"}.get(local, local.lower()), value)
        elif _ITEM.match(space) and depth.items:
            depth.items[-1][local] = value

    def begin(name: str, attributes: dict[str, str]) -> None:
        names.append(name)
        text.clear()
        if len(names) > _DEEPEST:
            raise ValueError
        if name.endswith("/container/ Item") and len(depth.items) < limits.DEPTH_PICTURES:
            depth.items.append({})
        for key, value in attributes.items():
            put(key, value)

    def end(name: str) -> None:
        names.pop()
        if words := "".join(text).strip():
            put(name, words)
        text.clear()

    def refuse(*_: object) -> None:
        raise ValueError

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text.append, refuse
    parser.Parse(packet, True)


def _count(text: str | None) -> int:
    """A number of bytes; 0 where there is none."""
    return int(text) if text and re.fullmatch("[0-9]{1,12}", text) else 0
