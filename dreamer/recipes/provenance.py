"""Provenance: stored inside a picture so that it can be made again. Recipe, machine, versions and hashes, no paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dreamer.errors import RecipeError
from dreamer.files.suffixes import is_file_name
from dreamer.recipes.overrides import check_size
from dreamer.recipes.parsing import parse_json
from dreamer.recipes.preset import distributions, migrated
from dreamer.recipes.recipe import SCHEMA

_INPUTS = ("recipe", "weights", "photo", "guide", "pictures")
_IF_ANY = ("weights_file", "origins")  # keys that are left out where there is nothing to say
_PLACES = {"folder": "a folder", "git": "a git address", "file": "a file"}


@dataclass(frozen=True)
class Provenance:
    """Everything that a picture was made from.

    `recipe` is the complete recipe dict, `machine` the device, precision and tile with the torch version; `dreamer` and
    `plugins` (those that it needs) are versions; `weights`, `photo` and `guide` are SHA-256 hashes of the files (or of
    weights that are in none), and `pictures` is that of the pictures that a sheet starts from. `weights_file` is the
    name of a file with the person's own weights, empty for those that come with the network. `origins` says for each
    plugin where it was installed from: "index", "folder", "git", "file" or "address", and never which.
    """

    recipe: Mapping[str, Any]
    machine: Mapping[str, Any]
    dreamer: str
    weights: str
    photo: str
    guide: str = ""
    plugins: Mapping[str, str] = field(default_factory=dict)
    pictures: str = ""
    weights_file: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The provenance as compact JSON; ValueError for NaN or infinity, which a recipe that was read has not."""
        words = {"schema": SCHEMA, **asdict(self)}
        words = {key: value for key, value in words.items() if value or key not in _IF_ANY}
        return json.dumps(words, separators=(",", ":"), sort_keys=True, allow_nan=False)

    @classmethod
    def read(cls, text: str, where: str) -> Provenance:
        """Read the provenance from JSON, which is not trusted; the recipe itself is checked when it is built.

        Raises RecipeError, which names `where` the text comes from.
        """
        words = parse_json(text, f"{where}: the recipe inside cannot be read")
        if not isinstance(words, dict):
            raise RecipeError(f"{where}: the recipe inside is not a JSON object; use another file")
        if "cells" in words:
            raise RecipeError(f"{where}: this is a sheet of several pictures; name one of them, as in {where}#4")
        check_size(words, where)
        words = migrated(words, where)
        kinds = {"recipe": dict, "machine": dict, "plugins": dict, "origins": dict}
        known = {name: words.get(name, kinds.get(name, str)()) for name in cls.__dataclass_fields__}
        wrong = [name for name, value in known.items() if not isinstance(value, kinds.get(name, str))]
        if wrong:
            raise RecipeError(f"{where}: the recipe inside is damaged at {', '.join(wrong)}; use another file")
        distributions(known["plugins"], f"{where}: plugins")
        _check_looks(known["recipe"].get("regions"), f"{where}: regions")
        return cls(**known)

    def places(self) -> dict[str, str]:
        """Plugin -> where it was installed from, as a phrase, for those that do not come from the package index."""
        return {name: _PLACES.get(str(kind), "an address") for name, kind in self.origins.items() if kind != "index"}

    def same_picture(self, other: Provenance) -> bool:
        """Whether recipe, weights, photo, guide and pictures are the same; machine and versions can differ."""
        return not self._other_inputs(other)

    def differences(self, now: Provenance) -> list[str]:
        """A sentence for each reason why making the picture again could give other bytes."""
        verbs = {"weights": "are", "pictures": "are"}
        found = [f"the {what} {verbs.get(what, 'is')} different" for what in self._other_inputs(now)]
        if self.dreamer != now.dreamer:
            found.append(f"dreamer was {self.dreamer or 'unknown'}, is {now.dreamer}")
        found += _changes(self.plugins, now.plugins, "plugin ", "absent")
        return found + _changes(self.machine, now.machine, "", "unknown")

    def _other_inputs(self, other: Provenance) -> list[str]:
        """The inputs that differ, compared as JSON, in which tuples are lists; weights that are not known do not."""
        parts = [part for part in _INPUTS if part != "weights" or (self.weights and other.weights)]
        return [part for part in parts if _plain(getattr(self, part)) != _plain(getattr(other, part))]


def _check_looks(regions: Any, where: str) -> None:
    """Raise RecipeError for a region whose look would be read from a file."""
    for region in regions if isinstance(regions, list) else ():
        look = region.get("look") if isinstance(region, dict) and not region.get("objectives") else None
        if isinstance(look, str) and is_file_name(look):
            raise RecipeError(
                f"{where}: a picture may name a preset as a look, but not a file, as {look[:60]} is; use --region"
            )


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], noun: str, absent: str) -> list[str]:
    """A sentence for each key whose value is another one, sorted."""
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return [f"{noun}{name} was {before.get(name, absent)}, is {now.get(name, absent)}" for name in names]


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
