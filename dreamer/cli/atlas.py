"""`dreamer atlas`: a page that shows what each channel of a network responds to, and where it fires on a photo."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.atlas_making import Making
from dreamer.cli.claims import claimed
from dreamer.cli.drawing import drawn_by
from dreamer.cli.hands import Hands, jobs_options
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import DEVICE, FILE, SEED, THREADS, max_pixels_option, option, progress_option
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import progress
from dreamer.errors import RenderError, UsageError, WriteError, collect_problems
from dreamer.files import is_taken
from dreamer.files.suffixes import pictures_in

if TYPE_CHECKING:
    from dreamer.networks.network import Network
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.visualization.atlas.layer_section import LayerSection

_SIDE, _STEPS = click.IntRange(32, 512), click.IntRange(1, 2048)


@click.command()
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The page to write, an .html file.")
@option("--network", metavar="NAME", help="The network; downloaded if missing. [reverie]")
@option("--weights", metavar="FILE", type=FILE, help="Weights for the network: a .safetensors or .pth file.")
@option("--layer", "wished", metavar="LAYER,...", help="One layer or several. [the network's default layer]")
@option("--channels", metavar="0-31,NAME", help="Limit the channels, by number or name. [all]")
@option("--photo", metavar="FILE", type=FILE, help="Show where each channel fires on this photo.")
@option("--exemplars", metavar="FOLDER", type=FILE, help="Show the pictures of this folder that excite each channel.")
@option("--size", type=_SIDE, default=96, metavar="PIXELS", help="Side of the picture of a channel. [96]")
@option("--steps", type=_STEPS, default=32, metavar="N", help="Number of steps for each channel. [32]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other pictures. [0]")
@option("--device", type=DEVICE, default="auto", help="Where to compute. [auto]")
@option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]")
@jobs_options("channels")
@option("--resume", is_flag=True, help="Continue after Ctrl-C; keep the pictures of an existing page.")
@option("--force", is_flag=True, help="Replace an existing page.")
@max_pixels_option
@progress_option
def atlas(
    output: Path,
    network: str | None,
    weights: Path | None,
    wished: str | None,
    channels: str | None,
    photo: Path | None,
    exemplars: Path | None,
    size: int,
    steps: int,
    seed: int,
    device: str,
    threads: int | None,
    jobs: int | None,
    on: str | None,
    resume: bool,
    force: bool,
    max_pixels: int,
    how: str,
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
    partial = output.parent / f"{output.stem}-partial{output.suffix}"
    names: list[str] = []
    with progress(how) as reporter, claimed(output):
        problems = about_files(output, partial, photo, resume, force)
        given: dict[str, Any] = {"jobs": jobs, "on": on, "threads": threads, "device": device}
        hands = Hands.read(given, problems)
        with collect_problems(problems):
            check_spared([output, partial], filter(None, (photo, weights)))
        with collect_problems(problems):
            names = pictures_in(exemplars, "--exemplars") if exemplars else []
        tell_missing(problems, {"weights": weights})
        owned = is_taken(output), is_taken(partial)
        import torch

        from dreamer.engine.device import Machine, keep_freed_memory, use_threads
        from dreamer.image import load
        from dreamer.networks import load_from
        from dreamer.plugins.loading import load_plugins
        from dreamer.recipes.recipe import Recipe
        from dreamer.visualization.atlas.activation_maps import activations_on
        from dreamer.visualization.atlas.exemplar_crops import COUNT, Channels
        from dreamer.visualization.atlas.layer_section import sections_of
        from dreamer.visualization.atlas.page import Atlas, reuse_images

        problems = []
        registry, _ = load_plugins()
        asked, seen = Machine(device, "auto", 0, given["threads"] or 0), None
        machine = asked
        parts: list[tuple[LayerSection, Pipeline]] = []
        with collect_problems(problems):
            machine = asked.resolved()
        with collect_problems(problems):
            drawing: dict[str, Any] = {"size": size, "steps": steps, "seed": seed, "machine": machine}

            def sections_in(network: Network) -> list[tuple[LayerSection, Pipeline]]:
                layers = [part.strip() for part in (wished or network.default_layer).split(",")]
                return sections_of(network, registry, layers, channels, notify=reporter.notify, **drawing)

            wanted, fetch = network or Recipe.network, network is not None and not problems
            loaded = load_from(registry.networks, wanted, weights, fetch=fetch, check=sections_in)
            use_threads(machine)
            parts = sections_in(loaded)
            layers = [section.layer for section, _ in parts]
            if photo and photo.is_file():
                whole = load(photo, max_pixels=max_pixels)
                seen = activations_on(whole, photo.name, loaded, layers, torch.device(machine.device))
        sections = tuple(section for section, _ in parts)
        for page in (output, partial) if resume else ():
            with collect_problems(problems):
                reuse_images(page, sections)
        if problems:
            raise UsageError(*problems)
        for notice in loaded.notices:
            reporter.notify(notice)
        keep_freed_memory()
        page_of = Atlas(loaded.name, sections, str(weights or ""), seen)
        making = Making(page_of, output, partial, reporter, *owned, torch.device(machine.device))
        try:
            words = {"name": wanted, "weights": None if weights is None else str(weights), "machine": asdict(asked)}
            words["drawing"] = {"size": size, "steps": steps, "seed": seed}
            for section, pipeline in parts:
                making.paint(
                    section, pipeline, functools.partial(drawn_by, hands.hire(machine), words) if hands else None
                )
            if exemplars:
                ranker = Channels(loaded, {section.layer: section.channels for section in sections})
                making.search(exemplars, names, ranker, ranker.named, COUNT, size, max_pixels, resume)
        except KeyboardInterrupt:
            return making.interrupted()
        except WriteError as error:
            reporter.notify(f"{error}; the page shows the exemplars found by then")
            making.finished()
            return 1
        except RenderError:
            making.keep()
            raise
        return making.finished()


def about_files(output: Path, partial: Path, photo: Path | None, resume: bool, force: bool) -> list[str]:
    """What is wrong with the files, a sentence each."""
    problems: list[str] = []
    if output.suffix.lower() not in (".html", ".htm"):
        problems.append(f"-o {output}: this is a web page; its name must end in .html")
    with collect_problems(problems):
        check_folder(output.parent, f"-o {output}")
    if resume and force:
        problems.append("--resume and --force cannot be combined; one continues a page, the other replaces it")
    for path in (output, partial):
        if path.is_dir():
            problems.append(f"{path} is a folder; name a file")
        elif path.exists() and not path.is_file():
            problems.append(f"{path} is not a regular file; name one that is")
        elif is_taken(path) and not (resume or force):
            problems.append(f"{path} already exists; --resume continues it, --force starts over")
    if photo and not photo.is_file():
        what = "this is a folder; name a photo" if photo.is_dir() else "there is no such file"
        problems.append(f"--photo {photo}: {what}")
    return problems
