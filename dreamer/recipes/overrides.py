"""Recipes in words: laid one upon another, changed key by key, told apart; what a stranger's may have of them."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from dreamer.errors import RecipeError, collect_problems, did_you_mean
from dreamer.recipes.options import fields_of
from dreamer.recipes.recipe import (
    INGREDIENTS,
    ONES,
    Recipe,
    RecipeDict,
    Vocabulary,
    is_tables,
    table_wanted,
    tables_wanted,
)

_MOST, _DEEPEST, _LONGEST = 5_000, 8, 1_000  # values in a recipe, tables within tables, letters of a text


def merged(base: RecipeDict, over: RecipeDict) -> dict[str, Any]:
    """`over` laid upon `base`: tables key by key; a list of ingredients replaces the list beneath it.

    A canvas or an optimiser of another name brings its own options: none of the one beneath it stay.
    """
    result = copy.deepcopy(dict(base))
    for key, value in copy.deepcopy(dict(over)).items():
        below = result.get(key)
        tables = isinstance(below, dict) and isinstance(value, dict)
        if tables and not _is_another(key, below, value):
            value = {**result[key], **value}
        result[key] = value
    return result


def difference(words: RecipeDict, base: RecipeDict, vocabulary: Vocabulary) -> dict[str, Any]:
    """What a preset has to say of a whole recipe: network and objectives, and what is not as in `base`.

    Of an ingredient it keeps the options that are not as its function has them.
    """
    result: dict[str, Any] = {}
    for key, value in words.items():
        if key in INGREDIENTS:
            if key == "objectives" or value != base.get(key):
                result[key] = [_brief(kind=key, item=item, vocabulary=vocabulary) for item in value]
        elif isinstance(value, Mapping):
            below = base.get(key, {})
            if _is_another(key, below, value):
                result[key] = _brief(kind=ONES[key], item=value, vocabulary=vocabulary)
            elif own := {inner: v for inner, v in value.items() if v != below.get(inner)}:
                result[key] = own
        elif key == "network" or value != base.get(key):
            result[key] = value
    return result


def _brief(kind: str, item: RecipeDict, vocabulary: Vocabulary) -> dict[str, Any]:
    usual = {name: option.default for name, option in vocabulary(kind, item["name"]).items()} | {"weight": 1.0}
    as_list = {key: list(value) if isinstance(value, tuple) else value for key, value in usual.items()}
    return {key: value for key, value in item.items() if key not in as_list or value != as_list[key]}


def with_change(words: RecipeDict, key: str, value: Any) -> dict[str, Any]:
    """The words with one key set, as `--set KEY=VALUE` speaks: `octaves.steps`, `priors.total_variation.weight`.

    Naming an ingredient that the recipe lacks adds it. Raises RecipeError for a path that leads nowhere.
    """
    result = copy.deepcopy(dict(words))
    head, *tail = key.split(".")
    if not tail:
        result[head] = value
    elif head in ("octaves", *ONES) and len(tail) == 1:
        if not isinstance(result.get(head, {}), Mapping):
            raise RecipeError(table_wanted(head))
        result = merged(result, {head: {tail[0]: value}})
    elif head in INGREDIENTS and len(tail) > 1:
        name, option = ".".join(tail[:-1]), tail[-1]  # a full name may have dots
        if not is_tables(result.get(head, [])):
            raise RecipeError(tables_wanted(head))
        items = result[head] = list(result.get(head, []))
        found = [item for item in items if item.get("id", item.get("name")) == name]
        found = found or [item for item in items if item.get("name") == name]
        if len(found) > 1:
            ids = ", ".join(str(item.get("id", "(none)")) for item in found)
            raise RecipeError(f"{key}: {name} is there {len(found)} times; name it by its id ({ids})")
        if not found:
            found = [{"name": name}]
            items.append(found[0])
        found[0][option] = value
    else:
        known = [*fields_of(Recipe), "octaves", *INGREDIENTS, *ONES]
        written = "keys are written as colour, octaves.steps or priors.total_variation.weight"
        guess = "" if head in known else did_you_mean(head, known)
        raise RecipeError(f"{key}: there is no such key; {written}{guess}")
    return result


def with_changes(words: RecipeDict, changes: Iterable[tuple[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """The words with every key set that can be, one after another, and a sentence for each that leads nowhere."""
    result, problems = dict(words), list[str]()
    for key, value in changes:
        with collect_problems(problems):
            result = with_change(result, key, value)
    return result, problems


def read_setting(text: str) -> tuple[str, Any]:
    """`KEY=VALUE` as a key and a value: TOML where it is TOML, plain text otherwise."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {text}: write KEY=VALUE, as in --set octaves.steps=20")
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), value.strip()


def check_size(words: Any, where: str) -> None:
    """Raises RecipeError when there is more in the words than a recipe has use for: they may be a stranger's."""
    level, count = [words], 0
    for _ in range(_DEEPEST):
        keys = [key for item in level if isinstance(item, Mapping) for key in item]
        below = [item.values() if isinstance(item, Mapping) else item for item in level]
        level = [value for values in below if not isinstance(values, str) for value in values]
        texts = [*keys, *(value for value in level if isinstance(value, str))]
        count += len(level) + sum(_MOST for text in texts if len(text) > _LONGEST)
        level = [value for value in level if isinstance(value, (Mapping, list))]
        if not level and count <= _MOST:
            return
    raise RecipeError(f"{where}: no recipe is that large (at most {_MOST} values, {_DEEPEST} tables deep)")


def _is_another(key: str, below: Any, over: Any) -> bool:
    """Whether both are tables of one ingredient each, and not of the same."""
    return key in ONES and "name" in over and over["name"] != below.get("name")
