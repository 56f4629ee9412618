"""The server of units in a process or an actor: it prepares once, and then makes one result after another.

python -P -m dreamer.units.serving reads JSON lines, an order and then units, and answers in JSON lines. It ends when
its stdin does: then the process that asked is gone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any, BinaryIO, Protocol

from dreamer.errors import DreamerError, UsageError, WriteError, options_named
from dreamer.files import mark_temporaries
from dreamer.units.unit import Order, Unit

Tell = Callable[[float], None]
"""Called with the share of a unit that is done, from 0 to 1."""


class Maker(Protocol):
    """Makes units of one kind; it is made once for each process, with what all of them share.

    If it has a `leave()`, this removes what is nobody else's business, when the process ends in the middle of a unit.
    """

    def make(self, unit: Unit, tell: Tell) -> Mapping[str, Any]:
        """Make a unit whose result is not there yet; returns facts as JSON can hold them."""


class Server:
    """Makes the units of one order; whatever goes wrong becomes an answer."""

    def __init__(self, order: Mapping[str, Any], mark: str) -> None:
        mark_temporaries(mark)
        self._order = Order(**order)
        self._maker: Maker | None = None

    def answer(self, unit: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        """{"result": ...}, or {"problems": [...], "code": 1 or 2, "again": whether another try may succeed}."""
        with options_named():
            try:
                if self._maker is None:
                    os.chdir(self._order.here)
                    module, _, name = self._order.maker.partition(":")
                    self._maker = getattr(importlib.import_module(module), name)(self._order.words)
                assert self._maker
                return {"result": dict(self._maker.make(Unit(**unit), tell))}
            except UsageError as error:
                return {"problems": error.problems, "code": 2, "again": False}
            except DreamerError as error:
                return {"problems": [str(error)], "code": 1, "again": isinstance(error, WriteError)}
            except Exception as error:
                return {"problems": [f"{type(error).__name__}: {error}"], "code": 1, "again": True}

    def leave(self) -> None:
        """Tell a maker that has a `leave` that its process ends."""
        if leave := getattr(self._maker, "leave", None):
            leave()


def main() -> None:
    """Serve until stdin ends."""
    # What a library prints must not come between the answers.
    out: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    units = SimpleQueue[dict[str, Any]]()

    def say(facts: Mapping[str, Any]) -> None:
        out.write(json.dumps(facts).encode() + b"\n")

    def read() -> None:
        for line in sys.stdin.buffer:
            units.put(json.loads(line))
        server.leave()
        os._exit(0)  # in the middle of a unit, too

    if not (order := sys.stdin.buffer.readline()):
        return
    server = Server(**json.loads(order))
    threading.Thread(target=read, daemon=True).start()
    say({"ready": os.getpid()})
    while True:
        say(server.answer(units.get(), lambda share: say({"share": round(share, 4)})))


if __name__ == "__main__":
    main()
