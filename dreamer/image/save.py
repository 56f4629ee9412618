"""Encoding a dream in its photo's format, with the photo's metadata and the recipe inside."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, AnyStr, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffTags import LONG

from dreamer.errors import UsageError, WriteError
from dreamer.files.suffixes import SUFFIXES, check_suffix
from dreamer.image import exif, iptc, png, tiff, xmp
from dreamer.image.bands import bands
from dreamer.image.photo import Photo

LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 32768}
DEEP = ("PNG", "TIFF")
"""Formats with 16 bits per channel."""

QUALITY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0, "optimize": False},
    "WEBP": {"quality": 95, "method": 4, "exact": True},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
}
SEGMENT = 65533
"""Bytes that fit into a JPEG segment."""
EXIF_LIMIT, XMP_LIMIT = SEGMENT - 6, SEGMENT - len(xmp.SEGMENT)


def format_for(photo: Photo, path: Path | None) -> str:
    """The format to save in: that of the path's suffix, or the photo's own, or JPEG for HEIC and PNG for others.

    Raises UsageError for an unsupported suffix, and if the picture is too large for the format.
    """
    if path is None:
        format = photo.format if photo.format in SUFFIXES else {"HEIF": "JPEG"}.get(photo.format, "PNG")
    else:
        format = check_suffix(path)
    longest = LONGEST_SIDE.get(format)
    if longest is not None and max(photo.width, photo.height) > longest:
        raise UsageError(
            f"a {format} file has at most {longest} pixels per side, and this picture is "
            f"{photo.width} x {photo.height}; save it as PNG or TIFF"
        )
    return format


def losses(photo: Photo, format: str) -> tuple[str, ...]:
    """A sentence for each thing that this photo loses in a format; known before anything is computed."""
    lost = []
    if photo.pixels.dtype == np.uint16 and format not in DEEP:
        lost.append(f"{format} has 8 bits per channel, the photo 16; save as PNG or TIFF to keep them")
    if photo.alpha is not None and format == "JPEG":
        lost.append("JPEG has no transparency; the background becomes white")
    if photo.profile is not None and photo.pixels.shape[2] == 1 and format in ("WEBP", "AVIF"):
        lost.append(f"{format} stores grey as RGB, so the photo's grey profile is left out")
    if photo.iptc and format not in ("JPEG", "TIFF"):
        lost.append(f"{format} does not carry the photo's IPTC captions")
    if photo.comments and format not in ("JPEG", "PNG"):
        lost.append(f"{format} does not carry the photo's comments, unless they are in its EXIF")
    if format == "JPEG" and len(exif.parse(photo.exif).block()) > EXIF_LIMIT:
        lost.append("the photo's EXIF is too long for JPEG; its longest fields are left out")
    return tuple(lost)


def encode(
    photo: Photo,
    pixels: NDArray[Any],
    format: str,
    *,
    recipe: str = "",
    keep_gps: bool = False,
    software: str = "dreamer",
) -> bytes:
    """A picture file as bytes; the arguments and errors are those of `encode_to`."""
    file = io.BytesIO()
    encode_to(file, photo, pixels, format, recipe=recipe, keep_gps=keep_gps, software=software)
    return file.getvalue()


def encode_to(
    file: BinaryIO,
    photo: Photo,
    pixels: NDArray[Any],
    format: str,
    *,
    recipe: str = "",
    keep_gps: bool = False,
    software: str = "dreamer",
) -> None:
    """Write a picture, with the photo's alpha, profile and metadata; PNG and TIFF row by row.

    JPEG has quality 95 without chroma subsampling, WebP 95, AVIF 90; PNG and TIFF are lossless.

    Args:
        file: Where to; it can seek.
        photo: Where alpha, profile and metadata come from.
        pixels: (H, W, C), uint8 or uint16, C as the photo's.
        format: A key of `SUFFIXES`.
        recipe: Stored as a PNG text named `dreamer`, in other formats as an XMP property.
        keep_gps: Keep the photo's locations, in EXIF, XMP and IPTC.
        software: The program's name in the EXIF.

    Raises:
        WriteError: Pillow cannot encode it.
    """
    directory = _exif(photo, pixels.shape[1], pixels.shape[0], software, keep_gps)
    packet = xmp.rewritten(photo.xmp, recipe="" if format == "PNG" else recipe, keep_gps=keep_gps)
    captions = photo.iptc if keep_gps else iptc.without_places(photo.iptc)
    common: dict[str, Any] = {"profile": photo.profile, "dpi": photo.dpi}
    if format == "PNG":
        comments = [(png.COMMENT_KEYWORD, _decoded(text).replace("\0", "")) for text in photo.comments]
        texts = (("dreamer", recipe), (png.XMP_KEYWORD, packet.decode()), *comments)
        png.write(file, pixels, photo.alpha, exif=directory.block(), texts=texts, **common)
    elif format == "TIFF":
        tiff.write(file, pixels, photo.alpha, directory=directory, xmp=packet, iptc=captions, **common)
    else:
        file.write(_lossy(photo, pixels, format, directory, packet, captions))


def _exif(photo: Photo, width: int, height: int, software: str, keep_gps: bool) -> exif.Directory:
    """The photo's EXIF, with size, software and resolution of the dream."""
    directory = exif.parse(photo.exif)
    directory.put_text(Base.Software, software)
    if directory.data(Base.ImageDescription).startswith(b'{"shape":'):  # written by tifffile about the original
        directory.fields.pop(Base.ImageDescription)
    if not keep_gps:
        directory.children.pop(IFD.GPSInfo, None)
        for tag in exif.PLACES & directory.fields.keys():
            del directory.fields[tag]
    if IFD.Exif in directory.children:
        below = directory.children[IFD.Exif]
        for tag, value in ((Base.ExifImageWidth, width), (Base.ExifImageHeight, height)):
            if tag in below.fields:
                below.put(tag, LONG, value)
    if photo.dpi is not None:
        directory.put_resolution(photo.dpi)
    return directory


