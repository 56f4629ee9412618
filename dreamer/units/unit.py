"""The unit: a piece of work that says everything by path and hash, so that any process on any machine can make it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Order:
    """The part that all units of a command share, as JSON can hold it.

    `maker` names what makes them, as in "dreamer.cli.making:Photos": a class that is called with `words` and has a
    method `make` (see `dreamer.units.serving`). `here` is the folder that relative paths start from.
    """

    maker: str
    words: Mapping[str, Any]
    here: str


@dataclass(frozen=True)
class Unit:
    """One photo, one chunk of a film, one cell of a sheet: `label` names it for people.

    `words` say what to make and where; they hold paths, hashes and numbers, never pixels. `folder` is where the result
    is written.
    """

    label: str
    words: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""

    def key(self, order: Order) -> str:
        """A hash of everything that decides the result: the same wherever and whenever the work is done."""
        text = json.dumps([order.maker, order.words, self.words], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """The unit as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a unit: its `result`, or the `problems`, sentences, for which it was set aside.

    `code` is the exit code that the problems stand for: 2 for wrong input, 1 for a failure.
    """

    unit: Unit
    result: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    code: int = 0
