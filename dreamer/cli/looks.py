"""`dreamer presets check` and `save`; `trying` has `try`."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.missing import tell_missing
from dreamer.cli.options import max_pixels_option, option, recipe_options
from dreamer.cli.photos import check_spared
from dreamer.cli.shell import shell_word
from dreamer.cli.streams import echo, line
from dreamer.cli.values import FILE
from dreamer.errors import RecipeError, UsageError, collect_problems
from dreamer.files import is_taken, make_folder, write_atomically

if TYPE_CHECKING:
    from dreamer.recipes.preset import Preset

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SAMPLE, _THUMBNAIL = (480, 320), (240, 160)  # width and height; a thumbnail is dreamt at twice its size


def _notify(sentence: str) -> None:
    echo(line(sentence), err=True)


@click.command()
@click.argument("name", metavar="FILE|NAME")
@option("--thumbnail", is_flag=True, help="Also draw its thumbnail over dreamer's own scene: FILE.webp.")
@option("--force", is_flag=True, help="Replace an existing thumbnail.")
def check(name: str, thumbnail: bool, force: bool) -> int:
    """Check a preset and list every mistake with its line.

    Nothing is downloaded: a network is checked without its weights if they are missing.
    """
    tell_missing([], {"preset": name})

    from dreamer.api import registry
    from dreamer.networks import untrained
    from dreamer.pipeline.build import build
    from dreamer.recipes.parsing import read_text
    from dreamer.recipes.preset import BESIDE, THUMBNAIL, find_preset, lines_of
    from dreamer.recipes.recipe import Recipe

    problems: list[str] = []
    preset = find_preset(registry(), name)
    network = None
    with suppress(UsageError):  # build, below, reports it
        network = untrained(registry().networks, str(preset.words.get("network", Recipe.network)))
    with collect_problems(problems):
        build(preset.words, registry(), network=network, beside=BESIDE)
    place = preset.file.with_suffix(THUMBNAIL) if thumbnail and preset.file else None
    if place and is_taken(place) and not force:
        problems.append(f"{place} already exists; --force replaces it")
    if place and preset.file:
        with collect_problems(problems):
            check_spared([place], [preset.file])
    missing = [key for key in ("title", "description", "author", "likes") if not getattr(preset, key)]
    problems += [f"{key}: missing; every preset should have one" for key in missing]
    if problems:
        lines = lines_of(read_text(preset.file)) if preset.file else {}
        raise RecipeError(*(_at(str(preset.file or preset.name), lines, problem) for problem in problems))
    if place:
        echo(line(str(write_atomically(place, _thumbnail(preset), replace=force))))
    echo(line(f"{preset.file or preset.name}: no mistakes"))
    return 0


def _at(file: str, lines: Mapping[str, int], problem: str) -> str:
    """The problem after the file and, if it names a key, the line of that key."""
    path = problem.partition(":")[0]
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return f"{file}:{lines[path]}: {problem}" if path else f"{file}: {problem}"


def _thumbnail(preset: Preset) -> bytes:
    """The WebP file of its thumbnail."""
    from PIL.Image import Resampling

    from dreamer.api import dream
    from dreamer.image import to_pil
    from dreamer.motifs.sample_scene import scene

    picture = dream(to_pil(scene(*_SAMPLE)), preset=preset).resize(_THUMBNAIL, Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=80, method=6)
    return data.getvalue()


@click.command()
@click.argument("name")
@recipe_options
@option("--title", metavar="TEXT", help="Title for people. [NAME]")
@option("--description", metavar="TEXT", default="", help="What it does, in one line.")
@option("--likes", metavar="TEXT", default="", help="Photos that suit it.")
@option("--author", metavar="TEXT", default="", help="Who made it.")
@option("-o", "--output", metavar="FILE", type=FILE, help="The file to write. [NAME.toml among your own presets]")
@option("--force", is_flag=True, help="Replace an existing preset of your own.")
@max_pixels_option
def save(
    name: str,
    title: str | None,
    description: str,
    likes: str,
    author: str,
    output: Path | None,
    force: bool,
    **options: Any,
) -> int:
    """Save a look as a preset.

    The look is a --preset, or the --recipe inside a picture, with the changes that the other options make.
    """
    problems: list[str] = []
    if output and output.suffix != ".toml":
        problems.append(f"-o {output}: a preset is a .toml file")
    if not _NAME.fullmatch(name):
        rule = "small letters and digits, with - or _ in between, as in slow-bloom"
        problems.append(f"{name}: the name of a preset is made of {rule}")
    files = [name for name in ("weights", "guide") if options[name]]
    problems += [f"--{name}: a preset cannot name a file; use this option when you render" for name in files]
    about = {"title": title or name, "description": description, "author": author, "likes": likes}
    problems += [
        f"--{key}: this text has letters that are not in UTF-8; type it in a terminal of UTF-8"
        for key, text in about.items()
        if any(0xD800 <= ord(letter) < 0xE000 for letter in text)
    ]
    tell_missing(problems, options)

    import tomli_w

    from dreamer.cli.render_options import RenderOptions
    from dreamer.pipeline.build import build
    from dreamer.plugins.loading import load_plugins
    from dreamer.plugins.preset_packs import OWN, own_presets
    from dreamer.recipes.overrides import difference
    from dreamer.recipes.recipe import SCHEMA

    problems = []
    registry, _ = load_plugins()
    place = output or own_presets() / f"{name}.toml"
    taken = [entry.full_name for entry in registry.presets if entry.name == name]
    if output is None and any(not full.startswith(f"{OWN}:") for full in taken):
        problems.append(f"{name}: a preset of that name already exists, {taken[0]}; choose another name")
    elif is_taken(place) and not force:
        problems.append(f"{place} already exists; --force replaces it")
    with collect_problems(problems):
        check_spared([place], [Path(options[key]) for key in ("recipe", "preset") if options[key]])
    given = RenderOptions(**options, tile=None, device=None, precision=None, threads=None)
    pipeline, _ = given.pipeline(registry, _notify, problems, fetch=False)
    without = build({"network": pipeline.recipe.network}, registry, network=pipeline.network)
    required = {"requires": sorted(pipeline.plugins)} if pipeline.plugins else {}
    changes = difference(pipeline.to_dict(), without.to_dict(), registry.vocabulary)
    words = {"schema": SCHEMA, **about, **required, **changes}
    if output is None:
        make_folder(place.parent)
    place = write_atomically(place, tomli_w.dumps(words).encode(), replace=force)
    called = place.stem if output is None else shell_word(str(place))
    echo(line(f"saved as {place}; `dreamer render PHOTO --preset {called}` dreams with it"))
    return 0
