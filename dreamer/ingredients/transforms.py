"""Transforms of the picture before the network sees it: (image (B, 3, H, W), *, options) -> apply.

A transform draws its random numbers once, for the size of `image`. What it returns, `apply(picture (B, C, H, W)) ->
picture`, applies them alike to any picture of that size and number: to the dream, the photo, or a mask of one channel.
It is differentiable: autograd carries the gradient back. Where a picture (C = 3) gets a grey border, anything else gets
0, so that no mask covers what is no picture; and noise is added to pictures alone.

Small changes of place, angle and size make forms that hold under all of them (Olah, Mordvintsev, Schubert 2017), and
average the network's own grid away.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.moving import added, rolled, sampled
from dreamer.engine.step import Apply, Step
from dreamer.hookspecs import Register, hookimpl
from dreamer.image import OPEN, Edges
from dreamer.image.bands import bands
from dreamer.image.easing import eased
from dreamer.image.storage import empty
from dreamer.networks.randomness import Randomness
from dreamer.recipes.options import Range, leaving_edges

Pixels = Annotated[int, Range(0, 1024)]
Part = Annotated[int, Range(0, 256)]
Degrees = Annotated[float, Range(0, 180)]
Amount = Annotated[float, Range(0, 0.9)]
Share = Annotated[float, Range(0.01, 1)]

_GREY = 0.5


def jitter(
    image: Tensor, *, pixels: Pixels = 32, border: Literal["roll", "mirror"] = "roll", edges: Edges = OPEN
) -> Apply:
    """Move the picture by up to `pixels` each way.

    `roll` covers every pixel alike and joins opposite edges; `mirror` reflects at the borders and loses what leaves.
    """
    height, width = image.shape[-2:]
    if border == "roll":
        down, right = _whole(-pixels, pixels), _whole(-pixels, pixels)
        return lambda picture: rolled(picture, down, right) if down or right else picture
    pixels = min(pixels, height - 1, width - 1) if edges else pixels
    mirrored = partial(edges.padded, pixels=pixels) if edges else pad(image, pixels=pixels, border="mirror")
    top, left = (_whole(0, 2 * min(pixels, side - 1)) for side in (height, width))
    return lambda picture: mirrored(picture)[..., top : top + height, left : left + width]


@leaving_edges
def rotate(image: Tensor, *, degrees: Degrees = 5.0) -> Apply:
    """Turn the picture about its centre by up to `degrees` each way, reflecting at the borders."""
    from kornia.geometry.transform import rotate as turn

    angle = _number(-degrees, degrees)
    return lambda picture: turn(picture, picture.new_full((len(picture),), angle), padding_mode="reflection")


def scale(
    image: Tensor, *, amount: Amount = 0.1, about: Annotated[float, Range(0.5, 2)] = 1.0, edges: Edges = OPEN
) -> Apply:
    """Enlarge or shrink the picture by a factor of `about` - `amount` to `about` + `amount`, never under 0.1."""
    from kornia.geometry.transform import resize

    factor = _number(max(about - amount, 0.1), about + amount)
    size = (max(1, round(image.shape[-2] * factor)), max(1, round(image.shape[-1] * factor)))
    return lambda picture: edges.resampled(picture, size, partial(resize, antialias=factor < 1))


@leaving_edges
def crop(image: Tensor, *, share: Annotated[float, Range(0.1, 1)] = 0.8) -> Apply:
    """Look only at a random part of the picture whose sides are `share` of the picture's."""
    height, width = (max(1, round(side * share)) for side in image.shape[-2:])
    top, left = _whole(0, image.shape[-2] - height), _whole(0, image.shape[-1] - width)
    return lambda picture: picture[..., top : top + height, left : left + width]


