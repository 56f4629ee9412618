"""`dreamer ingredients`: the ingredients of recipes, built-in and from plugins."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from dreamer.cli.groups import Commands
from dreamer.cli.streams import echo, line
from dreamer.cli.tables import table
from dreamer.errors import RecipeError, collect_problems, did_you_mean, reported_together

if TYPE_CHECKING:
    from dreamer.recipes.registry import Entry, IngredientKind


@click.group(cls=Commands)
def ingredients() -> None:
    """List and explain the ingredients of recipes."""


@ingredients.command("list")
@click.argument("kind", required=False)
def list_(kind: str | None) -> None:
    """List all ingredients, or those of one KIND.

    KIND is objectives, priors, transforms, gradient_filters, updates, canvases or optimisers.
    """
    from dreamer.api import registry

    shelves = registry().ingredients
    if kind is not None and kind not in shelves:
        raise RecipeError(f"{kind}: not a kind of ingredient{did_you_mean(kind, shelves)}")
    rows = [
        (each, shelf.shortest_name(entry), _options(entry), entry.source, entry.value.summary)
        for each, shelf in shelves.items()
        if kind in (None, each)
        for entry in shelf
    ]
    table(("kind", "name", "options", "from", "what it does"), rows)


@ingredients.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what an ingredient does, and its options.

    Each option is shown as for --set, with its range and default.
    """
    from dreamer.api import registry

    found = {}
    with reported_together(RecipeError) as shared:
        for kind, shelf in registry().ingredients.items():
            with collect_problems(shared) if name in shelf.names() else suppress(RecipeError):
                found[kind] = shelf.get(name)
    if not found:
        known = [entry.name for shelf in registry().ingredients.values() for entry in shelf]
        hint = did_you_mean(name, known) or "; `dreamer ingredients list` lists them"
        raise RecipeError(f"no ingredient is called {name!r}{hint}")
    for number, (kind, entry) in enumerate(found.items()):
        if number:
            echo()
        _show(kind, entry, registry().ingredients[kind].shortest_name(entry))


def _show(kind: str, entry: Entry[IngredientKind], name: str) -> None:
    """Print what an ingredient does, and its options as `--set` takes them with this name of it."""
    from dreamer.recipes.recipe import ONES
    from dreamer.recipes.registry import noun_of

    about = (inspect.getdoc(entry.value.function) or "").split("\n")
    for text in (f"{noun_of(kind)} {entry.name}, from {entry.source}", "", *about, ""):
        echo(line(text))
    one = next((key for key, kinds in ONES.items() if kinds == kind), None)
    rows = [
        (f"{one or f'{kind}.{name}'}.{option.name}", option.allowed, _spelt(option.default))
        for option in entry.value.options.values()
    ]
    if one:
        rows.insert(0, (f"{one}.name", f"{name}, to choose it", ""))
    if kind in ("objectives", "priors"):
        rows.append((f"{kind}.{name}.weight", "a number from -1000 to 1000", "1.0"))
    if kind == "objectives":
        rows.append((f"{kind}.{name}.layer", "a layer of the network", "its default layer"))
    if not rows:
        echo(line(f"--set {kind}.{name}  to add it"))
    for key, allowed, default in rows:
        echo(line(f"--set {key}=...  {allowed}{f' [{default}]' if default else ''}"))


def _options(entry: Entry[IngredientKind]) -> str:
    return " ".join(f"{name}={_spelt(option.default)}" for name, option in entry.value.options.items())


def _spelt(value: object) -> str:
    """A default as `--set` takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
