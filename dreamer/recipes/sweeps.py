"""Sweeps: the values that keys of a recipe take in turn, and the cells of the sheet that shows all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

from dreamer.errors import RecipeError, collect_problems, did_you_mean, either, reported_together, usage_error
from dreamer.recipes.options import fields_of
from dreamer.recipes.overrides import with_change
from dreamer.recipes.parsing import parse_toml
from dreamer.recipes.recipe import INGREDIENTS, ONES, Octaves, Recipe

CELLS = 100
"""The most cells of a sheet."""
AXES = 3
LOOKS = ("preset", "recipe", "network", "layer", "motif", "channel", "guide")
"""Options that a sweep may vary besides recipe keys: those that name something."""
VARIATION = "variation"
"""The axis of small changes (`dreamer.recipes.variations`); its first cell is the recipe itself."""
ALIASES = {"keep": "spare", "feature-size": "octaves.feature_size", "steps": "octaves.steps"}
"""Options whose names differ from the keys that they set."""
_LETTERS = 60  # letters of the longest label


@dataclass(frozen=True)
class Axis:
    """A key and the values that it takes in turn; `texts` are these as they are written."""

    key: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]

    @property
    def sets(self) -> str:
        """The key of the recipe that it sets, or one of `LOOKS`."""
        return ALIASES.get(self.key, self.key)

    @property
    def name(self) -> str:
        """The key in short."""
        return key_name(self.key)

    @property
    def labels(self) -> tuple[str, ...]:
        """A label for each value, as in `strength 0.3`."""
        return tuple(f"{self.name} {text}"[:_LETTERS] for text in self.texts)


@dataclass(frozen=True)
class Cell:
    """A cell of a sheet: its number, from 1 in the order of reading, a label for each axis, and the place on each."""

    number: int
    labels: tuple[str, ...]
    at: tuple[tuple[Axis, int], ...] = ()

    @property
    def sets(self) -> dict[str, Any]:
        """The value of each key."""
        return {axis.sets: axis.values[number] for axis, number in self.at}

    @property
    def title(self) -> str:
        """The caption on the sheet, as in #4 strength 0.3; only the number for a variation."""
        own = [label for label, (axis, _) in zip(self.labels, self.at, strict=True) if axis.sets != VARIATION]
        return " ".join((f"#{self.number}", ", ".join(own))).rstrip()

    @property
    def settings(self) -> list[str]:
        """The --set words that make the cell on a command line, without `LOOKS` and variations."""
        own = [(axis.sets, axis.texts[number]) for axis, number in self.at if axis.sets not in (*LOOKS, VARIATION)]
        return [word for key, text in own for word in ("--set", f"{key}={text}")]

    def file_name(self, count: int, suffix: str) -> str:
        """The name of the cell's own file among `count`, as in 04-strength-0.3-layer-m4a.jpg."""
        words = (label.replace("%", " percent") for label in self.labels)
        plain = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", word).strip("-.") for word in words)
        return f"{self.number:0{len(str(count))}}-{plain}"[:_LETTERS].rstrip("-.") + suffix


def read_axis(text: str) -> Axis:
    """An axis from `KEY=VALUE,VALUE,...`, where whole numbers may be a range, 1-10, and a list stands in brackets.

    Raises RecipeError with every mistake that it takes no ingredient and no network to know.
    """
    key, equals, written = (part.strip() for part in text.partition("="))
    texts = [part for piece in _parts(written) for part in _spread(piece, f"--sweep {text:.60}")]
    if not equals or not key or not texts:
        raise RecipeError(f"--sweep {text:.60}: write KEY=VALUE,VALUE, as in --sweep strength=.3,.6,1")
    values = [_value(part) for part in texts]
    axis = Axis(key, tuple(values), tuple(map(_text, texts, values)))
    with reported_together(RecipeError) as problems:
        twice = [text for number, text in enumerate(axis.texts) if text in axis.texts[:number]]
        problems += [f"--sweep {key}: {text[:60]} stands there twice; leave one out" for text in dict.fromkeys(twice)]
        with collect_problems(problems):
            check_axis(axis, f"--sweep {key}")
    return axis


def check_axis(axis: Axis, where: str, others: Container[str] = ()) -> None:
    """Raise RecipeError with every mistake of an axis that it takes no ingredient and no network to know.

    `others` are keys besides the recipe's and `LOOKS`.
    """
    with reported_together(RecipeError) as problems:
        if not axis.values:
            problems.append(f"{where}: it has no values; give some, as in {either('[0.3, 0.6]', '.3,.6')}")
        if axis.sets not in LOOKS and axis.sets not in others:
            with collect_problems(problems):
                with_change({}, axis.sets, next(iter(axis.values), None))
            problems += [f"{where}: {problem}" for problem in _misfits(axis)]


def counted(key: str, numbers: Sequence[int]) -> Axis:
    """The axis of numbers: seeds, or variations."""
    return Axis(key, tuple(numbers), tuple(map(str, numbers)))


