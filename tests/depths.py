"""Photos with depth inside, as phones make them, and a scene whose depth is known."""

import base64
import io
import struct

import numpy as np
from phones import GOOGLE, jpeg, segment
from PIL import Image

NEAR = (slice(20, 60), slice(36, 66))
"""Where the near thing is in `scene`."""
XMP = b"http://ns.adobe.com/xap/1.0/\0"


def scene(height=72, width=96):
    """A light square before stripes, (height, width, 3)."""
    stripes = 90 + 40 * np.sin(np.arange(width) / 2)[None, :, None] + np.zeros((height, width, 3))
    stripes[NEAR] = (200, 60, 60)
    return stripes.astype(np.uint8)


def depth(height=72, width=96, depth=np.uint8):
    """How near everything in it is: the square is near, behind it a floor rises."""
    shades = np.linspace(0, 0.3, height)[:, None] + np.zeros((height, width))
    shades[NEAR] = 1
    return (shades * np.iinfo(depth).max).astype(depth)


def png(values):
    """The bytes of a PNG."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def _packet(words, attributes=""):
    spaces = (
        f'xmlns:GDepth="{GOOGLE}/depthmap/" xmlns:Container="{GOOGLE}/container/" xmlns:Item="{GOOGLE}/container/item/"'
    )
    spaces += ' xmlns:DepthMap="http://ns.google.com/photos/dd/1.0/depthmap/"'
    rdf = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}<rdf:Description rdf:about="" {spaces} {attributes}>{words}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def gdepth(pixels=None, data=None, kind='GDepth:Format="RangeInverse"', **options):
    """A JPEG with GDepth, in a packet of several segments; dark is near there."""
    data = png(255 - depth()) if data is None else data
    text = base64.b64encode(data).decode()
    packet = _packet("", f'{kind} GDepth:Mime="image/png" GDepth:Data="{text}"')
    name, whole, place, parts = b"0" * 32, struct.pack(">I", len(packet)), 0, b""
    while place < len(packet):
        piece = packet[place : place + 1000]
        parts += segment(
            0xE1, b"http://ns.adobe.com/xmp/extension/\0" + name + whole + struct.pack(">I", place) + piece
        )
        place += len(piece)
    photo = jpeg(scene() if pixels is None else pixels, **options)
    return photo[:2] + segment(0xE1, XMP + _packet("")) + parts + photo[2:]


def dynamic_depth(shades=None):
    """A JPEG with a container: itself, a film, and the depth."""
    film, map = b"\0\0\0\x18ftypmp42" + bytes(500), png(255 - depth() if shades is None else shades)
    items = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item {words}/></rdf:li>'
        for words in (
            'Item:Mime="image/jpeg" Item:Semantic="Primary" Item:Padding="3"',
            f'Item:Mime="video/mp4" Item:Semantic="MotionPhoto" Item:Length="{len(film)}"',
            f'Item:Mime="image/png" Item:DataURI="depth" Item:Length="{len(map)}"',
        )
    )
    words = f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>"
    words += "<DepthMap:DepthURI>depth</DepthMap:DepthURI>"
    photo = jpeg(scene())
    return photo[:2] + segment(0xE1, XMP + _packet(words)) + photo[2:] + bytes(3) + film + map


def apple_jpeg(turned=False):
    """A JPEG as an iPhone exports it: the disparity is a picture behind it, whose XMP says so; bright is near."""
    behind = jpeg(depth()[::2, ::2].copy())
    said = b'<x xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" apdi:AuxiliaryImageType="disparity"/>'
    gain = jpeg(scene()[::4, ::4, 0].copy())
    return jpeg(scene()) + gain + behind[:2] + segment(0xE1, XMP + said) + behind[2:]


def _box(kind, data):
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _boxes(data):
    while data:
        length = int.from_bytes(data[:4], "big")
        yield data[4:8], data[8:length]
        data = data[length:]


def heic(pixels=None, shades=None, turned=False, **options):
    """A HEIC of two pictures, of which the last is the depth of the first (ISO/IEC 23008-12, 6.4).

    `turned` gives the depth the turn that the first has, which an `exif` with an orientation makes.
    """
    import pillow_heif

    file = io.BytesIO()
    made = pillow_heif.from_pillow(Image.fromarray(scene() if pixels is None else pixels))
    made.add_from_pillow(Image.fromarray(depth()[::2, ::2].copy() if shades is None else shades))
    made.save(file, quality=95, **options)
    top = dict(_boxes(file.getvalue()))
    inner = dict(_boxes(top[b"meta"][4:]))
    properties = dict(_boxes(inner[b"iprp"]))
    kinds = [kind for kind, _ in _boxes(properties[b"ipco"])]
    properties[b"ipco"] += _box(b"auxC", bytes(4) + b"urn:mpeg:hevc:2015:auxid:2\0")
    more = bytes([0x81 + len(kinds), *([0x81 + kinds.index(b"irot")] if turned else [])])
    owned = bytearray(properties[b"ipma"])
    last = 8 + 3 + owned[10]
    owned[last + 2] += len(more)
    properties[b"ipma"] = bytes(owned) + more
    inner[b"iprp"] = b"".join(_box(kind, data) for kind, data in properties.items())
    whose = struct.pack(">HHH", int.from_bytes(owned[last : last + 2], "big"), 1, 1)
    inner[b"iref"] = inner.get(b"iref", bytes(4)) + _box(b"auxl", whose)
    before = len(top[b"meta"])
    top[b"meta"] = bytes(4) + b"".join(_box(kind, data) for kind, data in inner.items())
    grown, iloc = len(top[b"meta"]) - before, bytearray(inner[b"iloc"])
    for at in range(8 + 4, len(iloc), 18):  # where the pixels are now
        iloc[at : at + 4] = struct.pack(">I", int.from_bytes(iloc[at : at + 4], "big") + grown)
    inner[b"iloc"] = bytes(iloc)
    top[b"meta"] = bytes(4) + b"".join(_box(kind, data) for kind, data in inner.items())
    return b"".join(_box(kind, data) for kind, data in top.items())
