"""Parts of creatures: eyes, scales, fur, arms and a peacock's plume."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamer.motifs.plane import TURN, Plane, dome, hashed, least, saw
from dreamer.motifs.relief import Motif, Relief, relief, shadow


def eyeball(plane: Plane, kind: Tensor, iris: Tensor, tone: Tensor) -> Relief:
    """A wet ball with an iris; kind (B, 1, 1): 0 round pupil, 1 upright slit, 2 level bar. It covers the plane."""
    gaze = plane.at(plane.any(-0.09, 0.09), plane.any(-0.04, 0.06), iris)
    r, angle = gaze.r, gaze.angle
    across, along = plane.any(0.1, 0.2), plane.any(0.72, 0.86)
    wide = torch.where(kind == 0, plane.any(0.3, 0.5), torch.where(kind == 1, across, along))
    high = torch.where(kind == 0, wide, torch.where(kind == 1, along, across * 1.5))
    # A slit is a lens of two arcs; a round pupil's two arcs are the same circle.
    lens = torch.hypot(gaze.u / wide, gaze.v / high)
    pupil = gaze.edge((1 - lens) * least(wide, high, 0.05), 0.02)
    count, swirl = plane.whole(17, 30), plane.any(-1.5, 1.5)
    wave = torch.sin(3 * angle + swirl) + 0.6 * torch.sin(7 * angle - 2 * swirl)
    fibre = torch.cos(count * angle + 1.4 * wave + swirl * r) * 0.6 + 0.4 * torch.cos(
        (2 * count + 3) * angle - 2 * wave + 5 * r
    )
    fibre = fibre * gaze.fine(TURN * r / count) * ((1 - r) * 4).clamp(0, 1)
    inside = gaze.edge(1 - r)
    collar = torch.exp(-(((r - plane.any(0.5, 0.62)) / 0.13) ** 2))
    limbus = torch.exp(-(((r - 0.98) / 0.13) ** 2))
    # The cornea gathers the light from above on the lower half of the iris.
    glow = (0.62 + 0.45 * gaze.v + 0.22 * fibre + 0.2 * collar).clamp(0.1, 1)
    iris_tone = tone + 0.3 + 0.42 * (1 - r) + 0.13 * fibre + 0.1 * collar
    # The white is white with round pupils only: other beasts show dark or tinted rims.
    white = torch.where(kind == 0, plane.any(0.3, 0.55), plane.any(0.0, 0.12))
    vignette = (1.1 - 0.6 * plane.u**2).clamp(0.25, 1)
    shade = torch.lerp(vignette * (0.55 + white), glow, inside) * (1 - 0.8 * limbus) * (1 - 0.98 * pupil)
    size = plane.any(0.15, 0.22)
    glint = gaze.at(plane.any(-0.4, -0.25), plane.any(-0.5, -0.34), size)
    second = gaze.at(plane.any(0.3, 0.42), plane.any(0.34, 0.5), size * 0.5)
    shine = glint.edge(1 - glint.r, 0.06) + 0.45 * second.edge(1 - second.r, 0.2)
    shine = shine + white * vignette * (1 - inside) * (1 - limbus)
    height = 0.55 * dome(plane.r / 1.5) + iris * (0.03 * fibre * inside - 0.1 * (1 - r).clamp(0, 1))
    return relief(torch.lerp(tone + 0 * r, iris_tone, inside), height, None, shade, shine.clamp(0, 1))


def opening(plane: Plane, wide: Tensor | float, up: Tensor, low: Tensor, tilt: Tensor | float = 0.0) -> Tensor:
    """The distance inside of an almond: two arcs, `up` and `low` high, that meet at the corners."""
    x = plane.u / wide
    v = plane.v + tilt * plane.u
    arc = 1 - x * x
    steep = torch.rsqrt(1 + (2 * x.clamp(-1.3, 1.3) * up / wide) ** 2)
    return least(v + up * arc, low * arc - v, 0.04) * steep


def eye(plane: Plane) -> Relief:
    """A living eye between its lids: round, slit or level pupil; fibres, limbus, catch-light; folds or scales."""
    kind = plane.whole(0, 2)
    tone = plane.any(0, 0.5)
    up, low = plane.any(0.44, 0.66), plane.any(0.36, 0.54)
    tilt = plane.any(-0.14, 0.14)
    gap = opening(plane, 0.84, up, low, tilt)
    iris = torch.where(kind == 0, plane.any(0.4, 0.5), plane.any(0.46, 0.6)) * (0.55 + 0.8 * torch.minimum(up, low))
    ball = eyeball(plane, kind, iris, tone + 0.1)
    # The upper lid's shadow upon the ball.
    shade = ball.shade * (0.15 + 0.85 * (1 - torch.exp(-gap.clamp_min(0) / 0.07)))
    shade = shade * (1 - 0.5 * torch.exp(-(plane.v + up * (1 - (plane.u / 0.84) ** 2)).clamp_min(0) / 0.14))
    ball = replace(ball, shade=shade, alpha=plane.edge(gap), shine=ball.shine * plane.edge(gap - 0.01))
    out = (-gap).clamp_min(0)
    rim = 1.0 - torch.hypot(plane.u / 1.08, (plane.v + tilt * plane.u) / (0.45 + 0.75 * torch.maximum(up, low)))
    folds, scaly = plane.any(7, 12), kind == 1
    ripple = saw(out * folds + 0.25) * plane.fine(1 / folds)
    beads = 0.5 + 0.5 * torch.cos(plane.whole(14, 26) * plane.angle + math.pi * torch.floor(out * folds + 0.25))
    ripple = torch.where(scaly, ripple.sqrt() * (0.35 + 0.65 * beads), ripple)
    lid = torch.exp(-(((out - 0.05) / 0.055) ** 2))
    height = 0.12 * lid + 0.075 * ripple * (1 - lid) + 0.35 * rim.clamp(0, 1).sqrt()
    # Lashes: dark strokes that leave the rim of the lids and fan out.
    lash = saw(plane.any(6, 9) * plane.u * (1.15 - 0.9 * out) * 1.6).clamp(0, 1) ** 3
    reach = torch.where(plane.v < 0, plane.any(0.12, 0.26), plane.any(0.04, 0.1))
    lash = lash * plane.edge(reach - out, 0.04) * (kind == 0)
    skin_shade = (0.3 + 0.4 * ripple + 0.5 * lid + 0.2 * (out * 4).clamp(0, 1)).clamp(0, 1) * (1 - 0.85 * lash)
    skin = relief(
        tone + 0.75 + 0.12 * ripple - 0.25 * lid + 0.3 * out,
        height,
        plane.edge(rim),
        skin_shade * plane.edge(out - 0.012, 0.01),
    )
    return replace(ball.over(skin), style=kind[:, 0, 0])


def shingles(
    plane: Plane,
    x: Tensor,
    y: Tensor,
    size: Tensor,
    sharp: Tensor,
    long: float,
    ridges: Tensor,
    keel: Tensor,
    loose: Tensor | float = 0.0,
    curl: Tensor | float = 0.0,
) -> Relief:
    """Rows of scales or tufts, tips to +y, each in the shade of the row before; (x, y) in cells `size` units wide.

    `sharp`: 2 a round tip, 1 a pointed one; `ridges`: lines on each from root to tip; `keel`: one strong middle ridge;
    `loose`: how unlike they are and how much they bend by chance; `curl`: how much they all bend.
    """
    pixel = plane.pixel / size
    tone, height, shade = torch.zeros_like(x), torch.zeros_like(x), torch.full_like(x, 0.15)
    base = torch.floor(y)
    for back in range(math.ceil(long)):
        row = base - back
        odd = hashed(row, keel) * loose
        xx = x + 0.5 * torch.remainder(row, 2) + 2 * odd
        column = torch.floor(xx)
        chance = hashed(column, row, 1.0)
        t = ((y - row) / (long * (1 - 0.35 * loose * chance))).clamp(0, 1.5)
        f = xx - column - 0.5 + (loose * (chance - 0.5) * 0.9 + curl) * t * t
        tip = ((t - 0.3) / 0.7).clamp_min(1e-3)
        half = 0.56 * (1 - tip**sharp).clamp_min(0) ** (1 / sharp)
        distance = (1 - (f.abs() / 0.56) ** sharp - tip**sharp) * 0.3
        inside = torch.sigmoid(distance / (0.5 * pixel + 0.005))
        q = (f / half.clamp_min(0.05)).clamp(-1, 1)
        ridge = saw(q * 0.5 * ridges) * ((size / ridges.clamp_min(1) / plane.pixel - 1.5) / 2).clamp(0, 1)
        spine = torch.exp(-((f / 0.09) ** 2)) * keel
        rise = size * (0.4 * t - 0.3 * t**3 + 0.12 * (1 - q * q) + 0.22 * spine + 0.1 * ridge)
        light = (0.68 + 0.42 * t) * (1 - 0.55 * q.abs() ** 5) * (0.75 + 0.25 * ridge) * (0.88 + 0.12 * chance)
        shade = shade * shadow(distance, 0.09)
        tint = 0.55 * t + 0.25 * chance + 0.1 * ridge + 0.2 * spine
        tone, height, shade = (torch.lerp(a, b, inside) for a, b in ((tone, tint), (height, rise), (shade, light)))
    return relief(tone, height, None, shade.clamp(0, 1))


def scales(plane: Plane) -> Relief:
    """Overlapping scales: round as a fish's, pointed as a pangolin's, keeled as a dragon's."""
    kind = plane.whole(0, 2)
    size = plane.any(0.28, 0.58)
    sharp = torch.where(kind == 1, plane.any(1.0, 1.3), plane.any(1.7, 2.2))
    turn = plane.any(0, TURN)
    turned = plane.at(0, 0, 1.0, turn)
    wave = plane.any(0.0, 0.12)
    x = turned.u / size + wave / size * torch.sin(2.2 * turned.v + turn) + 40
    y = turned.v / (0.62 * size) + wave / size * torch.sin(2.5 * turned.u) + 40
    ridges = torch.where(kind == 0, plane.whole(0, 1) * 5, torch.where(kind == 1, 4.0, 0.0))
    drawn = shingles(plane, x, y, size, sharp, 2.0, ridges, (kind == 2) * 1.0)
    return replace(drawn, tone=drawn.tone + plane.any(0, 0.4), style=kind[:, 0, 0])


