"""Makers for the processes of --jobs and --on: dreams over photos, and the cells of a photo's sheet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.batch import Batch, RescuedError
from dreamer.cli.claims import Claimed
from dreamer.cli.failures import exit_code, sentences
from dreamer.cli.hands import bounded
from dreamer.cli.photos import Place
from dreamer.cli.progress import Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import DreamerError, WriteError
from dreamer.files import replacing
from dreamer.units.serving import Tell
from dreamer.units.unit import Unit

if TYPE_CHECKING:
    from dreamer.engine.step import Step
    from dreamer.pipeline.build import Aim, Request
    from dreamer.pipeline.dream import Dream
    from dreamer.pipeline.pipeline import Pipeline

_CLAIMED = 60.0  # seconds that a photo is waited for which another dreamer, perhaps one that is ending, is making
_LOOK = 0.5  # seconds between two looks


class FactsReporter(Reporter):
    """Collects the facts and notices about one photo, as JSON can hold them."""

    def __init__(self) -> None:
        super().__init__()
        self.tell: Tell = lambda share: None
        self.facts: dict[str, Any] = {}

    def start(self, photo: str, number: int, total: int) -> None:
        """Begin another photo."""
        self.facts = {"notices": []}

    def step(self, step: Step) -> None:
        """Tell the share that is done."""
        self.tell(step.share)

    def notify(self, sentence: str) -> None:
        """Keep a notice."""
        self.facts["notices"].append(sentence)

    def skip(self, photo: str, result: str) -> None:
        """Note that the same picture already exists."""
        self.facts |= {"skipped": result}

    def done(self, photo: str, result: str, seconds: float) -> None:
        """The picture is written."""
        self.facts |= {"done": result, "seconds": seconds}

    def fail(self, photo: str, error: Exception) -> None:
        """Note the problems."""
        self.facts |= {"problems": list(sentences(error)), "code": exit_code(error)}

    def interrupted(self, photo: str, partial: str = "") -> None:
        """Never called, since Ctrl-C ends the process."""


def part_of(tell: Tell, number: int, count: int) -> Tell:
    """A `tell` for photo `number`, from 0, of a unit of `count` photos."""
    return lambda share: tell((number + share) / count)


class Shared(Batch):
    """A batch that shares its photos with other processes, of which one that was given up may have made one, too."""

    def write(self, dream: Dream, place: Path, format: str, *, replace: bool = False) -> Path:
        """Write a dream, unless the same one is there by now."""
        data = self.encoded(dream, format)
        try:
            with replacing(place, replace=replace) as path:
                path.write_bytes(data)
            return place
        except WriteError:
            if self.is_done(place, dream.photo):
                return place
            return super().write(dream, place, format, replace=replace)


class Photos:
    """Makes dreams over photos.

    The words of a unit are {"photos": [...]}, nearly always one: several whose dreams might get one name. Each has its
    `path`, the folder `below` that of -o, and in `spared` the photos that its dream might replace.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        from dreamer.engine.device import use_threads
        from dreamer.plugins.loading import load_plugins

        given = RenderOptions.read(words)
        registry, plugins = load_plugins()
        pipeline, provenance = given.pipeline(registry, lambda sentence: None, [])
        use_threads(pipeline.machine)
        self._told, self._spared = FactsReporter(), [Path(path) for path in words["spared"]]
        place = Place(Path(words["output"]) if words["output"] else None, words["is_folder"])
        shared = (bounded(pipeline), provenance, plugins, place, self._told, given.max_pixels, ())
        saving = {"force": words["force"], "keep_gps": words["keep_gps"], "snapshots": tuple(words["snapshots"])}
        saving["repeat"] = tuple(words.get("repeat") or ()) or None
        self._batch = Shared(*shared, **saving)

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        """Dream over the photos of a unit; what is wrong with one does not stop the others."""
        photos = unit.words["photos"]
        told = []
        for number, photo in enumerate(photos):
            self._told.tell = part_of(tell, number, len(photos))
            path = Path(photo["path"])
            self._batch.place = replace(self._batch.place, folders={path: Path(photo["below"])})
            self._batch.protected = [*self._spared, *map(Path, photo["spared"])]
            told.append({"photo": photo["path"], **self._facts(path)})
        return {"told": told}

    def _facts(self, path: Path) -> Mapping[str, Any]:
        """Dream over a photo and return the facts about it. Raises errors that another try may overcome."""
        until = time.monotonic() + _CLAIMED
        while True:
            self._told.start(str(path), 1, 1)
            try:
                self._batch.dream(path, str(path))
            except Claimed as error:
                if time.monotonic() < until:
                    time.sleep(_LOOK)
                    continue
                self._told.fail(str(path), error)
            except RescuedError as error:
                self._told.fail(str(path), error)
            except WriteError:
                raise
            except DreamerError as error:
                self._told.fail(str(path), error)
            return self._told.facts


class Cells:
    """Makes the cells of a sheet of a photo; those of a unit differ by their strength alone, and share an ascent.

    The words of a unit are {"cells": [...]}, each with its `number`, its `file` and what `RenderOptions.read` takes.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        from dreamer.plugins.loading import load_plugins

        self._words, self._networks = words, dict[Any, Any]()
        self._registry, self._plugins = load_plugins()

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        """Dream the cells of a unit and write them; returns their files, which may have other names than they should.

        Another program may have taken a name meanwhile.
        """
        from dreamer.engine.device import use_threads
        from dreamer.image import format_for
        from dreamer.pipeline.sweep import groups, sharing

        cells, path = unit.words["cells"], self._words["photo"]
        pipelines = sharing([bounded(self._pipeline(cell)) for cell in cells])
        use_threads(pipelines[0].machine)
        saving = {key: self._words[key] for key in ("force", "keep_gps")}
        shared = (None, self._plugins, Place(None, False), FactsReporter(), self._words["max_pixels"], ())
        batches = [Shared(pipeline, *shared, **saving, snapshots=()) for pipeline in pipelines]
        (group,) = groups(pipelines)
        photo = group.whole.sized(batches[0].load(None if path is None else Path(path)))
        format = format_for(photo, None)
        files = {}
        for number, dream in group.dreams(photo, range(len(cells)), lambda step: tell(step.share * len(cells))):
            place = Path(cells[number]["file"])
            files[number] = str(batches[number].write(dream, place, format, replace=self._words["force"]))
        return {"files": [files[number] for number in range(len(cells))]}

    def _pipeline(self, cell: Mapping[str, Any]) -> Pipeline:
        def build(request: Request, aim: Aim | None) -> Pipeline:
            return replace(request, loaded=self._networks).build(self._registry, aim)

        return RenderOptions.read(cell).made(build, self._registry, lambda sentence: None, [])[0]
