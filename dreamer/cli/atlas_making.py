"""Making an atlas: the pictures of its channels and what excites them, and the page, which is kept while it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.photos import check_folder
from dreamer.cli.progress import Frame, Reporter, clock, counting
from dreamer.errors import WriteError, collect_problems, reported_together
from dreamer.files import is_taken, rescue, write_atomically

if TYPE_CHECKING:
    import torch

    from dreamer.engine.step import Step
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.visualization.atlas.layer_section import LayerSection
    from dreamer.visualization.atlas.page import Atlas
    from dreamer.visualization.exemplars import Exemplar, Search
    from dreamer.visualization.ranker import Ranker

Drawn = Iterator[tuple[int, bytes]]
_KEPT = 60.0  # seconds between two unfinished pages that are saved
_LONG = 600.0  # seconds; for longer work a notice says how to shorten it
_NAMED = 10  # channels that a sentence names


@dataclass(frozen=True)
class PageFile:
    """The page to write, and the values of --resume and --force.

    `there` are its files that were there when the work began: no other may be replaced.
    """

    output: Path
    resume: bool
    force: bool
    there: frozenset[Path]

    @classmethod
    def read(cls, output: Path, options: dict[str, Any]) -> PageFile:
        """Take the values out of a command's options."""
        page = cls(output, options.pop("resume"), options.pop("force"), frozenset())
        return replace(page, there=frozenset(filter(is_taken, page.files)))

    @property
    def partial(self) -> Path:
        """The unfinished page."""
        return self.output.parent / f"{self.output.stem}-partial{self.output.suffix}"

    @property
    def files(self) -> tuple[Path, Path]:
        """The page, and the unfinished one."""
        return self.output, self.partial

    def problems(self) -> list[str]:
        """The reasons why it cannot be written, a sentence each."""
        problems: list[str] = []
        if self.output.suffix.lower() not in (".html", ".htm"):
            problems.append(f"-o {self.output}: this is a web page; its name must end in .html")
        with collect_problems(problems):
            check_folder(self.output.parent, f"-o {self.output}")
        if self.resume and self.force:
            problems.append("--resume and --force cannot be combined; one continues a page, the other replaces it")
        for path in self.files:
            if path.is_dir():
                problems.append(f"{path} is a folder; name a file")
            elif path.exists() and not path.is_file():
                problems.append(f"{path} is not a regular file; name one that is")
            elif is_taken(path) and not (self.resume or self.force):
                problems.append(f"{path} already exists; --resume continues it, --force starts over")
        return problems

    def reuse(self, sections: Sequence[LayerSection]) -> None:
        """Take over the pictures of an earlier page, with --resume. Raises UsageError for a page that is no atlas."""
        from dreamer.visualization.atlas.page import reuse_images

        with reported_together() as problems:
            for page in self.files if self.resume else ():
                with collect_problems(problems):
                    reuse_images(page, sections)


