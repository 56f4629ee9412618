"""Dreams over many photos at once, by processes or by a cluster: the same files as one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from dreamer.cli.failures import exit_code
from dreamer.cli.hands import failure, order_of
from dreamer.cli.photos import Place
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.units.unit import Outcome, Unit
from dreamer.units.working import Hire, work


class Many:
    """The photos of a command, cut into units, and what has become of them.

    `spared` are files that no dream may replace, besides the photos; `hire` makes the pool; `saving` has force,
    keep_gps and snapshots.
    """

    def __init__(
        self,
        photos: Sequence[Path],
        place: Place,
        spared: Sequence[Path],
        reporter: Reporter,
        hire: Hire,
        given: RenderOptions,
        **saving: Any,
    ) -> None:
        self._photos, self._place, self._reporter, self._hire = photos, place, reporter, hire
        where = {
            "output": str(place.output or ""),
            "is_folder": place.is_folder,
            "spared": [str(path) for path in spared],
        }
        self._order = order_of("dreamer.cli.making:Photos", **given.to_dict(), **where, **saving)
        self.worked = self._failed = False
        self._done = 0

    def fail(self, label: str, error: Exception) -> None:
        """Report a photo that could not be dreamt over."""
        self._failed = True
        self.worked |= exit_code(error) == 1
        self._reporter.fail(label, error)

    def run(self, photos: Sequence[Path | None]) -> int:
        """Dream over the photos and return the exit code; after Ctrl-C all that is done is kept."""
        count = len(photos)
        self._reporter.start(f"{count} photos", 1, 1)
        try:
            with closing(work(self._order, self.units(), self._hire, self._show)) as outcomes:
                for outcome in outcomes:
                    self._tell(outcome)
                    self._show(0.0)
        except KeyboardInterrupt:
            self._reporter.interrupted(f"{count} photos")
            self._reporter.notify(f"{self._done} of {count} are done; run the same command again to continue")
            return 130
        return (1 if self.worked else 2) if self._failed else 0

    def units(self) -> Iterator[Unit]:
        """The units; photos whose dreams might get one name are in one, so that one process sees to it."""
        others: dict[str, set[str]] = {}
        for photo in self._photos:
            for path in (str(photo), os.path.realpath(photo)):
                others.setdefault(_stem(path), set()).add(str(photo))
        for _, photos in groupby(sorted(self._photos, key=self._stem_of), self._stem_of):
            words = [self._words(photo, others) for photo in photos]
            folder = self._place.of(Path(words[0]["path"]), "").parent
            yield Unit(", ".join(each["path"] for each in words), {"photos": words}, str(folder))

    def _words(self, photo: Path, others: Mapping[str, set[str]]) -> dict[str, Any]:
        below = str(self._place.folders.get(photo, Path()))
        return {"path": str(photo), "below": below, "spared": sorted(others.get(self._stem_of(photo), ()))}

    def _stem_of(self, photo: Path) -> str:
        return _stem(os.path.realpath(self._place.of(photo, ".png")))

    def _show(self, share: float) -> None:
        count = len(self._photos)
        self._reporter.frame(Frame(self._done, count, (self._done + share) / count, unit="picture"))

    def _tell(self, outcome: Outcome) -> None:
        """Report what became of a unit's photos."""
        told: Sequence[Mapping[str, Any]] = outcome.result.get("told", ())
        if outcome.problems:
            self._done += len(outcome.unit.words["photos"])
            self.fail(outcome.unit.label, failure(outcome.problems, outcome.code))
        for facts in told:
            self._done += 1
            for notice in facts["notices"]:
                self._reporter.notify(f"{facts['photo']}: {notice}")
            if "problems" in facts:
                self.fail(facts["photo"], failure(facts["problems"], facts["code"]))
            elif "skipped" in facts:
                self._reporter.skip(facts["photo"], facts["skipped"])
            else:
                self.worked = True
                self._reporter.done(facts["photo"], facts["done"], facts["seconds"])


def _stem(path: str) -> str:
    """What two pictures share that might have one name but for their suffix, also where case makes no difference."""
    return os.path.splitext(path)[0].casefold()
