"""A finished dream: the photo, and the change to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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
    alpha: Tensor | None = None
    """The alpha of cut-outs, (B, 1, H, W) in [0, 1]; None for other dreams."""

    def sheet(self) -> Dream:
        """All pictures as one, side by side in rows; where the last row is not full the photo stands."""
        count = len(self.change)
        if count == 1:
            return self.singly()[0]
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        alpha = None if self.photo.alpha is None else np.tile(self.photo.alpha, (rows, columns))
        photo = replace(self.photo, pixels=np.tile(self.photo.pixels, (rows, columns, 1)), alpha=alpha)

        def laid_out(pictures: Tensor) -> Tensor:
            blank = pictures.new_zeros(rows * columns - count, *pictures.shape[1:])
            cells = torch.cat((pictures, blank)).view(rows, columns, *pictures.shape[1:])
            return cells.permute(2, 0, 3, 1, 4).reshape(1, -1, photo.height, photo.width)

        own = None if self.alpha is None else laid_out(self.alpha)
        return Dream(photo, laid_out(self.change), self.machine, own).singly()[0]

    def singly(self) -> list[Dream]:
        """Each of the pictures as a dream of its own; cut-outs have photos of their own alpha."""
        if self.alpha is None:
            return [replace(self, change=change[None]) for change in self.change]
        return [
            Dream(replace(self.photo, alpha=self._plane(alpha)), change[None], self.machine, alpha[None])
            for change, alpha in zip(self.change, self.alpha, strict=True)
        ]

    def _plane(self, alpha: Tensor) -> NDArray[Any]:
        """An alpha (1, H, W) as a photo has it."""
        plane: NDArray[Any] = np.rint(alpha[0].numpy() * self.photo.white).astype(self.photo.pixels.dtype)
        return plane

    def to_pil(self) -> Image.Image:
        """The one picture as Pillow's, with the photo's alpha and profile, in 8 bits."""
        pixels = self.photo.with_change(self.change)
        planes = eight_bits(pixels if self.photo.alpha is None else np.dstack([pixels, self.photo.alpha]))
        picture = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
        if self.photo.profile:
            picture.info["icc_profile"] = self.photo.profile
        return picture
