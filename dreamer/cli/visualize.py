"""`dreamer visualize`: what a unit of a network wants to see, as a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.batch import Batch, Saving
from dreamer.cli.options import (
    Numbers,
    ParamType,
    Pixels,
    machine_options,
    max_pixels_option,
    progress_option,
    source_options,
)
from dreamer.cli.photos import Place, check_spared
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import collect_problems

if TYPE_CHECKING:
    from dreamer.image import Photo
    from dreamer.pipeline.build import Request
    from dreamer.pipeline.pipeline import Pipeline

_FILE = click.Path(path_type=Path)


class Place3(ParamType):
    """A channel, or a channel, a row and a column."""

    name = "i[,y,x]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers; a sentence when they are not."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if len(parts) not in (1, 3) or not all(part.isdecimal() for part in parts):
            self.fail(f"{value!r} is not a channel, or a channel, a row and a column, as in 12,6,6", param, ctx)
        return tuple(map(int, parts))


@click.command()
@click.argument("photo", required=False, type=_FILE)
@click.option("-o", "output", required=True, metavar="OUT", help="The picture to write.")
@source_options
@click.option("--channel", metavar="I|NAME", help="One channel of the layer, everywhere.")
@click.option("--neuron", type=Place3(), help="One channel at one place of the map; the centre without Y,X.")
@click.option("--class", "label", metavar="NAME", help="What the network calls by this name, or number.")
@click.option("--direction", type=_FILE, help="A direction among the channels: .npy, .safetensors, or numbers as text.")
@click.option("--canvas", metavar="NAME", help="What is painted with: fourier, pixels, laplacian, cppn, phase, latent.")
@click.option("--optimiser", metavar="NAME", help="How it is climbed: adam, ascent, lbfgs, cma-es, ...  [adam]")
@click.option("--steps", type=click.IntRange(0), metavar="N", help="Steps of the optimiser in each octave. [32]")
@click.option("--size", type=Pixels({}, 16), help="Side of the picture, or a photo's long side. [224; 512]")
@click.option("--count", "--batch", type=click.IntRange(1, 64), metavar="N", help="Several at once, as one sheet.")
@click.option("--facets", type=click.IntRange(2, 64), metavar="N", help="N pictures that differ, as one sheet.")
@click.option("--pictures", type=_FILE, metavar="FOLDER", help="Begin facets with what excites the unit in a folder.")
@click.option("--seed", type=int, metavar="N", help="Another seed, another picture. [0]")
@machine_options
@click.option("--snapshots", type=Numbers(), default=(), help="Keep pictures after these steps, too.")
@max_pixels_option
@click.option("--force", is_flag=True, help="Replace a picture that is there already; never a photo.")
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
    snapshots: tuple[int, ...],
    force: bool,
    how: str,
    **wishes: Any,
) -> int:
    """The picture that a unit of a network wants to see, from nothing or over a PHOTO.

    \b
    dreamer visualize -o eye.png --class eye
    dreamer visualize -o lion.png --network googlenet --class lion
    dreamer visualize -o unit.png --layer m4b --channel 12
    dreamer visualize -o unit.png --channel 12 --facets 4 --pictures holiday/
    """
    from dreamer.engine.device import use_threads
    from dreamer.image import load, to_pil
    from dreamer.plugins.loading import load_plugins
    from dreamer.visualization.direction_file import read_direction
    from dreamer.visualization.unit import Unit, grey, visualization

    with progress(how) as reporter:
        problems: list[str] = []
        place, way = Place(None, False), None
        with collect_problems(problems):
            place = Place.read(output, False)
        with collect_problems(problems):
            way = read_direction(direction, wishes["layer"]) if direction else None
        named = {"--channel": channel, "--neuron": neuron, "--class": label, "--direction": direction}
        given = [flag for flag, value in named.items() if value is not None]
        if len(given) > 1:
            problems.append(f"{' and '.join(given)} exclude each other: each says what is to be seen")
        if photo and not photo.is_file():
            problems.append(f"{photo}: there is no such file")
        names = _pictures(pictures, output, facets, problems)
        if facets and count:
            problems.append("--facets and --count exclude each other: each says how many pictures")
        if facets and photo:
            problems.append(f"--facets begins with nothing, or with --pictures: leave out {photo}")
        unit = Unit(channel, neuron, label, way)
        registry, plugins = load_plugins()
        wish = RenderOptions(**wishes, strength=None, feature_size=None, init=None, guide=None)

        def shown(request: Request) -> Pipeline:
            source = load(photo, max_pixels=wish.max_pixels) if photo else None
            facetted, begun = facets is not None, pictures is not None
            return visualization(request, registry, unit, photo=source, canvas=canvas, facets=facetted, begun=begun)

        pipeline, provenance = wish.pipeline(
            registry,
            reporter.say,
            problems,
            flags={
                **{"canvas.name": canvas, "optimiser.name": optimiser, "octaves.steps": steps},
                **{"pictures": facets or count, "init": "grey" if pictures else None},
            },
            use=shown,
        )
        use_threads(pipeline.machine)

        def blank() -> Photo:
            side = pipeline.recipe.size
            return load(to_pil(grey(side, side)))

        if pictures:
            pipeline = _begun(pipeline, pictures, names, Path(output), reporter, wish.max_pixels)
        batch = Batch(
            pipeline,
            provenance,
            plugins,
            Saving(place, force, False, snapshots),
            reporter,
            wish.max_pixels,
            protected=[photo] if photo else [],
            blank=blank,
        )
        return batch.run([photo])


def _pictures(folder: Path | None, output: str, facets: int | None, problems: list[str]) -> list[str]:
    """The names of a folder's pictures, those in its own folders too; what is wrong becomes a problem."""
    from dreamer.image import pictures_in

    if folder is None:
        return []
    if facets is None:
        problems.append("--pictures goes with --facets N, which begin with pictures of this folder")
    names = []
    with collect_problems(problems):
        names = pictures_in(folder, "--pictures")
        if len(names) < (facets or 1):
            number = f"only {len(names)} for {facets} facets"
            problems.append(f"--pictures {folder}: pictures are wanted, some 15 for each facet, and there are {number}")
        check_spared([Path(output)], [folder / name for name in names])
    return names


def _begun(
    pipeline: Pipeline, folder: Path, names: list[str], output: Path, reporter: Reporter, max_pixels: int
) -> Pipeline:
    """The pipeline, each of its facets beginning with pictures of the folder."""
    from dreamer.visualization.facets import facets

    pipeline.check()
    notes = output.with_name(f".{output.name}.facets")
    found = facets(pipeline, folder, names, notes=notes, max_pixels=max_pixels)
    for name, why in found.skipped.items():
        reporter.say(f"{name} is left out: {why}")
    for number, members in enumerate(found.members, 1):
        how_many = "1 picture" if len(members) == 1 else f"{len(members)} pictures, as"
        reporter.say(f"facet {number} begins with {how_many} {', '.join(members[:3])}")
    return replace(pipeline, starts=found.starts)
