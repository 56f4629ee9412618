"""Gradient ascent on a picture, one step at a time (Erhan 2009; Mordvintsev 2015).

Everything here is a function of tensors and callables: no recipe, no registry, no network by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    `keeps_gradient` hands the updates the gradient as it was before the filters, at the price of a copy.
    """

    gradient: Callable[[Tensor, Moment], tuple[float, Tensor]]
    transforms: tuple[Bound, ...] = ()
    gradient_filters: tuple[Bound, ...] = ()
    priors: tuple[tuple[float, Bound], ...] = ()
    updates: tuple[Bound, ...] = ()
    colour: float = 0.5
    score: Callable[[Tensor, Moment], float] = lambda image, moment: float("nan")
    keeps_gradient: bool = False

    def step(self, image: Tensor, base: Tensor, step_size: float, moment: Moment) -> tuple[Tensor, float]:
        """One step: the next picture and the score before it.

        `image` and `base` (what the octave started from) are (B, 3, H, W) in [0, 1]; `step_size` is in image units.
        """
        score, gradient, moment = self.direction(image, moment)
        image = climb(image, gradient.mul_(step_size), base, self.colour)
        for update in self.updates:
            image = update(image, moment)
        return image, score

    def direction(self, image: Tensor, moment: Moment) -> tuple[float, Tensor, Moment]:
        """The score of a picture, the way up from it, and what the updates may know.

        The way is the gradient, filtered, less the priors', its colours held.
        """
        score, gradient = self._through_transforms(image, moment)
        if self.keeps_gradient:
            moment = replace(moment, gradient=gradient.clone())
        for gradient_filter in self.gradient_filters:
            gradient = gradient_filter(gradient, moment)
        for weight, prior in self.priors:
            gradient.sub_(_gradient_of(prior, image, moment), alpha=weight * image[0].numel())
        return score, hold(gradient, self.colour), moment

    def value(self, image: Tensor, moment: Moment) -> float:
        """What is climbed without a gradient: the score through the transforms, less the priors."""
        dice = _dice(image)
        seen = self._transformed(image, moment)
        known = replace(moment, view=lambda picture: self._again(picture, moment, dice))
        return self.score(seen, known) - sum(weight * float(prior(image, moment)) for weight, prior in self.priors)

    def _through_transforms(self, image: Tensor, moment: Moment) -> tuple[float, Tensor]:
        dice = _dice(image)
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            seen = self._transformed(leaf, moment)
        moment = replace(moment, view=lambda picture: self._again(picture, moment, dice))
        if seen is leaf:
            return self.gradient(image, moment)
        # What comes back needs the way, not the picture at its end: a large picture has no room for that.
        way, seen = get_gradient_edge(seen), seen.detach()
        score, gradient = self.gradient(seen, moment)
        del seen
        (gradient,) = torch.autograd.grad(way, leaf, gradient)
        return score, gradient

    def _transformed(self, image: Tensor, moment: Moment) -> Tensor:
        for transform in self.transforms:
            image = transform(image, moment)
        return image

    def _again(self, image: Tensor, moment: Moment, dice: list[Tensor]) -> Tensor:
        """Transformed as the picture was when the dice stood like that; they are left as they stand now."""
        with torch.random.fork_rng(devices=[image.device] if image.is_cuda else []):
            torch.set_rng_state(dice[0])
            if image.is_cuda:
                torch.cuda.set_rng_state(dice[1], image.device)
            return self._transformed(image, moment)


def _dice(image: Tensor) -> list[Tensor]:
    """The state of the generators that a picture's transforms draw from."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(image.device)] if image.is_cuda else [])]


def _gradient_of(prior: Bound, image: Tensor, moment: Moment) -> Tensor:
    with torch.enable_grad():
        leaf = image.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(prior(leaf, moment), leaf)
    return gradient
