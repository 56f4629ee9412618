"""Recipe dicts: merged, changed key by key as by `--set`, compared, and checked for an unreasonable size."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from dreamer.errors import RecipeError, collect_problems, did_you_mean
from dreamer.recipes.options import fields_of, table_problem, tables_problem
from dreamer.recipes.parsing import parse_toml
from dreamer.recipes.recipe import INGREDIENTS, ONES, Recipe, RecipeDict, Vocabulary

_MOST, _DEEPEST, _LONGEST = 5_000, 8, 1_000  # values in a recipe, levels of nested tables, letters in a text
_ITEM = object()
"""Stands for an ingredient among the values of options."""


def merged(base: RecipeDict, over: RecipeDict) -> dict[str, Any]:
    """`base` overridden by `over`: tables key by key, while a list of ingredients replaces the whole list.

    A canvas or an optimiser with another name keeps none of the options of the one that it replaces.
    """
    result = copy.deepcopy(dict(base))
    for key, value in copy.deepcopy(dict(over)).items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and not _is_another(key, below, value):
            value = {**below, **value}
        result[key] = value
    return result


def difference(words: RecipeDict, base: RecipeDict, vocabulary: Vocabulary) -> dict[str, Any]:
    """The part of a recipe that a preset has to state.

    Args:
        words: The complete recipe.
        base: The recipe that it is compared with, such as the defaults.
        vocabulary: Where the ingredients' default options come from.

    Returns:
        The network, the objectives, and everything that differs from `base`; of an ingredient, the options that differ
        from their defaults.
    """
    result: dict[str, Any] = {}
    for key, value in words.items():
        if key in INGREDIENTS:
            if key == "objectives" or value != base.get(key):
                result[key] = [_brief(key, item, vocabulary) for item in value]
        elif key == "regions":
            result[key] = [_brief_region(region, vocabulary) for region in value]
        elif isinstance(value, Mapping):
            below = base.get(key, {})
            if _is_another(key, below, value):
                result[key] = _brief(ONES[key], value, vocabulary)
            elif own := {inner: v for inner, v in value.items() if v != below.get(inner)}:
                result[key] = own
        elif key == "network" or value != base.get(key):
            result[key] = value
    return result


def changes_between(words: RecipeDict, base: RecipeDict) -> list[str]:
    """The differences of a complete recipe from another, a phrase for each: `octaves.steps = 20 instead of 10`."""
    here, there = _leaves(words), _leaves(base)
    new = [key for key, value in here.items() if value is _ITEM and key not in there]
    told = [f"{key} is left out" for key, value in there.items() if value is _ITEM and key not in here]
    told += [f"{key} is added" for key in new]
    for key, value in here.items():
        if key not in there and value is not _ITEM and key.rpartition(".")[0] not in new:
            told.append(f"{key} = {_shown(value)}")
        elif key in there and value != there[key]:
            told.append(f"{key} = {_shown(value)} instead of {_shown(there[key])}")
    return told


def _leaves(words: RecipeDict) -> dict[str, Any]:
    """Key path, as `--set` speaks, -> value; of an ingredient itself -> `_ITEM`."""
    found: dict[str, Any] = {}
    for key, value in words.items():
        if key in INGREDIENTS:
            for item in value:
                label = f"{key}.{item.get('id', item['name'])}"
                found[label] = _ITEM
                found |= {f"{label}.{name}": inner for name, inner in item.items() if name not in ("id", "name")}
        elif isinstance(value, Mapping):
            found |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            found[key] = value
    return found


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        plain = not any(isinstance(item, Mapping) for item in value)
        return (",".join(map(_shown, value)) or "none")[:60] if plain else f"{len(value)} of them"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _brief_region(region: RecipeDict, vocabulary: Vocabulary) -> dict[str, Any]:
    objectives = [_brief("objectives", item, vocabulary) for item in region.get("objectives", ())]
    return {**region, **({"objectives": objectives} if objectives else {})}


def _brief(kind: str, item: RecipeDict, vocabulary: Vocabulary) -> dict[str, Any]:
    defaults = {name: option.default for name, option in vocabulary(kind, item["name"]).items()} | {"weight": 1.0}
    as_lists = {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()}
    return {key: value for key, value in item.items() if key not in as_lists or value != as_lists[key]}


def with_change(words: RecipeDict, key: str, value: Any) -> dict[str, Any]:
    """A recipe dict with one key set, as by `--set KEY=VALUE`.

    Args:
        words: The recipe dict, which is not changed.
        key: Key path, as in `octaves.steps` or `priors.total_variation.weight`. An ingredient that is missing is added.
        value: The value, not checked here; of an ingredient alone, as of `priors.total_variation`, a dict of options.

    Raises:
        RecipeError: There is no such key, or several ingredients have this name.
    """
    result = copy.deepcopy(dict(words))
    head, *tail = key.split(".")
    if not tail:
        result[head] = value
    elif head in ("octaves", *ONES) and len(tail) == 1:
        if problem := table_problem(head, result.get(head, {})):
            raise RecipeError(problem)
        result = merged(result, {head: {tail[0]: value}})
    elif head in INGREDIENTS and (len(tail) > 1 or isinstance(value, Mapping)):
        alone = isinstance(value, Mapping) and (len(tail) == 1 or ":" in tail[-1])
        name = ".".join(tail if alone else tail[:-1])  # a full name can contain dots
        options = value if alone else {tail[-1]: value}
        if problem := tables_problem(head, result.get(head, [])):
            raise RecipeError(problem)
        items = result[head] = list(result.get(head, []))
        found = [item for item in items if item.get("id", item.get("name")) == name]
        found = found or [item for item in items if item.get("name") == name]
        if len(found) > 1:
            ids = [str(item["id"]) for item in found if "id" in item]
            how = f"use an id instead ({', '.join(ids)})" if ids else f"give each an id, or all of {head} anew"
            raise RecipeError(f"{key}: the recipe has {len(found)} {head} called {name}; {how}")
        if not found:
            found = [{"name": name}]
            items += found
        found[0] |= options
    else:
        known = [*fields_of(Recipe), "octaves", *INGREDIENTS, *ONES]
        example = "write keys as in colour, octaves.steps or priors.total_variation.weight"
        guess = "" if head in known else did_you_mean(head, known)
        raise RecipeError(f"{key}: there is no such key; {example}{guess}")
    return result


def with_changes(words: RecipeDict, changes: Iterable[tuple[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """A recipe dict with every valid key set, in order, and a sentence for each key that does not exist."""
    result, problems = dict(words), list[str]()
    for key, value in changes:
        with collect_problems(problems):
            result = with_change(result, key, value)
    return result, problems


def read_setting(text: str) -> tuple[str, Any]:
    """Split `KEY=VALUE` into the key and the value, which is parsed as TOML if it is TOML, and else is text.

    An ingredient alone, as `transforms.mirror`, has no options to be set.
    """
    key, equals, value = text.partition("=")
    kind, _, name = key.partition(".")
    if not equals and kind in INGREDIENTS and name and ("." not in name or ":" in name):
        return key, {}
    if not equals or not key.strip():
        raise RecipeError(f"--set {text}: write KEY=VALUE, as in --set octaves.steps=20")
    try:
        return key.strip(), parse_toml(f"x = {value}", "--set")["x"]
    except RecipeError:
        return key.strip(), value.strip()


def check_size(words: Any, where: str) -> None:
    """Raise RecipeError if a recipe dict is larger than any real one, since it can come from an untrusted file."""
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
    limits = f"at most {_MOST} values, {_DEEPEST} levels of tables and {_LONGEST} letters in a text"
    raise RecipeError(f"{where}: too large for a recipe, which has {limits}")


def _is_another(key: str, below: Any, over: Any) -> bool:
    """Whether `over` replaces the canvas or optimiser of `below` by one with another name."""
    return key in ONES and "name" in over and over["name"] != below.get("name")
