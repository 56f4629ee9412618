"""More of buildings: traceried windows, pagodas and domes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, saw
from dreamer.motifs.relief import Motif, Relief, empty, laid, relief


def _foil(u: Tensor, v: Tensor, size: Tensor, lobes: Tensor | float) -> Tensor:
    """The distance inside a foil, a ring of `lobes` round bays with cusps between them."""
    bays = (torch.cos(torch.atan2(u, -v) * lobes / 2)).abs()
    return size * (0.62 + 0.38 * bays**0.7) - torch.hypot(u, v)


def window(plane: Plane) -> Relief:
    """Gothic tracery: a rose of lights, a ring of foils, or lancets under a pointed arch, before glass."""
    style, bar = plane.whole(0, 2), plane.any(0.025, 0.04)
    wheel, lancet = style == 0, style == 2
    count = plane.whole(6, 10) + 2 * wheel
    half, r = torch.pi / count, plane.r
    turned = plane.angle + TURN / 4
    which = torch.round(turned / (2 * half))
    aside = turned - which * 2 * half
    x, y = r * torch.cos(aside), (r * torch.sin(aside)).abs()
    core, rim = plane.any(0.2, 0.3), 0.83
    # A light of the wheel is a wedge with a round head; between the heads there is room for small foils.
    head = (rim - bar) / (1 + torch.sin(half)) * 0.96
    wedge = x * torch.sin(half) - y * torch.cos(half) - bar
    light = torch.where(x > head, head * torch.sin(half) - bar - torch.hypot(x - head, y), wedge)
    light = torch.minimum(light, x - core - 2 * bar)
    bx, by = r * torch.cos(aside.abs() - half), r * torch.sin(aside.abs() - half)
    small = 0.38 * head * torch.sin(half)
    light = torch.maximum(light, small - torch.hypot(bx - (rim - bar - small), by))
    ring = 0.5 * (core + 2 * bar + rim)
    size = torch.minimum(0.5 * (rim - core) - 1.5 * bar, ring * torch.sin(half) - 0.6 * bar)
    foils = _foil(y, ring - x, size, plane.whole(3, 5))
    gap = torch.maximum(
        0.3 * size - torch.hypot(bx - (rim - 0.36 * size), by), 0.22 * size - torch.hypot(bx - (core + 0.5 * size), by)
    )
    foils = torch.maximum(foils, gap)
    middle = _foil(plane.u, plane.v, core, count)
    rose = torch.maximum(torch.where(wheel, light, foils), middle)
    # The lancet window: under one great arch two or three lights and a foiled eye.
    great, foot = plane.any(0.58, 0.7), 0.84
    sharp = great * plane.any(0.4, 0.9)
    spring = torch.sqrt((great + 0.14 + sharp) ** 2 - sharp**2) - 0.97  # so that the point is at the top
    rise = (plane.v - spring).clamp_max(0)
    q = torch.hypot(plane.u.abs() + sharp, rise) - sharp
    lights = plane.whole(2, 3)
    wide = great / lights
    at = torch.remainder(plane.u + great, 2 * wide) - wide
    eye_v = spring - torch.sqrt((great + sharp) ** 2 - sharp**2) + 0.63 * great
    low = eye_v + plane.any(1.05, 1.2) * great
    up = (plane.v - low).clamp_max(0)
    small_arch = wide - 1.2 * bar - (torch.hypot(at.abs() + wide, up) - wide)
    cusp = 0.1 * wide * torch.cos(at / wide * 5).abs() * (plane.v < low)
    small_arch = torch.minimum(small_arch - cusp, foot - plane.v)
    eye = _foil(plane.u, plane.v - eye_v, 0.43 * great, plane.whole(3, 6))
    tall = torch.minimum(torch.maximum(small_arch, eye), great - bar - q)
    glass = torch.where(lancet, tall, rose)
    inside = torch.where(lancet, torch.minimum(great + 0.14 - q, foot + 0.12 - plane.v), 0.97 - r)
    frame = torch.where(lancet, torch.minimum(great - q, foot - plane.v), rim - r)
    pane = plane.edge(glass)
    lead = torch.minimum(saw(r * 9), saw(turned / half + 0.5)) * 0.06
    lead = torch.where(lancet, torch.minimum(saw((plane.u + plane.v) * 5), saw((plane.u - plane.v) * 5)) * 0.1, lead)
    lead = plane.line(lead, 0.008)
    name = torch.where(lancet, torch.floor(plane.u * 6) + torch.floor(plane.v * 6) * 0.3, torch.floor(r * 9))
    chance = hashed(torch.floor(name), torch.remainder(which, 2), plane.any(0, 9))
    glowing = plane.chance(0.75)
    depth = (glass / 0.1).clamp(0, 1)
    lit_glass = torch.where(glowing, (0.45 + 0.7 * depth) * (1 - 0.7 * lead), 0.03 + 0.12 * (1 - depth))
    stone = (-glass / bar).clamp(0, 1)
    torus = dome((frame + 0.07) / 0.075)
    outer = dome((inside - 0.03) / 0.04)
    height = 0.8 * bar * stone + (frame < 0) * (0.09 * torus + 0.06 * outer)
    shade = (0.35 + 0.65 * stone) * torch.where(frame < 0, 0.3 + 0.7 * torch.maximum(torus, outer), 1.0)
    base = plane.any(0, 0.3)
    tone = torch.where(pane > 0.5, base + 0.45 + 0.5 * chance * glowing, base + 0.2 * (frame < 0))
    shine = 0.3 * pane * glowing * depth * (1 - lead)
    return relief(
        tone,
        torch.lerp(height, torch.full_like(height, -0.04), pane),
        plane.edge(inside),
        torch.lerp(shade, lit_glass, pane),
        shine,
        style=style[:, 0, 0],
    )


def pagoda(plane: Plane) -> Relief:
    """A tower of roofs with upturned eaves, smaller and smaller, and a ringed spire."""
    tiers = plane.whole(3, 5)
    tone, curl = plane.any(0, 0.4), plane.any(0.1, 0.2)
    reach, shrink = plane.any(0.72, 0.92), plane.any(0.76, 0.86)
    foot, spire = 0.9, plane.any(0.2, 0.3)
    storey = (1.86 - spire) / tiers
    roof_share = plane.any(0.5, 0.6)
    drawn = empty(plane)
    # A plinth of two steps.
    for level, share in ((0.0, 0.75), (0.05, 0.68)):
        distance = plane.block(foot - level, foot - level + 0.06, share * reach)
        step = relief(
            (tone + 0.5).expand_as(plane.u),
            torch.full_like(plane.u, 0.1),
            plane.edge(distance),
            0.55 + 0.45 * plane.edge(foot - level + 0.025 - plane.v),
        )
        drawn = laid(step, distance, drawn, 0.02, depth=0.8)
    base = foot - 0.05
    for tier in range(5):
        there = (tier < tiers) * 1.0
        wide = reach * shrink**tier
        low = base - tier * storey
        eave, top = low - storey * (1 - roof_share), low - storey
        body = 0.58 * wide
        distance = plane.block(eave - 0.06, low, body)
        bays = 5.0 if tier == 0 else 3.0
        x = plane.u / body * bays / 2
        bay = 2 * frac(x + 0.5 * (bays % 2)) - 1
        post = torch.exp(-(((1 - bay.abs()) / 0.22) ** 2))
        rail = torch.exp(-(((plane.v - (low - 0.03)) / 0.02) ** 2))
        hollow = (1 - post) * (1 - rail)
        wall = relief(
            tone + 0.75 - 0.25 * post,
            0.05 * post + 0.05 * rail,
            plane.edge(distance) * there,
            (0.1 + 0.9 * torch.maximum(post, rail)) * (0.25 + 0.75 * ((plane.v - eave) / (low - eave)).clamp(0, 1)),
            0.25 * hollow * torch.exp(-((bay / 0.4) ** 2)) * plane.chance(0.4) * ((plane.v - eave) > 0.03),
        )
        drawn = laid(wall, distance * there - 9 * (1 - there), drawn, 0.03, depth=0.8)
        # The roof sags from a narrow ridge to its eaves, whose corners turn up.
        side = (plane.u.abs() / wide).clamp(0, 1.2)
        lip = eave - curl * storey * 2.0 * side**3.2
        t = ((plane.v - top) / (lip - top).clamp_min(1e-3)).clamp(0, 1)
        narrow = 0.42 * wide * shrink
        half = narrow + (wide - narrow) * (0.35 * t + 0.65 * t**3)
        distance = plane.block(top - 0.02, lip + 0.02, torch.minimum(half, wide))
        ribs = plane.u / half * torch.round(13 * reach * shrink**tier)
        shown = plane.fine(half / torch.round(13 * reach * shrink**tier))
        tile = dome(2 * frac(ribs) - 1)
        edge = torch.exp(-(((lip - plane.v) / 0.022) ** 2))
        roof = relief(
            tone + 0.12 * tier / 2 + 0.18 * t + 0.35 * edge,
            0.3 * storey * t**1.5 * (1 - 0.4 * side**2) + 0.018 * shown * tile + 0.03 * edge,
            plane.edge(distance) * there,
            (0.35 + 0.65 * t) * (1 - 0.55 * shown * (1 - tile) * (1 - edge)),
        )
        drawn = laid(roof, distance * there - 9 * (1 - there), drawn, 0.07, depth=0.8)
    top = base - tiers * storey + 0.02
    t = ((top - plane.v) / spire).clamp(0, 1)
    beads = 0.035 * (1 - 0.6 * t) * (0.45 + 0.55 * (torch.cos(TURN * t * 2.5)).abs()) + 0.05 * (1 - t) ** 6 + 0.003
    beads = beads * (1 - t**8)
    distance = plane.block(top - spire, top, beads)
    x = plane.u / beads.clamp_min(1e-3)
    tip = relief((tone + 0.6).expand_as(x), beads * dome(x * 0.95) * 1.3, plane.edge(distance), 0.5 + 0.5 * dome(x))
    return replace(tip.over(drawn), style=(tiers - 3)[:, 0, 0])


def cupola(plane: Plane) -> Relief:
    """A dome on a drum of windows, with lantern and finial: a ribbed half ball, an onion, or a twisted onion."""
    style = plane.whole(0, 2)
    ball, twisted = style == 0, style == 2
    tone = plane.any(0, 0.4)
    wide = torch.where(ball, plane.any(0.68, 0.78), plane.any(0.62, 0.74))
    foot, drum = torch.full_like(wide, 0.92), plane.any(0.36, 0.48)
    high = torch.where(ball, wide * plane.any(1.0, 1.25), wide * plane.any(1.45, 1.7))
    neck, swell = plane.any(0.62, 0.78), plane.any(2.8, 3.6)
    t = ((drum - plane.v) / high).clamp(0, 1)
    onion = (neck + swell * t) * (1 - t).clamp_min(0) ** 1.35 * 0.98
    half = wide * torch.where(ball, dome(t), onion) + 0.015
    x = (plane.u / half.clamp_min(1e-3)).clamp(-1, 1)
    phi = torch.asin(x * 0.999)
    ribs = torch.where(ball, plane.whole(10, 14), plane.whole(12, 18))
    twist = torch.where(twisted, plane.any(0.5, 1.2) * plane.sign(), 0.0)
    turns = ribs * (phi / TURN + 0.25 * twist * t) + 0.25
    f, panel = 2 * frac(turns) - 1, torch.remainder(torch.floor(turns), 2)
    shown = plane.fine(TURN * half / ribs * torch.cos(phi))
    rib = torch.where(ball, torch.exp(-(((1 - f.abs()) / 0.2) ** 2)), dome(f * 0.97))
    height = 0.9 * half * dome(x * 0.98) + 0.8 * shown * half / ribs * rib * 1.6 + 0.25 * t * wide
    dark = torch.where(ball, 0.35 * (1 - rib) * f.abs(), 0.8 * f.abs() ** 4)
    # On a half ball small round windows look out of the panels.
    porthole = plane.edge(0.035 - torch.hypot(f * half / ribs * 2.2, (t - 0.35) * high)) * ball * shown
    shade = (0.3 + 0.7 * dome(x * 0.97)) * (1 - shown * dark) * (1 - 0.9 * porthole)
    distance = plane.block(drum - high, drum, half)
    tones = tone + torch.where(ball, 0.25 * rib, 0.4 * panel) + 0.15 * t
    drawn = relief(tones, height, plane.edge(distance), shade)
    # The drum: arched windows between pilasters, cornice above and plinth below.
    body = wide * neck.clamp_max(0.8) * torch.where(ball, 1.25, 1.0)
    x = (plane.u / body).clamp(-1, 1)
    phi = torch.asin(x * 0.999)
    count = plane.whole(10, 14)
    f = 2 * frac(count * phi / TURN + 0.5) - 1
    step = torch.pi * body / count * torch.cos(phi)
    tall = foot - 0.06 - drum - 0.07
    rise = (plane.v - (drum + 0.09 + 0.35 * tall)).clamp_max(0) / (TURN * body / count / 2)
    hole = plane.edge((0.55 - torch.hypot(f, rise)) * step) * plane.edge(foot - 0.1 - plane.v)
    distance = plane.block(drum, foot, body)
    wall = relief(
        tone + 0.55 + 0.35 * hole,
        0.9 * body * dome(x * 0.98) + 0.03 * (1 - hole) + 0.03 * torch.exp(-(((1 - f.abs()) / 0.2) ** 2)),
        plane.edge(distance),
        (0.3 + 0.7 * dome(x)) * (1 - 0.92 * hole) * (1 - 0.6 * torch.exp(-(plane.v - drum).clamp_min(0) / 0.12)),
    )
    drawn = laid(wall, distance, drawn, 0.04, depth=0.8)
    tip = drum - high + torch.where(ball, 0.03, 0.07)
    lamp = 0.13 * ball
    bands = (
        (drum - 0.03, drum + 0.06, body * 1.1, 0.7),
        (foot - 0.07, foot + 0.02, body * 1.14, 0.7),
        (tip - 1.5 * lamp, tip, lamp, 0.4),
        (tip - 1.5 * lamp - 0.03, tip - 1.5 * lamp + 0.01, 1.25 * lamp, 0.7),
    )
    for top, low, reach, tint in bands:
        y = (2 * plane.v - top - low) / (low - top).clamp_min(1e-3)
        x = (plane.u / reach.clamp_min(1e-3)).clamp(-1, 1)
        distance = plane.block(top, low, reach)
        slots = torch.where(reach == lamp, 0.75 * torch.exp(-(((saw(x * 1.5 + 0.5) - 1) / 0.4) ** 2)), 0.0)
        band = relief(
            (tone + tint).expand_as(x),
            0.9 * reach * dome(x * 0.97) + 0.4 * (low - top).clamp_max(0.1) * dome(y * 0.95) + 0.05,
            plane.edge(distance) * (reach > 0.01),
            (0.4 + 0.6 * dome(x)) * (1 - 0.5 * y.clamp(0, 1) ** 2) * (1 - slots),
        )
        drawn = laid(band, torch.where(reach > 0.01, distance, -9.0), drawn, 0.03, depth=0.8)
    # A small cap and a ball on a needle.
    tip = tip - 1.5 * lamp
    s = ((tip - plane.v) / 0.24).clamp(0, 1)
    cap = 0.16 * ball * (1 - s / 0.45).clamp_min(0) ** 0.7
    needle = 0.012 + 0.035 * dome((s - 0.6) / 0.16) + cap + 0.03 * (1 - s) ** 3
    distance = plane.block(tip - 0.24, tip, needle)
    x = plane.u / needle
    finial = relief((tone + 0.85).expand_as(x), needle * dome(x * 0.95), plane.edge(distance), 0.5 + 0.5 * dome(x))
    return replace(finial.over(drawn), style=style[:, 0, 0])


MOTIFS = (
    Motif("window", window, upright=True, styles=3),
    Motif("pagoda", pagoda, upright=True, styles=3),
    Motif("dome", cupola, upright=True, styles=3),
)
