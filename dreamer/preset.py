"""A preset: a recipe worth a name, as a TOML file. It is data: it can never run, fetch or install anything."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamer.errors import RecipeError
from dreamer.recipe import SCHEMA, check_size
from dreamer.registry import Shelf

_LARGEST = 1_000_000  # bytes
_ABOUT = ("title", "description", "author")


@dataclass(frozen=True)
class Preset:
    """`words` are the recipe's; only what differs from the defaults is named."""

    name: str
    title: str
    description: str
    author: str
    words: Mapping[str, Any]


def read_preset(path: Path) -> Preset:
    """The preset in a TOML file; raises RecipeError. What its words mean is checked when they are composed."""
    try:
        if path.stat().st_size > _LARGEST:
            raise RecipeError(f"{path}: too large for a preset")
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: there is no such preset file") from None
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise RecipeError(f"{path}: not a preset that can be read ({why})") from error
    check_size(words, str(path))
    check_schema(words.pop("schema", None), str(path))
    about = {key: words.pop(key, "") for key in _ABOUT}
    wrong = [f"{path}: {key}: must be a text" for key, value in about.items() if not isinstance(value, str)]
    if wrong:
        raise RecipeError(*wrong)
    return Preset(path.stem, words=words, **about)


def find_preset(shelf: Shelf[Any], name: str | Path) -> Preset:
    """A preset by name, or by the path of a TOML file; raises RecipeError with the nearest names."""
    if isinstance(name, Path) or name.endswith(".toml"):
        return read_preset(Path(name))
    value = shelf.get(name).value
    return value if isinstance(value, Preset) else read_preset(Path(value))


def check_schema(schema: Any, where: str) -> None:
    """Raises RecipeError unless the schema is one that this dreamer reads."""
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise RecipeError(f"{where}: it must say `schema = {SCHEMA}`")
    if schema > SCHEMA:
        raise RecipeError(f"{where}: made by a newer dreamer (schema {schema}, this one reads up to {SCHEMA})")
