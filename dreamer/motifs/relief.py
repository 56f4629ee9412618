"""The form of a motif: a small relief, before colour and light are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamer.motifs.plane import Plane


@dataclass(frozen=True)
class Relief:
    """Five maps (B, S, S) of a batch of motifs; a renderer colours and lights them.

    `tone`: where in the palette, 0 to 1. `height`: towards the eye, in units of the plane; its slope catches the
    light. `alpha`: 0 to 1, what is there. `shade`: how much light reaches it, 0 to 1; 0 is black whatever the palette,
    and beyond 1 it glows. `shine`: 0 to 1, white added at the end. `part`: 0 to 1, where another motif, the `part` of
    the Motif, is to be seen in this one. `style`: (B,), which of the motif's styles each one is; None stands for the
    first.
    """

    tone: Tensor
    height: Tensor
    alpha: Tensor
    shade: Tensor
    shine: Tensor
    part: Tensor | None = None
    style: Tensor | None = None

    def over(self, below: Relief, lift: float = 0.0) -> Relief:
        """This relief upon another one; `lift` raises it, so that its outline catches the light."""
        mix: Callable[[Tensor, Tensor], Tensor] = lambda top, low: torch.lerp(low, top, self.alpha)  # noqa: E731
        part = below.part
        if part is not None:
            part = part * (1 - self.alpha)
        return Relief(
            tone=mix(self.tone, below.tone),
            height=mix(self.height + lift, below.height),
            alpha=self.alpha + below.alpha * (1 - self.alpha),
            shade=mix(self.shade, below.shade),
            shine=mix(self.shine, below.shine),
            part=part,
            style=below.style,
        )

    def cut(self, alpha: Tensor) -> Relief:
        """This relief inside another outline, `alpha` (B, S, S)."""
        return replace(self, alpha=self.alpha * alpha)


def relief(
    tone: Tensor,
    height: Tensor | None = None,
    alpha: Tensor | None = None,
    shade: Tensor | None = None,
    shine: Tensor | None = None,
    part: Tensor | None = None,
    style: Tensor | None = None,
) -> Relief:
    """A Relief from some of its maps; by default it is flat, covers everything, is fully lit and has no highlights."""
    zero, one = torch.zeros_like(tone), torch.ones_like(tone)
    return Relief(
        tone=tone,
        height=zero if height is None else height,
        alpha=one if alpha is None else alpha,
        shade=one if shade is None else shade,
        shine=zero if shine is None else shine,
        part=part,
        style=style,
    )


def empty(plane: Plane, shade: float = 0.3) -> Relief:
    """An empty relief; what is laid upon it has an outline in this shade."""
    zero = torch.zeros_like(plane.u)
    return relief(zero, alpha=zero, shade=zero + shade)


def shadow(distance: Tensor, reach: Tensor | float, depth: float = 0.75) -> Tensor:
    """The light left outside of an outline (`distance` 0), in the shadow of what it encloses."""
    return 1 - depth * torch.exp(-(-distance).clamp_min(0) / reach)


def laid(
    top: Relief, distance: Tensor, below: Relief, reach: Tensor | float, lift: float = 0.0, depth: float = 0.75
) -> Relief:
    """`top` upon `below`, which lies in its shadow as far as `reach` beyond the outline (`distance` 0)."""
    return top.over(replace(below, shade=below.shade * shadow(distance, reach, depth)), lift)


@dataclass(frozen=True)
class Motif:
    """A class of pictures: a name and the formula that draws it, (plane) -> Relief.

    An object fills about the unit disc of its plane and has an outline; a `ground` covers the whole plane. `upright`:
    it has a top (-v), and is only ever tilted a little. `styles`: how many kinds of it the formula tells apart.
    `part`: the name of another motif that is to be seen in it, where its relief's `part` says so.
    """

    name: str
    draw: Callable[[Plane], Relief]
    ground: bool = False
    upright: bool = False
    styles: int = 1
    part: str = ""
