"""Drives: the words that say which curve of a song moves what in a clip, and how far.

[[drives]]
of = "bass"        # a curve of the song, or a table: curve.csv, or curve.csv#column
to = "rate"
from = 1.1         # where the curve is 0
upto = 1.9         # where it is 1
attack = 0.02      # seconds to rise
release = 0.3      # and to fall
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dreamer.errors import RecipeError, did_you_mean, either, reported_together
from dreamer.recipes.options import Option, Range, read_all

Target = Literal["rate", "angle", "pan", "strength", "colour", "feature_size", "preset"]
CURVES = ("loudness", "bass", "middle", "treble", "onsets", "beat", "sections")
"""Curves of a song; `beat` is 0 on each beat and rises to 1 before the next, `sections` is the novelty of its sound."""
_RANGES: dict[str, tuple[float, float]] = {
    "rate": (1, 100),
    "angle": (-720, 720),
    "pan": (-2, 2),
    "strength": (0, 1),
    "colour": (0, 1),
    "feature_size": (0.5, 100),
}
_MOST = 64
_OPTIONS = {
    "of": Option("of", str, None),
    "to": Option("to", Target, None),
    "from": Option("from", tuple[float, ...], None),
    "upto": Option("upto", tuple[float, ...], None),
    "attack": Option("attack", float, None, Range(0, 60)),
    "release": Option("release", float, None, Range(0, 60)),
    "presets": Option("presets", tuple[str, ...], None),
}


@dataclass(frozen=True)
class Drive:
    """A curve, what it moves, and between which values: a number each, two for a pan.

    `strength` is a share of the recipe's own. A drive to `preset` has `presets` instead, which take turns at the song's
    sections.
    """

    of: str
    to: Target
    begin: tuple[float, ...] = ()
    upto: tuple[float, ...] = ()
    attack: float = 0.01
    release: float = 0.2
    presets: tuple[str, ...] = ()

    @property
    def file(self) -> tuple[str, str] | None:
        """The CSV file and its column, which is empty for the first; None for a curve of the song."""
        name, _, column = self.of.partition("#")
        return (name, column) if name.lower().endswith(".csv") else None

    def words(self) -> dict[str, Any]:
        """The drive as TOML and JSON can hold it; the reverse of `drives_from`."""
        if self.to == "preset":
            return {"of": self.of, "to": self.to, "presets": list(self.presets)}
        ends = {name: list(v) if len(v) > 1 else v[0] for name, v in (("from", self.begin), ("upto", self.upto))}
        return {"of": self.of, "to": self.to, **ends, "attack": self.attack, "release": self.release}


ZOOM_DANCE = (
    Drive("bass", "rate", (1.1,), (1.9,), 0.02, 0.3),
    Drive("onsets", "strength", (0.6,), (1.0,), 0.01, 0.5),
    Drive("treble", "colour", (0.75,), (0.1,), 0.05, 0.3),
)
"""The drives of `--dance` for a zoom."""
FILM_TARGETS: tuple[Target, ...] = ("strength", "colour", "feature_size", "preset")
"""Settings of a clip that can be driven."""
FILM_DANCE = (
    Drive("bass", "strength", (0.25,), (1.0,), 0.02, 0.3),
    Drive("treble", "colour", (0.75,), (0.1,), 0.05, 0.3),
)
"""The drives of `--dance` for a clip."""


def drives_from(tables: Any, targets: Iterable[str] = get_args(Target)) -> tuple[Drive, ...]:
    """Drives from dicts, as TOML gives them; raises RecipeError with every mistake.

    Args:
        tables: The list of tables.
        targets: What can be driven.
    """
    if not isinstance(tables, Sequence) or not all(isinstance(table, Mapping) for table in tables):
        how = either("dicts, as in [{'of': 'bass', 'to': 'rate', ...}]", "tables, as in [[drives]]")
        raise RecipeError(f"drives: expected a list of {how}")
    if len(tables) > _MOST:
        raise RecipeError(f"drives: {len(tables)} are too many; leave some out, the limit is {_MOST}")
    found: list[Drive] = []
    with reported_together(RecipeError) as problems:
        for number, table in enumerate(tables):
            where = f"drives[{number}]"
            values, wrong = read_all(table, _OPTIONS, where)
            wrong += _wrong(table, values, where, tuple(targets)) if not wrong else []
            to = values.get("to")
            if not wrong and any(drive.to == to for drive in found):
                wrong.append(f"{where}.to: {to} is driven already, and one curve can move it; leave one out")
            problems += wrong
            if not wrong:
                found.append(Drive(begin=values.pop("from", ()), **values))
    return tuple(found)


def _wrong(table: Mapping[str, Any], values: Mapping[str, Any], where: str, targets: Sequence[str]) -> list[str]:
    """Problems of a drive whose values are of the right types."""
    needed = ("of", "to", "presets") if values.get("to") == "preset" else ("of", "to", "from", "upto")
    if missing := [name for name in needed if name not in values]:
        return [f"{where}: it needs {' and '.join(missing)}"]
    to, wrong = values["to"], []
    if to not in targets:
        wrong.append(f"{where}.to: {to} cannot be driven here; {', '.join(targets)} can")
    if values["of"] not in CURVES and not Drive(values["of"], to).file:
        near = did_you_mean(values["of"], CURVES)
        wrong.append(f"{where}.of: {values['of']} is no curve{near}; there are {', '.join(CURVES)}, and .csv files")
    if to == "preset":
        if values["of"] != "sections":
            wrong.append(f'{where}.of: a preset changes at sections; write of = "sections"')
        if len(values["presets"]) < 2:
            wrong.append(f"{where}.presets: it needs two presets at least, which take turns")
        return wrong + [f"{where}.{name}: a preset has none" for name in ("from", "upto") if name in table]
    if "presets" in table:
        wrong.append(f"{where}.presets: only a drive to preset has them")
    low, high = _RANGES[to]
    count = 2 if to == "pan" else 1
    for name in ("from", "upto"):
        if len(values[name]) != count:
            wrong.append(f"{where}.{name}: expected {'two numbers' if count > 1 else 'a number'}")
        elif not all(low <= value <= high for value in values[name]):
            wrong.append(f"{where}.{name}: expected {low:g} to {high:g}")
    return wrong
