"""How unnatural a picture is: (image (B, 3, H, W) in [0, 1], *, options) -> scalar.

Every prior is a mean over the picture's values. The ascent subtracts its gradient per value, times its weight, from
the dream's own, whose RMS is 1: weight 1 on a prior of slope 1 is a pull as strong as the dream.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from dreamer.hookspecs import Register, hookimpl
from dreamer.options import Range


def total_variation(image: Tensor) -> Tensor:
    """Roughness: the mean absolute difference of neighbours, down and across (Rudin, Osher, Fatemi 1992)."""
    return image.diff(dim=-2).abs().mean() + image.diff(dim=-1).abs().mean()


def l2_to_photo(image: Tensor, *, photo: Tensor) -> Tensor:
    """Distance from the photo: the mean squared difference. Weight w holds changes near 1 / (2 w)."""
    return (image - photo).square().mean()


def frequency(image: Tensor, *, cutoff: Annotated[float, Range(0, 0.7)] = 0.25) -> Tensor:
    """Fine grain: the mean energy of all that lies above `cutoff`, in cycles per pixel (0.5 is the finest)."""
    height, width = image.shape[-2:]
    rows = torch.fft.fftfreq(height, device=image.device)[:, None]
    columns = torch.fft.rfftfreq(width, device=image.device)
    above = (rows.square() + columns.square()).sqrt() > cutoff
    grain: Tensor = torch.fft.irfft2(torch.fft.rfft2(image) * above, s=(height, width))
    return grain.square().mean()


def colour_range(
    image: Tensor, *, low: Annotated[float, Range(0, 1)] = 0.05, high: Annotated[float, Range(0, 1)] = 0.95
) -> Tensor:
    """Values outside `low` ... `high`: their mean squared excess."""
    return ((low - image).clamp(min=0) + (image - high).clamp(min=0)).square().mean()


@hookimpl
def register_priors(register: Register) -> None:
    """The built-in priors."""
    for function in (total_variation, l2_to_photo, frequency, colour_range):
        register(function)
