"""Contact sheets: labelled pictures in a grid, as one picture or as one self-contained HTML page."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont

_GROUND, _TEXT, _FAINT = (22, 22, 26), (236, 234, 228), (150, 147, 140)
_GAP, _NAME, _SMALL = 14, 16, 12  # pixels


@dataclass(frozen=True)
class Look:
    """One picture of a sheet with its name and a line about it; `command` is the command line that makes it large."""

    name: str
    about: str
    picture: Image.Image
    command: str = ""


def sheet(looks: Sequence[Look], columns: int = 0) -> Image.Image:
    """The sheet as a picture, for looks of one size; with `columns` 0 it is wider than high."""
    columns = columns or max(1, math.ceil(math.sqrt(len(looks) * 1.5)))
    columns = min(columns, len(looks))
    wide, high = looks[0].picture.size
    label = _NAME + _SMALL + 14
    rows = math.ceil(len(looks) / columns)
    size = (columns * (wide + _GAP) + _GAP, rows * (high + label + _GAP) + _GAP)
    picture = Image.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(picture)
    name_font, small_font = ImageFont.load_default(_NAME), ImageFont.load_default(_SMALL)
    for number, look in enumerate(looks):
        row, column = divmod(number, columns)
        left, top = _GAP + column * (wide + _GAP), _GAP + row * (high + label + _GAP)
        picture.paste(look.picture.convert("RGB"), (left, top))
        draw.text((left, top + high + 4), _fitting(look.name, name_font, wide), _TEXT, name_font)
        draw.text((left, top + high + _NAME + 9), _fitting(look.about, small_font, wide), _FAINT, small_font)
    return picture


def page(looks: Sequence[Look], title: str) -> str:
    """The sheet as an HTML page: pictures open large, with their commands to copy. Every text is escaped."""
    figures = "\n".join(
        f'<figure><a href="{_data(look.picture)}"><img src="{_data(look.picture)}" alt="{html.escape(look.name)}"></a>'
        f"<figcaption><b>{html.escape(look.name)}</b><span>{html.escape(look.about)}</span>"
        f"<code>{html.escape(look.command)}</code></figcaption></figure>"
        for look in looks
    )
    template = (files("dreamer.visualization") / "contact_sheet.html").read_text(encoding="utf-8")
    return template.replace("$title", html.escape(title)).replace("$figures", figures)


def _fitting(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """The text, shortened with dots to `width` pixels."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
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