@leaving_edges
def crops(
    image: Tensor,
    *,
    step: Step,
    count: Annotated[int, Range(1, 64)] = 8,
    size: Annotated[int, Range(16, 512)] = 224,
    first: Share = 0.5,
    last: Share = 0.05,
    spread: Annotated[float, Range(0, 1)] = 0.15,
) -> Apply:
    """Look at `count` squares at once, large ones first, small ones at the end (Fel 2023): (B count, 3, size, size).

    Their sides fall evenly from `first` to `last` of the picture's short side over the dream, and each is resized to
    `size` pixels; their middles lie about the picture's, off it by `spread` of its sides (a Gaussian's deviation).
    """
    height, width = image.shape[-2:]
    side = max(1, round((first + (last - first) * step.share) * min(height, width)))
    corners = [
        tuple(
            min(max(0, round((0.5 + spread * off) * whole - side / 2)), whole - side)
            for off, whole in ((down, height), (right, width))
        )
        for down, right in torch.randn(count, 2).tolist()
    ]

    def apply(picture: Tensor) -> Tensor:
        parts = (picture[..., top : top + side, left : left + side] for top, left in corners)
        return torch.cat([F.interpolate(part, (size, size), mode="bilinear", antialias=True) for part in parts])

    return apply


def noise(image: Tensor, *, sigma: Annotated[float, Range(0, 1)] = 0.03) -> Apply:
    """Add Gaussian noise of standard deviation `sigma`, in image units (Smilkov 2017: it smooths the gradient).

    A mask, or whatever else is no picture of three channels, stays as it is.
    """
    grain = empty(image.shape, image).normal_().mul_(sigma)
    return lambda picture: added(picture, grain) if _is_picture(picture) else picture


def warp(
    image: Tensor,
    *,
    step: Step,
    degrees: Annotated[float, Range(0, 40)] = 8.0,
    pixels: Annotated[int, Range(16, 4096)] = 220,
    edges: Edges = OPEN,
) -> Apply:
    """Bend the picture like a cloth, the same way in all steps of an octave: no two figures are turned or sized alike.

    Places some `pixels` apart are moved each for itself, so that the picture is turned, stretched or sheared by about
    `degrees`, or a seventh of its size, between them; its borders stay where they are, unless it goes round.
    """
    if image.is_meta:  # it is the size that is asked for, which stays
        return lambda picture: picture
    height, width = image.shape[-2:]
    with Randomness(Randomness.active().seed + step.octave):
        grid = torch.randn(1, 2, *(max(3, round(side / pixels) + 3) for side in (height, width)))
        corner = (_whole(0, height - 1) * edges.y, _whole(0, width - 1) * edges.x) if edges else (0, 0)
    moves = _enlarged(grid, (height, width), edges)
    if edges:  # between the places of the grid it is bent less: anywhere, not always at the same distance from a seam
        moves = moves.roll(corner, (-2, -1))
    for side, dim, round_ in ((height, 1, edges.y), (width, 2, edges.x)):
        if round_:
            continue
        inside = torch.arange(side).minimum(side - 1 - torch.arange(side)) * 2 / pixels  # steps from the border
        inside = eased(inside.clamp(0, 1))
        moves *= inside[:, None] if dim == 1 else inside
    moves *= math.tan(math.radians(degrees)) / _steepness(moves).clamp(min=1e-9)
    places = empty((1, height, width, 2), moves)
    for rows in bands(height, width):
        across, down = torch.arange(width) + moves[1, rows], torch.arange(height)[rows, None] + moves[0, rows]
        if edges.x:
            across = across.remainder(width)
        if edges.y:
            down = down.remainder(height)
        places[0, rows, :, 0] = across * 2 / max(1, width - 1 + edges.x) - 1
        places[0, rows, :, 1] = down * 2 / max(1, height - 1 + edges.y) - 1
    return lambda picture: sampled(picture, places.to(picture), edges)


def _enlarged(grid: Tensor, size: tuple[int, int], edges: Edges) -> Tensor:
    """The values (1, C, h, w) between the corners of a picture of that size, (C, H, W), each channel by itself."""
    whole = empty((grid.shape[1], *size), grid)
    between = partial(F.interpolate, mode="bicubic", align_corners=not edges)
    for channel, values in zip(whole, grid[0], strict=True):
        channel.copy_(edges.resampled(values[None, None], size, between)[0, 0])
    return whole


def _steepness(moves: Tensor) -> Tensor:
    """The root of the mean square of the differences between neighbours, across and down, of moves (2, H, W)."""
    _, height, width = moves.shape
    across, down = 2 * height * (width - 1), 2 * (height - 1) * width
    squares = empty((across + down,), moves)
    torch.sub(moves[..., 1:], moves[..., :-1], out=squares[:across].view(2, height, width - 1))
    torch.sub(moves[:, 1:], moves[:, :-1], out=squares[across:].view(2, height - 1, width))
    return squares.square_().mean().sqrt()


