"""What a dream keeps of its photo: what stands out in it, its light and shade, and how colourful it is."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.colour import within
from dreamer.image import blurred, resize
from dreamer.image.luma import luma

_SIDE = 256  # px, of the short side: as large as a photo is when its salience is looked for
_SCALES = (0.01, 0.02, 0.04)  # of the short side: sizes of what stands out, compared with what is four times as large
_MOST = 0.98  # of the places have less salience than 1
_FAINT = 0.02  # a difference under this stands out nowhere
_COARSE, _AFAR = 48, 0.1  # px of the short side for light and shade; their blur's sigma, as a share of it
_VIVID, _CONTRASTY = 1.2, 1.1  # by how much saturation and contrast are raised at most where they have fallen


def salience(photo: Tensor) -> Tensor:
    """How much each place stands out against its surroundings, (B, 3, H, W) -> (B, 1, H, W) in [0, 1].

    Differences of centre and surround in colour and light at three scales (Itti, Koch, Niebur 1998).
    """
    height, width = photo.shape[-2:]
    shrink = min(1.0, _SIDE / min(height, width))
    small = photo if shrink == 1 else resize(photo, (round(height * shrink), round(width * shrink)))
    short = min(small.shape[-2:])
    found = torch.zeros_like(small[:, :1])
    for scale in _SCALES:
        centre, surround = blurred(small, max(0.5, scale * short / 2)), blurred(small, max(1.0, scale * short * 2))
        found += torch.linalg.vector_norm(centre - surround, dim=1, keepdim=True)
    found = blurred(found, max(0.5, 0.01 * short))
    places = found[0].numel()
    most = found.flatten(1).kthvalue(math.ceil(_MOST * places), dim=1).values.clamp(min=_FAINT)[:, None, None, None]
    return F.interpolate((found / most).clamp(0, 1), size=(height, width), mode="bilinear", align_corners=False)


def settled(image: Tensor, photo: Tensor, keep: float, colour: float) -> Tensor:
    """The dream at the end of an octave, brought nearer to its photo in what is seen from afar.

    What the dream has shifted in wide areas is taken back, of the colours the share `colour`, and of the light
    1 - (1 - keep)^2; where it has become less colourful than the photo, or poorer in contrast, that is made good.

    Args:
        image: The dream, (B, 3, H, W) in [0, 1].
        photo: The undreamt picture, of the same shape; it sets the limits.
        keep: From 0 (not at all) to 1.
        colour: From 0 to 1.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    if not keep:
        return image
    shift = _from_afar(image - photo)
    light = luma(shift)
    image = image - (shift - light).mul_(colour).add_(light, alpha=1 - (1 - keep) ** 2)
    grey = luma(image)
    vivid = _lost(_saturation(photo), _saturation(image), _VIVID)
    contrast = _lost(_contrast(luma(photo)), _contrast(grey), _CONTRASTY)
    mean = grey.mean((1, 2, 3), keepdim=True)
    return within((image - grey).mul_(vivid).add_(mean + (grey - mean) * contrast), photo)


def is_grey(photo: Tensor) -> bool:
    """Whether a picture (B, 3, H, W) has no colours: a photo in black and white."""
    return float(_saturation(photo).amax()) < 0.5 / 255


def _from_afar(change: Tensor) -> Tensor:
    """What of a change (B, 3, H, W) is seen from afar: its means over wide areas."""
    height, width = change.shape[-2:]
    shrink = min(1.0, _COARSE / min(height, width))
    small = resize(change, (max(1, round(height * shrink)), max(1, round(width * shrink))))
    return resize(blurred(small, _AFAR * min(small.shape[-2:])), (height, width))


def _lost(before: Tensor, now: Tensor, most: float) -> Tensor:
    """By what to multiply so that as much is there as before, from 1 to `most`."""
    return (before / now.clamp(min=1e-6)).clamp(1, most)


def _saturation(picture: Tensor) -> Tensor:
    """The mean distance of the largest and the smallest channel, (B, 1, 1, 1)."""
    return (picture.amax(1, keepdim=True) - picture.amin(1, keepdim=True)).mean((2, 3), keepdim=True)


def _contrast(grey: Tensor) -> Tensor:
    """The standard deviation of the luma (B, 1, H, W), (B, 1, 1, 1)."""
    return grey.std((1, 2, 3), keepdim=True)
