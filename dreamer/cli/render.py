"""`dreamer render`: dreams over photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from dreamer.cli.batch import Batch
from dreamer.cli.changed import change_of
from dreamer.cli.hands import Hands, jobs_options
from dreamer.cli.many import Many
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import (
    machine_options,
    max_pixels_option,
    option,
    progress_option,
    sheet_options,
    still_options,
)
from dreamer.cli.photos import Found, Place, find, named_files
from dreamer.cli.progress import progress
from dreamer.cli.region_options import region_options, wrap_option
from dreamer.cli.remote import render_addresses
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.repeating import Times, repeat_option
from dreamer.cli.sheet_cells import SheetOptions
from dreamer.cli.sheets import make_sheet
from dreamer.cli.values import STEPS
from dreamer.errors import UsageError, collect_problems, many
from dreamer.units.storage import is_address


@click.command()
@click.argument("photos", nargs=-1, metavar="PHOTO...")
@option("-o", "--output", metavar="FILE|FOLDER", help="The picture or folder to write. [PHOTO-dream.*]")
@still_options
@region_options
@wrap_option
@repeat_option
@sheet_options
@machine_options
@jobs_options("photos")
@option("--snapshots", type=STEPS, default=(), help="Also save the picture after these steps.")
@option("--keep-gps", is_flag=True, help="Keep the GPS position of the photo, which is removed otherwise.")
@max_pixels_option
@option("--force", is_flag=True, help="Replace existing pictures, but never a photo.")
@option("--sample", is_flag=True, help="Dream over a scene that dreamer draws itself.")
@progress_option
def render(
    photos: tuple[str, ...],
    output: str | None,
    snapshots: tuple[int, ...],
    keep_gps: bool,
    repeat: Times | None,
    force: bool,
    sample: bool,
    seeds: tuple[int, ...],
    sweep: tuple[str, ...],
    variations: int | None,
    around: float | None,
    like: str | None,
    as_page: bool,
    how: str,
    **options: Any,
) -> int:
    """Dream over photos.

    Each PHOTO is a file, a folder or a pattern; its dream is written beside it, as photo-dream.jpg beside photo.jpg. A
    folder is searched with its subfolders, which -o FOLDER keeps.
    Dreams that are already done are skipped, and so are, among several photos, pictures made by dreamer.

    The MASK of a --region is a picture (white dreams, black does not), or top, bottom, left, right (also as top:30%),
    centre, all, ellipse:X,Y,WIDTH,HEIGHT (from 0 to 1), colour:#88aadd or part:3, of the parts that `dreamer parts`
    shows (segment:NAME:2 with a plugin's segmenter); not:MASK turns it round. Its LOOK is a preset, whose objectives
    grow there, or keep: nothing grows there. Without =LOOK it is the recipe's own. Later regions lie above earlier
    ones; octaves, transforms and filters are the recipe's everywhere. Where all regions keep, the rest of the picture
    dreams.

    \b
    dreamer render photo.jpg --region sky.png=bloom --region face.png=keep
    dreamer render photo.jpg --region top=bloom --region bottom=gaze

    --sweep takes the keys of --set, and preset, network, layer, motif, channel, guide, recipe. Each cell of the sheet
    is also a picture of its own, in a folder beside it, the same as when it is dreamt alone. --around keeps the seed.

    \b
    dreamer render photo.jpg --sweep strength=.3,.6,1 --sweep preset=bloom,gaze
    dreamer render photo.jpg --variations 9 -o nine.jpg
    dreamer render photo.jpg --like nine.jpg#4 --variations 9 --around 0.2
    """
    options["seed"] = seeds[0] if len(seeds) == 1 else None
    unfit: list[str] = []
    hands = Hands.read(options, unfit)
    wanted = SheetOptions(sweep, variations, around, seeds, as_page)
    saving: dict[str, Any] = {"force": force, "keep_gps": keep_gps}
    unfit += ["--like and --recipe cannot be combined; each is a whole recipe"] * bool(like and options["recipe"])
    options["recipe"] = like or options["recipe"]
    with progress(how) as reporter:
        if any(map(is_address, (*photos, output or ""))):
            beside = wanted.sheet or snapshots or as_page or repeat
            unfit += ["addresses: a sheet, snapshots and --repeat are made of files"] * bool(beside)
            unfit += ["--sample draws its scene on this machine, for no address; leave out one or the other"] * sample
            unfit += ["name a photo, or the address of one"] * (not photos and not sample)
            return render_addresses(photos, output, hands, options, reporter, unfit, **saving)
        found = find(photos)
        problems = [*unfit, *_without_photos(photos, found, sample)]
        if wanted.sheet:
            _check_sheet(found, {"--snapshots": snapshots, "--repeat": repeat}, problems)
            photo = next(iter(found.photos), None)
            return make_sheet(photo, output, wanted, options, reporter, problems, hands, **saving)
        if as_page:
            problems.append("--html: only sheets are web pages; add --sweep or --variations, or leave it out")
        several = len(found.photos) > 1 or any(Path(photo).is_dir() for photo in photos)
        place = Place(None, False)
        with collect_problems(problems):
            place = replace(Place.read(output, several), folders=found.folders)
        tell_missing(problems, options)

        from dreamer.engine.device import use_threads
        from dreamer.plugins.loading import load_plugins

        registry, plugins = load_plugins()
        given = RenderOptions(**options)
        pipeline, provenance = given.pipeline(registry, reporter.notify, [])
        use_threads(pipeline.machine)
        saving |= {"snapshots": snapshots, "repeat": repeat}
        named = named_files(options)
        job: Many | Batch
        if hands and found.photos:
            job = Many.of(found.photos, place, named, reporter, hands.hire(pipeline.machine), given, **saving)
        else:
            shared = (pipeline, provenance, plugins, place, reporter, given.max_pixels, [*found.photos, *named])
            job = Batch(*shared, **saving)
        for label, problem in found.problems:
            job.fail(label, UsageError(problem))
        if found.dreams:
            reporter.notify(f"skipped {many(found.dreams, 'picture')} made by dreamer")
        code = job.run(found.photos or [None])
        if job.worked and (changed := change_of(given, pipeline)):
            reporter.notify(changed)
        return code


def _without_photos(photos: tuple[str, ...], found: Found, sample: bool) -> list[str]:
    """The reasons why there is nothing to dream over; one bad photo of several is reported later and stops no other."""
    if sample:
        return ["--sample draws its own scene; leave out the photos"] if photos else []
    if not photos:
        return ["name a photo, as in `dreamer render photo.jpg`, or try `dreamer render --sample`"]
    return [] if found.photos else [problem for _, problem in found.problems]


def _check_sheet(found: Found, others: Mapping[str, object], problems: list[str]) -> None:
    """Add to `problems` why a sheet cannot be of these photos; `others` has the options that it does not go with."""
    problems += [f"{flag}: a sheet has none; leave it out" for flag, value in others.items() if value]
    problems += [problem for _, problem in found.problems if problem not in problems]
    if len(found.photos) > 1:
        problems.append(f"a sheet is of one photo, and these are {len(found.photos)}; name one")
