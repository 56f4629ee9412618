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
        self._ground: Tensor | float = 0.0  # what is added to what the canvas paints

    def step(self, image: Tensor, base: Tensor, step_size: float, moment: Moment) -> tuple[Tensor, float]:
        """One step: the next picture and the score before it. `image` is what the last step gave."""
        low, high = (base.clamp(max=MARGIN), base.clamp(min=1 - MARGIN)) if self._over else (0.0, 1.0)
        if self._optimiser is None:
            self._optimiser = self._make(self._canvas.parameters, paint=self._canvas.paint, step_size=step_size)
            if self._over:
                self._ground = image - self._canvas.paint()
        free = getattr(self._optimiser, "gradient_free", False)
        seed = int(torch.randint(2**31, ()))
        first: list[float] = []

        def closure() -> Tensor:
            """Minus the score; within one step always of the same random transforms."""
            with torch.random.fork_rng(devices=[image.device] if image.device.type == "cuda" else []):
                torch.manual_seed(seed)
                score = self._score(moment, low, high) if free else self._climb(moment, low, high)
            first.append(score)
            return image.new_tensor(-score)

        self._optimiser.step(closure)
        image = self._shown(low, high)
        for update in self._ascent.updates:
            changed = update(image.clone(), moment)
            self._ground = self._ground + (changed - image)
            image = changed
        return image, first[0]

    def _climb(self, moment: Moment, low: Any, high: Any) -> float:
        """The score, and minus its gradient in the parameters, put into their `grad`."""
        with torch.enable_grad():
            picture = self._canvas.paint() + self._ground
        seen = picture.detach().clamp(low, high)
        score, way = self._ascent.direction(seen, moment)
        outwards = (picture > high) & (way > 0) | (picture < low) & (way < 0)
        for parameter in self._canvas.parameters:
            parameter.grad = None
        torch.autograd.backward(picture, way.masked_fill_(outwards, 0).neg_(), inputs=self._canvas.parameters)
        return score

    def _score(self, moment: Moment, low: Any, high: Any) -> float:
        return self._ascent.value(self._shown(low, high), moment)

    def _shown(self, low: Any, high: Any) -> Tensor:
        return (self._canvas.paint() + self._ground).clamp_(low, high)
