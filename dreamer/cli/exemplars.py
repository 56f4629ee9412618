"""`dreamer exemplars`: the pictures of a folder that excite a unit most, on one sheet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.network_choice import NetworkChoice, device_options, network_options
from dreamer.cli.options import max_pixels_option, option, progress_option
from dreamer.cli.photos import check_new, check_spared, write_sheet
from dreamer.cli.progress import Reporter, counting, progress
from dreamer.cli.values import FILE
from dreamer.errors import UsageError, collect_problems
from dreamer.files.suffixes import check_suffix, pictures_in

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.networks.network import Network
    from dreamer.visualization.exemplars import Channel, Exemplar

_SIDE = click.IntRange(32, 4096)
_STEPS = "Number of steps in each octave of the unit's visualization; 0 leaves it out. [32]"


@click.command()
@click.argument("folder", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The sheet to write, a picture.")
@network_options
@option("--layer", metavar="LAYER", help="The layer of the unit. [the network's default layer]")
@option("--channel", metavar="N|NAME", required=True, help="The unit: a channel, or a class by its name.")
@option("--least", is_flag=True, help="Find the pictures that excite it least.")
@option("--count", type=click.IntRange(1, 100), default=9, metavar="N", help="Number of pictures. [9]")
@option("--steps", type=click.IntRange(0, 10_000), default=32, metavar="N", help=_STEPS)
@option("--size", type=_SIDE, default=320, metavar="PIXELS", help="Long side at which to search. [320]")
@device_options
@option("--force", is_flag=True, help="Replace an existing sheet.")
@max_pixels_option
@progress_option
def exemplars(
    folder: Path,
    output: Path,
    layer: str | None,
    channel: str,
    least: bool,
    count: int,
    steps: int,
    size: int,
    force: bool,
    max_pixels: int,
    how: str,
    **options: Any,
) -> int:
    """Find the pictures in a folder that excite a unit most.

    A unit is a channel of a layer; `dreamer networks layers` lists them. The sheet frames the place that excites it
    in each picture, and begins with the unit's visualization, as from `dreamer visualize`. Subfolders are searched,
    too; pictures that cannot be read are named and skipped. The same command continues an interrupted search.
    """
    chosen = NetworkChoice.read(options)
    with progress(how) as reporter, claimed(output):
        problems: list[str] = []
        with collect_problems(problems):
            check_new(output, force)
        with collect_problems(problems):
            names = pictures_in(folder)
            inputs = [*(folder / name for name in names), chosen.weights]
            check_spared([output], filter(None, inputs))
        with collect_problems(problems):
            check_suffix(output)
        tell_missing(problems, {"weights": chosen.weights})

        import torch

        from dreamer.api import registry, visualize
        from dreamer.visualization.contact_sheet import sheet
        from dreamer.visualization.exemplars import Channel, exemplar_looks, forget, unit_look

        began = time.monotonic()

        def named(network: Network, machine: Machine) -> Channel:
            at = network.layer(layer or network.default_layer).name
            return Channel.named(network, at, channel, size=size, least=least)

        loaded, machine, unit = chosen.load(registry(), named)
        for notice in loaded.notices:
            reporter.notify(notice)
        notes = output.with_name(f".{output.name}.exemplars")
        limits = {"count": count, "max_pixels": max_pixels, "device": torch.device(machine.device)}
        try:
            best = _best(folder, names, unit, notes, reporter, **limits)
        except KeyboardInterrupt:
            reporter.interrupted(str(folder))
            reporter.notify("run the same command again to continue")
            return 130
        shown = exemplar_looks(folder, best, max_pixels=max_pixels)
        if not shown:
            forget(notes)
            raise UsageError(f"{folder}: none of its pictures can be used any more")
        left = len(shown)
        if steps:
            shown.insert(0, unit_look(visualize(loaded, unit.objective(), steps=steps, device=machine.device)[0], unit))
        place = write_sheet(output, sheet(shown, columns=3), replace=force)
        forget(notes)
        reporter.notify(f"showing {left} of {len(names)} pictures")
        reporter.done(str(folder), str(place), time.monotonic() - began)
    return 0


def _best(
    folder: Path, names: list[str], unit: Channel, notes: Path, reporter: Reporter, **limits: Any
) -> list[Exemplar]:
    """The pictures that excite the unit most; see `dreamer.visualization.exemplars.search`.

    Raises UsageError where none can be used.
    """
    from dreamer.visualization.exemplars import forget, never_fires, search

    reporter.start(str(folder), 1, 1)
    count_done = counting(reporter, "picture", len(names))
    found = search(folder, names, unit, notes=notes, on_picture=lambda so_far: count_done(len(so_far.done)), **limits)
    for name, why in found.skipped.items():
        reporter.notify(f"skipped {name}: {why}")
    (best,) = found.best
    if not best:
        forget(notes)
        raise UsageError(f"{folder}: none of its pictures can be used")
    if never_fires(best):
        reporter.notify(f"channel {unit.channel} of {unit.layer} fires in none of these pictures; it may never fire")
    return best
