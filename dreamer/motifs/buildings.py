"""Buildings: portals, arcades, columns, walls, traceried windows, pagodas, domes and stairs."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, saw
from dreamer.motifs.relief import Motif, Relief, laid, relief
from dreamer.motifs.stairs import MOTIFS as STAIRS
from dreamer.motifs.towers import MOTIFS as TOWERS


def _roll(plane: Plane, top: Tensor | float, foot: Tensor | float) -> Tensor:
    """-1 to 1 down a moulding, beyond them above and below it."""
    return (2 * plane.v - top - foot) / (foot - top)


def portal(plane: Plane, share: Tensor) -> tuple[Relief, Tensor, Tensor]:
    """An arch whose doorway takes that `share` of its width; half the doorway's width, and where the arch springs."""
    style = plane.whole(0, 2)
    gothic = style == 1
    pointed = torch.where(gothic, plane.any(0.2, 0.7), 0.0)
    outer = torch.where(gothic, plane.any(0.62, 0.74), plane.any(0.76, 0.88))
    door = outer * share
    spring = torch.sqrt((outer + pointed) ** 2 - pointed**2) - 0.95  # so that the crown is at the top
    sag = torch.where(style == 2, plane.any(0.55, 0.75), 0.0) * door
    foot = 0.94
    # Distance from the middle line, in the manner of the arch; beneath the springing that is the width of the jambs.
    lift = torch.minimum(plane.v - spring, sag)
    q = torch.hypot(plane.u.abs() + pointed, lift) - pointed
    along = torch.atan2(-lift, plane.u.abs() + pointed)
    number = plane.whole(3, 4)
    wide = (outer - door) / number
    t = (q - door) / wide
    ring, x = torch.floor(t), 2 * frac(t) - 1
    in_arch = plane.edge(spring + 0.6 * sag - plane.v)
    stones = torch.round(plane.whole(9, 13) * (0.7 + 0.3 * ring / number))
    joint = saw(along / (TURN / 4) * stones)
    stone = torch.floor(along / (TURN / 4) * stones)
    chance = hashed(stone + 50 * (plane.u > 0), ring, plane.any(0, 9))
    plain = (hashed(ring, ring, plane.any(0, 9)) < 0.55) & (ring < number - 1)
    seam = torch.where(plain, torch.zeros_like(t), torch.exp(-((joint / 0.16) ** 2)) * plane.fine(wide * 0.7))
    round_ = dome(x * 0.97)
    bar = torch.where(plain, round_, 0.8 * (1 - x**4) * (1 - 0.5 * seam))
    column = dome(x / 0.8)
    body = torch.lerp(column, bar, in_arch)
    height = 0.5 * wide * body + 0.32 * wide * ring.clamp_min(-1)
    shade = torch.lerp(0.06 + 1.0 * column, (1 - 0.85 * x.abs() ** 5) * (1 - 0.6 * seam), in_arch).clamp(0, 1)
    shade = shade * (0.5 + 0.5 * ((ring + 1) / number).clamp(0, 1))
    tone = plane.any(0, 0.4) + torch.where(plain, 0.35, 0.22 * chance) * in_arch + 0.14 * ring + 0.25 * (1 - in_arch)
    # Capitals at the springing and bases at the foot, each a bulge across all the columns.
    under = torch.maximum(spring, spring + 0.6 * sag)
    for top, deep in ((under, 0.1), (under + 0.1, 0.035), (foot - 0.17, 0.1)):
        y = _roll(plane, top, top + deep)
        inside = plane.edge((1 - y.abs()) * deep / 2) * (q > door - 0.02)
        height = torch.lerp(
            height, 0.32 * wide * ring + 0.45 * deep * dome(y * 0.9) + 0.45 * wide * round_ + 0.04, inside
        )
        below = plane.edge(plane.v - top - deep) * torch.exp(-(plane.v - top - deep).clamp_min(0) / 0.05)
        shade = torch.lerp(shade * (1 - 0.6 * below), (0.35 + 0.65 * round_) * (1 - 0.5 * y.clamp(-1, 1) ** 4), inside)
        tone = torch.lerp(tone, tone * 0.5 + 0.55, inside)
    inward = ((door - q) / door).clamp(0, 1)
    opening = plane.edge(door - q)
    glow = torch.where(plane.chance(0.35), 0.5, 0.0) * torch.exp(
        -((plane.u / 0.2) ** 2) - ((plane.v - 0.75) / 0.5) ** 2
    )
    height = torch.lerp(height, torch.full_like(inward, -0.1), opening)
    shade = torch.lerp(shade, 0.03 + 0.2 * torch.exp(-inward / 0.08) + glow, opening)
    tone = torch.lerp(tone, torch.full_like(tone, 0.75), opening)
    # Two or three steps lead up to the door.
    rise = (plane.v - 0.76) / 0.07
    tread = plane.edge(plane.v - 0.76) * (plane.u.abs() < door + 0.06 + 0.07 * torch.floor(rise))
    height = torch.lerp(height, 0.04 * torch.floor(rise) + 0.03 * frac(rise), tread)
    shade = torch.lerp(shade, (0.35 + 0.65 * (1 - frac(rise)) ** 0.7).clamp(0, 1), tread)
    tone = torch.lerp(tone, torch.full_like(tone, 0.3), tread)
    outside = outer + 0.05 * plane.edge(plane.v - under) * plane.edge(under + 0.1 - plane.v)
    alpha = plane.edge(torch.minimum(outside - q, foot - plane.v))
    return relief(tone, height, alpha, shade, style=style[:, 0, 0]), door, spring


