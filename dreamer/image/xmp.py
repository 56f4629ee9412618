"""XMP packets, the XML metadata of a picture: cleans the photo's own, adds dreamer's recipe, and reads it back.

Packets are checked here since defusedxml refuses entities, but not elements nested so deep that minidom fails.
"""

from __future__ import annotations

import re
from xml.dom import minidom
from xml.parsers import expat

from dreamer import limits

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NOTE = "http://ns.adobe.com/xmp/note/"
DREAMER = "urn:dreamer:recipe:1"
XMLNS = "http://www.w3.org/2000/xmlns/"

_DEEPEST = 100  # levels of nested elements; real packets have about ten

STALE = re.compile(
    r"^(Orientation|ImageWidth|ImageLength|Pixel[XY]Dimension|Thumbnails|HasExtendedXMP)$"
    r"|MotionPhoto|MicroVideo|LivePhoto|^VideoLength$|Paths?$|^path$"
)
"""Properties that do not hold for a dream, or that name parts of the photo's file or folders of its owner's disk."""
GONE = re.compile(
    r"http://ns\.adobe\.com/(hdr-gain-map/|xap/1\.0/g/img/)|http://ns\.apple\.com/(HDRGainMap|pixeldatainfo)/"
    r"|http://ns\.[a-z]+\.com/photos/(?!1\.0/panorama/|dd/1\.0/earthpose/)"
)
"""Beginnings of vocabularies about pictures, films and sounds inside the photo's file, some of which hold them."""
PICTURE = re.compile(r"\s*(/9j/|iVBORw0KGgo|UklGR|R0lGOD)")
"""Beginning of a value that is a picture in base64: JPEG, PNG, WebP, GIF."""

PLACE = re.compile(
    r"(?i:gps|latitude|longitude|altitude|location|coordinate|geo(tag|hash|code|name|rss)|^(place|country|municipality"
    r"|locality|county|venue|street|postalcode|coverage|spatial)|^(city|state|provincestate|sublocation|worldregion"
    r"|lat|lng|lon|long|alt)$)|[a-z](Lat|Lng|Lon|Long|Alt)$"
)
"""Properties that say where a photo was taken."""
PLACES = re.compile(
    r"http://(www\.w3\.org/2003/01/geo/|rs\.tdwg\.org/dwc/|www\.georss\.org/|www\.opengis\.net/|ns\.google\.com/photos/dd/1\.0/earthpose/)"
)
"""Beginnings of vocabularies that are about nothing else."""

SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
"""First bytes of a JPEG segment with a packet, and of one with a part of a packet too long for a segment."""

EMPTY = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)


def rewritten(packet: bytes, *, recipe: str = "", keep_gps: bool = False) -> bytes:
    """A photo's packet, or an empty one, prepared for its dream.

    Orientation, size, pictures and films in it or beside it, folders, comments, and an older recipe are removed, since
    they no longer hold, and locations as well unless `keep_gps`; `recipe` is added. Raises ValueError if the packet is
    not XMP.
    """
    if not packet and not recipe:
        return b""
    document = parsed(packet or EMPTY.encode())
    try:
        root = next(iter(document.getElementsByTagNameNS(RDF, "RDF")), None)
        if root is None:
            raise ValueError("it is XML, but not XMP")
        for element in document.getElementsByTagName("*"):
            for attribute in list(element.attributes.values()):
                if _is_stale(attribute, keep_gps):
                    element.removeAttributeNode(attribute)
            # all at once: minidom would look for each child that it removes among all others
            element.childNodes[:] = [child for child in element.childNodes if not _is_stale(child, keep_gps)]
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
        document = parsed(packet)
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


def parsed(packet: bytes) -> minidom.Document:
    """A packet as a document, to be unlinked; raises ValueError if it is damaged or could overload a parser."""
    packet = packet.strip(b"\0 \r\n\t")
    if len(packet) > limits.XMP_BYTES:
        raise ValueError(f"it is larger than {limits.XMP_BYTES} bytes")
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


def _is_stale(node: minidom.Node, keep_gps: bool) -> bool:
    """Whether an element or attribute does not hold any more, by its name, or a text, by what it is."""
    if isinstance(node, (minidom.Comment, minidom.Text)):
        return isinstance(node, minidom.Comment) or PICTURE.match(node.data) is not None
    if not isinstance(node, (minidom.Element, minidom.Attr)):
        return False
    value = node.value if isinstance(node, minidom.Attr) else ""
    declares = node.namespaceURI == XMLNS
    space, name = value if declares else node.namespaceURI or "", node.localName or ""
    if space == DREAMER or GONE.match(space) or (not keep_gps and PLACES.match(space)):
        return True
    if declares or space == RDF:
        return False
    return any(pattern.search(name) for pattern in ((STALE,) if keep_gps else (STALE, PLACE))) or (
        PICTURE.match(value) is not None
    )
