"""`dreamer concepts`: what occurs again and again in a folder of photos, as directions to dream of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.atlas_making import Making, PageFile, written
from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.network_choice import NetworkChoice, device_options, network_options
from dreamer.cli.options import max_pixels_option, option, progress_option
from dreamer.cli.photos import check_spared
from dreamer.cli.progress import Reporter, counting, progress
from dreamer.cli.values import FILE, SEED
from dreamer.errors import NetworkError, UsageError, collect_problems
from dreamer.files import is_taken
from dreamer.files.suffixes import pictures_in
from dreamer.limits import CONCEPTS

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.networks.concept_file import Concepts
    from dreamer.networks.network import Network
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.visualization.atlas.layer_section import LayerSection

_SIDE, _STEPS = click.IntRange(32, 512), click.IntRange(1, 2048)


@click.command()
@click.argument("folder", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The page to write, an .html file.")
@network_options
@option("--layer", "wished", metavar="LAYER", help="The layer. [the network's default layer]")
@option("--count", type=click.IntRange(2, CONCEPTS), default=12, metavar="N", help="Number of concepts. [12]")
@option("--size", type=_SIDE, default=96, metavar="PIXELS", help="Side of the picture of a concept. [96]")
@option("--steps", type=_STEPS, default=32, metavar="N", help="Number of steps for each picture. [32]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other concepts. [0]")
@device_options
@option("--resume", is_flag=True, help="Continue after Ctrl-C; keep the concepts and pictures of an existing page.")
@option("--force", is_flag=True, help="Replace an existing page and its concepts.")
@max_pixels_option
@progress_option
def concepts(
    folder: Path,
    output: Path,
    wished: str | None,
    count: int,
    size: int,
    steps: int,
    seed: int,
    max_pixels: int,
    how: str,
    **options: Any,
) -> int:
    """Find what recurs in a folder of photos, and dream of it.

    Writes a page with each concept's dream, the nine places where it is strongest, where it is seen on photos and the
    commands that use it, and beside it the concepts themselves, as concepts.safetensors for concepts.html:

    \b
    dreamer concepts holiday/ -o concepts.html
    dreamer render photo.jpg --set objectives.concept.file=concepts.safetensors \\
        --set objectives.concept.number=3
    """
    file = output.with_suffix(".safetensors")
    names: list[str] = []
    with progress(how) as reporter, claimed(output):
        page, chosen = PageFile.read(output, options), NetworkChoice.read(options)
        problems, own = page.problems(), is_taken(file)
        if own and not (page.resume or page.force):
            problems.append(f"{file} already exists; --resume continues it, --force starts over")
        with collect_problems(problems):
            names = pictures_in(folder)
            inputs = [*(folder / name for name in names), chosen.weights]
            check_spared([*page.files, file], filter(None, inputs))
        tell_missing(problems, {"weights": chosen.weights})
        import torch

        from dreamer.pipeline.build import build
        from dreamer.plugins.loading import load_plugins
        from dreamer.visualization.atlas.channel_images import channel_recipe
        from dreamer.visualization.atlas.page import Atlas
        from dreamer.visualization.concepts import identity

        earlier, skipped = _earlier(file), dict[str, str]()
        registry, _ = load_plugins()

        def drawing(network: Network, machine: Machine) -> Pipeline:
            layer = network.layer(wished or network.default_layer).name
            recipe = channel_recipe(layer, size=size, steps=steps, seed=seed)
            return build(recipe, registry, network=network, machine=machine, notify=reporter.notify)

        loaded, machine, pipeline = chosen.load(registry, drawing)
        for notice in loaded.notices:
            reporter.notify(notice)
        (layer,), device = pipeline.layers, torch.device(machine.device)
        made = identity(loaded, layer, folder, names, count, seed)
        if page.resume and earlier:
            if earlier.made != made:
                why = "of other photos, or found with other options; give the same ones, or --force finds new ones"
                raise UsageError(f"--resume: the concepts in {file} are {why}")
            earlier.check(loaded)
            found = earlier
        else:
            try:
                limits = {"count": count, "seed": seed, "device": device, "max_pixels": max_pixels}
                found, skipped = _found(folder, names, loaded, layer, reporter, **limits)
                found = replace(found, made=made)
                file = written(file, found.to_bytes(), "the concepts were", replace=own)
            except KeyboardInterrupt:
                reporter.interrupted(str(output))
                return 130
        section = _section(pipeline, found, size)
        page.reuse([section])
        atlas = Atlas(loaded.name, (section,), str(chosen.weights or ""), concepts=file.name, folder=str(folder))
        making = Making(atlas, page, reporter, device)
        try:
            _draw(making, pipeline, found, folder, [name for name in names if name not in skipped], max_pixels)
        except KeyboardInterrupt:
            return making.interrupted()
        return making.finished()


def _earlier(file: Path) -> Concepts | None:
    """The concepts that the file holds. Raises UsageError for one that holds something else."""
    from dreamer.networks.concept_file import read_concepts

    try:
        return read_concepts(file) if is_taken(file) else None
    except NetworkError as error:
        raise UsageError(f"{file} is not replaced, since it holds no concepts; choose another -o") from error


def _found(
    folder: Path, names: Sequence[str], network: Network, layer: str, reporter: Reporter, **limits: Any
) -> tuple[Concepts, dict[str, str]]:
    """The concepts of the photos, and why some of them were passed over, by name; see `find_concepts`."""
    from dreamer.visualization.concepts import find_concepts

    reporter.start(str(folder), 1, 1)
    done = counting(reporter, "picture", len(names))
    found, skipped = find_concepts(folder, names, network, layer, on_picture=done, **limits)
    for name, why in skipped.items():
        reporter.notify(f"{name} is passed over: {why}")
    return found, skipped


def _section(pipeline: Pipeline, found: Concepts, size: int) -> LayerSection:
    """The concepts as a section of a page, with pictures of `size` pixels that are still to be made."""
    from dreamer.visualization.atlas.layer_section import LayerSection, recipe_hash

    drawn = hashlib.sha256(recipe_hash(pipeline).encode() + found.to_bytes()).hexdigest()[:32]
    numbers = tuple(range(1, len(found) + 1))
    return LayerSection(found.layer, numbers, {}, drawn, side=size, directions=found.directions)


def _draw(making: Making, pipeline: Pipeline, found: Concepts, folder: Path, names: list[str], max_pixels: int) -> None:
    """Find where the concepts are strongest and where they are seen on photos, and dream of them."""
    from dreamer.visualization.concepts import CROPS, ConceptRanker, heat_maps

    (section,), network = making.atlas.sections, pipeline.network
    units = [(section.layer, number) for number in section.channels]
    best = making.search(folder, names, ConceptRanker(network, found), units, CROPS, section.side, max_pixels)
    shown = [[exemplar.name for exemplar in best.get(unit, [])] for unit in units]
    maps = heat_maps(folder, shown, network, found, device=making.device, max_pixels=max_pixels)
    section.maps = dict(zip(section.channels, maps, strict=True))
    making.paint(section, pipeline)
