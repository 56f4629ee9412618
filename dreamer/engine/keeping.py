"""Preserving the photo under a dream: what stands out in it, its light and shade, its saturation and contrast."""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.colour import within
from dreamer.image import OPEN, Edges, blurred, resize
from dreamer.image.bands import bands
from dreamer.image.luma import luma

_SIDE = 128  # px, of the short side: as large as a photo is when its salience is looked for
_SCALES = (0.01, 0.02, 0.04)  # shares of the short side: sizes of details; their surroundings are four times as large
_MOST = 0.98  # share of the places that have less salience than 1
_FAINT = 0.02  # a difference under this stands out nowhere
_COARSE, _AFAR = 48, 0.1  # px of the short side for light and shade; their blur's sigma, as a share of it
_NO_ROOM, _ROOM = 0.05, 0.2  # distances from white or black up to which nothing is moved, and from which on all is
_VIVID, _CONTRASTY = 1.2, 1.1  # largest factors that restore lost saturation and contrast


def salience(photo: Tensor, edges: Edges = OPEN) -> Tensor:
    """The salience of each place, (B, 3, H, W) -> (B, 1, h, w) in [0, 1], at a reduced size.

    Differences of centre and surround in colour and light at three scales (Itti, Koch, Niebur 1998).
    """
    small = _at_most(photo, _SIDE, edges)
    short = min(small.shape[-2:])
    found = torch.zeros_like(small[:, :1])
    for scale in _SCALES:
        near, far = max(0.5, scale * short / 2), max(1.0, scale * short * 2)
        centre, surround = blurred(small, near, edges=edges), blurred(small, far, edges=edges)
        found += torch.linalg.vector_norm(centre - surround, dim=1, keepdim=True)
    found = blurred(found, max(0.5, 0.01 * short), edges=edges)
    places = found[0].numel()
    most = found.flatten(1).kthvalue(math.ceil(_MOST * places), dim=1).values.clamp(min=_FAINT)[:, None, None, None]
    return (found / most).clamp(0, 1)


def shortened(step: Tensor, found: Tensor, spare: float, edges: Edges = OPEN) -> Tensor:
    """A step (B, 3, H, W), in place, shorter by `spare` of the salience that was `found` (B, 1, h, w)."""
    size = (step.shape[-2], step.shape[-1])
    whole = edges.resampled(found, size, partial(F.interpolate, mode="bilinear", align_corners=False))
    for rows in bands(*size):
        step[:, :, rows].mul_(1 - spare * whole[:, :, rows])
    return step


def settled(image: Tensor, photo: Tensor, spare: float, colour: float, edges: Edges = OPEN) -> Tensor:
    """The dream at the end of an octave, brought nearer to its photo in what is seen from afar.

    What the dream has shifted in wide areas is taken back, of the colours the share `colour`, and of the light
    1 - (1 - spare)^2; where it has become less colourful than the photo, or poorer in contrast, that is made good.

    Args:
        image: The dream, (B, 3, H, W) in [0, 1]; it is overwritten.
        photo: The undreamt picture, of the same shape; it sets the limits.
        spare: The recipe's `spare`, from 0 (not at all) to 1.
        colour: The recipe's `colour`, from 0 to 1.
        edges: Where the pictures go round.

    Returns:
        (B, 3, H, W) in [0, 1].
    """
    if not spare:
        return image
    image.sub_(_from_afar(image, photo, colour, 1 - (1 - spare) ** 2, edges))
    (saturation, contrast, mean), (vivid, contrasty, _) = _measured(image), _measured(photo)
    vivid, contrasty = _lost(vivid, saturation, _VIVID), _lost(contrasty, contrast, _CONTRASTY)
    if not ((vivid > 1) | (contrasty > 1)).any():
        return within(image, photo)
    for rows in bands(*image.shape[-2:]):
        part = image[:, :, rows]
        grey = luma(part)
        part.sub_(grey).mul_(vivid).add_(grey + (grey - mean) * (contrasty - 1) * _room(grey))
    return within(image, photo)


def is_grey(photo: Tensor) -> bool:
    """Whether a picture (B, 3, H, W) has no colours: a photo in black and white."""
    return float(_measured(photo)[0].amax()) < 0.5 / 255


def _from_afar(image: Tensor, photo: Tensor, colour: float, light: float, edges: Edges) -> Tensor:
    """The part of a photo's change (B, 3, H, W) that is seen from afar: shares of the wide means of colour and light.

    A blown-out sky can only be darkened by a form, and a black room only be lightened: brought back to the photo's
    light, they would be flat again. So the nearer to white or black, the less of the light is told.
    """
    undreamt = _at_most(photo, _COARSE, edges)
    change = blurred(_at_most(image, _COARSE, edges) - undreamt, _AFAR * min(undreamt.shape[-2:]), edges=edges)
    grey = luma(undreamt)
    seen = change * colour + luma(change) * (_room(grey) * light - colour)
    return resize(seen, (image.shape[-2], image.shape[-1]), edges)


def _room(grey: Tensor) -> Tensor:
    """From 0 at black and white to 1 where a luma is far enough from both to be moved without being cut off."""
    return ((torch.minimum(grey, 1 - grey) - _NO_ROOM) / (_ROOM - _NO_ROOM)).clamp(0, 1)


def _at_most(picture: Tensor, short: int, edges: Edges) -> Tensor:
    """The picture (B, C, H, W) with a short side of so many pixels at most."""
    height, width = picture.shape[-2:]
    shrink = min(1.0, short / min(height, width))
    return resize(picture, (round(height * shrink), round(width * shrink)), edges)


def _lost(before: Tensor, now: Tensor, most: float) -> Tensor:
    """The factor, from 1 to `most`, that brings `now` back to `before`."""
    return (before / now.clamp(min=1e-6)).clamp(1, most)


def _measured(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The saturation, contrast and mean luma of pictures (B, 3, H, W), each (B, 1, 1, 1).

    Saturation is the mean distance of the largest and the smallest channel, contrast the luma's standard deviation.
    """
    sums = torch.zeros(3, len(picture), 1, 1, 1, dtype=torch.float64)  # on the CPU: not every device has doubles
    for rows in bands(*picture.shape[-2:]):
        part = picture[:, :, rows]
        grey = luma(part)
        for into, values in zip(sums, (part.amax(1, True) - part.amin(1, True), grey, grey.square()), strict=True):
            into += values.sum((1, 2, 3), keepdim=True).cpu()
    saturation, mean, square = sums / (picture.shape[-2] * picture.shape[-1])
    contrast = (square - mean.square()).clamp(min=0).sqrt()
    return saturation.to(picture), contrast.to(picture), mean.to(picture)
