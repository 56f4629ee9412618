"""The loop over units: few are given out at a time, what is lost is tried again, what fails thrice is set aside."""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from dreamer.files import remove_temporaries
from dreamer.units.pool import Pool
from dreamer.units.unit import Order, Outcome, Unit

TRIES = 3
"""Number of tries for each unit."""
_PATIENCE = 0.5  # seconds between two looks at what else there is to do
_PAUSE = 0.2  # seconds until a unit is tried again, after the first time; then twice, and so on

Hire = Callable[[Order, str], Pool]
"""Makes the pool for an order; the second argument marks the temporary files of its units."""


def work(
    order: Order,
    units: Iterable[Unit],
    hire: Hire,
    on_share: Callable[[float], None] = lambda share: None,
) -> Generator[Outcome, None, None]:
    """Have units made, and yield their outcomes in the order of completion.

    Only as many units are taken from `units` as can be made at once, so that there may be any number of them. When the
    iterator is closed, as by Ctrl-C, hands are ended, and what they had begun to write is removed.

    Args:
        order: What the units share.
        units: In the order of making.
        hire: Makes the pool.
        on_share: Called with the sum of the shares that are done of the units in progress.

    Raises:
        RenderError: The pool cannot make anything.
    """
    mark = secrets.token_hex(6)
    waiting: deque[tuple[float, Unit]] = deque()
    source, tries, shares, touched = iter(units), Counter[str](), dict[str, float](), set[str]()
    fresh = next(source, None)
    try:
        with hire(order, mark) as pool:
            while True:
                while (retried := bool(waiting) and waiting[0][0] <= time.monotonic()) or fresh:
                    if not pool.free():
                        break
                    unit, fresh = (waiting.popleft()[1], fresh) if retried else (fresh, next(source, None))
                    assert unit
                    shares[unit.key(order)] = 0.0
                    touched.add(unit.folder)
                    pool.give(unit)
                if not (shares or waiting or fresh):
                    return
                for event in pool.news(_PATIENCE):
                    key = event.unit.key(order)
                    if event.share is not None:
                        shares[key] = event.share
                        on_share(sum(shares.values()))
                        continue
                    del shares[key]
                    tries[key] += 1
                    answer = event.answer or {"problems": [event.lost], "code": 1, "again": True}
                    if "problems" in answer and answer["again"] and tries[key] < TRIES:
                        waiting.append((time.monotonic() + _PAUSE * 2 ** tries[key], event.unit))
                        continue
                    yield _outcome(event.unit, answer, tries.pop(key))
    finally:
        for folder in touched:
            remove_temporaries(Path(folder), mark)


def _outcome(unit: Unit, answer: Mapping[str, Any], tried: int) -> Outcome:
    if "result" in answer:
        return Outcome(unit, answer["result"])
    times = f"tried {tried} times: " if tried > 1 else ""
    return Outcome(unit, problems=tuple(f"{times}{each}" for each in answer["problems"]), code=answer["code"])
