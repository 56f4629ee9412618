"""Optical flow: where each pixel of a frame was in the frame before.

Coarse to fine (Bouguet 2001), at every level a few rounds of Lucas and Kanade's least squares (1981) over Gaussian
windows at every pixel; the flow is median-filtered in between, which is what makes such methods good at the edges of
what moves (Sun, Roth and Black 2010). A flow is (1, 2, H, W), in pixels, x before y.

Written here since torchvision's RAFT needs weights of its own, and OpenCV's wheels bring a second libav beside PyAV's.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn import functional

from dreamer.image import blurred, resize

SIDE = 384  # px: longest side at which flow is computed; finer motion is not needed
_COARSEST = 16  # px: the shortest side of the coarsest level
_ROUNDS = 3  # least-squares rounds at each level
_WINDOW = 3.0  # px: the sigma of the windows
_DAMPING = 2e-5  # added to squared gradients of pictures in [0, 1]: on flat areas the flow stays unchanged
_HALF = 13  # values of a 5x5 square from the least up to the median
_MAX_MOVE = 1.5  # px by which one round may change the flow


def find_flow(now: Tensor, before: Tensor) -> Tensor:
    """The flow from `now` back to `before`, grey pictures (1, 1, H, W) in [0, 1]: now(x) is before(x + flow(x))."""
    here, there = _levels(now), _levels(before)
    flow = now.new_zeros(1, 2, *here[-1].shape[-2:])
    for a, b in zip(reversed(here), reversed(there), strict=True):
        flow = scaled(flow, (a.shape[-2], a.shape[-1]))
        for _ in range(_ROUNDS):
            flow = flow + _least_squares(a, warp(b, flow))
        flow = _median(flow)
    return flow


def warp(picture: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """`picture` (1, C, H, W) sampled along a flow: the result at x is picture(x + flow(x)), with edges repeated."""
    height, width = picture.shape[-2:]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[0, 1]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)[None, :] + flow[0, 0]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)[None]
    return functional.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)


def scaled(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """The flow for pictures of another size (height, width)."""
    height, width = flow.shape[-2:]
    if (height, width) == size:
        return flow
    larger = functional.interpolate(flow, size=size, mode="bilinear", align_corners=False)
    return larger * larger.new_tensor([size[1] / width, size[0] / height]).view(1, 2, 1, 1)


def _levels(grey: Tensor) -> list[Tensor]:
    """A Gaussian pyramid of a grey picture (1, 1, H, W), fine to coarse."""
    levels = [blurred(grey, 0.7, "replicate")]
    while min(levels[-1].shape[-2:]) >= 2 * _COARSEST:
        height, width = levels[-1].shape[-2:]
        levels.append(resize(blurred(levels[-1], 0.7, "replicate"), ((height + 1) // 2, (width + 1) // 2)))
    return levels


def _least_squares(a: Tensor, b: Tensor) -> Tensor:
    """The correction (1, 2, H, W) of the flow, from the gradients of both pictures (1, 1, H, W)."""
    mean = (a + b) / 2
    padded = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    t = b - a
    products = torch.cat([x * x, x * y, y * y, x * t, y * t], 1)
    xx, xy, yy, xt, yt = blurred(products, _WINDOW, "replicate").chunk(5, 1)
    xx, yy = xx + _DAMPING, yy + _DAMPING
    inverse = 1 / (xx * yy - xy * xy)
    return torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], 1).mul_(inverse).clamp_(-_MAX_MOVE, _MAX_MOVE)


def _median(flow: Tensor) -> Tensor:
    """The median over each pixel and its 24 neighbours, for x and y separately.

    By comparisons of whole shifted pictures, eight times as fast as `Tensor.median`: where the columns of a square are
    sorted and then its rows, a value has all those above and left of it below itself, which leaves few for the median.
    """
    height, width = flow.shape[-2:]
    padded = functional.pad(flow, (2, 2, 2, 2), mode="replicate")
    columns = _sorted([padded[..., top : top + height, :] for top in range(5)])
    rows = [_sorted([row[..., left : left + width] for left in range(5)]) for row in columns]
    places = itertools.product(range(5), repeat=2)
    left = [rows[y][x] for y, x in places if max((y + 1) * (x + 1), (5 - y) * (5 - x)) <= _HALF]
    kept, left = left[: len(left) // 2 + 2], left[len(left) // 2 + 2 :]
    while len(kept) > 1:  # the least and the greatest of more than half are not the median
        for number in range(1, len(kept)):
            _order(kept, 0, number)
        for number in range(1, len(kept) - 1):
            _order(kept, number, len(kept) - 1)
        kept, left = kept[1:-1] + left[:1], left[1:]
    return kept[0]


def _sorted(five: list[Tensor]) -> list[Tensor]:
    """Five pictures with the values of each pixel in rising order, by the shortest network there is."""
    for low, high in ((0, 1), (3, 4), (2, 4), (2, 3), (1, 4), (0, 3), (0, 2), (1, 3), (1, 2)):
        _order(five, low, high)
    return five


def _order(pictures: list[Tensor], low: int, high: int) -> None:
    """Exchange values between two pictures, so that those of the first are the lesser ones."""
    a, b = pictures[low], pictures[high]
    pictures[low], pictures[high] = torch.minimum(a, b), torch.maximum(a, b)
