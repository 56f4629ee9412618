"""Ornament: sculpted spirals, cut stones, mandalas and fractal filigree; and the patterns."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.patterns import MOTIFS as PATTERNS
from dreamer.motifs.patterns import sector
from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, saw
from dreamer.motifs.relief import Motif, Relief, empty, laid, relief

# Where Julia sets are dust in spirals: points a little outside of the Mandelbrot set.
_SPIRALS = (
    (-0.702, 0.384),
    (-0.835, 0.232),
    (-0.78, 0.16),
    (-0.77, 0.14),
    (-0.6, 0.47),
    (0.4, 0.3),
    (0.385, 0.13),
    (-0.42, 0.62),
    (-0.72, 0.27),
)


def spiral(plane: Plane) -> Relief:
    """A sculpted disc of one, two or more ridges winding inward, tighter and tighter, to a boss."""
    style, hand = plane.whole(0, 2), plane.sign()
    arms = torch.where(style < 2, style + 1, plane.whole(3, 6))
    tight, core = plane.any(1.5, 2.6), plane.any(0.02, 0.3)
    r = plane.r.clamp_min(1e-3)
    phase = arms * plane.angle / TURN + hand * tight * torch.log(r + core)
    width = torch.rsqrt((tight / (r + core)) ** 2 + (arms / TURN / r) ** 2)
    x = 2 * frac(phase + plane.any(0, 1)) - 1
    shown = plane.fine(width)
    # Ribs cross the ridges at right angles; on some spirals they are strong, on others there are none.
    number = plane.whole(12, 26)
    rib = saw(number * (plane.angle - hand * arms / (TURN * tight) * torch.log(r + core)) / TURN)
    ribbed = plane.any(-0.6, 1).clamp_min(0) * plane.fine(TURN * r / number)
    height = 0.55 * width * shown * dome(x * 0.98) * (1 + 0.3 * ribbed * rib) + 0.25 * dome(r * 0.9)
    shade = (1 - 0.92 * shown * x.abs() ** 4) * (1 - 0.4 * ribbed * (1 - rib) ** 2)
    tone = plane.any(0, 0.4) + 0.45 * x.abs() ** 2 + plane.any(0, 0.5) * r + 0.12 * ribbed * rib
    boss, size = plane.at(0, 0, 1), plane.any(0.07, 0.16)
    inside = boss.edge(size - r)
    height = torch.lerp(height, 0.35 + 1.0 * size * dome(r / size), inside)
    shade = torch.lerp(shade * (1 - 0.6 * torch.exp(-(((r - size) / 0.04).clamp_min(0)))), torch.ones_like(r), inside)
    rim = 0.98 - 0.1 * x**4
    drawn = relief(torch.lerp(tone, tone + 0.4, inside), height, plane.edge(rim - r), shade)
    return replace(drawn, style=style[:, 0, 0])


def _glints(plane: Plane, count: int) -> Tensor:
    """Sparkles: small four-pointed stars of white light."""
    light = torch.zeros_like(plane.u)
    for _ in range(count):
        turn, far, size = plane.any(0, TURN), plane.any(0.15, 0.8), plane.any(0.1, 0.26)
        star = plane.at(far * torch.cos(turn), far * torch.sin(turn), size)
        ray = 1 / (1 + 60 * (star.u * star.v).abs()) * (1 - star.r).clamp(0, 1) ** 2
        light = torch.maximum(light, ray)
    return light


def gem(plane: Plane) -> Relief:
    """A cut stone from above, its crown of plane facets around the table: brilliant, emerald or pear."""
    style = plane.whole(0, 2)
    step, drop = style == 1, style == 2
    narrow = torch.where(step, plane.any(0.66, 0.85), torch.where(drop, 0.8, 1.0))
    taper = torch.where(drop, ((1 + plane.v) / 1.6).clamp(0.02, 1.6) ** 0.45, torch.ones_like(plane.v))
    stone = plane.bent(plane.u / (narrow * taper), plane.v)
    fold, table, deep = plane.whole(7, 9), plane.any(0.44, 0.58), plane.any(0.3, 0.45)
    which, aside = sector(stone.angle + TURN / 4, fold)
    x, y = stone.r * torch.cos(aside), (stone.r * torch.sin(aside)).abs()
    half = torch.pi / fold
    slope = deep / (0.97 - table)
    kite = slope * (0.97 - x)
    tilted = x * torch.cos(half) + y * torch.sin(half)
    star = deep + 0.7 * slope * (table * torch.cos(half) - tilted)
    girdle = 1.35 * slope * (0.985 - (x * torch.cos(half / 2) + y * torch.sin(half / 2)))
    crown = torch.stack([torch.full_like(x, 1) * deep, kite, star, girdle])
    height, facet = crown.min(0)
    # The emerald cut: three steps of parallel facets on eight sides, the corners cut off.
    a, b = stone.u.abs(), stone.v.abs()
    corner = (a * narrow + b) / (narrow + 1) * plane.any(1.14, 1.3)
    d, side = torch.stack([a, b, corner]).max(0)
    steps = torch.stack([torch.full_like(d, 1) * deep, 0.75 * (0.98 - d), 1.2 * (0.93 - d) + 0.03, 1.7 * (0.97 - d)])
    steps[2] = 0.4 * deep + 1.1 * (0.75 - d) * 0.8
    high, level = steps.min(0)
    sign = (stone.u > 0) * 1.0 + (stone.v > 0) * 2.0
    height = torch.where(step, high, height)
    facet = torch.where(step, level, facet)
    face = torch.where(
        step, side * 4 + torch.where(side == 0, sign % 2, torch.where(side == 1, sign // 2, sign)), which
    )
    face = face * 2 + torch.where(step | (facet < 3), 0.0, (aside > 0) * 1.0)
    chance = hashed(face, facet * 1.0, plane.any(0, 9))
    top = facet == 0
    # Through the table the facets of the underside are seen, as a star of light and dark wedges.
    below, turned = sector(stone.angle + TURN / 4, 2 * fold)
    wedge = hashed(below, torch.floor(stone.r / table * 2.2 + 1.5 * turned.abs() * fold), plane.any(0, 9))
    wedge = torch.where(step, hashed(face, torch.floor(d / table * 3), plane.any(0, 9)), wedge)
    chance = torch.where(top, wedge, chance)
    shade = torch.where(top, 0.3 + 0.7 * wedge**1.5, 0.45 + 0.55 * chance)
    tone = plane.any(0, 0.5) + 0.4 * chance + 0.2 * top
    outline = torch.where(step, (0.97 - d) * narrow, (0.97 - stone.r) * narrow * taper.clamp(0, 1))
    flash = 0.45 * (chance > 0.86) + _glints(plane, 3)
    return relief(tone, 1.2 * height, plane.edge(outline), shade, flash, style=style[:, 0, 0])


def mandala(plane: Plane) -> Relief:
    """An n-fold ornament of rings of petals, beads and bands about a rosette."""
    style = plane.whole(0, 2)
    fold = torch.where(style == 0, plane.whole(5, 6), torch.where(style == 1, 8.0, plane.whole(10, 12)))
    r, base = plane.r, plane.any(0, 0.3)
    drawn = empty(plane, shade=0.0)
    outer, shrink = 0.98 * torch.ones_like(fold), plane.any(0.6, 0.7)
    for ring in range(4):
        inner = outer * shrink * 0.8
        count = fold * torch.where(plane.chance(0.35), 2.0, 1.0) if ring < 2 else fold
        blunt = plane.any(0.4, 1.1)
        for layer in range(2):
            _, aside = sector(plane.angle + TURN / 4 + (layer + 1) * torch.pi / count, count)
            top = outer * (1 - 0.14 * layer)
            t = ((r - 0.5 * inner) / (top - 0.5 * inner)).clamp(1e-3, 1 - 1e-3)
            half = torch.pi / count * r * 0.98 * (2.2 * t).clamp(0, 1) ** 0.5 * ((1 - t) * 2.2).clamp(0, 1) ** blunt
            q = (r * aside.abs() / half.clamp_min(1e-3)).clamp(0, 1.5)
            distance = torch.minimum(half - r * aside.abs(), top - r)
            inlay = plane.edge((0.55 - q) * half) * (t > 0.3)
            height = 0.5 * half * dome(q * 0.95) + 0.25 * (1 - t) + 0.12 * ring + 0.05 * layer - 0.1 * half * inlay
            shade = (0.15 + 1.1 * t).clamp(0, 1) * (1 - 0.75 * q.clamp(0, 1) ** 5)
            tone = base + 0.23 * ring + 0.12 * layer + 0.25 * t + 0.35 * inlay
            petal = relief(tone, height, plane.edge(distance), shade)
            drawn = laid(petal, distance, drawn, 0.05 * outer, depth=0.8)
        # A string of beads lies on the feet of the petals.
        beads = count * 2
        _, aside = sector(plane.angle + TURN / 4, beads)
        size = torch.pi / beads * inner * 0.85
        q = torch.hypot(r * aside, r - inner) / size
        distance = 1.15 * size - (r - inner).abs()
        bead = relief(
            base + 0.5 + 0.23 * ring - 0.4 * dome(q),
            0.4 + 0.12 * ring + 1.2 * size * dome(q),
            plane.edge(distance),
            0.25 + 0.75 * plane.edge(size * (1 - q)) * (0.5 + 0.5 * dome(q)),
        )
        drawn = laid(bead, distance, drawn, 0.04 * outer, depth=0.7)
        outer = inner - 0.6 * size
    q = r / outer
    boss = relief(base + 0.2 + 0.3 * q, 0.9 + 0.9 * outer * dome(q), plane.edge(outer - r), 0.4 + 0.6 * dome(q))
    drawn = boss.over(drawn)
    return replace(drawn, style=style[:, 0, 0])


def julia(plane: Plane) -> Relief:
    """A Julia set's filigree of spirals, in relief: high where the distance to the set is small (Milnor 1989)."""
    listed = torch.tensor(_SPIRALS, device=plane.u.device)
    c = listed[plane.whole(0, len(_SPIRALS) - 1).long()[:, 0, 0]]
    cx, cy = c[:, 0, None, None] + plane.any(-0.004, 0.004), c[:, 1, None, None] * plane.sign()
    # The fixed point (1 - sqrt(1 - 4 c)) / 2, about which the arms wind, is the middle of the picture.
    wide, turn = torch.hypot(1 - 4 * cx, 4 * cy), torch.atan2(-4 * cy, 1 - 4 * cx) / 2
    ax, ay = (1 - wide.sqrt() * torch.cos(turn)) / 2, -wide.sqrt() * torch.sin(turn) / 2
    zoom = plane.any(0.5, 0.9)
    x, y = ax + zoom * plane.u, ay + zoom * plane.v
    dx, trap, last = torch.ones_like(x), torch.full_like(x, 4), torch.zeros_like(x)
    size = x * x + y * y
    for _ in range(30):
        on = size < 100
        last = last + on
        dx = torch.where(on, dx * 2 * size.sqrt(), dx)
        x, y = torch.where(on, x * x - y * y + cx, x), torch.where(on, 2 * x * y + cy, y)
        size = x * x + y * y
        trap = torch.minimum(trap, size)
    far = 0.5 * size.sqrt() * torch.log(size.clamp_min(1.0001)) / dx.clamp_min(1e-6) / zoom
    smooth = last - torch.log2(torch.log(size.clamp_min(1.1)) / math.log(100))
    # Ridges run along the set; they sink and darken away from it, so that the spirals stand out like lace.
    near, close = torch.exp(-far / 0.2), torch.exp(-far / (0.02 + 0.7 * plane.pixel))
    wave = 0.5 + 0.5 * torch.cos(TURN * smooth / 2)
    shown = (6 * far / plane.pixel / 3 - 1).clamp(0, 1)  # the bands shrink with the distance to the set
    height = (
        0.3 * near
        + 0.04 * close
        - 0.35 * trap.clamp(0, 0.5) * (last > 29)
        + 0.1 * (wave - 0.5) * shown * (far / 0.1).clamp(0, 1)
    )
    shade = (0.16 + 0.84 * near) * (1 - 0.6 * wave * shown) * (1 - 0.25 * close)
    tone = plane.any(0, 0.4) + 0.05 * smooth + 0.35 * trap.sqrt().clamp(0, 1)
    return relief(tone, height, None, shade.clamp(0, 1), 0.25 * close * (1 - close))


MOTIFS = (
    Motif("spiral", spiral, styles=3),
    Motif("gem", gem, styles=3),
    Motif("mandala", mandala, styles=3),
    Motif("julia", julia, ground=True),
    *PATTERNS,
)
