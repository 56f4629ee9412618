"""Gradient ascent on a picture, one step at a time (Erhan 2009; Mordvintsev 2015).

Everything here is a function of tensors and callables: no recipe, no registry, no network by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.backward import KnownGradient
from dreamer.engine.colour import climb, hold
from dreamer.engine.keeping import settled, shortened
from dreamer.engine.step import Apply, StepContext
from dreamer.image import OPEN, Edges
from dreamer.networks.randomness import Randomness

Bound = Callable[[Tensor, StepContext], Tensor]
"""An ingredient with its options filled in."""

Draw = Callable[[Tensor, StepContext], Apply]
"""A transform with its options filled in: draws for an image (B, 3, H, W), and gives what applies the drawn."""


@dataclass(frozen=True)
class Ascent:
    """Gradient ascent with all of its ingredients.

    `gradient` gives the score of a picture (B, 3, H, W) and its gradient, of the same shape, and `score` the score
    alone. The transforms are applied to the picture first, and the gradient is carried back through them. The gradient
    filters bring it to RMS 1. A prior's weight is therefore the strength of its pull per pixel beside that of the
    dream, whatever the network, layer and size. With `keeps_gradient` the updates are given the gradient as it was
    before the filters, at the price of a copy.

    `salience` (B, 1, h, w) in [0, 1] is that of the photo, where there is one: steps are shorter by `spare` of it, and
    at the end of an octave the dream comes nearer to the photo (`settled`). Outside of the `areas`, if there are any,
    no step is taken. `edges` says where the pictures go round.
    """

    gradient: Callable[[Tensor, StepContext], tuple[float, Tensor]]
    transforms: tuple[Draw, ...] = ()
    gradient_filters: tuple[Bound, ...] = ()
    priors: tuple[tuple[float, Bound], ...] = ()
    updates: tuple[Bound, ...] = ()
    colour: float = 0.5
    spare: float = 0.0
    salience: Tensor | None = None
    score: Callable[[Tensor, StepContext], float] = lambda image, context: float("nan")
    keeps_gradient: bool = False
    areas: Areas | None = None
    edges: Edges = OPEN

    def step(self, image: Tensor, base: Tensor, step_size: float, context: StepContext) -> tuple[Tensor, float]:
        """Climb one step.

        Args:
            image: The picture being dreamt, (B, 3, H, W) in [0, 1].
            base: The undreamt picture of this octave, (B, 3, H, W) in [0, 1]; it sets the limits of the values.
            step_size: How far to climb, in image units for a gradient of RMS 1.
            context: What the ingredients may know of this step.

        Returns:
            The next picture, (B, 3, H, W) in [0, 1], and the score before the step.
        """
        score, direction, context = self.direction(image, context)
        direction.mul_(step_size)
        if self.salience is not None:
            direction = shortened(direction, self.salience, self.spare, self.edges)
        image = climb(image, direction, base, self.colour, self.edges)
        for update in self.updates:
            image = update(image, context)
        return image, score

    def finished(self, image: Tensor, base: Tensor) -> Tensor:
        """The picture (B, 3, H, W) as it leaves the octave, whose undreamt picture is `base`."""
        return image if self.salience is None else settled(image, base, self.spare, self.colour, self.edges)

    def direction(self, image: Tensor, context: StepContext) -> tuple[float, Tensor, StepContext]:
        """The score of `image` (B, 3, H, W), the direction to climb (B, 3, H, W), and the context for the updates.

        The direction is the filtered gradient less the priors' gradients, its colours held back.
        """
        score, gradient = self._gradient_through_transforms(image, context)
        if self.keeps_gradient:
            context = replace(context, gradient=gradient.clone())
        if self.areas is not None:
            gradient = self.areas.levelled(gradient)
        for gradient_filter in self.gradient_filters:
            gradient = gradient_filter(gradient, context)
        for weight, prior in self.priors:
            gradient.sub_(_gradient_of(prior, image, context), alpha=weight * image[0].numel())
        if self.areas is not None:
            gradient = self.areas.levelled(gradient)
        return score, hold(gradient, self.colour), context

    def value(self, image: Tensor, context: StepContext) -> float:
        """The score of `image` (B, 3, H, W) through the transforms, less the weighted priors: needs no gradient."""
        seen, context = self._transformed(image, context)
        return self.score(seen, context) - sum(weight * float(prior(image, context)) for weight, prior in self.priors)

    def culprit(self, image: Tensor, context: StepContext) -> str:
        """The name of the ingredient that makes a finite `image` (B, 3, H, W) infinite or NaN; "" if none alone does.

        It is looked for once that has happened: each is tried by itself, the filters on noise of RMS 1.
        """
        with torch.no_grad():
            for transform in self.transforms:
                if not is_finite(transform(image, context)(image)):
                    return name_of(transform)
            for gradient_filter in self.gradient_filters:
                if not is_finite(gradient_filter(torch.randn_like(image), context)):
                    return name_of(gradient_filter)
            for _, prior in self.priors:
                if not is_finite(_gradient_of(prior, image, context)):
                    return name_of(prior)
            for update in self.updates:
                if not is_finite(update(image.clone(), replace(context, gradient=torch.randn_like(image)))):
                    return name_of(update)
        return ""

    def _gradient_through_transforms(self, image: Tensor, context: StepContext) -> tuple[float, Tensor]:
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            seen, context = self._transformed(leaf, context)
        if seen is leaf:
            return self.gradient(image, context)
        # Going back needs the graph, not the transformed picture itself: a large picture has no room for both.
        known, seen = KnownGradient(seen), seen.detach()
        score, gradient = self.gradient(seen, context)
        root = known.root(gradient)
        del seen, gradient
        return score, torch.autograd.grad(root, leaf)[0]

    def _transformed(self, image: Tensor, context: StepContext) -> tuple[Tensor, StepContext]:
        """Draw each transform in turn and apply it to `image`; the context then applies the same to other pictures."""
        drawn: list[Apply] = []
        for draw_transform in self.transforms:
            drawn.append(draw_transform(image, context))
            image = drawn[-1](image)
        return image, replace(context, apply_transforms=partial(reduce, lambda seen, apply: apply(seen), drawn))


def is_finite(values: Tensor) -> bool:
    """Whether none of the values is infinite or NaN; for values of ordinary size, which do not sum up to infinity."""
    return bool(values.sum().isfinite())


def name_of(ingredient: Callable[..., object]) -> str:
    """What an ingredient is called in sentences."""
    return str(getattr(ingredient, "called", "an ingredient"))


def draw(transform: Callable[[Tensor, StepContext], Apply | Tensor], image: Tensor, context: StepContext) -> Apply:
    """Draw a transform's random numbers for the size of `image` (B, 3, H, W), and give what applies them.

    A transform may also return the transformed image at once. It is then run again for each picture, with the random
    numbers that it was drawn with.
    """
    random = Randomness.active().copy()
    with torch.no_grad():
        drawn = transform(image, context)
    if not isinstance(drawn, Tensor):
        return drawn

    def apply(picture: Tensor) -> Tensor:
        with random.copy():
            result = transform(picture, context)
        assert isinstance(result, Tensor)
        return result

    return apply


def _gradient_of(prior: Bound, image: Tensor, context: StepContext) -> Tensor:
    with torch.enable_grad():
        leaf = image.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(prior(leaf, context), leaf)
    return gradient
