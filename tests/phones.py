"""Photos as each kind of phone and camera makes them, with all that they put around the pixels."""

import io
import struct

import numpy as np
import tifffile
from image_samples import P3, exif, rgb_profile, smooth, turned, written
from PIL import Image

from dreamer.image import exif as exif_module
from dreamer.image import png

SCENE = smooth(72, 96)
DEEP = SCENE.astype(np.uint16) * 257 + 11
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(2000)
WIDE = rgb_profile(P3)

GOOGLE = "http://ns.google.com/photos/1.0"
PROMISES = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:GCamera="{GOOGLE}/camera/"
 xmlns:Container="{GOOGLE}/container/" xmlns:Item="{GOOGLE}/container/item/" xmlns:GDepth="{GOOGLE}/depthmap/"
 xmlns:GImage="{GOOGLE}/image/" xmlns:dc="http://purl.org/dc/elements/1.1/" hdrgm:Version="1.0"
 GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" GCamera:MotionPhotoPresentationTimestampUs="500000"
 GCamera:MicroVideo="1" GCamera:MicroVideoOffset="2024" GImage:Data="/9j/4AAQ" GDepth:Data="iVBORw0KGgo">
<dc:rights>Anna</dc:rights>
<Container:Directory><rdf:Seq>
<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>
<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Length="9"/></rdf:li>
</rdf:Seq></Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>""".encode()
GAIN_MAP_XMP = PROMISES.replace(b"dc:rights", b"dc:title")


def segment(marker, data):
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(pixels=SCENE, **options):
    """A JPEG as Pillow writes it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def several(first, second):
    """The JPEG segment that says where a second picture begins (CIPA DC-007)."""
    entries = struct.pack("<IIIHH", 0x030000, first, 0, 0, 0) + struct.pack("<IIIHH", 0, second, first, 0, 0)
    table = struct.pack("<H", 3) + struct.pack("<HHI4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, 2)
    table += struct.pack("<HHII", 0xB002, 7, 32, 50) + struct.pack("<I", 0)
    return segment(0xE2, b"MPF\0" + b"II*\0" + struct.pack("<I", 8) + table + entries)


def gain_map():
    """The second picture of an Ultra HDR photo."""
    data = jpeg(SCENE[::4, ::4, 0].copy())
    return data[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + GAIN_MAP_XMP) + data[2:]


def ultra_hdr(**options):
    """Pixel and Galaxy: JPEG with a gain map and a film behind the picture."""
    data = jpeg(exif=exif(6), icc_profile=WIDE, **options)
    own = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PROMISES) + several(len(data), 900)
    own += segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))
    return data[:2] + own + data[2:] + gain_map() + FILM


def adobe_rgb():
    """A camera set to Adobe RGB: no profile, but EXIF says so (DCF 2.0)."""
    directory = exif_module.parse(exif()[6:])
    below = directory.children[0x8769]
    below.put(0xA001, 3, 0xFFFF)
    below.children[0xA005] = exif_module.Directory(directory.order, {1: exif_module.Field(2, b"R03\0")})
    return jpeg(exif=b"Exif\0\0" + directory.block())


def heic(pixels=SCENE, **options):
    """An iPhone's HEIC, as pillow-heif writes it; uint16 pixels have 10 bits."""
    import pillow_heif

    file, mode = io.BytesIO(), "RGB" if pixels.dtype == np.uint8 else "RGB;16"
    made = pillow_heif.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes())
    made.save(file, quality=-1, chroma=444, matrix_coefficients=0, exif=exif(6), **options)
    return file.getvalue()


def heic_with(block):
    """A HEIC with this EXIF."""
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(SCENE)).save(file, exif=block)
    return file.getvalue()


def tiff(**options):
    """A 16-bit TIFF of a raw developer, with a place as GeoTIFF says it."""
    file = io.BytesIO()
    geo = [(33922, "d", 6, (0, 0, 0, 13.4, 52.5, 0), True), (34735, "H", 4, (1, 1, 0, 0), True)]
    profile = [(34675, 7, len(WIDE), WIDE, True), (274, "H", 1, 6, True), (271, "s", 0, "Kodak", True)]
    tifffile.imwrite(file, DEEP, photometric="rgb", extratags=[*geo, *profile], metadata=None, **options)
    return file.getvalue()


PHOTOS = {
    "ultra.jpg": ultra_hdr,
    "wide.jpg": lambda: jpeg(icc_profile=WIDE, exif=exif()),
    "turned.jpg": lambda: jpeg(turned(SCENE, 8), exif=exif(8)),
    "adobe.jpg": adobe_rgb,
    "apple.heic": heic,
    "deep.heic": lambda: heic(DEEP),
    "heic.jpg": heic,
    "deep.tif": tiff,
    "packed.tif": lambda: tiff(compression="zlib", predictor=True),
    "deep.png": lambda: written(png.write, DEEP, None, profile=WIDE, dpi=(300, 300), exif=exif(3)[6:]),
    "wide.png": lambda: written(png.write, SCENE, None, profile=WIDE),
}
