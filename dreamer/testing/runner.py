"""Runs every check on a plugin: on its metadata, and on everything that it registers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import ModuleType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from dreamer.errors import UsageError, described
from dreamer.networks import load_from
from dreamer.recipes.recipe import KINDS
from dreamer.recipes.registry import BUILT_IN, Entry, IngredientKind, noun_of
from dreamer.testing.cases import Fixtures
from dreamer.testing.checks import try_network, try_preset
from dreamer.testing.contracts import check_case, check_declaration, gives_score_map
from dreamer.testing.contracts_canvas import check_canvas, check_optimiser
from dreamer.testing.contracts_photo import try_depth, try_segmenter
from dreamer.testing.finding import Finding, broken
from dreamer.testing.loading import Target, load_target

_CHECKS = {"canvases": check_canvas, "optimisers": check_optimiser}  # the other kinds share one


def examine(plugin: str | Path | ModuleType) -> list[Finding]:
    """Load a plugin and check everything that it registers.

    `plugin` is the name of an installed distribution or entry point, a project's folder, which need not be installed,
    or a module. Raises UsageError if no such plugin is installed, or if the folder is not a plugin.
    """
    with load_target(plugin) as target:
        return [*_check_plugin(target), *_check_registered(target)]


def try_entry(kind: str, entry: Entry[IngredientKind], fixtures: Fixtures) -> list[Finding]:
    """Check one ingredient: one finding for each promise that it breaks, or a single one if it keeps them all."""
    finding, ingredient = partial(Finding, noun_of(kind), entry.name), entry.value
    problems, count = dict(check_declaration(kind, entry)), 0
    for case in fixtures.cases(kind, ingredient) if "asks" not in problems else ():
        count += 1
        try:
            for promise, sentence in _CHECKS.get(kind, check_case)(kind, ingredient, case, fixtures):
                problems.setdefault(promise, sentence)
        except UsageError as refusal:
            why = "; ".join(refusal.problems)
            if not case.where and not problems:
                return [finding(None, f"it refuses {'to work' if kind in _CHECKS else 'the tiny network'}: {why}")]
            problems.setdefault("refuses", f"refuses to work{case.where}: {why}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin's function can raise anything
            problems.setdefault("runs", f"fails{case.where}: {type(error).__name__}: {described(error)}")
        if "in place" in problems:  # torch would fail with misleading errors from now on
            break
    if problems:
        return [finding(False, sentence) for sentence in problems.values()]
    whole = kind == "objectives" and not gives_score_map(ingredient, fixtures)
    how = "; it scores the whole picture at once, so it works only without tiles" if whole else ""
    return [finding(True, f"keeps every promise in {count} tests{how}")]


def assert_plugin_ok(plugin: str | Path | ModuleType) -> None:
    """Raise AssertionError with a sentence for each problem of a plugin; `plugin` is as for `examine`."""
    if wrong := broken(examine(plugin)):
        raise AssertionError("\n".join(map(str, wrong)))


def _check_plugin(target: Target) -> Iterator[Finding]:
    for plugin in target.plugins:
        finding = partial(Finding, "plugin", plugin.name)
        if plugin.problem:
            yield finding(False, f"cannot be loaded: {plugin.problem}")
        elif plugin.adds:
            yield finding(True, f"adds {', '.join(plugin.adds)}")
        else:
            why = "put its hooks, with @hookimpl, into the module of the entry point"
            yield finding(False, f"registers nothing: {why}")
    finding, names = partial(Finding, "plugin", target.distribution), set()
    for line in target.requires:
        try:
            names.add(canonicalize_name(Requirement(line).name))
        except (InvalidRequirement, RecursionError):
            yield finding(False, f"requires {line!r}, which is not a valid requirement")
    if BUILT_IN not in names:
        other = "; `dreamer` is another project" if "dreamer" in names else ""
        yield finding(False, f"does not require {BUILT_IN} in its metadata{other}")


def _check_registered(target: Target) -> Iterator[Finding]:
    registry, source, fixtures = target.registry, target.distribution, Fixtures()
    found: list[Finding] = []
    for kind in KINDS:
        for entry in registry.ingredients[kind]:
            if entry.source == source:
                found += try_entry(kind, entry, fixtures)
    yield from found
    yield from (try_segmenter(entry, registry) for entry in registry.segmenters if entry.source == source)
    yield from (try_depth(entry, registry) for entry in registry.depths if entry.source == source)
    network_of = cache(partial(load_from, registry.networks))  # one network may be that of many presets
    yield from (try_network(entry, network_of) for entry in registry.networks if entry.source == source)
    wrong = {(finding.kind, finding.name) for finding in broken(found)}
    yield from (try_preset(entry, registry, network_of, wrong) for entry in registry.presets if entry.source == source)
