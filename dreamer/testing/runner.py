"""A whole plugin, examined: everything that it brings is tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dreamer.plugins.loading import Plugin
from dreamer.recipes.recipe import KINDS
from dreamer.recipes.registry import BUILT_IN, Entry, IngredientKind
from dreamer.testing.cases import Bench
from dreamer.testing.checks import try_network, try_preset
from dreamer.testing.contracts import try_ingredient
from dreamer.testing.contracts_canvas import try_canvas, try_optimiser
from dreamer.testing.finding import Finding, broken
from dreamer.testing.loading import Target, opened


def examine(plugin: str | Path | ModuleType) -> list[Finding]:
    """Load a plugin and try everything that it registers.

    It is named by its distribution or entry point; or it is a project's folder, which need not be installed, or a
    module. Raises UsageError for a name that is not installed and a folder that holds no plugin.
    """
    with opened(plugin) as target:
        return [*_loaded(target), *_tried(target)]


def try_entry(kind: str, entry: Entry[IngredientKind], bench: Bench) -> list[Finding]:
    """Try one ingredient: one finding for each promise that it breaks, or one that says that it keeps all."""
    tries = {"canvases": try_canvas, "optimisers": try_optimiser}
    return tries.get(kind, try_ingredient)(kind, entry, bench)


def assert_plugin_ok(plugin: str | Path | ModuleType) -> None:
    """Fail with a sentence for everything that is wrong with a plugin; see `examine` for what it may be."""
    wrong = broken(examine(plugin))
    if wrong:
        raise AssertionError("\n".join(map(str, wrong)))


def _loaded(target: Target) -> Iterator[Finding]:
    for plugin in target.plugins:
        yield _found(plugin)
    names = set()
    for line in target.requires:
        try:
            names.add(canonicalize_name(Requirement(line).name))
        except InvalidRequirement:
            yield Finding("plugin", target.distribution, False, f"requires {line!r}, which no installer understands")
    if BUILT_IN not in names:
        other = "; what is called `dreamer` there is another project" if "dreamer" in names else ""
        yield Finding("plugin", target.distribution, False, f"does not require {BUILT_IN} in its metadata{other}")


def _found(plugin: Plugin) -> Finding:
    def finding(ok: bool, sentence: str) -> Finding:
        return Finding("plugin", plugin.name, ok, sentence)

    if plugin.problem:
        return finding(False, f"cannot be loaded: {plugin.problem}")
    if not plugin.adds:
        return finding(False, "registers nothing: its hooks need @hookimpl, and must be in the module that is named")
    return finding(True, f"adds {', '.join(plugin.adds)}")


def _tried(target: Target) -> Iterator[Finding]:
    registry, source = target.registry, target.distribution
    bench = Bench()
    for kind in KINDS:
        for entry in registry.ingredients[kind]:
            if entry.source == source:
                yield from try_entry(kind, entry, bench)
    yield from (try_network(entry, registry) for entry in registry.networks if entry.source == source)
    yield from (try_preset(entry, registry) for entry in registry.presets if entry.source == source)
