"""Every name that can be used, and networks by their names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from dreamer.errors import PluginError, UsageError, did_you_mean, quoted
from dreamer.networks import load_from
from dreamer.networks.network import Network
from dreamer.plugins.loading import being_loaded, load_plugins
from dreamer.plugins.preset_packs import allowed
from dreamer.recipes.arguments import check
from dreamer.recipes.recipe import KINDS
from dreamer.recipes.registry import OWN, NamedRegistry, Registry

SEGMENTERS, DEPTHS = "segmenters", "depths"


def load_network(name: str, weights: str | Path | None = None, *, fetch: bool = False) -> Network:
    """The network of that name, with a file's weights (.safetensors, .pth) or its own.

    Absent weights are downloaded only with `fetch=True`. Raises NetworkError.
    """
    check(name=name, weights=weights, fetch=fetch)
    return load_from(registry().networks, name, Path(weights) if weights else None, fetch=fetch)


def registry() -> Registry:
    """Every name that is known here; to a plugin that asks while it is being loaded, those registered so far."""
    return being_loaded() or loaded_registry()


@cache
def loaded_registry() -> Registry:
    """The built-ins and every plugin, loaded once and kept for the rest of the process."""
    return load_plugins()[0]


def register(function: Callable[..., Any], kind: str, name: str | None = None) -> None:
    """Register an ingredient for the rest of the process, as a plugin would.

    Args:
        function: The ingredient, as the guide to plugins describes it. It takes the place of one that was registered
            by this name before.
        kind: objectives, priors, transforms, gradient_filters, updates, canvases, optimisers, segmenters or
            depths.
        name: Its name in recipes; by default the function's.

    Raises:
        UsageError: There is no such kind.
        PluginError: The name is dreamer's own, or an option has no annotation or default.
    """
    name = getattr(function, "__name__", "") if name is None else name
    check(function=function, kind=kind, name=name)
    if not name.isidentifier():  # as that of a lambda
        raise UsageError(f"name: {quoted(name)} cannot be one; give it one of letters, digits and _")
    if kind not in (known := (*KINDS, SEGMENTERS, DEPTHS)):
        raise UsageError(f"kind: there is no kind {quoted(kind)} of ingredients{did_you_mean(kind, known)}")
    add_own(registry(), kind, function, name)


def reload_plugins() -> None:
    """Load every plugin again, its code too, and forget what `register` added.

    Networks and pipelines that were made before keep the old code.
    """
    for entry in allowed("dreamer"):
        package = entry.module.partition(".")[0]
        for module in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[module]
    importlib.invalidate_caches()
    loaded_registry.cache_clear()


def copied(names: Registry) -> Registry:
    """A registry with the same names, to which others may be added."""
    other = Registry()
    other.restore(names.state())
    other.broken = dict(names.broken)
    return other


def add_own(names: Registry, kind: str, function: Callable[..., Any], name: str) -> str:
    """Register a program's own function, in the place of an earlier one; returns the name for recipes."""
    functions = {SEGMENTERS: names.segmenters, DEPTHS: names.depths}
    into: NamedRegistry[Any] = functions.get(kind) or names.ingredients[kind]
    before = dict(into.entries)
    into.entries.pop(f"{OWN}:{name}", None)
    try:
        if kind in functions:
            functions[kind].add(name, OWN, function)
        else:
            names.add_ingredient(kind, function, name, OWN)
    except PluginError:
        into.entries = before
        raise
    return f"{OWN}:{name}"
