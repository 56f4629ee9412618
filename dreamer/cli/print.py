"""`dreamer print`: a dream for paper, as large as one likes, with the motifs of its small proof."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.checkpoints import Checkpoints
from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import max_pixels_option, option, progress_option, recipe_options_for
from dreamer.cli.paper import Length, Paper, Sheet
from dreamer.cli.photos import check_folder, check_spared, named_files
from dreamer.cli.printing import INCH, SHEETS, Files, Print
from dreamer.cli.progress import Reporter, progress
from dreamer.cli.provenance import provenance_for
from dreamer.cli.region_options import dream_options
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.values import FILE
from dreamer.errors import UsageError, WriteError, collect_problems, reported_together
from dreamer.files import is_taken, taken
from dreamer.files.suffixes import check_suffix
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    from dreamer.image import Photo

_FORMATS = ("PNG", "TIFF")


@click.command("print")
@click.argument("photo", type=FILE)
@option("-o", "--output", metavar="FILE", type=FILE, help="The print: a .png or .tif. [PHOTO-print.png]")
@option("--cm", type=Paper(), metavar="WxH", help="Size on paper, as in 120x80; the whole photo fits into it.")
@option("--dpi", type=click.IntRange(10, 4800), default=200, metavar="N", help="Pixels per inch of paper. [200]")
@option("--bleed", type=Length(), metavar="LENGTH", help="Add a mirrored margin for the cutter, as in 3mm.")
@option("--sheets", type=Sheet(), metavar="PAPER", help="Also write a PDF of sheets with marks, as in A3 or 30x45.")
@option("--deep-zoom", "page", metavar="FOLDER", type=FILE, help="Also write the print as a web page to zoom into.")
@option("--proof", is_flag=True, help="Stop after the proof: the small whole and the crop.")
@option("--resume", is_flag=True, help="Continue an unfinished print.")
@dream_options(recipe_options_for("Long side of the print in pixels, instead of --cm; `full` is the photo's."))
@option("--keep-gps", is_flag=True, help="Keep the GPS position of the photo, which is removed otherwise.")
@max_pixels_option
@option("--force", is_flag=True, help="Replace existing pictures, but never the photo.")
@progress_option
def print_(
    photo: Path,
    output: Path | None,
    cm: tuple[float, float] | None,
    dpi: int,
    bleed: float | None,
    sheets: tuple[float, float] | None,
    page: Path | None,
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
    dreamer print photo.jpg --cm 60x40              print that, photo-print.png
    dreamer print photo.jpg --cm 60x40 --resume     continue after Ctrl-C
    """
    files = Files(output or photo.parent / fitting(photo.stem, "-print.png"))
    inputs, problems = [photo, *named_files(options)], list[str]()
    if cm is not None and options["size"] is not None:
        problems.append("--cm and --size both say how large the print is; leave one of them out")
    elif cm is None and options["size"] is None:
        problems.append("say how large the print is, either by --cm, as in --cm 60x40, or by --size, as in --size 8000")
    kept = Checkpoints(files.output)
    own = kept.made if resume else frozenset()
    written = [files.sheets, files.output] if sheets and SHEETS not in own else [files.output]
    _check_files(files, inputs, None if proof else page, [] if force or proof else written, problems)
    tell_missing(problems, options, photo)

    from dreamer.engine.device import use_threads
    from dreamer.image import load
    from dreamer.pipeline.enlarging import PROOF, Enlargement
    from dreamer.plugins.loading import load_plugins

    with progress(how) as reporter:
        source = load(photo, max_pixels=options["max_pixels"])
        options["size"] = long_side(source, cm, dpi, options["size"])
        if resume and options["tile"] is None:
            options["tile"] = kept.tile
        registry, plugins = load_plugins()
        pipeline, _ = RenderOptions(**options).pipeline(registry, reporter.notify, [])
        use_threads(pipeline.machine)
        way = Enlargement.planned(pipeline, source, options["size"], PROOF)
        stamp = provenance_for(pipeline, source.sha256, way.machine, plugins)
        about = {"proof": PROOF, "dpi": dpi, **({"bleed": bleed} if bleed else {})}
        recipe = json.dumps({**json.loads(stamp.text()), "print": about}, sort_keys=True)
        there = frozenset(filter(is_taken, files.all))
        job = Print(source, way, dpi, files, recipe, force, keep_gps, page, bleed or 0.0, sheets, there, own)
        with reported_together() as problems:
            if not proof:
                with collect_problems(problems):
                    kept.check(recipe, resume=resume, force=force)
                with collect_problems(problems):
                    job.check_more()
                with collect_problems(problems):
                    job.check_disk()
            with collect_problems(problems):
                files.check(stamp, force=force)
        for notice in (*source.notices, *pipeline.remarks(*way.first.size)):
            reporter.notify(notice)
        with claimed(files.output):
            return _write(job, kept, proof, resume, reporter, str(photo))


def _check_files(
    files: Files, inputs: Sequence[Path], page: Path | None, new: Sequence[Path], problems: list[str]
) -> None:
    """Add to `problems` why a print and its `page` cannot be written to these files; `new` may not be there yet."""
    with collect_problems(problems):
        if check_suffix(files.output) not in _FORMATS:
            what = "a print has 16 bits, which PNG and TIFF alone hold; name it .png or .tif"
            problems.append(f"-o {files.output}: {what}")
    if not files.output.name:  # as . has none
        raise UsageError(*problems)
    with collect_problems(problems):
        check_folder(files.output.parent, f"-o {files.output}")
    with collect_problems(problems):
        check_spared(files.all, inputs)
    if page:
        with collect_problems(problems):
            check_folder(page.parent, f"--deep-zoom {page}")
        inside = [given for given in inputs if given.resolve().is_relative_to(page.resolve())]
        why = f"an input, is in {page}, which the page replaces; choose another folder"
        problems += [f"{given}, {why}" for given in inside]
    problems += [taken(path) for path in new if is_taken(path)]


def _write(job: Print, kept: Checkpoints, proof: bool, resume: bool, reporter: Reporter, label: str) -> int:
    """Make the proofs, or the print with them, and report them; returns the exit code."""
    began = time.monotonic()
    reporter.notify(job.takes())
    try:
        written = job.proofs() if proof else job.made(kept, resume, reporter, label)
    except KeyboardInterrupt:
        reporter.interrupted(label)
        if kept.folder.exists():
            reporter.notify(f"what is done is kept in {kept.folder}; --resume continues it")
        return 130
    except WriteError as error:
        rest = f"; what is done is kept in {kept.folder}, and --resume continues it"
        raise WriteError(f"{error}{rest if kept.folder.exists() else ''}") from error
    reporter.done(label, str(written), time.monotonic() - began)
    return 0


def long_side(photo: Photo, cm: tuple[float, float] | None, dpi: int, size: int | None) -> int:
    """The long side of a print in pixels: as large as the paper allows, which may be turned, or as given; 0: as is."""
    if cm is None:
        return size or max(photo.height, photo.width)
    (short, long), (low, high) = sorted(cm), sorted((photo.height, photo.width))
    return max(16, math.floor(min(long / high, short / low) * high / INCH * dpi + 1e-6))
