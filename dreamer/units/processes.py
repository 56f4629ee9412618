"""Hands that are processes of this machine: started once, each with its threads or with a GPU of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import Any

from dreamer.errors import RenderError
from dreamer.units.pool import Event, Pool
from dreamer.units.unit import Order, Unit

_STARTS = 3  # processes in a row that end before they begin, after which no more are started
_PATIENCE = 2.0  # seconds that a process may take to end by itself
_NEW_SESSION = sys.platform != "win32"  # Ctrl-C is for the command, which then ends its processes


class _Hand:
    """A process, and the unit that it is making."""

    def __init__(self, number: int, order: Mapping[str, Any], environment: Mapping[str, str], news: Any) -> None:
        self.unit: Unit | None = None
        self.ready = False
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dreamer.units.serving"],  # -P: no code of the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=_NEW_SESSION,
        )
        self._reader = threading.Thread(target=self._read, args=(number, news), daemon=True)
        self._reader.start()
        self.say(order)

    def say(self, words: Mapping[str, Any]) -> None:
        assert self.process.stdin
        with suppress(OSError):  # it has ended, which reading tells
            self.process.stdin.write(json.dumps(words).encode() + b"\n")
            self.process.stdin.flush()

    def _read(self, number: int, news: SimpleQueue[tuple[int, dict[str, Any] | None]]) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with suppress(ValueError):  # half a line, of a process that was killed while it wrote
                news.put((number, json.loads(line)))
        self.process.wait()
        news.put((number, None))

    def end(self) -> None:
        """Tell it to end, without waiting."""
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()

    def wait(self) -> None:
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()


class Processes(Pool):
    """A pool of processes; one that is killed is replaced when there is a unit for it.

    `environments` has the variables of each process: one entry for each.
    """

    def __init__(self, order: Order, mark: str, environments: Sequence[Mapping[str, str]]) -> None:
        self.size = len(environments)
        self._order = {"order": asdict(order), "mark": mark}
        self._environments = environments
        self._hands: dict[int, _Hand] = {}
        self._news: SimpleQueue[tuple[int, dict[str, Any] | None]] = SimpleQueue()
        self._stillborn = 0

    def free(self) -> int:
        """The number of processes that are idle or not started yet."""
        return self.size - sum(hand.unit is not None for hand in self._hands.values())

    def give(self, unit: Unit) -> None:
        """Give a unit to a process, an idle one if there is one."""
        idle = [number for number, hand in self._hands.items() if hand.unit is None]
        number = idle[0] if idle else next(n for n in range(self.size) if n not in self._hands)
        if not idle:
            self._hands[number] = _Hand(number, self._order, self._environments[number], self._news)
        hand = self._hands[number]
        hand.unit = unit
        hand.say(unit.to_dict())

    def news(self, patience: float) -> Sequence[Event]:
        """The events that processes have sent. Raises RenderError where none of them can begin."""
        try:
            number, said = self._news.get(timeout=patience)
        except Empty:
            return []
        hand = self._hands[number]
        unit = hand.unit
        if said is None:
            del self._hands[number]
            hand.end()
            hand.wait()
            self._stillborn = 0 if hand.ready else self._stillborn + 1
            if self._stillborn >= _STARTS:
                raise RenderError("the processes that are to dream end before they begin; leave out --jobs")
            return [Event(unit, lost=_why(hand.process.returncode))] if unit else []
        if "ready" in said:
            hand.ready = True
        elif unit and "share" in said:
            return [Event(unit, share=said["share"])]
        elif unit:
            hand.unit = None
            return [Event(unit, answer=said)]
        return []

    def close(self) -> None:
        """End all processes, at once and together."""
        for hand in self._hands.values():
            hand.end()
        for hand in self._hands.values():
            hand.wait()
        self._hands.clear()


def _why(code: int) -> str:
    """The sentence about a process that ended."""
    if code == -9:
        return "its process was killed, perhaps for lack of memory; fewer --jobs or a smaller --size take less"
    return f"its process ended (exit code {code})"
