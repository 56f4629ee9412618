"""The file that a photo lies in: is it there, what is it, and how large, before a pixel is decoded."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from dreamer.errors import PhotoError, UsageError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "DIB", "GIF")
READABLE = "JPEG, PNG, WebP, TIFF, AVIF, BMP, GIF and, with dreamer-art[heif] installed, HEIC"
_SUFFIXES = frozenset(".jpg .jpeg .jpe .png .webp .tif .tiff .avif .bmp .gif .heic .heif".split())

HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")

_limit_lock = threading.Lock()


def pictures_among(paths: Iterable[Path]) -> list[Path]:
    """Those that are pictures by their suffix and not hidden, in order."""
    shown = (path for path in paths if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in shown if path.suffix.lower() in _SUFFIXES)


def pictures_in(folder: Path, option: str = "") -> list[str]:
    """The names of the pictures in a folder and its subfolders, relative to it, with slashes, sorted.

    Raises UsageError where there is no such folder, or no picture in it; `option` is the one that named the folder.
    """
    where = f"{option} {folder}".strip()
    if not folder.is_dir():
        raise UsageError(f"{where}: there is no such folder")
    names = sorted(path.relative_to(folder).as_posix() for path in pictures_among(folder.rglob("*")))
    if not names:
        raise UsageError(f"{where}: there are no pictures in this folder")
    return names


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """The file at `path`, for reading a picture from it: what goes wrong on the way becomes a PhotoError."""
    try:
        if not path.exists():
            raise PhotoError(f"there is no file {path}")
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no ordinary file"
            raise PhotoError(f"{path} is {what}, not a picture")
        with path.open("rb") as file:
            if not file.read(1):
                raise PhotoError(f"{path} is empty")
            file.seek(0)
            yield file
    except PhotoError:
        raise
    except Exception as error:  # the decoders raise anything at all when a file is damaged
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PhotoError(f"{path} cannot be read: {why}") from error


@contextmanager
def picture_in(path: Path, file: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """The picture in a file as Pillow opens it, with no pixel decoded yet.

    Pillow's limit is one for the whole program, and checked while opening and again while decoding: within
    this block it is `max_pixels`, for one file at a time.
    """
    formats = [*FORMATS, *(["HEIF"] if _is_heif(path, file) else [])]
    file.seek(0)
    with _limit_lock:
        usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            with Image.open(file, formats=formats) as picture:
                yield picture
        except Image.DecompressionBombError as error:
            raise _too_large(str(path), "more than twice as many", max_pixels) from error
        except UnidentifiedImageError as error:
            raise PhotoError(f"{path} is not a picture that can be read; dreamer reads {READABLE}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _is_heif(path: Path, file: BinaryIO) -> bool:
    """Whether this is HEIC; then the plugin that reads it is made ready."""
    head = file.read(12)
    if head[4:8] != b"ftyp" or head[8:12] not in HEIF_BRANDS:
        return False
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        raise PhotoError(
            f"{path} is a HEIC picture; to read those, install dreamer-art[heif], or save it as JPEG"
        ) from None
    return True


def _too_large(name: str, size: str, max_pixels: int) -> PhotoError:
    return PhotoError(
        f"{name} has {size} pixels, and the limit is {max_pixels:,} in all; "
        "if it is a picture that you trust, raise the limit with --max-pixels"
    )


def check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _too_large(name, f"{width} x {height}", max_pixels)
    if width * height == 0:
        raise PhotoError(f"{name} has no pixels")
