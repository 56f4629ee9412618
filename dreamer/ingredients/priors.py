"""Penalties for unnatural pictures: (image (B, 3, H, W) in [0, 1], *, options) -> scalar.

A prior is a mean over the picture's values. The ascent subtracts its gradient per value, times its weight, from
the dream's own, whose RMS is 1: weight 1 on a prior of slope 1 is a pull as strong as the dream.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.hookspecs import Register, hookimpl
from dreamer.image import OPEN, Edges
from dreamer.image.edges import around
from dreamer.recipes.options import Range

Share = Annotated[float, Range(0, 1)]

_EPS = 1e-6  # as in Lucid: the root has no finite slope at 0


def total_variation(image: Tensor, *, power: Annotated[float, Range(1, 4)] = 1.0, edges: Edges = OPEN) -> Tensor:
    """Roughness: the mean absolute difference of neighbours, down and across (Rudin, Osher, Fatemi 1992).

    To the power of `power`: at 1 edges cost no more than ramps, at 2 (Mahendran 2014) they are smoothed away.
    """
    closed = ((dim, around(image, dim, (0, image.shape[dim] + 1)) if goes else image) for dim, goes in edges.axes())
    down, across = (picture.diff(dim=dim).abs().pow(power).mean() for dim, picture in closed)
    return down + across


def l1(image: Tensor, *, grey: Share = 0.5) -> Tensor:
    """Distance from `grey`, the mean absolute difference: pixels that do not matter fade fully to grey (Lucid 2017)."""
    return (image - grey).abs().mean()


def l2(image: Tensor, *, grey: Share = 0.5) -> Tensor:
    """Distance from `grey`, the root mean square difference: the strongest contrasts fade most (Lucid 2017)."""
    return ((image - grey).square().mean() + _EPS).sqrt()


def blur(image: Tensor, *, edges: Edges = OPEN) -> Tensor:
    """Grain: half the mean squared difference from the blurred picture, held constant (Nguyen 2015, as in Lucid).

    With weight w, each step of length 1 moves the picture by the share w towards its blurred self. The blur is a 3x3
    mean in which the middle counts twice.
    """
    kernel = image.new_full((3, 3), 0.5)
    kernel[1, 1] = 1
    ones = image.new_ones(1, 1, *image.shape[-2:])

    def blurred(planes: Tensor) -> Tensor:
        seen = (edges.padded(planes, 1, "constant") if edges else planes).flatten(0, 1)[:, None]
        return F.conv2d(seen, kernel[None, None], padding=0 if edges else 1).view_as(planes)

    return (image - (blurred(image) / blurred(ones)).detach()).square().mean() / 2


def l2_to_photo(image: Tensor, *, photo: Tensor) -> Tensor:
    """Distance from the photo: the mean squared difference. Weight w keeps changes near 1 / (2 w)."""
    return (image - photo).square().mean()


def frequency(image: Tensor, *, cutoff: Annotated[float, Range(0, 0.7)] = 0.25) -> Tensor:
    """Fine grain: the mean energy above the frequency `cutoff`, in cycles per pixel (0.5 is the finest)."""
    height, width = image.shape[-2:]
    rows = torch.fft.fftfreq(height, device=image.device)[:, None]
    columns = torch.fft.rfftfreq(width, device=image.device)
    above = (rows.square() + columns.square()).sqrt() > cutoff
    grain: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * above, s=(height, width))
    return grain.square().mean()


def colour_range(image: Tensor, *, low: Share = 0.05, high: Share = 0.95) -> Tensor:
    """Values outside `low` ... `high`: their mean squared excess."""
    return ((low - image).clamp(min=0) + (image - high).clamp(min=0)).square().mean()


@hookimpl
def register_priors(register: Register) -> None:
    """The built-in priors."""
    for function in (total_variation, l1, l2, l2_to_photo, blur, frequency, colour_range):
        register(function)
