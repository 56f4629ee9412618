"""A recipe: everything that decides the picture except the photo, as plain immutable data.

Words are what people write: nested dicts and lists, as TOML and JSON give them. Several layers of words (dreamer's
defaults, the network's, a preset's, the command line's) are merged first; `Recipe.read` then checks the whole and
reports every mistake at once, each with its key path.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

from dreamer.errors import RecipeError, did_you_mean
from dreamer.options import Option, Range, fields_of, read_all

Words = Mapping[str, Any]
Vocabulary = Callable[[str, str], Mapping[str, Option]]
"""(kind, name) -> the options of that ingredient; raises RecipeError for an unknown name."""

SCHEMA = 1
_MOST, _DEEPEST, _LONGEST = 5_000, 8, 1_000  # values in a recipe, tables within tables, letters of a text
INGREDIENTS = ("objectives", "priors", "transforms", "gradient_filters", "updates")
"""Kinds of which a recipe has a list each."""
ONES: Mapping[str, str] = {"canvas": "canvases", "optimiser": "optimisers"}
"""Kinds of which it has one, in a table of this name."""
KINDS = (*INGREDIENTS, *ONES.values())

DEFAULTS: Words = {
    "objectives": [{"name": "deepdream"}],
    "transforms": [{"name": "jitter"}],
    "gradient_filters": [{"name": "laplacian"}, {"name": "even"}],
}
"""What dreamer dreams when nobody says otherwise; the rest are the defaults of the classes below."""


@dataclass(frozen=True)
class Octaves:
    """The scales of the dream. Without `count` it follows from the picture: the first octave's shortest side is at
    least `smallest` pixels. With `feature_size` they rise from where features grow to that percentage of the picture's
    shortest side, whatever its size. `step_size` is in image units: black to white is 1. Without `reinject` an octave
    goes on with the last one's picture, enlarged, and the photo's own detail is lost."""

    smallest: Annotated[int, Range(16, 4096)] = 160
    count: Annotated[int, Range(1, 32)] | None = None
    scale: Annotated[float, Range(1.05, 4)] = 1.4
    feature_size: Annotated[float, Range(0.5, 100)] | None = None
    steps: Annotated[int, Range(0, 10_000)] = 10
    step_size: Annotated[float, Range(0, 0.5)] = 0.006
    reinject: bool = True


@dataclass(frozen=True)
class Ingredient:
    """An ingredient by name, with all its options; `id` tells two of the same name apart.

    `weight` is for objectives and priors, `layer` for objectives.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    weight: Annotated[float, Range(-1000, 1000)] = 1.0
    layer: str | None = None


