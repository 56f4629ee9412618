"""A chart of what is heard over a clip's time, and of what it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_GROUND, _TEXT, _FAINT, _LINE = (22, 22, 26), (236, 234, 228), (150, 147, 140), (52, 52, 60)
_BEAT, _SECTION = (96, 84, 60), (224, 170, 84)
_COLOURS = ((120, 170, 230), (222, 120, 110), (134, 190, 120), (196, 150, 222), (228, 190, 110), (110, 196, 196))
_WIDTH, _HEIGHT, _LEFT, _GAP = 1600, 84, 200, 14  # pixels: of the chart, a lane, the texts beside it, between two
_FONT = 15
_STEPS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)  # seconds between two numbers below the chart


@dataclass(frozen=True)
class Lane:
    """One curve of a chart: values (n,) over the clip, drawn from `low` to `high`; `about` stands below the name.

    `mirrored` are drawn up and down from the middle, as a waveform is.
    """

    name: str
    values: NDArray[np.float64]
    low: float = 0.0
    high: float = 1.0
    about: str = ""
    mirrored: bool = False


def chart(lanes: Sequence[Lane], seconds: float, beats: Sequence[float], sections: Sequence[float]) -> Image.Image:
    """The chart as an RGB picture, 1600 pixels wide.

    Args:
        lanes: What it shows, from the top.
        seconds: The length of the clip.
        beats: Times in seconds, a faint line each.
        sections: Times in seconds, a strong line each.
    """
    height = len(lanes) * (_HEIGHT + _GAP) + 2 * _GAP + _FONT
    picture = Image.new("RGB", (_WIDTH, height), _GROUND)
    draw, font, small = ImageDraw.Draw(picture), ImageFont.load_default(_FONT), ImageFont.load_default(_FONT - 3)
    wide, bottom = _WIDTH - _LEFT - _GAP, height - _GAP - _FONT

    def across(time: float) -> float:
        return _LEFT + wide * time / seconds

    step = next((step for step in _STEPS if wide / seconds * step >= 60), _STEPS[-1])
    for number in range(int(seconds / step) + 1):
        draw.text((across(number * step), bottom), f"{number * step:g} s", _FAINT, small, anchor="ma")
    if len(beats) < wide / 4:
        for beat in beats:
            draw.line([across(beat), _GAP, across(beat), bottom - _GAP], _BEAT)
    for number, lane in enumerate(lanes):
        top = _GAP + number * (_HEIGHT + _GAP)
        draw.line([_LEFT, top + _HEIGHT, _LEFT + wide, top + _HEIGHT], _LINE)
        draw.text((_GAP, top + 8), lane.name, _TEXT, font)
        draw.text((_GAP, top + 32), lane.about or f"{lane.low:.4g} to {lane.high:.4g}", _FAINT, small)
        _draw(draw, lane, top, wide, _COLOURS[number % len(_COLOURS)])
    for section in sections:
        draw.line([across(section), _GAP, across(section), bottom - _GAP], _SECTION, 2)
    return picture


def _draw(draw: ImageDraw.ImageDraw, lane: Lane, top: int, wide: int, colour: tuple[int, int, int]) -> None:
    """Draw a lane's curve; of several values at one pixel the highest is seen."""
    if not len(lane.values):
        return
    edges = np.linspace(0, len(lane.values), wide + 1).astype(int)
    shown = np.array([lane.values[a : max(b, a + 1)].max() for a, b in pairwise(edges)])
    heights = ((shown - lane.low) / max(lane.high - lane.low, 1e-9)).clip(0, 1) * (_HEIGHT - 4)
    base = top + _HEIGHT
    if lane.mirrored:
        for x, high in enumerate(heights.tolist()):
            draw.line([_LEFT + x, base - _HEIGHT / 2 - high / 2, _LEFT + x, base - _HEIGHT / 2 + high / 2], colour)
        return
    points = [(_LEFT + x, base - high) for x, high in enumerate(heights.tolist())]
    faint = tuple((part + 3 * ground) // 4 for part, ground in zip(colour, _GROUND, strict=True))
    draw.polygon([(_LEFT, base), *points, (_LEFT + wide - 1, base)], faint)
    draw.line(points, colour, 2)
