"""`dreamer presets try`: presets on the middle of a photo, on one sheet."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.hands import THREADS, Hands, jobs_options, order_of
from dreamer.cli.missing import check_preset, tell_missing
from dreamer.cli.options import STRENGTH, max_pixels_option, option, progress_option
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import Frame, Reporter, progress
from dreamer.cli.shell import render_command
from dreamer.cli.streams import line
from dreamer.cli.values import FILE, SEED, FiniteRange
from dreamer.errors import DreamerError, RecipeError, UsageError, WriteError, collect_problems, many
from dreamer.files import free, is_link, is_taken, make_folder, taken, write_atomically
from dreamer.files.suffixes import check_suffix
from dreamer.units.unit import Unit
from dreamer.units.working import work

if TYPE_CHECKING:
    from PIL import Image

    from dreamer.engine.step import Step
    from dreamer.recipes.preset import Preset
    from dreamer.visualization.contact_sheet import Look


@click.command("try")
@click.argument("photo", type=FILE)
@click.argument("names", nargs=-1, metavar="[PRESET]...")
@option("-o", "--output", metavar="FILE", type=FILE, help="The sheet to write. [PHOTO-presets.jpg]")
@option("--html", "as_page", is_flag=True, help="Also write a web page with the command of each look.")
@option("--size", type=click.IntRange(96, 1024), default=320, metavar="PIXELS", help="Side of each picture. [320]")
@option("--strength", type=FiniteRange(0, 1), default=1.0, metavar="0..1", help=STRENGTH)
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other dreams. [0]")
@jobs_options("looks")
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
    jobs: int | None,
    on: str | None,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """Try presets on the middle of a photo, on one sheet.

    The sheet shows all installed presets, or those that are named. Nothing is downloaded: presets whose network or
    plugin is missing are skipped with a message.
    """
    output = output or photo.parent / f"{photo.stem}-presets.jpg"
    outputs = [output, output.with_suffix(".html")] if as_page else [output]
    there = [] if force else [path for path in outputs if is_taken(path)]
    problems = [taken(path) for path in there]
    hands = Hands.read({"jobs": jobs, "on": on}, problems)
    with progress(how) as reporter:
        began = time.monotonic()
        with collect_problems(problems):
            check_folder(output.parent, f"-o {output}")
        with collect_problems(problems):
            check_suffix(output)
        for name in names:
            with collect_problems(problems):
                check_preset(name)
        tell_missing(problems, {}, photo)

        from dreamer.api import registry
        from dreamer.image import encode, load, to_pil
        from dreamer.recipes.preset import find_preset
        from dreamer.visualization.contact_sheet import Look, page, sheet

        problems = []
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
                    reporter.notify(line(f"skipped {name}: {error}"))
        with collect_problems(problems):
            check_spared(outputs, [photo, *(preset.file for preset in presets.values() if preset.file)])
        if problems:
            raise UsageError(*problems)
        _check_room(output, size * size * len(presets))
        name = line(photo.name)
        made = _dreamt(piece, presets, strength, seed, photo, reporter)
        if hands:
            words = {"max_pixels": max_pixels, "size": size, "strength": strength, "seed": seed}
            made = _dreamt_by(hands, output, presets, photo, words, reporter)
        looks = [Look("the photo", name, piece), *made]
        whole = load(sheet(looks))
        files = [encode(whole, whole.pixels, check_suffix(output))]
        files += [page(looks, f"Looks for {name}").encode()] if as_page else []
        reporter.notify(f"showing {many(len(looks) - 1, 'look')}")
        for path in _written(outputs, files, force):
            reporter.done(str(photo), str(path), time.monotonic() - began)
    return 0 if len(looks) > 1 else 1


def _check_room(output: Path, size: int) -> None:
    """Raises WriteError if so many bytes cannot be written there: now, and not after all looks are made."""
    trial = free(output.with_name(".dreamer-trial"))
    try:
        write_atomically(trial, bytes(size)).unlink()
    except WriteError as error:
        raise WriteError(str(error).replace(str(trial), str(output))) from error


def _written(outputs: Sequence[Path], files: Sequence[bytes], force: bool) -> list[Path]:
    """Write each file, or a free name beside it, and return which; WriteError says where they were saved instead."""
    written: list[Path] = []
    try:
        for path, data in zip(outputs, files, strict=True):
            written.append(write_atomically(path, data, replace=force))
    except WriteError as error:
        left = range(len(written), len(files))
        with suppress(OSError, WriteError):
            folder = Path(tempfile.mkdtemp(prefix="dreamer-"))  # nobody else may look into it
            saved = [str(write_atomically(folder / outputs[number].name, files[number])) for number in left]
            error = WriteError(f"{error}; saved as {' and '.join(saved)} instead")
        raise error from None
    return written


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
        label = line(preset.name)

        def on_step(step: Step, done: int = done, doing: str = label) -> None:
            reporter.frame(Frame(done, len(presets), (done + step.share) / len(presets), doing, "look"))

        try:
            picture = dream(piece, preset=preset, strength=strength, seed=seed, on_step=on_step)
        except DreamerError as error:
            reporter.notify(line(f"skipped {preset.name}: {error}"))
        else:
            command = render_command(photo, ("--preset", name))
            yield Look(label, line(preset.description or preset.title), picture, command)
        reporter.frame(Frame(done + 1, len(presets), (done + 1) / len(presets), unit="look"))


def _dreamt_by(
    hands: Hands, output: Path, presets: Mapping[str, Preset], photo: Path, words: Mapping[str, Any], reporter: Reporter
) -> Iterator[Look]:
    """Yield the looks that other processes have made; their pictures wait in a hidden folder until all are there."""
    from PIL import Image

    from dreamer.engine.device import Machine
    from dreamer.visualization.contact_sheet import Look

    order = order_of("dreamer.cli.drawing:Looks", photo=str(photo), **words)
    folder = output.with_name(f".{output.name}.looks")  # the same each time, so that a killed command's is used up
    if is_link(folder):
        raise UsageError(f"{folder} is a link, through which nothing is written; remove it, or choose another -o")
    make_folder(folder)
    count, done, made = len(presets), 0, set[str]()

    def show(share: float) -> None:
        reporter.frame(Frame(done, count, (done + share) / count, unit="look"))

    files = {name: folder / f"look-{number}.png" for number, name in enumerate(presets)}
    units = [Unit(name, {"name": name, "into": str(file)}, str(folder)) for name, file in files.items()]
    hire = hands.hire(Machine(threads=THREADS).resolved())
    reporter.start(str(photo), 1, 1)
    try:
        with closing(work(order, units, hire, show)) as outcomes:
            for outcome in outcomes:
                done += 1
                if outcome.problems:
                    reporter.notify(line(f"skipped {presets[outcome.unit.label].name}: {outcome.problems[0]}"))
                else:
                    made.add(outcome.unit.label)
                show(0.0)
        for name, preset in presets.items():
            if name in made:
                about = line(preset.description or preset.title)
                with Image.open(files[name]) as picture:
                    picture.load()
                yield Look(line(preset.name), about, picture, render_command(photo, ("--preset", name)))
    finally:
        for file in files.values():
            file.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
