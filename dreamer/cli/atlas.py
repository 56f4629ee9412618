"""`dreamer atlas`: a page that shows what each channel of a network responds to, and where it fires on a photo."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.atlas_making import Drawn, Making, PageFile
from dreamer.cli.claims import claimed
from dreamer.cli.drawing import drawn_by
from dreamer.cli.hands import Hands, jobs_options
from dreamer.cli.missing import tell_missing
from dreamer.cli.network_choice import NetworkChoice, device_options, network_options
from dreamer.cli.options import max_pixels_option, option, progress_option
from dreamer.cli.photos import check_spared, unfit_photo
from dreamer.cli.progress import progress
from dreamer.cli.values import FILE, SEED
from dreamer.errors import RenderError, WriteError, collect_problems, reported_together
from dreamer.files.suffixes import pictures_in

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.networks.network import Network
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.visualization.atlas.layer_section import LayerSection

_SIDE, _STEPS = click.IntRange(32, 512), click.IntRange(1, 2048)


@click.command()
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The page to write, an .html file.")
@network_options
@option("--layer", "wished", metavar="LAYER,...", help="One layer or several. [the network's default layer]")
@option("--channels", metavar="0-31,NAME", help="Limit the channels, by number or name. [all]")
@option("--photo", metavar="FILE", type=FILE, help="Show where each channel fires on this photo.")
@option("--exemplars", metavar="FOLDER", type=FILE, help="Show the pictures of this folder that excite each channel.")
@option("--size", type=_SIDE, default=96, metavar="PIXELS", help="Side of the picture of a channel. [96]")
@option("--steps", type=_STEPS, default=32, metavar="N", help="Number of steps for each channel. [32]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other pictures. [0]")
@device_options
@jobs_options("channels")
@option("--resume", is_flag=True, help="Continue after Ctrl-C; keep the pictures of an existing page.")
@option("--force", is_flag=True, help="Replace an existing page.")
@max_pixels_option
@progress_option
def atlas(
    output: Path,
    wished: str | None,
    channels: str | None,
    photo: Path | None,
    exemplars: Path | None,
    size: int,
    steps: int,
    seed: int,
    max_pixels: int,
    how: str,
    **options: Any,
) -> int:
    """Make a web page of all channels of a layer.

    It shows what each channel responds to, the pictures that excite it, and where it fires on a photo.

    \b
    dreamer atlas -o atlas.html --photo photo.jpg
    dreamer atlas -o atlas.html --layer m4a,m4b --exemplars holiday/
    dreamer atlas -o vgg.html --network vgg16 --layer features.24 --channels 0-63

    The page is a single self-contained file; it opens offline. Click the photo for the channels that are strongest
    there, or a channel for its map; the arrow keys step through channels and layers.
    """
    names: list[str] = []
    with progress(how) as reporter, claimed(output):
        page = PageFile.read(output, options)
        problems = page.problems()
        if photo and (problem := unfit_photo(photo)):
            problems.append(f"--photo {problem}")
        hands, chosen = Hands.read(options, problems), NetworkChoice.read(options)
        with collect_problems(problems):
            check_spared(page.files, filter(None, (photo, chosen.weights)))
        with collect_problems(problems):
            names = pictures_in(exemplars, "--exemplars") if exemplars else []
        tell_missing(problems, {"weights": chosen.weights})
        import torch

        from dreamer.image import load
        from dreamer.plugins.loading import load_plugins
        from dreamer.visualization.atlas.activation_maps import activations_on
        from dreamer.visualization.atlas.exemplar_crops import COUNT, Channels
        from dreamer.visualization.atlas.layer_section import sections_of
        from dreamer.visualization.atlas.page import Atlas

        drawing: dict[str, Any] = {"size": size, "steps": steps, "seed": seed}
        registry, _ = load_plugins()
        parts: list[tuple[LayerSection, Pipeline]] = []
        seen = None

        def sections_in(network: Network, machine: Machine) -> list[tuple[LayerSection, Pipeline]]:
            layers = [part.strip() for part in (wished or network.default_layer).split(",")]
            settings = {**drawing, "machine": machine, "notify": reporter.notify}
            return sections_of(network, registry, layers, channels, **settings)

        with reported_together() as problems:
            with collect_problems(problems):
                loaded, machine, parts = chosen.load(registry, sections_in)
                device, layers = torch.device(machine.device), [section.layer for section, _ in parts]
                if photo:
                    seen = activations_on(load(photo, max_pixels=max_pixels), photo.name, loaded, layers, device)
            sections = tuple(section for section, _ in parts)
            with collect_problems(problems):
                page.reuse(sections)
        for notice in loaded.notices:
            reporter.notify(notice)
        making = Making(Atlas(loaded.name, sections, str(chosen.weights or ""), seen), page, reporter, device)
        words = {**chosen.words(), "drawing": drawing}
        draw = functools.partial(drawn_by, hands.hire(machine), words) if hands else None

        def search(folder: Path) -> None:
            ranker = Channels(loaded, {section.layer: section.channels for section in sections})
            making.search(folder, names, ranker, ranker.named, COUNT, size, max_pixels)

        return _made(making, parts, draw, functools.partial(search, exemplars) if exemplars else None)


def _made(
    making: Making,
    parts: Sequence[tuple[LayerSection, Pipeline]],
    draw: Callable[..., Drawn] | None,
    search: Callable[[], None] | None,
) -> int:
    """Draw the channels, search for exemplars, and write the page, or what there is of it; returns the exit code."""
    try:
        for section, pipeline in parts:
            making.paint(section, pipeline, draw)
        if search:
            search()
    except KeyboardInterrupt:
        return making.interrupted()
    except WriteError as error:
        making.reporter.notify(f"{error}; the page shows the exemplars found by then")
        making.finished()
        return 1
    except RenderError:
        making.keep()
        raise
    return making.finished()
