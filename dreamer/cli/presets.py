"""`dreamer presets`: the looks that are installed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.looks import check, save, try_
from dreamer.cli.tables import table
from dreamer.errors import RecipeError

if TYPE_CHECKING:
    from dreamer.recipes.preset import Preset

_THUMBNAIL = 24  # letters wide, in a terminal


@click.group()
def presets() -> None:
    """Looks: recipes worth a name."""


presets.add_command(try_)
presets.add_command(check)
presets.add_command(save)


@presets.command("list")
def list_() -> None:
    """Every preset that is installed, with a small picture of each where the terminal can show it."""
    from dreamer.plugins.loading import load_presets
    from dreamer.recipes.preset import Preset, find_preset
    from dreamer.recipes.recipe import Recipe

    registry, _ = load_presets()
    rows: list[tuple[Preset, str, str]] = []
    for entry in registry.presets:
        try:
            preset = find_preset(registry, entry.full_name)
            rows.append((preset, entry.source, preset.description or preset.title))
        except RecipeError as error:  # one broken preset hides no other
            broken = Preset(entry.name, "", "", "", {"network": ""})
            rows.append((broken, entry.source, f"broken: {error.problems[0]}"))
    cells = [
        (preset.name, str(preset.words.get("network", Recipe.network)), preset.likes, source, about)
        for preset, source, about in rows
    ]
    header = ("preset", "network", "likes", "from", "what it does")
    if sys.stdout.isatty() and _illustrated(header, cells, [preset for preset, _, _ in rows]):
        return
    table(header, cells)


def _illustrated(header: Sequence[str], cells: Sequence[Sequence[str]], presets: Sequence[Preset]) -> bool:
    """The table with thumbnails; False where nothing is installed that shows pictures in a terminal."""
    logging.getLogger("textual_image").propagate = False  # it tells of mute terminals, and then assumes enough
    try:
        from textual_image.renderable import Image
    except ImportError:
        return False
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = Table("", *header, box=None, header_style="bold", padding=(0, 2, 1, 0))
    for row, preset in zip(cells, presets, strict=True):
        thumbnail = preset.thumbnail
        found.add_row(Image(thumbnail, width=_THUMBNAIL) if thumbnail else "", *map(Text, row))
    Console().print(found)
    return True


@presets.command()
@click.argument("name")
def show(name: str) -> None:
    """A preset as it stands in its file, or the recipe inside of a picture that dreamer made."""
    from dreamer.plugins.loading import load_presets
    from dreamer.recipes.preset import read_preset
    from dreamer.recipes.recipe import SCHEMA

    path = Path(name)
    if path.is_file() and not name.endswith(".toml"):
        _show_picture(path)
        return
    preset = read_preset(path) if name.endswith(".toml") else load_presets()[0].presets.get(name).value()
    if preset.file:
        click.echo(preset.file.read_text(encoding="utf-8"), nl=False)
        return
    about = {key: getattr(preset, key) for key in ("title", "description", "author", "likes")}
    others = {key: getattr(preset, key) for key in ("extends", "requires") if getattr(preset, key)}
    click.echo(_toml({"schema": SCHEMA, **about, **others, **preset.words}), nl=False)


def _show_picture(picture: Path) -> None:
    """What stands inside, as a preset that could be kept; what decides its bytes besides, as comments."""
    from dreamer.cli.failures import line
    from dreamer.cli.provenance import provenance_in
    from dreamer.recipes.recipe import SCHEMA

    provenance = provenance_in(picture)
    about = {
        "dreamer": provenance.dreamer,
        **provenance.machine,
        "weights": provenance.weights,
        "photo": provenance.photo,
    }
    if provenance.guide:
        about["guide"] = provenance.guide
    for key, value in about.items():
        click.echo(line(f"# {key}: {value}"))
    required = {"requires": list(provenance.plugins)} if provenance.plugins else {}
    click.echo(_toml({"schema": SCHEMA, **required, **provenance.recipe}), nl=False)


def _toml(words: Mapping[str, Any]) -> str:
    """The words as TOML, which has no null: what is null is left out, as if nothing were said of it."""
    import tomli_w

    def said(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: said(inner) for key, inner in value.items() if inner is not None}
        return [said(inner) for inner in value if inner is not None] if isinstance(value, (list, tuple)) else value

    return tomli_w.dumps(said(words))
