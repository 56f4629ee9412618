"""`dreamer concepts`: what occurs again and again in a folder of photos, as directions to dream of."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamer.cli.atlas import about_files
from dreamer.cli.atlas_making import Making
from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import DEVICE, FILE, SEED, THREADS, max_pixels_option, option, progress_option
from dreamer.cli.photos import check_spared
from dreamer.cli.progress import counting, progress
from dreamer.errors import NetworkError, UsageError, WriteError, collect_problems
from dreamer.files import is_taken, rescue, write_atomically
from dreamer.files.suffixes import pictures_in
from dreamer.limits import CONCEPTS

if TYPE_CHECKING:
    from dreamer.networks.network import Network
    from dreamer.pipeline.pipeline import Pipeline

_SIDE, _STEPS = click.IntRange(32, 512), click.IntRange(1, 2048)


@click.command()
@click.argument("folder", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The page to write, an .html file.")
@option("--network", metavar="NAME", help="The network; downloaded if missing. [reverie]")
@option("--weights", metavar="FILE", type=FILE, help="Weights for the network: a .safetensors or .pth file.")
@option("--layer", "wished", metavar="LAYER", help="The layer. [the network's default layer]")
@option("--count", type=click.IntRange(2, CONCEPTS), default=12, metavar="N", help="Number of concepts. [12]")
@option("--size", type=_SIDE, default=96, metavar="PIXELS", help="Side of the picture of a concept. [96]")
@option("--steps", type=_STEPS, default=32, metavar="N", help="Number of steps for each picture. [32]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other concepts. [0]")
@option("--device", type=DEVICE, default="auto", help="Where to compute. [auto]")
@option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]")
@option("--resume", is_flag=True, help="Continue after Ctrl-C; keep the concepts and pictures of an existing page.")
@option("--force", is_flag=True, help="Replace an existing page and its concepts.")
@max_pixels_option
@progress_option
def concepts(
    folder: Path,
    output: Path,
    network: str | None,
    weights: Path | None,
    wished: str | None,
    count: int,
    size: int,
    steps: int,
    seed: int,
    device: str,
    threads: int | None,
    resume: bool,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """Find what recurs in a folder of photos, and dream of it.

    Writes a page with each concept's dream, the nine places where it is strongest, where it is seen on photos and the
    commands that use it, and beside it the concepts themselves, as concepts.safetensors for concepts.html:

    \b
    dreamer concepts holiday/ -o concepts.html
    dreamer render photo.jpg --set objectives.concept.file=concepts.safetensors \\
        --set objectives.concept.number=3
    """
    partial = output.parent / f"{output.stem}-partial{output.suffix}"
    file = output.with_suffix(".safetensors")
    names: list[str] = []
    with progress(how) as reporter, claimed(output):
        problems = about_files(output, partial, None, resume, force)
        if is_taken(file) and not (resume or force):
            problems.append(f"{file} already exists; --resume continues it, --force starts over")
        with collect_problems(problems):
            names = pictures_in(folder)
            check_spared([output, partial, file], [folder / name for name in names] + ([weights] if weights else []))
        tell_missing(problems, {"weights": weights})
        owned, own_file = (is_taken(output), is_taken(partial)), is_taken(file)
        import torch

        from dreamer.engine.device import Machine, keep_freed_memory, use_threads
        from dreamer.networks import load_from
        from dreamer.networks.concept_file import read_concepts
        from dreamer.pipeline.build import build
        from dreamer.plugins.loading import load_plugins
        from dreamer.recipes.recipe import Recipe
        from dreamer.visualization.atlas.channel_images import channel_recipe
        from dreamer.visualization.atlas.layer_section import LayerSection, recipe_hash
        from dreamer.visualization.atlas.page import Atlas, reuse_images
        from dreamer.visualization.concepts import CROPS, ConceptRanker, find_concepts, heat_maps, identity

        earlier = None
        if is_taken(file):
            try:
                earlier = read_concepts(file)
            except NetworkError as error:
                raise UsageError(f"{file} is not replaced, since it holds no concepts; choose another -o") from error
        problems = []
        registry, _ = load_plugins()
        machine = Machine()
        with collect_problems(problems):
            machine = Machine(device, "auto", 0, threads or 0).resolved()
        with collect_problems(problems):

            def drawing(loaded: Network) -> Pipeline:
                layer = loaded.layer(wished or loaded.default_layer).name
                recipe = channel_recipe(layer, size=size, steps=steps, seed=seed)
                return build(recipe, registry, network=loaded, machine=machine, notify=reporter.notify)

            wanted, fetch = network or Recipe.network, network is not None and not problems
            loaded = load_from(registry.networks, wanted, weights, fetch=fetch, check=drawing)
            use_threads(machine)
            pipeline = drawing(loaded)
        if problems:
            raise UsageError(*problems)
        for notice in loaded.notices:
            reporter.notify(notice)
        keep_freed_memory()
        (layer,), place = pipeline.layers, torch.device(machine.device)
        made, found, skipped = identity(loaded, layer, folder, names, count, seed), None, dict[str, str]()
        if resume and earlier and earlier.made == made:
            earlier.check(loaded)
            found = earlier
        try:
            if found is None:
                reporter.start(str(folder), 1, 1)
                done = counting(reporter, "picture", len(names))
                found, skipped = find_concepts(
                    folder,
                    names,
                    loaded,
                    layer,
                    count=count,
                    seed=seed,
                    device=place,
                    max_pixels=max_pixels,
                    on_picture=done,
                )
                found = replace(found, made=made)
                for name, why in skipped.items():
                    reporter.notify(f"{name} is passed over: {why}")
                file = _written(file, found.to_bytes(), replace=own_file)
        except KeyboardInterrupt:
            reporter.interrupted(str(output))
            return 130
        numbers = tuple(range(1, len(found) + 1))
        drawn = hashlib.sha256(recipe_hash(pipeline).encode() + found.to_bytes()).hexdigest()[:32]
        section = LayerSection(layer, numbers, {}, drawn, side=size, directions=found.directions)
        for page in (output, partial) if resume else ():
            reuse_images(page, [section])
        atlas = Atlas(loaded.name, (section,), str(weights or ""), concepts=file.name, folder=str(folder))
        making = Making(atlas, output, partial, reporter, *owned, place)
        try:
            ranker, units = ConceptRanker(loaded, found), [(layer, number) for number in numbers]
            readable = [name for name in names if name not in skipped]
            best = making.search(folder, readable, ranker, units, CROPS, size, max_pixels, resume)
            shown = [[exemplar.name for exemplar in best.get(unit, [])] for unit in units]
            maps = heat_maps(folder, shown, loaded, found, device=place, max_pixels=max_pixels)
            section.maps = dict(zip(numbers, maps, strict=True))
            making.paint(section, pipeline)
        except KeyboardInterrupt:
            return making.interrupted()
        return making.finished()


def _written(file: Path, data: bytes, *, replace: bool) -> Path:
    """Write the concepts, and return where; WriteError says where they were saved if there was no room."""
    try:
        return write_atomically(file, data, replace=replace)
    except WriteError as error:
        place = rescue(file.name, data)
        kept = f"; the concepts were saved as {place} instead" if place else ""
        raise WriteError(f"{error}{kept}") from error
