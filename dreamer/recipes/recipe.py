"""A recipe: everything that decides the picture except the photo, as plain immutable data.

RecipeDict are what people write: nested dicts and lists, as TOML and JSON give them. Several layers of words (dreamer's
defaults, the network's, a preset's, the command line's) are merged first (`dreamer.recipes.overrides`); `Recipe.read`
then checks the whole and reports every mistake at once, each with its key path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

from dreamer.errors import RecipeError, did_you_mean
from dreamer.recipes.options import Option, Range, fields_of, read_all

RecipeDict = Mapping[str, Any]
Vocabulary = Callable[[str, str], Mapping[str, Option]]
"""(kind, name) -> the options of that ingredient; raises RecipeError for an unknown name."""

SCHEMA = 1
INGREDIENTS = ("objectives", "priors", "transforms", "gradient_filters", "updates")
"""Kinds of which a recipe has a list each."""
ONES: Mapping[str, str] = {"canvas": "canvases", "optimiser": "optimisers"}
"""Kinds of which it has one, in a table of this name."""
KINDS = (*INGREDIENTS, *ONES.values())

DEFAULTS: RecipeDict = {
    "objectives": [{"name": "deepdream"}],
    "transforms": [{"name": "jitter"}],
    "gradient_filters": [{"name": "laplacian"}, {"name": "even"}],
}
"""What dreamer dreams when nobody says otherwise; the rest are the defaults of the classes below."""


@dataclass(frozen=True)
class Octaves:
    """The scales of the dream. Without `count` it follows from the picture: the first octave's shortest side is at
    least `smallest` pixels, and large enough for the network. With `feature_size` they rise from where features grow to
    that percentage of the picture's shortest side, whatever its size. `step_size` is in image units: black to white is
    1. Without `reinject` an octave goes on with the last one's picture, enlarged: the photo's own detail is lost."""

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
    def read(cls, words: RecipeDict, vocabulary: Vocabulary) -> Recipe:
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
            problems.append(table_wanted("octaves"))
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

    def to_dict(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """The recipe in words, every option spelled out, defaults too."""
        words: dict[str, Any] = {name: getattr(self, name) for name in fields_of(Recipe)}
        plan = {f.name: getattr(self.octaves, f.name) for f in fields(Octaves)}
        words["octaves"] = {key: value for key, value in plan.items() if value is not None}
        for kind in INGREDIENTS:
            words[kind] = [_ingredient_words(kind, item, vocabulary) for item in getattr(self, kind)]
        for key, kind in ONES.items():
            words[key] = _ingredient_words(kind, getattr(self, key), vocabulary)
        return {key: value for key, value in words.items() if value is not None}


def _read_top(words: RecipeDict, plain: Mapping[str, Option]) -> tuple[dict[str, Any], list[str]]:
    unknown = [key for key in words if key not in plain]
    values, problems = read_all({key: value for key, value in words.items() if key in plain}, plain, "")
    known = [*plain, "octaves", *INGREDIENTS, *ONES]
    return values, problems + [f"{key}: unknown key{did_you_mean(key, known)}" for key in unknown]


def _read_ingredients(kind: str, items: Any, vocabulary: Vocabulary) -> tuple[tuple[Ingredient, ...], list[str]]:
    if not is_tables(items):
        return (), [tables_wanted(kind)]
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
        return None, [table_wanted(key)]
    name = table.get("name", Recipe.__dataclass_fields__[key].default.name)
    if not isinstance(name, str):
        return None, [f"{key}.name: {str(name)[:60]!r} is not a text"]
    try:
        options = vocabulary(ONES[key], name)
    except RecipeError as error:
        return None, [f"{key}.name: {problem}" for problem in error.problems]
    values, problems = read_all({own: value for own, value in table.items() if own != "name"}, options, key)
    return Ingredient(name, values), problems


def table_wanted(key: str) -> str:
    """What is said of a key that has something else."""
    return f"{key}: a table is wanted, as in [{key}]"


def is_tables(items: Any) -> bool:
    """Whether they are what a kind of which there is a list has."""
    return isinstance(items, (list, tuple)) and all(isinstance(item, Mapping) for item in items)


def tables_wanted(kind: str) -> str:
    """What is said of such a kind that has something else."""
    return f"{kind}: a list of tables is wanted, as in [[{kind}]]"


def _ingredient_words(kind: str, item: Ingredient, vocabulary: Vocabulary) -> dict[str, Any]:
    own = {key: getattr(item, key) for key in _OWN_KEYS.get(kind, ("name", "id"))}
    options = {name: item.options.get(name, option.default) for name, option in vocabulary(kind, item.name).items()}
    words = {key: value for key, value in {**own, **options}.items() if value is not None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in words.items()}
