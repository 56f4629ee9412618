"""`dreamer exemplars`: which pictures of a folder excite a unit, on one sheet."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click

from dreamer.cli.failures import line
from dreamer.cli.options import max_pixels_option
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import clock
from dreamer.errors import UsageError, gathered

_FILE = click.Path(path_type=Path)
_TOLD = 5.0  # seconds between two lines about how far it is


@click.command()
@click.argument("folder", type=_FILE)
@click.option("-o", "--output", type=_FILE, required=True, help="The sheet, a picture.")
@click.option("--network", metavar="NAME", default="reverie", show_default=True, help="Whose unit it is.")
@click.option("--weights", metavar="FILE", type=_FILE, help="Its weights: .safetensors or .pth.")
@click.option("--layer", metavar="LAYER", help="The unit's layer. [the network's default layer]")
@click.option("--channel", metavar="NUMBER|NAME", required=True, help="The unit: a channel, or a class by its name.")
@click.option("--least", is_flag=True, help="What excites it least, instead of most.")
@click.option("--count", type=click.IntRange(1, 100), default=9, show_default=True, help="How many pictures.")
@click.option(
    "--steps",
    type=click.IntRange(0),
    default=32,
    show_default=True,
    help="Of each octave of the unit's visualization; 0: without.",
)
@click.option("--size", type=click.IntRange(32, 4096), default=320, show_default=True, help="Long side when looked at.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads. [all cores]")
@click.option("--force", is_flag=True, help="Replace a sheet that is there already.")
@max_pixels_option
def exemplars(
    folder: Path,
    output: Path,
    network: str,
    weights: Path | None,
    layer: str | None,
    channel: str,
    least: bool,
    count: int,
    steps: int,
    size: int,
    device: str,
    threads: int | None,
    force: bool,
    max_pixels: int,
) -> int:
    """The pictures of a FOLDER that excite a unit most, and the places in them that do.

    A unit is a channel of a layer; `dreamer networks layers` lists them. Beside them stands what it wants to see, as
    `dreamer visualize` shows it. Subfolders are looked through, too. The same
    command goes on where an interrupted one was; pictures that cannot be read are named and left out.
    """
    from dreamer.image import pictures_among

    problems: list[str] = []
    if output.exists() and not force:
        problems.append(f"-o {output}: the file is there already; --force replaces it")
    with gathered(problems):
        check_folder(output.parent, f"-o {output}")
    names = []
    if folder.is_dir():
        inside = pictures_among(folder.rglob("*"))
        with gathered(problems):
            check_spared([output], inside)
        names = [path.relative_to(folder).as_posix() for path in inside]
        problems += [] if names else [f"{folder}: there are no pictures in this folder"]
    else:
        problems.append(f"{folder}: there is no such folder")
    import torch

    from dreamer.contact_sheet import sheet
    from dreamer.disk import write_atomically
    from dreamer.exemplars import Channel, looks, search, seen
    from dreamer.image import check_suffix, encode, load
    from dreamer.library import load_network, visualize
    from dreamer.machine import Machine, keep_freed_memory

    with gathered(problems):
        format = check_suffix(output)
    with gathered(problems):
        machine = Machine(device=device, threads=threads or 0).resolved()
    with gathered(problems):
        loaded = load_network(network, weights)
        unit = Channel.named(loaded, layer or loaded.default_layer, channel, size=size, least=least)
    if problems:
        raise UsageError(*problems)
    torch.set_num_threads(machine.threads)
    keep_freed_memory()
    notes = output.with_name(f".{output.name}.exemplars")
    try:
        found = search(
            folder,
            names,
            unit,
            count=count,
            notes=notes,
            device=torch.device(machine.device),
            max_pixels=max_pixels,
            on_picture=_telling(len(names)),
        )
    except KeyboardInterrupt:
        click.echo("dreamer: interrupted; the same command goes on", err=True)
        return 130
    for name, why in found.skipped.items():
        click.echo(line(f"dreamer: {name} is left out: {why}"), err=True)
    if not found.best:
        notes.unlink(missing_ok=True)
        raise UsageError(f"{folder}: none of its pictures can be looked at")
    shown = looks(folder, found.best, max_pixels=max_pixels)
    if steps:
        shown.insert(0, seen(visualize(loaded, unit.objective(), steps=steps, device=machine.device), unit))
    whole = load(sheet(shown, columns=3))
    write_atomically(output, encode(whole, whole.pixels, format))
    notes.unlink(missing_ok=True)
    click.echo(f"{output}: {len(found.best)} of {len(names)} pictures")
    return 0


def _telling(total: int) -> Callable[[int, str], None]:
    """A line every few seconds."""
    begun = last = time.monotonic()
    first = 0

    def tell(number: int, name: str) -> None:
        nonlocal last, first
        first = first or number
        now = time.monotonic()
        if now - last > _TOLD and number > first:
            left = (now - begun) / (number - first) * (total - number)
            click.echo(f"{number} of {total} pictures, {clock(left)} left", err=True)
            last = now

    return tell
