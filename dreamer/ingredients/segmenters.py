"""Segmenters: what a photo consists of, as masks: photo (1, 3, H, W) -> masks (N, 1, h, w) in [0, 1], or with names."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.factors import factorised
from dreamer.hookspecs import Register, hookimpl
from dreamer.image import resize, size_at
from dreamer.networks.network import Network
from dreamer.networks.reverie import reverie
from dreamer.recipes.masks import PARTS

_SIDE = 640  # px: the long side at which a photo is looked at
_CELL = 8  # px of it that one position of the factorisation covers
_LAYERS = ("m3b", "m4b", "m5a")  # fine, middle and coarse: chosen by eye, as are the weights
_COLOUR, _HEIGHT = 1.5, 1.0  # weights of colour and of height in the picture, beside that of all features
_MORE = 4  # factors that are found beyond those wanted, and merged
_MERGING = 3.0  # weight of colour where factors are merged
_APART, _BORDER = 10.0, 10.0  # added unlikeness of factors that do not touch; 1 / the share of one that is a border
_RADIUS, _EDGE = 8, 3e-4  # guided filter: px, and the variance of colour that counts as an edge


def parts(photo: Tensor, *, count: int = PARTS) -> Tensor:
    """The photo's own parts: what is alike in reverie's features, colour and height (Collins 2018).

    Non-negative factors of these, the most alike merged; their edges are the photo's by a guided filter (He 2010).

    Args:
        photo: (1, 3, H, W) in [0, 1].
        count: The number of parts.

    Returns:
        (count, 1, h, w) in [0, 1], at most 640 pixels a side; from top to bottom. Their sum is 1 everywhere.
    """
    height, width = photo.shape[-2:]
    size = size_at(height, width, _SIDE) if max(height, width) > _SIDE else (height, width)
    small = resize(photo.detach().float().cpu(), size).clamp(0, 1)
    return _parts(small.numpy().tobytes(), size, count).clone()


@lru_cache(4)
def _parts(picture: bytes, size: tuple[int, int], count: int) -> Tensor:
    """`parts`, cached, since several regions and pictures of one photo ask for the same."""
    image = torch.frombuffer(bytearray(picture), dtype=torch.float32).view(1, 3, *size)
    with torch.no_grad():
        blocks = _described(image)
        grid = (blocks[0].shape[-2], blocks[0].shape[-1])
        seen = torch.cat(blocks, 1)[0].flatten(1).T.contiguous()
        shares = factorised(seen, count + _MORE)[0].square()
        shares /= shares.sum(1, keepdim=True).clamp(min=1e-12)
        alike = torch.cat([blocks[0], _MERGING * blocks[1], blocks[2]], 1)[0].flatten(1).T
        masks = _merged(shares, alike, grid, count).T.reshape(1, count, *grid)
        masks = _with_edges(F.interpolate(masks, size=size, mode="bicubic").clamp(0, 1), image)
        rows = torch.linspace(0, 1, size[0])[:, None]
        order = ((masks * rows).sum((2, 3)) / masks.sum((2, 3)).clamp(min=1e-12))[0].argsort(stable=True)
        return masks[0, order, None]


def _described(image: Tensor) -> list[Tensor]:
    """Features, colour and height at each position, from 0 on: (1, C, h, w) each, of their weights' lengths."""
    from kornia.color import rgb_to_lab

    network = _network()
    grid = (-(-image.shape[-2] // _CELL), -(-image.shape[-1] // _CELL))
    features = network.features(image, _LAYERS)
    each = []
    for layer in _LAYERS:
        deviation = network.statistics[layer][1][:, None, None].clamp(min=1e-3)
        each.append(_unit(_at(features[layer].clamp(min=0).div(deviation).sqrt(), grid)) / len(_LAYERS) ** 0.5)
    lab = _at(rgb_to_lab(image), grid)
    light, chroma = lab[:, :1] / 100, lab[:, 1:] / 60
    colour = torch.cat([light, 1 - light, chroma, -chroma], 1).clamp(min=0)
    down = torch.linspace(0, 1, grid[0])[None, None, :, None].expand(1, 1, *grid)
    return [torch.cat(each, 1), _COLOUR * _unit(colour), _HEIGHT * _unit(torch.cat([down, 1 - down], 1))]


@lru_cache(1)
def _network() -> Network:
    return reverie()


def _at(planes: Tensor, grid: tuple[int, int]) -> Tensor:
    """Planes (1, C, h, w) on a grid: means where it is coarser, interpolated where it is finer."""
    if planes.shape[-1] < grid[1]:
        return F.interpolate(planes, size=grid, mode="bilinear")
    return F.adaptive_avg_pool2d(planes, grid)


def _unit(planes: Tensor) -> Tensor:
    """Planes (1, C, h, w) divided by the root mean square of their length."""
    return planes / planes.square().sum(1).mean().sqrt().clamp(min=1e-6)


def _merged(shares: Tensor, values: Tensor, grid: tuple[int, int], count: int) -> Tensor:
    """Shares (N, K) of fewer factors, (N, count): again and again the two most alike become one.

    How unlike two are is the squared distance of their mean values, (N, C), less where both are small (Ward 1963), and
    several times as much where they do not touch: a sky and its mirror image in water are two parts.
    """
    while shares.shape[1] > count:
        sizes = shares.sum(0) + 1e-6
        unlike = torch.cdist(shares.T @ values / sizes[:, None], shares.T @ values / sizes[:, None]).square()
        unlike = unlike * (1 / (1 / sizes[:, None] + 1 / sizes)).sqrt()
        around = F.avg_pool2d(shares.T.reshape(1, -1, *grid), 5, 1, 2, count_include_pad=False)[0].flatten(1)
        touching = (around @ shares / torch.minimum(sizes[:, None], sizes) * _BORDER).clamp(max=1)
        unlike = unlike * (1 + _APART * (1 - touching))
        unlike.fill_diagonal_(torch.inf)
        i, j = sorted(divmod(int(unlike.argmin()), len(sizes)))
        shares[:, i] += shares[:, j]
        shares = torch.cat([shares[:, :j], shares[:, j + 1 :]], 1)
    return shares


def _with_edges(masks: Tensor, image: Tensor) -> Tensor:
    """Masks (1, N, H, W) that follow the image's edges (1, 3, H, W), and sum to 1."""
    from kornia.filters import guided_blur

    side = 2 * min(_RADIUS, (min(image.shape[-2:]) - 1) // 2) + 1
    soft = guided_blur(image, masks, side, _EDGE).clamp(0, 1).pow(1.5) + 1e-6
    return soft / soft.sum(1, keepdim=True)


@hookimpl
def register_segmenters(register: Register) -> None:
    """The built-in segmenter."""
    register(parts)
