"""Dreams over photos one after another: read, dream, write. A bad photo does not stop the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer import __version__
from dreamer.cli.claims import claimed
from dreamer.cli.failures import exit_code
from dreamer.cli.photos import Place, check_folder, check_spared
from dreamer.cli.progress import Reporter
from dreamer.cli.provenance import provenance_for
from dreamer.cli.repeating import Times, check_size, place_of, write_repeated
from dreamer.errors import Interrupted, UsageError, WriteError, many
from dreamer.files import is_taken, rescue, taken, write_atomically
from dreamer.files.suffixes import suffix_of

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.engine.step import Step
    from dreamer.image import Photo
    from dreamer.pipeline.dream import Dream
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.pipeline.plan import Plan
    from dreamer.plugins.loading import Plugin
    from dreamer.recipes.provenance import Provenance


class RescuedError(WriteError):
    """A dream that could not be written into its own place, and was saved in another."""


@dataclass
class Batch:
    """Dreams over several photos with one pipeline; `provenance` is that of the picture whose recipe is repeated."""

    pipeline: Pipeline
    provenance: Provenance | None
    plugins: Sequence[Plugin]
    place: Place
    reporter: Reporter
    max_pixels: int
    protected: Sequence[Path]
    """Files that are never overwritten: the photos themselves."""
    force: bool
    snapshots: tuple[int, ...]
    """The steps after which the picture is saved, too."""
    keep_gps: bool = False
    repeat: Times | None = None
    """Copies (across, down) of the dream in a second picture beside it; None for no such picture."""
    blank: Callable[[], Photo] | None = None
    """Makes the picture to start from if there is no photo; without it, dreamer's own scene is used."""
    remarks: Callable[[Dream], Iterable[str]] = lambda dream: ()
    """Sentences about a finished dream, to be shown with it."""
    worked: bool = False
    failed: bool = False
    _written: dict[str, str] = field(default_factory=dict)

    def run(self, photos: Sequence[Path | None]) -> int:
        """Dream over all photos (None stands for `blank` or the sample scene) and return the exit code."""
        for number, path in enumerate(photos, 1):
            label = str(path or ("visualization" if self.blank else "sample"))
            self.reporter.start(label, number, len(photos))
            try:
                self.dream(path, label)
            except Interrupted:
                return 130
            except Exception as error:
                self.fail(label, error)
        return (1 if self.worked else 2) if self.failed else 0

    def fail(self, label: str, error: Exception) -> None:
        """Report a photo that could not be dreamt over."""
        self.failed = True
        self.worked |= exit_code(error) == 1
        self.reporter.fail(label, error)

    def dream(self, path: Path | None, label: str) -> None:
        """Dream over a photo, unless its dream is there already, and report it; raises errors and Interrupted."""
        from dreamer.image import format_for
        from dreamer.pipeline.plan import reduced

        whole = self.load(path)
        photo = self.pipeline.sized(whole)
        format = format_for(photo, self.place.file)
        output = self.place.of(path or Path(label), suffix_of(format))
        self.check_transparency(output, format)
        self._check_own(output, label)
        if not self.force and self.is_done(output, photo):
            self._repeat(output)
            self.reporter.skip(label, str(output))
            return
        if is_taken(output) and not self.force:
            raise UsageError(taken(output))
        with reduced(self.pipeline, (photo.height, photo.width), (whole.height, whole.width)):
            plan = self.pipeline.plan(photo.height, photo.width)  # refuses a photo that is too small
        self._check_snapshots(plan)
        if self.repeat:
            check_size(photo.width, photo.height, self.repeat, self.max_pixels)
            self._check_free(place_of(output, self.repeat))
        self.place.make(output)
        check_folder(output.parent, str(output))
        with claimed(output):
            for notice in self.notices(whole, photo, format):
                self.reporter.notify(notice)
            began = time.monotonic()
            written = self._made(photo, plan, output, label, format)
            self._repeat(written)
        self.reporter.done(label, str(written), time.monotonic() - began)

    def _made(self, photo: Photo, plan: Plan, output: Path, label: str, format: str) -> Path:
        """Dream over a photo and write the picture, or what there is of it; returns where it was written."""
        try:
            dream = self._paint(photo, plan, output, format)
            self._compare(dream)
            for remark in self.remarks(dream):
                self.reporter.notify(remark)
            try:
                return self.write(dream, output, format, replace=self.force)
            except KeyboardInterrupt:
                raise Interrupted(dream) from None
            except WriteError as error:
                if place := rescue(output.name, self.encoded(dream, format)):
                    raise RescuedError(f"{error}; the dream was saved as {place} instead") from error
                raise
        except Interrupted as stop:
            try:
                kept = self._keep(stop.picture, output, "partial", format)
            except WriteError as error:
                self.reporter.fail(label, error)
            else:
                self.reporter.interrupted(label, str(kept))
            raise

    def _check_snapshots(self, plan: Plan) -> None:
        """Raise UsageError for snapshots after steps that a dream does not have."""
        count = sum(octave.steps for octave in plan.octaves)
        if late := [step for step in self.snapshots if step > count]:
            after = f"there are {many(count, 'step')}, so none after {', '.join(map(str, late))}"
            raise UsageError(f"--snapshots: {after}; leave out what is more")

    def _check_free(self, place: Path) -> None:
        """Raise UsageError for a name that is a photo's, or taken."""
        check_spared([place], self.protected)
        if is_taken(place) and not self.force:
            raise UsageError(taken(place))

    def _repeat(self, dream: Path) -> None:
        """Write a finished dream several times side by side, if that is wanted and is not there."""
        if self.repeat and (self.force or not is_taken(place_of(dream, self.repeat))):
            self._check_free(place_of(dream, self.repeat))
            saving: dict[str, Any] = {"keep_gps": self.keep_gps, "max_pixels": self.max_pixels}
            place = write_repeated(dream, self.repeat, replace=self.force, **saving)
            self.reporter.notify(f"repeated in {place}")

    def load(self, path: Path | None) -> Photo:
        """The photo; without a path the one to start from."""
        from dreamer.image import load, to_pil
        from dreamer.motifs.sample_scene import scene

        if path is not None:
            return load(path, max_pixels=self.max_pixels)
        return self.blank() if self.blank else load(to_pil(scene()))

    def check_transparency(self, output: Path, format: str) -> None:
        """Raise UsageError for a cut-out in a format without transparency."""
        if self.pipeline.recipe.cutout and format == "JPEG":
            raise UsageError(f"{output}: a JPEG has no transparency, which a cut-out needs; name it .png or .webp")

    def _check_own(self, output: Path, label: str) -> None:
        """Raise UsageError if the output is a photo, or the dream of another photo of this batch."""
        check_spared([output], self.protected)
        key = os.path.normcase(os.path.realpath(output))
        other = self._written.setdefault(key, label)
        if other != label:
            raise UsageError(f"{output} is also the name for the dream of {other}; use different folders")

    def forget_names(self) -> None:
        """Forget the names of written dreams: the next ones may have them, since they go elsewhere."""
        self._written.clear()

    def notices(self, whole: Photo, photo: Photo, format: str) -> list[str]:
        """Sentences about a photo, and about it at its final size, to be shown before it is dreamt over."""
        from dreamer.image import losses

        told = [*photo.notices, *losses(photo, format), *self.pipeline.remarks(photo.height, photo.width)]
        if photo.is_panorama and not self.pipeline.edges:
            told.append("it is a 360-degree panorama; --wrap sphere dreams it without a seam, and its poles unpinched")
        if photo is not whole:
            before, now = f"{whole.width}x{whole.height}", f"{photo.width}x{photo.height}"
            told.append(f"resized from {before} to {now} pixels; --size full keeps them all")
        return told

    def _paint(self, photo: Photo, plan: Plan, output: Path, format: str) -> Dream:
        from dreamer.engine.device import keep_freed_memory

        if not plan.tiled:
            keep_freed_memory()

        def on_step(step: Step) -> None:
            self.worked = True
            self.reporter.step(step)

        def save(step: int, dream: Dream) -> None:
            self._keep(dream, output, f"{step:04d}", format)

        return self.pipeline.dream(photo, plan=plan, on_step=on_step, snapshots=self.snapshots, on_snapshot=save)

    def _keep(self, dream: Dream, output: Path, mark: str, format: str) -> Path:
        """Write an unfinished dream beside its output, under a name that is free."""
        return self.write(dream, output.with_stem(f"{output.stem}-{mark}"), format)

    def write(self, dream: Dream, place: Path, format: str, *, replace: bool = False) -> Path:
        """Write a dream, and return where: under a name with a number if its own is taken and may not be replaced."""
        return write_atomically(place, self.encoded(dream, format), replace=replace)

    def encoded(self, dream: Dream, format: str) -> bytes:
        """A dream as a picture's file, with its recipe inside."""
        from dreamer.image import encode

        sheet, recipe = dream.sheet(), self.stamp(dream.photo, dream.machine).text()
        pixels, software = sheet.photo.with_change(sheet.change), f"dreamer {__version__}"
        return encode(sheet.photo, pixels, format, recipe=recipe, keep_gps=self.keep_gps, software=software)

    def stamp(self, photo: Photo, machine: Machine) -> Provenance:
        """The provenance that is written into the dream of a photo."""
        return provenance_for(self.pipeline, photo.sha256, machine, self.plugins)

    def is_done(self, output: Path, photo: Photo) -> bool:
        """Whether the output is there and is the same dream."""
        from dreamer.image import read_recipe
        from dreamer.recipes.provenance import Provenance

        with suppress(UsageError):
            text = read_recipe(output) if output.exists() else None
            now = self.stamp(photo, self.pipeline.machine)
            return text is not None and Provenance.read(text, str(output)).same_picture(now)
        return False

    def _compare(self, dream: Dream) -> None:
        """Say why a repeated picture is not the same, byte for byte."""
        now = self.stamp(dream.photo, dream.machine)
        if self.provenance and (differences := self.provenance.differences(now)):
            self.reporter.notify(f"not byte for byte the same as the repeated picture: {'; '.join(differences)}")