def fur(plane: Plane) -> Relief:
    """Locks of hair in relief, flowing: pointed tufts of strands over each other."""
    size, turn = plane.any(0.24, 0.42), plane.any(0, TURN)
    turned = plane.at(0, 0, 1.0, turn)
    flow, low = plane.any(0.1, 0.28), plane.any(1.5, 2.6)
    x = turned.u / size + flow / size * torch.sin(low * turned.v + turn) + 40
    y = turned.v / (0.75 * size) + 0.3 * flow / size * torch.sin(low * turned.u) + 40
    drawn = shingles(
        plane, x, y, size, plane.any(1.0, 1.3), 4.0, plane.whole(3, 5), 0 * size, 0.8, plane.any(-0.5, 0.5)
    )
    return replace(drawn, tone=0.9 * drawn.tone + plane.any(0, 0.5))


def peacock(plane: Plane) -> Relief:
    """A peacock's eye: a heart in rings of oval colour, and loose barbs that leave the stem and flow around it."""
    middle = plane.any(-0.3, -0.2)
    spread, barbs = plane.any(1.0, 1.5), plane.any(6.5, 9)
    u = plane.u - plane.any(-0.15, 0.15) * (plane.v + 0.3) ** 2
    x, v = u.abs(), plane.v - middle
    # The barbs leave the stem along it and turn outward.
    phase = barbs * (plane.v + spread * (x + 0.01) ** 0.68) + 0.5 * (u > 0)
    chance = hashed(torch.floor(phase), barbs)
    barb = saw(phase)
    q = torch.hypot(u / plane.any(0.8, 0.92), v / torch.where(v < 0, 0.76, 1.0))
    skirt = torch.hypot(x / plane.any(0.66, 0.8), (plane.v - 0.35) / 0.68)
    far = least(q, skirt, 0.2)
    strands = plane.edge(barb - 1.1 * (far - 0.52), 0.1) * plane.edge(1.05 - far - 0.2 * chance, 0.01)
    stem = torch.minimum(0.026 + 0.016 * plane.v - x, torch.minimum(v, 1.02 - plane.v))
    stalk = plane.edge(stem)
    e = q / plane.any(0.62, 0.74) + 0.012 * (0.5 - barb)
    tone, step = plane.any(0, 0.3), plane.any(0.2, 0.32)
    tint = tone + 0.35 * far + 0.12 * chance
    shade = (0.3 + 0.7 * barb) * (0.55 + 0.45 * far.clamp(0, 1)) * (0.8 + 0.2 * chance)
    height = 0.09 * barb + 0.25 * (1 - far).clamp_min(0)
    tint = torch.lerp(tint, tone + 3 * step + 0 * u, stalk)
    shade = torch.lerp(shade, (0.5 + 14 * stem).clamp(0, 1), stalk)
    # Ring in ring, the last a heart: an oval with a notch in it below.
    notch = 0.55 * torch.exp(-((x / 0.07) ** 2)) * (v > 0)
    heart = torch.hypot(u / plane.any(0.2, 0.25), (v - 0.08) / 0.22) + notch
    rings = (1 - e, 0.86 - e, 0.64 - e, (1 - heart) * 0.3)
    for number, (ring, light) in enumerate(zip(rings, (0.95, 0.6, 1.0, 0.2), strict=True)):
        inside = plane.edge(ring, 0.012)
        lip = torch.exp(-(((ring - 0.03) / 0.05) ** 2))
        silk = light * (0.9 + 0.1 * barb) * (1 - 0.5 * torch.exp(-ring.clamp_min(0) / 0.03))
        tint = torch.lerp(tint, tone + step * (1.3 + number) + 0.06 * barb + 0.15 * ring, inside)
        shade = torch.lerp(shade * shadow(ring, 0.05, 0.5), silk, inside)
        height = torch.lerp(height, height * 0.6 + 0.1 + 0.06 * lip + 0.01 * barb, inside)
    alpha = torch.maximum(torch.maximum(strands, plane.edge(rings[0])), stalk)
    return relief(tint, height, alpha, shade.clamp(0, 1))


