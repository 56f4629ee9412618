"""Sheets of one photo: sweeps and variations, every cell a dream of its own, and all of them on one picture."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.claims import claimed
from dreamer.cli.hands import Hands, failure, order_of
from dreamer.cli.missing import tell_missing
from dreamer.cli.photos import check_folder, check_spared, named_files, write_sheet
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.sheet_cells import Job, Sheet, SheetOptions, sheet_of
from dreamer.cli.streams import line
from dreamer.errors import RenderError, UsageError, WriteError, collect_problems, many
from dreamer.files import is_link, is_taken, make_folder, read_bounded, taken, write_atomically
from dreamer.files.suffixes import check_suffix
from dreamer.limits import ATLAS_BYTES
from dreamer.recipes.cells import same_cells, sheet_text
from dreamer.recipes.sweeps import headings, wrapped
from dreamer.units.unit import Unit
from dreamer.units.working import work

if TYPE_CHECKING:
    from dreamer.engine.step import Step
    from dreamer.visualization.contact_sheet import Look

_SIDES = (160, 640)  # pixels: the least and the most of a cell's long side
_WIDTH = 4800  # pixels of a sheet, about


def make_sheet(
    photo: Path | None,
    output: str | None,
    wanted: SheetOptions,
    options: dict[str, Any],
    reporter: Reporter,
    problems: list[str],
    hands: Hands,
    **saving: Any,
) -> int:
    """Dream every cell over a photo, None for the sample scene, and write the sheet; returns the exit code.

    Cells are written as they are finished, and those that are done already are not dreamt again. `problems` were found
    before, and `saving` are further fields of `Batch`.
    """
    began, label = time.monotonic(), str(photo or "sample")
    name = (photo or Path("sample")).with_suffix("")
    sheet_at = Path(output) if output else name.with_name(f"{name.name}-sheet.jpg")
    given = RenderOptions(**options)
    outputs = [sheet_at, sheet_at.with_suffix(".html")] if wanted.as_page else [sheet_at]
    sources = [*([photo] if photo else []), *named_files(options), *wanted.files()]
    for check in (lambda: check_suffix(sheet_at), lambda: check_folder(sheet_at.parent, f"-o {sheet_at}")):
        with collect_problems(problems):
            check()
    with collect_problems(problems):
        check_spared(outputs, sources)
    folder = sheet_at.with_suffix("")
    if is_taken(folder) and (is_link(folder) or not folder.is_dir()):
        problems.append(f"{folder} is in the way of the folder for the single pictures; choose another -o")
    wanted.check(given, problems)
    tell_missing(problems, options)

    from dreamer.engine.device import keep_freed_memory, use_threads
    from dreamer.plugins.loading import load_plugins

    registry, plugins = load_plugins()
    shared = {"plugins": plugins, "reporter": reporter, "max_pixels": given.max_pixels, "protected": sources}
    sheet = sheet_of(photo, sheet_at, wanted, given, registry, snapshots=(), **shared, **saving)
    there = [path for path in outputs if is_taken(path)]
    own = {sheet_at: _is_same, sheet_at.with_suffix(".html"): _is_page}
    if others := [path for path in there if not (saving["force"] or own[path](path, sheet))]:
        raise UsageError(*(taken(path) for path in others))
    if there == outputs and all(job.done for job in sheet.jobs):
        reporter.skip(label, str(sheet_at))
        return 0
    with claimed(sheet_at):
        use_threads(sheet.jobs[0].batch.pipeline.machine)
        keep_freed_memory()
        make_folder(sheet.jobs[0].file.parent)
        for notice in sheet.notices:
            reporter.notify(notice)
        reporter.start(label, 1, 1)
        try:
            failed = _dreamt_by(hands, sheet, photo, reporter) if hands else _dreamt(sheet, reporter)
        except KeyboardInterrupt:
            reporter.interrupted(label)
            done = sum(job.file.exists() for job in sheet.jobs)
            where = sheet.jobs[0].file.parent
            reporter.notify(f"{done} of {len(sheet.jobs)} are in {where}; run the same command again to continue")
            return 130
        place = _written(sheet, outputs, there, failed, label)
    reporter.notify(f"{sheet.jobs[0].file.parent} holds {many(len(sheet.jobs) - len(failed), 'picture')}")
    reporter.done(label, str(place), time.monotonic() - began)
    return 1 if failed else 0


def _dreamt(sheet: Sheet, reporter: Reporter) -> set[int]:
    """Dream and write every cell that is not done; returns the numbers, from 0, of those that failed."""
    count, failed = len(sheet.jobs), set[int]()
    done = sum(job.done for job in sheet.jobs)
    for group in sheet.groups:
        numbers = [number for number in group.strengths if not sheet.jobs[number].done]
        if not numbers:
            continue
        job, doing = sheet.jobs[numbers[0]], line(", ".join(sheet.jobs[numbers[0]].cell.labels))

        def on_step(step: Step, done: int = done, many: int = len(numbers), doing: str = doing) -> None:
            reporter.frame(Frame(done, count, (done + step.share * many) / count, doing, "cell"))

        try:
            for number, dream in group.dreams(job.photo, numbers, on_step):
                job = sheet.jobs[number]
                place = job.batch.write(dream, job.file, job.format, replace=job.batch.force)
                sheet.jobs[number] = replace(job, file=place)
        except WriteError:
            raise
        except RenderError as error:
            failed |= {*numbers}
            reporter.fail(doing, error)
        done += len(numbers)
        reporter.frame(Frame(done, count, done / count, unit="cell"))
    return failed


def _dreamt_by(hands: Hands, sheet: Sheet, photo: Path | None, reporter: Reporter) -> set[int]:
    """Make the cells in other processes, a group of cells as one unit; returns the numbers of those that failed."""
    batch = sheet.jobs[0].batch
    words = {"force": batch.force, "keep_gps": batch.keep_gps, "max_pixels": batch.max_pixels}
    order = order_of("dreamer.cli.making:Cells", photo=None if photo is None else str(photo), **words)
    count, done, failed = len(sheet.jobs), sum(job.done for job in sheet.jobs), set[int]()

    def units() -> Iterator[Unit]:
        for group in sheet.groups:
            if numbers := [number for number in group.strengths if not sheet.jobs[number].done]:
                jobs = [sheet.jobs[number] for number in numbers]
                cells = [
                    {"number": n, "file": str(job.file), **job.options.to_dict()}
                    for n, job in zip(numbers, jobs, strict=True)
                ]
                yield Unit(line(", ".join(jobs[0].cell.labels)), {"cells": cells}, str(jobs[0].file.parent))

    def show(share: float) -> None:
        reporter.frame(Frame(done, count, (done + share) / count, unit="cell"))

    with closing(work(order, units(), hands.hire(batch.pipeline.machine), show)) as outcomes:
        for outcome in outcomes:
            numbers = [cell["number"] for cell in outcome.unit.words["cells"]]
            done += len(numbers)
            for number, file in zip(numbers, outcome.result.get("files", ()), strict=False):
                sheet.jobs[number] = replace(sheet.jobs[number], file=Path(file))
            if outcome.problems:
                failed.update(numbers)
                reporter.fail(outcome.unit.label, failure(outcome.problems, outcome.code))
            show(0.0)
    return failed


def _is_same(path: Path, sheet: Sheet) -> bool:
    """Whether the file is this very sheet."""
    from dreamer.image import read_recipe

    try:
        text = read_recipe(path) if path.exists() else None
        now = [job.batch.stamp(job.photo, job.batch.pipeline.machine) for job in sheet.jobs]
        return text is not None and same_cells(text, now, str(path))
    except UsageError:
        return False


def _is_page(path: Path, sheet: Sheet) -> bool:
    """Whether the file is this very sheet's page: all its cells stand there."""
    try:
        text = read_bounded(path, ATLAS_BYTES).decode()
    except (UsageError, OSError, ValueError):
        return False
    return all(f"<b>{html.escape(line(job.cell.title))}</b>" in text for job in sheet.jobs)


