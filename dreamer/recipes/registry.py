"""The registry: every ingredient, network and preset by name, and the distribution that registered it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Generic, TypeVar, cast

from packaging.utils import canonicalize_name

from dreamer.errors import PluginError, RecipeError, blamed_on, did_you_mean, quoted
from dreamer.hookspecs import NetworkFactory
from dreamer.recipes.options import Option, options_of, wanted_of
from dreamer.recipes.recipe import KINDS

BUILT_IN = "dreamer-art"
OWN = "python"
"""In the place of a plugin's name, for functions that a program registered itself."""
# Not packaging's check: it has no maximal length and, before 26, accepts the Kelvin sign and a line break at the end.
_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
COMMON_KEYS = frozenset({"name", "id", "weight", "layer"})  # an ingredient's keys in a recipe besides its options

T = TypeVar("T")
State = list[dict[str, Any]]
_MORE_LOOKS = ", and `dreamer plugins install` adds those of plugins"


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One registered thing: its short name and the distribution that registered it."""

    name: str
    source: str
    value: T

    @property
    def full_name(self) -> str:
        """`distribution:name`, which is always unambiguous."""
        return f"{self.source}:{self.name}"


@dataclass(frozen=True)
class IngredientKind:
    """An ingredient's function, its options by name, and the reserved keywords that it takes."""

    function: Callable[..., Any]
    options: Mapping[str, Option]
    wanted: frozenset[str]

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


