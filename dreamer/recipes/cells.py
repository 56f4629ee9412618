"""The cells of a sheet of dreams: the provenance of each, so that one can be continued."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dreamer.errors import RecipeError
from dreamer.limits import SHEET_CELLS
from dreamer.recipes.parsing import parse_json
from dreamer.recipes.provenance import Provenance

CELLS = "cells"
"""The key of a sheet's JSON under which its cells stand: what differs from the first one's provenance."""


def sheet_text(cells: Sequence[tuple[str, Provenance]]) -> str:
    """The (label, provenance) of a sheet's cells as compact JSON: the first one's, and what differs from it."""
    whole = [json.loads(provenance.text()) for _, provenance in cells]
    first = whole[0]
    found = []
    for (label, _), words in zip(cells, whole, strict=True):
        own = _differing(words, first)
        if "recipe" in own:
            own["recipe"] = _differing(words["recipe"], first["recipe"])
        found.append({"label": label, **own})
    return json.dumps({**first, CELLS: found}, separators=(",", ":"), sort_keys=True, allow_nan=False)


def cells_in(text: str, where: str) -> list[dict[str, Any]]:
    """The cells of a sheet, as the words of their provenances; empty for a single picture.

    The text may be a stranger's: raises RecipeError, which names `where` it comes from, for what is damaged.
    `Provenance.read` checks the words of a cell.
    """
    words = parse_json(text, f"{where}: the recipe inside cannot be read")
    if not isinstance(words, dict) or CELLS not in words:
        return []
    cells, first = words.pop(CELLS), words
    if not isinstance(cells, list) or len(cells) > SHEET_CELLS or not all(isinstance(cell, dict) for cell in cells):
        raise RecipeError(f"{where}: the sheet inside is damaged; name another one")
    found = []
    for cell in cells:
        cell.pop("label", None)
        one = _laid_upon(first, cell)
        if isinstance(first.get("recipe"), dict) and isinstance(cell.get("recipe"), dict):
            one["recipe"] = _laid_upon(first["recipe"], cell["recipe"])
        found.append(one)
    return found


def cell_of(text: str, number: int, where: str) -> Provenance:
    """The provenance of cell `number`, from 1, of a sheet. Raises RecipeError."""
    cells = cells_in(text, where)
    if not cells:
        raise RecipeError(f"{where}: this is no sheet of several pictures; leave out #{number}")
    if not 1 <= number <= len(cells):
        raise RecipeError(f"{where}: this sheet has the pictures #1 to #{len(cells)}, and no #{number}")
    return Provenance.read(json.dumps(cells[number - 1]), f"{where}#{number}")


def same_cells(text: str, now: Sequence[Provenance], where: str) -> bool:
    """Whether these are the pictures of a sheet, one after the other. Raises RecipeError."""
    cells = cells_in(text, where)
    if len(cells) != len(now):
        return False
    found = (Provenance.read(json.dumps(cell), where) for cell in cells)
    return all(one.same_picture(other) for one, other in zip(found, now, strict=True))


def named_cell(name: str) -> tuple[str, int | None]:
    """The file and the number in `sheet.jpg#4`; None where there is no number, or a file of that very name."""
    found = re.fullmatch(r"(.+)#(\d{1,6})", name, re.DOTALL)
    return (found[1], int(found[2])) if found and not os.path.lexists(name) else (name, None)


def _differing(words: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The keys whose values differ from the base's, None for those that are missing."""
    return {key: words.get(key) for key in sorted({*words, *base}) if words.get(key) != base.get(key)}


def _laid_upon(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**base, **own}.items() if value is not None}