def _written(sheet: Sheet, outputs: Sequence[Path], there: Sequence[Path], failed: set[int], label: str) -> Path:
    """Draw the cells' own files on one sheet and one page, and write these; returns where the sheet is.

    Those of `outputs` that were `there` before are replaced, and none that has appeared meanwhile.
    """
    from dreamer.cli.provenance import provenance_in
    from dreamer.visualization.contact_sheet import page
    from dreamer.visualization.contact_sheet import sheet as sheet_picture

    columns = wrapped(sheet.axes)
    stamps = [
        job.batch.stamp(job.photo, job.batch.pipeline.machine) if number in failed else provenance_in(job.file)
        for number, job in enumerate(sheet.jobs)
    ]
    labels = [", ".join(job.cell.labels) for job in sheet.jobs]
    looks = [_look(job, columns, number in failed) for number, job in enumerate(sheet.jobs)]
    across, down = headings(sheet.axes)
    numbered = [replace(look, name=look.name.partition(" ")[0]) for look in looks] if across else looks
    picture = sheet_picture(numbered, columns, across=across, down=down)
    text = sheet_text([*zip(labels, stamps, strict=True)])
    place = write_sheet(outputs[0], picture, recipe=text, replace=outputs[0] in there)
    for path in outputs[1:]:
        title = f"{line(label)}: {', '.join(axis.name for axis in sheet.axes)}"
        write_atomically(path, page(looks, title, columns).encode(), replace=path in there)
    return place


def _look(job: Job, columns: int, failed: bool) -> Look:
    """A cell as it is shown."""
    from PIL import Image

    from dreamer.image import to_pil
    from dreamer.visualization.contact_sheet import Look

    least, most = _SIDES
    side = min(max(least, _WIDTH // columns), most)
    if failed:
        picture, about = Image.new("RGB", (job.photo.at_most(side).width, job.photo.at_most(side).height)), "failed"
    else:
        picture, about = to_pil(job.batch.load(job.file).at_most(side).image()), job.about
    return Look(line(job.cell.title), line(about), picture, job.command)
