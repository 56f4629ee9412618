"""Every name that a recipe may use, and where it came from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Generic, TypeVar

from packaging.utils import canonicalize_name

from dreamer.errors import PluginError, RecipeError, did_you_mean
from dreamer.hookspecs import NetworkFactory
from dreamer.recipes.options import Option, options_of, wanted_of
from dreamer.recipes.recipe import KINDS

BUILT_IN = "dreamer-art"
COMMON_KEYS = frozenset({"name", "id", "weight", "layer"})  # what a recipe says of an ingredient besides its options

T = TypeVar("T")
State = list[dict[str, Any]]


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One registered thing: its short name and the distribution that registered it."""

    name: str
    source: str
    value: T

    @property
    def full_name(self) -> str:
        """`distribution:name`, which is always understood."""
        return f"{self.source}:{self.name}"


@dataclass(frozen=True)
class IngredientKind:
    """An ingredient as a function: its options by name, and the reserved keywords it asks for."""

    function: Callable[..., Any]
    options: Mapping[str, Option]
    wanted: frozenset[str]

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


class NamedRegistry(Generic[T]):
    """Names of one sort. A built-in's name is taken; two plugins may share a name, and then only full names work."""

    def __init__(self, noun: str, listing: str) -> None:
        """`noun` is what one of them is, `listing` the command that lists them."""
        self.noun, self.listing = noun, listing
        self.entries: dict[str, Entry[T]] = {}

    def add(self, name: str, source: str, value: T) -> None:
        """Register; raises PluginError when the name is a built-in's, or the plugin's own a second time."""
        entry = Entry(name, source, value)
        built_in = f"{BUILT_IN}:{name}"
        if entry.full_name in self.entries or built_in in self.entries:
            owner = "it has been registered twice" if source == BUILT_IN else "dreamer's own or registered twice"
            raise PluginError(f"{source} may not register {self.noun} {name!r}: {owner}")
        self.entries[entry.full_name] = entry

    def get(self, name: str) -> Entry[T]:
        """By short or full name; raises RecipeError with the nearest names, or both owners of a shared one."""
        if name in self.entries:
            return self.entries[name]
        found = [entry for entry in self if entry.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(entry.full_name for entry in found)
            raise RecipeError(f"{self.noun} {name!r} comes from several plugins: say {names}")
        hint = did_you_mean(name, self.names()) or f"; `{self.listing}` lists them"
        raise RecipeError(f"no {self.noun} is called {name!r}{hint}")

    def names(self) -> list[str]:
        """Every name that `get` understands without a plugin's prefix, in order of registration."""
        return list(dict.fromkeys(entry.name for entry in self))

    def shortest_name(self, entry: Entry[T]) -> str:
        """The shortest name by which `get` finds the entry: a shared one needs the plugin's."""
        return entry.name if [entry] == [other for other in self if other.name == entry.name] else entry.full_name

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(self.entries.values())


def noun_of(kind: str) -> str:
    """One of a kind of ingredients, in words: `gradient_filters` are each a "gradient filter"."""
    return {"canvases": "canvas"}.get(kind, kind.rstrip("s").replace("_", " "))


class Registry:
    """All shelves: ingredients of every kind, network factories, presets."""

    def __init__(self) -> None:
        self.ingredients: dict[str, NamedRegistry[IngredientKind]] = {
            kind: NamedRegistry(noun_of(kind), f"dreamer ingredients list {kind}") for kind in KINDS
        }
        self.networks: NamedRegistry[NetworkFactory[Any]] = NamedRegistry("network", "dreamer networks list")
        self.presets: NamedRegistry[Callable[[], Any]] = NamedRegistry("preset", "dreamer presets list")
        """Each as a function that gives the `Preset`; it raises RecipeError for a file that cannot be read."""
        self.broken: dict[str, str] = {}
        """Distributions of plugins that could not be loaded, and why."""

    def add_ingredient(self, kind: str, function: Callable[..., Any], name: str | None, source: str) -> None:
        """Register a function; raises PluginError when its signature cannot be a recipe's grammar."""
        name = name or function.__name__
        try:
            options = options_of(function)
        except (TypeError, NameError) as error:
            raise PluginError(f"{source} registers {kind} {name!r}, but {error}") from error
        clash = COMMON_KEYS & options.keys()
        if clash:
            raise PluginError(f"{source} registers {kind} {name!r}: {', '.join(clash)} cannot be an option's name")
        self.ingredients[kind].add(name, source, IngredientKind(function, options, wanted_of(function)))

    def vocabulary(self, kind: str, name: str) -> Mapping[str, Option]:
        """The options of an ingredient; raises RecipeError for an unknown name, telling of a plugin that it lacks."""
        try:
            return self.ingredients[kind].get(name).value.options
        except RecipeError as error:
            owner, colon, _ = name.rpartition(":")
            raise RecipeError(*error.problems, *(self.missing([owner]) if colon else ())) from None

    def state(self) -> State:
        """What is registered by now, to be given to `restore` or `added_since`."""
        return [dict(shelf.entries) for shelf in self._shelves()]

    def restore(self, state: State) -> None:
        """Forget everything that has been registered since."""
        for shelf, entries in zip(self._shelves(), state, strict=True):
            shelf.entries = entries

    def added_since(self, state: State) -> tuple[str, ...]:
        """What has been registered since, in words: "prior tilt"."""
        return tuple(
            f"{shelf.noun} {entry.name}"
            for shelf, before in zip(self._shelves(), state, strict=True)
            for key, entry in shelf.entries.items()
            if key not in before
        )

    def missing(self, distributions: Iterable[str]) -> list[str]:
        """A sentence for each plugin of these that is not here, or broken."""
        broken = {canonicalize_name(source): reason for source, reason in self.broken.items()}
        sentences = []
        for name in distributions:
            if canonicalize_name(name) in broken:
                sentences.append(f"it needs the plugin {name}, which is broken here: {broken[canonicalize_name(name)]}")
            elif name != BUILT_IN and not _is_installed(name):  # a checkout has no metadata
                how = f"`dreamer plugins install {name}` installs it"
                sentences.append(f"it needs the plugin {name}, which is not installed; {how}")
        return sentences

    def _shelves(self) -> list[NamedRegistry[Any]]:
        return [*self.ingredients.values(), self.networks, self.presets]


def _is_installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except (PackageNotFoundError, ValueError):
        return False
