"""A print as a job: what it takes, its proofs, its octaves one by one, and its files."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer import __version__
from dreamer.errors import UsageError, WriteError, collect_problems, many, reported_together
from dreamer.files import is_taken, make_folder, replacing
from dreamer.files.suffixes import check_suffix
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from dreamer.cli.checkpoints import Checkpoints
    from dreamer.cli.progress import Reporter
    from dreamer.image import Photo
    from dreamer.image.paper import Sheets
    from dreamer.pipeline.enlarging import Enlargement
    from dreamer.recipes.provenance import Provenance

INCH = 2.54
"""Length of an inch in cm."""
_STATE, _FILE = 12, 8  # bytes of a pixel in a checkpoint, and at most in the file: 16 bits of four channels


SHEETS = "sheets"
"""The note that a print has made its sheets, whose file is named after it."""


def page_note(page: Path) -> str:
    """The note that a print has made this page: another folder may hold another's."""
    return f"page {os.path.realpath(page)}"


@dataclass(frozen=True)
class Files:
    """The files of a print: itself, the small whole, and the crop."""

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
    def sheets(self) -> Path:
        """The print, cut into sheets."""
        return self.output.with_name(fitting(self.output.stem, "-sheets.pdf"))

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return self.output, self.whole, self.crop, self.sheets

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
            raise UsageError(
                f"{path} already exists and is no proof of this print; --force replaces it, -o chooses another name"
            )


