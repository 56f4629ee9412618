"""Rankers: a folder of pictures is searched for those that rank best, for one unit or for several in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from dreamer.image import Photo

Place = tuple[float, float, float, float]
"""(left, top, right, bottom) in shares of a picture's width and height."""
Match = tuple[tuple[float, ...], Place]
"""A picture's rank for a unit (lower is better) and the place in it that excites the unit."""
Answer = Callable[[Tensor], Sequence[Match | None]]
"""From a picture (1, 3, H, W) to a match for each unit; None where it does not excite the unit at all."""


class Ranker(Protocol):
    """Ranks pictures for one unit, or for several in one pass."""

    @property
    def units(self) -> int:
        """The number of units."""

    def shown(self, photo: Photo) -> Tensor:
        """The part of a photo that the network sees, (1, 3, H, W) in [0, 1]."""

    def on(self, device: torch.device) -> Answer:
        """The function that ranks such pictures on a device; it raises UsageError for one that cannot be ranked."""

    def identity(self) -> dict[str, Any]:
        """Everything that decides the ranks, to recognise notes of the same search."""
