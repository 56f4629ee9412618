"""`dreamer exemplars`: which pictures of a folder excite a unit, on one sheet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamer.cli.options import max_pixels_option, progress_option
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import counting, progress
from dreamer.errors import UsageError, collect_problems

if TYPE_CHECKING:
    from dreamer.visualization.exemplars import Search

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=_FILE)
@click.option("-o", "--output", type=_FILE, required=True, help="The sheet, a picture.")
@click.option("--network", metavar="NAME", help="Whose unit it is; fetched when absent. [reverie]")
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
@click.option("--size", type=click.IntRange(32, 4096), metavar="PX", help="Long side when looked at. [320]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads. [all cores]")
@click.option("--force", is_flag=True, help="Replace a sheet that is there already.")
@max_pixels_option
@progress_option
def exemplars(
    folder: Path,
    output: Path,
    network: str | None,
    weights: Path | None,
    layer: str | None,
    channel: str,
    least: bool,
    count: int,
    steps: int,
    size: int | None,
    device: str,
    threads: int | None,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """The pictures of a FOLDER that excite a unit most, and the places in them that do.

    A unit is a channel of a layer; `dreamer networks layers` lists them. Beside them stands what it wants to see, as
    `dreamer visualize` shows it. Subfolders are looked through, too. The same
    command goes on where an interrupted one was; pictures that cannot be read are named and left out.
    """
    problems: list[str] = []
    if output.exists() and not force:
        problems.append(f"-o {output}: the file is there already; --force replaces it")
    with collect_problems(problems):
        check_folder(output.parent, f"-o {output}")
    with progress(how) as reporter:
        import torch

        from dreamer.api import load_network, visualize
        from dreamer.engine.device import Machine, keep_freed_memory, use_threads
        from dreamer.files import write_atomically
        from dreamer.image import check_suffix, encode, load, pictures_in
        from dreamer.recipes.recipe import Recipe
        from dreamer.visualization.contact_sheet import sheet
        from dreamer.visualization.exemplars import SIZE, Channel, looks, search, seen

        began = time.monotonic()
        with collect_problems(problems):
            names = pictures_in(folder)
            check_spared([output], [folder / name for name in names])
        with collect_problems(problems):
            format = check_suffix(output)
        with collect_problems(problems):
            machine = Machine(device=device, threads=threads or 0).resolved()
        with collect_problems(problems):
            fetch = network is not None and not problems
            loaded = load_network(network or Recipe.network, weights, fetch=fetch)
            unit = Channel.named(loaded, layer or loaded.default_layer, channel, size=size or SIZE, least=least)
        if problems:
            raise UsageError(*problems)
        use_threads(machine)
        keep_freed_memory()
        notes = output.with_name(f".{output.name}.exemplars")
        reporter.start(str(folder), 1, 1)
        count_done = counting(reporter, "picture", len(names))

        def on_picture(so_far: Search) -> None:
            count_done(len(so_far.done))

        try:
            found = search(
                folder,
                names,
                unit,
                count=count,
                notes=notes,
                device=torch.device(machine.device),
                max_pixels=max_pixels,
                on_picture=on_picture,
            )
        except KeyboardInterrupt:
            reporter.interrupted(str(folder))
            reporter.say("the same command goes on")
            return 130
        (best,) = found.best
        for name, why in found.skipped.items():
            reporter.say(f"{name} is left out: {why}")
        if not best:
            notes.unlink(missing_ok=True)
            raise UsageError(f"{folder}: none of its pictures can be looked at")
        shown = looks(folder, best, max_pixels=max_pixels)
        if steps:
            shown.insert(0, seen(visualize(loaded, unit.objective(), steps=steps, device=machine.device)[0], unit))
        whole = load(sheet(shown, columns=3))
        write_atomically(output, encode(whole, whole.pixels, format))
        notes.unlink(missing_ok=True)
        reporter.say(f"{len(best)} of {len(names)} pictures are shown")
        reporter.done(str(folder), str(output), time.monotonic() - began)
    return 0