class NamedRegistry(Generic[T]):
    """Things of one sort by name. Plugins cannot take a built-in's name; a name of two plugins needs the full one.

    A name that ends in * stands for every name that begins so: `value(rest of the name)` then gives the thing.
    """

    def __init__(self, noun: str, listing: str, more: str = "") -> None:
        """`noun` is the word for one, as in "prior", `listing` the command that lists them, `more` what adds any."""
        self.noun, self.hint = noun, f"; `{listing}` lists them{more}"
        self.entries: dict[str, Entry[T]] = {}

    def add(self, name: str, source: str, value: T) -> None:
        """Register a thing.

        Args:
            name: Its short name.
            source: The distribution that registers it.
            value: The thing.

        Raises:
            PluginError: The name is no text or a built-in's, or `source` has registered it before.
        """
        if not isinstance(name, str):
            raise PluginError(f"{source} registers a {self.noun} whose name is not text; give it one")
        entry = Entry(name, source, value)
        if entry.full_name in self.entries:
            raise PluginError(f"{source} registers {self.noun} {name!r} twice; remove one, or give it another name")
        if f"{BUILT_IN}:{name}" in self.entries:
            why = "dreamer has its own; give it another name"
            raise PluginError(f"{_called(source)} cannot register {self.noun} {name!r}: {why}")
        self.entries[entry.full_name] = entry

    def get(self, name: str) -> Entry[T]:
        """The entry of a short or full name. Raises RecipeError for an unknown one, and for one of several plugins."""
        if name in self.entries:
            return self.entries[name]
        found = [entry for entry in self if entry.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(entry.full_name for entry in found)
            raise RecipeError(f"{self.noun} {name!r} comes from several plugins; use its full name, {names}")
        for entry in self:
            for known in (entry.full_name, entry.name):
                if known.endswith("*") and len(name) >= len(known) and name.startswith(known[:-1]):
                    return self._member(entry, name[len(known) - 1 :])
        raise RecipeError(f"no {self.noun} is called {quoted(name)}{did_you_mean(name, self.names()) or self.hint}")

    def _member(self, family: Entry[T], rest: str) -> Entry[T]:
        """The entry of one of the names that a family's stands for; errors of its function are blamed on its plugin."""
        name = family.name[:-1] + rest
        with blamed_on(f"{self.noun} {name} of the plugin {family.source}"):
            return Entry(name, family.source, cast(Callable[[str], T], family.value)(rest))

    def names(self) -> list[str]:
        """Every short name, in order of registration."""
        return list(dict.fromkeys(entry.name for entry in self))

    def shortest_name(self, entry: Entry[T]) -> str:
        """The entry's short name, or its full name if plugins share the short one."""
        return entry.name if [entry] == [other for other in self if other.name == entry.name] else entry.full_name

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(self.entries.values())


def _called(source: str) -> str:
    return "this program" if source == OWN else source


def noun_of(kind: str) -> str:
    """The word for one ingredient of a kind: "gradient filter" for `gradient_filters`."""
    return {"canvases": "canvas"}.get(kind, kind.rstrip("s").replace("_", " "))


class Registry:
    """All named registries: one for each kind of ingredient, one each for segmenters, depths, networks and presets."""

    def __init__(self) -> None:
        self.ingredients: dict[str, NamedRegistry[IngredientKind]] = {
            kind: NamedRegistry(noun_of(kind), f"dreamer ingredients list {kind}") for kind in KINDS
        }
        self.segmenters: NamedRegistry[Callable[..., Any]] = NamedRegistry("segmenter", "dreamer plugins list")
        self.depths: NamedRegistry[Callable[..., Any]] = NamedRegistry("depth", "dreamer plugins list")
        self.networks: NamedRegistry[NetworkFactory[Any]] = NamedRegistry("network", "dreamer networks list")
        self.presets: NamedRegistry[Callable[[], Any]] = NamedRegistry("preset", "dreamer presets list", _MORE_LOOKS)
        """Functions that return the `Preset`, or raise RecipeError if its file cannot be read."""
        self.broken: dict[str, str] = {}
        """Distribution of each plugin that could not be loaded -> why."""

    def add_ingredient(self, kind: str, function: Callable[..., Any], name: str | None, source: str) -> None:
        """Register an ingredient.

        Args:
            kind: One of `KINDS`.
            function: The ingredient; its keyword-only arguments are its options.
            name: Its short name; None takes the function's.
            source: The distribution that registers it.

        Raises:
            PluginError: The name is taken, or an option has no annotation, no default or a reserved name.
        """
        name = name or function.__name__
        try:
            options = options_of(function)
        except (TypeError, NameError, ValueError) as error:
            raise PluginError(f"{_called(source)} cannot register {noun_of(kind)} {name!r}: {error}") from error
        if clash := COMMON_KEYS & options.keys():
            why = f"no option can be called {' or '.join(sorted(clash))}; give it another name"
            raise PluginError(f"{_called(source)} cannot register {noun_of(kind)} {name!r}: {why}")
        self.ingredients[kind].add(name, source, IngredientKind(function, options, wanted_of(function)))

    def add_segmenter(self, function: Callable[..., Any], name: str | None, source: str) -> None:
        """Register a segmenter by its own name, or another; raises PluginError where that is taken."""
        self._add_function(self.segmenters, function, name, source)

    def add_depth(self, function: Callable[..., Any], name: str | None, source: str) -> None:
        """Register a depth by its own name, or another; raises PluginError where that is taken."""
        self._add_function(self.depths, function, name, source)

    def vocabulary(self, kind: str, name: str) -> Mapping[str, Option]:
        """An ingredient's options by name. Raises RecipeError for an unknown one, and names a missing plugin."""
        try:
            return self.ingredients[kind].get(name).value.options
        except RecipeError as error:
            owner, colon, _ = name.rpartition(":")
            raise RecipeError(*error.problems, *(self.missing([owner]) if colon else ())) from None

    def state(self) -> State:
        """A snapshot of everything registered so far, for `restore` and `added_since`."""
        return [dict(named.entries) for named in self._all()]

    def restore(self, state: State) -> None:
        """Remove everything that was registered after `state`."""
        for named, entries in zip(self._all(), state, strict=True):
            named.entries = entries

    def added_since(self, state: State) -> tuple[str, ...]:
        """A phrase for each thing that was registered after `state`, as in "prior tilt"."""
        return tuple(
            f"{named.noun} {entry.name}"
            for named, before in zip(self._all(), state, strict=True)
            for key, entry in named.entries.items()
            if key not in before
        )

    def missing(self, distributions: Iterable[str], places: Mapping[str, str] | None = None) -> list[str]:
        """A sentence for each of these plugins that is not installed, or broken.

        `places` says where some of them came from, as in "a folder", since the package index may not have them, or
        another plugin of that name.
        """
        broken = {canonicalize_name(source): reason for source, reason in self.broken.items()}
        sentences = []
        for name in distributions:
            if canonicalize_name(name) in broken:
                sentences.append(f"it needs the plugin {name}, which is broken: {broken[canonicalize_name(name)]}")
            elif not is_distribution(name):
                sentences.append(f"it needs {name[:60]!r}, which cannot be the name of a plugin")
            elif name == BUILT_IN or _is_installed(name):  # a checkout of dreamer has no metadata
                continue
            elif places and name in places:
                how = f"it came from {places[name]}, not from the package index: ask whoever made the recipe for it"
                sentences.append(f"it needs the plugin {name}, which is not installed; {how}")
            else:
                how = f"`dreamer plugins install {name}` installs it, but look at it first: a recipe can name anything"
                sentences.append(f"it needs the plugin {name}, which is not installed; {how}")
        return sentences

    def _add_function(
        self, into: NamedRegistry[Callable[..., Any]], function: Callable[..., Any], name: str | None, source: str
    ) -> None:
        if not callable(function):
            raise PluginError(f"{_called(source)} cannot register a {into.noun} that is no function; pass one")
        into.add(name or str(getattr(function, "__name__", "")), source, function)

    def _all(self) -> list[NamedRegistry[Any]]:
        return [*self.ingredients.values(), self.segmenters, self.depths, self.networks, self.presets]


def is_distribution(name: object) -> bool:
    """Whether a name is one that a plugin's distribution can have, so that it may be shown inside a command."""
    return isinstance(name, str) and _DISTRIBUTION.fullmatch(name) is not None


def _is_installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except (PackageNotFoundError, ValueError):
        return False
