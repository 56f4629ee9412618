"""A sheet of a photo's parts: each in a colour over the photo in grey, with its number where it is widest."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from dreamer.image import Photo, resize, size_at, to_pil
from dreamer.image.luma import LUMA

_SHORTEST, _LONGEST = 960, 1600  # px: the long side of the sheet
_TINT = 0.55  # share of the colour in what is shown
_GROUND, _TEXT = (22, 22, 26), (255, 255, 255)


def parts_sheet(photo: Photo, masks: Tensor, names: Sequence[str]) -> Image.Image:
    """The sheet.

    Args:
        photo: Of any size.
        masks: (N, 1, h, w) in [0, 1]; they may overlap.
        names: What to write on each of the N.

    Returns:
        A picture with a long side of 960 to 1600 pixels.
    """
    wide = min(max(photo.width, photo.height, _SHORTEST), _LONGEST)
    size = size_at(photo.height, photo.width, wide)
    image = resize(photo.at_most(_LONGEST).image(), size).clamp(0, 1)
    luma = (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    masks = F.interpolate(masks, size=size, mode="bilinear", antialias=True)
    colours = torch.tensor([_colour(k) for k in range(len(masks))])
    tint = (masks * colours[:, :, None, None]).sum(0, keepdim=True)
    covered = masks.sum(0, keepdim=True)
    tint = tint / covered.clamp(min=1e-6)
    picture = to_pil(luma.lerp(tint, _TINT * covered.clamp(max=1)).clamp(0, 1))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(wide // 30)
    for name, place in zip(names, _middles(masks), strict=True):
        left, top, right, bottom = draw.textbbox(place, name, font, anchor="mm")
        x = max(0, 6 - left) - max(0, right + 6 - picture.width)
        y = max(0, 6 - top) - max(0, bottom + 6 - picture.height)
        box = (left + x - 6, top + y - 6, right + x + 6, bottom + y + 6)
        draw.rounded_rectangle(box, 5, _GROUND)
        draw.text((place[0] + x, place[1] + y), name, _TEXT, font, anchor="mm")
    return picture


def _colour(number: int) -> tuple[float, float, float]:
    """A colour for a part; neighbours in number are far from each other."""
    return colorsys.hsv_to_rgb(0.58 + 0.381966 * number, 0.85, 1.0 if number % 2 else 0.8)


def _middles(masks: Tensor) -> list[tuple[int, int]]:
    """The point (x, y) at which each mask (N, 1, H, W) is widest."""
    height, width = masks.shape[-2:]
    small = (max(1, height // 8), max(1, width // 8))
    coarse = F.adaptive_avg_pool2d(masks, small)
    for side in (3, 7, 11):
        coarse = F.avg_pool2d(coarse, side, 1, side // 2)
    best = coarse.flatten(1).argmax(1).tolist()
    return [
        (round((place % small[1] + 0.5) * width / small[1]), round((place // small[1] + 0.5) * height / small[0]))
        for place in best
    ]
