"""The sea: shells, stars, urchins, jellyfish, bubbles, coral and waves."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, least, saw
from dreamer.motifs.relief import Motif, Relief, laid, relief
from dreamer.motifs.shells import MOTIFS as SHELLS


def _ball(tone: Tensor, q: Tensor, alpha: Tensor, size: Tensor | float) -> Relief:
    """A knob: half a ball with dark foot, at distances q from its middle."""
    z = dome(q)
    return relief(tone + 0.2 * z, z * size, alpha, 0.3 + 0.7 * z)


def bubbles(plane: Plane) -> Relief:
    """Heaps of glossy balls, big upon small: soap bubbles with iridescent rims, or pearls."""
    pearl = plane.chance(0.45)
    seed, turn = plane.any(0, 9), plane.any(0, 0.4)
    zero = torch.zeros_like(plane.u)
    heap = relief(zero + turn, shade=zero + 0.15)
    for scale, share in ((3.6, 1.0), (2.1, 0.75), (1.25, 0.6)):
        x, y = plane.u * scale + 11.3 * seed, plane.v * scale + 7.1 * seed
        for du, dv in ((0, 0), (1, 0), (0, 1), (1, 1)):
            cell_x, cell_y = torch.floor(x) + du, torch.floor(y) + dv
            chance = hashed(cell_x, cell_y, seed)
            size = 0.4 + 0.28 * frac(chance * 17)
            a = (x - cell_x - 0.3 * (frac(chance * 31) - 0.5)) / size
            b = (y - cell_y - 0.3 * (frac(chance * 57) - 0.5)) / size
            q = torch.hypot(a, b) + (chance > share) * 9
            z = dome(q)
            rim = torch.exp(-(((q - 0.93) / 0.09) ** 2))
            spark = torch.exp(-((a + 0.36) ** 2 + (b + 0.4) ** 2) / 0.025)
            glow = torch.exp(-(((q - 0.72) / 0.1) ** 2)) * torch.sigmoid((a + b - 0.6) * 6)
            film = turn + 0.25 * chance + 0.5 * q**3 + 0.12 * torch.sin(5 * b + 3 * a + 9 * chance)
            dark = 0.3 + 0.45 * q**3 + 0.8 * rim + 0.5 * glow
            tone = torch.where(pearl, turn + 0.35 * chance + 0.3 * z, film)
            shade = torch.where(pearl, 0.25 + 0.75 * z + 0.3 * glow, dark).clamp(0, 1)
            distance = (1 - q) * size / scale
            ball = relief(tone, z * size / scale * torch.where(pearl, 1.0, 0.55), plane.edge(distance), shade)
            ball = replace(ball, shine=0.9 * spark + 0.25 * glow)
            heap = laid(ball, distance, heap, 0.05, 0.0)
    return replace(heap, style=pearl[:, 0, 0].float())


def coral(plane: Plane) -> Relief:
    """Brain coral: a maze of round ridges, the level set of many waves of one length and any direction."""
    waves = 11
    pitch = TURN / plane.any(0.3, 0.55)
    field = torch.zeros_like(plane.u)
    for wave in range(waves):
        angle = (wave + plane.any(0, 0.8)) * torch.pi / waves
        near = pitch * plane.any(0.93, 1.07)
        ramp = near * (plane.u * torch.cos(angle) + plane.v * torch.sin(angle))
        field = field + torch.cos(ramp + plane.any(0, TURN))
    field = field * (2 / waves) ** 0.5
    level = field + plane.any(-0.05, 0.4)
    ridge = torch.tanh(1.4 * level)
    groove = torch.sigmoid((level - 1.3) * 3.5) * plane.any(0.2, 1.0)  # dimples along the top of a wall
    wide = TURN / pitch
    grain = plane.noise(14, 2) * plane.fine(wide / 3)
    height = 0.24 * wide * ridge - 0.09 * wide * groove + 0.012 * wide * grain
    shade = torch.sigmoid(3.2 * level + 1.4) * (1 - 0.45 * groove)
    tone = plane.any(0, 0.3) + 0.5 * torch.sigmoid(2.5 * level) + 0.3 * groove + 0.03 * grain
    return relief(tone, height, shade=0.12 + 0.88 * shade)


def wave(plane: Plane) -> Relief:
    """Rows of breaking waves after Hokusai: each rises, curls into a spiral with claws of foam, and hides the next."""
    seed, tone, tight = plane.any(0, 99), plane.any(0, 0.25), plane.any(0.15, 0.21)
    wide, row_high = plane.any(0.95, 1.3), plane.any(0.38, 0.48)
    hand = plane.sign()
    x0, y0 = hand * plane.u / wide + seed, plane.v / (row_high * wide) + seed
    zero = torch.zeros_like(plane.u)
    sea = relief(zero + tone, shade=zero + 0.1)
    for back in (2, 1, 0, -1):  # rows from the farthest to the nearest: a wave hangs down over three of them
        row = torch.floor(y0) - back + 1
        x = x0 + 0.5 * torch.remainder(row, 2)
        for aside in (0, 1):
            cell = torch.floor(x) + aside
            chance = hashed(cell, row, seed)
            size = 0.5 + 0.1 * chance
            a = (x - cell - 0.14 * (frac(chance * 9) - 0.5)) / size
            b = ((y0 - row) * row_high - 0.3) / size
            r = torch.hypot(a, b).clamp_min(1e-2)
            # The water leaves the sea at the lower left, goes over the top and inwards: coils, with a hollow between.
            turn = torch.remainder(torch.atan2(b, a) / TURN - 0.36, 1)
            coil = torch.log(1.4 / r) / (TURN * tight) - turn
            f = frac(coil)
            finger = saw((turn + torch.floor(coil)) * 9 + 1.2 * f)
            water = torch.sigmoid((0.5 + 0.26 * finger - f) * 18)
            foam = torch.sigmoid((f - 0.36 - 0.08 * finger) * 20)
            groove = 0.5 + 0.5 * torch.cos(TURN * 5 * f)
            inside = torch.maximum((coil * tight * 5).clamp(-1, 1) * r, torch.minimum(1.1 - a.abs(), b)) * size * wide
            base = (coil < 0).float()
            swell = 0.5 + 0.5 * torch.cos(TURN * 2.4 * torch.hypot(a + 0.3, b + 0.2))
            height = torch.lerp(0.45 * r * water * (0.7 + 0.3 * groove) + 0.08 * foam * finger, 0.1 * swell, base)
            lit = water * torch.lerp(0.45 + 0.55 * groove, 0.8 + 0.2 * finger, foam) + 0.06
            shade = torch.lerp(lit, 0.3 + 0.5 * swell, base)
            paint = torch.lerp(tone + 0.12 * chance + 0.25 * groove, tone + 0.85, foam)
            paint = torch.lerp(paint, tone + 0.12 * chance + 0.25 * swell, base)
            crest = relief(paint, height * size * wide, plane.edge(inside), shade.clamp(0, 1))
            crest = replace(crest, shine=0.4 * foam * water * finger * (1 - base))
            sea = laid(crest, inside, sea, 0.06)
    return sea


def starfish(plane: Plane) -> Relief:
    """A starfish: tapering arms with rows of knobs; five arms, six or seven, or a sun of many."""
    style = plane.whole(0, 2)
    arms = torch.where(style == 0, 5.0, torch.where(style == 1, plane.whole(6, 7), plane.whole(9, 12)))
    twist = plane.any(-0.5, 0.5)
    c, s = torch.cos(twist * plane.r), torch.sin(twist * plane.r)
    star = plane.bent(c * plane.u - s * plane.v, s * plane.u + c * plane.v)
    arm = star.folded(arms)
    x, y = arm.u, arm.v.abs()
    fat = plane.any(0.8, 1.15) * (0.32 - 0.011 * arms)
    long = (1 - x).clamp_min(0)
    half = fat * (long ** plane.any(0.55, 0.85)) + 0.02
    disc = plane.any(0.2, 0.3) + 0.012 * arms - plane.r
    inside = -least(-torch.minimum(half - y, 1 - x), -disc, 0.1)
    q = (y / half.clamp_min(1e-2)).clamp(0, 1)
    base = 0.85 * inside.clamp(0, 0.3) ** 0.5 * 0.5
    tone = plane.any(0, 0.3) + 0.35 * q + 0.15 * plane.r
    skin = relief(tone, base, plane.edge(inside), (0.25 + 2.2 * (inside.clamp_min(0) / fat) ** 0.6).clamp(0, 1))
    # Knobs: one row along the ridge and one along each side, smaller towards the tip.
    beads = plane.whole(7, 10)
    log = 1.25 - torch.log((1.25 - x).clamp_min(0.05))
    spacing = (1.25 - x).clamp_min(0.05) / beads
    for place, shift, size in ((0.0, 0.0, 0.5), (0.62, 0.5, 0.4)):
        along = (frac(log * beads + shift) - 0.5) * spacing
        radius = size * spacing * torch.where(x < 0.0, 0.0, 1.0) + 1e-4
        d = torch.hypot(along, y - place * half) / radius
        shown = plane.edge((1 - d) * radius) * plane.fine(spacing) * (inside > 0.01) * (x < 0.95)
        knob = _ball(tone + 0.45, d, shown, 0.9 * radius)
        skin = replace(knob, height=knob.height + skin.height).over(skin)
    return replace(skin, style=style[:, 0, 0])


def jellyfish(plane: Plane) -> Relief:
    """A jellyfish: a ribbed bell with a lobed margin, frilled arms and long wavering tentacles."""
    tone, rim = plane.any(0, 0.3), plane.any(-0.3, -0.1)
    wide, high, ribs = plane.any(0.66, 0.85), plane.any(0.62, 0.75), plane.whole(6, 10)
    up, u, down = plane.v - rim, plane.u, (plane.v - rim).clamp_min(0)
    sway = plane.any(0.08, 0.16) * torch.sin(plane.any(4, 7) * down + plane.any(0, TURN) + 2 * u) * down.sqrt()
    # Tentacles: one in each cell across, long in the middle, with their own curls.
    count = plane.whole(9, 13)
    cell_at = (u - sway) / wide * count / 2
    cell = torch.floor(cell_at)
    chance = hashed(cell, cell, tone)
    curl = 0.22 * torch.sin(9 * down + TURN * chance) * (down * 3).clamp(0, 1)
    across = (cell_at - cell - 0.5 - curl) * 2 * wide / count
    reach = (0.75 + 0.45 * chance) * (1 - 0.25 * ((cell + 0.5) / count * 2) ** 2)
    thick = (0.036 * (1.15 - down / reach)).clamp_min(0.004)
    within = torch.minimum(wide * 0.93 - (u - sway).abs(), up + 0.2)
    strand = torch.minimum(torch.minimum(thick - across.abs(), reach - down), within)
    lines = relief(tone + 0.6 + 0.3 * down, dome(across / thick) * thick, plane.edge(strand), (0.35 + down).clamp(0, 1))
    # Frilled arms in the middle: broader ribbons with ruffled sides.
    arm_at = (u - 0.8 * sway) / 0.2
    arm_cell = torch.floor(arm_at + 0.5).clamp(-1, 1)
    frill = saw(down * 8 + 0.3 * arm_cell)
    arm_across = (arm_at - arm_cell) * 0.2
    arm_half = (0.085 + 0.035 * frill) * (1.05 - down / 0.95).clamp_min(0.02)
    arm_inside = torch.minimum(torch.minimum(arm_half - arm_across.abs(), 0.9 - 0.15 * arm_cell.abs() - down), up + 0.2)
    arm_q = (arm_across / arm_half).clamp(-1, 1)
    ruffle, gloom = 0.8 * dome(arm_q) * arm_half + 0.03 * frill, (0.25 + 0.5 * frill + down * 0.5).clamp(0, 1)
    frills = relief(tone + 0.3 + 0.25 * frill + 0.2 * arm_q.abs(), ruffle, plane.edge(arm_inside), gloom)
    body = laid(frills, arm_inside, lines, 0.04, 0.05)
    x = (u / wide).clamp(-0.999, 0.999)
    arch = (1 - x * x).clamp_min(0).sqrt()
    meridian = torch.asin(x) / torch.pi * ribs
    lobe = saw(meridian + 0.5)
    margin = 0.1 * arch + 0.09 * dome(1 - lobe)
    t = ((up + high * arch) / (margin + high * arch).clamp_min(1e-2)).clamp(0, 1)
    inside = torch.minimum(torch.minimum(up + high * arch, margin - up), (wide - u.abs()) * 1.5)
    rib = dome(1 - lobe) * t
    band = torch.exp(-(((t - 0.78) / 0.06) ** 2))
    glow = torch.exp(-(((t - 0.35) / 0.2) ** 2) - (x / 0.5) ** 2)
    height = 0.8 * wide * dome(torch.hypot(x, 0.9 * (1 - t)) * 0.97) + 0.05 * rib - 0.05 * band
    shade = (1.0 - 0.55 * glow) * (0.5 + 0.5 * torch.maximum(rib, 1 - t)) * (1 - 0.5 * band)
    bell = relief(tone + 0.35 * t + 0.3 * glow + 0.12 * rib, height, plane.edge(inside), shade)
    bell = replace(bell, shine=0.25 * torch.exp(-(inside.clamp_min(0) / 0.03)) * (1 - t))
    return laid(bell, inside, body, 0.08, 0.2)


def urchin(plane: Plane) -> Relief:
    """The test of a sea urchin from above: ten double rows of round bosses that swell from the pole outwards."""
    tone, turn = plane.any(0, 0.3), plane.any(0, TURN)
    r = plane.r * (1 + 0.015 * torch.cos(5 * (plane.angle + turn)))
    inside = 0.98 - r
    latitude = torch.asin((r / 0.985).clamp(0, 0.995))
    rise = torch.log(torch.tan(latitude / 2).clamp_min(1e-3))
    around = (plane.angle + turn) / TURN
    columns = 10 * plane.whole(2, 3)
    zone = frac(around * 5)  # two fifths of each sector are the narrow, finely pored bands
    wide_zone = torch.sigmoid((0.3 - (zone - 0.5).abs()) * 60)
    body = 0.95 * dome(r * 0.98) * plane.any(0.6, 0.85)
    seam = torch.exp(-((((zone - 0.5).abs() - 0.3) / 0.035) ** 2))
    tint = tone + 0.3 * wide_zone + 0.15 * r
    rim = dome(r / 0.99)
    test = relief(tint, body, plane.edge(inside), (0.25 + 0.75 * rim) * (0.55 + 0.2 * wide_zone) * (1 - 0.4 * seam))
    for fine, mask in ((1.0, wide_zone), (2.0, 1 - wide_zone)):
        many = columns * fine
        a, b = around * many, rise * many / TURN
        cell_a = torch.floor(a)
        b = b + 0.5 * torch.remainder(cell_a, 2)
        width = TURN * r / many
        q = torch.hypot(frac(a) - 0.5, frac(b) - 0.5) / 0.44
        shown = plane.edge((1 - q) * width * 0.44) * plane.fine(width) * mask * (r > 0.16) * (inside > 0)
        boss = _ball(tint + 0.3, q, shown, 0.4 * width)
        nipple = torch.exp(-((q / 0.35) ** 2))
        boss = replace(boss, tone=boss.tone + 0.25 * nipple, height=boss.height + 0.1 * width * nipple + test.height)
        test = boss.over(test)
    pole = plane.any(0.1, 0.16) * (1 + 0.25 * torch.cos(5 * (plane.angle + turn)))
    star = pole - plane.r
    q = plane.r / pole
    cap = relief(tone + 0.8, 0.1 * dome(q) + body, plane.edge(star), 1 - 0.95 * torch.exp(-((q / 0.4) ** 2)))
    return laid(cap, star, test, 0.03)


MOTIFS = (
    *SHELLS,
    Motif("bubbles", bubbles, ground=True, styles=2),
    Motif("coral", coral, ground=True),
    Motif("wave", wave, ground=True, upright=True),
    Motif("starfish", starfish, styles=3),
    Motif("jellyfish", jellyfish, upright=True),
    Motif("urchin", urchin),
)
