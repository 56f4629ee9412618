"""Colours that are not burnt out: a lock on the photo's chroma, and limits that neither clip nor freeze."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamer.image import OPEN, Edges
from dreamer.image.bands import bands
from dreamer.image.cells import pooled, smooth_rows
from dreamer.image.luma import luma
from dreamer.image.storage import empty

MARGIN = 0.02  # distance that the dream keeps from black and white, unless the photo is nearer (5 levels of 255)
SHOULDER = 0.2  # distance from black or white at which steps towards them begin to shorten
MEAN = (0.485, 0.456, 0.406)  # mean colour of ImageNet
_AXES = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))
_INK = 1e-3  # distance that decorrelated colours keep from black and white
_CELL = 8  # side in pixels of the cells over which the room for chroma is averaged
_BAND = 2**16  # pixels at a time: temporaries stay in the cache, and a large picture cannot afford them whole


def natural(colours: Tensor) -> Tensor:
    """Decorrelated colours c, (B, 3, H, W), as a picture in [0, 1]: sigmoid(M c + logit(mean)).

    The axes are those along which the colours of natural pictures vary, each as far as they do (light, red to blue,
    magenta to green): M is a root of the covariance of ImageNet's colours, its longest column 1 (Olah 2017).
    """
    axes, mean = _axes(colours)
    picture: Tensor = torch.einsum("ij,bjhw->bihw", axes, colours)
    return (picture + mean).sigmoid()


def decorrelated(image: Tensor) -> Tensor:
    """The inverse of `natural`; black and white, which lie at infinity, are taken a little nearer."""
    axes, mean = _axes(image)
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(axes), image.logit(eps=_INK) - mean)


def _axes(image: Tensor) -> tuple[Tensor, Tensor]:
    axes = image.new_tensor(_AXES)
    return axes / axes.norm(dim=0).max(), image.new_tensor(MEAN)[:, None, None].logit()


def hold(gradient: Tensor, colour: float) -> Tensor:
    """Multiply the gradient's chroma (Cb, Cr) by 1 - colour, in place; its luma stays."""
    for rows in bands(gradient.shape[-2], gradient.shape[-1], _BAND) if colour else ():
        part = gradient[:, :, rows]
        grey = luma(part).mul_(colour)
        part.mul_(1 - colour).add_(grey)
    return gradient


def climb(image: Tensor, step: Tensor, photo: Tensor, colour: float, edges: Edges = OPEN) -> Tensor:
    """image + step, where steps shorten as they near black or white; steps away from them do not.

    All (B, 3, H, W). Where the photo itself is nearer to black or white than MARGIN, the photo's value is the limit:
    a blown-out sky can darken into forms, and nothing else is clipped. Half of its steps are lost there, those that
    would lighten it, and so the others go twice as far. With `colour` from 0.5 a pixel's channels shorten alike, and
    its chroma as that of its surroundings, for colours that changed from pixel to pixel would be grain; with 0 each
    channel shortens for itself, which keeps its contrast. Overwrites `step`.
    """
    height, width = size = (image.shape[-2], image.shape[-1])
    alike, cell = min(1.0, 2 * colour), edges.cell(min(_CELL, height, width), size)
    shared = empty((len(image), 1, height, width), image) if alike else image

    def room(rows: slice) -> Tensor:
        now, move, (low, high) = image[:, :, rows], step[:, :, rows], limits(photo[:, :, rows])
        return torch.where(move > 0, high - now, now - low).div_(SHOULDER).clamp_(0, 1)

    def least(rows: slice) -> Tensor:
        return torch.amin(room(rows), 1, keepdim=True, out=shared[:, :, rows])

    whole = ((rows, image) for rows in bands(height, width, _BAND))
    for rows, soft in smooth_rows(pooled(least, size, cell), size, cell, edges) if alike else whole:
        move, like = step[:, :, rows], photo[:, :, rows]
        times = torch.maximum(like, 1 - like).amin(1, keepdim=True).sub_(1 - 2 * MARGIN).div_(MARGIN).clamp_(0, 1) + 1
        own = room(rows).mul_(move).mul_(times) if alike < 1 else move
        if alike:
            light = luma(move)
            both = (move - light).mul_(soft).add_(light.mul_(shared[:, :, rows]).mul_(times))
        climbed = both if alike == 1 else own.lerp_(both, alike) if alike else own
        move.copy_(climbed.add_(image[:, :, rows]).clamp_(*limits(like)))
    return step


def within(image: Tensor, photo: Tensor) -> Tensor:
    """The picture brought inside the limits that the photo sets, in place."""
    for rows in bands(image.shape[-2], image.shape[-1], _BAND):
        image[:, :, rows].clamp_(*limits(photo[:, :, rows]))
    return image


def limits(photo: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest values that a picture may have over a photo; all of one shape."""
    return photo.clamp(max=MARGIN), photo.clamp(min=1 - MARGIN)
