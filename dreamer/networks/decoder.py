"""The decoder that ships inside: from a small code to a picture, and back, trained on pictures drawn by formula.

A convolutional autoencoder without bottleneck vector, so that any picture has a code, an eighth as wide and as high.
What is optimised in place of the pixels is then the code: a learned prior (Nguyen 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dreamer.networks.halving import Halve
from dreamer.networks.weights import OWN_LARGEST, fit, read_weights, width_of

FACTOR = 8
"""Pixels a side that a position of the code stands for."""
CHANNELS = 16
"""Of the code; each has mean 0 and variance 1 over the pictures that were learnt."""
_WIDTHS = (32, 48, 96, 144)  # channels at full size and after each halving, at width 1
_LEAST = 3 * FACTOR  # pixels a side: the halvings mirror at the borders
_TILE = 128  # positions a side, about a million pixels
_REACH = 10  # positions: further off nothing tells on what is decoded, nor, of pixels, on the code


class Residual(nn.Module):
    """Two convolutions that change what is there (He 2016); without normalisation they begin by changing nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> the same."""
        changed: Tensor = self.second(F.silu(self.first(F.silu(seen))))
        return seen + changed


class Double(nn.Module):
    """Twice as wide and high, by bilinear interpolation: a transposed convolution leaves a grid (Odena 2016)."""

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, 2 h, 2 w)."""
        return F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False)


class Autoencoder(nn.Module):
    """Encoder and decoder; `width` multiplies their channels, not the code's.

    `mean` and `std`, both (CHANNELS,), are the code's over pictures: about 0 and 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        fine, half, quarter, eighth = (max(8, int(channels * width / 8 + 0.5) * 8) for channels in _WIDTHS)
        self.encoder = nn.Sequential(
            *(_convolution(3, fine), nn.SiLU(), Halve()),
            *(_convolution(fine, half), Residual(half), Halve()),
            *(_convolution(half, quarter), Residual(quarter), Halve()),
            *(_convolution(quarter, eighth), Residual(eighth), nn.SiLU()),
            nn.Conv2d(eighth, CHANNELS, 1),
        )
        self.decoder = nn.Sequential(
            *(_convolution(CHANNELS, eighth), Residual(eighth), Residual(eighth), Double()),
            *(_convolution(eighth, quarter), Residual(quarter), Double()),
            *(_convolution(quarter, half), Residual(half), Double()),
            *(_convolution(half, fine), nn.SiLU(), _convolution(fine, 3)),
        )
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("std", torch.ones(CHANNELS))

    def encode(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, CHANNELS, h, w), h and w an eighth, rounded up."""
        height, width = (max(_LEAST, -(-side // FACTOR) * FACTOR) for side in image.shape[-2:])
        padded = F.pad(image - 0.5, (0, width - image.shape[-1], 0, height - image.shape[-2]), mode="replicate")
        code: Tensor = self.encoder(padded.contiguous(memory_format=torch.channels_last))
        return code

    def decode(self, code: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """(B, CHANNELS, h, w) -> (B, 3, 8 h, 8 w), of which the upper left `size` (H, W) is kept; about [0, 1]."""
        image: Tensor = self.decoder(code.contiguous(memory_format=torch.channels_last)) + 0.5
        return image if size is None else image[..., : size[0], : size[1]]

    def forward(self, image: Tensor) -> Tensor:
        """The picture as its code tells it, (B, 3, H, W)."""
        return self.decode(self.encode(image), (image.shape[-2], image.shape[-1]))

    def decode_by_tiles(self, code: Tensor, size: tuple[int, int], tile: int = _TILE) -> Tensor:
        """What `decode` gives, with the memory of a tile of so many positions a side, its gradient too."""
        image = _by_tiles(self.decode, code, tile, _REACH, FACTOR)
        return image[..., : size[0], : size[1]]

    def redraw_by_tiles(self, image: Tensor, tile: int = _TILE) -> Tensor:
        """What `forward` gives, with the memory of a tile; `tile` is in positions of the code."""
        return _by_tiles(self, image, tile * FACTOR, 2 * _REACH * FACTOR, 1)


def _by_tiles(draw: Callable[[Tensor], Tensor], seen: Tensor, side: int, reach: int, factor: int) -> Tensor:
    """`draw(seen)`, `factor` times as large, of tiles that know what is around them as far as it tells on them.

    Where there are several, nothing is kept of one for the gradient: it is drawn again then (Chen 2016).
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
    """The built-in weights."""
    return Path(str(files("dreamer.networks") / "decoder.safetensors"))


def decoder(weights: Path | None = None) -> Autoencoder:
    """The built-in autoencoder, or the same with somebody's own weights; raises NetworkError when they do not fit."""
    path = weights or weights_path()
    state = read_weights(path, largest=OWN_LARGEST)
    module = Autoencoder(width_of(path))
    fit(module, {key: value.float() for key, value in state.items()}, f"{path} (a decoder's weights)")
    return module.eval().requires_grad_(False)
