"""`dreamer ingredients`: the ingredients of recipes, built-in and from plugins."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from dreamer.cli.tables import table
from dreamer.errors import RecipeError, did_you_mean

if TYPE_CHECKING:
    from dreamer.recipes.registry import Entry, IngredientKind, Registry


@click.group()
def ingredients() -> None:
    """List and explain the ingredients of recipes."""


@ingredients.command("list")
@click.argument("kind", required=False)
def list_(kind: str | None) -> None:
    """List all ingredients, or those of one KIND.

    KIND is objectives, priors, transforms, gradient_filters, updates, canvases or optimisers.
    """
    registry = _registry()
    kinds = list(registry.ingredients)
    if kind is not None and kind not in kinds:
        raise RecipeError(f"{kind}: not a kind of ingredient{did_you_mean(kind, kinds)}")
    rows = [
        (each, registry.ingredients[each].shortest_name(entry), _options(entry), entry.source, entry.value.summary)
        for each in kinds
        if kind in (None, each)
        for entry in registry.ingredients[each]
    ]
    table(("kind", "name", "options", "from", "what it does"), rows)


@ingredients.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what an ingredient does, and its options.

    Each option is shown as for --set, with its range and default.
    """
    registry = _registry()
    kinds = [kind for kind, entries in registry.ingredients.items() if _has(registry, kind, name)]
    if not kinds:
        known = [entry.name for entries in registry.ingredients.values() for entry in entries]
        hint = did_you_mean(name, known) or "; `dreamer ingredients list` lists them"
        raise RecipeError(f"no ingredient is called {name!r}{hint}")
    for number, kind in enumerate(kinds):
        if number:
            click.echo()
        _show(kind, registry.ingredients[kind].get(name))


def _has(registry: Registry, kind: str, name: str) -> bool:
    try:
        return bool(registry.ingredients[kind].get(name))
    except RecipeError:
        return False


def _show(kind: str, entry: Entry[IngredientKind]) -> None:
    from dreamer.recipes.recipe import ONES
    from dreamer.recipes.registry import noun_of

    click.echo(f"{noun_of(kind)} {entry.name}, from {entry.source}\n\n{inspect.getdoc(entry.value.function)}\n")
    one = next((key for key, kinds in ONES.items() if kinds == kind), None)
    rows = [
        (f"{one or f'{kind}.{entry.name}'}.{option.name}", option.allowed, _spelt(option.default))
        for option in entry.value.options.values()
    ]
    if one:
        rows.insert(0, (f"{one}.name", f"{entry.name}, to choose it", ""))
    if kind in ("objectives", "priors"):
        rows.append((f"{kind}.{entry.name}.weight", "a number from -1000 to 1000", "1.0"))
    if kind == "objectives":
        rows.append((f"{kind}.{entry.name}.layer", "a layer of the network", "its default layer"))
    for key, allowed, default in rows:
        click.echo(f"--set {key}=...  {allowed}{f' [{default}]' if default else ''}")


def _options(entry: Entry[IngredientKind]) -> str:
    return " ".join(f"{name}={_spelt(option.default)}" for name, option in entry.value.options.items())


def _spelt(value: object) -> str:
    """A default as `--set` takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _registry() -> Registry:
    from dreamer.plugins.loading import load_plugins

    return load_plugins()[0]
