"""torchvision's vision transformers, made to take pictures of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamer.image import resize

if TYPE_CHECKING:
    from torchvision.models import VisionTransformer


class AnySize(nn.Module):
    """A vision transformer (Dosovitskiy 2020) whose position embeddings are interpolated to the picture's own grid.

    At the size that it was trained at it gives exactly what torchvision's module does; the names of its weights are the
    same. At another size the embeddings are resized bicubically (Dosovitskiy 2020, section 3.2), and a side that is no
    multiple of the patch is padded up to the next one by mirroring. (B, 3, H, W) -> (B, classes); RuntimeError for a
    picture of less than half a patch.
    """

    def __init__(self, vit: VisionTransformer) -> None:
        super().__init__()
        self.patch = int(vit.patch_size)
        self.conv_proj, self.encoder, self.heads = vit.conv_proj, vit.encoder, vit.heads
        self.class_token = vit.class_token

    def forward(self, image: Tensor) -> Tensor:
        """The classes' scores."""
        patches = self.conv_proj(self._whole_patches(image))
        first = self.class_token.expand(len(image), -1, -1)
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], 1)
        tokens = tokens + self._position_embeddings(*patches.shape[-2:])
        seen = self.encoder.ln(self.encoder.layers(self.encoder.dropout(tokens)))
        scores: Tensor = self.heads(seen[:, 0])
        return scores

    def _whole_patches(self, image: Tensor) -> Tensor:
        down, across = (-side % self.patch for side in image.shape[-2:])
        around = (across // 2, across - across // 2, down // 2, down - down // 2)
        return F.pad(image, around, mode="reflect") if down or across else image

    def _position_embeddings(self, height: int, width: int) -> Tensor:
        """The position embeddings of the class token and the patches, (1, 1 + height * width, C)."""
        learned: Tensor = self.encoder.pos_embedding
        side = round((learned.shape[1] - 1) ** 0.5)
        if (height, width) == (side, side):
            return learned
        plane = learned[:, 1:].transpose(1, 2).reshape(1, -1, side, side)
        resized = resize(plane.to(torch.promote_types(plane.dtype, torch.float32)), (height, width)).to(plane.dtype)
        return torch.cat([learned[:, :1], resized.flatten(2).transpose(1, 2)], 1)
