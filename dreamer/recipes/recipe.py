"""A recipe: everything that decides the picture except the photo, as plain immutable data.

A `RecipeDict` is what people write: nested dicts and lists, as read from TOML and JSON. Several of them (the defaults
of dreamer and of the network, a preset, the command line) are merged first (`dreamer.recipes.overrides`); `Recipe.read`
then checks the result and reports every mistake at once, each with its key path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from dreamer.errors import RecipeError, collect_problems, did_you_mean, either, reported_together
from dreamer.recipes.masks import KEEP, formula
from dreamer.recipes.options import Option, Range, fields_of, read_all, table_problem, tables_problem

RecipeDict = Mapping[str, Any]
Vocabulary = Callable[[str, str], Mapping[str, Option]]
"""(kind, name) -> the options of that ingredient; raises RecipeError for an unknown name."""

SCHEMA = 1
_REGIONS = 16  # each takes memory as a fourth of the picture does
INGREDIENTS = ("objectives", "priors", "transforms", "gradient_filters", "updates")
"""Kinds of ingredients of which a recipe has a list."""
ONES: Mapping[str, str] = {"canvas": "canvases", "optimiser": "optimisers"}
"""Recipe key -> kind, for the kinds of which a recipe has exactly one."""
KINDS = (*INGREDIENTS, *ONES.values())
"""Every kind of ingredient."""

DEFAULTS: RecipeDict = {
    "objectives": [{"name": "deepdream"}],
    "transforms": [{"name": "jitter"}],
    "gradient_filters": [{"name": "laplacian"}, {"name": "even"}, {"name": "chroma"}],
}
"""dreamer's default ingredients; all other defaults are those of the classes below."""


@dataclass(frozen=True)
class Octaves:
    """The scales of the dream, small to large, each `scale` times the one before.

    `count` is their number; without it, the first octave's shortest side is at least `smallest` pixels, and large
    enough for the network. `feature_size` is the size of the largest features, in percent of the picture's shortest
    side, and decides the first octave instead of `count`. `step_size` is in image units: black to white is 1. The first
    octave has `steps` steps; each one after it has `taper` of the steps of the one before, longer ones, and goes
    `way` as far in all. Without `reinject`, an octave starts from the enlarged result of the one before, and the
    photo's own detail is lost.
    """

    smallest: Annotated[int, Range(16, 4096)] = 160
    count: Annotated[int, Range(1, 32)] | None = None
    scale: Annotated[float, Range(1.05, 4)] = 1.4
    feature_size: Annotated[float, Range(0.5, 100)] | None = None
    steps: Annotated[int, Range(0, 10_000)] = 10
    taper: Annotated[float, Range(0.1, 1)] = 1.0
    way: Annotated[float, Range(0.1, 1)] = 1.0
    step_size: Annotated[float, Range(0, 0.5)] = 0.006
    reinject: bool = True


