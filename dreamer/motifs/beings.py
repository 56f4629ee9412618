"""Feathers, and what has feathers, fur and eyes: wings and faces; with the whole animals of `animals`."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.motifs.animals import MOTIFS as ANIMALS
from dreamer.motifs.creatures import eyeball, opening, shingles
from dreamer.motifs.plane import TURN, Plane, dome, hashed, least, saw
from dreamer.motifs.relief import Motif, Relief, empty, laid, relief


def feather(plane: Plane) -> Relief:
    """One feather: a curved rachis, barbs in two vanes that have parted here and there, down at the quill."""
    bend, sweep = plane.any(-0.35, 0.35), plane.any(0.0, 0.25)
    u, v = plane.u, plane.v - bend * (plane.u**2 - 0.4) - sweep * bend * plane.u**3
    y = v.abs()
    s = ((u + 0.74) / 1.72).clamp(1e-3, 1 - 1e-3)
    blunt = plane.any(0.4, 0.9)
    widest = 0.6 / (0.6 + blunt)
    half = plane.any(0.46, 0.62) * torch.where(v > 0, plane.any(0.65, 1.0), 1.0)
    half = half * (s / widest) ** 0.6 * ((1 - s) / (1 - widest)) ** blunt
    barbs, slant = plane.any(9, 12), plane.any(0.7, 1.2)
    along = u - slant * y  # where on the rachis a barb has its root
    barb = saw(barbs * along) * plane.fine(1 / barbs)
    # Vanes part in few places: a cleft runs along the barbs, wide at the edge.
    clumps = barbs * plane.any(0.2, 0.36)
    place = clumps * along + 0.37 * torch.sign(v)
    chance = hashed(torch.floor(place), torch.sign(v), bend)
    down = torch.sigmoid((-0.42 - along) * 12)  # loose at the quill
    q = (y / half.clamp_min(1e-3)).clamp(0, 1.2)
    cleft = (0.5 - (place - torch.floor(place) - 0.5).abs()) / clumps - 0.09 * chance * q**2
    loose = (barb - 0.8 * q) * 0.12 * down
    distance = least((half * (0.9 + 0.1 * chance) - y) * 0.8, cleft, 0.01) + loose
    distance = torch.minimum(distance, torch.minimum(u + 0.74, 0.98 - u))
    thick = 0.034 * (1.1 - 0.85 * u.clamp(-1, 1))
    rachis = dome((y / thick.clamp_min(1e-3)).clamp(0, 1)) * (s < 0.985)
    quill = plane.edge(torch.minimum(thick - y, torch.minimum(u + 1.02, 0.9 - u)))
    height = 0.34 * half * (1 - 1.2 * (q - 0.3) ** 2) + 0.012 * barb + 0.05 * chance * q + 1.5 * thick * rachis
    shade = (0.62 + 0.2 * barb + 0.18 * q) * (1 - 0.6 * torch.exp(-(((y - thick) / 0.07).clamp_min(0) ** 2)))
    shade = shade * (1 - 0.7 * torch.exp(-(cleft.clamp_min(0) / 0.025)) * (q > 0.3))
    bands, depth = plane.any(2.0, 4.5), plane.any(0.2, 0.45) * plane.chance(0.6)
    band = torch.sigmoid(7 * torch.sin(TURN * bands * (s - 0.3 * y)))
    tip = torch.sigmoid((s - plane.any(0.68, 0.85)) * 18) * plane.any(0.2, 0.5)
    tint = plane.any(0, 0.4) + 0.35 * q + 0.08 * chance + 0.05 * barb + depth * band + tip
    shade = torch.lerp(shade * (1 - 0.7 * depth * band), 0.35 + 0.65 * rachis, quill)
    return relief(
        tint - 0.35 * quill, height, torch.maximum(plane.edge(distance), quill), shade.clamp(0, 1), 0.2 * rachis
    )


def _oval(plane: Plane, u: Tensor | float, v: Tensor | float, wide: Tensor | float, high: Tensor | float) -> Tensor:
    """0 in the middle of an oval, 1 on its outline."""
    return torch.hypot((plane.u - u) / wide, (plane.v - v) / high)


def face(plane: Plane) -> Relief:
    """An animal's face: two mirrored eyes, brows, beak or muzzle, ears and fur; owl, cat or lion, monkey or bear."""
    kind = plane.whole(0, 2)
    owl, cat, bear = kind == 0, kind == 1, kind == 2
    mane = cat & plane.chance(0.4)

    def pick(of_owl: Tensor | float, of_cat: Tensor | float, of_bear: Tensor | float) -> Tensor:
        return torch.where(owl, of_owl, torch.where(cat, of_cat, torch.as_tensor(of_bear)))

    tone, step = plane.any(0, 0.4), plane.any(0.25, 0.4)
    half = plane.bent(plane.u.abs(), plane.v)
    wide = pick(plane.any(0.8, 0.92), plane.any(0.72, 0.86), plane.any(0.7, 0.82))
    high = pick(plane.any(0.82, 0.92), plane.any(0.72, 0.8), plane.any(0.82, 0.92))
    middle = pick(0.06, 0.14, 0.08)
    # Locks all around, rooted between the eyes; they fray the outline.
    root = half.bent(half.u, half.v - middle + 0.12)
    angle = torch.atan2(half.u, -root.v)
    locks = plane.whole(9, 13)
    coat = shingles(
        plane, angle * locks / math.pi + 40, root.r / 0.22 + 7.5, 2.2 / locks, plane.any(1.0, 1.2), 2.0,
        torch.full_like(tone, 3.0), torch.zeros_like(tone), 0.5,
    )  # fmt: skip
    fray = hashed(torch.floor(angle * 2.2 * locks / math.pi), locks) * saw(angle * 2.2 * locks / math.pi)
    inner = _oval(half, 0, middle, 0.9 * wide, 0.9 * high)  # a lion's face within its mane
    collar = mane * torch.exp(-((inner - 1.06).abs() / 0.1))
    beyond = mane * torch.sigmoid((inner - 1) * 25)
    q = torch.where(mane, _oval(half, 0, 0.08, 0.92, 0.9), _oval(half, 0, middle, wide, high))
    head = (1 - q) * wide + torch.where(mane, 0.16, 0.07) * fray
    coat = replace(
        coat,
        tone=tone + 0.55 * coat.tone + 0.2 * q + 1.2 * step * beyond,
        height=(0.5 + 0.7 * beyond) * coat.height + 0.55 * dome(q * 0.93) - 0.05 * collar,
        shade=(coat.shade * 1.25 * (1 - 0.5 * (q * 1.02).clamp(0, 1) ** 6) * (1 - 0.55 * collar)).clamp(0, 1),
        alpha=plane.edge(head),
    )
    # Ears: an owl's tufts, a cat's triangles, a bear's shells; dark inside.
    ear_u, ear_v = pick(plane.any(0.5, 0.62), plane.any(0.5, 0.58), plane.any(0.66, 0.74)), pick(-0.72, -0.62, -0.5)
    size = pick(plane.any(0.26, 0.4), plane.any(0.38, 0.46), plane.any(0.26, 0.34))
    ear = half.at(ear_u, torch.where(mane, -0.46, ear_v), torch.where(mane, 0.24, size), 0.5)
    slope = torch.where(owl, 0.36, 0.62)
    pointed = least((ear.v + 1.0) * slope - ear.u.abs(), 1.0 - ear.v, 0.1) * 0.8
    inside_ear = torch.where(bear | mane, 1 - ear.r, pointed)
    hollow = ear.edge(inside_ear - 0.24, 0.08) * (1 - 0.6 * owl.float())
    ears = relief(
        tone + 0.15 + step * hollow + 0.1 * saw(ear.u * 5),
        0.25 * (inside_ear * 3).clamp(0, 1) - 0.22 * hollow,
        ear.edge(inside_ear),
        (0.9 - 0.62 * hollow * (0.6 + 0.4 * saw(ear.u * 4 + 0.2 * ear.v))).clamp(0, 1),
    )
    drawn = laid(coat, head, ears, 0.08, 0.1)
    drawn = ears.cut(mane.float()).over(drawn, 0.35)  # a mane grows behind the ears
    # The mask: an owl's two discs, a cat's and bear's pale muzzle and eye patches.
    eye_u = pick(plane.any(0.36, 0.42), plane.any(0.34, 0.4), plane.any(0.27, 0.33))
    eye_v = pick(plane.any(-0.14, -0.04), plane.any(-0.08, 0.02), plane.any(-0.14, -0.06))
    disc_size = pick(plane.any(0.46, 0.54), 0.36, plane.any(0.34, 0.42))
    disc = half.at(eye_u, eye_v, disc_size)
    rays = saw(disc.angle * 13 / TURN) * disc.fine(disc.r * TURN / 13)
    disc_inside = (1 - disc.r) + 0.05 * rays
    disc_light = 0.45 + 0.35 * rays + 0.35 * disc.r
    mask = relief(
        tone + step + 0.25 * disc.r + 0.1 * rays,
        drawn.height + 0.16 * disc_size * disc.r**2 + 0.03 * rays,
        disc.edge(disc_inside) * pick(1.0, 0.55, 0.9),
        (disc_light * (1 - 0.5 * torch.exp(-(((disc.r - 0.98) / 0.08) ** 2)))).clamp(0, 1),
    )
    drawn = mask.over(drawn)
    drawn = _snout(half, plane, kind, drawn, tone + 1.6 * step, eye_v)
    # The eyes, each in dark lids.
    size = pick(plane.any(0.27, 0.33), plane.any(0.24, 0.29), plane.any(0.19, 0.24))
    turn = pick(0.0, plane.any(-0.4, -0.15), plane.any(-0.1, 0.1))
    socket = half.at(eye_u, eye_v, size, turn)
    # Only the outline is mirrored: both eyes look, and catch the light, on the same side.
    ball = socket.bent(socket.u * torch.sign(plane.u), socket.v)
    pupil = pick(0.0, torch.where(plane.chance(0.7), 1.0, 0.0), 0.0)
    iris = pick(plane.any(0.78, 0.9), plane.any(0.72, 0.82), plane.any(0.7, 0.85))
    gap = torch.where(owl, 0.95 - socket.r, opening(socket, 1.0, pick(0.9, 0.66, 0.8), pick(0.9, 0.6, 0.66)))
    eyes = eyeball(ball, pupil, iris, tone + 2.3 * step)
    eyes = replace(
        eyes,
        height=eyes.height * size + drawn.height + 0.04,
        shade=eyes.shade * (0.2 + 0.8 * (1 - torch.exp(-gap.clamp_min(0) / 0.1))),
        alpha=socket.edge(gap),
        shine=eyes.shine * socket.edge(gap - 0.03),
    )
    seen = socket.edge(gap + 0.15)
    lids = relief(drawn.tone, drawn.height + 0.04, socket.edge(gap + 0.17), drawn.shade * 0.12)
    drawn = eyes.over(laid(lids, (gap + 0.17) * size, drawn, 0.05))
    # Brows throw their shadow over the eyes.
    slant = pick(plane.any(0.35, 0.6), plane.any(0.1, 0.3), plane.any(-0.15, 0.15))
    line = half.v - eye_v + 0.9 * size * pick(1.0, 0.95, 1.25) + slant * (half.u - eye_u) * pick(1.0, 0.6, 1.0)
    thick = 0.085 * (1 - ((half.u - eye_u) / (1.5 * size)) ** 2)
    brow = relief(
        tone + 0.1 + 0.1 * saw(half.u * 14),
        drawn.height + 0.14 * dome(line / thick.clamp_min(0.01)),
        plane.edge(thick - line.abs()) * pick(1.0, 0.0, 0.75),
        0.75 + 0.25 * saw(half.u * 14 + 4 * line),
    )
    drawn = brow.over(drawn)
    return replace(drawn, part=seen * drawn.alpha, style=kind[:, 0, 0])


