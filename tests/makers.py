"""Makers of units for tests, without torch: what they make, and how they die of it, is in a unit's words."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError
from dreamer.files import mark_temporaries, replacing
from dreamer.units.pool import Event, Pool
from dreamer.units.serving import Server, Tell
from dreamer.units.unit import Order, Unit

COPIES = "makers:Copies"
AROUND = {"PYTHONPATH": str(Path(__file__).parent)}
"""Of a process that is to find this file."""


class Copies:
    """Writes the hash of the photo `from` into the file `to`; `dies`, `fails` and `waits` say what happens first."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self._log = Path(words["log"])

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        words = unit.words
        with self._log.open("a") as log:
            log.write(f"{Path(words['to']).name}\n")
        tried = self._log.read_text().split().count(Path(words["to"]).name)
        if words.get("wrong"):
            raise UsageError(f"{words['from']} is no photo")
        with replacing(Path(words["to"])) as path:
            path.write_bytes(hashlib.sha256(Path(words["from"]).read_bytes()).digest())
            time.sleep(words.get("waits", 0.0))
            if tried <= words.get("dies", 0):
                os.kill(os.getpid(), signal.SIGKILL)
            if tried <= words.get("fails", 0):
                raise RuntimeError("the network is away")
        return {"by": os.getpid()}


def copies(folder: Path, count: int, **of: Mapping[int, Any]) -> tuple[Order, list[Unit]]:
    """So many photos to be copied, and the order; `dies={3: 1}` is a word of unit 3."""
    units = []
    for number in range(count):
        photo = folder / f"photo-{number}"
        photo.write_bytes(b"light" * number)
        words = {"from": str(photo), "to": str(folder / f"copy-{number}")}
        words |= {word: values[number] for word, values in of.items() if number in values}
        units.append(Unit(photo.name, words, str(folder)))
    return Order(COPIES, {"log": str(folder / "log")}, str(folder)), units


def copied(folder: Path) -> dict[str, bytes]:
    """What is in the folder besides photos and the log, hidden files too."""
    there = (path for path in folder.iterdir() if not path.name.startswith(("photo-", "log")))
    return {path.name: path.read_bytes() for path in there}


class Here(Pool):
    """A pool of one hand, in this very process; `given` are the units that it was given."""

    size = 1

    def __init__(self, order: Order, mark: str) -> None:
        self._server = Server({"maker": order.maker, "words": order.words, "here": order.here}, mark)
        self.given: list[Unit] = []
        self._unit: Unit | None = None

    def free(self) -> int:
        return int(self._unit is None)

    def give(self, unit: Unit) -> None:
        self._unit = unit
        self.given.append(unit)

    def news(self, patience: float) -> Sequence[Event]:
        return [*self._events()]

    def _events(self) -> Iterator[Event]:
        if (unit := self._unit) is not None:
            self._unit = None
            yield Event(unit, share=0.5)
            yield Event(unit, answer=self._server.answer(unit.to_dict(), lambda share: None))

    def close(self) -> None:
        mark_temporaries("")


class Leaving:
    """Makes a file until its process ends, and removes it then."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self._file = Path(words["file"])

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        self._file.touch()
        tell(0.5)
        time.sleep(600)
        return {}

    def leave(self) -> None:
        self._file.unlink()


class TinyPhotos:
    """Dreams over photos with the tiny network in reverie's place; each photo begun is a line of the log."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        from networks import tiny

        import dreamer.pipeline.build as build
        from dreamer.cli.making import Photos

        build.load_from = lambda *names, **settings: replace(tiny(), name="reverie")  # type: ignore[assignment]
        self._log, self._photos = Path(os.environ["DREAMER_TEST_LOG"]), Photos(words)

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        with self._log.open("a") as log:
            log.write(f"{os.getpid()} {Path(unit.label).name}\n")
        return self._photos.make(unit, tell)
