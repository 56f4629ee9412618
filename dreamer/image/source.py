"""Opening a picture's file: does it exist, which format is it, and how large, before a pixel is decoded."""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, _imaging

from dreamer.errors import PhotoError, argument
from dreamer.files.suffixes import clip_for_photo

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF")
READABLE = "JPEG, PNG, WebP, TIFF, AVIF, BMP, GIF and, with dreamer-art[heif] installed, HEIC"

_limit_lock = threading.Lock()


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """The file at `path`, open for reading; every error inside the block becomes a PhotoError that names the file."""
    with named(str(path)):
        if not os.path.exists(path):
            raise PhotoError(f"there is no file {path}")
        if not path.is_file():
            what = "a folder" if path.is_dir() else "a special file"
            raise PhotoError(f"{path} is {what}, not a picture; name one")
        with path.open("rb") as file:
            yield file


@contextmanager
def named(name: str) -> Iterator[None]:
    """A block in which every error becomes a PhotoError that begins with the picture's name."""
    try:
        yield
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoError(f"{name} takes more memory than there is; make it smaller first") from error
    except Exception as error:  # the decoders raise anything at all when a file is damaged
        why = getattr(error, "strerror", None) or str(error) or "it is damaged"
        raise PhotoError(f"{name} cannot be read: {why}") from error


@contextmanager
def picture_in(name: str, file: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """The picture as Pillow opens it, before any pixel is decoded.

    Pillow's limit of pixels is a global that it checks on opening and again on decoding: inside this block it is
    `max_pixels`, for one file at a time.

    Raises:
        PhotoError: The picture has more than twice `max_pixels` pixels, or Pillow cannot read it.
    """
    _silence_libtiff()
    file.seek(0)
    with _limit_lock:
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            with Image.open(file, formats=FORMATS) as picture:
                yield picture
        except Image.DecompressionBombError as error:
            raise _too_large(name, f"more than {2 * max_pixels:,}", max_pixels) from error
        except UnidentifiedImageError as error:
            raise not_a_picture(name) from error
        finally:
            Image.MAX_IMAGE_PIXELS = usual


@contextmanager
def header_of(path: Path, max_pixels: int = 1 << 40) -> Iterator[Image.Image]:
    """The picture in a file as Pillow opens it, without its warnings; raises as `opened` and `picture_in` do."""
    with warnings.catch_warnings(), opened(path) as file:
        warnings.simplefilter("ignore")
        with picture_in(str(path), file, max_pixels) as picture:
            yield picture


@cache
def _silence_libtiff() -> None:
    """Keep libtiff from writing to stderr by itself: Pillow raises its errors, and turns off its warnings only.

    Where Pillow's own library holds libtiff, as on Windows, it cannot be reached from here, and stays as it is.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def not_a_picture(name: str, head: bytes = b"") -> PhotoError:
    """The error about a file of another format, or of none, which begins so."""
    if head[4:8] == b"ftyp" or head[8:12] == b"AVI " or head.startswith(b"\x1aE\xdf\xa3"):  # MP4, AVI, Matroska
        return PhotoError(clip_for_photo(name))
    return PhotoError(f"{name} is not a picture that dreamer can read; it reads {READABLE}")


def _too_large(name: str, size: str, max_pixels: int) -> PhotoError:
    return PhotoError(
        f"{name} has {size} pixels, and the limit is {max_pixels:,} in all; "
        f"if you trust this picture, raise the limit with {argument('max_pixels')}"
    )


def check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    """Raise PhotoError if a picture of this (width, height) is empty or has more than `max_pixels` pixels."""
    width, height = size
    if width * height > max_pixels:
        raise _too_large(name, f"{width} x {height}", max_pixels)
    if width * height == 0:
        raise PhotoError(f"{name} has no pixels; name another")
