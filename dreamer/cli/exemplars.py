"""`dreamer exemplars`: the pictures of a folder that excite a unit most, on one sheet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import DEVICE, FILE, THREADS, max_pixels_option, option, progress_option
from dreamer.cli.photos import check_new, check_spared, write_sheet
from dreamer.cli.progress import counting, progress
from dreamer.errors import UsageError, collect_problems, reported_together
from dreamer.files.suffixes import check_suffix, pictures_in

if TYPE_CHECKING:
    from dreamer.networks.network import Network
    from dreamer.visualization.exemplars import Channel, Search

_SIDE = click.IntRange(32, 4096)
_STEPS = "Number of steps in each octave of the unit's visualization; 0 leaves it out. [32]"


@click.command()
@click.argument("folder", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The sheet to write, a picture.")
@option("--network", metavar="NAME", help="The network; downloaded if missing. [reverie]")
@option("--weights", metavar="FILE", type=FILE, help="Weights for the network: a .safetensors or .pth file.")
@option("--layer", metavar="LAYER", help="The layer of the unit. [the network's default layer]")
@option("--channel", metavar="N|NAME", required=True, help="The unit: a channel, or a class by its name.")
@option("--least", is_flag=True, help="Find the pictures that excite it least.")
@option("--count", type=click.IntRange(1, 100), default=9, metavar="N", help="Number of pictures. [9]")
@option("--steps", type=click.IntRange(0, 10_000), default=32, metavar="N", help=_STEPS)
@option("--size", type=_SIDE, default=320, metavar="PIXELS", help="Long side at which to search. [320]")
@option("--device", type=DEVICE, default="auto", help="Where to compute. [auto]")
@option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]")
@option("--force", is_flag=True, help="Replace an existing sheet.")
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
    size: int,
    device: str,
    threads: int | None,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """Find the pictures in a folder that excite a unit most.

    A unit is a channel of a layer; `dreamer networks layers` lists them. The sheet frames the place that excites it
    in each picture, and begins with the unit's visualization, as from `dreamer visualize`. Subfolders are searched,
    too; pictures that cannot be read are named and skipped. The same command continues an interrupted search.
    """
    with progress(how) as reporter, claimed(output):
        problems: list[str] = []
        with collect_problems(problems):
            check_new(output, force)
        with collect_problems(problems):
            names = pictures_in(folder)
            check_spared([output], [*(folder / name for name in names), *([weights] if weights else [])])
        with collect_problems(problems):
            check_suffix(output)
        tell_missing(problems, {"weights": weights})

        import torch

        from dreamer.api import registry, visualize
        from dreamer.engine.device import Machine, keep_freed_memory, use_threads
        from dreamer.networks import load_from
        from dreamer.recipes.recipe import Recipe
        from dreamer.visualization.contact_sheet import sheet
        from dreamer.visualization.exemplars import Channel, exemplar_looks, forget, never_fires, search, unit_look

        began = time.monotonic()
        with reported_together() as problems:
            with collect_problems(problems):
                machine = Machine(device=device, threads=threads or 0).resolved()
            with collect_problems(problems):

                def named(loaded: Network) -> Channel:
                    at = loaded.layer(layer or loaded.default_layer).name
                    return Channel.named(loaded, at, channel, size=size, least=least)

                wanted, fetch = network or Recipe.network, network is not None and not problems
                loaded = load_from(registry().networks, wanted, weights, fetch=fetch, check=named)
                unit = named(loaded)
        for notice in loaded.notices:
            reporter.notify(notice)
        use_threads(machine)
        keep_freed_memory()
        notes = output.with_name(f".{output.name}.exemplars")
        reporter.start(str(folder), 1, 1)
        count_done = counting(reporter, "picture", len(names))

        def on_picture(so_far: Search) -> None:
            count_done(len(so_far.done))

        try:
            limits = {"count": count, "max_pixels": max_pixels}
            where = torch.device(machine.device)
            found = search(folder, names, unit, notes=notes, device=where, on_picture=on_picture, **limits)
        except KeyboardInterrupt:
            reporter.interrupted(str(folder))
            reporter.notify("run the same command again to continue")
            return 130
        (best,) = found.best
        for name, why in found.skipped.items():
            reporter.notify(f"skipped {name}: {why}")
        if not best:
            forget(notes)
            raise UsageError(f"{folder}: none of its pictures can be used")
        if never_fires(best):
            reporter.notify(
                f"channel {unit.channel} of {unit.layer} fires in none of these pictures; it may never fire"
            )
        shown = exemplar_looks(folder, best, max_pixels=max_pixels)
        if steps:
            shown.insert(0, unit_look(visualize(loaded, unit.objective(), steps=steps, device=machine.device)[0], unit))
        place = write_sheet(output, sheet(shown, columns=3), replace=force)
        forget(notes)
        reporter.notify(f"showing {len(best)} of {len(names)} pictures")
        reporter.done(str(folder), str(place), time.monotonic() - began)
    return 0
