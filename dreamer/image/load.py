"""Reading photos of every format and mode into a `Photo`."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import IFD, Base
from torch import Tensor

from dreamer.errors import PhotoError
from dreamer.image import bmp, exif, gif, given, heif, jpeg, metadata, png, raw, tiff, webp, xmp
from dreamer.image.colours import of_exif
from dreamer.image.heic import read_heic
from dreamer.image.metadata import Metadata
from dreamer.image.photo import Photo
from dreamer.image.profile import colour_space, kind_of, through_profile
from dreamer.image.source import check_size, named, not_a_picture, opened, picture_in

UPRIGHT = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation -> (quarter turns counter-clockwise, whether it is then flipped left to right)."""


Picture = str | Path | Image.Image | NDArray[Any] | Tensor | bytes | bytearray | BinaryIO
"""A path, an image of Pillow, an array (H, W[, C]), a tensor ([1,] C, H, W), the bytes of a file, or an open file."""


def load(source: Picture, *, max_pixels: int = 200_000_000) -> Photo:
    """Read a photo: upright, with its depth, profile, alpha and metadata.

    Metadata that cannot be read is left out, and a notice says so.

    Args:
        source: A path, an image of Pillow, an array (H, W), (H, W, 3) or (H, W, 4), a tensor (3, H, W) or
            (1, 3, H, W), or the bytes of a file, or a file open in binary mode, read from where it stands. Arrays and
            tensors are sRGB, uint8, uint16 or floats in [0, 1].
        max_pixels: The largest picture that is decoded.

    Raises:
        PhotoError: It names the file if that is missing, damaged, cut short, not a picture, a raw photo, or larger
            than `max_pixels`.
        UsageError: `source` is something else.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        photo = _loaded(source, max_pixels)
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
        _, found, _ = _separated(str(path), file)
    recipes = (xmp.recipe_in(packet) for packet in (found.xmp, *found.extended))
    return next((recipe for recipe in recipes if recipe is not None), None)


def _loaded(source: Any, max_pixels: int) -> Photo:
    if isinstance(source, Image.Image):
        return _from_pillow(source, max_pixels)
    if isinstance(source, Tensor) or hasattr(source, "__array__"):
        with named("the picture"):
            photo = given.photo_of(source if isinstance(source, Tensor) else np.asarray(source))
            check_size("the picture", (photo.width, photo.height), max_pixels)
            return replace(photo, sha256=_digest(photo))
    if given.is_file(source):
        with named("the picture"), given.stream_of(source) as stream:
            return _from_file("the picture", stream, max_pixels)
    given.check_path(source)
    path = Path(source)
    with opened(path) as file:
        return replace(_from_file(str(path), file, max_pixels), path=path)


def _from_file(name: str, file: BufferedReader, max_pixels: int) -> Photo:
    if raw.is_raw(name, file):
        raise PhotoError(f"{name} is a raw photo; develop it to TIFF or JPEG first")
    lean, found, directory = _separated(name, file)
    if directory is not None and tiff.is_deep(directory):
        check_size(name, tiff.size_of(directory), max_pixels)
        photo = Photo(*tiff.read_deep(lean, directory), format="TIFF")
    elif heif.format_of(file) == "HEIF":
        photo = read_heic(name, lean, max_pixels)
    else:
        with picture_in(name, lean, max_pixels) as picture:
            check_size(name, picture.size, max_pixels)
            said = metadata.of_pillow(picture)
            if directory is None:  # for a TIFF, Pillow makes one up
                found.dpi = found.dpi or said.dpi
            if picture.format == "AVIF":
                found.orientation = next(iter(exif.parse(said.exif).integers(Base.Orientation)), 1)
            if picture.format == "PNG" and png.bit_depth(lean) == 16:
                photo = _split(png.read_deep(lean), "PNG")
            else:
                picture.load()
                photo = _decoded(picture, found)
    photo = _finished(photo, found, directory or exif.parse(found.exif))
    file.seek(0)
    return replace(photo, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _separated(name: str, file: BufferedReader) -> tuple[BinaryIO, Metadata, exif.Directory | None]:
    """The file without its metadata, these, and the directory of a TIFF.

    A format is known by its first bytes here, so that Pillow, which goes by fewer of them, opens no file unbounded.

    Raises ValueError if it is damaged, or has more parts than a picture can need, and PhotoError if it is no picture.
    """
    file.seek(0)
    head = file.read(16)
    if not head:
        raise ValueError("it is empty")
    if head.startswith(png.SIGNATURE):
        return *png.separated(file), None
    if head.startswith(jpeg.MAGIC):
        return *jpeg.separated(file), None
    if webp.is_webp(head):
        return *webp.separated(file), None
    if head.startswith(gif.MAGIC):
        return *gif.separated(file), None
    if head.startswith(b"BM"):
        return file, bmp.read(file), None
    if heif.format_of(file):
        return *heif.separated(file), None
    if tiff.is_tiff(head):
        return tiff.separated(file)
    raise not_a_picture(name, head)


def _decoded(picture: Image.Image, found: Metadata) -> Photo:
    """A loaded PIL image of any mode as grey or RGB, with its alpha."""
    mode, kind = picture.mode, picture.format or "PNG"
    if mode in ("I", "F"):
        raise ValueError("its values have 32 bits; dreamer reads 8 and 16 bits")
    transparent, grey = picture.has_transparency_data, mode in ("1", "L", "LA", "La")
    if mode.startswith("I;16"):
        values = np.asarray(picture).astype(np.uint16)
    elif mode in ("CMYK", "LAB"):
        values = np.array(through_profile(picture, found.profile))
        found.srgb = True
        found.note(f"it is {'Lab' if mode == 'LAB' else mode} and was converted to 8-bit sRGB")
    else:
        target = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
        values = np.array(picture if mode == target else picture.convert(target))
    found.several |= bool(getattr(picture, "is_animated", False)) and kind != "MPO"
    if found.bits > 8:
        found.note(f"it has {found.bits} bits per channel and was read with 8")
    return _split(values if values.ndim == 3 else values[..., None], "JPEG" if kind == "MPO" else kind)


def _split(values: NDArray[Any], format: str) -> Photo:
    """Values (H, W, 1 to 4), split into colours and alpha."""
    colours = 1 if values.shape[2] < 3 else 3
    alpha = np.ascontiguousarray(values[..., colours]) if values.shape[2] > colours else None
    return Photo(np.ascontiguousarray(values[..., :colours]), alpha, format=format)


def _from_pillow(picture: Image.Image, max_pixels: int) -> Photo:
    check_size("the picture", picture.size, max_pixels)
    with named("the picture"):
        picture.load()
        found = metadata.of_pillow(picture)
        found.exif = found.exif or metadata.rebuilt_exif(picture)
        photo = _decoded(picture, found)
        return replace(_finished(photo, found, exif.parse(found.exif)), sha256=_digest(photo))


def _digest(photo: Photo) -> str:
    """The hash of a picture that was not read from a file."""
    digest = hashlib.sha256(repr(photo.pixels.shape).encode() + photo.pixels.tobytes())
    if photo.alpha is not None:
        digest.update(photo.alpha.tobytes())
    return digest.hexdigest()


def _finished(photo: Photo, found: Metadata, directory: exif.Directory) -> Photo:
    """The photo, upright, with the metadata that can be kept and a notice for what cannot."""
    orientation = found.orientation or next(iter(directory.integers(Base.Orientation)), 1)
    dpi = found.dpi or directory.resolution()
    if dpi is not None and not all(1 <= value <= 30000 for value in dpi):
        dpi = None
    if found.several:
        moves = "it is animated; its first frame is used, and `dreamer video` dreams over all of them"
        found.note("it holds several pictures; the first one is used" if photo.format == "TIFF" else moves)
    if directory.damaged:
        found.note("part of its EXIF is damaged or too long and was left out")
    for tag, text in found.texts.items():
        if tag not in directory.fields:
            directory.put_text(tag, text.replace("\0", ""))
    profile = _profile(found, directory, grey=photo.pixels.shape[2] == 1)
    try:
        packet = found.xmp if xmp.rewritten(found.xmp) else b""
    except ValueError as error:
        found.note(f"its XMP was left out: {error}")
        packet = b""
    kept = {tag: value for tag, value in directory.fields.items() if tag not in exif.LAYOUT}
    return replace(
        photo,
        pixels=_upright(photo.pixels, orientation),
        alpha=None if photo.alpha is None else _upright(photo.alpha, orientation),
        profile=profile,
        exif=exif.Directory(directory.order, kept, directory.children).block(),
        xmp=packet,
        iptc=found.iptc or directory.data(Base.IPTCNAA),
        comments=tuple(found.comments),
        dpi=dpi[::-1] if dpi and orientation in (5, 6, 7, 8) else dpi,
        notices=tuple(found.notices),
    )


def _profile(found: Metadata, directory: exif.Directory, grey: bool) -> bytes | None:
    """The ICC profile of the pixels, the file's or one for what it says about its colours in another way."""
    if found.srgb:
        if (below := directory.children.get(IFD.Exif)) is not None:
            below.fields.pop(Base.ColorSpace, None)
            below.children.pop(IFD.Interop, None)
        return None
    said = found.said or of_exif(directory)
    if found.profile:
        try:
            if not grey:
                colour_space(found.profile)
            elif kind_of(found.profile) != "GRAY":
                raise ValueError("it is not a profile for grey")
            return found.profile
        except ValueError as error:
            taken = "" if said else ", and its colours are taken as sRGB"
            found.note(f"its colour profile was left out{taken}: {error}")
    if said is None:
        return None
    if said.notice:
        found.note(said.notice)
    return said.profile(grey) or None


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    turns, mirrored = UPRIGHT.get(orientation, (0, False))
    values = np.rot90(values, turns)
    return np.ascontiguousarray(values[:, ::-1] if mirrored else values)
