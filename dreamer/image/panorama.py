"""360-degree panoramas by what their XMP says of them: Google's GPano (Photo Sphere XMP metadata, 2013)."""

from __future__ import annotations

import re
from xml.dom import minidom

from dreamer.image.xmp import parsed

GPANO = "http://ns.google.com/photos/1.0/panorama/"

_ACROSS = re.compile(r"^(FullPano|CroppedAreaImage)WidthPixels$|^CroppedAreaLeftPixels$|^InitialCameraX$")
_DOWN = re.compile(r"^(FullPano|CroppedAreaImage)HeightPixels$|^CroppedAreaTopPixels$")


def is_panorama(packet: bytes, width: int, height: int) -> bool:
    """Whether an XMP packet says that its picture is the whole of an equirectangular panorama."""
    if GPANO.encode() not in packet or abs(width - 2 * height) > 1:
        return False
    document = parsed(packet)
    try:
        return any(value == "equirectangular" for name, value in _said(document) if name == "ProjectionType")
    finally:
        document.unlink()


def resized(packet: bytes, across: float, down: float) -> bytes:
    """The packet of a picture whose sides have become so many times as long: with GPano's own sizes in its pixels."""
    if GPANO.encode() not in packet:
        return packet
    document = parsed(packet)
    try:
        for element in document.getElementsByTagName("*"):
            for node in (*element.attributes.values(), *element.childNodes):
                parent = element if isinstance(node, minidom.Text) else node
                if parent.namespaceURI == GPANO and isinstance(node, (minidom.Attr, minidom.Text)):
                    _scale(node, parent.localName or "", across, down)
        return b"".join(node.toxml().encode() for node in document.childNodes)
    finally:
        document.unlink()


def _scale(node: minidom.Attr | minidom.Text, name: str, across: float, down: float) -> None:
    factor = across if _ACROSS.match(name) else down if _DOWN.match(name) else None
    if factor is not None and re.fullmatch(r"\s*\d{1,9}\s*", node.nodeValue or ""):
        node.nodeValue = str(round(int(str(node.nodeValue)) * factor))


def _said(document: minidom.Document) -> list[tuple[str, str]]:
    """Each of GPano's properties, written as an attribute or as an element, and its value."""
    found = []
    for element in document.getElementsByTagName("*"):
        nodes = [*element.attributes.values()]
        found += [(node.localName or "", str(node.value)) for node in nodes if node.namespaceURI == GPANO]
        if element.namespaceURI == GPANO:
            text = "".join(node.data for node in element.childNodes if isinstance(node, minidom.Text))
            found.append((element.localName or "", text.strip()))
    return found
