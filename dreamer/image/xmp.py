"""XMP: the packet of XML in which a picture says who took it, and in which dreamer says how it was dreamt.

Checked here since defusedxml refuses entities, but not elements nested so deep that minidom fails.
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
"""Bytes of a packet, or of a recipe, beyond which it is not read."""
_DEEPEST = 100  # elements one inside the other; real packets have about ten

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
"""How JPEG segments begin that hold a packet, and a part of one too long for a segment."""

EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)


def packets(picture: Image.Image) -> list[bytes]:
    """The packet that an opened picture carries, perhaps empty, and those too long for a JPEG segment."""
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    if not isinstance(packet, bytes):  # a text, or whatever a program has put there
        packet = str(packet).encode(errors="replace")
    extended: dict[bytes, dict[int, bytes]] = {}
    for name, data in getattr(picture, "applist", []):
        if name == "APP1" and data.startswith(EXTENSION):
            rest = data[len(EXTENSION) :]
            extended.setdefault(rest[:32], {})[int.from_bytes(rest[36:40], "big")] = rest[40:]
    whole = [b"".join(part for _, part in sorted(parts.items())) for parts in extended.values()]
    return [packet, *whole]


def rewritten(packet: bytes, *, recipe: str = "", keep_gps: bool = False) -> bytes:
    """A photo's own packet, empty where it had none, as a dream may carry it.

    What the dream has made untrue (orientation, size, thumbnails) is gone, and so are an older recipe and,
    unless `keep_gps`, places; `recipe` is added. Raises ValueError when the packet is no XMP.
    """
    if not packet and not recipe:
        return b""
    document = _parse(packet or EMPTY.encode())
    try:
        root = _root(document)
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
    """A packet that says only where the real one is: in the extension segments of this name."""
    note = f'<rdf:Description rdf:about="" xmlns:xmpNote="{NOTE}" xmpNote:HasExtendedXMP="{name}"/>'
    return EMPTY.replace('<rdf:Description rdf:about=""/>', note).encode()


def recipe_in(packet: bytes) -> str | None:
    """The recipe in a packet; None when there is none, and when the packet is no XMP."""
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
        raise ValueError("an XMP packet that is too large")
    try:
        _check(packet)
        return minidom.parseString(packet)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ValueError(f"a damaged XMP packet ({error})") from error


def _check(packet: bytes) -> None:
    """Raise ValueError for what a stranger might have a parser choke on, in whatever encoding."""
    depth = 0

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:  # minidom goes down by recursion
            raise ValueError(f"it is nested more than {_DEEPEST} deep")

    def end(_: object) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = begin, end, refuse
    parser.Parse(packet, True)


def _root(document: minidom.Document) -> minidom.Element:
    for root in document.getElementsByTagNameNS(RDF, "RDF"):
        return root
    raise ValueError("XML, but no XMP")


def _drop_stale(element: minidom.Element, keep_gps: bool) -> None:
    """Take out this element, or those of its attributes, whose names say that they no longer hold."""
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
