"""What a dream comes to: the photo, and the change to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamer.engine.device import Machine
from dreamer.image import Photo, eight_bits


@dataclass(frozen=True)
class Dream:
    """A finished dream: `change` (B, 3, H, W) is the picture minus `photo.image()`, in sRGB, strength applied.

    `machine` is what `auto` came to. Several pictures were made at once where B is more than 1.
    """

    photo: Photo
    change: Tensor
    machine: Machine

    def sheet(self) -> Dream:
        """All pictures as one, side by side in rows; where the last row is not full the photo stands."""
        count = len(self.change)
        if count == 1:
            return self
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        alpha = None if self.photo.alpha is None else np.tile(self.photo.alpha, (rows, columns))
        photo = replace(self.photo, pixels=np.tile(self.photo.pixels, (rows, columns, 1)), alpha=alpha)
        blank = self.change.new_zeros(rows * columns - count, *self.change.shape[1:])
        cells = torch.cat((self.change, blank)).view(rows, columns, *self.change.shape[1:])
        return Dream(photo, cells.permute(2, 0, 3, 1, 4).reshape(1, 3, photo.height, photo.width), self.machine)

    def singly(self) -> list[Dream]:
        """Each of the pictures as a dream of its own."""
        return [replace(self, change=change[None]) for change in self.change]

    def to_pil(self) -> Image.Image:
        """The one picture as Pillow's, with the photo's alpha and profile, in 8 bits."""
        pixels = self.photo.with_change(self.change)
        planes = eight_bits(pixels if self.photo.alpha is None else np.dstack([pixels, self.photo.alpha]))
        picture = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
        if self.photo.profile:
            picture.info["icc_profile"] = self.photo.profile
        return picture
