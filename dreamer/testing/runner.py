"""Runs every check on a plugin: on its metadata, and on everything that it registers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dreamer.plugins.loading import Plugin
from dreamer.recipes.recipe import KINDS
from dreamer.recipes.registry import BUILT_IN, Entry, IngredientKind
from dreamer.testing.cases import Fixtures
from dreamer.testing.checks import try_network, try_preset
from dreamer.testing.contracts import try_ingredient
from dreamer.testing.contracts_canvas import try_canvas, try_optimiser
from dreamer.testing.finding import Finding, broken
from dreamer.testing.loading import Target, load_target


def examine(plugin: str | Path | ModuleType) -> list[Finding]:
    """Load a plugin and check everything that it registers.

    `plugin` is the name of an installed distribution or entry point, a project's folder, which need not be installed,
    or a module. Raises UsageError if no such plugin is installed, or if the folder is not a plugin.
    """
    with load_target(plugin) as target:
        return [*_check_plugin(target), *_check_registered(target)]


def try_entry(kind: str, entry: Entry[IngredientKind], fixtures: Fixtures) -> list[Finding]:
    """Check one ingredient: one finding for each promise that it breaks, or a single one if it keeps them all."""
    tries = {"canvases": try_canvas, "optimisers": try_optimiser}
    return tries.get(kind, try_ingredient)(kind, entry, fixtures)


def assert_plugin_ok(plugin: str | Path | ModuleType) -> None:
    """Raise AssertionError with a sentence for each problem of a plugin; `plugin` is as for `examine`."""
    wrong = broken(examine(plugin))
    if wrong:
        raise AssertionError("\n".join(map(str, wrong)))


def _check_plugin(target: Target) -> Iterator[Finding]:
    for plugin in target.plugins:
        yield _plugin_finding(plugin)
    names = set()
    for line in target.requires:
        try:
            names.add(canonicalize_name(Requirement(line).name))
        except InvalidRequirement:
            yield Finding("plugin", target.distribution, False, f"requires {line!r}, which is not a valid requirement")
    if BUILT_IN not in names:
        other = "; `dreamer` is another project" if "dreamer" in names else ""
        yield Finding("plugin", target.distribution, False, f"does not require {BUILT_IN} in its metadata{other}")


def _plugin_finding(plugin: Plugin) -> Finding:
    def finding(ok: bool, sentence: str) -> Finding:
        return Finding("plugin", plugin.name, ok, sentence)

    if plugin.problem:
        return finding(False, f"cannot be loaded: {plugin.problem}")
    if not plugin.adds:
        return finding(False, "registers nothing: put its hooks, with @hookimpl, into the module of the entry point")
    return finding(True, f"adds {', '.join(plugin.adds)}")


def _check_registered(target: Target) -> Iterator[Finding]:
    registry, source = target.registry, target.distribution
    fixtures = Fixtures()
    for kind in KINDS:
        for entry in registry.ingredients[kind]:
            if entry.source == source:
                yield from try_entry(kind, entry, fixtures)
    yield from (try_network(entry, registry) for entry in registry.networks if entry.source == source)
    yield from (try_preset(entry, registry) for entry in registry.presets if entry.source == source)