_OWN_KEYS = {"objectives": ("name", "id", "weight", "layer"), "priors": ("name", "id", "weight")}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the picture. `size` limits the long side in pixels, 0 keeps every pixel; `strength`
    blends from the photo (0) to the dream (1); `colour` holds the photo's chroma, from 0 (free) to 1; `balance`
    makes scores of several objectives comparable (by default when there are several). `redirect`, `smooth_pooling` and
    `weight_noise` are the lens that the network is looked through. `init` is what the dream starts from: with `canvas`
    it is what the canvas itself begins with. So many `pictures` are made at once, on one sheet."""

    network: str = "reverie"
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    size: Annotated[int, Range(0, 1_000_000)] = 2048
    init: Literal["photo", "noise", "grey", "canvas"] = "photo"
    pictures: Annotated[int, Range(1, 64)] = 1
    strength: Annotated[float, Range(0, 1)] = 1.0
    colour: Annotated[float, Range(0, 1)] = 0.5
    balance: bool | None = None
    redirect: Annotated[int, Range(0, 10_000)] = 0
    smooth_pooling: bool = False
    weight_noise: Annotated[float, Range(0, 1)] = 0.0
    octaves: Octaves = Octaves()
    objectives: tuple[Ingredient, ...] = ()
    priors: tuple[Ingredient, ...] = ()
    transforms: tuple[Ingredient, ...] = ()
    gradient_filters: tuple[Ingredient, ...] = ()
    updates: tuple[Ingredient, ...] = ()
    canvas: Ingredient = Ingredient("pixels")
    optimiser: Ingredient = Ingredient("ascent")

    @classmethod
    def read(cls, words: Words, vocabulary: Vocabulary) -> Recipe:
        """The recipe that the words spell; raises RecipeError with every problem."""
        plain = fields_of(Recipe)
        lists = {key: value for key, value in words.items() if key in INGREDIENTS}
        ones = {key: value for key, value in words.items() if key in ONES}
        rest = {key: value for key, value in words.items() if key not in (*lists, *ones, "octaves")}
        values, problems = _read_top(rest, plain)
        octaves = words.get("octaves", {})
        if isinstance(octaves, Mapping):
            sizes, more = read_all(octaves, fields_of(Octaves), "octaves")
            values["octaves"] = Octaves(**sizes)
            problems += more
            if sizes.get("count") and sizes.get("feature_size"):
                problems.append("octaves: count and feature_size exclude each other: each says where to begin")
        else:
            problems.append(_table_wanted("octaves"))
        for kind, items in lists.items():
            values[kind], more = _read_ingredients(kind, items, vocabulary)
            problems += more
        for key, table in ones.items():
            found, more = _read_one(key, table, vocabulary)
            problems += more
            values |= {key: found} if found else {}
        if not problems and not values.get("objectives"):
            problems.append("objectives: a dream needs at least one")
        if problems:
            raise RecipeError(*problems)
        return cls(**values)

    def words(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """The recipe in words, every option spelled out, defaults too."""
        words: dict[str, Any] = {name: getattr(self, name) for name in fields_of(Recipe)}
        plan = {f.name: getattr(self.octaves, f.name) for f in fields(Octaves)}
        words["octaves"] = {key: value for key, value in plan.items() if value is not None}
        for kind in INGREDIENTS:
            words[kind] = [_ingredient_words(kind, item, vocabulary) for item in getattr(self, kind)]
        for key, kind in ONES.items():
            words[key] = _ingredient_words(kind, getattr(self, key), vocabulary)
        return {key: value for key, value in words.items() if value is not None}


def merged(base: Words, over: Words) -> dict[str, Any]:
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


def difference(words: Words, base: Words, vocabulary: Vocabulary) -> dict[str, Any]:
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


def _brief(kind: str, item: Words, vocabulary: Vocabulary) -> dict[str, Any]:
    usual = {name: option.default for name, option in vocabulary(kind, item["name"]).items()} | {"weight": 1.0}
    as_list = {key: list(value) if isinstance(value, tuple) else value for key, value in usual.items()}
    return {key: value for key, value in item.items() if key not in as_list or value != as_list[key]}


def with_change(words: Words, key: str, value: Any) -> dict[str, Any]:
    """The words with one key set, as `--set KEY=VALUE` speaks: `octaves.steps`, `priors.total_variation.weight`.

    Naming an ingredient that the recipe lacks adds it. Raises RecipeError for a path that leads nowhere.
    """
    result = copy.deepcopy(dict(words))
    head, *tail = key.split(".")
    if not tail:
        result[head] = value
    elif head in ("octaves", *ONES) and len(tail) == 1:
        if not isinstance(result.get(head, {}), Mapping):
            raise RecipeError(_table_wanted(head))
        result = merged(result, {head: {tail[0]: value}})
    elif head in INGREDIENTS and len(tail) == 2:
        name, option = tail
        if not _is_tables(result.get(head, [])):
            raise RecipeError(_tables_wanted(head))
        items = result[head] = list(result.get(head, []))
        found = [item for item in items if name in (item.get("id"), item.get("name"))]
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


def _read_top(words: Words, plain: Mapping[str, Option]) -> tuple[dict[str, Any], list[str]]:
    unknown = [key for key in words if key not in plain]
    values, problems = read_all({key: value for key, value in words.items() if key in plain}, plain, "")
    known = [*plain, "octaves", *INGREDIENTS, *ONES]
    return values, problems + [f"{key}: unknown key{did_you_mean(key, known)}" for key in unknown]


def _read_ingredients(kind: str, items: Any, vocabulary: Vocabulary) -> tuple[tuple[Ingredient, ...], list[str]]:
    if not _is_tables(items):
        return (), [_tables_wanted(kind)]
    common = {
        key: option for key, option in fields_of(Ingredient).items() if key in _OWN_KEYS.get(kind, ("name", "id"))
    }
    found: list[Ingredient] = []
    problems: list[str] = []
    for number, item in enumerate(items):
        name = item.get("name")
        if not isinstance(name, str):
            problems.append(f"{kind}[{number}]: it needs a name")
            continue
        label = item.get("id", name)
        where = f"{kind}.{label}"
        try:
            options = vocabulary(kind, name)
        except RecipeError as error:
            problems += [f"{where}: {problem}" for problem in error.problems]
            continue
        values, more = read_all(item, {**common, **options}, where)
        problems += more
        if label in [other.id or other.name for other in found]:
            problems.append(f"{where}: named twice; give one of them an id of its own")
        own = {key: value for key, value in values.items() if key in common}
        found.append(
            Ingredient(**own, options={k: v for k, v in values.items() if k not in common})
            if "name" in own
            else Ingredient(name)
        )
    return tuple(found), problems


def _read_one(key: str, table: Any, vocabulary: Vocabulary) -> tuple[Ingredient | None, list[str]]:
    """The canvas or the optimiser; without a name the table is about the usual one."""
    if not isinstance(table, Mapping):
        return None, [_table_wanted(key)]
    name = table.get("name", Recipe.__dataclass_fields__[key].default.name)
    if not isinstance(name, str):
        return None, [f"{key}.name: {str(name)[:60]!r} is not a text"]
    try:
        options = vocabulary(ONES[key], name)
    except RecipeError as error:
        return None, [f"{key}.name: {problem}" for problem in error.problems]
    values, problems = read_all({own: value for own, value in table.items() if own != "name"}, options, key)
    return Ingredient(name, values), problems


def _is_another(key: str, below: Any, over: Any) -> bool:
    """Whether both are tables of one ingredient each, and not of the same."""
    return key in ONES and "name" in over and over["name"] != below.get("name")


def _table_wanted(key: str) -> str:
    return f"{key}: a table is wanted, as in [{key}]"


def _is_tables(items: Any) -> bool:
    return isinstance(items, (list, tuple)) and all(isinstance(item, Mapping) for item in items)


def _tables_wanted(kind: str) -> str:
    return f"{kind}: a list of tables is wanted, as in [[{kind}]]"


def _ingredient_words(kind: str, item: Ingredient, vocabulary: Vocabulary) -> dict[str, Any]:
    own = {key: getattr(item, key) for key in _OWN_KEYS.get(kind, ("name", "id"))}
    options = {name: item.options.get(name, option.default) for name, option in vocabulary(kind, item.name).items()}
    words = {key: value for key, value in {**own, **options}.items() if value is not None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in words.items()}
