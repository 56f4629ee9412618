"""Small animals of many legs: butterfly and beetle."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, hashed, saw
from dreamer.motifs.relief import Relief, empty, laid, relief


def _capsule(u: Tensor, v: Tensor, a: tuple[float, float], b: tuple[float, float], wide: float, thin: float) -> Tensor:
    """The distance inside of a limb from a to b, `wide` there and `thin` here."""
    du, dv = b[0] - a[0], b[1] - a[1]
    t = (((u - a[0]) * du + (v - a[1]) * dv) / (du * du + dv * dv)).clamp(0, 1)
    return wide + (thin - wide) * t - torch.hypot(u - a[0] - t * du, v - a[1] - t * dv)


def butterfly(plane: Plane) -> Relief:
    """A butterfly from above: two pairs of wings with veins, borders and eyespots, a body and antennae; some tailed."""
    tailed = plane.chance(0.5)
    tone, step = plane.any(0, 0.4), plane.any(0.3, 0.55)
    half = plane.bent(plane.u.abs(), plane.v + 0.05)
    angle = torch.atan2(half.u, -half.v)  # 0 up, pi down
    drawn = empty(plane, shade=1.0)
    spots = plane.any(0.0, 1.0)
    for lower in (True, False):
        start, stop = (1.42, 2.95) if lower else (0.3, 1.78)
        w = ((angle - start) / (stop - start)).clamp(1e-3, 1 - 1e-3)
        skew = plane.any(0.8, 1.25) if lower else plane.any(0.55, 0.9)
        blunt = plane.any(0.3, 0.7)
        long = plane.any(0.76, 0.9) if lower else plane.any(1.05, 1.18)
        veins = 7 if lower else 8
        p = w * veins
        scallop = plane.any(-0.05, 0.07) * saw(p)
        reach = long * torch.sin(torch.pi * w**skew).clamp_min(1e-3) ** blunt * (0.95 + scallop)
        if lower:
            reach = reach + torch.where(tailed, 0.5, 0.0) * torch.exp(-(((angle - 2.5) / 0.09) ** 2))
        r = half.r
        f = r / reach.clamp_min(0.05)
        distance = (reach - r) * 0.7
        cell = torch.floor(p)
        chance = hashed(cell, cell * 0 + lower, spots)
        aside = (p - cell - 0.5).abs()
        vein = torch.exp(-(((0.5 - aside) * r * (stop - start) / veins / (0.011 + 0.4 * plane.pixel)) ** 2)) * (
            f > 0.25
        )
        border = torch.sigmoid(((f + 0.1 * saw(p)) - plane.any(0.8, 0.88)) * 30)
        dot = torch.exp(-((aside / 0.24) ** 2) - ((f - 0.93) / 0.035) ** 2)
        band = torch.sigmoid(12 * torch.sin(TURN * (1.3 * f + 0.15 * chance + spots)))
        place = (0.39, 0.31) if lower else (0.58, -0.36)
        spot = half.at(*place)
        q = spot.r / plane.any(0.11, 0.24)
        rings = [spot.edge(size - q, 0.01) for size in (1.0, 0.78, 0.45)]
        tint = tone + step * f + 0.35 * band + 0.06 * chance + 0.15 * lower
        tint = torch.lerp(tint, tone + 2.6 * step + 0 * q, border)
        shade = (0.5 + 0.5 * f.clamp(0, 1)) * (1 - 0.5 * vein) * (1 - 0.6 * border)
        for ring, own, light in zip(rings, (2.4, 1.4, 3.4), (0.3, 1.0, 0.12), strict=True):
            tint = torch.lerp(tint, tone + own * step, ring)
            shade = torch.lerp(shade, torch.full_like(shade, light), ring)
        glint = torch.exp(-(((spot.u + 0.03) ** 2 + (spot.v + 0.04) ** 2) / 0.0012))
        height = 0.3 * r * (1 - 0.45 * f) + 0.022 * vein - 0.03 * saw(p)
        sheet = relief(tint, height, plane.edge(distance), shade.clamp(0, 1), (0.55 * dot + 0.8 * glint).clamp(0, 1))
        drawn = laid(sheet, distance, drawn, 0.06, 0.04)
    x, v = half.u, half.v
    curve = (0.04 + 0.42 * (1 - ((v + 0.85) / 0.5).clamp(0, 1)) ** 1.6 * plane.any(0.7, 1.2) - x).abs()
    stalk = plane.line(curve, 0.014) * (v < -0.36) * (v > -0.85)
    feeler = relief(tone + 3 * step + 0 * x, 0.03 * stalk, stalk, 0.3 + 0 * x)
    drawn = feeler.over(drawn)
    for middle, wide, high in ((0.3, 0.085, 0.4), (-0.16, 0.115, 0.22), (-0.4, 0.08, 0.09)):
        q = torch.hypot(x / wide, (v - middle) / high)
        rib = saw(v * 9) * (middle > 0)
        inside = (1 - q) * wide
        body = relief(
            tone + 3 * step + 0.15 * rib,
            0.1 + wide * 1.2 * dome(q) + 0.02 * rib,
            plane.edge(inside),
            0.85 - 0.5 * q.clamp(0, 1) ** 2 - 0.25 * rib,
        )
        drawn = laid(body, inside, drawn, 0.05)
    return replace(drawn, style=tailed[:, 0, 0].float())


def beetle(plane: Plane) -> Relief:
    """A beetle from above: glossy split wing-cases, thorax, head and six legs; a scarab, or one with long jaws."""
    stag = plane.chance(0.5)
    tone, step = plane.any(0, 0.4), plane.any(0.2, 0.4)
    half = plane.bent(plane.u.abs(), plane.v)
    x, v = half.u, half.v
    drawn = empty(plane, shade=1.0)
    sway = plane.any(-0.06, 0.06)
    legs = (
        ((0.25, -0.25), (0.62, -0.48), (0.74, -0.86)),
        ((0.3, 0.05), (0.8, 0.08), (0.98, 0.36)),
        ((0.3, 0.35), (0.72, 0.56), (0.72, 1.0)),
    )
    for hip, knee, foot in legs:
        limb = torch.maximum(
            _capsule(x, v + sway, hip, knee, 0.08, 0.06), _capsule(x, v + sway, knee, foot, 0.055, 0.02)
        )
        drawn = relief(
            tone + 2.5 * step + 2 * limb,
            0.06 + 1.4 * limb.clamp_min(0),
            plane.edge(limb),
            0.35 + 9 * limb.clamp(0, 0.06),
        ).over(drawn)
    jaw = half.at(0.02, torch.where(stag, -0.62, -0.72), torch.where(stag, 0.42, 0.16))
    curve = jaw.u - 0.25 - 0.55 * torch.sin(torch.pi * (-jaw.v).clamp(0, 1)) * (1 + 0.2 * jaw.v)
    jaws = torch.minimum(0.17 * (1.15 + jaw.v) - curve.abs() + 0.05 * saw(jaw.v * 4) * (curve < 0), 1.0 + jaw.v)
    jaws = torch.minimum(jaws, 0.3 - jaw.v)
    pincer = relief(
        tone + 2.8 * step + 0.2 * jaw.v, 0.1 + 0.3 * jaws.clamp_min(0), jaw.edge(jaws), (0.45 + 4 * jaws).clamp(0, 1)
    )
    drawn = pincer.over(drawn)
    wide, high = plane.any(0.5, 0.6), plane.any(0.62, 0.72)
    stripes = plane.whole(4, 6)
    rugged, spotted = plane.any(0.2, 1.0), plane.chance(0.4)
    dots = [half.at(plane.any(0.14, 0.32), 0.02 + 0.27 * i, plane.any(0.08, 0.13)) for i in range(3)]
    spot = torch.stack([dot.edge(1 - dot.r, 0.05) for dot in dots]).amax(0) * spotted
    for part in range(3):
        if part == 0:  # head
            q = (x / plane.any(0.24, 0.3)) ** 2.4 + ((v + 0.68).abs() / 0.2) ** 2.4
        elif part == 1:  # thorax, broader behind
            q = (x / (plane.any(0.42, 0.5) + 0.3 * (v + 0.38)).clamp_min(0.1)) ** 2.8 + ((v + 0.38).abs() / 0.26) ** 2.8
        else:
            q = (x / wide) ** 2.3 + ((v - 0.3).abs() / high) ** 2.3
        q = q.clamp_min(1e-6) ** (1 / 2.4)
        inside = (1 - q) * 0.35
        swell = dome(q * 0.97)
        across = x / (wide * dome(((v - 0.3) / high).clamp(-0.98, 0.98)))
        groove = saw(across * stripes) * plane.fine(wide / stripes) * rugged * (part == 2)
        seam = plane.line(x, 0.014) * (part == 2)
        tint = tone + step * (part + 0.9) + 0.35 * swell + 0.12 * groove
        shade = (0.25 + 0.85 * swell) * (1 - 0.4 * rugged * (part == 2) * (1 - groove)) * (1 - 0.85 * seam)
        if part == 2:
            tint, shade = tint + 1.2 * step * spot, shade * (1 - 0.6 * spot)
        gloss = torch.exp(
            -(((x - 0.17 - 0.05 * part) / 0.06) ** 2)
            - ((v - (-0.72, -0.45, 0.08)[part]) / (0.06, 0.09, 0.26)[part]) ** 2
        )
        shell = relief(
            tint,
            (0.3, 0.4, 0.5)[part] * swell + 0.03 * groove - 0.06 * seam,
            plane.edge(inside),
            shade.clamp(0, 1),
            0.4 * gloss,
        )
        drawn = laid(shell, inside, drawn, 0.04)
    eyes = half.at(0.24, -0.72, 0.07)
    drawn = relief(
        tone + 0 * x,
        drawn.height + 0.05 * dome(eyes.r),
        eyes.edge(1 - eyes.r),
        0.1 + 0 * x,
        0.6 * torch.exp(-(((eyes.r) / 0.4) ** 2)),
    ).over(drawn)
    return replace(drawn, style=stag[:, 0, 0].float())
