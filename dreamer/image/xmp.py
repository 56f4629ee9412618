"""XMP packets, the XML metadata of a picture: cleans the photo's own, adds dreamer's recipe, and reads it back.

Packets are checked here since defusedxml refuses entities, but not elements nested so deep that minidom fails.
"""

from __future__ import annotations

import re
from xml.dom import minidom
from xml.parsers import expat

from PIL import Image

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NOTE = "http://ns.adobe.com/xmp/note/"
DREAMER = "urn:dreamer:recipe:1"
XMLNS = "http://www.w3.org/2000/xmlns/"

LARGEST = 1 << 20
"""Bytes; a larger packet or recipe is not read."""
_DEEPEST = 100  # levels of nested elements; real packets have about ten

STALE = {
    *("Orientation", "ImageWidth", "ImageLength", "PixelXDimension", "PixelYDimension"),
    *("Thumbnails", "HasExtendedXMP"),
}
PLACE = re.compile(
    r"gps|latitude|longitude|altitude|geotag|^(city|state|provincestate|sublocation|worldregion)$|^(country|location)",
    re.IGNORECASE,
)

SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
"""First bytes of a JPEG segment with a packet, and of one with a part of a packet too long for a segment."""

EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)


def packets(picture: Image.Image) -> list[bytes]:
    """The packet of an opened picture, which can be empty, and its extended packets, too long for a JPEG segment."""
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    if not isinstance(packet, bytes):  # a text, or anything else that a program has put there
        packet = str(packet).encode(errors="replace")
    extended: dict[bytes, dict[int, bytes]] = {}
    for name, data in getattr(picture, "applist", []):
        if name == "APP1" and data.startswith(EXTENSION):
            rest = data[len(EXTENSION) :]
            extended.setdefault(rest[:32], {})[int.from_bytes(rest[36:40], "big")] = rest[40:]
    whole = [b"".join(part for _, part in sorted(parts.items())) for parts in extended.values()]
    return [packet, *whole]


def rewritten(packet: bytes, *, recipe: str = "", keep_gps: bool = False) -> bytes:
    """A photo's packet, or an empty one, prepared for its dream.

    Orientation, size, thumbnails and an older recipe are removed, since they no longer hold, and locations as well
    unless `keep_gps`; `recipe` is added. Raises ValueError if the packet is not XMP.
    """
    if not packet and not recipe:
        return b""
    document = _parse(packet or EMPTY.encode())
    try:
        root = next(iter(document.getElementsByTagNameNS(RDF, "RDF")), None)
        if root is None:
            raise ValueError("it is XML, but not XMP")
        for element in root.getElementsByTagName("*"):
            _drop_stale(element, keep_gps)
        if recipe:
            description = document.createElementNS(RDF, "rdf:Description")
            description.setAttributeNS(RDF, "rdf:about", "")
            description.setAttributeNS(XMLNS, "xmlns:rdf", RDF)
            description.setAttributeNS(XMLNS, "xmlns:dreamer", DREAMER)
            words = document.createElementNS(DREAMER, "dreamer:recipe")
            words.appendChild(document.createTextNode(recipe))
            description.appendChild(words)
            root.appendChild(description)
        return "".join(node.toxml() for node in document.childNodes).encode()
    finally:
        document.unlink()


def pointer(name: str) -> bytes:
    """A packet that only refers to the real one, in the extension segments of this name."""
    note = f'<rdf:Description rdf:about="" xmlns:xmpNote="{NOTE}" xmpNote:HasExtendedXMP="{name}"/>'
    return EMPTY.replace('<rdf:Description rdf:about=""/>', note).encode()


def recipe_in(packet: bytes) -> str | None:
    """The recipe in a packet; None if there is none or the packet is not XMP."""
    if DREAMER.encode() not in packet:
        return None
    try:
        document = _parse(packet)
    except ValueError:
        return None
    try:
        for element in document.getElementsByTagNameNS(DREAMER, "recipe"):
            return "".join(node.data for node in element.childNodes if isinstance(node, minidom.Text))
        for element in document.getElementsByTagName("*"):
            if element.hasAttributeNS(DREAMER, "recipe"):
                return element.getAttributeNS(DREAMER, "recipe")
        return None
    finally:
        document.unlink()


def _parse(packet: bytes) -> minidom.Document:
    packet = packet.strip(b"\0 \r\n\t")
    if len(packet) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    try:
        _check(packet)
        return minidom.parseString(packet)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ValueError(f"it is damaged ({error})") from error


def _check(packet: bytes) -> None:
    """Raise ValueError for XML that could overload a parser: entities and deep nesting, in any encoding."""
    depth = 0

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:  # minidom recurses
            raise ValueError(f"it is nested more than {_DEEPEST} deep")

    def end(_: object) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = begin, end, refuse
    parser.Parse(packet, True)


def _drop_stale(element: minidom.Element, keep_gps: bool) -> None:
    """Remove this element, or its attributes, if their names say that they no longer hold."""
    for attribute in list(element.attributes.values()):
        if _is_stale(attribute.namespaceURI, attribute.localName, keep_gps):
            element.removeAttributeNode(attribute)
    if _is_stale(element.namespaceURI, element.localName, keep_gps) and element.parentNode is not None:
        element.parentNode.removeChild(element)


def _is_stale(namespace: str | None, name: str | None, keep_gps: bool) -> bool:
    if namespace == DREAMER:
        return True
    if not name or namespace in (None, RDF, XMLNS):
        return False
    return name in STALE or (not keep_gps and PLACE.search(name) is not None)
