"""Pictures of many motifs: a ground, objects before it with their shadows, and a label for every pixel.

Composing is the cheapest lever there is: frozen features are worth far more when several motifs share a picture
(Baradad 2022); sizes fall off as in dead leaves, so that every layer's field finds its own (Lee, Mumford, Huang 2001).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.light import Lamp, Palette, lit
from dreamer.motifs.plane import Plane
from dreamer.motifs.relief import Motif, Relief, relief
from dreamer.motifs.wear import clothed, piece, window

_TILES, _SHARES = (32, 44, 60, 84, 120), (0.12, 0.22, 0.28, 0.23, 0.15)
"""Sides of the objects' tiles for pictures of 128 pixels, and how often each comes."""
_MOST = 5  # objects
_PLAIN, _ENLARGED = 0.2, 0.2  # grounds without a motif, and of an object's motif, seen from near
_HALF = 1.3  # half the side of a tile, in units of its plane: an object fills the unit disc
_CLOTHED = 0.25  # objects that wear a ground's texture
_CUT = 0.3  # objects that are a piece of a ground
_NOTHING = 0.06  # pictures that show no motif at all
_FOUND, _FOUND_ONE = 0.5, -1  # share of found grounds, twice that of objects; mark of a found one among motifs
_MIRRORED, _HAZY = 0.12, 0.1


@dataclass(frozen=True)
class Pictures:
    """`image` (B, 3, S, S) in [0, 1]. `kind` (B, S, S): which motif's which style is at a pixel, as World counts them.

    `second` (B, S, S): which motif besides is to be seen there, an eye in a face or the scales that an object wears;
    elsewhere the motif itself. Where there is none, both hold the number after the last.
    """

    image: Tensor
    kind: Tensor
    second: Tensor


