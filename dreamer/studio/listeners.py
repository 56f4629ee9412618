"""The open pages, which listen to the studio: they get the state as it is at that moment, and no news is lost."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

_QUIET = 15.0  # seconds after which a page hears that the studio is still there
_REST = 0.04  # seconds between two tellings of how things stand
_MOST_NEWS = 10_000


class Listeners:
    """The open pages.

    Args:
        state: How things stand, as JSON can hold it.
    """

    def __init__(self, state: Callable[[], dict[str, Any]]) -> None:
        self._state = state
        self._all = set[_Listener]()
        self._loop: asyncio.AbstractEventLoop | None = None

    def tell(self, news: Mapping[str, Any]) -> None:
        """Send the state to every page, and the news."""
        for one in self._all:
            one.news.append(news)
            one.wake.set()

    def hang_up(self) -> None:
        """End the pages' streams, even from a signal's handler: the server waits until nobody listens."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        for one in self._all:
            one.ended = True
            one.wake.set()

    async def listen(self) -> AsyncIterator[str]:
        """Yield the state as JSON, now and at each change; an empty text when nothing has happened for long."""
        self._loop = asyncio.get_running_loop()
        own = _Listener()
        self._all.add(own)
        try:
            yield json.dumps(self._state())
            while True:
                try:
                    await asyncio.wait_for(own.wake.wait(), _QUIET)
                except TimeoutError:
                    yield ""
                    continue
                if own.ended:
                    return
                own.wake.clear()
                news = [each for each in own.news if each] or [{}]
                own.news.clear()
                for each in news:
                    yield json.dumps({**self._state(), **each})
                await asyncio.sleep(_REST)
        finally:
            self._all.discard(own)


class _Listener:
    """A page, and what it has not been told yet."""

    def __init__(self) -> None:
        self.news = deque[Mapping[str, Any]](maxlen=_MOST_NEWS)
        self.wake, self.ended = asyncio.Event(), False
