"""`dreamer print`: a dream for paper, as large as one likes, with the motifs of its small proof."""

from __future__ import annotations

import json
import math
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer import __version__
from dreamer.cli.checkpoints import Checkpoints
from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import (
    FILE,
    ParamType,
    machine_options,
    max_pixels_option,
    option,
    progress_option,
    recipe_options_for,
)
from dreamer.cli.photos import check_folder, check_spared, named_files
from dreamer.cli.progress import clock, progress
from dreamer.cli.provenance import provenance_for
from dreamer.cli.region_options import region_options
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, WriteError, collect_problems, reported_together
from dreamer.files import is_taken, taken, write_atomically
from dreamer.files.suffixes import check_suffix
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from dreamer.cli.progress import Reporter
    from dreamer.engine.step import Step
    from dreamer.image import Photo
    from dreamer.pipeline.enlarging import Enlargement
    from dreamer.recipes.provenance import Provenance

PROOF = 600
"""Long side of the proof, in pixels; of the crop it is the width."""
_INCH = 2.54  # cm
_STATE, _FILE = 12, 8  # bytes of a pixel in a checkpoint, and at most in the file: 16 bits of four channels
_FORMATS = ("PNG", "TIFF")


class Paper(ParamType):
    """The sides of a sheet of paper in cm."""

    name = "paper"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return the two sides, or fail with a sentence."""
        if isinstance(value, tuple):
            return value
        with suppress(ValueError):
            width, height = (float(side.replace(",", ".")) for side in str(value).lower().split("x"))
            if 1 <= width <= 10_000 and 1 <= height <= 10_000:
                return width, height
        self.fail(f"expected two sides in cm from 1 to 10000, as in 120x80, not {value!r}", param, ctx)


@click.command("print")
@click.argument("photo", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The print: a .png or .tif. [PHOTO-print.png]")
@option("--cm", type=Paper(), metavar="WxH", help="Size on paper, as in 120x80; the whole photo fits into it.")
@option("--dpi", type=click.IntRange(10, 4800), default=200, metavar="N", help="Pixels to an inch of paper. [200]")
@option("--proof", is_flag=True, help="Stop when the small whole and the crop are made.")
@option("--resume", is_flag=True, help="Continue an unfinished print.")
@recipe_options_for("Long side of the print in pixels, in the place of --cm; `full` is the photo's.")
@region_options
@machine_options
@option("--keep-gps", is_flag=True, help="Keep the GPS position of the photo, which is removed otherwise.")
@max_pixels_option
@option("--force", is_flag=True, help="Replace existing pictures, but never the photo.")
@progress_option
def print_(
    photo: Path,
    output: Path | None,
    cm: tuple[float, float] | None,
    dpi: int,
    proof: bool,
    resume: bool,
    keep_gps: bool,
    force: bool,
    how: str,
    **options: Any,
) -> int:
    """Dream over a photo for paper.

    The print is its proof, enlarged: the same motifs at the same places, drawn ever finer. Before anything else it is
    said what the print will take, and two pictures are written beside it: the whole, small, and a crop as sharp and as
    large as the print will be. It is kept after each octave, so that Ctrl-C and power cuts cost little.

    \b
    dreamer print photo.jpg --cm 60x40 --proof      see what it will be, and take
    dreamer print photo.jpg --cm 60x40 --dpi 200 -o print.tif
    dreamer print photo.jpg --cm 60x40 --dpi 200 -o print.tif --resume
    """
    output = output or photo.parent / fitting(photo.stem, "-print.png")
    problems: list[str] = []
    if (cm is None) == (options["size"] is None):
        problems.append("say how large the print is, either by --cm, as in --cm 60x40, or by --size, as in --size 8000")
    with collect_problems(problems):
        if check_suffix(output) not in _FORMATS:
            problems.append(f"-o {output}: a print has 16 bits, which PNG and TIFF alone hold; name it .png or .tif")
    if not output.name:  # as . has none
        raise UsageError(*problems)
    with collect_problems(problems):
        check_folder(output.parent, f"-o {output}")
    files = Files(output)
    with collect_problems(problems):
        check_spared(files.all, [photo, *named_files(options)])
    if is_taken(output) and not (force or proof):
        problems.append(taken(output))
    tell_missing(problems, options, photo)

    from dreamer.engine.device import use_threads
    from dreamer.image import load
    from dreamer.pipeline.enlarging import Enlargement
    from dreamer.plugins.loading import load_plugins

    with progress(how) as reporter:
        kept = Checkpoints(output)
        source = load(photo, max_pixels=options["max_pixels"])
        options["size"] = long_side(source, cm, dpi, options["size"])
        if resume and options["tile"] is None:
            options["tile"] = kept.tile
        registry, plugins = load_plugins()
        pipeline, _ = RenderOptions(**options).pipeline(registry, reporter.notify, [])
        use_threads(pipeline.machine)
        way = Enlargement.planned(pipeline, source, options["size"], PROOF)
        stamp = provenance_for(pipeline, source.sha256, way.machine, plugins)
        recipe = json.dumps({**json.loads(stamp.text()), "print": {"proof": PROOF, "dpi": dpi}}, sort_keys=True)
        job = Print(source, way, dpi, output, files, recipe, force, keep_gps)
        with reported_together() as problems:
            if not proof:
                with collect_problems(problems):
                    kept.check(recipe, resume=resume, force=force)
                with collect_problems(problems):
                    job.check_disk()
            with collect_problems(problems):
                files.check(stamp, force=force)
        for notice in (*source.notices, *pipeline.remarks(*way.first.size)):
            reporter.notify(notice)
        with claimed(output):
            began = time.monotonic()
            reporter.notify(job.takes())
            try:
                written = job.proofs() if proof else job.made(kept, resume, reporter, str(photo))
            except KeyboardInterrupt:
                reporter.interrupted(str(photo))
                if kept.folder.exists():
                    reporter.notify(f"what is done is kept in {kept.folder}; --resume continues it")
                return 130
            except WriteError as error:
                rest = f"; what is done is kept in {kept.folder}, and --resume continues it"
                raise WriteError(f"{error}{rest if kept.folder.exists() else ''}") from error
        reporter.done(str(photo), str(written), time.monotonic() - began)
        return 0


def long_side(photo: Photo, cm: tuple[float, float] | None, dpi: int, size: int | None) -> int:
    """The long side of a print in pixels: as large as the paper allows, which may be turned, or as given; 0: as is."""
    if cm is None:
        return size or max(photo.height, photo.width)
    (short, long), (low, high) = sorted(cm), sorted((photo.height, photo.width))
    return max(16, math.floor(min(long / high, short / low) * high / _INCH * dpi + 1e-6))


@dataclass(frozen=True)
class Files:
    """What is written for a print: itself, the small whole, and the crop."""

    output: Path

    @property
    def whole(self) -> Path:
        """The small whole."""
        return self.output.with_name(fitting(self.output.stem, "-proof.png"))

    @property
    def crop(self) -> Path:
        """The crop at the print's own size."""
        return self.output.with_name(fitting(self.output.stem, "-crop.png"))

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return self.output, self.whole, self.crop

    def check(self, stamp: Provenance, *, force: bool) -> None:
        """Raise UsageError where a proof's name is taken, unless by the same print's own."""
        from dreamer.image import read_recipe
        from dreamer.recipes.provenance import Provenance

        for path in (self.whole, self.crop):
            if not is_taken(path) or force:
                continue
            with suppress(UsageError):
                if (text := read_recipe(path)) and Provenance.read(text, str(path)).same_picture(stamp):
                    continue
            raise UsageError(f"{path} already exists and is no proof of this print; --force replaces it")


