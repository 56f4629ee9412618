"""Masks in words: a file's name, or a formula: `top:30%`, `ellipse:0.5,0.4,0.3,0.5`, `colour:#88aadd`, `part:3`."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dreamer.errors import RecipeError, did_you_mean

KEEP = "keep"
"""The look of a region in which nothing grows."""
ALL = "all"
NOT = "not:"
"""Prefix of a region whose mask is inverted."""
SIDES = ("top", "bottom", "left", "right")
PART, SEGMENT = "part", "segment"
NAMES = (ALL, *SIDES, "centre", "ellipse", "colour", PART, SEGMENT)
PARTS, FEWEST, MOST = 6, 2, 12
"""Number of parts of a photo: by default, at least and at most."""
_NEAR = 20.0  # default distance of near colours in CIE Lab, where black and white are 100 apart
_HOW = {
    ALL: "all",
    "centre": "centre",
    "ellipse": "ellipse:0.5,0.4,0.3,0.5: the middle's x and y, then width and height, from 0 to 1 or in percent",
    "colour": "colour:#88aadd, or colour:#88aadd,30 for colours up to 30 away",
    PART: f"part:3, the third of {PARTS} from the top, or part:3/8 for the third of 8 (of {FEWEST} to {MOST})",
    SEGMENT: "segment:NAME:2, the second mask of a segmenter, or segment:NAME:sky by the mask's name",
    **{side: f"{side}, or {side}:30%" for side in SIDES},
}


@dataclass(frozen=True)
class Formula:
    """A mask without a file: one of `NAMES`, with its numbers; for a segment the segmenter, and which of its masks."""

    name: str
    numbers: tuple[float, ...] = ()
    segmenter: str = ""
    which: str = ""


def formula(mask: str) -> Formula | None:
    """The formula that these words are, None if they name a file; raises RecipeError for a wrong one.

    The numbers of a side are the share of the picture that it takes, those of an ellipse its middle, width and height
    in shares of the picture's, those of a colour red, green and blue in [0, 1] and the largest distance in Lab, and
    that of a part is of how many it is one.
    """
    name, colon, rest = mask.partition(":")
    if name not in NAMES:
        return None
    if name in (PART, SEGMENT):
        found = _part(rest) if name == PART else _segment(rest)
        if found is None:
            raise RecipeError(f"{mask[:60]}: not a mask; write {_HOW[name]}")
        return found
    parts = rest.split(",") if colon else []
    numbers: tuple[float, ...] | None = None
    with suppress(ValueError):
        numbers = _colour(parts) if name == "colour" else tuple(map(_share, parts))
    if name in SIDES and not colon:
        numbers = (0.5,)
    count = {"ellipse": 4, "colour": 4, **dict.fromkeys(SIDES, 1)}.get(name, 0)
    if numbers is None or len(numbers) != count or (name == "ellipse" and 0 in numbers[2:]):
        raise RecipeError(f"{mask[:60]}: not a mask; write {_HOW[name]}")
    return Formula(name, numbers)


def region_words(text: str) -> dict[str, Any]:
    """`[not:]MASK[=LOOK]` as a region of a recipe; raises RecipeError for a mask or look that is missing or wrong."""
    mask, equals, look = text.rpartition("=") if "=" in text else (text, "", "")
    words: dict[str, Any] = {"mask": mask.removeprefix(NOT).strip()}
    if not words["mask"] or (equals and not look.strip()):
        raise RecipeError(f"{text[:60]}: not a region; write MASK=LOOK, as in sky.png=bloom or centre=keep")
    formula(words["mask"])
    return words | ({"look": look.strip()} if equals else {}) | ({"invert": True} if mask.startswith(NOT) else {})


def no_such_mask(name: str) -> str:
    """The sentence about a mask that is neither a file nor a formula."""
    guess = did_you_mean(name.partition(":")[0], NAMES) if "." not in name else ""
    return f"there is no file {name}{guess}"


def _part(text: str) -> Formula | None:
    """NUMBER[/COUNT] as a formula."""
    words = re.fullmatch(r"([0-9]{1,2})(?:/([0-9]{1,2}))?", text.strip())
    number, count = (int(word or PARTS) for word in words.groups()) if words else (0, 0)
    fits = 1 <= number <= count and FEWEST <= count <= MOST
    return Formula(PART, (count,), "parts", str(number)) if fits else None


def _segment(text: str) -> Formula | None:
    """SEGMENTER:WHICH as a formula; a segmenter's full name has a colon itself."""
    segmenter, _, which = (word.strip() for word in text.rpartition(":"))
    return Formula(SEGMENT, (), segmenter, which) if segmenter and which else None


def _share(text: str) -> float:
    """A number from 0 to 1, or in percent; raises ValueError."""
    value = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError
    return value


def _colour(parts: list[str]) -> tuple[float, ...]:
    """#rrggbb[,distance] as four numbers; raises ValueError."""
    code, *near = (part.strip() for part in parts)
    if not re.fullmatch("#[0-9a-fA-F]{6}", code) or len(near) > 1:
        raise ValueError
    distance = float(near[0]) if near else _NEAR
    if not 0 < distance <= 1000:
        raise ValueError
    return (*(int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)), distance)
