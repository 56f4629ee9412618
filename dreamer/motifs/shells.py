"""More of the sea: shells."""

from __future__ import annotations

from dataclasses import replace

import torch

from dreamer.motifs.plane import TURN, Plane, dome, frac, saw
from dreamer.motifs.relief import Motif, Relief, laid, relief


def nautilus(plane: Plane) -> Relief:
    """A shell coiled in a logarithmic spiral (Raup 1966): a striped nautilus or a ribbed ammonite."""
    ammonite = plane.chance(0.5)
    hand = plane.sign()
    gain = torch.where(ammonite, plane.any(1.7, 2.2), plane.any(2.6, 3.3))  # of the radius in a whole turn
    rate = torch.log(gain) / TURN
    left, up = gain**-0.5, gain**-0.75  # how far it reaches to the other sides, where its mouth is at 1
    unit = 1.96 / (1.06 + left)
    shell = plane.bent(plane.u, plane.v * hand).at(unit * (left - 1) / 2, unit * (gain**-0.25 - up) / 2, unit)
    r = shell.r.clamp_min(1e-3)
    # How far the shell has grown when its mouth stands to the right, at angle 0.
    grown = torch.remainder(shell.angle, TURN)
    rim = 1.02 * torch.exp(rate * (grown - TURN))
    whorl = torch.log(rim / r) / (TURN * rate)
    number = torch.floor(whorl).clamp_min(0)
    f = (whorl - number).clamp(0, 1)
    outer = rim * torch.exp(-TURN * rate * number)
    wide = outer * (1 - 1 / gain)
    q = 2 * (outer - r) / wide - 1
    age = grown / TURN - number
    ribs = torch.where(ammonite, plane.whole(16, 28), plane.whole(9, 14))
    sweep = torch.where(ammonite, plane.any(-0.5, 0.5), plane.any(0.8, 1.6))
    rib = saw(ribs * age + sweep * q**2)
    smooth_rib = 0.5 - 0.5 * torch.cos(torch.pi * rib)
    shown = plane.fine(TURN * r / ribs)
    flame = torch.sigmoid((rib - 0.35 - 0.5 * f) * 9) * shown  # stripes that end before the seam
    tube = dome(q * 0.985)
    height = 0.62 * wide * tube + torch.where(ammonite, 0.07 * wide * smooth_rib * shown * tube, 0.0)
    cleft = (0.1 + 1.15 * tube).clamp(0, 1)
    shade = cleft * torch.where(ammonite, 0.45 + 0.55 * torch.lerp(torch.ones_like(rib), smooth_rib, shown), 1.0)
    base = plane.any(0, 0.3)
    tone = base + 0.2 * f + torch.where(ammonite, 0.3 * smooth_rib * shown + 0.08 * number, 0.55 * flame)
    body = relief(tone, height, shell.edge(rim - r), shade)
    # The mouth: the end of the outermost tube, dark inside of a lip.
    mouth_wide = 1.02 * (1 - 1 / gain) / 2
    mouth = shell.at(1.02 - mouth_wide, 0.0, 1.06, plane.any(-0.2, 0.2))
    deep = plane.any(0.3, 0.5)
    m = torch.hypot(mouth.u / mouth_wide, mouth.v / (mouth_wide * deep))
    mouth_inside = (1 - m) * mouth_wide * deep
    lip = torch.exp(-(((m - 0.86) / 0.12) ** 2))
    dark = (0.03 + 1.0 * lip + 0.25 * (m * (mouth.u / mouth_wide)).clamp(0, 1) ** 2).clamp(0, 1)
    opening = relief(base + 0.75 + 0.15 * lip, 0.16 * lip, shell.edge(mouth_inside), dark)
    return replace(laid(opening, mouth_inside, body, 0.05, 0.1), style=ammonite[:, 0, 0].float())


def scallop(plane: Plane) -> Relief:
    """A scallop: a fan of ribs with growth lines, a scalloped margin and two ears at the hinge."""
    fan = plane.at(0, 0.88, 1.06)
    angle, r = torch.atan2(fan.u, -fan.v), fan.r
    spread, ribs = plane.any(0.85, 1.1), plane.whole(7, 13)
    s = (angle / spread).clamp(-1, 1)
    rib = torch.cos(torch.pi * ribs * s).square() ** plane.any(0.5, 0.9)
    # The margin is a circle about a point above the hinge, seen from the hinge.
    high, radius = plane.any(0.8, 0.9), plane.any(0.88, 0.96)
    chord = (radius**2 - (high * torch.sin(angle)) ** 2).clamp_min(0.05).sqrt()
    margin = high * torch.cos(angle) + chord - 0.08 * (1 - rib)
    shoulder = (spread - angle.abs()) * r
    inside = torch.minimum(margin - r, shoulder)
    t = (r / margin).clamp(0, 1)
    shown = plane.fine(2 * spread * r / ribs)
    growth = frac(t**1.6 * plane.whole(4, 7) + 0.04 * rib)
    step = torch.exp(-growth / 0.2)
    body = dome(torch.hypot(s * 0.8, (t - 0.5) * 1.7).clamp(0, 1)) * 0.5
    height = body + 0.075 * rib * shown * t.sqrt() - 0.035 * step
    shade = (0.4 + 0.6 * torch.lerp(torch.ones_like(rib), rib, shown)) * (1 - 0.4 * step) * (0.45 + 0.55 * t.sqrt())
    base = plane.any(0, 0.3)
    tone = base + 0.35 * frac(t**1.6 * 2.0) + 0.25 * rib * shown + 0.1 * growth
    valve = relief(tone, height, plane.edge(inside), shade)
    ear_u, ear_v = fan.u.abs(), -fan.v
    ear_inside = torch.minimum(torch.minimum(0.46 - ear_u - 0.3 * ear_v, 0.42 - ear_v), ear_v + 0.04)
    lines = saw(ear_u * 9)
    ears = relief(base + 0.5 + 0.2 * lines, 0.03 * lines + 0.1 * ear_u, plane.edge(ear_inside), 0.45 + 0.4 * lines)
    return laid(valve, inside, ears, 0.06, 0.08)


MOTIFS = (
    Motif("nautilus", nautilus, styles=2),
    Motif("scallop", scallop),
)
