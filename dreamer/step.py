"""One step of a dream: where it is, and what an ingredient may know there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Step:
    """Where a dream is: step `number` of `count` in octave `octave` of `octaves`, all counted from 0.

    `share` is the part of the whole work done before this step, 0 to 1, in pixels; `size` is the octave's (height,
    width); `score` is what the step climbed, NaN until it has.
    """

    octave: int
    octaves: int
    number: int
    count: int
    share: float
    size: tuple[int, int]
    score: float = float("nan")


@dataclass(frozen=True)
class Moment:
    """What an ingredient may ask for besides its tensor: photo and picture at this octave, and the step.

    `view` is what the step's transforms make of a picture of the octave's size, with the same dice as for the picture
    being dreamt. `photo_features` are the features of the photo so seen, for objectives that compare; `gradient` is the
    score's at `image`, unfiltered, for updates that ask for it.
    """

    photo: Tensor
    image: Tensor
    step: Step
    view: Callable[[Tensor], Tensor] = lambda picture: picture
    photo_features: Tensor | None = None
    gradient: Tensor | None = None
