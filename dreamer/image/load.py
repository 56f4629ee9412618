"""Reading photos of every format and mode into a `Photo`."""

from __future__ import annotations

import hashlib
import struct
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base

from dreamer.errors import PhotoError
from dreamer.image import exif, png, tiff, xmp
from dreamer.image.photo import Photo
from dreamer.image.profile import colour_space, kind_of, through_profile
from dreamer.image.source import check_size, opened, picture_in

UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation -> (quarter turns counter-clockwise, whether it is then flipped left to right)."""


Found = tuple[Photo, exif.Directory]
"""A decoded picture, before it is turned upright and its metadata is checked, and its EXIF."""


def load(source: Path | str | Image.Image, *, max_pixels: int = 200_000_000) -> Photo:
    """Read a photo from a file or a PIL image: upright, with its depth, profile, alpha and metadata.

    Metadata that cannot be read is left out, and a notice says so. Raises PhotoError, which names the file, if it is
    missing, damaged, cut short, not a picture, or larger than `max_pixels`.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if isinstance(source, Image.Image):
            photo = _from_pillow(source, max_pixels)
        else:
            photo = _from_file(Path(source), max_pixels)
    texts = {str(warning.message).strip() for warning in caught if warning.category is UserWarning}
    texts = {text for text in texts if "EXIF" not in text}  # dreamer reads that itself
    return replace(photo, notices=(*photo.notices, *(f"Pillow says: {text}" for text in sorted(texts))))


