"""Changes of the picture after a step: (image (B, 3, H, W) in [0, 1], *, options) -> image.

Yosinski (2015) found that several weak ones together do more for a picture than any strong one: decay, blur, and the
clipping of pixels that are small or matter little. Elsewhere such pixels fade to grey; here they fade to the photo,
unless `to` is "grey".
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Literal

import torch
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.hookspecs import Register, hookimpl
from dreamer.image import OPEN, Edges, blurred
from dreamer.recipes.options import Range

_GREY = 0.5

To = Literal["photo", "grey"]
Every = Annotated[int, Range(1)]
Share = Annotated[float, Range(0, 1)]


def blur(
    image: Tensor, *, step: Step, every: Every = 4, sigma: Annotated[float, Range(0.1, 64)] = 0.5, edges: Edges = OPEN
) -> Tensor:
    """A Gaussian blur of `sigma` pixels after every few steps: grain fades, forms stay (Yosinski 2015)."""
    return image if (step.number + 1) % every else blurred(image, sigma, edges=edges)


def bilateral(
    image: Tensor,
    *,
    step: Step,
    every: Every = 4,
    sigma: Annotated[float, Range(0.1, 8)] = 1.5,
    contrast: Annotated[float, Range(0.01, 10)] = 0.1,
    edges: Edges = OPEN,
) -> Tensor:
    """A blur that stops at edges, after every few steps (Tomasi, Manduchi 1998; for dreams: Tyka 2016).

    Each neighbour within two `sigma` pixels counts by a Gaussian of its distance, times one of width `contrast` of its
    colour's distance in image units. kornia's `bilateral_blur` gives the same to 8e-7, but unfolds the picture on CUDA:
    a copy of it for every neighbour.
    """
    if (step.number + 1) % every:
        return image
    reach = min(round(2 * sigma), min(image.shape[-2:]) - 1)
    padded = edges.padded(image, reach)
    height, width = image.shape[-2:]
    total, weights = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    for y, x in product(range(2 * reach + 1), repeat=2):
        neighbour = padded[..., y : y + height, x : x + width]
        apart = ((y - reach) ** 2 + (x - reach) ** 2) / sigma**2
        unlike = (neighbour - image).square().sum(1, keepdim=True) / contrast**2
        weight = unlike.add_(apart).mul_(-0.5).exp_()
        total.addcmul_(weight, neighbour)
        weights += weight
    return total.div_(weights)


def decay(image: Tensor, *, photo: Tensor, rate: Share = 0.01, to: To = "photo") -> Tensor:
    """A share of the way back to the photo after every step: what is not climbed again fades (Yosinski 2015)."""
    return image.lerp(_rest(photo, image, to), rate)


def small_norm(image: Tensor, *, photo: Tensor, share: Share = 0.2, to: To = "photo") -> Tensor:
    """The pixels that differ least from the photo return to it, this `share` of all (Yosinski 2015)."""
    rest = _rest(photo, image, to)
    return _clipped(image, rest, torch.linalg.vector_norm(image - rest, dim=1, keepdim=True), share)


def small_contribution(
    image: Tensor, *, photo: Tensor, gradient: Tensor, share: Share = 0.2, to: To = "photo"
) -> Tensor:
    """The pixels whose difference from the photo matters least return to it, this `share` of all (Yosinski 2015).

    How much a pixel matters is |sum over its colours of difference times gradient|, about what the score would lose
    without it.
    """
    rest = _rest(photo, image, to)
    return _clipped(image, rest, ((image - rest) * gradient).sum(1, keepdim=True).abs(), share)


def stretch(image: Tensor, *, step: Step) -> Tensor:
    """After the last step of all the darkest value becomes black and the lightest white (MATLAB's linear scaling)."""
    if step.octave + 1 < step.octaves or step.number + 1 < step.count:
        return image
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    return (image - low) / (high - low).clamp(min=torch.finfo(image.dtype).eps)


def _rest(photo: Tensor, image: Tensor, to: To) -> Tensor:
    """The picture that pixels return to, (1 or B, 3, H, W)."""
    return photo if to == "photo" else torch.full_like(image[:1], _GREY)


def _clipped(image: Tensor, rest: Tensor, size: Tensor, share: float) -> Tensor:
    """The picture with `rest` wherever `size` (B, 1, H, W) is under its quantile `share`, picture by picture."""
    flat = size.flatten(1)
    least = flat.kthvalue(1 + round(share * (flat.shape[1] - 1)), dim=1).values
    return torch.where(size < least[:, None, None, None], rest, image)


@hookimpl
def register_updates(register: Register) -> None:
    """The built-in updates."""
    for function in (blur, bilateral, decay, small_norm, small_contribution, stretch):
        register(function)
