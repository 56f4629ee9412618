"""How units scale from one core to a thousand machines: the real loop over units, with simulated hands and storage.

python tests/benchmarks/scaling.py [--seconds 12] [--megabytes 8] [--storage 1000] [--starts 4]

Hands take `--seconds` on average for a photo, with the spread that photos have, and begin after `--starts` seconds;
each photo and each dream is `--megabytes` large, and all hands share a storage of `--storage` MB/s. The loop itself
(`dreamer.units.working`) runs as it is: its own time is measured, and is what the driver needs for a unit.
"""

from __future__ import annotations

import argparse
import heapq
import random
import time
from collections.abc import Sequence

from dreamer.units import working
from dreamer.units.pool import Event, Pool
from dreamer.units.unit import Order, Unit

ORDER = Order("dreamer.cli.making:Photos", {"options": ["--threads", "1"], "swept": [], "spared": []}, "/")
SPREAD = 0.3  # standard deviation of a unit's time, as a share of it
LOST = 1e-3  # share of units that are lost with their hand


class Simulated(Pool):
    """Hands in a time of their own; `now` is that time in seconds."""

    def __init__(self, size: int, seconds: float, transfer: float, starts: float) -> None:
        self.size, self.now = size, 0.0
        self._seconds, self._transfer, self._starts = seconds, transfer, starts
        self._idle, self._fresh = 0, size
        self._due: list[tuple[float, int, Unit, bool]] = []
        self._storage = 0.0  # when it is free again
        self._random, self._given = random.Random(0), 0

    def free(self) -> int:
        return self._idle + self._fresh

    def give(self, unit: Unit) -> None:
        begun = self.now + (0.0 if self._idle else self._starts)
        if self._idle:
            self._idle -= 1
        else:
            self._fresh -= 1
        read = self._storage = max(self._storage, begun) + self._transfer
        done = read + max(0.1, self._random.gauss(1, SPREAD)) * self._seconds
        self._given += 1
        heapq.heappush(self._due, (done, self._given, unit, self._random.random() < LOST))

    def news(self, patience: float) -> Sequence[Event]:
        if not self._due:
            return []
        done, _, unit, lost = heapq.heappop(self._due)
        self.now = done
        self._storage = max(self._storage, done) + self._transfer
        if lost:
            self._fresh += 1
            return [Event(unit, lost="its machine was lost")]
        self._idle += 1
        return [Event(unit, answer={"result": {}})]

    def close(self) -> None:
        self.now = max(self.now, self._storage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seconds", 12.0), ("megabytes", 8.0), ("storage", 1000.0), ("starts", 4.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    given = parser.parse_args()
    working._PAUSE = 0.0  # time passes in the simulation alone
    print(f"{'hands':>6} {'photos':>7} {'a minute':>9} {'of ideal':>8}  the loop's own time for a photo")
    for hands in (1, 2, 4, 8, 16, 64, 256, 1000, 4000, 16000):
        count = max(200, 10 * hands)
        transfer = given.megabytes / given.storage
        pool = Simulated(hands, given.seconds, transfer, given.starts)
        units = (Unit(f"{n}.jpg", {"photos": [{"path": f"/photos/{n}.jpg", "below": "."}]}, "/") for n in range(count))
        began = time.process_time()
        made = sum(1 for _ in working.work(ORDER, units, lambda order, mark, pool=pool: pool))
        spent = (time.process_time() - began) / count
        assert made == count
        rate = count / pool.now * 60
        driver = 60 / spent
        ideal = hands * 60 / given.seconds
        print(f"{hands:6} {count:7} {min(rate, driver):9.0f} {min(rate, driver) / ideal:8.0%}  {spent * 1e6:.0f} us")


if __name__ == "__main__":
    main()