def wrapped(axes: Sequence[Axis]) -> int:
    """The columns of a sheet: those of the last axis, or for a single one so many that few places stay empty."""
    count = len(axes[-1].values)
    if len(axes) > 1:
        return count
    square = math.ceil(math.sqrt(count))
    return min(square, square + 1, key=lambda columns: -count % columns)


def cells_of(axes: Sequence[Axis]) -> list[Cell]:
    """All cells, the last axis changing fastest. Raises RecipeError for too many, or for too many axes."""
    count = math.prod(len(axis.values) for axis in axes)
    sweep = either("axes", "--sweep")
    with reported_together(RecipeError) as problems:
        keys = [axis.sets for axis in axes]
        repeated = [axis.key for number, axis in enumerate(axes) if axis.sets in keys[:number]]
        problems += [f"{sweep}: {key} is swept twice; give all of its values at once" for key in repeated]
        if len(axes) > AXES:
            problems.append(f"{sweep}: there are {len(axes)}, and a sheet shows at most {AXES}; leave some out")
        elif count > CELLS:
            sizes = " x ".join(str(len(axis.values)) for axis in axes)
            found = f"{sizes} are {count} cells" if len(axes) > 1 else f"{axes[0].key} has more than {CELLS} values"
            problems.append(f"{sweep}: {found}, and a sheet has at most {CELLS}; give fewer values")
    ways = product(*(range(len(axis.values)) for axis in axes))
    return [
        Cell(
            number,
            tuple(axis.labels[at] for axis, at in zip(axes, way, strict=True)),
            tuple(zip(axes, way, strict=True)),
        )
        for number, way in enumerate(ways, 1)
    ]


def key_name(key: str) -> str:
    """A key in short: `motif layer` for objectives.motif.layer, `steps` for octaves.steps."""
    head, *tail = key.split(".")
    return " ".join(tail) or head


def headings(axes: Sequence[Axis]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of a sheet's columns and rows; none for a single axis, whose cells have them."""
    if len(axes) < 2:
        return (), ()
    *rows, columns = axes
    return columns.labels, tuple(", ".join(labels) for labels in product(*(axis.labels for axis in rows)))


@contextmanager
def blamed(cells: Sequence[Cell]) -> Iterator[Callable[..., AbstractContextManager[None]]]:
    """Gives a block for each cell, or for several; the problems found in these are raised together at the end.

    Where not all cells have a problem, its sentence says which do.
    """
    found: dict[str, list[Cell]] = {}

    @contextmanager
    def wrong(*some: Cell) -> Iterator[None]:
        problems: list[str] = []
        with collect_problems(problems):
            yield
        for problem in problems:
            found.setdefault(problem, []).extend(some)

    yield wrong
    if found:
        raise usage_error(*(_blaming(problem, having, len(cells)) for problem, having in found.items()))


def _blaming(problem: str, having: Sequence[Cell], count: int) -> str:
    common = [label for label in having[0].labels if all(label in cell.labels for cell in having)]
    some = f" (in {len(having)} of {count} cells{': ' * bool(common)}{', '.join(common)})"
    return problem + (some if len(having) < count else "")


def _misfits(axis: Axis) -> list[str]:
    """Problems of values of the recipe's own keys, whose ranges are known without ingredients."""
    known = {**fields_of(Recipe), **{f"octaves.{key}": option for key, option in fields_of(Octaves).items()}}
    tables = (*INGREDIENTS, *ONES)
    if axis.sets not in (*known, *tables) and ("." not in axis.key or axis.key.startswith("octaves.")):
        names = (*LOOKS, *ALIASES, *known, *tables)
        return [f"there is no such key{did_you_mean(axis.key, names)}"]
    wrong = []
    for value in axis.values if axis.sets in known else ():
        try:
            known[axis.sets].read(value)
        except ValueError as error:
            wrong.append(str(error))
    return wrong


def _parts(text: str) -> list[str]:
    """The text at its commas, but not at those within brackets or quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "[{") - (letter in "]}") if not quote else 0
        if letter == "," and not quote and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _spread(text: str, where: str) -> list[str]:
    """The numbers of a range, 1-10; else the text alone."""
    ends = re.fullmatch(r"(\d{1,18})-(\d{1,18})", text)
    if not ends:
        return [text]
    first, last = int(ends[1]), int(ends[2])
    if last < first:
        raise RecipeError(f"{where}: {text} runs backwards; write {last}-{first}")
    return [str(number) for number in range(first, min(last, first + CELLS) + 1)]


def _value(text: str) -> Any:
    """The value that a text stands for: TOML's, a number such as .3, or the text; brackets make a list of it."""
    with suppress(RecipeError):
        return parse_toml(f"x = {text}", "--sweep")["x"]
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _text(text: str, value: Any) -> str:
    return str(value) if isinstance(value, (str, float, int)) and not isinstance(value, bool) else text
