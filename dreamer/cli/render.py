"""`dreamer render`: photos in, dreams out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer import __version__
from dreamer.cli.photos import check_place, destination, find, free, is_folder
from dreamer.cli.progress import Silent, progress
from dreamer.errors import DreamerError, Interrupted, UsageError

if TYPE_CHECKING:
    from dreamer.compose import Composition, Dream
    from dreamer.image import Photo
    from dreamer.machine import Machine
    from dreamer.stamp import Stamp

MAX_PIXELS = 200_000_000


class Size(click.ParamType):
    """A number of pixels, or a word that stands for one."""

    def __init__(self, words: dict[str, int], least: int) -> None:
        self.words, self.least = words, least
        self.name = "|".join([*words, "pixels"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a sentence when it is neither."""
        if isinstance(value, int):
            return value
        if value in self.words:
            return self.words[value]
        if value.isdecimal() and int(value) >= self.least:
            return int(value)
        self.fail(f"{value!r} is not {', '.join(self.words)} or a number of pixels from {self.least} on", param, ctx)


class Numbers(click.ParamType):
    """Whole numbers from 1 on, with commas between."""

    name = "n,m"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers; a sentence when they are not."""
        if isinstance(value, tuple):
            return value
        if not all(part.strip().isdecimal() and int(part) > 0 for part in value.split(",")):
            self.fail(f"{value!r} is not a list of step numbers, as in 10,20,40", param, ctx)
        return tuple(int(part) for part in value.split(","))


@click.command()
@click.argument("photos", nargs=-1, metavar="PHOTO...")
@click.option("-o", "output", metavar="OUT", help="The picture to write, or a folder for several. [PHOTO-dream.*]")
@click.option("--preset", metavar="NAME", help="A look: a name from `dreamer presets list`, or a .toml file.")
@click.option("--recipe", metavar="FILE", help="Repeat a recipe: a picture that dreamer made, or a .toml file.")
@click.option("--network", metavar="NAME", help="The network that dreams; fetched when absent. [reverie]")
@click.option("--weights", metavar="FILE", type=click.Path(path_type=Path), help="Its weights: .safetensors or .pth.")
@click.option("--layer", metavar="LAYER", help="The layer whose features grow; see `dreamer networks layers`.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any part of the recipe: octaves.steps=20.")
@click.option("--strength", type=float, metavar="0..1", help="From the photo (0) to the whole dream (1).")
@click.option("--size", type=Size({"full": 0}, 16), help="Limit of the long side; `full` keeps every pixel. [2048]")
@click.option("--seed", type=int, metavar="N", help="Another seed, another dream. [0]")
@click.option("--init", type=click.Choice(["photo", "noise", "grey"]), help="What the dream starts from. [photo]")
@click.option("--guide", metavar="PICTURE", type=click.Path(path_type=Path), help="A picture whose features to grow.")
@click.option("--tile", type=Size({"auto": -1, "none": 0}, 32), help="Tiles of this size; auto from the free memory.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to compute. [auto]")
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="Of the network. [auto]")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads. [all cores]")
@click.option("--snapshots", type=Numbers(), default=(), help="Keep pictures after these steps, too.")
@click.option("--keep-gps", is_flag=True, help="Keep the place where the photo was taken; it is left out otherwise.")
@click.option("--max-pixels", type=click.IntRange(1), default=MAX_PIXELS, metavar="N", help="Refuse larger pictures.")
@click.option("--force", is_flag=True, help="Replace pictures that are there already.")
@click.option("--sample", is_flag=True, help="Dream over a scene that dreamer draws itself.")
@click.option(
    "--progress", "how", type=click.Choice(["auto", "plain", "json", "none"]), default="auto", help="How to tell."
)
def render(photos: tuple[str, ...], **options: Any) -> None:
    """Dream over photos. Each PHOTO may be a file, a folder or a pattern."""
    arguments = Arguments(**options)
    found, problems = find(photos)
    several = len(found) > 1 or any(Path(photo).is_dir() for photo in photos)
    if arguments.sample and photos:
        problems.append("--sample draws its own scene: leave the photos out")
    elif not arguments.sample and not photos:
        problems.append("name a photo, as in `dreamer render photo.jpg`, or try `dreamer render --sample`")
    if several and arguments.output and Path(arguments.output).suffix and not is_folder(arguments.output):
        problems.append(f"-o {arguments.output}: {len(found)} photos need a folder")
    if problems and (arguments.sample or not found):
        raise UsageError(*problems)
    with progress(arguments.how) as told:
        batch = _Batch(arguments, told, several)
        for problem in problems:
            batch.failed(problem.partition(":")[0], UsageError(problem))
        for number, photo in enumerate(found or [None], 1):
            batch.dream(photo, number, max(1, len(found)))
    sys.exit(batch.exit_code)


@dataclass(frozen=True)
class Arguments:
    """The options of the command line, as typed."""

    output: str | None
    preset: str | None
    recipe: str | None
    network: str | None
    weights: Path | None
    layer: str | None
    settings: tuple[str, ...]
    strength: float | None
    size: int | None
    seed: int | None
    init: str | None
    guide: Path | None
    tile: int | None
    device: str | None
    precision: str | None
    threads: int | None
    snapshots: tuple[int, ...]
    keep_gps: bool
    max_pixels: int
    force: bool
    sample: bool
    how: str

    def changes(self) -> list[tuple[str, Any]]:
        """What the options say of the recipe; a flag stands above --set."""
        from dreamer.recipe import read_setting

        flags = {"strength": self.strength, "size": self.size, "seed": self.seed, "init": self.init}
        changes = [read_setting(text) for text in self.settings]
        return changes + [(key, value) for key, value in flags.items() if value is not None]

    def machine(self, stamp: Stamp | None) -> Machine:
        """The machine as wished: by flags, else as the repeated picture was made, else by itself."""
        from dreamer.machine import Machine

        before = Machine.read(stamp.machine) if stamp else Machine()
        flags = {key: getattr(self, key) for key in ("device", "precision", "tile", "threads")}
        return replace(before, **{key: value for key, value in flags.items() if value is not None})


class _Batch:
    """Photos one after another, with one network; a bad one does not stop the others."""

    def __init__(self, arguments: Arguments, told: Silent, several: bool) -> None:
        from dreamer.plugins import load_plugins

        self.arguments, self.told, self.several = arguments, told, several
        self.computed = self.failures = False
        self.registry, self.plugins = load_plugins()
        self.stamp, words = self._words()
        self.composition = self._compose(words)

    @property
    def exit_code(self) -> int:
        """0 all done; 1 something failed; 2 nothing was computed."""
        return (1 if self.computed else 2) if self.failures else 0

    def failed(self, label: str, error: DreamerError) -> None:
        """Tell of a photo that could not be dreamt over."""
        self.failures = True
        problems = error.problems if isinstance(error, UsageError) else (str(error),)
        self.told.fail(label, problems)

    def dream(self, path: Path | None, number: int, total: int) -> None:
        """One photo: read, dream, write. Interrupted comes through, the partial picture being kept."""
        label = path.name if path else "sample"
        self.told.start(label, number, total)
        try:
            self._dream(path)
        except Interrupted:
            raise
        except DreamerError as error:
            self.failed(label, error)

    def _dream(self, path: Path | None) -> None:
        from dreamer.image import format_for, losses, suffix_of

        arguments = self.arguments
        whole = self._photo(path)
        photo = self.composition.sized(whole)
        given = Path(arguments.output) if arguments.output and not (self.several or is_folder(arguments.output)) else None
        format = format_for(photo, given)
        output = destination(path or Path("sample.png"), suffix_of(format), arguments.output, self.several)
        if path and output.exists() and output.samefile(path):
            raise UsageError(f"{output} is the photo itself, which is never overwritten; choose another name with -o")
        if self._is_done(output, photo):
            self.told.done(str(path), str(output), 0)
            return
        if output.exists() and not arguments.force:
            raise UsageError(f"{output} is there already; --force replaces it, -o chooses another name")
        check_place(output)
        self.composition.octaves(photo)
        for notice in (*photo.notices, *losses(photo, format)):
            self.told.say(notice)
        if photo is not whole:
            self.told.say(
                f"{whole.width}x{whole.height} pixels become {photo.width}x{photo.height}; --size full keeps them all"
            )
        began = time.monotonic()

        def keep(dream: Dream, place: Path) -> None:
            self._write(dream, place, format)

        try:
            dream = self.composition.dream(
                photo,
                on_step=self._on_step,
                snapshots=arguments.snapshots,
                on_snapshot=lambda n, dream: keep(dream, free(output.with_stem(f"{output.stem}-{n:04d}"))),
            )
        except Interrupted as stop:
            partial = free(output.with_stem(f"{output.stem}-partial"))
            keep(stop.picture, partial)
            self.told.say(f"interrupted; what had been dreamt by then is {partial}")
            raise
        self._compare(dream)
        keep(dream, output)
        self.told.done(str(path), str(output), time.monotonic() - began)

    def _on_step(self, step: Any) -> None:
        self.computed = True
        self.told.step(step)

    def _photo(self, path: Path | None) -> Photo:
        from dreamer.image import load

        if path is not None:
            return load(path, max_pixels=self.arguments.max_pixels)
        from torchvision.transforms.functional import to_pil_image

        from dreamer.sample import scene

        return load(to_pil_image(scene()[0]))

    def _write(self, dream: Dream, place: Path, format: str) -> None:
        from dreamer.image import encode, write_atomically

        pixels = dream.photo.with_change(dream.change)
        text = self._stamp(dream.photo, dream.machine).text()
        software = f"dreamer {__version__}"
        write_atomically(
            place,
            encode(dream.photo, pixels, format, recipe=text, keep_gps=self.arguments.keep_gps, software=software),
        )

    def _stamp(self, photo: Photo, machine: Machine) -> Stamp:
        from dreamer.stamp import Stamp

        composition = self.composition
        return Stamp(
            recipe=composition.words(),
            machine=machine.words(),
            dreamer=__version__,
            weights=composition.network.weights,
            photo=photo.sha256,
            guide=composition.guide.sha256 if composition.guide else "",
            plugins={p.distribution: p.version for p in self.plugins if not p.problem},
        )

    def _is_done(self, output: Path, photo: Photo) -> bool:
        from dreamer.image import read_recipe
        from dreamer.stamp import Stamp

        try:
            text = read_recipe(output) if output.exists() else None
            now = self._stamp(photo, self.composition.machine)
            return text is not None and Stamp.read(text, str(output)).same_picture(now)
        except UsageError:
            return False

    def _compare(self, dream: Dream) -> None:
        """Say what keeps a repeated picture from being the same, byte for byte."""
        if self.stamp:
            for difference in self.stamp.differences(self._stamp(dream.photo, dream.machine)):
                self.told.say(f"not the same bytes: {difference}")

    def _words(self) -> tuple[Stamp | None, Any]:
        from dreamer.image import read_recipe
        from dreamer.preset import find_preset, read_preset
        from dreamer.stamp import Stamp

        arguments = self.arguments
        if arguments.recipe and arguments.preset:
            raise UsageError("--recipe and --preset exclude each other: each is a whole recipe")
        if arguments.preset:
            return None, find_preset(self.registry.presets, arguments.preset).words
        if not arguments.recipe:
            return None, {}
        source = Path(arguments.recipe)
        if source.suffix == ".toml":
            return None, read_preset(source).words
        text = read_recipe(source)
        if text is None:
            raise UsageError(f"{source}: there is no recipe in this picture")
        stamp = Stamp.read(text, str(source))
        return stamp, stamp.recipe

    def _compose(self, words: Any) -> Composition:
        import torch

        from dreamer.compose import compose
        from dreamer.image import load

        arguments = self.arguments
        machine = arguments.machine(self.stamp)
        if machine.threads:
            torch.set_num_threads(machine.threads)
        return compose(
            words,
            self.registry,
            changes=arguments.changes(),
            network=arguments.network,
            weights=arguments.weights,
            layer=arguments.layer,
            fetch=True,
            guide=load(arguments.guide, max_pixels=arguments.max_pixels) if arguments.guide else None,
            machine=machine,
            say=self.told.say,
        )
