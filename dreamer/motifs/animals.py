"""Whole small animals: snake and fish, with the butterfly and the beetle of `insects`."""

from __future__ import annotations

from dataclasses import replace

import torch

from dreamer.motifs.creatures import course, eyeball, shingles
from dreamer.motifs.insects import beetle, butterfly
from dreamer.motifs.plane import TURN, Plane, dome, least, saw
from dreamer.motifs.relief import Motif, Relief, laid, relief


def snake(plane: Plane) -> Relief:
    """A snake in scales, winding or coiled, with a broad head, eyes and a forked tongue."""
    count, coiled = 34, plane.chance(0.5)
    hand = plane.sign()
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


def fish(plane: Plane) -> Relief:
    """A fish from the side: scales, gill cover, a big round eye, rayed fins and tail; slender or tall."""
    tall = plane.chance(0.5)
    side = plane.sign()
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
        0.1 + 0.05 * rays * plane.fine(0.11),
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


MOTIFS = (
    Motif("snake", snake, styles=2, part="scales"),
    Motif("butterfly", butterfly, upright=True, styles=2),
    Motif("fish", fish, upright=True, styles=2, part="scales"),
    Motif("beetle", beetle, styles=2),
)