@dataclass(frozen=True)
class Ingredient:
    """An ingredient's name and options; `id` distinguishes two of the same name.

    `weight` belongs to objectives and priors, `layer` to objectives.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None
    weight: Annotated[float, Range(-1000, 1000)] = 1.0
    layer: str | None = None


@dataclass(frozen=True)
class Region:
    """A part of the picture with a look of its own.

    `mask` is a file's name, or a formula (`dreamer.recipes.masks`); `sha256` is the file's hash. `look` is the preset
    whose `objectives` grow there (without any, the recipe's do); with `keep` nothing grows. `strength` blends from the
    photo (0) to the dream (1), beside the recipe's own; with `invert` black and white change places.
    """

    mask: str
    look: str = ""
    sha256: str = ""
    invert: bool = False
    strength: Annotated[float, Range(0, 1)] = 1.0
    objectives: tuple[Ingredient, ...] = ()

    @property
    def place(self) -> tuple[str, str, bool, bool]:
        """A key for its place: regions with the same one lie, and dream or not, at the same places."""
        return self.mask, self.sha256, self.invert, self.look == KEEP


_OWN_KEYS = {"objectives": ("name", "id", "weight", "layer"), "priors": ("name", "id", "weight")}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the picture, except the photo.

    `size` limits the long side in pixels, 0 keeps the photo's size; `init` is what the dream starts from, where
    `canvas` is the canvas's own start; `pictures` is how many are made at once, on one sheet. `cutout` learns which
    parts of a picture from nothing matter, and makes the others transparent. `strength` blends from the photo (0) to
    the dream (1). `colour` preserves the photo's chroma, and `spare` (the option --keep) its light and what stands out
    in it, both from 0 (not at all) to 1; the look `keep` of a region is something else. `balance` makes the scores of
    several objectives comparable; None does so if there are several. `redirect`, `smooth_pooling` and
    `weight_noise` override the network's gradients, pooling and weights. `regions` have looks of their own, the later
    above the earlier ones, and outside of them nothing grows; their soft edges are `feather` percent of the short side
    wide. `wrap` says along which axes the picture goes round, so that copies side by side show no seam; a 360-degree
    panorama is a `sphere`, whose poles are dreamt as they are seen.
    """

    network: str = "reverie"
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    size: Annotated[int, Range(0, 1_000_000)] = 2048
    init: Literal["photo", "noise", "grey", "canvas"] = "photo"
    pictures: Annotated[int, Range(1, 64)] = 1
    cutout: bool = False
    strength: Annotated[float, Range(0, 1)] = 1.0
    colour: Annotated[float, Range(0, 1)] = 0.5
    spare: Annotated[float, Range(0, 1)] = 0.3
    balance: bool | None = None
    redirect: Annotated[int, Range(0, 10_000)] = 0
    smooth_pooling: bool = False
    weight_noise: Annotated[float, Range(0, 1)] = 0.0
    feather: Annotated[float, Range(0, 20)] = 2.0
    wrap: Literal["none", "x", "y", "both", "sphere"] = "none"
    octaves: Octaves = Octaves()
    objectives: tuple[Ingredient, ...] = ()
    priors: tuple[Ingredient, ...] = ()
    transforms: tuple[Ingredient, ...] = ()
    gradient_filters: tuple[Ingredient, ...] = ()
    updates: tuple[Ingredient, ...] = ()
    canvas: Ingredient = Ingredient("pixels")
    optimiser: Ingredient = Ingredient("ascent")
    regions: tuple[Region, ...] = ()

    @classmethod
    def read(cls, words: RecipeDict, vocabulary: Vocabulary, beside: Iterable[str] = ()) -> Recipe:
        """Check and convert a merged recipe dict; raises RecipeError with every problem, and may suggest `beside`."""
        octaves = words.get("octaves", {})
        with reported_together(RecipeError) as problems:
            values = _read_top(words, beside, problems)
            if problem := table_problem("octaves", octaves):
                problems.append(problem)
            else:
                sizes, wrong = read_all(octaves, fields_of(Octaves), "octaves")
                values["octaves"] = Octaves(**sizes)
                problems += wrong
                if sizes.get("count") and sizes.get("feature_size"):
                    problems.append("octaves: count and feature_size cannot be combined; remove one of them")
            lists, ones = ([key for key in words if key in kinds] for kinds in (INGREDIENTS, ONES))
            values |= {kind: _read_ingredients(kind, words[kind], vocabulary, problems) for kind in lists}
            values |= {key: _read_one(key, words[key], vocabulary, problems) for key in ones}
            if values.get("cutout") and values.get("init") != "canvas":
                problems.append("cutout: only a picture from nothing (init = canvas) is cut out; leave out the photo")
            if "regions" in words:
                values["regions"] = _read_regions(words["regions"], vocabulary, problems)
            if not problems and not values.get("objectives"):
                problems.append("objectives: the list is empty; a dream needs at least one objective")
        return cls(**values)

    def of(self, kind: str) -> tuple[Ingredient, ...]:
        """The ingredients of a kind, one of `KINDS`."""
        key = next((key for key, ones in ONES.items() if ones == kind), None)
        items: tuple[Ingredient, ...] = (getattr(self, key),) if key else getattr(self, kind)
        return items

    @property
    def places(self) -> tuple[object, ...]:
        """A key for the places of all looks; empty where they are everywhere."""
        return (self.feather, *(region.place for region in self.regions)) if self.regions else ()

    @property
    def grown(self) -> tuple[tuple[Ingredient, int | None], ...]:
        """The objectives that grow, each with the number of its region among those with a look, None for everywhere."""
        if not self.regions:
            return tuple((item, None) for item in self.objectives)
        looks = [region for region in self.regions if region.look != KEEP]
        return tuple((item, k) for k, region in enumerate(looks) for item in region.objectives or self.objectives)

    def to_dict(self, vocabulary: Vocabulary) -> dict[str, Any]:
        """The recipe as a dict with every option, defaults included."""
        words: dict[str, Any] = {name: getattr(self, name) for name in fields_of(Recipe)}
        words["octaves"] = {key: value for key, value in asdict(self.octaves).items() if value is not None}
        for kind in INGREDIENTS:
            words[kind] = [_ingredient_words(kind, item, vocabulary) for item in getattr(self, kind)]
        for key, kind in ONES.items():
            words[key] = _ingredient_words(kind, getattr(self, key), vocabulary)
        if self.regions:
            words["regions"] = [_region_words(region, vocabulary) for region in self.regions]
        else:
            del words["feather"]
        if self.wrap == Recipe.wrap:
            del words["wrap"]
        return {key: value for key, value in words.items() if value is not None}


def _read_top(words: RecipeDict, beside: Iterable[str], problems: list[str]) -> dict[str, Any]:
    """The values of the keys that are neither tables nor lists, converted; what is wrong is added to `problems`."""
    plain = fields_of(Recipe)
    values, wrong = read_all({key: value for key, value in words.items() if key in plain}, plain, "")
    known = [*plain, "octaves", "regions", *INGREDIENTS, *ONES]
    unknown = [key for key in words if key not in known]
    problems += wrong + [f"{key}: unknown key{did_you_mean(key, {*known, *beside} - {key})}" for key in unknown]
    return values


def _read_ingredients(kind: str, items: Any, vocabulary: Vocabulary, problems: list[str]) -> tuple[Ingredient, ...]:
    """The ingredients of a kind; what is wrong is added to `problems`."""
    if problem := tables_problem(kind, items):
        problems.append(problem)
        return ()
    common = {key: fields_of(Ingredient)[key] for key in _OWN_KEYS.get(kind, ("name", "id"))}
    found: list[Ingredient] = []
    for number, item in enumerate(items):
        name = item.get("name")
        if not isinstance(name, str):
            how = either('{"name": "..."}', 'name = "..."')
            problems.append(f"{kind}[{number}]: its name is missing; add one, as in {how}")
            continue
        label = item.get("id", name)
        where = f"{kind}.{label}"
        try:
            options = vocabulary(kind, name)
        except RecipeError as error:
            problems += [f"{where}: {problem}" for problem in error.problems]
            continue
        values, wrong = read_all(item, {**common, **options}, where)
        problems += wrong
        if label in [other.id or other.name for other in found]:
            problems.append(f"{where}: listed twice; give one of them an id of its own")
        own = {key: values.pop(key) for key in common if key in values}
        found.append(Ingredient(**own, options=values))
    return tuple(found)


def _read_one(key: str, table: Any, vocabulary: Vocabulary, problems: list[str]) -> Ingredient | None:
    """The canvas or the optimiser; a table without a name means the default one, None that something is wrong."""
    if problem := table_problem(key, table):
        problems.append(problem)
        return None
    name = table.get("name", Recipe.__dataclass_fields__[key].default.name)
    if not isinstance(name, str):
        problems.append(f"{key}.name: {str(name)[:60]!r} is not text")
        return None
    try:
        options = vocabulary(ONES[key], name)
    except RecipeError as error:
        problems += [f"{key}.name: {problem}" for problem in error.problems]
        return None
    values, wrong = read_all({own: value for own, value in table.items() if own != "name"}, options, key)
    problems += wrong
    return Ingredient(name, values)


def _read_regions(items: Any, vocabulary: Vocabulary, problems: list[str]) -> tuple[Region, ...]:
    """The regions; what is wrong is added to `problems`."""
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        how = either("pairs, as in regions=[('top', 'bloom')]", "tables, as in [[regions]]")
        problems.append(f"regions: expected a list of {how}")
        return ()
    if len(items) > _REGIONS:
        problems.append(f"regions: there are {len(items)}, and at most {_REGIONS} are possible; join some of the masks")
        return ()
    found = []
    for number, item in enumerate(items):
        where = f"regions[{number}]"
        plain = {key: value for key, value in item.items() if key != "objectives"}
        values, wrong = read_all(plain, fields_of(Region), where)
        problems += wrong
        if not values.get("mask"):
            problems.append(f'{where}: its mask is missing; add one, as in mask = "top"')
            continue
        with collect_problems(problems):
            formula(values["mask"])
        if "objectives" in item:
            inner: list[str] = []
            values["objectives"] = _read_ingredients("objectives", item["objectives"], vocabulary, inner)
            problems += [f"{where}.{problem}" for problem in inner]
        found.append(Region(**values))
    return tuple(found)


def _region_words(region: Region, vocabulary: Vocabulary) -> dict[str, Any]:
    words = {key: value for key in fields_of(Region) if (value := getattr(region, key)) not in ("", False)}
    if region.objectives:
        words["objectives"] = [_ingredient_words("objectives", item, vocabulary) for item in region.objectives]
    return words


def _ingredient_words(kind: str, item: Ingredient, vocabulary: Vocabulary) -> dict[str, Any]:
    own = {key: getattr(item, key) for key in _OWN_KEYS.get(kind, ("name", "id"))}
    options = {name: item.options.get(name, option.default) for name, option in vocabulary(kind, item.name).items()}
    words = {key: value for key, value in {**own, **options}.items() if value is not None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in words.items()}
