"""A smooth step, with which something begins and ends gently."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

Share = TypeVar("Share", float, Tensor)


def eased(share: Share) -> Share:
    """Hermite's step: from 0 to 1 as `share` is, level at both ends."""
    return share * share * (3 - 2 * share)