def arch(plane: Plane) -> Relief:
    """A portal of archivolts that recede to a dark doorway, on columns: round, pointed or horseshoe."""
    return portal(plane, plane.any(0.38, 0.5))[0]


def arcade(plane: Plane) -> Relief:
    """Arches in rows above each other, on columns before a dark hall."""
    style = plane.whole(0, 1)
    many, ratio, bays = plane.any(1.0, 1.7), plane.any(1.45, 1.8), plane.whole(1, 2)
    # Storeys come in pairs; the upper one may have two smaller arches over each arch of the lower.
    pair = torch.remainder(plane.v * many / ratio + plane.any(0, 2), 1 + 1 / bays)
    upper = pair > 1
    scale = many * torch.where(upper, bays, torch.ones_like(pair))
    x = frac(plane.u * scale + plane.any(0, 1)) - 0.5
    y = torch.where(upper, (pair - 1) * bays, pair) * ratio
    spring = plane.any(0.55, 0.68)
    pier = plane.any(0.11, 0.16)
    pointed = torch.where(style == 1, plane.any(0.2, 0.5), 0.0)
    lift = (y - spring).clamp_max(0)
    q = torch.hypot(x.abs() + pointed, lift) - pointed
    open_ = 0.5 - pier
    ring = (q - open_) / 0.1
    crisp = replace(plane, pixel=plane.pixel * scale).edge
    hole = crisp(open_ - q) * crisp(ratio - 0.16 - y)
    up = crisp(spring - y)
    moulding = dome((2 * ring - 1).clamp(-1, 1))
    side = ((0.5 - x.abs()) / pier).clamp(0, 1)  # 0 on the middle line of a column
    shaft = dome(side)
    stones = saw(torch.atan2(lift, x.abs() + pointed) / (TURN / 4) * 7)
    seam = torch.exp(-((stones / 0.2) ** 2)) * plane.fine(0.16 / scale) * (ring < 1)
    height = torch.lerp(1.0 * pier * shaft, 0.06 * moulding * (1 - 0.4 * seam), up)
    shade = torch.lerp(0.15 + 0.85 * shaft, (1 - 0.55 * seam) * (0.55 + 0.45 * moulding + 0.3 * (ring > 1)), up)
    tone = torch.lerp(torch.full_like(x, 0.55), torch.where(ring < 1, 0.3, 0.1), up)
    for top, deep, out in ((spring, 0.09, 1.35), (ratio - 0.27, 0.11, 1.35), (ratio - 0.16, 0.16, 9.0)):
        z = (2 * (y - top) / deep - 1).clamp(-1, 1)
        band = crisp(y - top) * crisp(top + deep - y) * crisp(out * pier - (0.5 - x.abs()))
        under = crisp(y - top - deep) * torch.exp(-(y - top - deep).clamp_min(0) / 0.07)
        height = torch.lerp(height, 0.04 + 0.5 * deep * dome(z * 0.95) + 0.6 * pier * dome(side / 1.4), band)
        shade = torch.lerp(shade * (1 - 0.6 * under), 1 - 0.5 * z.abs() ** 3, band)
        hole = hole * (1 - band)
        tone = torch.lerp(tone, torch.full_like(x, 0.8), band)
    shade = shade * (1 - 0.55 * torch.exp(-y / 0.08))
    depth = ((open_ - q) / open_).clamp(0, 1)
    shade = torch.lerp(shade, 0.03 + 0.3 * torch.exp(-depth / 0.15) + 0.16 * (y / ratio) ** 2, hole)
    height = height * (1 - hole) / scale
    tone = torch.lerp(tone, torch.full_like(tone, 0.95), hole) * plane.any(0.6, 1) + plane.any(0, 0.4)
    return relief(tone, height * 1.3, None, shade, style=style[:, 0, 0])


