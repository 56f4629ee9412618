"""What happens to the picture after a step: (image (B, 3, H, W) in [0, 1], *, options) -> image."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from dreamer.hookspecs import Register, hookimpl
from dreamer.options import Range
from dreamer.step import Step


def blur(
    image: Tensor,
    *,
    step: Step,
    every: Annotated[int, Range(1)] = 4,
    sigma: Annotated[float, Range(0.1, 64)] = 0.5,
) -> Tensor:
    """A Gaussian blur of `sigma` pixels after every few steps: grain fades, forms stay (Yosinski 2015)."""
    from kornia.filters import gaussian_blur2d

    if (step.number + 1) % every:
        return image
    size = 2 * min(round(3 * sigma), min(image.shape[-2:]) - 1) + 1
    return gaussian_blur2d(image, (size, size), (sigma, sigma), border_type="reflect")


def decay(image: Tensor, *, photo: Tensor, rate: Annotated[float, Range(0, 1)] = 0.01) -> Tensor:
    """A share of the way back to the photo after every step: what is not climbed again fades."""
    return image.lerp(photo, rate)


@hookimpl
def register_updates(register: Register) -> None:
    """The built-in updates."""
    for function in (blur, decay):
        register(function)
