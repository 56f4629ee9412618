"""Gradient ascent on a picture, one step at a time (Erhan 2009; Mordvintsev 2015).

Everything here is a function of tensors and callables: no recipe, no registry, no network by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from dreamer.colour import climb, hold
from dreamer.step import Moment

Bound = Callable[[Tensor, Moment], Tensor]  # an ingredient with its options filled in


@dataclass(frozen=True)
class Ascent:
    """Gradient ascent, ready to climb.

    `gradient` gives the score and its gradient for a picture (B, 3, H, W); the transforms are applied to the picture
    first and the gradient is carried back through them. The gradient filters bring it to RMS 1. A prior's weight is
    therefore the strength of its pull per pixel beside that of the dream, whatever the network, layer and size.
    """

    gradient: Callable[[Tensor, Moment], tuple[float, Tensor]]
    transforms: tuple[Bound, ...] = ()
    gradient_filters: tuple[Bound, ...] = ()
    priors: tuple[tuple[float, Bound], ...] = ()
    updates: tuple[Bound, ...] = ()
    colour: float = 0.5
    score: Callable[[Tensor, Moment], float] = lambda image, moment: float("nan")

    def step(self, image: Tensor, base: Tensor, step_size: float, moment: Moment) -> tuple[Tensor, float]:
        """One step: the next picture and the score before it.

        `image` and `base` (what the octave started from) are (B, 3, H, W) in [0, 1]; `step_size` is in image units.
        """
        score, gradient = self.direction(image, moment)
        image = climb(image, gradient.mul_(step_size), base, self.colour)
        for update in self.updates:
            image = update(image, moment)
        return image, score

    def direction(self, image: Tensor, moment: Moment) -> tuple[float, Tensor]:
        """The score of a picture and the way up from it: the gradient, filtered, less the priors', its colours held."""
        score, gradient = self._through_transforms(image, moment)
        for gradient_filter in self.gradient_filters:
            gradient = gradient_filter(gradient, moment)
        for weight, prior in self.priors:
            gradient.sub_(_gradient_of(prior, image, moment), alpha=weight * image[0].numel())
        return score, hold(gradient, self.colour)

    def value(self, image: Tensor, moment: Moment) -> float:
        """What is climbed without a gradient: the score through the transforms, less the priors."""
        seen = image
        for transform in self.transforms:
            seen = transform(seen, moment)
        return self.score(seen, moment) - sum(weight * float(prior(image, moment)) for weight, prior in self.priors)

    def _through_transforms(self, image: Tensor, moment: Moment) -> tuple[float, Tensor]:
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            seen: Tensor = leaf
            for transform in self.transforms:
                seen = transform(seen, moment)
        if seen is leaf:
            return self.gradient(image, moment)
        # What comes back needs the way, not the picture at its end: a large picture has no room for that.
        way, seen = get_gradient_edge(seen), seen.detach()
        score, gradient = self.gradient(seen, moment)
        del seen
        (gradient,) = torch.autograd.grad(way, leaf, gradient)
        return score, gradient


def _gradient_of(prior: Bound, image: Tensor, moment: Moment) -> Tensor:
    with torch.enable_grad():
        leaf = image.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(prior(leaf, moment), leaf)
    return gradient
