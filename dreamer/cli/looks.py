"""`dreamer presets try`, `check` and `save`: presets tried on a photo, checked for mistakes, and saved."""

from __future__ import annotations

import io
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.failures import line
from dreamer.cli.options import FILE, STRENGTH, max_pixels_option, option, progress_option, recipe_options
from dreamer.cli.photos import check_folder, check_spared, write_sheet
from dreamer.cli.progress import Frame, Reporter, progress
from dreamer.errors import DreamerError, RecipeError, UsageError, collect_problems
from dreamer.files import is_taken, make_folder, write_atomically

if TYPE_CHECKING:
    from PIL import Image

    from dreamer.engine.step import Step
    from dreamer.recipes.preset import Preset
    from dreamer.visualization.contact_sheet import Look

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SAMPLE, _THUMBNAIL = (480, 320), (240, 160)  # width and height; a thumbnail is dreamt at twice its size


@click.command("try")
@click.argument("photo", type=FILE)
@click.argument("names", nargs=-1, metavar="[PRESET]...")
@option("-o", "--output", metavar="FILE", type=FILE, help="The sheet to write. [PHOTO-presets.jpg]")
@option("--html", "as_page", is_flag=True, help="Also write a web page with the command of each look.")
@option("--size", type=click.IntRange(96, 1024), default=320, metavar="PIXELS", help="Side of each picture. [320]")
@option("--strength", type=click.FloatRange(0, 1), default=1.0, metavar="0..1", help=STRENGTH)
@option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Random seed: another seed, other dreams. [0]")
@option("--force", is_flag=True, help="Replace an existing sheet.")
@max_pixels_option
@progress_option
def try_(
    photo: Path,
    names: tuple[str, ...],
    output: Path | None,
    as_page: bool,
    size: int,
    strength: float,
    seed: int,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """Try presets on the middle of a photo, on one sheet.

    The sheet shows all installed presets, or those that are named. Nothing is downloaded: presets whose network or
    plugin is missing are skipped with a message.
    """
    output = output or photo.with_name(f"{photo.stem}-presets.jpg")
    outputs = [output, output.with_suffix(".html")] if as_page else [output]
    there = [] if force else [path for path in outputs if path.exists()]
    problems = [f"{path} already exists; --force replaces it, -o chooses another name" for path in there]
    with progress(how) as reporter:
        from dreamer.api import registry
        from dreamer.image import check_suffix, load, to_pil
        from dreamer.recipes.preset import find_preset
        from dreamer.visualization.contact_sheet import Look, page, sheet

        began = time.monotonic()
        with collect_problems(problems):
            check_folder(output.parent, f"-o {output}")
            check_spared(outputs, [photo])
        with collect_problems(problems):
            check_suffix(output)
        with collect_problems(problems):
            piece = to_pil(load(photo, max_pixels=max_pixels).middle(size))
        presets, shelf = {}, registry().presets
        for name in names or map(shelf.shortest_name, shelf):
            try:
                presets[name] = find_preset(registry(), name)
            except RecipeError as error:
                if names:
                    problems += error.problems
                else:
                    reporter.say(f"skipped {name}: {error}")
        if problems:
            raise UsageError(*problems)
        looks = [Look("the photo", photo.name, piece), *_dreamt(piece, presets, strength, seed, photo, reporter)]
        write_sheet(output, sheet(looks))
        if as_page:
            write_atomically(outputs[1], page(looks, f"Looks for {photo.name}").encode())
        reporter.say(f"showing {len(looks) - 1} looks")
        for path in outputs:
            reporter.done(str(photo), str(path), time.monotonic() - began)
    return 0 if len(looks) > 1 else 1


def _dreamt(
    piece: Image.Image, presets: Mapping[str, Preset], strength: float, seed: int, photo: Path, reporter: Reporter
) -> Iterator[Look]:
    """The picture dreamt with each preset, by the name that was given."""
    from dreamer.api import dream
    from dreamer.engine.device import keep_freed_memory
    from dreamer.visualization.contact_sheet import Look

    keep_freed_memory()
    reporter.start(str(photo), 1, 1)
    for done, (name, preset) in enumerate(presets.items()):

        def on_step(step: Step, done: int = done, doing: str = preset.name) -> None:
            reporter.frame(Frame(done, len(presets), (done + step.share) / len(presets), doing, "look"))

        try:
            picture = dream(piece, preset=preset, strength=strength, seed=seed, on_step=on_step)
        except DreamerError as error:
            reporter.say(f"skipped {preset.name}: {error}")
        else:
            command = shlex.join(["dreamer", "render", str(photo), "--preset", name])
            yield Look(preset.name, preset.description or preset.title, picture, command)
        reporter.frame(Frame(done + 1, len(presets), (done + 1) / len(presets), unit="look"))


def _say(sentence: str) -> None:
    click.echo(line(sentence), err=True)


@click.command()
@click.argument("name", metavar="FILE|NAME")
@option("--thumbnail", is_flag=True, help="Also draw its thumbnail over dreamer's own scene: FILE.webp.")
def check(name: str, thumbnail: bool) -> int:
    """Check a preset and list every mistake with its line.

    Nothing is downloaded: a network is checked without its weights if they are missing.
    """
    from dreamer.api import registry
    from dreamer.networks import untrained
    from dreamer.pipeline.build import build
    from dreamer.recipes.parsing import read_text
    from dreamer.recipes.preset import find_preset, lines_of
    from dreamer.recipes.recipe import Recipe

    problems: list[str] = []
    preset = find_preset(registry(), name)
    network = None
    with suppress(UsageError):  # build, below, reports it
        network = untrained(registry().networks, str(preset.words.get("network", Recipe.network)))
    with collect_problems(problems):
        build(preset.words, registry(), network=network)
    missing = [key for key in ("title", "description", "author", "likes") if not getattr(preset, key)]
    problems += [f"{key}: missing; every preset should have one" for key in missing]
    if problems:
        lines = lines_of(read_text(preset.file)) if preset.file else {}
        raise RecipeError(*(_at(str(preset.file or preset.name), lines, problem) for problem in problems))
    if thumbnail and preset.file:
        click.echo(_draw_thumbnail(preset))
    click.echo(f"{preset.file or preset.name}: no mistakes")
    return 0


def _at(file: str, lines: Mapping[str, int], problem: str) -> str:
    """The problem after the file and, if it names a key, the line of that key."""
    path = problem.partition(":")[0]
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return f"{file}:{lines[path]}: {problem}" if path else f"{file}: {problem}"


def _draw_thumbnail(preset: Preset) -> Path:
    from PIL.Image import Resampling

    from dreamer.api import dream
    from dreamer.image import to_pil
    from dreamer.motifs.sample_scene import scene
    from dreamer.recipes.preset import THUMBNAIL

    assert preset.file
    picture = dream(to_pil(scene(*_SAMPLE)), preset=preset).resize(_THUMBNAIL, Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=80, method=6)
    place = preset.file.with_suffix(THUMBNAIL)
    write_atomically(place, data.getvalue())
    return place


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
    import tomli_w

    from dreamer.cli.render_options import RenderOptions
    from dreamer.pipeline.build import build
    from dreamer.plugins.loading import load_plugins
    from dreamer.plugins.preset_packs import OWN, own_presets
    from dreamer.recipes.overrides import difference
    from dreamer.recipes.recipe import SCHEMA

    registry, _ = load_plugins()
    problems: list[str] = []
    if output and output.suffix != ".toml":
        problems.append(f"-o {output}: a preset is a .toml file")
    if not _NAME.fullmatch(name):
        problems.append(f"{name}: the name of a preset consists of small letters, digits and hyphens, as in slow-bloom")
    place = output or own_presets() / f"{name}.toml"
    taken = [entry.full_name for entry in registry.presets if entry.name == name]
    if output is None and any(not full.startswith(f"{OWN}:") for full in taken):
        problems.append(f"{name}: a preset of that name already exists, {taken[0]}; choose another name")
    elif is_taken(place) and not force:
        problems.append(f"{place} already exists; --force replaces it")
    files = [name for name in ("weights", "guide") if options[name]]
    problems += [f"--{name}: a preset cannot name a file; use this option when you render" for name in files]
    given = RenderOptions(**options, tile=None, device=None, precision=None, threads=None)
    pipeline, _ = given.pipeline(registry, _say, problems, fetch=False)
    without = build({"network": pipeline.recipe.network}, registry, network=pipeline.network)
    about = {"title": title or name, "description": description, "author": author, "likes": likes}
    required = {"requires": sorted(pipeline.plugins)} if pipeline.plugins else {}
    changes = difference(pipeline.to_dict(), without.to_dict(), registry.vocabulary)
    words = {"schema": SCHEMA, **about, **required, **changes}
    if output is None:
        make_folder(place.parent)
    write_atomically(place, tomli_w.dumps(words).encode())
    click.echo(f"{place}: dreamer render PHOTO --preset {name if output is None else shlex.quote(str(place))}")
    return 0
