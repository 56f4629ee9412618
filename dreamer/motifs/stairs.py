"""More of buildings: stairs."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed
from dreamer.motifs.relief import Motif, Relief, laid, relief


def _flight(plane: Plane, tone: Tensor) -> Relief:
    """Steps between walls, up to a doorway."""
    # The flight narrows towards its vanishing point; equal steps shrink as 1 / distance.
    foot, far, wide = 0.92, plane.any(2.3, 3.2), plane.any(0.62, 0.74)
    bow = plane.any(-0.1, 0.12)
    v = plane.v + bow * plane.u**2
    y = ((foot - v) / far).clamp(0, 0.95)
    steps, top = plane.whole(6, 9), plane.any(-0.12, 0.08)
    end = (foot - top) / far
    k = steps * (y / (1 - y)) / (end / (1 - end))
    f = frac(k)
    run = wide * (1 - y)
    tread = plane.edge((f - 0.52) * far * (1 - y) ** 2 / steps * 0.8)
    nose = torch.exp(-(((f - 0.52) / 0.08) ** 2))
    light = torch.lerp(0.12 + 0.25 * f, 1 - 0.35 * f, tread) + 0.2 * nose
    stone = hashed(torch.floor(k), torch.floor(plane.u / run * 2 + 0.5 * torch.floor(k)), tone)
    flight = relief(
        tone + 0.1 * stone + 0.3 * tread,
        0.04 * nose + 0.03 * f,
        plane.edge(torch.minimum(foot - v, v - top)),
        light * (1 - 0.35 * torch.exp(-(run - plane.u.abs()).clamp_min(0) / 0.08)),
    )
    beyond = plane.u.abs() / run
    door = 0.66 * wide * (1 - end)
    arch_v = top - plane.any(0.9, 1.3) * door
    q = torch.hypot(plane.u, (plane.v - arch_v).clamp_max(0))
    hole = plane.edge(door - q)
    jamb = dome(((q - door) / (0.5 * door) * 2 - 1).clamp(-1, 1))
    distance = torch.minimum(1.5 * door - q, top + 0.02 - plane.v)
    glow = torch.where(plane.chance(0.5), 0.75, 0.0)
    gate = relief(
        tone + 0.55 + 0.35 * hole,
        0.12 * jamb,
        plane.edge(distance),
        torch.lerp(0.3 + 0.7 * jamb, 0.05 + glow * (1 - q / door).clamp(0, 1) ** 0.4, hole),
        0.5 * glow * hole,
    )
    drawn = gate.over(flight)
    # Walls slope up on both sides, their copings round.
    rail = ((beyond - 1) / 0.32 * 2 - 1).clamp(-1.5, 1.5)
    distance = torch.minimum((1.16 * run + 0.16 * run) - plane.u.abs(), plane.u.abs() - run)
    distance = torch.minimum(distance, torch.minimum(foot + 0.03 - plane.v, v - top))
    wall = relief(
        tone + 0.65 + 0.1 * rail, 0.16 * run * dome(rail * 0.95), plane.edge(distance), 0.3 + 0.7 * dome(rail)
    )
    return laid(wall, distance, drawn.cut((beyond < 1.15) * 1.0), 0.06, depth=0.8)


def _winding(plane: Plane, tone: Tensor) -> Relief:
    """A spiral stair, looked down into its dark well."""
    # Every turn shrinks by the same factor, so the well is a logarithmic spiral of treads.
    hand = plane.sign()
    r = torch.hypot(plane.u, plane.v * plane.any(1, 1.12)).clamp_min(1e-3)
    pitch, count = plane.any(0.9, 1.4), plane.whole(14, 22)
    angle = hand * plane.angle / TURN + plane.any(0, 1)
    w = torch.log(r / 0.95) * pitch - angle
    band = frac(w)
    deep = (r / 0.9).clamp(0, 1)
    g = frac(angle * count)
    shown = plane.fine(TURN * r / count)
    step_light = torch.lerp(
        torch.full_like(g, 0.7), (0.3 + 0.7 * g) * (1 - torch.exp(-(((1 - g) / 0.1) ** 2)) * 0.6), shown
    )
    inner = torch.exp(-(((band - 0.12) / 0.07) ** 2))
    well = plane.edge((0.08 - band) * r / pitch)
    dark = torch.exp(-(1 - band) / 0.14)
    shade = step_light * (1 - 0.9 * dark) * (0.05 + 0.95 * deep**0.6) * (1 - 0.85 * well)
    shade = torch.lerp(shade, 0.15 + 0.85 * deep, inner)
    return relief(
        tone + 0.25 * g * shown + 0.5 * inner + 0.25 * deep + 0.1 * hashed(torch.floor(angle * count), count),
        (0.25 * band + 0.12 * inner) * r + 0.12 * r * g / count * 6 * shown,
        plane.edge(0.97 - r),
        torch.lerp(shade, torch.full_like(shade, 0.9), plane.edge(r - 0.91)),
    )


def stair(plane: Plane) -> Relief:
    """Steps: a flight that rises to a doorway, or a spiral stair looked down into its dark well."""
    style, tone = plane.whole(0, 1), plane.any(0, 0.4)
    straight, winding = _flight(plane, tone).cut(1 - style), _winding(plane, tone).cut(style)
    return replace(winding.over(straight), style=style[:, 0, 0])


MOTIFS = (Motif("stair", stair, upright=True, styles=2),)