class Found(Protocol):
    """Classes from pictures instead of formulas: a person's own."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names."""

    def crops(self, count: int, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random crops (count, 3, size, size) in [0, 1], and the number of the class of each, (count,)."""

    def whole(self, which: int, size: int) -> Tensor:
        """All pictures of a class, whole, (B, 3, size, size) in [0, 1]."""


class World:
    """Motifs to compose pictures of, and maybe things `found`, which are counted after the motifs.

    `names` are all that is to be told apart; `kinds` how many there are with all motifs' styles told apart too.
    """

    def __init__(self, motifs: Sequence[Motif], found: Found | None = None) -> None:
        self.motifs, self.found = tuple(motifs), found
        styles = [motif.styles for motif in motifs] + [1] * len(found.names if found else ())
        self.names = (*(motif.name for motif in motifs), *(found.names if found else ()))
        self.grounds = [i for i, motif in enumerate(motifs) if motif.ground]
        self.objects = [i for i, motif in enumerate(motifs) if not motif.ground]
        self.kinds = sum(styles)
        self.motif_of = torch.tensor([i for i, count in enumerate(styles) for _ in range(count)] + [len(styles)])
        """The number of the name of each kind; the last kind is the background."""
        self._first = torch.tensor([sum(styles[:i]) for i in range(len(styles))])

    def draw(self, count: int, size: int, random: torch.Generator) -> Pictures:
        """Draw `count` random pictures of `size` x `size` pixels."""
        palettes, lamps = Palette.any(count, random), Lamp.any(count, random)
        pictures = self._grounds(count, size, random, palettes, lamps)
        share = torch.rand(count, generator=random, device=random.device)
        objects = torch.randint(1, _MOST + 1, (count,), generator=random, device=random.device)
        objects[share < _NOTHING] = 0
        pictures.kind[share < _NOTHING], pictures.second[share < _NOTHING] = self.kinds, len(self.names)
        if (share < _NOTHING).any():
            pictures.image[share < _NOTHING] = self._plain(int((share < _NOTHING).sum()), size, random)
        self._add_objects(pictures, objects, random, palettes, lamps)
        return _finished(pictures, random)

    def _grounds(self, count: int, size: int, random: torch.Generator, palettes: Palette, lamps: Lamp) -> Pictures:
        device = random.device
        image = self._plain(count, size, random)
        kind = torch.full((count, size, size), self.kinds, device=device)
        second = torch.full((count, size, size), len(self.names), device=device)
        chance = torch.rand(count, generator=random, device=device)
        chosen = _choice(self.grounds, count, random)
        near = (chance > _PLAIN) & (chance < _PLAIN + _ENLARGED)
        chosen = torch.where(near, _choice(self.objects, count, random), chosen)
        if self.found:
            chosen = torch.where(torch.rand(count, generator=random, device=device) < _FOUND, _FOUND_ONE, chosen)
        for motif, places in _groups(chosen, chance > _PLAIN):
            if motif == _FOUND_ONE and self.found:
                image[places], which = self._crops(self.found, len(places), size, random)
                kind[places], second[places] = self._first[which][:, None, None], which[:, None, None]
                continue
            half = 0.6 if not self.motifs[motif].ground else math.exp(_number(random, math.log(0.45), math.log(1.1)))
            drawn, plane = self._relief(motif, len(places), size, random, half, 0.5)
            colour = lit(drawn, plane.pixel, palettes.take(places), lamps.take(places))
            image[places] = torch.lerp(image[places], colour, drawn.alpha[:, None])
            self._label(kind, second, places, drawn, motif)
        return Pictures(image, kind, second)

    def _add_objects(
        self, pictures: Pictures, objects: Tensor, random: torch.Generator, palettes: Palette, lamps: Lamp
    ) -> None:
        """Draw all objects, alike ones together; then put them in the pictures, the large ones behind."""
        size, device = pictures.image.shape[-1], random.device
        places = torch.repeat_interleave(torch.arange(len(objects), device=device), objects)
        total = len(places)
        sides = torch.multinomial(torch.tensor(_SHARES, device=device), total, True, generator=random)
        cut = torch.rand(total, generator=random, device=device) < _CUT
        chosen = torch.where(cut, _choice(self.grounds, total, random), _choice(self.objects, total, random))
        if self.found:
            chosen = torch.where(torch.rand(total, generator=random, device=device) < _FOUND / 2, _FOUND_ONE, chosen)
        drawn: dict[int, tuple[Tensor, Tensor, Tensor, Tensor]] = {}
        for group, members in _groups(chosen * len(_TILES) + sides, torch.ones_like(cut)):
            motif, side = divmod(group, len(_TILES))
            where = places[members]
            mixed = torch.rand(len(where), generator=random, device=device) < 0.4
            own = Palette.any(len(where), random)
            palette = _either(mixed, palettes.take(where), own)
            for row, tile in zip(
                members.tolist(),
                self._object(motif, round(_TILES[side] * size / 128), random, palette, lamps.take(where)),
                strict=True,
            ):
                drawn[row] = tile
        for row in sorted(drawn, key=lambda row: -drawn[row][1].shape[-1]):
            picture = int(places[row])
            _paste(pictures, picture, drawn[row], lamps.direction[picture], random)

    def _object(
        self, motif: int, side: int, random: torch.Generator, palette: Palette, lamp: Lamp
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Tiles of one motif, one after another: colour (3, T, T), alpha, kind and second (T, T)."""
        count = len(lamp.gloss)
        if motif == _FOUND_ONE and self.found:
            crop, which = self._crops(self.found, count, side, random)
            plane = Plane.of(count, side, random)
            shape = piece(relief(torch.zeros_like(crop[:, 0])), plane)
            labels = torch.ones_like(shape.tone, dtype=torch.long)
            kind, second = labels * self._first[which][:, None, None], labels * which[:, None, None]
            yield from zip(lit(shape, plane.pixel, lambda tone: crop, lamp), shape.alpha, kind, second, strict=True)
            return
        near = self.motifs[motif].ground
        drawn, plane = self._relief(motif, count, side, random, _number(random, 0.75, 1.3) if near else _HALF, 0.0)
        clothes = None
        if near:
            drawn = piece(drawn, plane)
        elif _number(random, 0, 1) < _CLOTHED:
            clothes = self.grounds[int(_number(random, 0, len(self.grounds)))]
            drawn = clothed(drawn, self._relief(clothes, count, side, random, _HALF, 0.0)[0])
        drawn = drawn.cut(window(side, random.device))
        colour = lit(drawn, plane.pixel, palette, lamp)
        kind = torch.full(drawn.tone.shape, self.kinds, device=colour.device)
        second = torch.full(drawn.tone.shape, len(self.names), device=colour.device)
        self._label(kind, second, torch.arange(count, device=colour.device), drawn, motif, clothes)
        yield from zip(colour, drawn.alpha, kind, second, strict=True)

    def _crops(self, found: Found, count: int, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pieces of what was found, and which of all names each shows."""
        pieces, which = found.crops(count, size, random)
        return pieces, which + len(self.motifs)

    def _relief(
        self, motif: int, count: int, size: int, random: torch.Generator, half: float, reach: float
    ) -> tuple[Relief, Plane]:
        """One motif, turned, stretched, seen at a slant, bent a little and shifted by up to `reach`."""
        plane = Plane.of(count, size, random, half)
        turn = torch.randn(count, 1, 1, generator=random, device=random.device) * 0.15
        if not self.motifs[motif].upright:
            turn = plane.any(0, 2 * math.pi)
        lean = 1 + plane.any(-0.2, 0.2) * plane.u + plane.any(-0.2, 0.2) * plane.v
        u, v = plane.u / lean, plane.v / lean * plane.any(0.87, 1.15)
        u = torch.where(plane.chance(0.5), u, -u)
        u, v = u + 0.015 * plane.noise(2, 2), v + 0.015 * plane.noise(2, 2)
        if self.motifs[motif].ground:
            reach = 3.0  # another piece of it each time
        u, v = u + plane.any(-reach, reach), v + plane.any(-reach, reach)
        plane = plane.bent(u, v).at(0, 0, plane.any(0.9, 1.1), turn)
        return self.motifs[motif].draw(plane), plane

    def _label(
        self,
        kind: Tensor,
        second: Tensor,
        places: Tensor,
        drawn: Relief,
        motif: int,
        clothes: int | None = None,
    ) -> None:
        there = drawn.alpha > 0.5
        style = torch.zeros(len(places), device=kind.device) if drawn.style is None else drawn.style
        kinds = (self._first[motif].to(style.device) + style.long())[:, None, None]
        also = torch.full_like(kinds, motif if clothes is None else clothes)
        if drawn.part is not None and self.motifs[motif].part in self.names:
            also = torch.where(drawn.part > 0.5, self.names.index(self.motifs[motif].part), also)
        kind[places] = torch.where(there, kinds, kind[places])
        second[places] = torch.where(there, also, second[places])

    def _plain(self, count: int, size: int, random: torch.Generator) -> Tensor:
        """Fields of colour without a motif: noise of any spectrum, from flat to white, in a palette."""
        white = torch.randn(count, 2, size, size, generator=random, device=random.device)
        frequency = torch.hypot(
            torch.fft.fftfreq(size, device=random.device)[:, None], torch.fft.rfftfreq(size, device=random.device)
        ).clamp_min(1 / size)
        power = torch.rand(count, 1, 1, 1, generator=random, device=random.device) * 3
        noise = torch.fft.irfft2(torch.fft.rfft2(white) * frequency**-power, s=(size, size))
        noise = noise / noise.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
        contrast = torch.rand(count, 1, 1, generator=random, device=random.device)
        colour = Palette.any(count, random)(0.5 + 0.25 * contrast * noise[:, 0])
        return torch.clamp(colour * (1 + 0.2 * contrast * noise[:, 1])[:, None], 0, 1)


def _paste(
    pictures: Pictures,
    picture: int,
    tile: tuple[Tensor, Tensor, Tensor, Tensor],
    light: Tensor,
    random: torch.Generator,
) -> None:
    """Put a tile somewhere in its picture, partly outside maybe, with a soft shadow away from the light."""
    colour, alpha, kind, second = tile
    side, size = alpha.shape[-1], pictures.image.shape[-1]
    margin = side // 3
    top, left = (
        int(n) for n in torch.randint(-margin, size - side + margin + 1, (2,), generator=random, device=random.device)
    )
    into = (slice(max(top, 0), min(top + side, size)), slice(max(left, 0), min(left + side, size)))
    part = (slice(into[0].start - top, into[0].stop - top), slice(into[1].start - left, into[1].stop - left))
    blur, reach = side // 10 * 2 + 1, side // 12 + 1
    down, right = (reach - round(float(way) * (reach - 1)) for way in (light[1], light[0]))
    shadow = F.avg_pool2d(F.pad(alpha, [reach] * 4)[None], blur, 1, blur // 2)[0]
    shadow = shadow[2 * reach - down :, 2 * reach - right :][:side, :side][part]
    below = pictures.image[picture][:, into[0], into[1]] * (1 - 0.55 * shadow)
    pictures.image[picture][:, into[0], into[1]] = torch.lerp(below, colour[:, part[0], part[1]], alpha[part])
    there = alpha[part] > 0.5
    for labels, own in ((pictures.kind, kind), (pictures.second, second)):
        labels[picture][into] = torch.where(there, own[part], labels[picture][into])


def _finished(pictures: Pictures, random: torch.Generator) -> Pictures:
    """Some mirrored about the middle, some in haze or out of focus."""
    image, device = pictures.image, random.device
    chance = torch.rand(len(image), generator=random, device=device)
    maps = [pictures.kind, pictures.second, image]
    half = image.shape[-1] // 2
    for map_ in maps:
        map_[chance < _MIRRORED, ..., -half:] = map_[chance < _MIRRORED, ..., :half].flip(-1)
    hazy = chance > 1 - _HAZY
    fog = torch.rand(int(hazy.sum()), 3, 1, 1, generator=random, device=device)
    image[hazy] = torch.lerp(F.avg_pool2d(image[hazy], 3, 1, 1, count_include_pad=False), fog, 0.3)
    return pictures


def _choice(among: Sequence[int], count: int, random: torch.Generator) -> Tensor:
    picked = torch.randint(0, len(among), (count,), generator=random, device=random.device)
    return torch.tensor(among, device=random.device)[picked]


def _groups(values: Tensor, where: Tensor) -> Iterable[tuple[int, Tensor]]:
    """Each value that there is, with the places that hold it."""
    for value in torch.unique(values[where]).tolist():
        yield value, ((values == value) & where).nonzero()[:, 0]


def _number(random: torch.Generator, low: float, high: float) -> float:
    return float(torch.rand((), generator=random, device=random.device)) * (high - low) + low


def _either(first: Tensor, one: Palette, two: Palette) -> Palette:
    """One palette or the other, row by row."""
    row, block = first[:, None], first[:, None, None]
    return Palette(
        torch.where(row, one.base, two.base),
        torch.where(block, one.amplitude, two.amplitude),
        torch.where(block, one.phase, two.phase),
    )