@dataclass
class Making:
    """Makes the pictures of an atlas and writes the page; unfinished pages are saved beside it."""

    atlas: Atlas
    file: PageFile
    reporter: Reporter
    device: torch.device

    def __post_init__(self) -> None:
        self.output, self.partial = self.file.files
        self.own_partial = self.partial in self.file.there
        self.notes = self.output.with_name(f".{self.output.name}.exemplars")
        self.began = self.kept = time.monotonic()
        self.warned = False

    def paint(self, section: LayerSection, pipeline: Pipeline, draw: Callable[..., Drawn] | None = None) -> None:
        """Make the pictures that a section lacks, by this process or by others (`drawn_by`)."""
        from dreamer.visualization.atlas.channel_images import batch_on, draw_channels, silent_channels

        left, count, began = section.missing, len(section.channels), time.monotonic()
        noun = "channel" if section.directions is None else "concept"
        number = self.atlas.sections.index(section) + 1
        self.reporter.start(f"{self.atlas.network} {section.layer}", number, len(self.atlas.sections))

        def show(share: float, settled: bool = True) -> None:
            self.reporter.frame(Frame(len(section.images), count, share, unit=noun))
            whole = (time.monotonic() - began) / share if share else 0.0
            if settled and whole > _LONG and not self.warned and noun == "channel":
                self.warned = True
                self.reporter.notify(
                    f"the {count} channels of {section.layer} take about {clock(whole)}; --channels 0-31 shows a part "
                    "of them, a smaller --size or fewer --steps are quicker; Ctrl-C keeps what is done, and --resume "
                    "continues"
                )

        def on_step(done: int, batch: int, step: Step) -> None:
            show((done + batch * step.share) / len(left), step.share == 1)

        drawn = draw_channels(pipeline, left, directions=section.directions, on_step=on_step)
        if draw is not None:
            drawn = draw(section.layer, left, batch_on(pipeline.machine.device), show)
        for channel, image in drawn:
            section.images[channel] = image
            if time.monotonic() - self.kept > _KEPT:
                self.keep()
        if noun == "channel" and (silent := silent_channels(pipeline, section.images)):
            some = ", ".join(map(str, silent[:_NAMED])) + (" and others" if len(silent) > _NAMED else "")
            how_many = f"{len(silent)} of {count} channels do not fire in their own pictures"
            self.reporter.notify(f"{section.layer}: {how_many} and may never fire: {some}")

    def search(
        self,
        folder: Path,
        names: list[str],
        ranker: Ranker,
        units: Sequence[tuple[str, int]],
        most: int,
        side: int,
        max_pixels: int,
    ) -> dict[tuple[str, int], list[Exemplar]]:
        """Find the pictures of a folder that excite the units; an interrupted search keeps the best so far.

        Args:
            folder: Where the pictures are.
            names: Their names.
            ranker: Ranks each for all units.
            units: Layer and number of each unit.
            most: How many pictures are shown for each.
            side: Of the crops, in pixels.
            max_pixels: Larger pictures are skipped.

        Returns:
            The best for each unit.
        """
        from dreamer.visualization.atlas.exemplar_crops import cut_crops
        from dreamer.visualization.exemplars import forget, search

        best: dict[tuple[str, int], list[Exemplar]] = {}
        self.reporter.start(str(folder), 1, 1)
        count = counting(self.reporter, "picture", len(names))

        def on_picture(so_far: Search) -> None:
            best.update(zip(units, so_far.best, strict=True))
            count(len(so_far.done))

        if not self.file.resume:
            forget(self.notes)
        try:
            limits = {"count": most, "max_pixels": max_pixels}
            found = search(folder, names, ranker, notes=self.notes, device=self.device, on_picture=on_picture, **limits)
            for name, why in found.skipped.items():
                self.reporter.notify(f"skipped {name}: {why}")
        finally:
            crops = cut_crops(folder, best, side, max_pixels)
            for section in self.atlas.sections:
                section.crops = {channel: crops.get((section.layer, channel), []) for channel in section.channels}
        return best

    def keep(self) -> None:
        """Save the unfinished page; where it cannot be, say so and go on."""
        try:
            self.partial = write_atomically(self.partial, self.atlas.page().encode(), replace=self.own_partial)
            self.own_partial = True
        except WriteError as error:
            self.reporter.notify(str(error))
        self.kept = time.monotonic()

    def interrupted(self) -> int:
        """Save the unfinished page after Ctrl-C, and return the exit code."""
        if any(section.images for section in self.atlas.sections):
            place = written(self.partial, self.atlas.page().encode(), "the page was", replace=self.own_partial)
            self.reporter.interrupted(str(self.output), str(place))
            self.reporter.notify("run the same command with --resume to continue")
        else:
            self.reporter.interrupted(str(self.output))
        return 130

    def finished(self) -> int:
        """Write the finished page, and return the exit code."""
        own = self.output in self.file.there
        place = written(self.output, self.atlas.page().encode(), "the page was", replace=own)
        with suppress(OSError):
            if self.own_partial:
                self.partial.unlink(missing_ok=True)
            self.notes.unlink(missing_ok=True)
        self.reporter.done(str(self.output), str(place), time.monotonic() - self.began)
        return 0


def written(output: Path, data: bytes, what: str, *, replace: bool) -> Path:
    """Write a file and return where it is; where it cannot be written, save it in the temporary folder.

    Raises WriteError, which says that `what`, as in "the page was", is saved there.
    """
    try:
        return write_atomically(output, data, replace=replace)
    except WriteError as error:
        place = rescue(output.name, data)
        kept = f"; {what} saved as {place} instead" if place else ""
        raise WriteError(f"{error}{kept}") from error
