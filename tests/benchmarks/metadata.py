"""What each kind of phone photo says before and after `dreamer render --strength 0`, side by side.

    python tests/benchmarks/metadata.py [--format jpg] [--keep-gps] [NAME ...]

The photos are those of `tests/phones.py`, and for each format one that says all it can. Fields are read by Pillow,
tifffile and pillow-heif, not by dreamer itself. The dream is a TIFF of a TIFF and a PNG of all others, unless --format
names another suffix. A line that begins with - is a field that is gone, one with + is new, one with ! has another
value, and one with = is as it was.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parents[1]))

import image_samples as samples
import phones
import tifffile
from command import dreamer
from PIL import ExifTags, Image, PngImagePlugin

from dreamer.image import exif, load

WIDEST = 46
LAYOUT = {*range(254, 260), 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339}
"""Fields of a TIFF that say where its pixels are."""
BEHIND = {b"ftyp": "film", b"\xff\xd8\xff": "another picture"}


def block() -> bytes:
    """EXIF of all that a camera may say, with a small picture, a maker's notes, and the owner's name."""
    directory = exif.parse(samples.exif(6)[6:])
    below = directory.children[0x8769]
    texts = {271: "Apple", 305: "17.5.1", 315: "Anna", 33432: "Anna 2026", 270: "a description", 40092: "a comment"}
    for tag, text in texts.items():
        directory.put_text(tag, text)
    for tag, text in {42032: "an owner", 42033: "serial number", 36881: "+02:00", 42035: "Zeiss"}.items():
        below.put_text(tag, text)
    below.fields[37510] = exif.Field(7, b"ASCII\0\0\0a user's comment")
    below.fields[37500] = exif.Field(7, b"Apple iOS\0\0\1MM a street")
    directory.put_resolution((300, 300))
    own = directory.block()
    small = phones.jpeg(phones.SCENE[::8, ::8].copy())
    rows = b"".join(
        struct.pack("<HHII", tag, kind, 1, value)
        for tag, kind, value in ((259, 3, 6), (513, 4, len(own) + 42), (514, 4, len(small)))
    )
    at = 8 + 2 + 12 * int.from_bytes(own[8:10], "little")  # where the first directory says that no other follows
    return own[:at] + struct.pack("<I", len(own)) + own[at + 4 :] + struct.pack("<H", 3) + rows + bytes(4) + small


def full(format: str) -> bytes:
    """A photo in this format with EXIF, XMP, a profile and, where there can be, captions, comments and texts."""
    file, picture = io.BytesIO(), Image.fromarray(phones.SCENE)
    options: dict[str, Any] = {"exif": b"Exif\0\0" + block(), "xmp": samples.XMP, "icc_profile": phones.WIDE}
    words = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text
        for number, text in ((120, b"a caption"), (80, b"Anna"), (90, b"Paris"), (25, b"a keyword"))
    )
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(words)) + words + bytes(len(words) % 2)
    if format == "PNG":
        texts = PngImagePlugin.PngInfo()
        for keyword in ("Title", "Author", "Description", "Copyright", "Comment", "Location", "Creation Time"):
            texts.add_text(keyword, f"a {keyword.lower()}")
        texts.add_itxt("XML:com.adobe.xmp", samples.XMP.decode())
        options = {"exif": options["exif"], "pnginfo": texts, "dpi": (300, 300), "icc_profile": phones.WIDE}
    elif format == "TIFF":
        tags = Image.Exif()
        tags.load(options["exif"])
        tags.update({700: samples.XMP, 33723: words, 34675: phones.WIDE})
        options = {"exif": tags, "dpi": (300, 300)}
    elif format == "JPEG":
        options |= {"comment": b"a comment", "dpi": (300, 300)}
        options["extra"] = phones.segment(0xED, b"Photoshop 3.0\0" + resources)
    elif format == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(picture).save(file, exif=block(), xmp=samples.XMP, icc_profile=phones.WIDE)
        return file.getvalue()
    picture.save(file, format, **options)
    return file.getvalue()


PHOTOS = {
    **phones.PHOTOS,
    "motion.jpg": lambda: phones.jpeg(exif=samples.exif(), xmp=phones.PROMISES) + phones.FILM,
    "full.jpg": lambda: full("JPEG"),
    "full.png": lambda: full("PNG"),
    "full.tif": lambda: full("TIFF"),
    "full.webp": lambda: full("WEBP"),
    "full.avif": lambda: full("AVIF"),
    "full.heic": lambda: full("HEIF"),
}


def fields(data: bytes) -> dict[str, str]:
    """Each field that a file says besides its pixels, by name, as other programs read it."""
    found: dict[str, str] = {}
    if data[:2] in (b"II", b"MM"):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            for tag in file.pages.first.tags:
                if tag.code in LAYOUT:
                    continue
                values = tag.value if isinstance(tag.value, dict) else {tag.name: tag.value}
                for name, value in values.items():
                    found[f"TIFF {name}"] = said(value)
            packet = file.pages.first.tags.get(700)
            found |= xmp(bytes(packet.value) if packet else b"")
        found.pop("TIFF XMP", None)
        return found
    with Image.open(io.BytesIO(data)) as picture:
        tags = picture.getexif()
        for number in (None, *ExifTags.IFD):
            below = tags if number is None else tags.get_ifd(number)
            names = ExifTags.GPSTAGS if number == ExifTags.IFD.GPSInfo else ExifTags.TAGS
            label = "EXIF" if number is None else f"EXIF {number.name}"
            for tag, value in below.items():
                if tag not in tuple(ExifTags.IFD):
                    found[f"{label} {names.get(tag, tag)}"] = said(value)
        packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
        found |= xmp(packet.encode() if isinstance(packet, str) else packet)
        found |= {f"text {key}": said(value) for key, value in getattr(picture, "text", {}).items() if "XML" not in key}
        for key in ("icc_profile", "dpi", "comment", "photoshop", "aux", "depth_images"):
            if value := picture.info.get(key):
                found[key] = said(value)
        if getattr(picture, "n_frames", 1) > 1:
            found["pictures"] = str(picture.n_frames)
    for mark, thing in BEHIND.items():
        if data.find(mark, 500) > 0:
            found[f"behind: {thing}"] = f"at {data.find(mark, 500)}"
    return found


def xmp(packet: bytes) -> Iterator[tuple[str, str]] | dict[str, str]:
    """The attributes and texts of an XMP packet, by the last part of their vocabulary and their name."""
    found: dict[str, str] = {}
    for element in ElementTree.fromstring(packet.strip(b"\0 \n")).iter() if packet else ():
        for name, value in (*element.attrib.items(), (element.tag, (element.text or "").strip())):
            space, _, local = name.rpartition("}")
            if value and local not in ("about", "parseType"):
                found[f"XMP {space.rstrip('/#').rpartition('/')[2]}:{local}"] = said(value)
    return found


def said(value: object) -> str:
    """A value in a few letters."""
    words = f"{len(value)} bytes" if isinstance(value, bytes) and len(value) > 12 else str(value)
    words = " ".join(words.replace("\0", "").split())
    return words if len(words) <= WIDEST else f"{words[: WIDEST - 3]}..."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"Of {', '.join(PHOTOS)}; all of them without.")
    parser.add_argument("--format", help="Suffix of the dreams.")
    parser.add_argument("--keep-gps", action="store_true")
    options = parser.parse_args()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
        known = list(PHOTOS)
    except ModuleNotFoundError:
        known = [name for name in PHOTOS if "heic" not in name]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or known:
            source = Path(folder) / name
            source.write_bytes(PHOTOS[name]())
            suffix = options.format or ("tif" if name.endswith(".tif") else "png")
            dream = source.with_name(f"dream-of-{name}.{suffix}")
            extra = ["--keep-gps"] if options.keep_gps else []
            ran = dreamer("render", source, "--strength", "0", "--set", "octaves.steps=1", "-o", dream, *extra)
            assert ran.code == 0, ran.err
            before, after = load(source), load(dream)
            same = before.pixels.shape == after.pixels.shape and (before.pixels == after.pixels).all()
            print(f"\n{name} -> {suffix}: pixels {'equal' if same else 'NOT EQUAL'}", end="; ")
            print(f"{8 * before.pixels.itemsize} -> {8 * after.pixels.itemsize} bits", end="; ")
            print(f"profile {'equal' if before.profile == after.profile else 'NOT EQUAL'}")
            for line in ran.err.splitlines():
                print(f"  told: {line.replace(folder, '')}")
            was, now = fields(source.read_bytes()), fields(dream.read_bytes())
            for key in sorted(was | now):
                mark = "=" if was.get(key) == now.get(key) else "+" if key not in was else "!" if key in now else "-"
                print(f"  {mark} {key:34} {was.get(key, ''):{WIDEST}} {now.get(key, '')}")


if __name__ == "__main__":
    main()
