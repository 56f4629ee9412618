"""The motion between two frames: where things went, where that can be trusted, and whether the scene has changed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamer.image import blurred, resize
from dreamer.image.luma import luma
from dreamer.videos.film.optical_flow import SIDE, find_flow, scaled, warp

# How far forward and backward flow may disagree, in squared pixels (Sundaram, Brox and Keutzer 2010).
_SLACK, _PER_MOTION = 0.5, 0.01
_MAX_DIFFERENCE = 0.08  # black to white is 1: pixels that differ by more are not the same thing
_SOFTNESS = 1.5  # px: sigma of the blur at the edges of what is carried along
_MIN_TRUST = 0.5  # a mean trust below this is a cut


@dataclass(frozen=True)
class Motion:
    """The motion from the frame before to a frame.

    `flow` (1, 2, H, W), in pixels, leads from each pixel back to where it was; `trust` (1, 1, H, W) is 1 where it was
    visible there, and 0 where it was hidden or cannot be found; `cut` says that the scene has changed.
    """

    flow: Tensor
    trust: Tensor
    cut: bool

    def carry(self, change: Tensor) -> Tensor:
        """A change to the frame before, (1, 3, H, W), moved along; zero where there is no trust."""
        return self.moved(change).mul_(self.trust)

    def moved(self, values: Tensor) -> Tensor:
        """Values (1, C, H, W) of the frame before, moved by the flow, whether that can be trusted or not."""
        # Linear sampling blurs a little each time and cubic sampling rings; their mean does neither over many frames.
        return warp(values, self.flow).add_(warp(values, self.flow, mode="bicubic")).mul_(0.5)


def find_motion(now: Tensor, before: Tensor, *, returned: bool = True) -> Motion:
    """The motion from `before` to `now`, pictures (1, 3, H, W) of one size in [0, 1].

    What can be trusted has to look alike and, if `returned`, to come back to where it was as well, which takes a second
    flow, and is not needed where something else stands in for what is hidden.
    """
    height, width = now.shape[-2:]
    shrink = min(1.0, SIDE / max(height, width))
    size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    here, there = resize(now, size), resize(before, size)
    back = find_flow(luma(here), luma(there))
    alike = blurred((here - warp(there, back)).abs(), 1.0, "replicate").amax(1, keepdim=True) < _MAX_DIFFERENCE
    seen = alike & _inside(back)
    if returned:
        again = warp(find_flow(luma(there), luma(here)), back)
        error = (back + again).square().sum(1, keepdim=True)
        lengths = back.square().sum(1, keepdim=True) + again.square().sum(1, keepdim=True)
        seen &= error < _PER_MOTION * lengths + _SLACK
    trust = blurred(seen.to(now.dtype), _SOFTNESS, "replicate")
    cut = bool(trust.mean() < _MIN_TRUST)
    return Motion(scaled(back, (height, width)), resize(trust, (height, width)).clamp_(0, 1), cut)


def _inside(flow: Tensor) -> Tensor:
    """Whether each pixel comes from inside of the picture, (1, 1, H, W)."""
    height, width = flow.shape[-2:]
    y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1:]
    x = torch.arange(width, device=flow.device)[None, :] + flow[:, :1]
    return (x > -1) & (x < width) & (y > -1) & (y < height)