def read_recipe(path: Path | str) -> str | None:
    """The recipe inside a picture that dreamer made, as text; None if there is none.

    No pixel is decoded, and no recipe beyond 1 MB is read. Raises PhotoError if the file is not a picture.
    """
    path = Path(path)
    with opened(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if png.bit_depth(file):
            return png.text(file, "dreamer")
        try:
            packets = [exif.read_directory(file).data(Base.XMLPacket)]
        except ValueError:  # not a TIFF
            with picture_in(path, file, max_pixels=1 << 40) as picture:
                packets = xmp.packets(picture)
    return next((recipe for packet in packets if (recipe := xmp.recipe_in(packet)) is not None), None)


def _from_file(path: Path, max_pixels: int) -> Photo:
    with opened(path) as file:
        found = _deep_tiff(path, file, max_pixels) or _through_pillow(path, file, max_pixels)
        file.seek(0)
        return replace(_finished(*found), path=path, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _deep_tiff(path: Path, file: BinaryIO, max_pixels: int) -> Found | None:
    """A TIFF of more than 8 bits, which Pillow would cut to 8 or refuse; None for any other file."""
    try:
        directory = exif.read_directory(file)
    except ValueError:
        return None
    bits = max(directory.integers(Base.BitsPerSample), default=1)
    if bits <= 8 or directory.integers(Base.PhotometricInterpretation) == (tiff.CMYK,):
        return None
    width, height = (sum(directory.integers(side)[:1]) for side in (Base.ImageWidth, Base.ImageLength))
    check_size(str(path), (width, height), max_pixels)
    if bits != 16 or max(directory.integers(Base.SampleFormat), default=1) != 1:
        raise ValueError(f"its values have {bits} bits or are not unsigned integers; dreamer reads 8 and 16 bits")
    pixels, alpha = tiff.read_deep(file, (width, height))
    profile, packet = directory.data(Base.InterColorProfile), directory.data(Base.XMLPacket)
    return Photo(pixels, alpha, profile, xmp=packet, format="TIFF"), directory


def _through_pillow(path: Path, file: BinaryIO, max_pixels: int) -> Found:
    """Any other picture."""
    with picture_in(path, file, max_pixels) as picture:
        check_size(str(path), picture.size, max_pixels)
        if picture.format == "PNG" and png.bit_depth(file) == 16:
            values = png.read_deep(file)
            late = {"exif": png.chunk(file, b"eXIf"), "xmp": (png.text(file, png.XMP_KEYWORD) or "").encode()}
            picture.info.update({key: value for key, value in late.items() if value})
            return _described(picture, values), exif.parse(_block(picture))
        directory = exif.read_directory(file) if picture.format == "TIFF" else None
        file.seek(0)
        picture.load()
        if directory is not None:
            directory.fields.pop(Base.Orientation, None)  # Pillow turns a TIFF upright by itself
        return _decoded(picture), directory or exif.parse(_block(picture))


def _decoded(picture: Image.Image) -> Photo:
    """A loaded PIL image of any mode as grey or RGB, with its alpha."""
    mode, notices = picture.mode, []
    if mode in ("I", "F"):
        raise ValueError("its values have 32 bits; dreamer reads 8 and 16 bits")
    transparent, grey = picture.has_transparency_data, mode in ("1", "L", "LA", "La")
    if mode.startswith("I;16"):
        values = np.asarray(picture).astype(np.uint16)
    elif mode in ("CMYK", "LAB"):
        values = np.array(through_profile(picture, _block_of(picture, "icc_profile")))
        notices.append(f"it is {'Lab' if mode == 'LAB' else mode} and was converted to 8-bit sRGB")
    else:
        target = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
        values = np.array(picture if mode == target else picture.convert(target))
    if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
        moves = "it is animated; its first frame is used, and `dreamer video` dreams over all of them"
        notices.append("it holds several pictures; the first one is used" if picture.format == "TIFF" else moves)
    found = _described(picture, values if values.ndim == 3 else values[..., None])
    profile = None if mode in ("CMYK", "LAB") else found.profile
    return replace(found, profile=profile, notices=tuple(notices))


def _described(picture: Image.Image, values: NDArray[Any]) -> Photo:
    """Values (H, W, 1 to 4), split into colours and alpha, with the metadata that Pillow found."""
    colours, kind = 1 if values.shape[2] < 3 else 3, picture.format or "PNG"
    return Photo(
        pixels=np.ascontiguousarray(values[..., :colours]),
        alpha=np.ascontiguousarray(values[..., colours]) if values.shape[2] > colours else None,
        profile=_block_of(picture, "icc_profile"),
        xmp=xmp.packets(picture)[0],
        iptc=_iptc_of(picture),
        dpi=_dpi_of(picture),
        format={"MPO": "JPEG", "DIB": "BMP"}.get(kind, kind),
    )


def _block(picture: Image.Image) -> bytes:
    """The EXIF block, wherever this format keeps it."""
    block = _block_of(picture, "exif")
    if not block and "Raw profile type exif" in picture.info:
        try:
            block = bytes.fromhex("".join(picture.info["Raw profile type exif"].split("\n")[3:]))
        except (ValueError, TypeError, AttributeError):
            block = b"damaged"
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    return block


def _block_of(picture: Image.Image, key: str) -> bytes:
    """The bytes that Pillow keeps under a key; anything else, which only a program can have put there, is damaged."""
    found = picture.info.get(key) or b""
    return bytes(found) if isinstance(found, (bytes, bytearray)) else b"damaged"


def _dpi_of(picture: Image.Image) -> tuple[float, float] | None:
    """Pixels per inch (across, down); None if they are missing or invalid."""
    found = picture.info.get("dpi")
    try:
        across, down = found if isinstance(found, (tuple, list)) else (found, found)
        return float(across), float(down)
    except (TypeError, ValueError):
        return None


def _iptc_of(picture: Image.Image) -> bytes:
    resources = picture.info.get("photoshop")
    found = resources.get(0x0404) if isinstance(resources, dict) else None
    return found if isinstance(found, bytes) else b""


def _from_pillow(picture: Image.Image, max_pixels: int) -> Photo:
    check_size("the picture", picture.size, max_pixels)
    try:
        picture.load()
        found = _decoded(picture)
        directory = exif.parse(_block(picture) or _rebuilt_block(picture))
    except (OSError, ValueError, SyntaxError) as error:
        raise PhotoError(f"the picture cannot be read: {error}") from error
    digest = hashlib.sha256(repr(found.pixels.shape).encode() + found.pixels.tobytes())
    if found.alpha is not None:
        digest.update(found.alpha.tobytes())
    return replace(_finished(found, directory), sha256=digest.hexdigest())


def _rebuilt_block(picture: Image.Image) -> bytes:
    """The EXIF of a PIL image without a block of it: from a TIFF, or set by a program."""
    try:
        tags = picture.getexif()
        return tags.tobytes()[6:] if tags else b""
    except (struct.error, TypeError, ValueError, KeyError, AttributeError):
        return b"damaged"


def _finished(found: Photo, directory: exif.Directory) -> Photo:
    """The photo, upright, with the metadata that can be kept and a notice for what cannot."""
    notices = list(found.notices)
    orientation = next(iter(directory.integers(Base.Orientation)), 1)
    dpi = found.dpi or directory.resolution()
    if dpi is not None and not all(1 <= value <= 30000 for value in dpi):
        dpi = None
    if directory.damaged:
        notices.append("part of its EXIF is damaged and was left out")
    kept = {tag: value for tag, value in directory.fields.items() if tag not in exif.LAYOUT}
    profile = found.profile or None
    if profile is not None:
        try:
            if found.pixels.shape[2] == 3:
                colour_space(profile)
            elif kind_of(profile) != "GRAY":
                raise ValueError("it is not a profile for grey")
        except ValueError as error:
            notices.append(f"its colour profile was left out, and its colours are taken as sRGB: {error}")
            profile = None
    try:
        packet = found.xmp if xmp.rewritten(found.xmp) else b""
    except ValueError as error:
        notices.append(f"its XMP was left out: {error}")
        packet = b""
    return replace(
        found,
        pixels=_upright(found.pixels, orientation),
        alpha=None if found.alpha is None else _upright(found.alpha, orientation),
        profile=profile,
        exif=exif.Directory(directory.order, kept, directory.children).block(),
        xmp=packet,
        iptc=found.iptc or directory.data(Base.IPTCNAA),
        dpi=dpi[::-1] if dpi and orientation in (5, 6, 7, 8) else dpi,
        notices=tuple(notices),
    )


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    turns, mirrored = UPRIGHT.get(orientation, (0, False))
    values = np.rot90(values, turns)
    return np.ascontiguousarray(values[:, ::-1] if mirrored else values)