def _snout(half: Plane, plane: Plane, kind: Tensor, below: Relief, tone: Tensor, eye_v: Tensor) -> Relief:
    """The middle of a face: an owl's beak, or a muzzle of two cushions with nose, mouth and whiskers."""
    owl, bear = kind == 0, kind == 2
    # Beak: a hook between the eyes.
    long, top = plane.any(0.36, 0.5), eye_v + 0.02
    t = ((half.v - top) / long).clamp(0, 1)
    inside = least(0.17 * (1 - t**2.2) * (0.35 + 1.3 * t).clamp(0, 1) - half.u, half.v - top, 0.03)
    inside = torch.minimum(inside, top + long - half.v)
    beak = relief(
        tone + 0.3 * t,
        below.height + 0.3 * dome((half.u / 0.17).clamp(0, 1)) * (0.4 + 0.8 * t * (1.1 - t)) + 0.06,
        plane.edge(inside) * owl,
        (0.95 - 0.5 * (half.u / 0.16).clamp(0, 1) ** 2) * (0.6 + 0.4 * (1 - t)),
        0.25 * plane.line(half.u - 0.03, 0.025) * (1 - t),
    )
    # Muzzle.
    low = plane.any(0.44, 0.5)
    apart = torch.where(bear, plane.any(0.06, 0.12), plane.any(0.15, 0.2))
    wide = torch.where(bear, plane.any(0.34, 0.42), plane.any(0.22, 0.27))
    q = _oval(half, apart, low, wide, 0.8 * wide)
    cushion = (1 - q) * wide
    dots = saw(half.u * 11) * saw(half.v * 11) * plane.fine(0.09)
    muzzle = relief(
        tone - 0.2 * q,
        below.height + 0.3 * dome(q) * wide + 0.05,
        plane.edge(cushion, 0.015),
        (1.0 - 0.45 * q.clamp(0, 1) ** 3) * (1 - 0.5 * (dots > 0.75) * (half.u > 0.12)),
    )
    nose_v = low - 0.16
    nose = half.at(0, nose_v, torch.where(bear, plane.any(0.15, 0.19), plane.any(0.12, 0.15)))
    wedge = least(1 - _oval(nose, 0, 0, 1.05, 0.75), 0.75 - nose.u + 0.25 * (0.2 - nose.v), 0.2)
    nostril = torch.exp(-(((nose.u - 0.45) / 0.22) ** 2) - ((nose.v - 0.15) / 0.18) ** 2)
    tip = relief(
        tone + 0.9,
        below.height + 0.16 + 0.1 * dome((1 - wedge).clamp(0, 1)),
        nose.edge(wedge),
        0.32 * (1 - 0.95 * nostril),
        0.4 * torch.exp(-(((nose.u) / 0.4) ** 2) - ((nose.v + 0.35) / 0.14) ** 2),
    )
    smile = low + 0.13 + plane.any(-0.5, -0.1) * (half.u - 0.13).abs() + 0.06
    mouth = torch.maximum(
        plane.line(half.v - smile, 0.018) * plane.edge(0.27 - half.u, 0.02),
        plane.line(half.u, 0.014) * plane.edge(half.v - nose_v) * plane.edge(smile - half.v),
    )
    whisker = torch.zeros_like(half.u)
    for i in range(3):
        line = half.v - low - 0.04 * i + 0.02 - (0.22 * i - 0.3) * (half.u - apart) + 0.15 * (half.u - apart) ** 2
        whisker = torch.maximum(whisker, plane.line(line, 0.006))
    whisker = whisker * plane.edge(half.u - 0.28) * plane.edge(0.95 - half.u) * (kind == 1)
    faced = laid(muzzle, cushion, below, 0.08)
    faced = replace(faced, shade=faced.shade * (1 - 0.92 * mouth), shine=(faced.shine + 0.6 * whisker).clamp(0, 1))
    faced = laid(tip, wedge * 0.15, faced, 0.05)
    shown = torch.where(owl, 0.0, 1.0)
    mixed = [
        torch.lerp(getattr(below, name), getattr(faced, name), shown) for name in ("tone", "height", "shade", "shine")
    ]
    below = replace(below, tone=mixed[0], height=mixed[1], shade=mixed[2], shine=mixed[3])
    return laid(beak, torch.where(owl, inside, -9.0), below, 0.06, depth=0.7)


