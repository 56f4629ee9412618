"""Cut-outs: pictures whose transparency is learnt with them ("Semi-transparent patterns", Mordvintsev et al. 2018).

What is looked at lies on a ground that is another one at each look, so what the network does not need is best left
transparent. Alpha is a picture as well, on a canvas of the same kind: of a batch (2 B, 3, H, W) the first half are the
colours, and of the second half the mean over channels, a little blurred and fading towards the borders, is their alpha.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from dreamer.engine.ascent import Ascent, Bound
from dreamer.engine.canvas import clouds
from dreamer.engine.colour import natural
from dreamer.engine.step import StepContext
from dreamer.image import blurred
from dreamer.image.easing import eased

_AREA, _PRICE = 0.12, 0.5  # the share of a picture that costs nothing; by how much more grows dearer to the end
_LEAST = 0.1  # smallest RMS by which alpha is normalised
_BLUR, _MARGIN = 0.01, 0.15  # shares of the short side, and of each side
_LOWEST, _HIGHEST = 0.25, 0.75  # alphas that count as none and as all: a canvas hardly comes to 0 and 1


class Cutout:
    """An ascent of pictures that lie on changing grounds: an `Ascent` for colours and alphas in one batch.

    Args:
        ascent: Gives score and gradient of the pictures on their grounds, (B, 3, H, W).
    """

    def __init__(self, ascent: Ascent) -> None:
        self._ascent = ascent
        self.updates: tuple[Bound, ...] = tuple(partial(_of_colours, update) for update in ascent.updates)

    def value(self, image: Tensor, context: StepContext) -> float:
        """The score of colours and alphas (2 B, 3, H, W) on a random ground, less what is paid for their area."""
        colours, alpha = parts(image)
        score = self._ascent.value(ground(colours).lerp(colours, alpha), halved(context))
        return score - float(cost(alpha, context.step.share).mean())

    def direction(self, image: Tensor, context: StepContext) -> tuple[float, Tensor, StepContext]:
        """The score of colours and alphas on a random ground, and the direction to climb, both (2 B, 3, H, W).

        It is the gradient of <x, g> / r - cost, where x = ground + alpha (colours - ground), g is the direction of x,
        and r the RMS of alpha: colours then climb as fast as they would without a ground.
        """
        with torch.enable_grad():
            leaf = image.detach().requires_grad_()
            colours, alpha = parts(leaf)
            seen = ground(colours.detach()).lerp(colours, alpha)
        score, slope, known = self._ascent.direction(seen.detach(), halved(context))
        with torch.enable_grad():
            length = alpha.detach().square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=_LEAST)
            worth = (seen * slope / length).sum() - cost(alpha, context.step.share).sum()
        (along,) = torch.autograd.grad(worth, leaf)
        return score, along, replace(known, photo=context.photo, image=context.image)

    def culprit(self, image: Tensor, context: StepContext) -> str:
        """The ingredient that makes finite colours and alphas (2 B, 3, H, W) infinite or NaN; "" if none alone does."""
        return self._ascent.culprit(parts(image)[0], halved(context))


def cost(alpha: Tensor, share: float) -> Tensor:
    """The penalty for the area of alphas (B, 1, H, W), for each of their pixels, (B, 1, H, W).

    Nothing up to a small part of the picture, then as the square of what is more, so that alpha does not die out; and
    little while forms have yet to grow: `share`, from 0 to 1, is what is done of the dream.
    """
    more = (alpha.mean((1, 2, 3), keepdim=True) - _AREA).clamp(min=0)
    return share * _PRICE / 2 * more.square().expand_as(alpha)


def halved(context: StepContext) -> StepContext:
    """The context of the colours alone, from that of colours and alphas (2 B, 3, H, W)."""
    return replace(context, photo=context.photo.chunk(2)[0], image=context.image.chunk(2)[0])


def finished(image: Tensor) -> tuple[Tensor, Tensor]:
    """The colours (B, 3, H, W) and the alphas (B, 1, H, W) of both in one batch; alphas near 0 or 1 snap to it."""
    colours, alpha = parts(image)
    share = ((alpha - _LOWEST) / (_HIGHEST - _LOWEST)).clamp(0, 1)
    return colours, eased(share)


def ground(image: Tensor) -> Tensor:
    """A picture of clouds of some colour for each of `image`'s (B, 3, H, W), drawn afresh at each call."""
    tint = torch.randn(len(image), 3, 1, 1).to(image)
    return natural(1.5 * tint + clouds(image))


def parts(image: Tensor) -> tuple[Tensor, Tensor]:
    """The colours (B, 3, H, W) and the alphas (B, 1, H, W) of both in one batch."""
    colours, alpha = image.chunk(2)
    height, width = image.shape[-2:]
    alpha = blurred(alpha.mean(1, keepdim=True), max(0.5, _BLUR * min(height, width)))
    return colours, alpha * _fading(height, image)[:, None] * _fading(width, image)


def _fading(side: int, like: Tensor) -> Tensor:
    """From 0 at both ends to 1 at `_MARGIN` of the side, (side,)."""
    places = (torch.arange(side).to(like) + 0.5) / side
    share = (torch.minimum(places, 1 - places) / _MARGIN).clamp(max=1)
    return eased(share)


def _of_colours(update: Bound, image: Tensor, context: StepContext) -> Tensor:
    colours, alpha = image.chunk(2)
    return torch.cat([update(colours, halved(context)), alpha])