def _lossy(
    photo: Photo, pixels: NDArray[Any], format: str, directory: exif.Directory, packet: bytes, captions: bytes
) -> bytes:
    """The bytes of a JPEG, WebP or AVIF file, encoded by Pillow."""
    values = eight_bits(pixels)
    if photo.alpha is not None:
        alpha = eight_bits(photo.alpha)
        values = on_white(values, alpha) if format == "JPEG" else np.dstack([values, alpha])
    picture = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    options = dict(QUALITY[format])
    if format == "JPEG":
        options |= {"extra": _segments(captions, packet, photo.comments), "dpi": photo.dpi or (0, 0)}
        packet = b"" if len(packet) > XMP_LIMIT else packet
        directory.shorten(EXIF_LIMIT)
    if photo.profile is not None and (values.shape[2] > 2 or format == "JPEG"):
        options["icc_profile"] = photo.profile
    file = io.BytesIO()
    try:
        picture.save(file, format, exif=b"Exif\0\0" + directory.block(), xmp=packet, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise WriteError(f"the picture could not be encoded as {format} ({error}); save it as PNG") from error
    return file.getvalue()


def _segments(captions: bytes, packet: bytes, comments: Iterable[bytes]) -> bytes:
    """The JPEG segments that Pillow does not write: comments, IPTC, and XMP too long for one (XMP part 3, 1.1.3.1)."""
    segments = [(0xFE, part.encode()) for text in comments for part in _parts(_decoded(text), SEGMENT // 4)]
    if captions:
        resource = struct.pack(">4sHxxI", b"8BIM", 0x0404, len(captions)) + captions + bytes(len(captions) % 2)
        segments += [(0xED, b"Photoshop 3.0\0" + part) for part in _parts(resource, SEGMENT - 14)]
    if len(packet) > XMP_LIMIT:
        name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
        segments.append((0xE1, xmp.SEGMENT + xmp.pointer(name)))
        for number, part in enumerate(_parts(packet, SEGMENT - 100)):
            head = xmp.EXTENSION + name.encode() + struct.pack(">II", len(packet), number * (SEGMENT - 100))
            segments.append((0xE1, head + part))
    return b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments)


def _decoded(comment: bytes) -> str:
    """A comment of a JPEG, which does not say how its letters are encoded."""
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _parts(data: AnyStr, size: int) -> list[AnyStr]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """uint8 or uint16 values as uint8, rounded."""
    if values.dtype == np.uint8:
        return values
    flat = np.empty(values.shape, np.uint8)
    for rows in bands(values.shape[0], values.shape[1]):
        flat[rows] = (values[rows].astype(np.uint32) * 255 + 32767) // 65535
    return flat


def on_white(values: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours (H, W, C) with transparency `alpha` (H, W), composited on white."""
    flat = np.empty_like(values)
    for rows in bands(values.shape[0], values.shape[1]):
        cover = alpha[rows, :, None].astype(np.float32) / 255
        flat[rows] = np.rint(values[rows] * cover + 255 * (1 - cover))
    return flat
