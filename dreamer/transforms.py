"""What happens to a picture before the network sees it: (image (B, 3, H, W), *, options) -> image.

Random at every step and differentiable: autograd carries the gradient back. Small changes of place, angle and size make
forms that hold under all of them (Olah, Mordvintsev, Schubert 2017), and average the network's own grid away.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.hookspecs import Register, hookimpl
from dreamer.options import Range


def jitter(
    image: Tensor,
    *,
    pixels: Annotated[int, Range(0, 1024)] = 32,
    border: Literal["roll", "mirror"] = "roll",
) -> Tensor:
    """Move the picture by up to `pixels` each way.

    `roll` covers every pixel alike and joins opposite edges; `mirror` reflects at the borders and loses what leaves.
    """
    height, width = image.shape[-2:]
    if border == "roll":
        down, right = _whole(-pixels, pixels), _whole(-pixels, pixels)
        return image.roll((down, right), (-2, -1)) if down or right else image
    tall, wide = min(pixels, height - 1), min(pixels, width - 1)
    top, left = _whole(0, 2 * tall), _whole(0, 2 * wide)
    padded = F.pad(image, (wide, wide, tall, tall), mode="reflect")
    return padded[..., top : top + height, left : left + width]


def rotate(image: Tensor, *, degrees: Annotated[float, Range(0, 180)] = 5.0) -> Tensor:
    """Turn the picture about its centre by up to `degrees` each way, reflecting at the borders."""
    from kornia.geometry.transform import rotate as turn

    angle = torch.tensor([_number(-degrees, degrees)], device=image.device, dtype=image.dtype)
    return turn(image, angle.expand(len(image)), padding_mode="reflection")


def scale(image: Tensor, *, amount: Annotated[float, Range(0, 0.9)] = 0.1) -> Tensor:
    """Enlarge or shrink the picture by a factor of 1 - `amount` to 1 + `amount`."""
    from kornia.geometry.transform import resize

    factor = _number(1 - amount, 1 + amount)
    size = (max(1, round(image.shape[-2] * factor)), max(1, round(image.shape[-1] * factor)))
    return resize(image, size, antialias=factor < 1)


def crop(image: Tensor, *, share: Annotated[float, Range(0.1, 1)] = 0.8) -> Tensor:
    """Look only at a random part of the picture whose sides are `share` of the picture's."""
    height, width = (max(1, round(side * share)) for side in image.shape[-2:])
    top, left = _whole(0, image.shape[-2] - height), _whole(0, image.shape[-1] - width)
    return image[..., top : top + height, left : left + width]


def noise(image: Tensor, *, sigma: Annotated[float, Range(0, 1)] = 0.03) -> Tensor:
    """Add Gaussian noise of standard deviation `sigma`, in image units (Smilkov 2017: it smooths the gradient)."""
    return image + sigma * torch.randn_like(image)


def _whole(low: int, high: int) -> int:
    """A random whole number, both ends included. Always from the CPU's generator: the same on every device."""
    return int(torch.randint(low, high + 1, ()))


def _number(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


@hookimpl
def register_transforms(register: Register) -> None:
    """The built-in transforms."""
    for function in (jitter, rotate, scale, crop, noise):
        register(function)
