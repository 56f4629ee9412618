"""`Metadata`: what a picture's file says besides its pixels, bounded in length, and not yet checked."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from PIL.ExifTags import Base

from dreamer import limits
from dreamer.image.colours import Colours

TEXTS = {"Author": Base.Artist, "Copyright": Base.Copyright, "Description": Base.ImageDescription}
"""Keywords of texts in a PNG -> the EXIF field that says the same."""
NAMES = {"exif": "EXIF", "xmp": "XMP", "profile": "colour profile", "iptc": "IPTC captions"}
MOST = {
    "exif": limits.EXIF_BYTES,
    "xmp": limits.XMP_BYTES,
    "profile": limits.PROFILE_BYTES,
    "iptc": limits.CAPTION_BYTES,
}


@dataclass
class Metadata:
    """The blocks of a file, each empty if it has none, and a notice for each that was passed over."""

    exif: bytes = b""
    xmp: bytes = b""
    extended: list[bytes] = field(default_factory=list)
    """XMP packets too long for a JPEG segment."""
    profile: bytes = b""
    """An ICC profile."""
    said: Colours | None = None
    """The colour space, if the file gives it otherwise than by a profile."""
    iptc: bytes = b""
    comments: list[bytes] = field(default_factory=list)
    """Comments of a JPEG or PNG that are not part of its EXIF, in UTF-8 or whatever it was."""
    texts: dict[int, str] = field(default_factory=dict)
    """Texts of a PNG by the EXIF tag of the same meaning."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch (across, down)."""
    srgb: bool = False
    """Whether the pixels were converted to sRGB, whatever the file says."""
    orientation: int | None = None
    """EXIF's number for the orientation, in formats where EXIF's own does not count."""
    bits: int = 8
    """Bits per channel in the file, of formats that Pillow always reads as 8."""
    several: bool = False
    """Whether there are more pictures behind this one."""
    notices: list[str] = field(default_factory=list)

    def put(self, key: str, data: bytes | None) -> None:
        """Keep a block, if there is none yet; None stands for one that is damaged or too long, which a notice says."""
        if data is None or len(data) > MOST[key]:
            self.note(f"its {NAMES[key]} was left out: it is damaged, or larger than {MOST[key] // limits.MB} MB")
        elif not getattr(self, key):
            while key == "exif" and data.startswith(b"Exif\0\0"):
                data = data[6:]
            setattr(self, key, data)

    def comment(self, text: bytes) -> None:
        """Keep a comment, or a notice if there are too many."""
        if sum(map(len, self.comments)) + len(text) > limits.COMMENT_BYTES:
            self.note(f"comments beyond {limits.COMMENT_BYTES // limits.MB} MB were left out")
        elif text:
            self.comments.append(text)

    def left_out(self, things: list[str]) -> None:
        """Note something that belongs to this picture and not to its dream."""
        if things:
            self.note(f"{' and '.join(f'its {thing}' for thing in things)} {'are' if things[1:] else 'is'} left out")

    def note(self, notice: str) -> None:
        """Add a notice, once."""
        if notice not in self.notices:
            self.notices.append(notice)


def of_pillow(picture: Image.Image) -> Metadata:
    """The metadata in a picture's `info`, found by Pillow or put there by a program."""
    xmp = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    if not isinstance(xmp, bytes):  # a text, or anything else that a program has put there
        xmp = str(xmp).encode(errors="replace")
    texts = {tag: str(picture.info.get(keyword) or "") for keyword, tag in TEXTS.items()}
    found = Metadata(dpi=_dpi(picture), texts={tag: text for tag, text in texts.items() if text})
    for key, data in {
        "exif": _exif(picture),
        "xmp": xmp,
        "profile": _block(picture, "icc_profile"),
        "iptc": _captions(picture),
    }.items():
        found.put(key, data)
    if isinstance(comment := picture.info.get("comment"), bytes):
        found.comment(comment)
    return found


def raw_profile(text: str) -> bytes:
    """The bytes in a text that ImageMagick notes in a PNG as "Raw profile type ..."; `damaged` if there are none."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except (ValueError, TypeError, AttributeError):
        return b"damaged"


def captions_in(resources: bytes) -> bytes:
    """The IPTC captions among Photoshop's image resources; empty if there are none."""
    start = 0
    while resources[start : start + 4] == b"8BIM" and len(resources) >= start + 12:
        number, name = struct.unpack_from(">HB", resources, start + 4)
        body = start + 6 + (name + 2) // 2 * 2
        size = int.from_bytes(resources[body : body + 4], "big")
        if number == 0x0404:
            return resources[body + 4 : body + 4 + size]
        start = body + 4 + (size + 1) // 2 * 2
    return b""


def _exif(picture: Image.Image) -> bytes:
    block = _block(picture, "exif")
    if not block and "Raw profile type exif" in picture.info:
        return raw_profile(picture.info["Raw profile type exif"])
    return block


def rebuilt_exif(picture: Image.Image) -> bytes:
    """The EXIF of a loaded PIL image without a block of it: from a TIFF, or set by a program."""
    try:
        tags = picture.getexif()
        return tags.tobytes()[6:] if tags else b""
    except (struct.error, TypeError, ValueError, KeyError, AttributeError, SyntaxError):
        return b"damaged"


def _block(picture: Image.Image, key: str) -> bytes:
    """The bytes under a key; anything else, which only a program can have put there, is damaged."""
    found: Any = picture.info.get(key) or b""
    return bytes(found) if isinstance(found, (bytes, bytearray)) else b"damaged"


def _captions(picture: Image.Image) -> bytes:
    resources = picture.info.get("photoshop")
    found = resources.get(0x0404) if isinstance(resources, dict) else None
    return found if isinstance(found, bytes) else b""


def _dpi(picture: Image.Image) -> tuple[float, float] | None:
    found = picture.info.get("dpi")
    try:
        across, down = found if isinstance(found, (tuple, list)) else (found, found)
        return float(across), float(down)
    except (TypeError, ValueError):
        return None
