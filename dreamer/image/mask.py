"""A picture as a mask: white is inside, black is not."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dreamer.image.bands import bands
from dreamer.image.luma import LUMA
from dreamer.image.photo import Photo, resize

_SHADE = 0.02  # values nearer than this to black or white count as these, as in a JPEG


def mask_of(photo: Photo, size: tuple[int, int]) -> Tensor:
    """The mask that a picture holds, (1, 1, *size) in [0, 1]: its alpha if that is not opaque throughout, or its luma.

    Values are taken as they are, without a colour profile: the grey in the middle between black and white is 0.5.
    """
    mask = torch.empty(1, 1, photo.height, photo.width)
    alpha = photo.alpha if photo.alpha is not None and (photo.alpha < photo.white).any() else None
    for rows in bands(photo.height, photo.width):
        plane = photo.pixels[rows] if alpha is None else alpha[rows]
        if plane.ndim == 3:
            plane = plane @ np.array(LUMA, np.float32) if plane.shape[2] == 3 else plane[..., 0]
        mask[0, 0, rows] = torch.from_numpy(plane.astype(np.float32) / np.float32(photo.white))
    return resize(mask, size).sub(_SHADE).div_(1 - 2 * _SHADE).clamp_(0, 1)
