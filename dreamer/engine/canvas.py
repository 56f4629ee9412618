"""A canvas, which is an image parameterization (Lucid's `param`; Mordvintsev et al. 2018), and its optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

_FLAT = 1e-3


def is_flat(image: Tensor) -> bool:
    """Whether pictures (B, 3, H, W) are all but uniform: the standard deviation of their values is under 0.001."""
    return float(image.std()) < _FLAT


def falloff(image: Tensor, decay: float) -> Tensor:
    """1 / f^decay of the half spectrum, (H, W // 2 + 1); f in cycles per pixel, at least one per long side."""
    height, width = image.shape[-2:]
    down = torch.fft.fftfreq(height, dtype=image.dtype, device=image.device)[:, None]
    across = torch.fft.rfftfreq(width, dtype=image.dtype, device=image.device)
    f: Tensor = torch.hypot(down, across).clamp(min=1 / max(height, width))
    return f.pow(-decay)


def clouds(image: Tensor) -> Tensor:
    """Noise of 1 / f, as natural pictures' spectra are, of mean 0 and standard deviation 1: the shape of `image`."""
    height, width = image.shape[-2:]
    spectrum = torch.fft.rfft2(torch.randn(image.shape).to(image)) * falloff(image, 1.0)
    spectrum[..., 0, 0] = 0
    waves: Tensor = torch.fft.irfft2(spectrum, s=(height, width))
    return waves / waves.std((1, 2, 3), keepdim=True)


@dataclass(frozen=True)
class Canvas:
    """Parameters, and the picture that they give.

    `parameters` are float tensors that an optimiser changes in place; `paint()` gives the picture (B, 3, H, W) in
    [0, 1] of their current values, differentiable in them. A generator with its code as the parameters is a canvas,
    too.
    """

    parameters: tuple[Tensor, ...]
    paint: Callable[[], Tensor]

    @property
    def count(self) -> int:
        """Number of values in all parameters."""
        return sum(parameter.numel() for parameter in self.parameters)


class Optimiser(Protocol):
    """Moves parameters towards a smaller loss, as torch.optim's optimisers do.

    With an attribute `gradient_free` that is true it is given the loss alone, without gradients.
    """

    def step(self, closure: Callable[[], Tensor]) -> Any:
        """Move the parameters once; `closure` gives the loss, and puts gradients into each parameter's `grad`."""


def is_gradient_free(optimiser: Optimiser) -> bool:
    """Whether an optimiser needs no gradient."""
    return bool(getattr(optimiser, "gradient_free", False))
