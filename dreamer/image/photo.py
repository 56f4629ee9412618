"""`Photo`: a picture in its own depth and colour space, with its metadata; a dream is added to its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from dreamer.image import panorama
from dreamer.image.bands import bands
from dreamer.image.edges import OPEN, Edges
from dreamer.image.luma import LUMA
from dreamer.image.profile import ColourSpace, colour_space
from dreamer.image.storage import empty, empty_array, is_large

_STRIP = 512  # columns at a time: pages of a mapped file are then read a few times, not a hundred


def resize(image: Tensor, size: tuple[int, int], edges: Edges = OPEN) -> Tensor:
    """`image` (B, C, H, W) resized to `size` (height, width), by antialiased cubic convolution (Keys 1981, a = -0.5).

    It overshoots slightly at edges and is not clipped. An image that already has the size is returned unchanged.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    if edges:
        return edges.resampled(image, size, resize)
    (batch, channels, high, _), (height, width) = image.shape, size
    whole = image.device.type != "cpu" or image.requires_grad
    if whole or not is_large((batch, channels, max(high, height), width)):
        return _cubic(image, (height, width))
    # Each channel first across, band by band, and then down, strip by strip: as it is done at once, to the same values.
    result, across = empty((batch, channels, height, width), image), empty((batch, 1, high, width), image)
    for k in range(channels):
        for rows in bands(high, max(width, image.shape[-1])):
            across[:, :, rows] = _cubic(image[:, k : k + 1, rows], (rows.stop - rows.start, width))
        count = -(-width // _STRIP)  # alike, so that none is a single column, which torch resizes wrongly
        into = result[:, k : k + 1].tensor_split(count, -1)
        for strip, part in zip(across.tensor_split(count, -1), into, strict=True):
            part.copy_(_cubic(strip, (height, strip.shape[-1])))
    return result


def _cubic(image: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)


def size_at(height: int, width: int, long_side: int) -> tuple[int, int]:
    """(height, width) of a picture scaled so that its longer side has `long_side` pixels."""
    factor = long_side / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def blurred(image: Tensor, sigma: float, border: str = "reflect", edges: Edges = OPEN) -> Tensor:
    """`image` (B, C, H, W) blurred by a Gaussian.

    Args:
        image: Any number of channels.
        sigma: Its standard deviation in pixels; the kernel is cut off at three of them, and at the picture's size.
        border: Padding mode of torch, as in "reflect" or "replicate".
        edges: Where the picture goes round instead.
    """
    size, channels = 2 * min(round(3 * sigma), min(image.shape[-2:]) - 1) + 1, image.shape[1]
    across = _gaussian(size, sigma, image.dtype, image.device).expand(channels, 1, 1, size)
    padded = edges.padded(image, size // 2, border)
    for kernel in (across, across.mT):
        padded = functional.conv2d(padded, kernel, groups=channels)
    return padded


@lru_cache(64)
def _gaussian(size: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The weights (size,) of a Gaussian; kornia's would do, but to import it takes as long as a megapixel's step."""
    with torch.inference_mode(False):
        steps, spread = torch.arange(size) - size // 2, torch.tensor(max(sigma, 1e-6))
        weights = (-steps.square() / (2 * spread.square())).exp()
        return (weights / weights.sum()).to(device, dtype)


def straight(pixels: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours (H, W, C) that were multiplied by their alpha (H, W), divided by it in place."""
    white = np.iinfo(pixels.dtype).max
    for rows in bands(*alpha.shape):
        cover = np.maximum(alpha[rows], 1)[..., None].astype(np.float32)
        pixels[rows] = np.rint(np.minimum(pixels[rows] * (white / cover), white))
    return pixels


def to_pil(image: Tensor) -> Image.Image:
    """A picture (1, 3, H, W) in [0, 1] as an 8-bit PIL image."""
    return Image.fromarray((image[0].permute(1, 2, 0) * 255).round().byte().numpy())


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright picture in its own depth and colour space; a dream is saved as these pixels plus a change."""

    pixels: NDArray[Any]
    """(H, W, C), uint8 or uint16; C is 1 for grey and 3 for RGB."""
    alpha: NDArray[Any] | None = None
    """(H, W), of the pixels' dtype; straight, that is, the colours are not multiplied by it."""
    profile: bytes | None = None
    """The ICC profile of the pixels; without one they are sRGB."""
    exif: bytes = b""
    """A TIFF block, as after `Exif\\0\\0` in a JPEG, without the orientation, which has been applied."""
    xmp: bytes = b""
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    """Of a JPEG or PNG, besides the EXIF's."""
    dpi: tuple[float, float] | None = None
    format: str = "PNG"
    """Pillow's name of the file's format; PNG for a picture that was not read from a file."""
    path: Path | None = None
    sha256: str = ""
    """Hash of the file; of the pixels for a picture that was not read from a file."""
    notices: tuple[str, ...] = ()
    """A sentence for each thing that was lost or changed in reading it."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def white(self) -> int:
        """The largest value of a channel: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def image(self) -> Tensor:
        """The photo as a tensor (1, 3, H, W), float32, sRGB in [0, 1]; colours outside sRGB are clipped."""
        image = empty((1, 3, self.height, self.width))
        for rows in bands(self.height, self.width):
            image[0, :, rows] = torch.from_numpy(self._srgb(rows)).permute(2, 0, 1)
        return image

    def with_change(self, change: Tensor) -> NDArray[Any]:
        """The photo's pixels plus `change` (1, 3, H, W), the dream minus `image()`: (H, W, C), in the photo's dtype.

        The change is converted to the photo's own colour space and added there, so where it is zero the pixels stay
        exactly as they are, at any depth and profile. A grey photo takes the luma of the change.
        """
        if tuple(change.shape) != (1, 3, self.height, self.width):
            raise ValueError(f"the change is {tuple(change.shape)}, the photo {(1, 3, self.height, self.width)}")
        space = self._space()
        changed = empty_array(self.pixels.shape, self.pixels.dtype)
        for rows in bands(self.height, self.width):
            delta = change[0, :, rows].detach().to("cpu", torch.float32).permute(1, 2, 0).numpy()
            if self.pixels.shape[2] == 1:
                delta = delta @ np.array(LUMA, np.float32)[:, None]
            elif space is not None:
                seen = self._srgb(rows)
                delta = space.from_srgb(np.clip(seen + delta, 0, 1)) - space.from_srgb(seen)
            changed[rows] = np.rint(np.clip(self.pixels[rows] + delta * self.white, 0, self.white))
        return changed

    def resized(self, long_side: int, edges: Edges = OPEN) -> Photo:
        """The photo resized so that its longer side has `long_side` pixels; itself if it has that size."""
        size = size_at(self.height, self.width, long_side)
        if size == (self.height, self.width):
            return self
        pixels = empty_array((*size, self.pixels.shape[2]), self.pixels.dtype)
        for channel in range(self.pixels.shape[2]):
            _resize_into(pixels[..., channel], self.pixels[..., channel], edges)
        alpha = None if self.alpha is None else _resize_into(empty_array(size, self.alpha.dtype), self.alpha, edges)
        across, down = size[1] / self.width, size[0] / self.height
        return replace(self, pixels=pixels, alpha=alpha, xmp=panorama.resized(self.xmp, across, down))

    @property
    def is_panorama(self) -> bool:
        """Whether its metadata says that it is the whole of a 360-degree panorama, twice as wide as high."""
        return panorama.is_panorama(self.xmp, self.width, self.height)

    def deep(self) -> Photo:
        """The photo in 16 bits, so that what is made larger has no steps; itself if it has them."""
        if self.pixels.dtype == np.uint16:
            return self
        alpha = None if self.alpha is None else self.alpha * np.uint16(257)
        return replace(self, pixels=self.pixels * np.uint16(257), alpha=alpha)

    def at_most(self, long_side: int, edges: Edges = OPEN) -> Photo:
        """The photo reduced so that its longer side has `long_side` pixels; itself if it is no larger."""
        return self.resized(long_side, edges) if max(self.width, self.height) > long_side else self

    def middle(self, side: int) -> Tensor:
        """The photo's largest centred square, resized to `side` pixels: (1, 3, side, side), sRGB in [0, 1]."""
        short = min(self.height, self.width)
        top, left = (self.height - short) // 2, (self.width - short) // 2
        return resize(self.image()[..., top : top + short, left : left + short], (side, side)).clamp(0, 1)

    def _space(self) -> ColourSpace | None:
        grey = self.pixels.shape[2] == 1
        return None if grey or self.profile is None else colour_space(self.profile)

    def _srgb(self, rows: slice) -> NDArray[np.float32]:
        """These rows, (h, W, 3), as sRGB in [0, 1]."""
        values = self.pixels[rows].astype(np.float32) / np.float32(self.white)
        if values.shape[2] == 1:
            return np.repeat(values, 3, axis=2)
        space = self._space()
        return values if space is None else space.to_srgb(values)


def _resize_into(result: NDArray[Any], plane: NDArray[Any], edges: Edges) -> NDArray[Any]:
    """One channel (H, W), in its own dtype, resized to the size of `result`, which is filled and returned."""
    size = (result.shape[0], result.shape[1])
    image = resize(torch.from_numpy(plane.astype(np.float32))[None, None], size, edges)[0, 0]
    for rows in bands(*size):
        result[rows] = image[rows].round_().clamp_(0, np.iinfo(plane.dtype).max).numpy()
    return result
