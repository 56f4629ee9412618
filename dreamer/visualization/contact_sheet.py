"""Contact sheets: labelled pictures in a grid, as one picture or as one self-contained HTML page."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from PIL import Image, ImageDraw, ImageFont

_GROUND, _TEXT, _FAINT = (22, 22, 26), (236, 234, 228), (150, 147, 140)
_GAP, _NAME, _SMALL = 14, 16, 12  # pixels
_PLAIN = 1200  # pixels: the width of a sheet up to which texts keep these sizes


@dataclass(frozen=True)
class Look:
    """One picture of a sheet with its name and a line about it; `command` is the command line that makes it large."""

    name: str
    about: str
    picture: Image.Image
    command: str = ""


def sheet(
    looks: Sequence[Look], columns: int = 0, *, across: Sequence[str] = (), down: Sequence[str] = ()
) -> Image.Image:
    """The sheet as a picture.

    Args:
        looks: What it shows, row by row.
        columns: How many in a row; with 0 the sheet is wider than high.
        across: A heading for each column, down: one for each row. With these, texts grow with the sheet.
        down: See `across`.

    Returns:
        An RGB image; smaller pictures are centred in cells of the largest one's size.
    """
    columns = columns or max(1, math.ceil(math.sqrt(len(looks) * 1.5)))
    columns = min(columns, len(looks))
    wide, high = (max(look.picture.size[side] for look in looks) for side in (0, 1))
    grown = max(1.0, columns * wide / _PLAIN) if across or down else 1.0
    name, small, gap = (round(size * grown) for size in (_NAME, _SMALL, _GAP))
    name_font, small_font, head_font = (ImageFont.load_default(size) for size in (name, small, name))
    told = any(look.about for look in looks)
    label = name + small + 14 if told else name + 9
    rows = math.ceil(len(looks) / columns)
    beside = max((head_font.getlength(part) for text in down for part in text.split(", ")), default=0)
    left_edge = gap + (math.ceil(beside) + gap if down else 0)
    top_edge = gap + (name + gap if across else 0)
    size = (left_edge + columns * (wide + gap), top_edge + rows * (high + label + gap))
    picture = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(picture)
    for column, text in enumerate(across):
        draw.text((left_edge + column * (wide + gap), gap), _fitting(text, head_font, wide), _TEXT, head_font)
    for row, text in enumerate(down):
        draw.text((gap, top_edge + row * (high + label + gap)), _plain(text).replace(", ", "\n"), _TEXT, head_font)
    for number, look in enumerate(looks):
        row, column = divmod(number, columns)
        left, top = left_edge + column * (wide + gap), top_edge + row * (high + label + gap)
        shown = look.picture.convert("RGB")
        picture.paste(shown, (left + (wide - shown.width) // 2, top + (high - shown.height) // 2))
        draw.text((left, top + high + 4), _fitting(look.name, name_font, wide), _TEXT, name_font)
        draw.text((left, top + high + name + 9), _fitting(look.about, small_font, wide), _FAINT, small_font)
    return picture


def page(looks: Sequence[Look], title: str, columns: int = 0) -> str:
    """The sheet as an HTML page: pictures open large, with their commands to copy. Every text is escaped.

    With `columns` 0 as many stand in a row as there is room for.
    """
    figures = "\n".join(
        f'<figure tabindex="0"><img src="{_data(look.picture)}" alt="{html.escape(look.name)}">'
        f"<figcaption><b>{html.escape(look.name)}</b><span>{html.escape(look.about)}</span>"
        f"<code>{html.escape(look.command)}</code></figcaption></figure>"
        for look in looks
    )
    template = (files("dreamer.visualization") / "contact_sheet.html").read_text(encoding="utf-8")
    tracks = f"{columns}, minmax(150px, 1fr)" if columns else "auto-fill, minmax(260px, 1fr)"
    return Template(template).substitute(title=html.escape(title), tracks=tracks, figures=figures)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _fitting(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """The text, shortened with dots to `width` pixels."""
    plain = _plain(text)
    if font.getlength(plain) <= width:
        return plain
    while plain and font.getlength(plain + "...") > width:
        plain = plain[:-1]
    return plain.rstrip() + "..."


def _data(picture: Image.Image) -> str:
    """A picture as a data URL of a JPEG file."""
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
