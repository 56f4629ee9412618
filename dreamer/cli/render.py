"""`dreamer render`: photos in, dreams out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dreamer.cli.batch import Batch, Saving
from dreamer.cli.options import Numbers, machine_options, max_pixels_option, progress_option, recipe_options
from dreamer.cli.photos import Found, Place, find
from dreamer.cli.progress import progress
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, collect_problems


@click.command()
@click.argument("photos", nargs=-1, metavar="PHOTO...")
@click.option("-o", "output", metavar="OUT", help="The picture to write, or a folder. [PHOTO-dream.*]")
@recipe_options
@machine_options
@click.option("--snapshots", type=Numbers(), default=(), help="Keep pictures after these steps, too.")
@click.option("--keep-gps", is_flag=True, help="Keep the place where the photo was taken; else it is left out.")
@max_pixels_option
@click.option("--force", is_flag=True, help="Replace pictures that are there already; never a photo.")
@click.option("--sample", is_flag=True, help="Dream over a scene that dreamer draws itself.")
@progress_option
def render(
    photos: tuple[str, ...],
    output: str | None,
    snapshots: tuple[int, ...],
    keep_gps: bool,
    force: bool,
    sample: bool,
    how: str,
    **wishes: Any,
) -> int:
    """Dream over photos. Each PHOTO may be a file, a folder or a pattern; photo.jpg becomes photo-dream.jpg.

    Among several photos, pictures that dreamer made are left out. What is done already is skipped.
    """
    from dreamer.engine.device import use_threads
    from dreamer.plugins.loading import load_plugins

    with progress(how) as reporter:
        found = find(photos)
        problems = _without_photos(photos, found, sample)
        several = len(found.photos) > 1 or any(Path(photo).is_dir() for photo in photos)
        place = Place(None, False)
        with collect_problems(problems):
            place = Place.read(output, several)
        registry, plugins = load_plugins()
        wish = RenderOptions(**wishes)
        pipeline, provenance = wish.pipeline(registry, reporter.say, problems)
        use_threads(pipeline.machine)
        batch = Batch(
            pipeline,
            provenance,
            plugins,
            Saving(place, force, keep_gps, snapshots),
            reporter,
            wish.max_pixels,
            protected=(*found.photos, *([wish.guide] if wish.guide else [])),
        )
        for label, problem in found.problems:
            batch.fail(label, UsageError(problem))
        if found.dreams:
            reporter.say(f"left out, being dreams already: {found.dreams} of the pictures")
        return batch.run(found.photos or [None])


def _without_photos(photos: tuple[str, ...], found: Found, sample: bool) -> list[str]:
    """Why there is nothing to dream over; of several photos, one that is wrong stops no other."""
    if sample:
        return ["--sample draws its own scene: leave the photos out"] if photos else []
    if not photos:
        return ["name a photo, as in `dreamer render photo.jpg`, or try `dreamer render --sample`"]
    return [] if found.photos else [problem for _, problem in found.problems]