@leaving_edges
def pad(image: Tensor, *, pixels: Pixels = 12, border: Literal["grey", "mirror"] = "grey") -> Apply:
    """Add a border of `pixels`, middle grey or the picture's mirror image, so that nothing grows by its edge alone."""
    if border == "grey":
        return lambda picture: F.pad(picture, (pixels,) * 4, value=_outside(picture))
    tall, wide = (min(pixels, side - 1) for side in image.shape[-2:])
    return lambda picture: F.pad(picture, (wide, wide, tall, tall), mode="reflect")


@leaving_edges
def standard(
    image: Tensor, *, pad: Part = 12, jitter: Part = 8, amount: Amount = 0.1, degrees: Degrees = 10.0, nudge: Part = 4
) -> Apply:
    """Lucid's standard changes in one: pad, jitter, scale, rotate, jitter (Olah, Mordvintsev, Schubert 2017).

    A grey border of `pad` pixels, of which `jitter` are cut off at random; a scale of 1 - `amount` to 1 + `amount` in
    11 steps; a turn by up to `degrees` in 21 steps, straight a little more often; `nudge` pixels cut off at random.
    The picture is sampled once for all of them, (B, 3, round((H + 2 pad - jitter) scale) - nudge, ...).
    """
    size = torch.tensor([image.shape[-1], image.shape[-2]], dtype=torch.float64)  # width, height, as in all below
    offset, kept = _cut(size + 2 * pad, jitter)
    scaled = (kept * (1 + amount * _whole(-5, 5) / 5)).round().clamp(min=1)
    turn = _whole(-10, 15)
    start, final = _cut(scaled, nudge)
    matrix = (  # from a place in the result to the one in the picture that it shows, each from -1 to 1
        torch.linalg.inv(_affine(size / 2, size / 2))
        @ _affine(kept / scaled, offset + kept / 2 - pad, degrees * turn / 10 if turn <= 10 else 0.0)
        @ _affine(final / 2, start + final / 2 - scaled / 2)
    )
    wide, high = (int(side) for side in final)

    def apply(picture: Tensor) -> Tensor:
        grid = F.affine_grid(matrix[None, :2], [1, 1, high, wide], align_corners=False).to(picture)
        outside = _outside(picture)  # grid_sample gives 0 there: for grey to be there, grey is 0 meanwhile
        grid = grid.expand(len(picture), -1, -1, -1)
        return F.grid_sample(picture - outside, grid, align_corners=False) + outside

    return apply


def _is_picture(tensor: Tensor) -> bool:
    """Whether it has three channels, as dream and photo do; a mask has one."""
    return tensor.shape[1] == 3


def _outside(picture: Tensor) -> float:
    """The value of a border: middle grey around a picture, and 0, nothing, around anything else."""
    return _GREY if _is_picture(picture) else 0.0


def _cut(size: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The start and size of a random part whose sides are `most` pixels shorter, at least 1."""
    cut = (size - 1).clamp(max=most)
    return torch.tensor([_whole(0, int(side)) for side in cut], dtype=size.dtype), size - cut


def _affine(scale: Tensor, shift: Tensor, degrees: float = 0.0) -> Tensor:
    """Turned by `degrees` clockwise, then scaled, then moved: a 3x3 matrix for (x, y, 1)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned = torch.diag(scale) @ torch.tensor([[cos, -sin], [sin, cos]], dtype=scale.dtype)
    return torch.cat([torch.cat([turned, shift[:, None]], 1), torch.tensor([[0.0, 0.0, 1.0]], dtype=scale.dtype)])


def _whole(low: int, high: int) -> int:
    """A random whole number, both ends included. Always from the CPU's generator: the same on every device."""
    return int(torch.randint(low, high + 1, ()))


def _number(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


@hookimpl
def register_transforms(register: Register) -> None:
    """The built-in transforms."""
    for function in (jitter, rotate, scale, crop, crops, noise, warp, pad, standard):
        register(function)
