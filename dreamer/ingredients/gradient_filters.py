"""Filters of the gradient before a step: (gradient (B, 3, H, W), *, options) -> gradient of that shape, of RMS 1.

A filter is given the gradient of the whole picture, never of a tile: else its strength would depend on the tiles. Zero
gradients stay zero. A filter may overwrite the gradient that it is given.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.laplacian import merge, split
from dreamer.hookspecs import Register, hookimpl
from dreamer.image import OPEN, Edges, blurred
from dreamer.image.bands import bands
from dreamer.image.cells import pooled, smooth_rows
from dreamer.image.luma import luma
from dreamer.image.storage import empty
from dreamer.recipes.options import Range

Share = Annotated[float, Range(0, 1)]

_FAINT = 1e-6  # share of the whole gradient's RMS: a fainter band is rounding noise, and is not amplified


def laplacian(
    gradient: Tensor, *, levels: Annotated[int, Range(1, 10)] = 4, residual: Share = 0.1, edges: Edges = OPEN
) -> Tensor:
    """Equal strength for every frequency band: each band of the Laplacian pyramid is divided by its RMS.

    Mordvintsev's notebook of 2016. Plain gradients starve the low bands, which carry the large shapes. The low residual
    is weighted: at 1 it lets one colour flood the picture, near 0 the colours stay the photo's.
    """
    gradient = _tame(gradient)
    faintest = _FAINT * _rms(gradient)
    bands = split(gradient, levels, edges)
    for band in bands:
        band.div_(torch.maximum(_rms(band), faintest).clamp(min=torch.finfo(band.dtype).tiny))
    bands[-1].mul_(residual if len(bands) > 1 else 1.0)
    return _unit(merge(bands, edges))


def normalise(gradient: Tensor, *, by: Literal["rms", "mean"] = "rms") -> Tensor:
    """The gradient divided by its RMS and nothing else, or by its mean size, as the first DeepDream did (2015)."""
    gradient = _tame(gradient)
    if by == "rms":
        return _unit(gradient)
    mean = gradient.abs().mean((1, 2, 3), keepdim=True)
    return gradient.div_(mean.clamp(min=torch.finfo(gradient.dtype).tiny))


def smooth(gradient: Tensor, *, sigma: Annotated[float, Range(0.1, 64)] = 1.0, edges: Edges = OPEN) -> Tensor:
    """The gradient blurred by Gaussians of `sigma` / 2, `sigma` and 2 `sigma` pixels, their mean: soft, large forms."""
    total = torch.zeros_like(gradient)
    for width in (sigma / 2, sigma, 2 * sigma):
        total += blurred(_tame(gradient), width, edges=edges)
    return _unit(total)


def even(
    gradient: Tensor, *, amount: Share = 0.5, pixels: Annotated[int, Range(4, 1024)] = 32, edges: Edges = OPEN
) -> Tensor:
    """Lift the places where the gradient is weak: the gradient divided by its local RMS to the power of `amount`.

    Squared activations pull hardest where a form is strong already; a plain wall or a blown-out sky would stay empty.
    The RMS is taken over squares of `pixels` a side, or fewer where the picture goes round, so that none is cut.
    """
    gradient = _tame(gradient)
    size = (gradient.shape[-2], gradient.shape[-1])
    cell = edges.cell(min(pixels, *size), size)
    energy = pooled(lambda rows: _energy(gradient[:, :, rows]), size, cell)
    whole = energy.mean((1, 2, 3), keepdim=True).clamp(min=torch.finfo(energy.dtype).tiny)
    between = partial(F.interpolate, mode="bilinear", align_corners=False)
    lift = (energy / whole).clamp(min=_FAINT).pow(-amount / 2)
    return _unit(gradient.mul_(edges.resampled(lift, size, between)))


def chroma(
    gradient: Tensor, *, share: Share = 0.28, sigma: Annotated[float, Range(0, 64)] = 12.0, edges: Edges = OPEN
) -> Tensor:
    """Colours in soft patches: the gradient's chroma blurred by `sigma` pixels, its RMS made `share` of the luma's.

    A network's own chroma is fine grain, which the eye takes for grey with coloured fringes; its forms are in the luma.
    """
    gradient = _tame(gradient)
    grey = empty((len(gradient), 1, *gradient.shape[-2:]), gradient)
    for rows in bands(*gradient.shape[-2:]):
        grey[:, :, rows] = luma(gradient[:, :, rows])
    colours = _soft_chroma(gradient, sigma and min(sigma, min(gradient.shape[-2:]) / 8), edges)
    strength = share * _rms(grey) / _rms(colours).clamp(min=torch.finfo(gradient.dtype).tiny)
    for rows in bands(*gradient.shape[-2:]):
        colours[:, :, rows].mul_(strength).add_(grey[:, :, rows])
    return _unit(colours)


def _soft_chroma(gradient: Tensor, sigma: float, edges: Edges = OPEN) -> Tensor:
    """The gradient less its luma, (B, 3, H, W), blurred by `sigma` pixels, a wide blur on a coarser grid.

    The means of cells and the way back between them blur, too, by variances of cell^2 / 12 and cell^2 / 6. Overwrites
    the gradient.
    """
    height, width = size = (gradient.shape[-2], gradient.shape[-1])
    cell = edges.cell(max(1, int(sigma / 3)), size)
    if cell < 2:
        colours = _chroma(gradient)
        return blurred(colours, sigma, edges=edges) if sigma and min(height, width) > 1 else colours
    coarse = pooled(lambda rows: _chroma(gradient[:, :, rows]), size, cell)
    coarse = blurred(coarse, math.sqrt(sigma**2 - cell**2 / 4) / cell, edges=edges)
    for rows, colours in smooth_rows(coarse, size, cell, edges):
        gradient[:, :, rows] = colours
    return gradient


def _energy(gradient: Tensor) -> Tensor:
    """The sum of the squares of its channels, (B, 3, H, W) -> (B, 1, H, W)."""
    red, green, blue = gradient.unbind(1)
    return (red * red).addcmul_(green, green).addcmul_(blue, blue)[:, None]


def _chroma(gradient: Tensor) -> Tensor:
    return gradient - luma(gradient)


def _rms(values: Tensor) -> Tensor:
    """Root mean square of each picture of the batch, (B, 1, 1, 1)."""
    norm: Tensor = torch.linalg.vector_norm(values, dim=(1, 2, 3), keepdim=True)
    return norm / math.sqrt(values[0].numel())


def _tame(gradient: Tensor) -> Tensor:
    """The gradient, scaled so that its square can be represented: that of 1e-21 would be 0 in float32."""
    low, high = gradient.aminmax()
    peak = torch.maximum(-low, high)
    return gradient if 1e-12 < peak < 1e12 or peak == 0 else gradient.div_(peak)


def unit(gradient: Tensor) -> Tensor:
    """The gradient (B, 3, H, W) divided by its RMS, as a filter's result should be; zero stays zero.

    May overwrite `gradient`.
    """
    return _unit(_tame(gradient))


def _unit(gradient: Tensor) -> Tensor:
    """Divide by the RMS, in place; zero stays zero."""
    return gradient.div_(_rms(gradient).clamp(min=torch.finfo(gradient.dtype).tiny))


@hookimpl
def register_gradient_filters(register: Register) -> None:
    """The built-in gradient filters."""
    for function in (laplacian, normalise, smooth, even, chroma):
        register(function)