@dataclass(frozen=True)
class Course:
    """A band along a path: how far `along` (0 to 1), `side` (-1 to 1) and the distance `inside`, (B, S, S).

    `end` is where the path ends and `unit` how long a unit of the path's own measure is in the plane, (B, 1, 1).
    """

    along: Tensor
    side: Tensor
    inside: Tensor
    end: tuple[Tensor, Tensor]
    unit: Tensor


def course(plane: Plane, heading: list[Tensor], width: list[Tensor], step: float, room: Tensor) -> Course:
    """A band along a path, moved and sized to fill the unit disc.

    `heading` and `width` (B, 1, 1): the direction of each step, and half the band's width at its beginning;
    `room`: what is to be kept free about the end.
    """
    count = len(heading)
    us, vs = [torch.zeros_like(heading[0])], [torch.zeros_like(heading[0])]
    for angle in heading:
        us.append(us[-1] + step * torch.cos(angle))
        vs.append(vs[-1] + step * torch.sin(angle))
    wide = torch.stack([*width, width[-1]])
    places = torch.stack([torch.stack(us), torch.stack(vs)])
    about = torch.cat([wide[:-1], room[None]])
    low, high = (places - about).amin(1), (places + about).amax(1)
    unit = 2 / (high - low).amax(0)
    places, wide = (places - 0.5 * (low + high)[:, None]) * unit, wide * unit
    best = torch.full_like(plane.u, -9.0)
    along, side = torch.zeros_like(best), torch.zeros_like(best)
    for i, angle in enumerate(heading):
        c, s = torch.cos(angle), torch.sin(angle)
        du, dv = plane.u - places[0, i], plane.v - places[1, i]
        a, b = du * c + dv * s, dv * c - du * s
        t = (a / (step * unit)).clamp(0, 1)
        radius = torch.lerp(wide[i], wide[i + 1], t)
        inside = radius - torch.hypot(a - t * (step * unit), b)
        nearer = inside > best
        along = torch.where(nearer, (i + t) / count, along)
        side = torch.where(nearer, b / radius, side)
        best = torch.where(nearer, inside, best)
    return Course(along, side, best, (places[0, -1], places[1, -1]), unit)


