"""Fills holes of a picture with patches from elsewhere in it (Wexler 2007): texture goes on, where a blur would smear.

From coarse to fine: at the coarsest size each patch finds the most alike of all that may be put there, at finer ones it
also tries those of its neighbours (Barnes 2009). Nothing is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image import resize, size_at
from dreamer.videos.zoom.depth.pyramid import filled

_SIDE = 1024  # px: the long side at which a hole is filled at most; it is dreamt over
_COARSEST = 80  # px: the long side at which patches are looked for everywhere
_RADIUS = 3  # px of a patch
_ROUNDS = 5  # at the coarsest size, and two at each other
_NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
_AROUND = tuple(product(range(-_RADIUS, _RADIUS + 1), repeat=2))
_AT_ONCE = 1 << 24  # differences that are computed together


def completed(image: Tensor, hole: Tensor, nearness: Tensor, most: Tensor) -> Tensor:
    """A picture (1, 3, H, W) whose hole is filled from what is far.

    Args:
        image: In [0, 1].
        hole: (1, 1, H, W), true or false.
        nearness: Of the picture, (1, 1, H, W).
        most: How near what is put at a place may be at most, (1, 1, H, W).

    Returns:
        (1, 3, H, W); the picture itself outside of the hole.
    """
    height, width = image.shape[-2:]
    if not hole.any():
        return image
    sides = [min(_SIDE, max(height, width))]
    while sides[0] > 1.5 * _COARSEST:
        sides.insert(0, round(sides[0] / 2))
    found: Tensor | None = None
    made = filled(image, hole)
    for side in sides:
        canvas = _Canvas.of(size_at(height, width, side), image, hole, nearness, most)
        if not canvas.sources.any() or not canvas.hole.any():
            continue
        if found is None:
            canvas.picture = filled(canvas.picture, canvas.hole[None, None])
            near = canvas.searched()
        else:
            near = canvas.followed(found)
            canvas.vote(near)
        for _ in range(_ROUNDS if found is None else 2):
            near = canvas.searched() if found is None else canvas.improved(near)
            canvas.vote(near)
        found = canvas.field(near)
        made = canvas.picture
    return torch.where(hole, resize(made, (height, width)).clamp(0, 1), image)


@dataclass
class _Canvas:
    """A picture at one size, (1, 3, h, w), and its hole; places are numbered by rows."""

    picture: Tensor
    hole: Tensor
    """(h, w), true or false."""
    sources: Tensor
    """(h, w): whether a patch about a place may be put anywhere."""
    nearness: Tensor
    most: Tensor
    """(h, w) each."""

    @classmethod
    def of(cls, size: tuple[int, int], image: Tensor, hole: Tensor, nearness: Tensor, most: Tensor) -> _Canvas:
        """The same at a size (h, w)."""
        empty = F.adaptive_max_pool2d(hole.float(), size) > 0
        whole = F.max_pool2d(F.pad(empty.float(), (_RADIUS,) * 4, value=1), 2 * _RADIUS + 1, 1)[0, 0] == 0
        near, most = (F.adaptive_avg_pool2d(each, size)[0, 0] for each in (nearness, most))
        return cls(resize(image, size).clamp(0, 1), empty[0, 0], whole, near, most)

    def __post_init__(self) -> None:
        self.targets = self.hole.flatten().nonzero()[:, 0]
        self.width = self.hole.shape[1]

    def searched(self) -> Tensor:
        """For each place of the hole the most alike source, (n,)."""
        choice = self.sources.flatten().nonzero()[:, 0]
        patches = F.unfold(F.pad(self.picture, (_RADIUS,) * 4, mode="replicate"), 2 * _RADIUS + 1)[0].T
        theirs, near = patches[choice], self.nearness.flatten()[choice]
        length = theirs.square().sum(1)
        found = []
        for part in self.targets.split(max(1, _AT_ONCE // len(choice))):
            unlike = length - 2 * patches[part] @ theirs.T
            unlike[near > self.most.flatten()[part, None]] += 1e3  # only where there is nothing else
            found.append(choice[unlike.argmin(1)])
        return torch.cat(found)

    def improved(self, near: Tensor) -> Tensor:
        """The same, or what goes on from a neighbour's where that is more alike."""
        best = self._unlike(near)
        field = torch.full((self.hole.numel(),), -1)
        for down, right in _NEIGHBOURS:
            field[self.targets] = near
            theirs = field[self._moved(self.targets, down, right)]
            tried = torch.where(theirs < 0, near, self._moved(theirs.clamp(min=0), -down, -right))
            tried = torch.where(self.sources.flatten()[tried], tried, near)
            unlike = self._unlike(tried)
            near, best = torch.where(unlike < best, tried, near), torch.minimum(unlike, best)
        return near

    def vote(self, near: Tensor) -> None:
        """Paint the hole: each place is the mean of what the patches around it have there."""
        field = torch.full((self.hole.numel(),), -1)
        field[self.targets] = near
        colours = self.picture[0].flatten(1)
        sums, counts = torch.zeros(3, len(near)), torch.zeros(len(near))
        for down, right in _AROUND:
            if max(abs(down), abs(right)) > 1:
                continue
            theirs = field[self._moved(self.targets, -down, -right)]
            seen = (theirs >= 0).float()
            sums += colours[:, self._moved(theirs.clamp(min=0), down, right)] * seen
            counts += seen
        painted = colours.clone()
        painted[:, self.targets] = sums / counts
        self.picture = painted.view_as(self.picture)

    def field(self, near: Tensor) -> Tensor:
        """Where each place comes from, as (2, h, w) shares of the picture's height and width away; 0 outside."""
        height, width = self.hole.shape
        away = torch.zeros(2, height * width)
        away[0, self.targets] = (near // width - self.targets // width).float() / height
        away[1, self.targets] = (near % width - self.targets % width).float() / width
        return away.view(2, height, width)

    def followed(self, field: Tensor) -> Tensor:
        """The sources that a coarser field leads to, (n,)."""
        height, width = self.hole.shape
        away = F.interpolate(field[None], size=(height, width), mode="nearest")[0].flatten(1)[:, self.targets]
        rows = (self.targets // width + (away[0] * height).round().long()).clamp(_RADIUS, height - 1 - _RADIUS)
        columns = (self.targets % width + (away[1] * width).round().long()).clamp(_RADIUS, width - 1 - _RADIUS)
        return rows * width + columns

    def _unlike(self, near: Tensor) -> Tensor:
        """How unlike the patches at the hole's places and their sources are, (n,)."""
        colours = self.picture[0].flatten(1)
        sums = torch.zeros(len(near))
        for down, right in _AROUND:
            here, there = self._moved(self.targets, down, right), self._moved(near, down, right)
            sums += (colours[:, here] - colours[:, there]).square().sum(0)
        wrong = (self.nearness.flatten()[near] > self.most.flatten()[self.targets]) | ~self.sources.flatten()[near]
        return sums + 1e3 * wrong

    def _moved(self, places: Tensor, down: int, right: int) -> Tensor:
        """The numbers of places so many pixels below and to the right; at the border, of the last ones."""
        rows = (places // self.width + down).clamp(0, self.hole.shape[0] - 1)
        return rows * self.width + (places % self.width + right).clamp(0, self.width - 1)
