"""More of ornament: what covers a whole surface, as cells, knots, stars, agate, lace and zebra stripes do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, frac, hashed, saw
from dreamer.motifs.relief import Motif, Relief, relief


def sector(angle: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """The number of the sector that an angle lies in, of `count` equal ones, and the angle from its middle."""
    which = torch.round(angle / TURN * count)
    return torch.remainder(which, count), angle - which * TURN / count


def _picked(style: Tensor, *kinds: Tensor) -> Tensor:
    """The map of each plane's style, of several."""
    chosen = kinds[0]
    for number, kind in enumerate(kinds[1:], 1):
        chosen = torch.where(style == number, kind, chosen)
    return chosen


def _voronoi(x: Tensor, y: Tensor, seed: Tensor, spread: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cells around one jittered point in each unit square: distance to the border, to the point, and chance."""
    column, row = torch.floor(x), torch.floor(y)
    far = torch.full_like(x, 9)
    first, second, name = far, far, far
    ax, ay, bx, by = far, far, far, far
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            chance = hashed(column + i, row + j, seed)
            px = column + i + 0.5 + spread * (chance - 0.5) - x
            py = row + j + 0.5 + spread * (frac(chance * 57.3) - 0.5) - y
            d = px * px + py * py
            closer, between = d < first, d < second
            bx = torch.where(closer, ax, torch.where(between, px, bx))
            by = torch.where(closer, ay, torch.where(between, py, by))
            second = torch.where(closer, first, torch.minimum(second, d))
            ax, ay = torch.where(closer, px, ax), torch.where(closer, py, ay)
            name, first = torch.where(closer, chance, name), torch.minimum(first, d)
    border = (second - first) / (2 * torch.hypot(bx - ax, by - ay).clamp_min(1e-3))
    return border, first.sqrt(), name


def cells(plane: Plane) -> Relief:
    """Voronoi cells: pebbles in dark clefts, a giraffe's coat, a dragonfly's wing or cracked earth."""
    style, many = plane.whole(0, 3), plane.any(1.8, 4.0)
    rough = plane.noise(9, 3)
    warp = 0.05 * (style % 2)  # coats and earth are ragged
    x, y = plane.u * many + warp * rough, plane.v * many * plane.any(0.75, 1.3) + warp * rough
    border, centre, name = _voronoi(x, y, plane.any(0, 9), plane.any(0.6, 0.95))
    size = 1 / many
    pebble = dome((1 - border / 0.42).clamp(0, 1))
    gap = 0.07 + 0.03 * rough.clamp(-1, 1)
    coat = plane.edge((border - gap) * size, 0.01)
    vein = plane.line(border * size, 0.055 * size)
    crack = plane.edge((border - 0.05 - 0.03 * name) * size)
    curl = torch.exp(-border / 0.09)
    height = size * _picked(
        style,
        0.65 * pebble,
        0.14 * coat * pebble + 0.03 * rough * coat,
        0.22 * vein - 0.25 * border,
        crack * (0.2 + 0.22 * curl + 0.03 * rough),
    )
    shade = _picked(
        style,
        (0.02 + 1.3 * pebble).clamp(0, 1),
        torch.where(coat > 0.5, 0.75 + 0.25 * pebble, torch.ones_like(border)),
        (1 - 0.92 * vein) * (0.65 + border).clamp(0, 1),
        crack * (0.85 + 0.15 * name),
    )
    tone = plane.any(0, 0.3) + _picked(
        style,
        0.7 * name + 0.35 * centre,
        0.6 * coat + 0.2 * coat * name,
        0.35 * name + 0.8 * border + 0.1 * x,
        0.25 * name + 0.3 * curl + 0.04 * rough,
    )
    wet = (style == 2) * 0.35 * torch.exp(-((((x - y) * 0.7 - 1.5 * name) % 2.0 - 0.5) ** 2) / 0.02) * (1 - vein)
    return relief(tone, height, None, shade, wet, style=style[:, 0, 0])


def knot(plane: Plane) -> Relief:
    """Interlaced bands, over and under by turns: a plait in which some crossings are broken and rejoined."""
    many, turn, style = plane.any(1.9, 3.2), plane.any(0, TURN), plane.whole(0, 1)
    net = plane.at(0, 0, 1 / many, turn)
    i, j = torch.floor(net.u), torch.floor(net.v)
    x, y = frac(net.u) - 0.5, frac(net.v) - 0.5
    # The breaks repeat and are mirrored, which makes a pattern of them; or they come as chance will have it.
    period = plane.whole(2, 4)
    mi, mj = saw(i / (2 * period)) * period, saw(j / (2 * period)) * period
    regular = style == 0
    chance = hashed(torch.where(regular, mi, i), torch.where(regular, mj, j), plane.any(0, 9))
    share = plane.any(0.3, 0.6)
    broken = chance < share
    flip = torch.where(frac(chance * 91.7) < 0.5, 1.0, -1.0)
    across, along = y.abs(), x.abs()
    over_is_row = torch.remainder(i + j, 2) < 0.5
    top, low = torch.where(over_is_row, across, along), torch.where(over_is_row, along, across)
    # A broken crossing is two bows about opposite corners, sharper than circles to keep them apart.
    fx = x * flip
    left, right = (((fx + c).abs() ** 1.5 + (y + c).abs() ** 1.5) ** (2 / 3) for c in (-0.5, 0.5))
    arc = torch.minimum((left - 0.5).abs(), (right - 0.5).abs()) / 1.08
    half = plane.any(0.17, 0.235)
    on_top = broken | (top < half)
    q = torch.where(broken, arc, torch.where(top < half, top, low)) / half
    beneath = torch.where(on_top, torch.zeros_like(q), (1 - (top - half) / (0.5 - half)).clamp(0, 1))
    rise = torch.where(on_top, torch.cos(torch.pi * torch.where(broken, torch.full_like(low, 0.5), low)), -beneath)
    groove = torch.exp(-(((q - plane.any(0, 0.6)) / 0.16) ** 2)) * plane.fine(half / many * 0.5)
    band = plane.edge((1 - q) * half / many)
    height = (0.4 * half * dome(q * 0.96) + 0.1 * rise + 0.1 - 0.06 * groove) * band / many * 1.3
    shade = band * (1 - 0.75 * beneath**1.5) * (1 - 0.6 * q.clamp(0, 1) ** 5) * (1 - 0.5 * groove)
    shade = shade + (1 - band) * 0.16 * (q - 1).clamp(0, 1)
    tone = plane.any(0, 0.4) + 0.5 * (1 - band) + 0.3 * groove + 0.25 * q.clamp(0, 1)
    return relief(tone, height, None, shade, style=style[:, 0, 0])


def _rays(x: Tensor, y: Tensor, fold: Tensor, inner: Tensor, contact: Tensor) -> tuple[Tensor, Tensor]:
    """Hankin's rays in a polygon: signed distances to those from the nearest edge's middle, and from the next one's."""
    _, aside = sector(torch.atan2(y, x), fold)
    r, w = torch.hypot(x, y), TURN / fold
    px, py = r * torch.cos(aside), (r * torch.sin(aside)).abs()
    qx, qy = px * torch.cos(w) + py * torch.sin(w), px * torch.sin(w) - py * torch.cos(w)
    near = (px - inner) * torch.cos(contact) + py * torch.sin(contact)
    next_one = (qx - inner) * torch.cos(contact) + qy * torch.sin(contact)
    return near, next_one


def star(plane: Plane) -> Relief:
    """A girih of six, eight or twelve-pointed stars: raised straps by Hankin's method (1925) over sunken tiles."""
    style, many = plane.whole(0, 2), plane.any(0.9, 1.5)
    u, v = plane.u * many, plane.v * many
    octagons, twelve = style == 1, style == 2
    # Hexagonal lattice of unit spacing: the nearer of the centres of two rectangular ones.
    tall = math.sqrt(3)
    ax, ay = frac(u) - 0.5, (frac(v / tall) - 0.5) * tall
    bx, by = frac(u + 0.5) - 0.5, (frac(v / tall + 0.5) - 0.5) * tall
    closer = ax * ax + ay * ay < bx * bx + by * by
    x, y = torch.where(closer, ax, bx), torch.where(closer, ay, by)
    x, y = torch.where(octagons, frac(u) - 0.5, x), torch.where(octagons, frac(v) - 0.5, y)
    big = torch.where(octagons, 8.0, torch.where(twelve, 12.0, 6.0))
    lattice = torch.where(octagons, 4.0, 6.0)
    contact = plane.any(1.02, 1.2) + 0.12 * twelve
    half = torch.full_like(contact, 0.5)
    near, beyond = _rays(x, y, big, half, contact)
    # The small square or triangle left over where the big polygons meet.
    _, aside = sector(torch.atan2(y, x), lattice)
    r = torch.hypot(x, y)
    px, py = r * torch.cos(aside), (r * torch.sin(aside)).abs()
    lean = torch.pi / lattice
    reach = 0.5 / torch.cos(lean)
    sx = reach - (px * torch.cos(lean) + py * torch.sin(lean))
    sy = py * torch.cos(lean) - px * torch.sin(lean)
    left, _ = _rays(sx, sy, torch.where(octagons, 4.0, 3.0), reach - 0.5, contact)
    beyond = torch.where(plane.chance(0.7), torch.full_like(beyond, -9), beyond)  # a plain star, its middle open
    outside = (sx < reach - 0.5) & (octagons | twelve)
    near, beyond = torch.where(outside, left, near), torch.where(outside, torch.ones_like(left), beyond)
    q = torch.minimum(near.abs(), beyond.abs())
    width = plane.any(0.03, 0.05)
    strap = plane.edge((width - q) / many)
    groove = plane.line(q / many, 0.25 * width / many) * plane.fine(width / many * 1.5)
    tile = torch.where(near > 0, 0.2, torch.where(beyond > 0, 0.6, 0.9)) + 0.25 * outside
    sunk = (q - width).clamp_min(0)
    height = (strap * (0.075 - 0.03 * groove) + 0.06 * torch.tanh(6 * sunk) * (1 - strap)) / many * 1.6
    shade = torch.lerp((0.12 + 6 * sunk).clamp(0, 1), 1 - 0.45 * groove, strap)
    tone = torch.lerp(tile * plane.any(0.6, 1) + 0.3 * r, torch.zeros_like(q), strap) + plane.any(0, 0.3)
    return relief(tone, height, None, shade, style=style[:, 0, 0])


def marble(plane: Plane) -> Relief:
    """Polished agate: flowing bands, thin and thick, that close around nodules."""
    waves = 2.0
    field = plane.noise(waves, 3, 0.3)
    count = plane.any(1.3, 2.4)
    phase = count * field + plane.any(0.5, 2) * plane.u
    layer = torch.floor(phase)
    chance = hashed(layer, layer, plane.any(0, 9))
    f = frac(phase)
    slope = count * 0.5 * waves
    cut = 0.25 + 0.5 * chance
    second = plane.edge((f - cut) / slope)
    seam = torch.exp(-((f / 0.05) ** 2)) + torch.exp(-(((f - 1) / 0.05) ** 2)) + torch.exp(-(((f - cut) / 0.03) ** 2))
    fine = 0.5 + 0.5 * torch.cos(TURN * f * 3)
    tone = plane.any(0, 0.3) + 0.6 * chance + second * (0.3 - 0.3 * chance) + 0.1 * f + 0.05 * fine
    height = 0.06 * torch.sin(2 * phase) + 0.006 * fine - 0.012 * seam
    shade = (0.72 + 0.28 * saw(phase)) * (1 - 0.65 * seam.clamp(0, 1))
    glass = 0.35 * torch.exp(-((plane.u * 0.6 + plane.v * 0.8 + 0.15 * field - plane.any(-0.6, 0.6)) ** 2) / 0.03)
    return relief(tone, height, None, shade, 0.35 * glass + 0.25 * torch.exp(-(((f - cut - 0.07) / 0.03) ** 2)))


def _openwork(plane: Plane, r: Tensor, angle: Tensor, count: Tensor) -> Tensor:
    """The distance inside the thread of a round piece of lace of radius 1; negative in its holes."""
    thread = torch.ones_like(r)
    rings = ((0.84, 2.0, 0.36, 1.0), (0.58, 1.0, 0.36, 1.0), (0.3, 1.0, 0.36, 1.3), (0.0, 1.0, 0.0, 1.0))
    for place, times, wide, long in rings:
        _, aside = sector(angle + (torch.pi / count if times > 1 else 0.0), count * times)
        size = wide * TURN * place / (count * times) if place else torch.full_like(count, 0.07)
        hole = torch.hypot(r * aside, (r - place) / long) if place else r
        thread = torch.minimum(thread, hole - size)
    return thread


def lace(plane: Plane) -> Relief:
    """Fine openwork: fans or rosettes of thread around rings of holes, with scalloped borders."""
    style, many = plane.whole(0, 1), plane.any(0.95, 1.5)
    u, v = plane.u * many, plane.v * many
    fan = style == 0
    best = torch.full_like(u, 9)
    angle = torch.zeros_like(u)
    # Fans overlap like tiles, the lower one on top; rosettes stand in a hexagonal lattice, the nearest one counts.
    for step in range(3):
        row = torch.ceil(v * 2) + 1 - step + 0.0
        shift = 0.5 * torch.remainder(row, 2)
        dx, dy = frac(u + shift) - 0.5, v - row / 2
        r = torch.hypot(dx, dy)
        take = fan & (r < 0.54) & (dy <= 0.04)
        best, angle = torch.where(take, r, best), torch.where(take, torch.atan2(dx, -dy), angle)
    tall = math.sqrt(3)
    for half in (0.0, 0.5):
        dx, dy = frac(u + half) - 0.5, (frac(v / tall + half) - 0.5) * tall
        r = torch.hypot(dx, dy)
        take = ~fan & (r < best)
        best, angle = torch.where(take, r, best), torch.where(take, torch.atan2(dy, dx), angle)
    count = torch.where(fan, 2 * plane.whole(6, 8), plane.whole(6, 9))
    radius = torch.where(fan, 0.54, 0.5)
    q = best / radius
    scallop = 1 - 0.07 * (torch.cos(count * angle)).abs()
    thread = _openwork(plane, q / scallop, angle, count)
    thread = torch.minimum(thread, (scallop - q).clamp_min(-0.2))
    solid = plane.edge(thread * radius / many)
    height = 0.35 * (thread.clamp(0, 0.1) / 0.1) ** 0.6 * 0.1 * radius + 0.05 * (1 - q.clamp(0, 1)) * fan
    shade = solid * (0.3 + 0.7 * (thread / 0.07).clamp(0, 1)) * (1 - 0.5 * (q.clamp(0, 1)) ** 8) + (1 - solid) * 0.07
    tone = plane.any(0, 0.5) + 0.4 * q.clamp(0, 1) * solid + 0.5 * (1 - solid)
    return relief(tone, height, None, shade, 0.22 * solid, style=style[:, 0, 0])


def zebra(plane: Plane) -> Relief:
    """Bold dark stripes on a pale coat that fork and end, bent over the swelling of a flank."""
    many, form = plane.any(2.2, 4.0), plane.noise(1.5, 2)
    phase = many * (plane.u + plane.any(-0.5, 0.5) * plane.v**2 + plane.any(0.05, 0.12) * form)
    for _ in range(5):  # each such screw point adds one stripe on one side of it
        fork = plane.at(plane.any(-1, 1), plane.any(-1, 1))
        phase = phase + plane.sign() * fork.angle / TURN
    wave = torch.cos(TURN * phase) + plane.any(-0.25, 0.3) + 0.12 * plane.noise(6, 2)
    dark = plane.edge(wave / (TURN * many), 0.008)
    coat = plane.noise(24, 1)
    height = 0.16 * form + 0.03 * torch.cos(TURN * phase) + 0.006 * coat
    shade = torch.lerp(0.85 + 0.04 * coat, torch.full_like(wave, 0.1), dark) * (0.85 + 0.15 * form.clamp(-1, 1))
    tone = plane.any(0, 0.4) + 0.5 * dark + 0.06 * form
    return relief(tone, height, None, shade, 0.28 * (1 - dark) * plane.any(0, 1))


MOTIFS = (
    Motif("cells", cells, ground=True, styles=4),
    Motif("knot", knot, ground=True, styles=2),
    Motif("star", star, ground=True, styles=3),
    Motif("marble", marble, ground=True),
    Motif("lace", lace, ground=True, styles=2),
    Motif("zebra", zebra, ground=True),
)
