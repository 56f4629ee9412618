"""An engine as the server sees it: a process that is asked, that may end at any time, and is started again."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from dreamer.errors import DreamerError

_LONGEST_LINE = 2**25
_NEW_SESSION = sys.platform != "win32"  # so that Ctrl-C is the server's alone, which then tells the engine


class EngineEnded(DreamerError):
    """The engine's process ended before it answered."""


class Engine:
    """One process, one request at a time; the others wait for it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._command, self._environment = command, environment
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._number, self._told = 0, (-1, "")

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> asyncio.subprocess.Process:
        """The running process, a new one if the last has ended."""
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                env={**os.environ, **self._environment, "PYTHONSAFEPATH": "1"},  # no code of the current folder
                start_new_session=_NEW_SESSION,
            )
        return self._process

    async def ask(
        self, do: str, on_event: Callable[[dict[str, Any]], None] = lambda event: None, **request: Any
    ) -> dict[str, Any]:
        """The answer to a request; the events before it go to `on_event`. Raises EngineEnded."""
        self._number += 1
        number = self._number
        async with self._turn:
            process = await self.start()
            await self._write(process, {"do": do, "id": number, **request})
            if self._told[0] == number:  # while the process was starting
                await self._write(process, {"do": self._told[1], "id": number})
            while said := await self._said(process):
                if said.get("id") != number:
                    continue
                if "answer" in said:
                    answer: dict[str, Any] = said["answer"]
                    return answer
                on_event(said)
            await process.wait()
        raise EngineEnded("the engine ended; it is started again")

    async def tell(self, word: str) -> None:
        """Say stop, pause or go of the last request at once, whatever it is doing."""
        self._told = self._number, word
        if self._process is not None and self._process.returncode is None:
            await self._write(self._process, {"do": word, "id": self._number})

    async def close(self) -> None:
        """End the process: it ends by itself when nobody can ask it any more."""
        process = self._process
        if process is None:
            return
        assert process.stdin and process.stdout
        process.stdin.close()
        rest = asyncio.create_task(process.stdout.read())  # a process whose output nobody reads never ends
        try:
            await asyncio.wait_for(process.wait(), 2)
        except TimeoutError:
            process.kill()
            await process.wait()
        with suppress(RuntimeError, TimeoutError):  # somebody may be waiting for an answer, who gets the end instead
            await asyncio.wait_for(rest, 1)

    async def _said(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        """What the engine says next; empty at its end, which is also behind a line that nobody can read."""
        assert process.stdout
        with suppress(ValueError, RecursionError):  # ValueError: too long as well; its rest would pass for an answer
            if not (line := await process.stdout.readline()):
                return {}
            if isinstance(said := json.loads(line), dict):
                return said
        await self.close()
        return {}

    async def _write(self, process: asyncio.subprocess.Process, words: dict[str, Any]) -> None:
        assert process.stdin
        with suppress(ConnectionError, BrokenPipeError):  # it has ended; reading tells
            process.stdin.write(json.dumps(words).encode() + b"\n")
            await process.stdin.drain()
