"""`dreamer visualize`: a picture of what a unit of a network responds to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.batch import Batch
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import machine_options, max_pixels_option, option, progress_option, source_options
from dreamer.cli.photos import Place, check_spared, named_files, unfit_photo
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.values import FILE, STEPS, Numbers, Pixels
from dreamer.errors import collect_problems
from dreamer.files.suffixes import pictures_in

if TYPE_CHECKING:
    from dreamer.image import Photo
    from dreamer.pipeline.build import Request
    from dreamer.pipeline.dream import Dream
    from dreamer.pipeline.pipeline import Pipeline

_PLACE = "a channel, or a channel, a row and a column, as in 12,6,6"
_NEURON = Numbers("n[,y,x]", _PLACE, lambda numbers: len(numbers) in (1, 3))


@click.command()
@click.argument("photo", required=False, type=FILE)
@option("-o", "--output", required=True, metavar="FILE", help="The picture to write.")
@source_options
@option("--channel", metavar="N|NAME", help="Show a channel of the layer, at every place of its map.")
@option("--neuron", type=_NEURON, help="Show a channel at one place of its map; at the centre without Y,X.")
@option("--class", "label", metavar="N|NAME", help="Show a class or motif of the network.")
@option("--direction", type=FILE, metavar="FILE", help="Show a mix of channels: .npy, .safetensors or text.")
@option(
    "--canvas",
    metavar="NAME",
    help="Canvas: fourier, pixels, laplacian, stack, cppn, phase, accent, latent. [fourier]",
)
@option("--optimiser", metavar="NAME", help="Optimiser: adam, ascent, lbfgs, cma-es, and others. [adam]")
@option("--steps", type=click.IntRange(0), metavar="N", help="Number of steps in each octave. [32]")
@option("--size", type=Pixels({}, 16), help="Side of the picture, or long side over a photo. [224; 512]")
@option("--count", "--batch", type=click.IntRange(1, 64), metavar="N", help="Number of pictures on one sheet. [1]")
@option("--facets", type=click.IntRange(2, 64), metavar="N", help="Show N different sides of the unit on one sheet.")
@option(
    "--pictures", type=FILE, metavar="FOLDER", help="Start facets from pictures of this folder that excite the unit."
)
@option("--cutout", is_flag=True, default=None, help="Make transparent what the unit does not need: PNG or WebP.")
@option("--seed", type=int, metavar="N", help="Random seed: another seed, another picture. [0]")
@machine_options
@option("--snapshots", type=STEPS, default=(), help="Also save the picture after these steps.")
@max_pixels_option
@option("--force", is_flag=True, help="Replace an existing picture, but never a photo.")
@progress_option
def visualize(
    photo: Path | None,
    output: str,
    channel: str | None,
    neuron: tuple[int, ...] | None,
    label: str | None,
    direction: Path | None,
    canvas: str | None,
    optimiser: str | None,
    steps: int | None,
    count: int | None,
    facets: int | None,
    pictures: Path | None,
    cutout: bool | None,
    snapshots: tuple[int, ...],
    force: bool,
    how: str,
    **options: Any,
) -> int:
    """Show what a unit of a network responds to.

    A unit is a channel, a neuron, a class or a direction. The picture starts from nothing, or from a PHOTO.

    \b
    dreamer visualize -o eye.png --class eye
    dreamer visualize -o lion.png --network googlenet --class lion
    dreamer visualize -o unit.png --layer m4b --channel 12
    dreamer visualize -o unit.png --channel 12 --facets 4 --pictures holiday/
    """
    with progress(how) as reporter:
        problems: list[str] = []
        place, way = Place(None, False), None
        units = {"--channel": channel, "--neuron": neuron, "--class": label, "--direction": direction}
        with collect_problems(problems):
            place = Place.read(output, False)
            check_spared([Path(output)], [*named_files(options), *([direction] if direction else [])])
        problems += _unfit(units, photo, direction)
        names = _pictures(pictures, output, facets, problems)
        if facets and count:
            problems.append("--facets and --count cannot be combined; each is the number of pictures")
        if facets and photo:
            problems.append(f"--facets cannot be used with a photo; leave out {photo}")
        tell_missing(problems, options)

        from dreamer.engine.device import use_threads
        from dreamer.image import load
        from dreamer.plugins.loading import load_plugins
        from dreamer.visualization.direction_file import read_direction
        from dreamer.visualization.unit import Unit, visualization

        problems = []
        with collect_problems(problems):
            way = read_direction(direction, options["layer"]) if direction else None
        unit = Unit(channel, neuron, label, way)
        registry, plugins = load_plugins()
        given = RenderOptions(**options, strength=None, feature_size=None, init=None, guide=None)

        def shown(request: Request) -> Pipeline:
            source = load(photo, max_pixels=given.max_pixels) if photo else None
            facetted, begun = facets is not None, pictures is not None
            return visualization(
                request, registry, unit, photo=source, canvas=canvas, facets=facetted, own_starts=begun
            )

        flags = {"canvas.name": canvas, "optimiser.name": optimiser, "octaves.steps": steps}
        flags |= {"pictures": facets or count, "cutout": cutout, "init": "grey" if pictures else None}
        pipeline, provenance = given.pipeline(registry, reporter.notify, problems, flags=flags, use=shown)
        use_threads(pipeline.machine)
        if pictures:
            pipeline = _begun(pipeline, pictures, names, Path(output), reporter, given.max_pixels)
        shared = (pipeline, provenance, plugins, place, reporter, given.max_pixels, [photo] if photo else [])
        saying: dict[str, Any] = {"blank": partial(_blank, pipeline), "remarks": partial(_remarks, pipeline)}
        return Batch(*shared, force=force, snapshots=snapshots, **saying).run([photo])


def _unfit(units: Mapping[str, object], photo: Path | None, direction: Path | None) -> list[str]:
    """The problems with the options that name the unit, `units`, and with files that are not there."""
    given = [flag for flag, value in units.items() if value is not None]
    problems = []
    if len(given) > 1:
        problems.append(f"{' and '.join(given)} cannot be combined; each names the unit to show")
    if photo and (problem := unfit_photo(photo)):
        problems.append(problem)
    if direction and not direction.exists():
        problems.append(f"{direction}: there is no such file")
    return problems


def _blank(pipeline: Pipeline) -> Photo:
    """The grey picture to start from."""
    from dreamer.image import load, to_pil
    from dreamer.visualization.unit import grey

    return load(to_pil(grey(pipeline.recipe.size, pipeline.recipe.size)))


def _remarks(pipeline: Pipeline, dream: Dream) -> list[str]:
    """A sentence about the pictures in which the unit does not fire, if there are any."""
    from dreamer.visualization.silence import silence

    return [sentence] if (sentence := silence(pipeline, dream)) else []


def _pictures(folder: Path | None, output: str, facets: int | None, problems: list[str]) -> list[str]:
    """The names of the pictures in a folder and its subfolders; problems are added to `problems`."""
    if folder is None:
        return []
    if facets is None:
        problems.append("--pictures needs --facets N, the number of facets that start from them")
    names = []
    with collect_problems(problems):
        names = pictures_in(folder, "--pictures")
        if len(names) < (facets or 1):
            few = f"only {len(names)} for {facets} facets"
            problems.append(f"--pictures {folder}: not enough pictures, {few}; use about 15 for each facet")
        check_spared([Path(output)], [folder / name for name in names])
    return names


def _begun(
    pipeline: Pipeline, folder: Path, names: list[str], output: Path, reporter: Reporter, max_pixels: int
) -> Pipeline:
    """The pipeline with each facet starting from pictures of the folder."""
    from dreamer.visualization.facets import facets

    pipeline.check()
    notes = output.with_name(f".{output.name}.facets")
    found = facets(pipeline, folder, names, notes=notes, max_pixels=max_pixels)
    for name, why in found.skipped.items():
        reporter.notify(f"skipped {name}: {why}")
    for number, members in enumerate(found.members, 1):
        how_many = "1 picture," if len(members) == 1 else f"{len(members)} pictures, such as"
        reporter.notify(f"facet {number} starts from {how_many} {', '.join(members[:3])}")
    return replace(pipeline, starts=found.starts)
