"""A pool of hands that make units, each one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from dreamer.units.unit import Unit


@dataclass(frozen=True)
class Event:
    """News of a unit: a `share` is done, an `answer` came (see `Server.answer`), or it was `lost` with its hand."""

    unit: Unit
    share: float | None = None
    answer: Mapping[str, Any] | None = None
    lost: str = ""


class Pool(AbstractContextManager["Pool"]):
    """Hands, and the units in them; leaving the block ends them, whatever they are doing."""

    size: int
    """Number of units that can be made at once, at most."""

    def free(self) -> int:
        """The number of units that can be given now."""
        raise NotImplementedError

    def give(self, unit: Unit) -> None:
        """Give a unit to a free hand."""
        raise NotImplementedError

    def news(self, patience: float) -> Sequence[Event]:
        """The events since the last call, after waiting at most so many seconds."""
        raise NotImplementedError

    def close(self) -> None:
        """End all hands."""
        raise NotImplementedError

    def __exit__(self, *error: object) -> None:
        self.close()