def tentacle(plane: Plane) -> Relief:
    """An octopus's arm: it winds and curls up, with two rows of suckers along one side."""
    count = 26
    hand, curl, bow = plane.sign(), plane.any(1.3, 2.0), plane.any(-0.5, 1.0)
    thick, thin = plane.any(0.3, 0.42), 0.05
    heading, width, angle = [], [], plane.any(0, TURN)
    for i in range(count):
        t = i / count
        radius = thick * (1 - t) ** 1.1 + thin
        width.append(radius)
        heading.append(angle)
        angle = angle + hand * (bow * (1 - 2.2 * t) * 0.16 + curl * t**1.6 * 0.36)
    path = course(plane, heading, width, 0.13, width[-1])
    along, side = path.along, path.side.clamp(-1, 1)
    radius = (thick * (1 - along) ** 1.1 + thin) * path.unit
    q = side * hand
    # Suckers stand as close as they are large: one along step for each width of the arm.
    phase = -torch.log(1 - 0.93 * along) * 4.6 / thick
    height = dome((1 - path.inside / radius).clamp(0, 1) * 0.98)
    sucker, ring, hole = (torch.zeros_like(q) for _ in range(3))
    for row, place in enumerate((0.2, 0.72)):
        a = (torch.remainder(phase + 0.5 * row, 1) - 0.5) * 2.0
        d = torch.hypot(a, (q - place) / (0.3 - 0.06 * row))
        sucker = torch.maximum(sucker, torch.sigmoid((1 - d) * 14))
        ring = ring + torch.exp(-(((d - 0.72) / 0.24) ** 2))
        hole = hole + torch.exp(-((d / 0.42) ** 2))
    clear = plane.fine(radius * 0.45)
    clear = clear * torch.sigmoid((along - 0.03) * 150)  # none on the stump
    sucker, ring, hole = sucker * clear, ring * clear, hole * clear
    spots = saw(phase * 0.9) * saw(q * 2.3 + 0.3 + 0.5 * torch.sin(phase * 2)) * (q < 0.05)
    tint = plane.any(0, 0.4) + 0.3 * q + 0.4 * sucker + 0.25 * spots
    shade = (0.25 + 0.85 * height) * (1 - 0.75 * hole) * (1 - 0.35 * sucker * (1 - ring).clamp(0, 1))
    relief_height = radius * (0.95 * height + 0.14 * ring - 0.12 * hole)
    return relief(tint, relief_height, plane.edge(path.inside), shade.clamp(0.04, 1), 0.12 * ring * sucker)


MOTIFS = (
    Motif("eye", eye, upright=True, styles=3),
    Motif("scales", scales, ground=True, styles=3),
    Motif("fur", fur, ground=True),
    Motif("tentacle", tentacle),
    Motif("peacock", peacock),
)
