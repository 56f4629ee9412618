"""Flowers: rings of petals, roses and sunflowers."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, least, saw
from dreamer.motifs.relief import Motif, Relief, empty, laid, relief

_GOLDEN = math.pi * (3 - math.sqrt(5))  # the angle between one leaf of a plant and the next


def ring(
    plane: Plane, count: Tensor, length: Tensor, width: Tensor, blunt: Tensor, phase: Tensor, tone: Tensor
) -> tuple[Relief, Tensor]:
    """A ring of `count` petals about the middle and the distance inside of its outline; blunt 0.3 round, 1 pointed."""
    turned = (plane.angle - phase) / TURN * count
    which = torch.floor(turned + 0.5)
    aside = (turned - which) * (TURN / count)
    chance = hashed(torch.remainder(which, count), count, phase)
    r, long = plane.r, length * (0.9 + 0.1 * chance)
    x, y = r * torch.cos(aside), r * torch.sin(aside)
    s = (x / long).clamp(1e-3, 1 - 1e-3)
    widest = 0.75 / (0.75 + blunt)
    half = width * (s / widest) ** 0.75 * ((1 - s) / (1 - widest)) ** blunt
    room = x * torch.tan(torch.pi / count)  # a petal ends where its neighbour begins
    half = least(half, room, 0.5 * width).clamp_min(1e-3)
    q = (y / half).clamp(-1, 1)
    distance = torch.minimum(half - y.abs(), long - x)
    vein = saw(q * 2.5 + 0.5) * plane.fine(half * 0.4) * (1 - s)
    keel = torch.exp(-((q / 0.22) ** 2)) * (1 - s)
    height = 0.75 * half * dome(q * 0.97) + 0.75 * long * s * (0.62 - 0.5 * s) - 0.1 * half * keel + 0.05 * half * vein
    # Dark at the throat and where petals press against each other, light towards the tip.
    shade = (0.2 + 0.95 * s).clamp(0, 1) * (1 - 0.75 * q.abs() ** 6) * (1 - 0.25 * vein)
    tint = tone + 0.3 * s + 0.12 * keel - 0.08 * vein + 0.05 * chance
    return relief(tint, height, plane.edge(distance), shade), distance


def _heart(plane: Plane, radius: Tensor, arms: Tensor, tone: Tensor) -> tuple[Relief, Tensor]:
    """A seed head and the distance inside of it: bumps in `arms` spirals, and 1.618 times as many the other way.

    The phases of both families are conformal in (log r, angle), so seeds are as round in the middle as at the rim.
    """
    many, r = torch.round(arms * 1.618), plane.r / radius
    log, angle = torch.log(r.clamp_min(1e-3)) / TURN, plane.angle / TURN
    a, b = frac(arms * angle + many * log) - 0.5, frac(many * angle - arms * log) - 0.5
    wide = TURN * plane.r * torch.rsqrt(arms**2 + many**2)
    bump = torch.lerp(torch.full_like(r, 0.6), dome(torch.hypot(a, b) * 1.9), plane.fine(wide))
    height = 0.35 * radius * dome(r * 0.95) + 0.55 * wide * bump
    shade = (0.12 + bump).clamp(0, 1) * (1 - 0.3 * torch.exp(-(((r - 0.62) / 0.12) ** 2)))
    distance = radius - plane.r
    return relief(tone + 0.35 * r + 0.25 * bump, height, plane.edge(distance), shade), distance


def petals(plane: Plane) -> Relief:
    """An open flower: rings of petals over each other around a heart of stamens."""
    style = plane.whole(0, 2)
    few, many = style == 0, style == 2
    count = torch.where(few, plane.whole(5, 6), torch.where(many, plane.whole(13, 19), plane.whole(7, 9)))
    shrink = torch.where(few, plane.any(0.6, 0.72), torch.where(many, plane.any(0.76, 0.82), plane.any(0.7, 0.78)))
    blunt = torch.where(few, plane.any(0.25, 0.36), torch.where(many, plane.any(0.35, 0.7), plane.any(0.6, 1.0)))
    wide = plane.any(0.95, 1.25) * torch.where(few, 0.62, torch.where(many, 1.25, 1.05)) * torch.pi / count
    turn, tone, step = plane.any(0, TURN), plane.any(0.0, 0.3), plane.any(0.05, 0.16)
    bloom, length = empty(plane), torch.ones_like(turn)
    for layer in range(5):
        phase = turn + layer * torch.pi / count
        whorl, distance = ring(plane, count, length, wide * length, blunt, phase, tone + step * layer)
        bloom = laid(whorl, distance, bloom, 0.06)
        length = length * shrink
    core = torch.where(few, plane.any(0.16, 0.26), torch.where(many, plane.any(0.06, 0.16), plane.any(0.12, 0.2)))
    heart, distance = _heart(plane, core, plane.whole(5, 8), tone + 0.6)
    return replace(laid(heart, distance, bloom, 0.05, 0.12), style=style[:, 0, 0])


def rose(plane: Plane) -> Relief:
    """A full rose from above: cupped petals spiral inward, each in the shade of the next."""
    count = 15
    turn, hand = plane.any(0, TURN), plane.sign()
    tone, step, curl = plane.any(0, 0.3), plane.any(0.2, 0.5), plane.any(0.7, 1.4)
    spread, ruffle, lobes = plane.any(0.4, 0.54), plane.any(0.02, 0.1), plane.whole(2, 5)
    order = _GOLDEN + plane.any(-0.12, 0.18)
    bloom = empty(plane)
    for leaf in range(count):
        left = 1 - leaf / count
        radius = 0.06 + (0.98 - spread) * left**0.9
        place = turn + hand * leaf * order
        away = spread * left**1.1
        part = plane.at(away * torch.cos(place), away * torch.sin(place))
        wave = 1 + ruffle * torch.sin(lobes * part.angle + 1.7 * leaf + turn)
        q = part.r / (radius * wave)
        outward = (part.u * torch.cos(place) + part.v * torch.sin(place)) / radius
        distance = (1 - q) * radius
        # The blade stands up like a cup and its lip rolls outward, so the lip is the lightest place.
        lip = torch.exp(-(((q - 0.88) / 0.16) ** 2))
        height = radius * (0.5 * q.clamp(0, 1) ** 2 - 0.9 * (q - 0.86).clamp(0, 0.2) * curl + 0.12 * outward)
        shade = (0.14 + 0.95 * q.clamp(0, 1) ** 2.2 + 0.1 * outward).clamp(0.05, 1)
        petal = relief(tone + step * (1 - left) + 0.22 * q + 0.12 * lip, height, plane.edge(distance), shade)
        bloom = laid(petal, distance, bloom, 0.035 + 0.05 * left)
    return bloom


def sunflower(plane: Plane) -> Relief:
    """A sunflower: seeds in two families of Fibonacci spirals (Vogel 1979), and rays around them."""
    core, count = plane.any(0.4, 0.55), plane.whole(14, 22)
    tone, turn = plane.any(0, 0.3), plane.any(0, TURN)
    blunt, wide = plane.any(0.75, 1.2), plane.any(0.8, 1.1) * torch.pi / count
    flower = empty(plane)
    for layer in range(2):
        phase = turn + layer * torch.pi / count
        length = torch.full_like(turn, 1.0 - 0.08 * layer)
        rays, distance = ring(plane, count, length, wide, blunt, phase, tone + 0.1 * layer)
        flower = laid(rays, distance, flower, 0.05)
    arms = torch.where(plane.chance(0.4), 8.0, torch.where(plane.chance(0.6), 13.0, 21.0))
    head, distance = _heart(plane, core, arms, tone + 0.5)
    return laid(head, distance, flower, 0.07, 0.2)


MOTIFS = (
    Motif("petals", petals, styles=3),
    Motif("rose", rose),
    Motif("sunflower", sunflower),
)
