"""Prints for the cutter: bleed, and sheets with marks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from command import pixels

from dreamer.cli.paper import Length, Paper, Sheet
from dreamer.errors import UsageError
from dreamer.image import Photo
from dreamer.image.paper import Sheets, bled

PHOTO = Photo(pixels(140, 100, depth=np.uint16))


def test_a_bleed_is_the_mirror_image_of_the_edges() -> None:
    values = PHOTO.pixels
    wide = bled(replace(PHOTO, alpha=values[..., 0]), 7)
    assert wide.pixels.shape == (114, 154, 3) and (wide.pixels[7:-7, 7:-7] == values).all()
    assert (wide.pixels[:7, 7:-7] == values[7:0:-1]).all() and (wide.pixels[7:-7, -7:] == values[:, -2:-9:-1]).all()
    assert wide.alpha is not None and (wide.alpha == wide.pixels[..., 0]).all()
    with pytest.raises(UsageError, match="wider than the print"):
        bled(PHOTO, 100)


def test_sheets_lie_as_fewer_do_and_together_show_every_pixel_once_between_their_marks() -> None:
    sheets = Sheets.planned(100, 140, 10, (10.0, 15.0))
    assert sheets.paper == (59, 39) and sheets.cell == (49, 29) and (sheets.columns, sheets.rows) == (3, 4)
    assert Sheets.planned(140, 100, 10, (10.0, 15.0)).paper == (39, 59)
    whole = np.zeros((100, 140, 3), np.uint8)
    wide = bled(PHOTO, 2)
    for number, sheet in enumerate(sheets._sheets(wide, 2, "")):
        row, column = divmod(number, 3)
        high, side = min(29, 100 - 29 * row), min(49, 140 - 49 * column)
        seen = np.asarray(sheet)[5 : 5 + high, 5 : 5 + side]
        whole[29 * row :, 49 * column :][:high, :side] = seen
        assert (np.asarray(sheet)[0, :2] == 255).all(), "white around"
        assert not (np.asarray(sheet)[5 + high // 2, 4] == 255).all(), "something is seen beyond the cut"
    assert np.abs(whole.astype(int) - PHOTO.pixels // 257).max() <= 1


def test_marks_point_at_the_corners_and_leave_the_picture_alone() -> None:
    sheets = Sheets.planned(300, 200, 100, (10.0, 15.0))
    ((sheet,),) = [list(sheets._sheets(PHOTO_LARGE, 0, ""))]
    values, margin = np.asarray(sheet).min(2), sheets.pixels(1.2)
    assert (values[margin : margin + 300, margin : margin + 200] > 0).all()
    line = values[margin, : margin - sheets.pixels(0.3)]
    assert (line == 0).sum() >= sheets.pixels(0.5) and line[: sheets.pixels(0.2)].min() == 255


PHOTO_LARGE = Photo(np.full((300, 200, 3), 99, np.uint8))


def test_the_sheets_are_the_pages_of_one_pdf_of_their_size(tmp_path: Path) -> None:
    sheets = Sheets.planned(100, 140, 20, (10.0, 15.0))
    path = sheets.write(tmp_path / "a.pdf", bled(PHOTO, 3), 3, "a <b> (c)", replace=False)
    data = path.read_bytes()
    assert data.startswith(b"%PDF") and int(re.findall(rb"/Count ([0-9]+)", data)[-1]) == sheets.count == 3
    (width, height) = map(float, re.findall(rb"/MediaBox \[ ?0 0 ([0-9.]+) ([0-9.]+)", data)[0])
    assert {round(width / 72 * 2.54), round(height / 72 * 2.54)} == {10, 15}
    grey = Photo(PHOTO.pixels[..., :1], alpha=np.zeros((100, 140), np.uint16))
    assert all(np.asarray(sheet)[30, 30].tolist() == [255] * 3 for sheet in sheets._sheets(grey, 0, ""))


def test_lengths_and_papers_have_units_and_names() -> None:
    assert [Length().convert(text, None, None) for text in ("5mm", "0.5cm", '1"', "0,5 in")] == [0.5, 0.5, 2.54, 1.27]
    papers = [Sheet().convert(text, None, None) for text in ("A3", "a4", "letter", "30x45")]
    assert papers == [(29.7, 42.0), (21.0, 29.7), (21.59, 27.94), (30.0, 45.0)]
    for kind, text in ((Length(), "3"), (Length(), "9m"), (Length(), "11cm"), (Sheet(), "A9"), (Paper(), "A3")):
        with pytest.raises(click.BadParameter, match="expected"):
            kind.convert(text, None, None)
    for cm, dpi in (((5.0, 5.0), 100), ((84.0, 118.0), 4800)):
        with pytest.raises(UsageError, match="--sheets"):
            Sheets.planned(100, 100, dpi, cm)
