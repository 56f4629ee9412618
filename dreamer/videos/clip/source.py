"""Sources of a clip's frames: a file that libav decodes, an animated picture or a folder of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError, argument
from dreamer.image import Photo
from dreamer.videos.clip.encode import Frame

Frames = Iterator[tuple[Fraction, Frame]]
"""Each frame, (H, W, 3) or with alpha (H, W, 4), and its time in seconds from the clip's first; times increase."""


@dataclass(frozen=True)
class Source:
    """All frames of a clip.

    `size` is (height, width) of the upright frames; `ticks` are the frames' times in ticks of `base` seconds, in order;
    `frames` gives the frames from a time on, afresh at each call; `rate` is the stated number of frames a second, if
    there is one. `may_be_transparent` says that frames have alpha, perhaps opaque everywhere; `turns` is how often
    stored frames are turned counter-clockwise by 90 degrees; `plays` is how often an animated picture is played, 0 for
    without end.
    """

    size: tuple[int, int]
    ticks: NDArray[np.int64]
    base: Fraction
    frames: Callable[[Fraction], Frames]
    rate: Fraction | None = None
    may_be_transparent: bool = False
    has_audio: bool = False
    turns: int = 0
    plays: int = 0
    notices: tuple[str, ...] = ()


def check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    """Raise UsageError for frames of this (height, width) that have more than `max_pixels` pixels."""
    height, width = size
    if width * height > max_pixels:
        raise UsageError(
            f"{name}: frames of {width} x {height} pixels exceed the limit of {max_pixels:,} pixels; "
            f"if you trust this clip, raise the limit with {argument('max_pixels')}"
        )


def frame_of(photo: Photo) -> Frame:
    """A photo as a frame: (H, W, 3), or with its alpha (H, W, 4), uint8 sRGB."""
    if photo.pixels.dtype == np.uint8 and photo.pixels.shape[2] == 3 and photo.profile is None:
        values: Frame = photo.pixels
    else:
        values = photo.image()[0].permute(1, 2, 0).mul(255).round_().byte().numpy()
    if photo.alpha is None:
        return values
    alpha = photo.alpha if photo.alpha.dtype == np.uint8 else np.rint(photo.alpha / 257).astype(np.uint8)
    return np.concatenate([values, alpha[..., None]], axis=2)
