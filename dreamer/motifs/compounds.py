"""Things that grow out of each other: a flower that looks at you, a portal with an eye in it, a scaly coil."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.buildings import portal
from dreamer.motifs.creatures import eye, shingles
from dreamer.motifs.flowers import petals
from dreamer.motifs.plane import TURN, Plane, dome, frac
from dreamer.motifs.relief import Motif, Relief, relief


def _set_in(jewel: Relief, ground: Relief, size: Tensor, reach: Tensor) -> Relief:
    """`jewel`, `size` large, set into `ground`, in a shadow of its own; it is the part that is to be seen."""
    raised = replace(jewel, height=jewel.height * size)
    shaded = replace(ground, shade=ground.shade * (1 - 0.85 * reach), part=torch.zeros_like(ground.tone))
    return replace(raised.over(shaded), part=jewel.alpha)


def eyeflower(plane: Plane) -> Relief:
    """A flower whose heart is an open eye."""
    size = plane.any(0.4, 0.52)
    part = plane.at(0, 0, size, plane.any(-0.5, 0.5))
    flower = petals(plane)
    shadow = torch.exp(-(((plane.r - 0.7 * size).clamp_min(0) / (0.35 * size)) ** 2))
    return _set_in(eye(part), replace(flower, height=flower.height * 0.8), size, shadow)


def watcher(plane: Plane) -> Relief:
    """A portal with an eye in its doorway that fills it from jamb to jamb."""
    gate, door, spring = portal(plane, plane.any(0.6, 0.68))
    size = 0.97 * door
    part = plane.at(0, spring + plane.any(0.05, 0.15), size)
    return _set_in(eye(part), gate, size, torch.zeros_like(plane.u))


def coil(plane: Plane) -> Relief:
    """A body wound into a spiral, one or two of them, with scales along it that grow with it."""
    arms, hand = plane.whole(1, 2), plane.sign()
    r, tight, turn = plane.r.clamp_min(1e-3), plane.any(1.0, 1.4), plane.angle / TURN
    log = torch.log(r)
    q = 2 * frac(tight * log - hand * arms * turn + plane.any(0, 1)) - 1
    wide = r * torch.rsqrt(tight**2 + (arms / TURN) ** 2)
    # At right angles to that, an even number of rows a turn, so that the rows meet where the angle jumps.
    rows = 2 * plane.whole(12, 18)
    along = rows * (turn + hand * arms / (TURN**2 * tight) * log)
    row = TURN * tight * wide / rows
    size = row / 0.62
    across = torch.asin(q * 0.999) / torch.pi * torch.round(1.4 * wide / size)
    keel = plane.whole(0, 1)
    skin = shingles(plane, across + 0.5, -hand * along, size, plane.any(1.1, 2.0), 2.0, keel * 0, keel)
    shown = ((row / plane.pixel - 1.5) / 2).clamp(0, 1)
    shade = torch.lerp(torch.full_like(q, 0.75), skin.shade.sqrt() * 1.1, shown).clamp(0, 1) * (1 - 0.97 * q.abs() ** 5)
    outline = plane.edge(0.98 - 0.14 * q**4 - r)
    return relief(
        plane.any(0, 0.4) + 0.7 * skin.tone * shown + 0.3 * q.abs() + 0.25 * r,
        0.7 * wide * dome(q * 0.98) + 0.9 * skin.height * shown,
        outline,
        shade,
        part=outline,
        style=(arms - 1)[:, 0, 0],
    )


MOTIFS = (
    Motif("eyeflower", eyeflower, upright=True, styles=3, part="eye"),
    Motif("watcher", watcher, upright=True, styles=3, part="eye"),
    Motif("coil", coil, styles=2, part="scales"),
)
