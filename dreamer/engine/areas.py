"""Areas of a picture in which looks grow: masks by formula, laid upon each other, with soft edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image import OPEN, Edges

_FAINT = 1e-4  # share of the mean square: a look that climbs less is lifted as if it climbed as much
_FADE = 1.5  # factor on the distance of near colours from which on a colour is outside


@dataclass(frozen=True)
class Areas:
    """The share of each look at each place: (looks, 1, H, W) in [0, 1], whose sum is at most 1.

    Outside of all, where the sum is 0, the picture stays as it is.
    """

    shares: Tensor

    @cached_property
    def whole(self) -> Tensor:
        """The sum of all looks' shares, (1, 1, H, W) in [0, 1]."""
        return self.shares.sum(0, keepdim=True).clamp_(max=1)

    def at(self, size: tuple[int, int]) -> Areas:
        """These areas for a picture of another size: the mean over each of its pixels."""
        return self if self.shares.shape[-2:] == size else Areas(F.adaptive_avg_pool2d(self.shares, size))

    def to(self, like: Tensor) -> Areas:
        """These areas on the device of a tensor."""
        return Areas(self.shares.to(like.device))

    def kept(self, picture: Tensor, outside: Tensor) -> Tensor:
        """The picture inside, and another one outside, (B, C, H, W)."""
        return torch.where(self.whole > 0, picture, outside)

    def blended(self, before: Tensor, after: Tensor) -> Tensor:
        """`after` inside, `before` outside, and both in their shares between, (B, C, H, W)."""
        return before.lerp(after, self.whole.to(before))

    def strengths(self, each: Sequence[float]) -> Tensor:
        """The strength at each place, (1, 1, H, W), given that of each look; 1 outside."""
        sums = (self.shares * self.shares.new_tensor(each)[:, None, None, None]).sum(0, keepdim=True)
        return torch.where(self.whole > 0, sums / self.shares.sum(0, keepdim=True).clamp(min=1e-30), 1.0)

    def moved(self, apply: Callable[[Tensor], Tensor], like: Tensor) -> list[Tensor | None]:
        """Each look's share where the transforms that `apply` holds have put it, (B, 1, H, W); None if everywhere.

        `like` (B, 3, H, W) is what they were drawn for. What is everywhere stays so at an edge that they have moved.
        """
        shares = (share.to(like).expand(len(like), -1, -1, -1) for share in self.shares[:, None])
        return [None if share.min() == 1 else apply(share) for share in shares]

    def levelled(self, direction: Tensor) -> Tensor:
        """The direction (B, 3, H, W) with the same RMS in each look's area as in the whole, and 0 outside.

        Filters bring the whole gradient to RMS 1: a small area would be climbed many times as fast, and of two looks
        the one with the steeper score would leave nothing to the other.
        """
        square = direction.square()
        whole = square.mean((1, 2, 3), keepdim=True)
        least = (whole * _FAINT).clamp(min=torch.finfo(whole.dtype).tiny)
        gains = torch.zeros_like(square[:, :1])
        for share in self.shares.to(direction)[:, None]:
            power = (square * share).mean((1, 2, 3), keepdim=True) / share.mean().clamp(min=1e-30)
            gains += share * (whole / power.maximum(least)).sqrt()
        return direction * gains / self.shares.sum(0, keepdim=True).to(direction).clamp(min=1e-30)


def layered(masks: Sequence[Tensor], still: Sequence[bool], feather: float, edges: Edges = OPEN) -> Areas:
    """The areas of looks whose masks lie upon each other, the later above the earlier ones.

    Args:
        masks: Each (1, 1, H, W) in [0, 1].
        still: For each mask, whether nothing grows in it; the others are the looks, in order.
        feather: Width of the soft edge, in percent of the short side. Towards the outside it lies within the masks, so
            that what is black stays black; where two looks meet, they blend over as much.
        edges: Where the picture goes round.
    """
    found: list[Tensor] = []
    below = torch.ones_like(masks[0])
    for mask, is_still in reversed(list(zip(masks, still, strict=True))):
        if not is_still:
            found.insert(0, mask * below)
        below = below * (1 - mask)
    shares = torch.cat(found)
    whole = shares.sum(0, keepdim=True).clamp_(max=1)
    radius = round(feather / 200 * min(whole.shape[-2:]))  # worn off, and softened by as much
    if not radius:
        return Areas(shares)
    soft = _softened(shares, radius, edges)
    return Areas(
        _softened(_worn(whole, radius, edges), radius, edges) * (soft / soft.sum(0, keepdim=True).clamp(min=1e-30))
    )


def side(name: str, share: float, size: tuple[int, int]) -> Tensor:
    """The part of a picture at its top, bottom, left or right, (1, 1, H, W)."""
    across = name in ("left", "right")
    count = size[across]
    places = (torch.arange(count) + 0.5) / count
    line = ((places if name in ("top", "left") else 1 - places) < share).float()
    return (line[None] if across else line[:, None]).expand(size)[None, None].clone()


def ellipse(about: Sequence[float], size: tuple[int, int]) -> Tensor:
    """An ellipse (1, 1, H, W) about x and y, of a width and a height, all in shares of the picture's."""
    (x, y, wide, high), (height, width) = about, size
    down = ((torch.arange(height) + 0.5) / height - y) / (high / 2)
    right = ((torch.arange(width) + 0.5) / width - x) / (wide / 2)
    return (down[:, None].square() + right.square() <= 1).float()[None, None]


def near(image: Tensor, colour: Sequence[float], distance: float) -> Tensor:
    """The mask (1, 1, H, W) of a picture's places near a colour: 1 up to `distance` in CIE Lab, then falling to 0."""
    from kornia.color import rgb_to_lab

    wanted = rgb_to_lab(image.new_tensor(colour)[None, :, None, None])
    away = torch.linalg.vector_norm(rgb_to_lab(image) - wanted, dim=1, keepdim=True)
    inside: Tensor = ((_FADE - away / distance) / (_FADE - 1)).clamp(0, 1)
    return inside


def _worn(mask: Tensor, radius: int, edges: Edges) -> Tensor:
    """The mask, smaller by `radius` pixels on all sides: the least of what lies within."""
    least = -edges.padded(mask, radius, "replicate")
    for down, right in ((radius, 0), (0, radius)):
        least = F.max_pool2d(least, (2 * down + 1, 2 * right + 1), stride=1)
    return -least


def _softened(masks: Tensor, radius: int, edges: Edges) -> Tensor:
    """The masks (N, 1, H, W), blurred by two boxes that together reach `radius` pixels; black farther away stays 0."""
    for reach in (radius // 2, radius - radius // 2):
        masks = edges.padded(masks, reach, "replicate")
        for down, right in ((reach, 0), (0, reach)):
            masks = F.avg_pool2d(masks, (2 * down + 1, 2 * right + 1), stride=1)
    return masks
