"""Plants: leaves, ferns, rosettes, mushrooms and scrolling tendrils."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.flowers import ring
from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, saw
from dreamer.motifs.relief import Motif, Relief, empty, laid, relief


def _bowed(plane: Plane, most: float) -> Plane:
    """The plane bent to either side round a circle of curvature up to `most`: a straight stem becomes an arc."""
    side = plane.sign()
    radius = side / plane.any(0.08, most)
    across = radius - side * torch.hypot(plane.u, plane.v - radius)
    along = torch.atan2(plane.u * side, (radius - plane.v) * side) * radius.abs()
    return plane.bent(along, across)


def _blade(plane: Plane, style: Tensor) -> tuple[Tensor, Tensor]:
    """A feather-veined leaf along u: the distance inside its outline, and the phase between its side veins."""
    along, across = ((plane.u + 0.75) / 1.75).clamp(1e-3, 1 - 1e-3), plane.v.abs()
    rise, fall = plane.any(0.45, 0.8), plane.any(0.7, 1.1)
    top = rise / (rise + fall)
    half = plane.any(0.45, 0.68) * (along / top) ** rise * ((1 - along) / (1 - top)) ** fall
    veins, slant = plane.whole(6, 9), plane.any(0.5, 1.0)
    place = veins * (along - slant * across / 1.75)
    teeth = frac(place * 2) - 0.5
    lobes = torch.cos(TURN * (place * 0.5 + 0.25))
    half = half * torch.where(style == 1, 1 - 0.16 * teeth, torch.where(style == 2, 0.92 + 0.36 * lobes, 1.0))
    inside = torch.minimum(half - across, torch.minimum(plane.u + 0.75, 1 - plane.u))
    side = torch.where(style == 2, place * 0.5 + 0.25, place)
    return inside, side


def _palm(plane: Plane) -> tuple[Tensor, Tensor]:
    """A maple leaf: the distance inside its outline, and the phase between its main veins."""
    part = plane.at(-0.45, 0.0)
    angle, lobes = part.angle, plane.any(1.0, 1.15)
    place = angle / lobes  # whole numbers are the main veins
    peak = saw(place + 0.5)
    size = 1.42 - 0.33 * torch.floor(place + 0.5).abs()
    teeth = frac(peak * 2.5 + 0.15) * 0.16 * (1 - peak)
    reach = size * (0.4 + 0.6 * peak ** plane.any(0.8, 1.15) + teeth)
    reach = reach * torch.sigmoid((2.75 - angle.abs()) * 8)
    return (reach - part.r) * 0.6, place


def leaf(plane: Plane) -> Relief:
    """A leaf with midrib and side veins: smooth, toothed, lobed like an oak's or a maple's."""
    style = plane.whole(0, 3)
    flat = _bowed(plane, 0.36)
    maple = style == 3
    inside, place = _blade(flat, style)
    palm, palm_place = _palm(flat)
    part = flat.at(-0.45, 0.0)
    inside = torch.where(maple, palm, inside)
    across = flat.v.abs()
    gap = (frac(place + 0.5) - 0.5).abs() * 0.2
    palm_gap = (frac(palm_place + 0.5) - 0.5).abs() * part.r
    midrib = flat.line(across, 0.022 * (1.1 - flat.u).clamp(0.3, 2)) * (part.u > -0.3)
    ribs = flat.line(palm_gap, 0.03 * (1 - part.r / 1.6).clamp(0.2, 1))
    side = flat.line(gap, 0.012)
    small = saw(part.r * 4.5 - 2.4 * (frac(palm_place + 0.5) - 0.5).abs() * part.r)
    vein = torch.where(maple, torch.maximum(ribs, 0.6 * torch.exp(-((small / 0.25) ** 2))), torch.maximum(midrib, side))
    quilt = torch.where(maple, (palm_gap * 4).clamp(0, 1), dome(1 - saw(place) * 0.95))
    stem_inside = torch.minimum(0.035 - across, torch.minimum(flat.u + 1.0, 0.1 - flat.u))
    stem = relief(torch.full_like(across, 0.75), 0.5 * dome(across / 0.04) * 0.04, flat.edge(stem_inside))
    fold = torch.where(maple, 0.25 * part.r * (1 - 0.6 * part.r), 0.45 * across * (1 - across))
    rim = torch.exp(-(inside.clamp_min(0) / 0.05))
    height = fold + 0.07 * quilt - 0.02 * vein - 0.08 * rim
    shade = (0.5 + 0.5 * quilt) * (1 - 0.35 * rim) * (1 - 0.3 * torch.exp(-((across / 0.09) ** 2)) * ~maple)
    tone = plane.any(0, 0.3) + 0.2 * quilt + 0.4 * vein + 0.25 * rim
    blade = relief(tone, height, flat.edge(inside), (shade + 0.25 * vein).clamp(0, 1))
    return replace(blade.over(stem), style=style[:, 0, 0])


def fern(plane: Plane) -> Relief:
    """A frond: leaflets in pairs along an arching stem, shrinking to the tip, toothed or smooth."""
    flat = _bowed(plane, 0.9)
    count, slant = plane.whole(8, 12), plane.any(0.3, 0.7)
    across, along = flat.v.abs(), (flat.u + 1) / 2
    place = (along - slant * across / 2) * count + 0.25 * torch.sign(flat.v)
    number = torch.floor(place)
    root = (number + 0.5) / count  # 0 at the foot, 1 at the tip, one value for each leaflet
    length = plane.any(0.7, 0.95) * ((1 - root).clamp(0, 1) ** plane.any(0.6, 1.0)) * (0.55 + 1.6 * root).clamp(0, 1)
    s = (across / length.clamp_min(1e-2)).clamp(0, 1)
    teeth = torch.where(plane.chance(0.5), 0.3, 0.0) * saw(across * plane.any(9, 13))
    half = 0.47 * (1 - s**2.2).clamp_min(0) ** 0.7 * (0.75 + 0.6 * s).clamp(0, 1) * (1 - teeth)
    off = (place - number - 0.5).abs()
    inside = torch.minimum((half - off) * 2 / count, length - across)
    inside = torch.where((root > 0.04) & (root < 1), inside, -1.0)
    q = (off / half.clamp_min(1e-2)).clamp(0, 1)
    keel = torch.exp(-((q / 0.2) ** 2))
    height = 0.09 * dome(q) + 0.3 * across * (1 - across) - 0.02 * keel
    shade = (0.25 + 0.75 * (across / 0.16).clamp(0, 1)) * (1 - 0.7 * q**4)
    tone = plane.any(0, 0.3) + 0.4 * s + 0.15 * keel
    leaflets = relief(tone, height, flat.edge(inside), shade)
    thick = 0.035 * (1.15 - along).clamp(0.15, 2)
    stem_inside = torch.minimum(thick - across, torch.minimum(flat.u + 1.05, 1 - flat.u))
    stem = relief(tone * 0 + 0.85, dome(across / thick) * thick, flat.edge(stem_inside))
    return laid(stem, stem_inside, leaflets, 0.02, 0.04)


def mushroom(plane: Plane) -> Relief:
    """A mushroom: a spotted dome, an open umbrella with its gills seen from below, or a tall ribbed bell."""
    style = plane.whole(0, 2)
    bell, below = style == 2, style == 1
    rim, wide = plane.any(-0.15, 0.15) + 0.25 * bell, plane.any(0.75, 0.98) * torch.where(bell, 0.74, 1.0)
    high = torch.where(bell, plane.any(1.0, 1.2), torch.where(below, plane.any(0.3, 0.5), plane.any(0.55, 0.85)))
    flat = torch.where(below, plane.any(0.2, 0.34), plane.any(0.1, 0.2))
    up, u = plane.v - rim, plane.u
    # The stem swells at its foot and leans a little.
    lean = u - plane.any(-0.15, 0.15) * (plane.v - rim) ** 2
    thick = plane.any(0.13, 0.2) * (1 + 0.7 * (plane.v - 0.6).clamp(0, 1) ** 1.5) * torch.where(bell, 0.8, 1.0)
    q = (lean / thick).clamp(-1, 1)
    foot = torch.minimum(thick - lean.abs(), 0.95 - 0.08 * q**2 - plane.v)
    stem_inside = torch.minimum(foot, up + flat * 0.5)
    fibre = saw(q * 4) * plane.fine(thick / 4)
    dark = (0.15 + (up - flat * 0.2) * 2.2).clamp(0.1, 1)
    stem = relief(0.15 + 0.1 * fibre, dome(q) * thick * 0.9, plane.edge(stem_inside), dark * (0.8 + 0.2 * fibre))
    skirt_at = up - plane.any(0.3, 0.42)
    skirt_inside = torch.minimum(thick * 1.7 - lean.abs() - skirt_at.clamp_max(0).abs() * 0.8, 0.05 - skirt_at.abs())
    skirt = relief(0.35 + 0.2 * saw(q * 3), dome(q / 1.7) * thick * 1.5, plane.edge(skirt_inside) * ~bell)
    stem = laid(skirt, torch.where(bell, -1.0, skirt_inside), stem, 0.05)
    # The underside: an ellipse of gills about the stem.
    ring = torch.hypot(u / wide, up / flat)
    slope = torch.hypot(u / wide**2, up / flat**2).clamp_min(1e-3)
    spoke = torch.atan2(up / flat, u / wide) / TURN * plane.whole(22, 34)
    gill = saw(spoke) * plane.fine(TURN * ring * flat / 24 * 2)
    gloom = (0.2 + 0.75 * gill) * (0.4 + 0.6 * ring.clamp_max(1))
    under = relief(0.2 + 0.3 * gill, 0.05 * gill, plane.edge((1 - ring) * ring / slope), gloom)
    # The cap: half an egg, whose lower margin is the far or the near half of that ellipse.
    arch = (1 - (u / wide) ** 2).clamp_min(0)
    crown = torch.where(bell, arch**0.9, arch.sqrt()) * high
    margin = torch.where(below, -1.0, 1.0) * arch.sqrt() * flat
    cap_inside = torch.minimum(torch.minimum(up + crown, margin - up), (wide - u.abs()) * 2)
    t = ((up + crown) / (margin + crown).clamp_min(1e-3)).clamp(0, 1)
    x = (u / wide).clamp(-1, 1)
    longitude = torch.asin(x * 0.98)
    spot_u, spot_v = longitude * 2.6, t * 3.1  # a jittered spot in each cell
    jitter = hashed(torch.floor(spot_u), torch.floor(spot_v), rim)
    near = torch.hypot(frac(spot_u) - 0.3 - 0.4 * jitter, frac(spot_v) - 0.3 - 0.4 * frac(jitter * 7))
    spot = torch.sigmoid((0.16 + 0.13 * frac(jitter * 13) - near) * 22) * (style == 0)
    rib = saw(longitude * 4.5) * (style != 0) * t
    height = 0.75 * wide * dome(torch.hypot(x, 0.8 * (1 - t)) * 0.97) * torch.where(bell, 0.7, 1.0) + 0.07 * spot
    hem = torch.exp(-(((t - 0.86) / 0.05) ** 2)) * bell
    shade = (1.05 - 0.6 * t**3) * (1 - 0.35 * rib) * (1 - 0.5 * hem)
    tone = 0.55 + 0.25 * t + 0.15 * rib - 0.55 * spot + 0.25 * hem
    cap = relief(tone, height, plane.edge(cap_inside), shade.clamp(0, 1))
    return replace(laid(cap, cap_inside, stem.over(under), 0.03, 0.1), style=style[:, 0, 0])


def succulent(plane: Plane) -> Relief:
    """A houseleek: thick pointed leaves, ring within ring, each turned on by a part of the golden angle."""
    count, turn, tone = plane.whole(5, 8), plane.any(0, TURN), plane.any(0, 0.25)
    wide, blunt, shrink = plane.any(0.62, 0.8) * torch.pi / count, plane.any(0.45, 0.8), plane.any(0.76, 0.82)
    twist = torch.where(plane.chance(0.6), 0.382, 0.5) * TURN / count
    rosette, length = empty(plane), torch.ones_like(turn)
    for layer in range(8):
        leaves, distance = ring(plane, count, length, wide * length, blunt, turn + twist * layer, tone)
        tip = torch.exp(-(((plane.r / length - 0.95) / 0.1) ** 2))
        leaves = replace(leaves, tone=leaves.tone + 0.3 * tip + 0.04 * layer)
        rosette = laid(leaves, distance, rosette, 0.07 * length)
        length = length * shrink
    return rosette


def _volute(plane: Plane, size: Tensor, tight: Tensor, thick: Tensor) -> tuple[Tensor, Tensor]:
    """A spiral stem about the middle that leaves at (-size, 0): distance inside of it, and its own half width."""
    r = plane.r.clamp_min(1e-3)
    back = (torch.remainder(plane.angle + math.pi, TURN)) / TURN  # turns since it left
    turns = torch.log(size / r) / (TURN * tight)  # turns that a logarithmic spiral makes to get here
    # One that is just about to leave is drawn as well, to join what it springs from.
    number = torch.maximum(torch.floor(turns - back + 0.5), torch.where(back > 0.93, -1.0, 0.0))
    middle = size * torch.exp(-TURN * tight * (number + back))
    half = thick * (0.25 + 0.75 * (middle / size) ** 0.7)
    return half - (r - middle).abs(), half


def _sprig(plane: Plane) -> tuple[Tensor, Tensor]:
    """A small pointed leaf from the origin to (1, 0): distance inside of its outline, and place across it, 0 to 1."""
    s = plane.u.clamp(1e-3, 1 - 1e-3)
    half = 0.55 * s**0.8 * (1 - s) ** 0.7
    across = (plane.v - 0.25 * s * (1 - s)).abs()
    inside = torch.minimum(half - across, torch.minimum(plane.u, 1 - plane.u))
    return inside, (across / half.clamp_min(1e-2)).clamp(0, 1)


def tendril(plane: Plane) -> Relief:
    """A scroll of Art Nouveau: spiral tendrils joined in an S or a heart, with buds inside and leaves at the bends."""
    style = plane.whole(0, 1)
    plane = plane.at(0, 0, 0.93)
    turned = torch.where(style == 0, torch.where(plane.u < 0, -1.0, 1.0), 1.0)
    half_plane = plane.bent(plane.u.abs(), plane.v * turned)
    c, d = plane.any(0.38, 0.46), plane.any(0.14, 0.3)
    size, leave = torch.hypot(c, d), torch.atan2(-d, -c)
    tight, thick = plane.any(0.1, 0.16), plane.any(0.06, 0.085)
    # The second tendril leaves the first at its highest point and curls the other way.
    top = d - size * torch.exp(-tight * (-torch.pi / 2 - leave))
    small = plane.any(0.26, 0.34)
    first = half_plane.at(c, d, 1.0, leave - torch.pi)
    second = half_plane.at(c, top - small, 1.0, -torch.pi / 2)
    tone = plane.any(0, 0.3)
    drawn = empty(plane)
    for place, along, long in ((0.1, -0.5, 0.33), (1.5, 1.3, 0.45), (2.7, 2.1, 0.4), (-1.3, -0.2, 0.42)):
        # Each leaf grows out of the outside of the first tendril at the angle `place`, in the direction `along`.
        out = size * torch.exp(-tight * torch.remainder(place - leave, TURN))
        sprig = half_plane.at(c + out * math.cos(place), d + out * math.sin(place), long * plane.any(0.85, 1.15), along)
        inside, q = _sprig(sprig)
        rib = torch.exp(-((q / 0.2) ** 2))
        inside = inside * long
        height, shade = 0.12 * dome(q) - 0.03 * rib, (0.35 + 0.9 * sprig.u).clamp(0, 1) * (1 - 0.35 * rib)
        blade = relief(tone + 0.7 - 0.2 * q + 0.15 * rib, height, plane.edge(inside), shade)
        drawn = laid(blade, inside, drawn, 0.03)
    for part, reach, girth in ((second.bent(second.u, -second.v), small, 0.75 * thick), (first, size, thick)):
        inside, half = _volute(part, reach, tight, girth)
        inside = torch.maximum(inside, torch.where(part.r < 0.2 * reach, 0.17 * reach - part.r, -1.0))
        bud = torch.sigmoid((0.18 * reach - part.r) * 60)
        q = (inside / torch.lerp(half, 0.17 * reach, bud)).clamp(0, 1)
        stem = relief(tone + 0.25 * q + 0.4 * bud, half * 1.3 * dome(1 - q), plane.edge(inside), 0.15 + 0.85 * q**0.7)
        drawn = laid(stem, inside, drawn, 0.04, 0.05)
    return replace(drawn, style=style[:, 0, 0])


MOTIFS = (
    Motif("leaf", leaf, styles=4),
    Motif("fern", fern),
    Motif("mushroom", mushroom, upright=True, styles=3),
    Motif("succulent", succulent),
    Motif("tendril", tendril, styles=2),
)
