"""The built-in autoencoder: from a picture to a small code and back, trained on pictures drawn by formula.

It is convolutional throughout, so that a picture of any size has a code, an eighth as wide and as high. Optimising the
code in place of the pixels makes the decoder a learned prior (Nguyen 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dreamer.networks.blur_pool import BlurPool
from dreamer.networks.randomness import Randomness
from dreamer.networks.weights import fit, read_own, widened, width_of

FACTOR = 8
"""Pixels a side for one position of the code."""
CHANNELS = 16
"""Channels of the code; each has mean 0 and variance 1 over the training pictures."""
_WIDTHS = (32, 48, 96, 144)  # channels at full size and after each BlurPool, at width 1
_LEAST = 3 * FACTOR  # pixels a side, so that the last BlurPool can mirror at the borders
_TILE = 128  # positions a side, about a million pixels
_REACH = 10  # positions: the receptive fields of encoder and decoder reach no further


class Residual(nn.Module):
    """Two convolutions whose result is added to their input (He 2016), at first 0: there is no normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(channels, channels), _convolution(channels, channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> the same."""
        changed: Tensor = self.second(F.silu(self.first(F.silu(seen))))
        return seen + changed


class Upsample2x(nn.Module):
    """Upsampling by 2, bilinear: a transposed convolution leaves a grid (Odena 2016)."""

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, 2 h, 2 w)."""
        return F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False)


class Autoencoder(nn.Module):
    """Encoder and decoder; `width` multiplies their channels, not the code's.

    `mean` and `std`, both (CHANNELS,), are those of the code over pictures: about 0 and 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        fine, half, quarter, eighth = widened(width, *_WIDTHS)
        self.encoder = nn.Sequential(
            *(_convolution(3, fine), nn.SiLU(), BlurPool()),
            *(_convolution(fine, half), Residual(half), BlurPool()),
            *(_convolution(half, quarter), Residual(quarter), BlurPool()),
            *(_convolution(quarter, eighth), Residual(eighth), nn.SiLU()),
            nn.Conv2d(eighth, CHANNELS, 1),
        )
        self.decoder = nn.Sequential(
            *(_convolution(CHANNELS, eighth), Residual(eighth), Residual(eighth), Upsample2x()),
            *(_convolution(eighth, quarter), Residual(quarter), Upsample2x()),
            *(_convolution(quarter, half), Residual(half), Upsample2x()),
            *(_convolution(half, fine), nn.SiLU(), _convolution(fine, 3)),
        )
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("std", torch.ones(CHANNELS))

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, CHANNELS, h, w), h and w an eighth, rounded up; 3 at least."""
        height, width = (max(_LEAST, -(-side // FACTOR) * FACTOR) for side in image.shape[-2:])
        padded = F.pad(image - 0.5, (0, width - image.shape[-1], 0, height - image.shape[-2]), mode="replicate")
        code: Tensor = self.encoder(padded.contiguous(memory_format=torch.channels_last))
        return code

    def decode(self, code: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """(B, CHANNELS, h, w) -> (B, 3, 8 h, 8 w), about in [0, 1]; with `size` (H, W) its upper left part."""
        image: Tensor = self.decoder(code.contiguous(memory_format=torch.channels_last)) + 0.5
        return image if size is None else image[..., : size[0], : size[1]]

    def forward(self, image: Tensor) -> Tensor:
        """Encode and decode: (B, 3, H, W) in [0, 1] -> the same shape."""
        return self.decode(self.encode(image), (image.shape[-2], image.shape[-1]))

    def decode_by_tiles(self, code: Tensor, size: tuple[int, int], tile: int = _TILE) -> Tensor:
        """Do as `decode`, tile by tile.

        Args:
            code: (B, CHANNELS, h, w).
            size: (H, W) in pixels of the part to keep.
            tile: Side of a tile, in positions of the code; it limits the memory, of the gradient as well.

        Returns:
            (B, 3, H, W), as `decode` gives it.
        """
        return _by_tiles(self.decode, code, tile, _REACH, FACTOR)[..., : size[0], : size[1]]

    def redraw_by_tiles(self, image: Tensor, tile: int = _TILE) -> Tensor:
        """Do as `forward`, with the memory of a tile of so many positions of the code a side."""
        return _by_tiles(self, image, tile * FACTOR, 2 * _REACH * FACTOR, 1)


def _by_tiles(draw: Callable[[Tensor], Tensor], seen: Tensor, side: int, reach: int, factor: int) -> Tensor:
    """Apply a convolutional function tile by tile; exact, since each tile is cut with its surroundings.

    Where there are several tiles, nothing is kept of them for the gradient, which computes each again (Chen 2016).

    Args:
        draw: (B, C, h, w) -> (B, D, h * factor, w * factor).
        seen: (B, C, h, w).
        side: Of a tile, in positions of `seen`.
        reach: How many positions further the receptive field of a tile's positions reaches.
        factor: By how much the function enlarges.

    Returns:
        draw(seen).
    """
    height, width = seen.shape[-2:]
    if max(height, width) <= side:
        return draw(seen)
    rows = []
    for top in range(0, height, side):
        row = []
        for left in range(0, width, side):
            above, before = min(top, reach), min(left, reach)
            around = seen[..., top - above : top + side + reach, left - before : left + side + reach]
            part = checkpoint(draw, around, use_reentrant=False, preserve_rng_state=False)
            inner = [slice(start * factor, (start + side) * factor) for start in (above, before)]
            row.append(part[..., inner[0], inner[1]])
        rows.append(torch.cat(row, -1))
    return torch.cat(rows, -2)


def _convolution(inside: int, outside: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, padding=1)


def weights_path() -> Path:
    """The file of the built-in weights."""
    return Path(str(files("dreamer.networks") / "decoder.safetensors"))


def decoder(weights: Path | None = None) -> Autoencoder:
    """The built-in autoencoder, with its own weights or those of a file; raises NetworkError when they do not fit."""
    path = weights or weights_path()
    tensors = read_own(path)
    with Randomness(0):
        module = Autoencoder(width_of(path))
    fit(module, tensors, f"{path} (a decoder's weights)")
    return module.eval().requires_grad_(False)
