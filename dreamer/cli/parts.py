"""`dreamer parts`: what a photo consists of, as masks for `--region`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import max_pixels_option, option, progress_option
from dreamer.cli.photos import check_folder, check_spared, write_sheet
from dreamer.cli.progress import progress
from dreamer.cli.shell import shell_word
from dreamer.cli.streams import echo, line
from dreamer.cli.values import FILE, THREADS
from dreamer.errors import UsageError, collect_problems
from dreamer.files import is_link, is_taken, make_folder, write_atomically
from dreamer.files.suffixes import CLIPS, clip_for_photo
from dreamer.recipes.masks import FEWEST, MOST, PARTS

_NUMBER = click.IntRange(FEWEST, MOST)


@click.command()
@click.argument("photo", type=FILE)
@option("-o", "--output", metavar="FOLDER", type=FILE, help="The folder to write to. [PHOTO-parts]")
@option("--count", type=_NUMBER, metavar="N", help=f"Number of parts, from {FEWEST} to {MOST}. [{PARTS}]")
@option("--segmenter", metavar="NAME", help="Use a plugin's segmenter instead of dreamer's own.")
@option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]")
@option("--force", is_flag=True, help="Replace existing masks.")
@max_pixels_option
@progress_option
def parts(
    photo: Path,
    output: Path | None,
    count: int | None,
    segmenter: str | None,
    threads: int | None,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """Take a photo apart into sky, water, foliage and so on.

    Writes a mask for each part, part-1.png and so on, from top to bottom, and parts.png, which shows them all with
    their numbers. Dream over one by its number or by its file:

    \b
    dreamer parts photo.jpg
    dreamer render photo.jpg --region part:3=gaze
    dreamer render photo.jpg --region photo-parts/part-3.png=gaze
    dreamer render photo.jpg --region part:2/8=bloom     the second of eight
    """
    folder = output or photo.with_name(f"{photo.stem}-parts")
    with progress(how) as reporter, claimed(folder):
        problems = _about(photo, folder, count, segmenter, named=output is not None)
        problems += [] if force else _taken([folder / "parts.png"])
        tell_missing(problems, {}, photo)

        import torch

        from dreamer.api.part import parts_in
        from dreamer.image import Photo, encode, load
        from dreamer.visualization.parts_sheet import parts_sheet

        began = time.monotonic()
        if threads:
            torch.set_num_threads(threads)
        reporter.start(str(photo), 1, 1)
        source = load(photo, max_pixels=max_pixels)
        for notice in source.notices:
            reporter.notify(notice)
        found = parts_in(source, count, segmenter)
        sheet, *files = [folder / "parts.png", *(folder / f"part-{part.number}.png" for part in found)]
        problems = [] if force else _taken([sheet, *files])
        with collect_problems(problems):
            check_spared([sheet, *files], [photo])
        if problems:
            raise UsageError(*problems)
        make_folder(folder)
        told = []
        for part, path in zip(found, files, strict=True):
            mask = Photo((part.mask[0, 0, :, :, None] * 255).round().byte().numpy())
            path = write_atomically(path, encode(mask, mask.pixels, "PNG"), replace=force)
            of = (
                f"segment:{segmenter}:{part.name}" if segmenter else f"part:{part.number}{f'/{count}' if count else ''}"
            )
            told.append(line(f"{path}  {part.share:4.0%} of the photo  --region {shell_word(of)}=LOOK"))
        labels = [part.name for part in found]
        place = write_sheet(sheet, parts_sheet(source, torch.cat([part.mask for part in found]), labels), replace=force)
        reporter.done(str(photo), str(place), time.monotonic() - began)
        if how != "json":  # last, when nothing can be lost
            echo("\n".join(told))
    return 0


def _about(photo: Path, folder: Path, count: int | None, segmenter: str | None, *, named: bool) -> list[str]:
    """Problems of the arguments, as far as they can be found without torch."""
    problems: list[str] = []
    if photo.is_dir():
        problems.append(f"{photo} is a folder; name one photo")
    elif photo.suffix.lower() in CLIPS:
        problems.append(clip_for_photo(str(photo)))
    if folder.exists() and not folder.is_dir():
        problems.append(f"-o {folder}: this is a file; name a folder")
    elif is_link(folder) and not named:
        problems.append(f"{folder} is a link; name it with -o if the masks are to be written where it leads")
    else:
        with collect_problems(problems):
            check_folder(folder if folder.exists() else folder.parent, f"-o {folder}")
    if count is not None and segmenter is not None:
        problems.append("--count: it is for dreamer's own parts; a segmenter decides itself how many masks there are")
    return problems


def _taken(paths: list[Path]) -> list[str]:
    return [f"{path} already exists; --force replaces it" for path in paths if is_taken(path)]