@dataclass(frozen=True)
class Print:
    """A print to be made; `recipe` is what is written into its pictures."""

    photo: Photo
    way: Enlargement
    dpi: int
    output: Path
    files: Files
    recipe: str
    force: bool
    keep_gps: bool

    @property
    def disk(self) -> int:
        """The bytes that the print and the largest two of its checkpoints take at most."""
        last = [math.prod(size) for size in self.way.sizes[-2:]]
        return _STATE * sum(last) + _FILE * last[-1]

    def check_disk(self) -> None:
        """Raise UsageError unless there is room."""
        if self.disk > (free := shutil.disk_usage(self.output.parent).free):
            raise UsageError(
                f"{self.output}: this print needs {_amount(self.disk)} on the disk for itself and its checkpoints, and "
                f"{_amount(free)} are free; make room, or choose another folder with -o"
            )

    def takes(self) -> str:
        """What the print is and takes, in a sentence."""
        (height, width), tile = self.way.size, self.way.machine.tile
        sides = " x ".join(f"{side * _INCH / self.dpi:.1f}" for side in (width, height))
        return (
            f"print of {width}x{height} pixels, {sides} cm at {self.dpi} dpi, {len(self.way.octaves)} octaves above "
            f"the proof, {f'tiles of {tile} pixels' if tile else 'no tiles'}; it takes about "
            f"{_amount(self.way.memory)} of memory, {_amount(self.disk)} on the disk and {clock(self.way.seconds())}"
        )

    def proofs(self, change: Tensor | None = None) -> Path:
        """Write the small whole and the crop; returns the place of the whole. `change` is that of the proof."""
        from dreamer.image import load, to_pil

        small = self._small()
        change = self.way.proof(small) if change is None else change
        crop = load(to_pil(self.way.piece(change, (PROOF * 3 // 4, PROOF))))
        self._write(self.files.whole, small, small.with_change(self.way.strong(change)), "PNG", replace_it=True)
        self._write(self.files.crop, replace(crop, dpi=(self.dpi,) * 2), crop.pixels, "PNG", replace_it=True)
        return self.files.whole

    def made(self, kept: Checkpoints, resume: bool, reporter: Reporter, label: str) -> Path:
        """Make the proofs and then the print, and return its place; go on from what is kept, if it is to."""
        from dreamer.pipeline.enlarging import shares

        number, change = kept.begin(self.recipe, self.way.machine.tile, self.way.sizes, resume=resume)
        if change is None:
            change = self.way.proof(self._small())
            self.proofs(change)
            number = kept.keep(0, change)
            reporter.notify(f"see {self.files.whole} and {self.files.crop}; Ctrl-C stops here, --resume continues")
        reporter.start(label, 1, 1)  # the time that is left is that of the octaves to come
        for k, (begin, end) in enumerate(shares(self.way.octaves[number - 1 :]), number - 1):

            def on_step(step: Step, k: int = k, begin: float = begin, end: float = end) -> None:
                count, share = len(self.way.octaves), begin + (end - begin) * step.share
                reporter.step(replace(step, octave=k, octaves=count, share=share))

            change = self.way.octave(k, change, on_step)
            kept.keep(k + 1, change)
        photo = replace(_deep(self.photo).resized(max(self.way.size)), dpi=(self.dpi,) * 2)
        pixels = photo.with_change(self.way.strong(change))
        self._write(self.output, photo, pixels, check_suffix(self.output), replace_it=self.force)
        kept.clear()
        return self.output

    def _small(self) -> Photo:
        """The photo at the proof's size."""
        return self.photo.resized(max(self.way.first.size))

    def _write(self, path: Path, photo: Photo, pixels: NDArray[Any], format: str, *, replace_it: bool) -> None:
        from dreamer.image import encode

        software = f"dreamer {__version__}"
        data = encode(photo, pixels, format, recipe=self.recipe, keep_gps=self.keep_gps, software=software)
        if not replace_it and is_taken(path):
            raise WriteError(f"{path} was made by somebody else meanwhile; name another place and --resume")
        write_atomically(path, data, replace=replace_it)


def _amount(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{math.ceil(size / 2**20)} MiB"


def _deep(photo: Photo) -> Photo:
    """The photo in 16 bits, so that what is enlarged has no steps."""
    import numpy as np

    if photo.pixels.dtype == np.uint16:
        return photo
    alpha = None if photo.alpha is None else photo.alpha * np.uint16(257)
    return replace(photo, pixels=photo.pixels * np.uint16(257), alpha=alpha)