@dataclass(frozen=True)
class Print:
    """A print to be made.

    `recipe` is what is written into its pictures, `page` the folder of its page, if it has one, `bleed` how far its
    edges are mirrored, in cm, and `paper` the sides in cm of the sheets that it is cut into, if it is. `there` are
    those of its files that were there when the work began, and `own` has the notes of its page and its sheets if the
    print that is continued has made them: nothing else is replaced without `force`.
    """

    photo: Photo
    way: Enlargement
    dpi: int
    files: Files
    recipe: str
    force: bool
    keep_gps: bool
    page: Path | None = None
    bleed: float = 0.0
    paper: tuple[float, float] | None = None
    there: frozenset[Path] = frozenset()
    own: frozenset[str] = frozenset()

    @property
    def output(self) -> Path:
        """The print's own file."""
        return self.files.output

    @property
    def border(self) -> int:
        """The bleed in pixels."""
        return round(self.bleed / INCH * self.dpi)

    @cached_property
    def sheets(self) -> Sheets | None:
        """The sheets that the print is cut into; None if it is not."""
        from dreamer.image.paper import Sheets

        return self.paper and Sheets.planned(*self.way.size, self.dpi, self.paper)

    @property
    def _crop(self) -> tuple[int, int]:
        """The most (height, width) of the crop, in pixels."""
        from dreamer.pipeline.enlarging import PROOF

        return PROOF * 3 // 4, PROOF

    @property
    def disk(self) -> int:
        """The bytes that the print and the largest two of its checkpoints take at most."""
        last = [math.prod(size) for size in self.way.sizes[-2:]]
        return _STATE * sum(last) + (_FILE + 2 * bool(self.page) + 2 * bool(self.paper)) * last[-1] + self.way.disk

    def check_disk(self) -> None:
        """Raise UsageError unless there is room."""
        if self.disk > (free := shutil.disk_usage(self.output.parent).free):
            raise UsageError(
                f"{self.output}: this print needs {_amount(self.disk)} on the disk for itself and its checkpoints, and "
                f"{_amount(free)} are free; make room, or choose another folder with -o"
            )

    def check_more(self) -> None:
        """Raise UsageError where its page cannot be written, and where paper and bleed do not fit it."""
        from dreamer.image.deep_zoom import check_page

        with reported_together() as problems:
            with collect_problems(problems):
                _ = self.sheets
            if self.border >= min(self.way.size):
                problems.append(f"a bleed of {self.border} pixels is wider than the print; lower --bleed")
            if self.page:
                with collect_problems(problems):
                    check_page(self.page, force=self._may_replace(page_note(self.page)))

    def takes(self) -> str:
        """A sentence about the print's size, and the memory, disk and time that it needs."""
        from dreamer.pipeline.forecast import seconds_of

        (height, width), tile = self.way.size, self.way.machine.tile
        sides = " x ".join(f"{side * INCH / self.dpi:.1f}" for side in (width, height))
        cut = f", {many(self.sheets.count, 'sheet')}" if self.sheets else ""
        octaves = many(len(self.way.octaves), "octave")
        large = ", beside what is in files" if self.way.in_files else ""
        return (
            f"print of {width}x{height} pixels, {sides} cm at {self.dpi} dpi{cut}, {octaves} "
            f"above the proof, {f'tiles of {tile} pixels' if tile else 'no tiles'}; it takes about "
            f"{_amount(self.way.peak)} of memory{large}, {_amount(self.disk)} on the disk and "
            f"{_duration(seconds_of(self.way, self.photo, check_suffix(self.output), self._crop))}"
        )

    def proofs(self, change: Tensor | None = None) -> Path:
        """Write the small whole and the crop; returns the place of the whole. `change` is that of the proof."""
        from dreamer.image import load, to_pil

        small = self._small()
        change = self.way.proof(small) if change is None else change
        crop = load(to_pil(self.way.piece(change, self._crop)))
        self._write(
            self.files.whole, small, small.with_change(self.way.strong(change)), "PNG", self._own(self.files.whole)
        )
        self._write(self.files.crop, replace(crop, dpi=(self.dpi,) * 2), crop.pixels, "PNG", self._own(self.files.crop))
        return self.files.whole

    def made(self, checkpoints: Checkpoints, resume: bool, reporter: Reporter, label: str) -> Path:
        """Make the proofs and then the print, and return its place; with `resume`, go on from its checkpoint."""
        from dreamer.image.storage import on_disk

        make_folder(checkpoints.folder)
        with on_disk(checkpoints.folder if self.way.in_files else None):
            return self._made(checkpoints, resume, reporter, label)

    def _made(self, checkpoints: Checkpoints, resume: bool, reporter: Reporter, label: str) -> Path:
        number, change = checkpoints.begin(self.recipe, self.way.machine.tile, self.way.sizes, resume=resume)
        if change is None:
            change = self.way.proof(self._small())
            self.proofs(change)
            checkpoints.save(0, change)
            number = 1
            reporter.notify(f"see {self.files.whole} and {self.files.crop}; Ctrl-C stops here, --resume continues")
        reporter.start(label, 1, 1)  # the time that is left is that of the octaves to come
        change = self.way.drawn(change, number - 1, reporter.step, lambda k, change: checkpoints.save(k + 1, change))
        self._finish(self.way.strong(change), checkpoints.note)
        checkpoints.clear()
        return self.output

    def _small(self) -> Photo:
        """The photo at the proof's size."""
        return self.photo.resized(max(self.way.first.size))

    def _finish(self, change: Tensor, note: Callable[[str], None]) -> None:
        """Write what is made of the print, with a note of each once it is there, and then the print."""
        from dreamer.image.deep_zoom import write_page
        from dreamer.image.paper import bled

        photo = replace(self.photo.deep().resized(max(self.way.size)), dpi=(self.dpi,) * 2)
        photo = replace(photo, pixels=photo.with_change(change))
        if self.page:
            about: dict[str, Any] = {"title": self.output.stem, "profile": photo.profile}
            about |= {"replace": self._may_replace(own := page_note(self.page)), "on_begun": lambda: note(own)}
            write_page(self.page, photo.pixels, photo.alpha, **about)
        photo = bled(photo, self.border) if self.border else photo
        if self.sheets:
            about = {"replace": self._may_replace(SHEETS)}
            self.sheets.write(self.files.sheets, photo, self.border, self.output.stem, **about)
            note(SHEETS)
        self._write(self.output, photo, photo.pixels, check_suffix(self.output), self.force)

    def _may_replace(self, what: str) -> bool:
        """Whether its page or its sheets may replace what has their name."""
        return self.force or what in self.own

    def _own(self, proof: Path) -> bool:
        """Whether a proof may replace what has its name: an earlier one of the same print."""
        return self.force or proof in self.there

    def _write(self, path: Path, photo: Photo, pixels: NDArray[Any], format: str, replace_it: bool) -> None:
        from dreamer.image import encode_to

        if not replace_it and is_taken(path):
            raise WriteError(f"{path} was made by another program meanwhile; move it away, or repeat this with --force")
        with replacing(path, replace=replace_it) as temporary, temporary.open("xb") as file:
            software = f"dreamer {__version__}"
            encode_to(file, photo, pixels, format, recipe=self.recipe, keep_gps=self.keep_gps, software=software)


def _duration(seconds: float) -> str:
    """Seconds in words, no finer than a forecast knows them."""
    if seconds < 90:
        return many(max(1, round(seconds)), "second")
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"


def _amount(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{math.ceil(size / 2**20)} MiB"