def _volute(plane: Plane, reach: Tensor) -> tuple[Relief, Tensor]:
    """A scroll of an Ionic capital, as wide as `reach`, and how far inside of it a place is."""
    part = plane.bent(plane.u.abs(), plane.v)
    r = torch.hypot(part.u - reach, part.v).clamp_min(1e-3)
    size = 0.62 * reach
    coil = frac(torch.atan2(part.v, part.u - reach) / TURN - 1.5 * torch.log(r / size))
    x = 2 * coil - 1
    eye = plane.edge(0.2 * size - r)
    shown = plane.fine(0.5 * r)
    height = torch.lerp(0.22 * r * dome(x * 0.97) * shown + 0.1, 0.12 + 0.1 * dome(r / (0.2 * size)), eye)
    shade = torch.lerp(1 - 0.85 * shown * x.abs() ** 3, torch.ones_like(r), eye)
    return relief(0.5 + 0.3 * x.abs() + 0.3 * eye, height, plane.edge(size - r), shade), size - r


def column(plane: Plane) -> Relief:
    """A column with capital and base: fluted Doric, Ionic with volutes, or twisted."""
    style = plane.whole(0, 2)
    ionic, twisted = style == 1, style == 2
    half, tone = plane.any(0.27, 0.4), plane.any(0, 0.4)
    top, foot = plane.any(-0.62, -0.5), plane.any(0.62, 0.72)
    down = (plane.v - top) / (foot - top)
    twist = plane.any(1.5, 2.6) * plane.sign()
    bulge = torch.where(twisted, 0.06 * torch.cos(2 * TURN * twist * down), torch.zeros_like(down))
    wide = half * (0.86 + 0.14 * down + 0.05 * torch.sin(math.pi * down.clamp(0, 1)) + bulge)
    x = (plane.u / wide).clamp(-1, 1)
    phi = torch.asin(x * 0.999)
    flutes = torch.where(twisted, plane.whole(2, 3) * 2, plane.whole(8, 11) * 2)
    phase = flutes * phi / TURN + torch.where(twisted, twist * down * 2, torch.zeros_like(down)) + 0.5 * ~twisted
    f = 2 * frac(phase) - 1
    shown = plane.fine(TURN * half / flutes * torch.cos(phi))
    cut = torch.where(twisted, dome(f * 0.97), 1 - dome(f / 0.85))  # a rope bulges, a flute is hollow
    deep = torch.where(twisted, 0.4, 0.16) * half * TURN / flutes * 2
    height = 0.9 * half * dome(x * 0.98) + shown * deep * cut
    shade = (0.25 + 0.75 * dome(x)) * (1 - shown * torch.where(twisted, 0.85 * f.abs() ** 4, 0.55 * (1 - cut)))
    shade = shade * (1 - 0.65 * torch.exp(-((plane.v - top).clamp_min(0) / 0.09)))
    distance = plane.block(top, foot, wide)
    tones = tone + torch.where(twisted, 0.35 * f.abs(), 0.2 * (1 - cut)) + 0.1 * down
    drawn = relief(tones, height, plane.edge(distance), shade)
    reach = plane.any(1.4, 1.7)
    one = torch.ones_like(top)
    mouldings = (  # top, foot, half width above, below; how round
        (-0.93 * one, top - 0.16, reach + 0.12, reach + 0.12, 0.3),
        (top - 0.16, top, torch.where(ionic, reach * 0.85, reach), 0.95 * one, 0.8),
        (top, top + 0.05, one, one, 1.0),
        (foot - 0.03, foot + 0.07, 1.18 * one, 1.18 * one, 1.0),
        (foot + 0.07, foot + 0.13, 1.08 * one, 1.08 * one, 1.0),
        (foot + 0.13, 0.94 * one, 1.5 * one, 1.5 * one, 0.3),
    )
    for number, (high, low, above, below, bend) in enumerate(mouldings):
        y = _roll(plane, high, low)
        t = ((y + 1) / 2).clamp(0, 1)
        swell = torch.lerp(above, below, 1 - (1 - t**2).clamp_min(0).sqrt()) * half
        swell = swell - 0.5 * (low - high) * (1 - dome(y * 0.99)) * (bend > 0.9)
        x = (plane.u / swell).clamp(-1, 1)
        distance = plane.block(high, low, swell)
        body = 0.9 * half * dome(x * 0.95) * bend + 0.35 * (low - high) * dome(y * 0.95) + 0.25 * half * (1 - bend)
        light = (0.35 + 0.65 * dome(x * 0.93)) if bend > 0.5 else 0.75 + 0.25 * dome(x)
        part = relief(
            tone + 0.18 * (number % 3) + 0.3, body, plane.edge(distance), light * (1 - 0.5 * y.clamp(0, 1) ** 2)
        )
        drawn = laid(part, distance, drawn, 0.03, depth=0.8)
    scroll, distance = _volute(plane.at(0, top - 0.06), reach * half * 0.8)
    scroll = replace(scroll, tone=scroll.tone + tone, height=scroll.height + 0.5 * half).cut(ionic * 1.0)
    drawn = laid(scroll, torch.where(ionic, distance, -9.0), drawn, 0.04, depth=0.8)
    return replace(drawn, style=style[:, 0, 0])


