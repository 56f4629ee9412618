"""What a preview dreams: what the whole does, up to an earlier octave, so that the same forms grow at the same places.

A small picture that has octaves of its own has other forms, since their sizes are those of octaves in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dreamer.pipeline.pipeline import Pipeline

_LEAST = 320  # pixels of a preview's short side, where the whole has so many: two of the largest forms fit in
_MOST = 1.5  # times as many, where an octave has them


def small_side(height: int, width: int, side: int) -> int:
    """The long side of a small film with these proportions whose long side is `side`, whatever its octaves are.

    It is a quarter of it, but enough for the short side to show forms as they will be.
    """
    return min(side, max(side // 4, math.ceil(_LEAST * max(height, width) / min(height, width))))


def previews(looks: Sequence[Pipeline], height: int, width: int) -> tuple[int, list[Pipeline]]:
    """The long side of a preview of frames of that size, an octave of the first look, and the looks for it.

    Where no octave is small enough, which a recipe may ask for, the preview has only the proportions of the film.
    """
    planned = [look.plan(height, width, check_memory=False).octaves for look in looks]
    fitting = (max(octave.size) for octave in planned[0] if _LEAST <= min(octave.size) <= _MOST * _LEAST)
    side = next(fitting, small_side(height, width, max(height, width)))
    found = []
    for look, octaves in zip(looks, planned, strict=True):
        wanted, left_out = look.recipe.octaves, sum(max(octave.size) > side for octave in octaves)
        if wanted.count:
            wanted = replace(wanted, count=max(1, wanted.count - left_out))
        found.append(replace(look, recipe=replace(look.recipe, size=side, octaves=wanted)))
    return side, found
