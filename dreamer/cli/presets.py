"""`dreamer presets`: the looks that are installed."""

from __future__ import annotations

from pathlib import Path

import click

from dreamer.cli.tables import table
from dreamer.errors import RecipeError


@click.group()
def presets() -> None:
    """Looks: recipes worth a name."""


@presets.command("list")
def list_() -> None:
    """Every preset that is installed."""
    from dreamer.plugins import load_plugins
    from dreamer.preset import find_preset
    from dreamer.recipe import Recipe

    shelf = load_plugins()[0].presets
    rows = []
    for entry in shelf:
        try:
            preset = find_preset(shelf, entry.full_name)
            network = str(preset.words.get("network", Recipe.network))
            rows.append((entry.name, network, entry.source, preset.description or preset.title))
        except RecipeError as error:  # one broken preset hides no other
            rows.append((entry.name, "", entry.source, f"broken: {error.problems[0]}"))
    table(("preset", "network", "from", "what it does"), rows)


@presets.command()
@click.argument("name")
def show(name: str) -> None:
    """A preset as it stands in its file."""
    import tomli_w

    from dreamer.plugins import load_plugins
    from dreamer.preset import Preset, find_preset

    shelf = load_plugins()[0].presets
    value = Path(name) if name.endswith(".toml") else shelf.get(name).value
    preset = find_preset(shelf, name)
    if isinstance(value, Preset):
        about = {"title": preset.title, "description": preset.description, "author": preset.author}
        click.echo(tomli_w.dumps({"schema": 1, **about, **preset.words}), nl=False)
    else:
        click.echo(Path(value).read_text(encoding="utf-8"), nl=False)
