"""Pen and ink for dreamer: pen strokes, engraved lines and woodcuts.

These ingredients decide how a dream is drawn, not what it shows, so they work with any network and objective. Lengths
are in pixels of the finished picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d, spatial_gradient
from torch import Tensor

from dreamer import Range, Step, hookimpl, unit

_EDGE = 6.0  # steepness of a line's edge: about a pixel wide at any spacing
_SHARP = 4.0  # a difference of a quarter of the depth is pushed nearly all the way
_PAPER = (0.98, 0.95, 0.88)  # red, green and blue
_MOST_INK = 0.7  # share of a layer that lines can cover, so that some paper always shows between them


def strokes(
    gradient: Tensor,
    *,
    image: Tensor,
    spacing: Annotated[float, Range(2, 64)] = 5.0,
    length: Annotated[int, Range(1, 256)] = 16,
    amount: Annotated[float, Range(0, 1)] = 0.8,
) -> Tensor:
    """Draw with a pen along the picture's contours: flow-based difference of Gaussians (Kang, Lee, Chui 2007).

    Across the contours, only waves of about `spacing` pixels are kept of the gradient; along them, it is smoothed over
    `length` pixels. `amount` blends from the unchanged gradient (0) to the strokes (1). All tensors are (B, 3, H, W);
    the result has RMS 1, and a zero gradient stays zero.
    """
    gradient = unit(gradient)
    along = _flow(image, max(2.0, spacing))
    across = along.flip(1) * along.new_tensor([-1.0, 1.0])[:, None, None]
    pen = _blurred(gradient, spacing / 6)  # removes finer waves, which the difference would keep
    drawn = pen - 0.5 * _sides(pen, across, spacing / 2)
    reach = 1
    while reach <= length / 2:  # à trous: each pass doubles the length of the strokes
        drawn = 0.5 * drawn + 0.25 * _sides(drawn, along, reach)
        reach *= 2
    return unit(torch.lerp(gradient, unit(drawn), amount))


def hatching(
    image: Tensor,
    *,
    step: Step,
    spacing: Annotated[float, Range(3, 256)] = 6.0,
    angle: Annotated[float, Range(-180, 180)] = 30.0,
    layers: Annotated[int, Range(1, 4)] = 1,
    bend: Annotated[float, Range(-256, 256)] = 16.0,
    depth: Annotated[float, Range(0, 1)] = 0.3,
) -> Tensor:
    """Difference between the picture and an engraving of it: lines that are thicker where it is dark, as on a banknote.

    Lines are `spacing` pixels apart at `angle` degrees, and are shifted by up to `bend` pixels from black to white, so
    that they follow the forms. With several `layers`, each crosses the ones before where the picture is even darker.
    `depth` is how much darker ink is than paper, in image units; the local mean tone is kept. Before the last octave
    the result is 0, so that lines are drawn last.
    """
    if step.octave + 1 < step.octaves:
        return image.sum() * 0
    grey = image.mean(1, keepdim=True)
    with torch.no_grad():
        tone, relief = _blurred(grey, spacing / 2), _blurred(grey, 2 * spacing)
        blank = torch.ones_like(grey)
        for layer in range(layers):
            phase = _phase(grey, angle + 180 * layer / layers) + bend * relief
            begin = layer / layers
            share = ((1 - tone - begin) / (1 - begin)).clamp(0, 1) * _MOST_INK
            line = torch.cos(phase * (2 * math.pi / spacing)) - torch.cos(share * math.pi)
            blank *= torch.sigmoid(-line * spacing * _EDGE / (2 * math.pi))
        engraved = tone + depth * (blank - _blurred(blank, spacing))
    return (grey - engraved).square().mean()


def two_tone(
    image: Tensor,
    *,
    pixels: Annotated[float, Range(2, 256)] = 8.0,
    depth: Annotated[float, Range(0.01, 1)] = 0.12,
) -> Tensor:
    """Difference between the picture and a woodcut of it: `depth` darker or lighter than the mean of `pixels` around.

    What is darker than its surroundings becomes ink, what is lighter becomes paper: a soft local threshold (after the
    XDoG of Winnemöller, Kyprianidis, Olsen 2012). Plain areas stay as they are.
    """
    grey = image.mean(1, keepdim=True)
    with torch.no_grad():
        ground = _blurred(grey, pixels)
        relief = _blurred(grey, pixels / 10) - ground
        cut = ground + depth * torch.tanh((relief * (_SHARP / depth)) ** 3)  # cubed, so that faint grain is ignored
    return (grey - cut).square().mean()


def printed(image: Tensor, *, amount: Annotated[float, Range(0, 1)] = 0.25) -> Tensor:
    """The picture in black ink on cream paper, by `amount` of the way after each step; (B, 3, H, W) in [0, 1].

    Its light stays, its colours go. Let `spare` and `colour` be 0, which would bring the photo's colours back.
    """
    paper = image.new_tensor(_PAPER)[:, None, None]
    return torch.lerp(image, (image.mean(1, keepdim=True) * paper / paper.mean()).clamp(max=1), amount)


def _flow(image: Tensor, sigma: float) -> Tensor:
    """Unit vectors (x, y) along the contours, (B, 2, H, W): the minor direction of the structure tensor."""
    slope = spatial_gradient(image.mean(1, keepdim=True), "sobel")[:, 0]
    x, y = slope.unbind(1)
    xx, xy, yy = _blurred(torch.stack([x * x, x * y, y * y], 1), sigma).unbind(1)
    steepest = 0.5 * torch.atan2(2 * xy, xx - yy)
    return torch.stack([-steepest.sin(), steepest.cos()], 1)


def _sides(values: Tensor, direction: Tensor, reach: float) -> Tensor:
    """The sum of the values `reach` pixels ahead and `reach` pixels behind, along `direction`."""
    height, width = values.shape[-2:]
    still = torch.eye(2, 3, device=values.device, dtype=values.dtype).expand(len(values), 2, 3)
    here = F.affine_grid(still, [len(values), 1, height, width], align_corners=False)
    away = direction.permute(0, 2, 3, 1) * (2 * reach / direction.new_tensor([width, height]))
    ahead, behind = (
        F.grid_sample(values, here + side, padding_mode="reflection", align_corners=False) for side in (away, -away)
    )
    return ahead + behind


def _phase(like: Tensor, angle: float) -> Tensor:
    """Pixels from the picture's corner, perpendicular to lines at `angle` degrees counter-clockwise, (H, W)."""
    turn = math.radians(angle)
    rows = torch.arange(like.shape[-2], device=like.device, dtype=like.dtype)[:, None]
    columns = torch.arange(like.shape[-1], device=like.device, dtype=like.dtype)
    return columns * math.sin(turn) + rows * math.cos(turn)


def _blurred(values: Tensor, sigma: float) -> Tensor:
    size = 2 * min(math.ceil(3 * sigma), min(values.shape[-2:]) - 1) + 1
    return gaussian_blur2d(values, (size, size), (sigma, sigma), border_type="reflect")


@hookimpl
def register_gradient_filters(register: Callable[..., None]) -> None:
    """Pen strokes."""
    register(strokes)


@hookimpl
def register_updates(register: Callable[..., None]) -> None:
    """Printer's ink on paper."""
    register(printed)


@hookimpl
def register_priors(register: Callable[..., None]) -> None:
    """Engraving and woodcut."""
    for function in (hatching, two_tone):
        register(function)
