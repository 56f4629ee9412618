"""Climbing with a canvas: an optimiser moves its parameters instead of the picture's values.

Over a picture the canvas paints the change: image = start + canvas(p) - canvas(p0). From nothing the image is the
canvas itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dreamer.ascent import Ascent
from dreamer.canvas import Canvas
from dreamer.colour import MARGIN
from dreamer.step import Moment


class Painting:
    """One octave's canvas and optimiser; `step` does what an Ascent's does, to the parameters.

    `optimiser` makes one for parameters, given `paint`, which shows them, and the `step_size`; `over` says whether the
    canvas paints the change of a picture.
    """

    def __init__(self, ascent: Ascent, canvas: Canvas, optimiser: Callable[..., Any], *, over: bool) -> None:
        self._ascent, self._canvas, self._make = ascent, canvas, optimiser
        self._optimiser: Any = None
        self._over = over
        self._ground: Any = 0.0  # what is added to what the canvas paints
        self._free = False
        self._known: Moment | None = None  # what the updates may know of the last look
        self._painted = torch.empty(0)
        self._fresh = False  # whether it is what the parameters show, and its way back still there
        self._low: Any = 0.0
        self._high: Any = 1.0

    def step(self, image: Tensor, base: Tensor, step_size: float, moment: Moment) -> tuple[Tensor, float]:
        """One step: the next picture and the score before it. `image` is what the last step gave."""
        if self._optimiser is None:
            self._begin(image, base, step_size)
        seed = int(torch.randint(2**31, ()))
        scores: list[float] = []

        def closure() -> Tensor:
            """Minus the score; within one step always of the same random transforms."""
            with torch.random.fork_rng(devices=[image.device] if image.device.type == "cuda" else []):
                torch.manual_seed(seed)
                scores.append(self._score(moment) if self._free else self._climb(moment))
            return image.new_tensor(-scores[-1])

        self._optimiser.step(closure)
        self._paint()
        image = self._seen()
        for update in self._ascent.updates:
            changed = update(image.clone(), self._known or moment)
            self._ground = self._ground + (changed - image)
            image = changed
        return image, scores[0]

    def _begin(self, image: Tensor, base: Tensor, step_size: float) -> None:
        self._optimiser = self._make(self._canvas.parameters, paint=self._canvas.paint, step_size=step_size)
        self._free = bool(getattr(self._optimiser, "gradient_free", False))
        self._paint()
        if self._over:
            self._low, self._high = base.clamp(max=MARGIN), base.clamp(min=1 - MARGIN)
            self._ground = image - self._painted.detach()

    def _paint(self) -> None:
        """What the canvas shows now, with the way back: what one step ends with is what the next one begins with."""
        with torch.set_grad_enabled(not self._free):
            self._painted = self._canvas.paint()
        self._fresh = True

    def _seen(self) -> Tensor:
        """The picture, within its limits, and no way back."""
        picture: Tensor = self._painted.detach() + self._ground
        return picture.clamp(self._low, self._high)

    def _score(self, moment: Moment) -> float:
        self._paint()
        return self._ascent.value(self._seen(), moment)

    def _climb(self, moment: Moment) -> float:
        """The score, and minus its gradient in the parameters, put into their `grad`."""
        if not self._fresh:
            self._paint()
        self._fresh = False
        score, way, self._known = self._ascent.direction(self._seen(), moment)
        picture = self._painted.detach() + self._ground
        outwards = (picture > self._high) & (way > 0) | (picture < self._low) & (way < 0)
        for parameter in self._canvas.parameters:
            parameter.grad = None
        torch.autograd.backward(self._painted, way.masked_fill_(outwards, 0).neg_(), inputs=self._canvas.parameters)
        return score
