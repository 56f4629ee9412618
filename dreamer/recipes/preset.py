"""Presets: named recipes in TOML files. A preset is data: it can never run, fetch or install anything."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamer.errors import RecipeError, collect_problems, reported_together
from dreamer.recipes.overrides import check_size, merged
from dreamer.recipes.parsing import read_toml
from dreamer.recipes.recipe import INGREDIENTS, SCHEMA, RecipeDict
from dreamer.recipes.registry import Registry, is_distribution

_ABOUT = ("title", "description", "author", "likes", "extends")
BESIDE = ("schema", *_ABOUT, "requires")
"""Keys of a preset's file beside those of its recipe."""
_KEYS = 64  # most keys of one ingredient that are located: a text of many lines may look like more
THUMBNAIL = ".webp"
"""The suffix of a preset's thumbnail."""

_MIGRATIONS: dict[int, Callable[[RecipeDict], dict[str, Any]]] = {}
"""Schema -> function that converts a preset's dict to the next schema. Files are never rewritten."""


@dataclass(frozen=True)
class Preset:
    """A named recipe: `words` holds what differs from the defaults, or from the preset that it `extends`.

    `likes` says which photos suit it, `requires` names the distributions of the plugins that it needs, and `file` is
    the TOML file that it was read from, if any.
    """

    name: str
    title: str
    description: str
    author: str
    words: RecipeDict
    likes: str = ""
    extends: str = ""
    requires: tuple[str, ...] = ()
    file: Path | None = None

    @property
    def thumbnail(self) -> Path | None:
        """The picture beside its file that shows its effect on dreamer's sample scene; None if there is none."""
        path = self.file.with_suffix(THUMBNAIL) if self.file else None
        return path if path and os.path.isfile(path) else None


def read_preset(path: Path) -> Preset:
    """Read a preset from a TOML file; raises RecipeError. The recipe itself is checked when it is built."""
    try:
        words = read_toml(path, what="preset")
    except FileNotFoundError:
        raise RecipeError(f"{path}: there is no such preset file; see `dreamer presets list`") from None
    except OSError as error:
        raise RecipeError(f"{path}: not a readable preset ({error.strerror or error})") from error
    check_size(words, str(path))
    words = migrated(words, str(path))
    about = {key: words.pop(key, "") for key in _ABOUT}
    with reported_together(RecipeError) as problems:
        problems += [f"{path}: {key}: must be text" for key, value in about.items() if not isinstance(value, str)]
        with collect_problems(problems):
            requires = distributions(words.pop("requires", []), f"{path}: requires")
    return Preset(path.stem.encode(errors="replace").decode(), words=words, requires=requires, file=path, **about)


def find_preset(registry: Registry, name: str | Path | Preset) -> Preset:
    """A preset by its name or the path of a TOML file, or the given one, merged with the preset that it extends.

    Of a file the .toml may be left out where no preset has the name.

    Raises RecipeError for an unknown name, with the most similar ones, and for every missing plugin that it requires.
    """
    preset = _found(registry, name)
    with reported_together(RecipeError) as problems:
        problems += [f"preset {preset.name}: {sentence}" for sentence in registry.missing(preset.requires)]
        if preset.extends:
            with collect_problems(problems):
                base = _found(registry, preset.extends, f"preset {preset.name}: extends: ")
                problems += [f"preset {base.name}: {sentence}" for sentence in registry.missing(base.requires)]
                if base.extends:
                    why = f"because it extends {base.extends} itself; extend that one"
                    raise RecipeError(f"preset {preset.name}: {base.name} cannot be extended, {why}")
                preset = replace(preset, words=merged(base.words, preset.words))
    return preset


def _found(registry: Registry, name: str | Path | Preset, where: str = "") -> Preset:
    if isinstance(name, Preset):
        return name
    if not where and (isinstance(name, Path) or name.endswith(".toml")):
        return read_preset(Path(name))
    try:
        entry = registry.presets.get(str(name))
    except RecipeError as error:
        if not where and os.path.isfile(f"{name}.toml"):
            return read_preset(Path(f"{name}.toml"))
        if not where and os.path.isfile(name):
            raise RecipeError(f"{name}: a preset is a name or a .toml file, and this is neither; name one") from None
        raise RecipeError(*(where + problem for problem in error.problems)) from None
    preset: Preset = entry.value()
    return preset


def distributions(names: Any, where: str) -> tuple[str, ...]:
    """Plugin names from an untrusted file, checked before they are shown; raises RecipeError for any other value."""
    if not isinstance(names, Iterable) or isinstance(names, (str, bytes)):
        raise RecipeError(f'{where}: expected a list of plugin names, as in ["dreamer-ink"]')
    given: tuple[str, ...] = tuple(names)
    with reported_together(RecipeError) as problems:
        wrong = [str(name)[:60] for name in given if not is_distribution(name)]
        problems += [f"{where}: {name!r} is not a plugin name; write one as in dreamer-ink" for name in wrong]
    return given


def migrated(words: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A preset's dict converted to this dreamer's schema, without the key; raises RecipeError for a newer one."""
    result = dict(words)
    schema = result.pop("schema", None)
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise RecipeError(f"{where}: its schema is missing or wrong; expected `schema = {SCHEMA}`")
    if schema > SCHEMA:
        newer = f"a newer dreamer (schema {schema}, this one reads up to {SCHEMA})"
        raise RecipeError(f"{where}: made by {newer}; update dreamer")
    for older in range(schema, SCHEMA):
        result = _MIGRATIONS[older](result)
    return result


def lines_of(text: str) -> dict[str, int]:
    """Key path, as errors spell it, -> line number in a preset's TOML, which must be valid."""
    found: dict[str, int] = {}
    table = label = ""
    names: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if header := re.match(r"\s*\[\[?\s*([\w.]+)\s*\]", line):
            table, names = header[1], {}
            found.setdefault(table, number)
        elif pair := re.match(r"\s*([\w.-]+)\s*=\s*(.*)", line):
            if len(names) < _KEYS:
                names[pair[1]] = number
            if table in INGREDIENTS and pair[1] in ("name", "id"):
                label = pair[2].strip().strip("\"'")
                found[f"{table}.{label}"] = number
                found |= {f"{table}.{label}.{key}": line for key, line in names.items()}
            prefix = f"{table}.{label}" if table in INGREDIENTS and ("name" in names or "id" in names) else table
            found[f"{prefix}.{pair[1]}".lstrip(".")] = number
    return found
