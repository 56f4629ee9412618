"""One step of a dream: its place in the whole, and what an ingredient may know there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.image import OPEN, Edges

Apply = Callable[[Tensor], Tensor]
"""Applies what a transform has drawn to a picture (B, C, H, W) of the size it was drawn for."""


@dataclass(frozen=True)
class Step:
    """The place of a step in a dream: step `number` of `count` in octave `octave` of `octaves`, counted from 0.

    `share` is the part of the whole work done before this step, 0 to 1, in pixels; `size` is the octave's (height,
    width); `score` is the score of the picture before the step, NaN until it is known. `picture()` gives the picture
    after the step at its full size, (B, 3, H, W) in [0, 1] at full strength, to a callback after a step. `earlier` is
    the number of steps in the octaves before this one, which need not be as many in each.
    """

    octave: int
    octaves: int
    number: int
    count: int
    share: float
    size: tuple[int, int]
    score: float = float("nan")
    picture: Callable[[], Tensor] = field(default=lambda: torch.empty(0), compare=False, repr=False)
    earlier: int = 0


@dataclass(frozen=True)
class StepContext:
    """The values that an ingredient may ask for besides its tensor.

    `photo` (1 or B, 3, H, W) and `image` (B, 3, H, W) are the photo and the picture being dreamt at this octave's size.
    `apply_transforms` applies the step's transforms, as drawn for `image`, to any picture (B, C, H, W) of that size.
    `photo_features` (B, C, h, w) are the features of the photo so transformed, for objectives that need them;
    `gradient` (B, 3, H, W) is the score's gradient at `image`, unfiltered, for updates that ask for it. `areas` says
    where which look grows, if not everywhere, at this octave's size; `edges` where the picture goes round.
    """

    photo: Tensor
    image: Tensor
    step: Step
    apply_transforms: Apply = lambda picture: picture
    photo_features: Tensor | None = None
    gradient: Tensor | None = None
    areas: Areas | None = None
    edges: Edges = OPEN
