"""Whole small animals: snake, butterfly, fish and beetle."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.creatures import course, empty, eyeball, fine, laid, shingles
from dreamer.motifs.plane import TURN, Plane, dome, hashed, least, saw
from dreamer.motifs.relief import Motif, Relief, relief


def snake(plane: Plane) -> Relief:
    """A snake in scales, winding or coiled, with a broad head, eyes and a forked tongue."""
    count, coiled = 34, plane.chance(0.5)
    hand = torch.where(plane.chance(0.5), 1.0, -1.0)
    waves, swing, phase = plane.any(1.2, 1.8), plane.any(1.1, 1.5), plane.any(0, TURN)
    thick = torch.where(coiled, plane.any(0.19, 0.23), plane.any(0.2, 0.26))
    heading, width, angle = [], [], plane.any(0, TURN)
    gap = plane.any(2.3, 2.6)
    turned = 0 * angle
    for i in range(count):
        t = i / count
        width.append(thick * (0.15 + 0.85 * min(1.0, 2.6 * t)))
        heading.append(angle + hand * torch.where(coiled, turned, swing * torch.sin(TURN * waves * t + phase)))
        # A coil about the tail: its radius grows by a little more than the body's width with every turn.
        turned = turned + 0.13 / (0.1 + 0.75 * thick + gap * thick * turned / TURN)
    path = course(plane, heading, width, 0.13, 2.6 * thick)
    body = dome(path.side.clamp(-1, 1) * 0.97)
    rows, size = 1.7, 0.9 * thick * path.unit
    skin = shingles(
        plane,
        torch.asin(path.side.clamp(-0.98, 0.98)) * rows + 40.25,
        60 - path.along * (count * 0.13 / (0.55 * thick)),
        size,
        plane.any(1.3, 2.0),
        2.0,
        torch.zeros_like(thick),
        torch.zeros_like(thick),
    )
    tone, step = plane.any(0, 0.4), plane.any(0.25, 0.45)
    mark = torch.sigmoid(8 * (saw(path.along * plane.whole(6, 10)) + 0.55 * body - 0.95))
    trunk = relief(
        tone + step * mark + 0.25 * skin.tone + 0.15 * body,
        thick * path.unit * 0.9 * body + 0.35 * skin.height,
        plane.edge(path.inside),
        ((0.3 + 0.75 * body) * (0.25 + 0.9 * skin.shade)).clamp(0, 1),
    )
    head = plane.at(*path.end, thick * path.unit * 1.3, heading[-1])
    x, y = head.u, head.v.abs()
    # Broad at the jaws, blunt at the snout.
    s = ((x + 0.9) / 2.5).clamp(1e-3, 1 - 1e-3)
    inside = (
        least(1.32 * s**0.45 * (1 - s) ** 0.5 + 0.25 * s * (1 - s) - y * 0.8, least(1.6 - x, x + 0.9, 0.1), 0.1) * 0.8
    )
    fork = 0.07 - (y - 0.55 * (x - 2.05).clamp_min(0)).abs()
    tongue = relief(tone + 0.9, 0.1 * dome(fork), head.edge(fork) * (x > 1.2) * head.edge(2.6 - x), 0 * x + 0.9)
    mask = torch.exp(-(((y - 0.5 + 0.1 * x) / 0.2) ** 2)) * (x < 0.5)
    crown = relief(
        tone + step * mask + 0.2 * s,
        thick * path.unit * (0.7 + 0.75 * (1 - (1 - inside.clamp(0, 1)) ** 3)),
        head.edge(inside),
        (0.35 + 1.5 * inside).clamp(0, 1) * (1 - 0.25 * head.line(y, 0.05) * (x < 0.8)),
    )
    drawn = laid(crown, inside * 0.2, laid(tongue, fork, trunk, 0.03), 0.05)
    socket = head.bent(x - 0.42, y - 0.56).at(0, 0, 0.36)
    ring = 1 - socket.r
    pupil = socket.edge(0.2 - socket.v.abs() * 0.35 - socket.u.abs() * 1.1 + 0.12) * socket.edge(ring)
    glint = torch.exp(-(((socket.u + 0.3) / 0.25) ** 2) - ((socket.v + 0.3) / 0.25) ** 2)
    ball = relief(
        tone + 0.6 + 0.3 * socket.r,
        drawn.height + 0.25 * thick * dome(socket.r),
        socket.edge(ring),
        (1 - 0.95 * pupil) * (1 - 0.9 * socket.edge(0.25 - ring, 0.08)),
        glint,
    )
    drawn = laid(ball, ring * 0.1, drawn, 0.02)
    return replace(drawn, part=trunk.alpha * (1 - head.edge(inside)), style=coiled[:, 0, 0].float())


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
    drawn = empty(plane)
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


def fish(plane: Plane) -> Relief:
    """A fish from the side: scales, gill cover, a big round eye, rayed fins and tail; slender or tall."""
    tall = plane.chance(0.5)
    side = torch.where(plane.chance(0.5), 1.0, -1.0)
    at = plane.bent(plane.u * side, plane.v)
    u, v = at.u, at.v
    tone, step = plane.any(0, 0.4), plane.any(0.25, 0.4)
    s = ((u + 0.95) / 1.5).clamp(1e-3, 1 - 1e-3)
    girth = torch.where(tall, plane.any(0.56, 0.68), plane.any(0.3, 0.44))
    half = girth * (s / 0.42) ** 0.62 * ((1 - s) / 0.58) ** 0.86 + 0.1 * s * (u < 0.56)
    distance = torch.minimum((half - v.abs()) * 0.85, torch.minimum(0.56 - u, u + 0.94))
    # Fins: sheets with rays, behind the body.
    tail = at.at(0.42, 0.0)
    fan = tail.angle.abs() / plane.any(0.75, 0.95)
    end = plane.any(0.5, 0.58) * (0.66 + plane.any(0.25, 0.4) * fan**1.5)
    tail_in = torch.minimum(end - tail.r, (1 - fan) * tail.r)
    back = ((u + 0.45) / 0.95).clamp(0, 1)
    crest = torch.where(tall, plane.any(0.3, 0.42), plane.any(0.22, 0.34))
    lift = crest * (torch.sin(torch.pi * back**0.7).clamp_min(0) ** 0.6) * (0.85 + 0.15 * saw(back * 8))
    dorsal_in = torch.minimum(half + lift - v.abs(), -v)
    under = ((u + 0.1) / 0.55).clamp(0, 1)
    drop = 0.7 * crest * torch.sin(torch.pi * under).clamp_min(0) ** 0.7
    fin_in = torch.maximum(
        torch.maximum(tail_in, torch.where(lift > 0.01, dorsal_in, tail_in)),
        torch.where(drop > 0.01, torch.minimum(half + drop - v.abs(), v), tail_in),
    )
    rays = torch.where(tail.u > 0.05, saw(tail.angle * 7), saw((u - 0.5 * v.abs()) * 9 + 0.5 * v.abs()))
    out = torch.where(tail.u > 0.05, tail.r * 1.6, (v.abs() - half).clamp_min(0) * 3).clamp(0, 1)
    fins = relief(
        tone + 1.8 * step + 0.3 * out + 0.15 * rays,
        0.1 + 0.05 * rays * fine(plane, torch.full_like(u, 0.11)),
        plane.edge(fin_in),
        (0.35 + 0.4 * rays + 0.35 * out).clamp(0, 1),
    )
    # Body.
    q = (v / half.clamp_min(0.03)).clamp(-1, 1)
    round_ = dome(q * 0.97)
    size = plane.any(0.15, 0.2)
    skin = shingles(
        plane,
        torch.asin(q * 0.98) * (half + 0.2) / size * 0.8 + 40,
        u / (0.6 * size) + 40,
        size,
        plane.any(1.7, 2.1),
        2.0,
        0 * size,
        0 * size,
    )
    gill = 0.5 - torch.hypot(u + 0.88, v * 0.62)  # the rim of the gill cover
    cheek = plane.edge(gill, 0.01)
    stripes, depth = plane.any(1.5, 4), plane.any(0, 1) * plane.chance(0.6)
    stripe = torch.sigmoid(9 * torch.sin(TURN * stripes * (u + 0.15 * v * v))) * depth
    lip = torch.exp(-((gill / 0.035) ** 2))
    skin_shade = (0.3 + 0.75 * round_) * torch.lerp(0.25 + 0.9 * skin.shade, torch.ones_like(u), cheek)
    skin_shade = skin_shade * (1 - 0.7 * torch.exp(-(-gill).clamp_min(0) / 0.05) * (1 - cheek))
    smile = plane.line(v - 0.06 - 0.35 * (u + 0.95) ** 2 - 0.1 * (u + 0.95), 0.02) * plane.edge(-0.74 - u)
    body = relief(
        torch.lerp(tone + 0.3 * skin.tone + 0.5 * step * stripe, tone + step + 0 * u, cheek) + 0.25 * q,
        0.55 * half * round_ + (1 - cheek) * 0.55 * skin.height + 0.05 * cheek + 0.03 * lip,
        plane.edge(distance),
        (skin_shade * (1 - 0.85 * smile)).clamp(0, 1),
    )
    drawn = laid(body, distance, fins, 0.06)
    # Side fin.
    paddle = at.at(-0.3, plane.any(0.08, 0.16), plane.any(0.3, 0.4), plane.any(0.2, 0.6))
    wide = 0.62 * (paddle.u.clamp(0, 1) * (1.25 - paddle.u).clamp_min(0)).clamp_min(1e-4) ** 0.5
    paddle_in = torch.minimum(wide - paddle.v.abs(), torch.minimum(paddle.u, 1.1 - paddle.u))
    ray = saw(torch.atan2(paddle.v, paddle.u + 0.2) * 5)
    fin = relief(
        tone + 2.1 * step + 0.15 * ray + 0.2 * paddle.u,
        drawn.height + 0.05 + 0.03 * ray + 0.08 * paddle.u,
        paddle.edge(paddle_in),
        (0.45 + 0.4 * ray + 0.2 * paddle.u).clamp(0, 1),
    )
    drawn = laid(fin, paddle_in * 0.3, drawn, 0.05)
    socket = at.at(-0.66, plane.any(-0.12, -0.06), plane.any(0.14, 0.18))
    ball = eyeball(socket, torch.zeros_like(tone), plane.any(0.72, 0.82), tone + 1.4 * step)
    ball = replace(ball, alpha=socket.edge(1 - socket.r), height=drawn.height + 0.12 * dome(socket.r))
    drawn = ball.over(laid(ball, (1 - socket.r) * 0.15, drawn, 0.03))
    return replace(drawn, part=(1 - cheek) * body.alpha * (1 - fin.alpha), style=tall[:, 0, 0].float())


def beetle(plane: Plane) -> Relief:
    """A beetle from above: glossy split wing-cases, thorax, head and six legs; a scarab, or one with long jaws."""
    stag = plane.chance(0.5)
    tone, step = plane.any(0, 0.4), plane.any(0.2, 0.4)
    half = plane.bent(plane.u.abs(), plane.v)
    x, v = half.u, half.v
    drawn = empty(plane)
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
        groove = saw(across * stripes) * fine(plane, wide / stripes + 0 * x) * rugged * (part == 2)
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


MOTIFS = (
    Motif("snake", snake, styles=2, part="scales"),
    Motif("butterfly", butterfly, upright=True, styles=2),
    Motif("fish", fish, upright=True, styles=2, part="scales"),
    Motif("beetle", beetle, styles=2),
)
