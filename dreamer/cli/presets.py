"""`dreamer presets`: list and show presets; `looks` and `trying` have the other commands."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.changed import nearest_preset
from dreamer.cli.groups import Commands
from dreamer.cli.looks import check, save
from dreamer.cli.streams import echo, line
from dreamer.cli.tables import table
from dreamer.cli.trying import try_
from dreamer.errors import RecipeError, UsageError
from dreamer.files import read_bounded
from dreamer.limits import THUMBNAIL_BYTES, THUMBNAIL_PIXELS
from dreamer.recipes.cells import named_cell

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from dreamer.recipes.preset import Preset

_THUMBNAIL = 24  # letters wide, in a terminal


@click.group(cls=Commands, commands=[try_, check, save])
def presets() -> None:
    """List, try, check and save presets."""


@presets.command("list")
def list_() -> None:
    """List the installed presets.

    Terminals that can show pictures show a thumbnail of each. `dreamer networks list` says which of their networks are
    ready, and which have to be downloaded first.
    """
    from dreamer.plugins.loading import load_presets
    from dreamer.plugins.preset_packs import OWN
    from dreamer.recipes.preset import Preset, find_preset
    from dreamer.recipes.recipe import Recipe

    registry, plugins = load_presets()
    for folder in (plugin for plugin in plugins if plugin.distribution == OWN and plugin.problem):
        echo(f"dreamer: {line(folder.problem)}", err=True)
    found, cells = [], []
    for entry in registry.presets:
        try:
            preset = find_preset(registry, entry.full_name)
            about = preset.description or preset.title
        except RecipeError as error:  # a broken preset must not hide the others
            preset, about = Preset(entry.name, "", "", "", {"network": ""}), f"broken: {error.problems[0]}"
        found.append(preset)
        network = str(preset.words.get("network", Recipe.network))
        cells.append((preset.name, network, preset.likes, entry.source, about))
    header = ("preset", "network", "likes", "from", "what it does")
    if not (sys.stdout.isatty() and _illustrated(header, cells, found)):
        table(header, cells)


def _illustrated(header: Sequence[str], cells: Sequence[Sequence[str]], presets: Sequence[Preset]) -> bool:
    """Print the table with thumbnails; False if the library for pictures in a terminal is not installed."""
    logging.getLogger("textual_image").propagate = False  # it warns of terminals that do not answer, and then works
    try:
        from textual_image.renderable import Image
    except ImportError:
        return False
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = Table("", *header, box=None, header_style="bold", padding=(0, 2, 1, 0))
    for row, preset in zip(([line(cell) for cell in row] for row in cells), presets, strict=True):
        thumbnail = _thumbnail(preset)
        found.add_row(Image(thumbnail, width=_THUMBNAIL) if thumbnail else "", *map(Text, row))
    Console().print(found)
    return True


def _thumbnail(preset: Preset) -> Picture | None:
    """A preset's thumbnail, which may be a stranger's; None if there is none, or none of a thumbnail's size."""
    from PIL import Image

    try:
        data = read_bounded(preset.thumbnail, THUMBNAIL_BYTES) if preset.thumbnail else b""
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
            return picture.convert("RGB") if picture.width * picture.height <= THUMBNAIL_PIXELS else None
    except (OSError, ValueError, SyntaxError, UsageError, Image.DecompressionBombError):
        return None


@presets.command()
@click.argument("name")
def show(name: str) -> None:
    """Print a preset, or the recipe inside a picture.

    NAME is a preset, a .toml file, a picture made by dreamer, or one of a sheet, as sheet.jpg#4. Of a picture it also
    says which preset it comes from, and what was changed.
    """
    from dreamer.plugins.loading import load_presets
    from dreamer.recipes.parsing import read_text
    from dreamer.recipes.preset import read_preset
    from dreamer.recipes.recipe import SCHEMA

    path = Path(name)
    if os.path.isfile(named_cell(name)[0]) and not name.endswith(".toml"):
        _show_picture(path)
        return
    preset = read_preset(path) if name.endswith(".toml") else load_presets()[0].presets.get(name).value()
    if preset.file:
        echo(_visible(read_text(preset.file)).rstrip("\n"))
        return
    about = {key: getattr(preset, key) for key in ("title", "description", "author", "likes")}
    others = {key: getattr(preset, key) for key in ("extends", "requires") if getattr(preset, key)}
    echo(_visible(_toml({"schema": SCHEMA, **about, **others, **preset.words})).rstrip("\n"))


def _show_picture(picture: Path) -> None:
    """Print the recipe as a preset, and all else that decides the picture's bytes as comments."""
    from dreamer.api import registry
    from dreamer.cli.provenance import provenance_in
    from dreamer.cli.streams import line
    from dreamer.recipes.recipe import SCHEMA

    provenance = provenance_in(picture)
    origin = {key: getattr(provenance, key) for key in ("weights", "weights_file", "photo", "guide")}
    origin = {key: value for key, value in origin.items() if value or key in ("weights", "photo")}
    places = provenance.places()
    for name, version in provenance.plugins.items():
        origin[f"plugin {name}"] = f"{version}, from {places.get(name, 'the package index')}"
    for key, value in {"dreamer": provenance.dreamer, **provenance.machine, **origin}.items():
        echo(line(f"# {key}: {value}"))
    if near := nearest_preset(provenance.recipe, registry()):
        name, changes = near
        echo(line(f"# preset: {name}{', changed:' if changes else ''}"))
        for change in changes:
            echo(line(f"#   {change}"))
    required = {"requires": list(provenance.plugins)} if provenance.plugins else {}
    echo(_visible(_toml({"schema": SCHEMA, **required, **provenance.recipe})).rstrip("\n"))


def _visible(text: str) -> str:
    """TOML with escapes for what would act on a terminal: it means the same, and can be seen."""
    seen = (letter if letter.isprintable() or letter in "\t\n" else _escape(letter) for letter in text)
    return "".join(seen)


def _escape(letter: str) -> str:
    number = ord(letter)
    return "" if letter == "\r" else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _toml(words: Mapping[str, Any]) -> str:
    """The words as TOML without what is None: TOML has no null, and None is what a missing key means."""
    import tomli_w

    def without_none(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: without_none(inner) for key, inner in value.items() if inner is not None}
        if isinstance(value, (list, tuple)):
            return [without_none(inner) for inner in value if inner is not None]
        return value

    return tomli_w.dumps(without_none(words))