def masonry(plane: Plane) -> Relief:
    """A wall of bevelled stones in half bond, each of its own colour and a little rough."""
    style, many = plane.whole(0, 1), plane.any(3.0, 5.0)
    long = plane.any(1.5, 2.2)
    rough = plane.noise(14, 3)
    wobble = 0.05 * style * rough
    y = plane.v * many + plane.any(0, 1) + wobble
    row = torch.floor(y)
    x = plane.u * many / long + 0.5 * torch.remainder(row, 2) + 0.12 * style * hashed(row, row) + wobble
    stone = torch.floor(x)
    chance = hashed(stone, row, plane.any(0, 9))
    cut = (0.5 - (x - stone - 0.5).abs()) * long, 0.5 - (y - row - 0.5).abs()
    inner = torch.minimum(*cut) + 0.06 * torch.log2(1 / (1 + torch.exp2(-(cut[0] - cut[1]).abs() / 0.06)))
    bevel = torch.where(style == 0, plane.any(0.1, 0.18), 0.3)
    t = ((inner - 0.04) / bevel).clamp(0, 1)
    pillow = dome(1 - t)
    height = (0.45 * bevel * pillow + 0.08 * chance + (0.02 + 0.03 * style) * rough * pillow) / many * 1.4
    shade = (0.06 + 0.94 * t**0.6) * (0.72 + 0.28 * frac(chance * 37))
    tone = plane.any(0, 0.4) + 0.55 * chance + 0.05 * rough + 0.2 * (1 - pillow)
    return relief(tone, height, None, shade, style=style[:, 0, 0])


MOTIFS = (
    Motif("arch", arch, upright=True, styles=3),
    Motif("arcade", arcade, ground=True, upright=True, styles=2),
    Motif("column", column, upright=True, styles=3),
    Motif("masonry", masonry, ground=True, upright=True, styles=2),
    *TOWERS,
    *STAIRS,
)