def wing(plane: Plane) -> Relief:
    """A spread wing: rows of feathers fan out from the arm, the short over the long."""
    tone, step = plane.any(0, 0.4), plane.any(0.15, 0.3)
    side = plane.sign()
    bend, count, spread = plane.any(0.1, 0.5), plane.whole(8, 11), plane.any(1.4, 1.75)
    at = plane.bent(plane.u * side, plane.v).at(-0.9, -0.6, 1.16)
    r = at.r
    place = (at.angle + 0.2 - bend * (r - 0.6)) / spread
    p = place.clamp(0, 1)
    # The longest feathers stand near the leading edge.
    reach = (
        plane.any(0.85, 1.05)
        + plane.any(0.8, 0.95) * torch.exp(-(((p - 0.26) / plane.any(0.26, 0.36)) ** 2))
        - 0.45 * p**5
    )
    fade = plane.fine(0.12)
    drawn = empty(plane, shade=1.0)
    for row, (length, many) in enumerate(((1.0, 1.0), (0.68, 1.2), (0.48, 1.3), (0.31, 1.4))):
        number = torch.round(count * many)
        for layer in range(2):
            # Every other feather lies under its neighbours.
            turn = place * number + 0.5 * layer + 0.25 * row
            which = torch.floor(turn)
            chance = hashed(which, number, row)
            f = turn - which - 0.5
            size = spread * r / number
            long = reach * length * (0.95 + 0.05 * chance)
            t = (r / long).clamp(0, 1)
            tip = ((t - 0.72) / 0.28).clamp(0, 1)
            half = 0.62 * (1 - tip**2).sqrt()
            distance = torch.minimum((half - f.abs()) * size, long - r)
            q = (f / half.clamp_min(0.05)).clamp(-1, 1)
            barb = saw(8 * (r - 1.2 * f.abs() * size)) * fade
            shaft = plane.line(f * size, 0.014) * (t < 0.95)
            edge = torch.sigmoid((t - 0.84) * 24)
            part = relief(
                tone + step * row + 0.25 * t + 0.3 * edge + 0.08 * chance - 0.2 * shaft,
                0.34 * size * (1 - (q - 0.2) ** 2) + 0.2 * t * length + 0.012 * barb + 0.03 * shaft,
                plane.edge(torch.minimum(distance, torch.minimum(place, 1 - place) * r)),
                ((0.4 + 0.6 * t) * (1 - 0.45 * q**4) * (0.82 + 0.18 * barb) + 0.2 * shaft).clamp(0, 1),
            )
            drawn = laid(part, distance, drawn, 0.05, 0.06)
    # The arm, in down, along the leading edge.
    arm = torch.minimum(0.17 * (1.1 - 0.62 * r) - (place - 0.03).abs() * spread * r, 1.3 - r)
    rough = saw(7 * r + 3 * at.angle) * saw(9 * at.angle * r + 2 * r)
    limb = relief(
        tone + 3.5 * step + 0.25 * rough,
        0.4 + 1.1 * arm.clamp_min(0) + 0.03 * rough,
        plane.edge(arm),
        0.6 + 0.4 * rough,
    )
    drawn = laid(limb, arm, drawn, 0.07)
    return replace(drawn, part=drawn.alpha * (1 - limb.alpha))


MOTIFS = (
    Motif("feather", feather),
    Motif("face", face, upright=True, styles=3, part="eye"),
    Motif("wing", wing, part="feather"),
    *ANIMALS,
)
