"""Pictures for printing: with bleed, and cut into sheets with crop marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dreamer.errors import UsageError
from dreamer.files import replacing
from dreamer.image.bands import bands
from dreamer.image.photo import Photo, to_pil
from dreamer.image.storage import empty_array

INCH = 2.54
"""Length of an inch in cm."""
_MARGIN, _JOINT, _GAP, _MARK = 1.2, 0.3, 0.1, 0.5  # cm: around a sheet; seen beyond a cut; before a mark; of a mark
_MOST = 300_000_000  # pixels of a sheet
_WORDS = 0.3  # cm: height of what is written on a sheet


def bled(photo: Photo, border: int) -> Photo:
    """The photo with so many more pixels on all sides: its mirror image, so that nothing of it is cut off."""
    if border >= min(photo.height, photo.width):
        raise UsageError(f"a bleed of {border} pixels is wider than the print; lower --bleed")
    rows, columns = (_mirrored(side, border) for side in (photo.height, photo.width))

    def larger(values: NDArray[Any]) -> NDArray[Any]:
        result = empty_array((len(rows), len(columns), *values.shape[2:]), values.dtype)
        for part in bands(len(rows), len(columns)):
            result[part] = values[rows[part]][:, columns]
        return result

    return replace(photo, pixels=larger(photo.pixels), alpha=None if photo.alpha is None else larger(photo.alpha))


def _mirrored(side: int, border: int) -> NDArray[Any]:
    places = np.abs(np.arange(-border, side + border))
    return np.asarray(np.minimum(places, 2 * (side - 1) - places))


@dataclass(frozen=True)
class Sheets:
    """The division of a print of height x width pixels into equal sheets.

    `paper` is a sheet's (width, height) in pixels, and may have been turned; `cell` is how much of the print it has.
    """

    height: int
    width: int
    dpi: int
    paper: tuple[int, int]

    @classmethod
    def planned(cls, height: int, width: int, dpi: int, cm: tuple[float, float]) -> Sheets:
        """The fewest sheets of a paper, upright or across. Raises UsageError for one that is too small or too large."""
        across, down = (round(side / INCH * dpi) for side in cm)
        if min(across, down) <= 3 * round(2 * _MARGIN / INCH * dpi):
            raise UsageError("--sheets: sheets have sides of 8 cm at least; choose a larger paper")
        if across * down > _MOST:
            raise UsageError(
                f"--sheets: a sheet would have {across}x{down} pixels; lower --dpi, or choose a smaller paper"
            )
        return min(
            (cls(height, width, dpi, paper) for paper in ((across, down), (down, across))), key=lambda s: s.count
        )

    @property
    def cell(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        margin = 2 * self.pixels(_MARGIN)
        return self.paper[0] - margin, self.paper[1] - margin

    @property
    def columns(self) -> int:
        """Number of sheets side by side."""
        return math.ceil(self.width / self.cell[0])

    @property
    def rows(self) -> int:
        """Number of sheets one above the other."""
        return math.ceil(self.height / self.cell[1])

    @property
    def count(self) -> int:
        """Number of sheets."""
        return self.columns * self.rows

    def pixels(self, cm: float) -> int:
        """A length in pixels."""
        return round(cm / INCH * self.dpi)

    def write(self, path: Path, photo: Photo, border: int, title: str, *, replace: bool) -> Path:
        """Write a PDF with a page for each sheet, row by row, in sRGB; returns its path.

        Args:
            path: The file.
            photo: The print, with a bleed of `border` pixels.
            border: See above; beyond a cut between two sheets as much of the other one is seen.
            title: Written on each sheet, with its row and column.
            replace: Whether the file may replace another.

        Raises:
            WriteError: It cannot be written.
        """
        with replacing(path, replace=replace) as temporary:
            for number, sheet in enumerate(self._sheets(photo, border, title)):
                sheet.save(temporary, "PDF", append=number > 0, resolution=self.dpi, quality=95, title=title)
        return path

    def _sheets(self, photo: Photo, border: int, title: str) -> Iterator[Image.Image]:
        (across, down), margin = self.cell, self.pixels(_MARGIN)
        font = ImageFont.load_default(max(8, self.pixels(_WORDS)))
        for row in range(self.rows):
            for column in range(self.columns):
                left, top = column * across, row * down
                right, bottom = min(left + across, self.width), min(top + down, self.height)
                sheet = Image.new("RGB", self.paper, "white")
                seen = self._seen(left, right, self.width, border), self._seen(top, bottom, self.height, border)
                corner = margin + seen[0].start - left, margin + seen[1].start - top
                sheet.paste(_part(photo, *seen, border), corner)
                draw = ImageDraw.Draw(sheet)
                self._mark(draw, (margin, margin + right - left), (margin, margin + bottom - top))
                words = f"{title}   row {row + 1} of {self.rows}, column {column + 1} of {self.columns}"
                place = margin + self.pixels(_JOINT + 2 * _GAP), self.paper[1] - margin // 2
                draw.text(place, words, fill="black", font=font, anchor="lm")
                yield sheet

    def _seen(self, start: int, stop: int, side: int, border: int) -> slice:
        """The pixels of the print on a sheet along one axis, with a margin beyond each cut for inexact cutting."""
        joint = self.pixels(_JOINT)
        return slice(max(-border, start - joint), min(side + border, stop + joint))

    def _mark(self, draw: ImageDraw.ImageDraw, columns: tuple[int, int], rows: tuple[int, int]) -> None:
        """Draw two lines at each corner, along which to cut."""
        near, far, thick = self.pixels(_JOINT + _GAP), self.pixels(_JOINT + _GAP + _MARK), max(1, self.pixels(0.02))
        for x, outwards in zip(columns, (-1, 1), strict=True):
            for y in rows:
                draw.line((x + outwards * near, y, x + outwards * far, y), "black", thick)
        for y, outwards in zip(rows, (-1, 1), strict=True):
            for x in columns:
                draw.line((x, y + outwards * near, x, y + outwards * far), "black", thick)


def _part(photo: Photo, columns: slice, rows: slice, border: int) -> Image.Image:
    """A part of the print that begins `border` pixels before its first one, in 8 bits and sRGB, on white."""
    place = tuple(slice(side.start + border, side.stop + border) for side in (rows, columns))
    picture = to_pil(replace(photo, pixels=photo.pixels[place], alpha=None).image())
    if photo.alpha is None:
        return picture
    cover = Image.fromarray((photo.alpha[place] / (photo.white / 255)).round().astype(np.uint8))
    return Image.composite(picture, Image.new("RGB", picture.size, "white"), cover)
