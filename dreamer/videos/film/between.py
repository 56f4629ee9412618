"""Frames between two that are dreamt over: the changes of both are moved along and blended."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dreamer.videos.film.motion import Motion

_UNSURE = 0.02  # the weight of what cannot be trusted: it counts where nothing else is there
_MOST_GAIN = 1.3  # largest gain of a blend, which is fainter than the two that it is made of


def blended(sides: Sequence[tuple[Motion, Tensor, float]]) -> Tensor | None:
    """The change of a frame between others that were dreamt over, (1, 3, H, W); None where cuts part it from all.

    What is hidden in one of them comes from the other, and the blend is as strong as what it is made of: a mean of
    forms that are not alike would be faint.

    Args:
        sides: The motion from each of these frames to this one, the change there, and its share.
    """
    seen = [(motion, change.float(), share) for motion, change, share in sides if not motion.cut]
    if not seen:
        return None
    weights = torch.stack([motion.trust.clamp(min=_UNSURE) * share for motion, _, share in seen])
    moved = torch.stack([motion.moved(change.to(motion.flow.device)) for motion, change, _ in seen])
    mean = (moved * weights).sum(0) / weights.sum(0)
    wanted = sum(_strength(change) * share for _, change, share in seen) / sum(share for _, _, share in seen)
    return mean * min(max(wanted / max(_strength(mean), 1e-9), 1.0), _MOST_GAIN)


def _strength(change: Tensor) -> float:
    return float(change.square().mean().sqrt())
