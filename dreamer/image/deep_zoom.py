"""A picture as a page to walk through: Deep Zoom's layout of tiles (Microsoft 2008), and a viewer for it.

FOLDER/index.html               the viewer, which asks no network for anything
FOLDER/picture.dzi              the size, for other viewers, as OpenSeadragon
FOLDER/picture_files/L/X_Y.jpg  the tiles; level L is ceil(size / 2^(last - L)), and level 0 is one pixel
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Container, Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamer.errors import UsageError, WriteError
from dreamer.files import is_link, is_taken, make_folder, replacing, write_atomically
from dreamer.image.save import eight_bits, on_white

TILE, OVERLAP = 512, 1
_LEVELS = 32  # of more pixels than any picture has
_QUALITY = {"quality": 90, "subsampling": 0}
_TILE_NAME = re.compile(r"[0-9]+_[0-9]+\.jpg")
_PAGE, _SIZE, _TILES = "index.html", "picture.dzi", "picture_files"


def check_page(folder: Path, *, force: bool) -> None:
    """Raise UsageError where no page can be written to the folder: it holds one, without `force`, or is none."""
    if is_taken(folder) and not folder.is_dir():
        raise UsageError(f"--deep-zoom {folder}: this is no folder; choose another name")
    levels = (f"{_TILES}/{number}" for number in range(_LEVELS))
    if any(is_link(folder / name) for name in (_PAGE, _SIZE, _TILES, *levels)):
        raise UsageError(f"--deep-zoom {folder}: it holds links, and nothing is written through them; choose another")
    if not force and any(is_taken(folder / name) for name in (_PAGE, _SIZE, _TILES)):
        raise UsageError(f"--deep-zoom {folder}: there is a page already; --force replaces it")


def write_page(
    folder: Path,
    pixels: NDArray[Any],
    alpha: NDArray[Any] | None = None,
    *,
    title: str,
    profile: bytes | None = None,
    replace: bool = False,
    on_begun: Callable[[], None] = lambda: None,
) -> Path:
    """Write the page of a picture; what is transparent becomes white.

    Args:
        folder: Where to; it is made.
        pixels: (H, W, C), uint8 or uint16, C 1 for grey or 3 for RGB.
        alpha: (H, W), of the same dtype.
        title: Of the page.
        profile: The ICC profile of the pixels.
        replace: Whether it may replace a page that is there.
        on_begun: Called once the folder holds something of this page, and of no other program's.

    Returns:
        The path of the page.

    Raises:
        WriteError: It cannot be written, or may not replace a page that is there by now.
    """
    make_folder(folder)
    try:  # at this moment, and not only when the picture was begun
        check_page(folder, force=replace)
        (folder / _TILES).mkdir(exist_ok=replace)
    except (UsageError, OSError) as error:
        raise WriteError(f"{folder}: no page can be written ({error})") from error
    on_begun()
    height, width = pixels.shape[:2]
    written: set[Path] = set()
    last = (max(height, width) - 1).bit_length()
    for number in range(last, -1, -1):
        place = folder / _TILES / str(number)
        make_folder(place)
        halved = np.empty((-(-pixels.shape[0] // 2), -(-pixels.shape[1] // 2), pixels.shape[2]), np.uint8)
        for top, strip, kept in _strips(pixels, alpha):
            for left in range(0, pixels.shape[1], TILE):
                part = strip[:, max(0, left - OVERLAP) : left + TILE + OVERLAP]
                tile = place / f"{left // TILE}_{top // TILE}.jpg"
                written.add(write_atomically(tile, _jpeg(part, profile)))
            half = _halved(strip[kept])
            halved[top // 2 : top // 2 + len(half)] = half
        pixels, alpha = halved, None
    _write(
        folder / _SIZE,
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" '
            f'Format="jpg" Overlap="{OVERLAP}" TileSize="{TILE}">'
            f'<Size Width="{width}" Height="{height}"/></Image>\n'
        ).encode(),
        replace,
    )
    page = files("dreamer.image").joinpath("deep_zoom.html").read_text(encoding="utf-8")
    for name, value in {"WIDTH": width, "HEIGHT": height, "TILE": TILE, "OVERLAP": OVERLAP}.items():
        page = page.replace(f"{{{{{name}}}}}", str(value))
    path = _write(folder / _PAGE, page.replace("{{TITLE}}", escape(title)).encode(), replace)
    if replace:
        _remove_others(folder / _TILES, written)
    return path


def _remove_others(tiles: Path, written: Container[Path]) -> None:
    """Delete the tiles of the page that was there before, and its levels; nothing else, and nothing behind a link."""
    try:
        for level in (tiles / str(number) for number in range(_LEVELS)):
            if is_link(level) or not level.is_dir():
                continue
            for tile in level.iterdir():
                is_old = _TILE_NAME.fullmatch(tile.name) and tile not in written
                if is_old and tile.is_file() and not is_link(tile):
                    tile.unlink()
            if not any(level.iterdir()):
                level.rmdir()
    except OSError as error:
        why = error.strerror or error
        raise WriteError(f"{tiles}: the page is written, but tiles of the old one cannot be deleted ({why})") from error


def _write(path: Path, data: bytes, replace: bool) -> Path:
    with replacing(path, replace=replace) as part:
        part.write_bytes(data)
    return path


def _strips(pixels: NDArray[Any], alpha: NDArray[Any] | None) -> Iterator[tuple[int, NDArray[np.uint8], slice]]:
    """For each row of tiles where it begins, its pixels with the overlap, and which of their rows are its own."""
    for top in range(0, pixels.shape[0], TILE):
        rows = slice(max(0, top - OVERLAP), top + TILE + OVERLAP)
        strip = eight_bits(pixels[rows])
        if alpha is not None:
            strip = on_white(strip, eight_bits(alpha[rows]))
        yield top, strip, slice(top - rows.start, top - rows.start + TILE)


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The means of 2x2 pixels, (H, W, C) -> (ceil(H / 2), ceil(W / 2), C); a last odd row or column is doubled."""
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) >> 2).astype(np.uint8)


def _jpeg(pixels: NDArray[np.uint8], profile: bytes | None) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
    picture.save(file, "JPEG", icc_profile=profile, **_QUALITY)
    return file.getvalue()
