"""The size of a preview: that of an octave of the whole, which is dreamt up to there (`plan_octaves`).

A small picture that has octaves of its own has other forms, since their sizes are those of octaves in pixels.
"""

from __future__ import annotations

import math

from dreamer.pipeline.pipeline import Pipeline

_LEAST = 320  # pixels of a preview's short side, where the whole has so many: two of the largest forms fit in
_MOST = 1.5  # times as many, where an octave has them


def small_side(height: int, width: int, side: int) -> int:
    """The long side of a small film with these proportions whose long side is `side`, whatever its octaves are.

    It is a quarter of it, but enough for the short side to show forms as they will be.
    """
    return min(side, max(side // 4, math.ceil(_LEAST * max(height, width) / min(height, width))))


def preview_side(pipeline: Pipeline, height: int, width: int) -> int:
    """The long side of a preview of frames of that size; where no octave is small enough, that of `small_side`."""
    octaves = pipeline.plan(height, width, check_memory=False).octaves
    fitting = (max(octave.size) for octave in octaves if _LEAST <= min(octave.size) <= _MOST * _LEAST)
    return next(fitting, small_side(height, width, max(height, width)))
