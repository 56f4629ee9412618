"""Dreams over many photos at once, by processes or by a cluster: the same files as one after another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from dreamer.cli.failures import exit_code
from dreamer.cli.hands import failure, order_of
from dreamer.cli.photos import Place
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import many
from dreamer.units.unit import Order, Outcome, Unit
from dreamer.units.working import Hire, work


class Many:
    """The units of a command, each of one photo or a few, and what has become of them; `hire` makes the pool."""

    def __init__(self, order: Order, units: Iterable[Unit], reporter: Reporter, hire: Hire) -> None:
        self._order, self._units, self._reporter, self._hire = order, units, reporter, hire
        self.worked = self._failed = False
        self._done = self._count = 0

    @classmethod
    def of(
        cls,
        photos: Sequence[Path],
        place: Place,
        spared: Sequence[Path],
        reporter: Reporter,
        hire: Hire,
        given: RenderOptions,
        **saving: Any,
    ) -> Many:
        """The work on photos; `spared` are files that no dream may replace, `saving` has force, keep_gps, snapshots."""
        where = {"output": str(place.output or ""), "is_folder": place.is_folder, "spared": [*map(str, spared)]}
        order = order_of("dreamer.cli.making:Photos", **given.to_dict(), **where, **saving)
        return cls(order, units_of(photos, place), reporter, hire)

    def fail(self, label: str, error: Exception) -> None:
        """Report a photo that could not be dreamt over."""
        self._failed = True
        self.worked |= exit_code(error) == 1
        self._reporter.fail(label, error)

    def run(self, photos: Sequence[object]) -> int:
        """Dream over the photos and return the exit code; after Ctrl-C all that is done is kept."""
        count = self._count = len(photos)
        self._reporter.start(many(count, "photo"), 1, 1)
        try:
            with closing(work(self._order, self._units, self._hire, self._show)) as outcomes:
                for outcome in outcomes:
                    self._tell(outcome)
                    self._show(0.0)
        except KeyboardInterrupt:
            self._reporter.interrupted(many(count, "photo"))
            self._reporter.notify(f"{self._done} of {count} are done; run the same command again to continue")
            return 130
        return (1 if self.worked else 2) if self._failed else 0

    def _show(self, share: float) -> None:
        whole = (self._done + share) / self._count
        self._reporter.frame(Frame(self._done, self._count, whole, unit="picture"))

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


def units_of(photos: Sequence[Path], place: Place) -> Iterator[Unit]:
    """The units; photos whose dreams might get one name are in one, so that one process sees to it."""

    def stem_of(photo: Path) -> str:
        return _stem(os.path.realpath(place.of(photo, ".png")))

    others: dict[str, set[str]] = {}
    for photo in photos:
        for path in (str(photo), os.path.realpath(photo)):
            others.setdefault(_stem(path), set()).add(str(photo))
    for stem, alike in groupby(sorted(photos, key=stem_of), stem_of):
        spared = sorted(others.get(stem, ()))
        words = [{"path": str(one), "below": str(place.folders.get(one, Path())), "spared": spared} for one in alike]
        folder = place.of(Path(str(words[0]["path"])), "").parent
        yield Unit(", ".join(str(each["path"]) for each in words), {"photos": words}, str(folder))


def _stem(path: str) -> str:
    """The path without its suffix, in one case: equal for pictures whose dreams might get the same name."""
    return os.path.splitext(path)[0].casefold()
