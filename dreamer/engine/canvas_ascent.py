"""Gradient ascent in the parameters of a canvas, instead of a picture's own values.

Over a picture the canvas gives the change: image = start + canvas(p) - canvas(p0). From nothing the image is the
canvas' own picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dreamer.engine.ascent import Ascent
from dreamer.engine.backward import KnownGradient
from dreamer.engine.canvas import Canvas, Optimiser, is_gradient_free
from dreamer.engine.colour import limits
from dreamer.engine.cutout import Cutout
from dreamer.engine.step import StepContext
from dreamer.networks.randomness import Randomness


class CanvasAscent:
    """The ascent of one octave on a canvas; it steps as an `Ascent` does.

    Args:
        ascent: Gives score and gradient of a picture, or of cut-outs.
        canvas: The canvas whose parameters are moved.
        optimiser: Makes the optimiser: (parameters, *, paint, step_size) -> Optimiser.
        over: Whether the canvas gives the change of a picture.
    """

    _optimiser: Optimiser | None = None
    _offset: Tensor  # what is added to the canvas' picture, (B, 3, H, W) or ()
    _low: Tensor  # the image's limits, (B, 3, H, W) or ()
    _high: Tensor

    def __init__(
        self, ascent: Ascent | Cutout, canvas: Canvas, optimiser: Callable[..., Optimiser], *, over: bool
    ) -> None:
        self._ascent, self._canvas, self._make_optimiser, self._over = ascent, canvas, optimiser, over
        self._painted: Tensor | None = None  # the canvas' picture with its graph, until that has been used

    def step(self, image: Tensor, base: Tensor, step_size: float, context: StepContext) -> tuple[Tensor, float]:
        """Climb one step.

        Args:
            image: The picture that the last step gave, (B, 3, H, W) in [0, 1].
            base: The undreamt picture of this octave, (B, 3, H, W) in [0, 1]; it sets the limits of the values.
            step_size: What the optimiser may ask for, in image units.
            context: What the ingredients may know of this step.

        Returns:
            The next picture, (B, 3, H, W) in [0, 1], and the score before the step.
        """
        optimiser = self._begin(image, base, step_size) if self._optimiser is None else self._optimiser
        free = is_gradient_free(optimiser)
        seed = int(torch.randint(2**31, ()))
        scores: list[float] = []
        seen = context  # what the updates are given

        def closure() -> Tensor:
            """Minus the score; within one step every call draws the same random transforms."""
            nonlocal seen
            with Randomness(seed):
                if free:
                    score = self._ascent.value(self._image(self._paint(graph=False)), context)
                else:
                    score, seen = self._backward(context)
            scores.append(score)
            return image.new_tensor(-score)

        optimiser.step(closure)
        self._painted = self._paint(graph=not free)
        image = self._image(self._painted)
        for update in self._ascent.updates:
            changed = update(image.clone(), seen)
            self._offset = self._offset + (changed - image)
            image = changed
        return image, scores[0]

    def finished(self, image: Tensor, base: Tensor) -> Tensor:
        """The picture as it leaves the octave, whose undreamt picture is `base`."""
        return self._ascent.finished(image, base) if isinstance(self._ascent, Ascent) else image

    def culprit(self, image: Tensor, context: StepContext) -> str:
        """As that of an `Ascent`; "" for the canvas and its optimiser, too."""
        return self._ascent.culprit(image, context)

    def _begin(self, image: Tensor, base: Tensor, step_size: float) -> Optimiser:
        optimiser = self._make_optimiser(self._canvas.parameters, paint=self._canvas.paint, step_size=step_size)
        self._optimiser = optimiser
        self._painted = self._paint(graph=not is_gradient_free(optimiser))
        nothing = image.new_zeros(())
        self._low, self._high = limits(base) if self._over else (nothing, nothing + 1)
        self._offset = image - self._painted.detach() if self._over else nothing
        return optimiser

    def _paint(self, *, graph: bool) -> Tensor:
        """The canvas' picture (B, 3, H, W), with its autograd graph or without."""
        with torch.set_grad_enabled(graph):
            return self._canvas.paint()

    def _image(self, painted: Tensor) -> Tensor:
        """The image within its limits, without a graph."""
        return (painted.detach() + self._offset).clamp(self._low, self._high)

    def _backward(self, context: StepContext) -> tuple[float, StepContext]:
        """The score; puts minus its gradient into the parameters' `grad`."""
        painted = self._paint(graph=True) if self._painted is None else self._painted
        self._painted = None  # backward frees the graph
        score, direction, context = self._ascent.direction(self._image(painted), context)
        image = painted.detach() + self._offset
        outwards = (image > self._high) & (direction > 0) | (image < self._low) & (direction < 0)
        for parameter in self._canvas.parameters:
            parameter.grad = None
        root = KnownGradient(painted).root(direction.masked_fill_(outwards, 0).neg_())
        torch.autograd.backward(root, inputs=self._canvas.parameters)
        return score, context
