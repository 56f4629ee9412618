"""A mountain lake late on a summer afternoon, drawn by formula: a photo for those who have none at hand.

Lengths on the screen are in picture heights: u right of the middle, v above the horizon. Lengths in the world
are in kilometres: x right, y up, z ahead. So a small picture shows what a large one does. Light is linear
until `tone`. Layers have the shape (height, width), colours (3, height, width).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image.easing import eased
from dreamer.motifs.noise import Plane, tile

HORIZON, FOCAL, EYE = 0.635, 1.25, 0.012  # heights below the top; heights; kilometres above the lake
SUN = (-0.91, 0.39, -0.11)  # low on the left and a little behind the camera: the light that models best
SUNLIGHT, SKYLIGHT = (8.6, 5.3, 2.7), (0.36, 0.56, 0.95)
# The composition: the peak on the left third, the tallest cloud on the right, a dark headland in front.
MASSIFS = (  # x, z, width, depth, height
    (-2.2, 13.0, 2.4, 2.6, 2.95), (2.8, 17.0, 3.0, 3.0, 2.3), (5.6, 9.5, 2.6, 2.6, 1.8),
    (-5.2, 8.0, 2.0, 2.2, 1.5), (-11, 26, 7, 4, 2.9), (5, 28, 9, 4, 3.1), (15, 25, 6, 4, 2.9),
    (-1.02, 1.75, 0.30, 0.30, 0.42), (-2.0, 4.4, 1.0, 0.7, 0.30), (2.4, 4.8, 1.2, 0.8, 0.42),
)  # fmt: skip
BANKS = (  # of clouds: base, size, haze in front; and the u, width and strength of each cloud
    (0.15, 0.17, 0.6, ((-0.66, 0.2, 0.75), (-0.3, 0.14, 0.65), (0.04, 0.2, 0.65), (0.66, 0.2, 0.65))),
    (0.27, 0.28, 0.15, ((-0.64, 0.19, 0.8), (-0.38, 0.15, 0.58), (0.14, 0.13, 0.54), (0.36, 0.2, 1.05),
                        (0.6, 0.15, 0.7), (0.78, 0.1, 0.6))),
)  # fmt: skip


def scene(width: int = 1024, height: int = 683, seed: int = 0) -> Tensor:
    """(1, 3, height, width), sRGB in [0, 1]: always the same for a seed; another seed, another landscape."""
    random = torch.Generator().manual_seed(seed)
    plane, space = Plane(random), tile(random, 64, 3, 4)
    u = ((torch.arange(width) + 0.5 - width / 2) / height).expand(height, width)
    v = (HORIZON - (torch.arange(height) + 0.5) / height).view(-1, 1).expand(height, width)
    picture = cirrus(plane, u, v, sky(u, v))
    for bank in range(len(BANKS)):
        picture = cumulus(plane, space, u, v, picture, bank)
    picture, wet = land(plane, u, v, picture)
    picture = lake(plane, u, v, picture, wet)
    vignette = 1 - 0.2 * (u**2 + (v - HORIZON + 0.5) ** 2)
    grain = 0.006 * torch.randn(height, width, generator=random)  # of film: even the blue is not flat
    return (tone(0.74 * picture * vignette) + grain).clamp(0, 1)[None]


def tone(light: Tensor) -> Tensor:
    """Narkowicz' fit to the filmic curve of ACES (2015), then the transfer curve of sRGB."""
    x = light.clamp_min(0)
    x = (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0, 1)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp_min(1e-6) ** (1 / 2.4) - 0.055)


def rgb(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor((red, green, blue)).view(3, 1, 1)


def smooth(low: float, high: float, value: Tensor) -> Tensor:
    """Hermite's step: 0 on the side of `low`, 1 on the side of `high`."""
    return eased(((value - low) / (high - low)).clamp(0, 1))


def span(v: Tensor, low: float, high: float) -> slice:
    """The rows of the picture between two heights over the horizon."""
    return slice(int((v[:, 0] > high).sum()), int((v[:, 0] > low).sum()))


def sky(u: Tensor, v: Tensor) -> Tensor:
    """Clear sky: blue above, warm haze below, and round the sun a glow after Henyey and Greenstein (1941)."""
    up = v.clamp_min(0) / FOCAL
    towards_sun = (u * SUN[0] + v * SUN[1] + FOCAL * SUN[2]) / (u**2 + v**2 + FOCAL**2).sqrt()
    glow = (1 - 0.55**2) / (1 + 0.55**2 - 2 * 0.55 * towards_sun) ** 1.5
    blue = rgb(0.06, 0.17, 0.44) * (1 + 0.9 * torch.exp(-up / 0.25))
    haze = rgb(1.20, 0.84, 0.53) * (0.62 + 0.55 * glow)
    return torch.lerp(blue, haze, 0.85 * torch.exp(-up / 0.10)) + 0.16 * glow * rgb(1.0, 0.8, 0.6)


def cirrus(plane: Plane, u: Tensor, v: Tensor, background: Tensor) -> Tensor:
    """Ice clouds high up: warped noise on a level sheet, drawn out by the wind."""
    z = 1 / (v.clamp_min(0) + 0.12)
    x = u * z
    veil = plane.fbm(x * 0.35 + 0.25 * plane(x * 0.5, z * 0.5) + 3, z * 0.9 + 0.3 * x + 1, 0.05, 0.6)
    return torch.lerp(background, rgb(1.9, 1.65, 1.4), 0.36 * smooth(0.2, 2.8, veil) * smooth(0.1, 0.45, v))


def stretch(space: Tensor, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """(X, Y, Z): a repeating volume read on a grid of places, in tiles, by quadratic B-splines."""
    size = len(space)

    def weights(at: Tensor) -> Tensor:
        apart = ((at[:, None] * size - torch.arange(size) + size / 2) % size - size / 2).abs()
        return torch.where(apart < 0.5, 0.75 - apart**2, 0.5 * (1.5 - apart).clamp_min(0) ** 2)

    return (weights(x) @ (weights(y) @ (space @ weights(z).T)).flatten(1)).view(len(x), len(y), len(z))


def towards(density: Tensor, down: float, back: float) -> Tensor:
    """The density between each cell (X, Y, Z) and a sun on the left; its rays move `down` and `back` cells a column."""
    path = F.pad(torch.zeros_like(density[0]), (1, 0, 1, 0))
    out = torch.empty_like(density)
    for x, column in enumerate(density):
        level = torch.lerp(path[:, 1:], path[:, :-1], back)
        out[x] = torch.lerp(level[1:], level[:-1], down)
        path[1:, 1:] = out[x] + column
    return out


def heaps(plane: Plane, space: Tensor, x: Tensor, y: Tensor, z: Tensor, bank: int) -> Tensor:
    """Density (X, Y, Z) of a bank of clouds in [0, 1]; lengths in sizes of a cloud, y above the flat base.

    Towers displaced by billows, |noise|, whose creases part round heads as they do in a cauliflower.
    """
    _, size, _, clouds = BANKS[bank]
    across, along = x[:, None].expand(-1, len(z)), z.expand(len(x), -1)
    tower = 0.13 * plane.fbm(0.9 * across + 9 * (bank + 1), 0.9 * along, 0.2, 0.5) - 0.55
    for where, wide, strength in clouds:
        away = ((across * size - where) / wide) ** 2 + ((along - 0.8) / 0.6) ** 2
        tower = tower + strength * torch.exp(-away)
    tower = torch.where(tower > 0, tower.clamp_min(0) ** 0.8, 3 * tower)[:, None]  # round heads, few crumbs
    above = y[:, None] + 0.14 * (z - 0.8)  # the base recedes towards the horizon
    heap = (tower - above) * torch.where(tower > above, 1.0, 1.4)
    billows = torch.zeros_like(heap)
    for i, (scale, gain) in enumerate(((0.46, 0.15), (0.97, 0.10), (2.1, 0.06), (4.7, 0.03))):
        there = (bank + 1) * 0.61 + i * 0.37
        noise = stretch(space, scale * x + there, 1.15 * scale * y + there, scale * z)
        billows += gain * (noise.abs() - 0.75)
    inside, over_base = (11 * (heap + billows)).clamp_(0, 1), (10 * above + 2 * billows + 0.5).clamp_(0, 1)
    return inside * over_base * (4 * heap + 1).clamp_(0, 1)


def cumulus(plane: Plane, space: Tensor, u: Tensor, v: Tensor, background: Tensor, bank: int) -> Tensor:
    """A bank of heaped clouds over the background: a volume behind the screen, lit by sun and sky.

    Light is scattered once; two softer octaves of it stand for multiple scattering, after Wrenninge (2013).
    """
    base, size, haze, _ = BANKS[bank]
    height, width = u.shape
    rows = span(v, base - 0.3 * size, base + 1.3 * size)
    tall = rows.stop - rows.start
    if tall == 0:  # a picture of a few pixels
        return background
    lines, columns = (math.ceil(n * min(1, 360 / height)) for n in (tall, width))
    step, deep = width / height / columns / size, 1.6 / 28
    x = (torch.arange(columns) + 0.5 - columns / 2) * step
    y = (HORIZON - (rows.start + (torch.arange(lines) + 0.5) * tall / lines) / height - base) / size
    z = (torch.arange(28) + 0.5) * deep
    density = heaps(plane, space, x, y, z, bank)
    back = min(1, SUN[2] / SUN[0] * step / deep)
    echo = torch.exp(towards(density, down=-SUN[1] / SUN[0], back=back) * (4.5 * step / SUN[0]))
    sunlit = (echo**14 + 0.55 * echo**4 + 0.2 * echo) / 1.75
    skylit = 0.3 + 0.7 * torch.exp(-4 * step * density.cumsum(1))
    clear = torch.exp(-60 * deep * density.cumsum(2))
    seen = F.pad(clear, (1, 0), value=1.0)[..., :-1] - clear
    layers = torch.stack(((seen * sunlit).sum(2), (seen * skylit).sum(2), 1 - clear[..., -1])).mT
    # Wisps finer than the volume's cells fray the edges.
    fray, tear = (0.001 * plane.fbm(u[rows] * 90 + 5 * i, v[rows] * 90, 0.4, 0.7) for i in (0, 1))
    across = (u[rows] + fray) * height / width
    down = ((HORIZON - v[rows] + tear) * height - rows.start) / tall
    at = torch.stack((2 * across, 2 * down - 1), -1)
    lit, dim, cover = F.grid_sample(layers[None], at[None], "bicubic", "border", False)[0].clamp(0, 1)
    colour = 0.4 * rgb(*SUNLIGHT) * rgb(0.92, 1.02, 1.18) * lit + rgb(0.11, 0.15, 0.23) * dim
    out = background.clone()
    out[:, rows] += math.exp(-haze) * (colour - cover * background[:, rows])
    return out


def altitude(plane: Plane, x: Tensor, z: Tensor, pixel: Tensor) -> Tensor:
    """Height above the lake: Musgrave's ridged multifractal (1994) on the massifs, to the `pixel`."""
    body = -0.16 + 0.14 * smooth(3.5, 9, z) + 0.05 * plane(x / 1.2, z / 1.2)
    for hill_x, hill_z, wide, deep, tall in MASSIFS:
        body = body + tall * torch.exp(-(((x - hill_x) / wide) ** 2) - ((z - hill_z) / deep) ** 2)
    x, z = x + 0.22 * plane(x / 2.5, z / 2.5), z + 0.22 * plane(x / 2.5 + 9, z / 2.5)
    ridges, weight = torch.zeros_like(x), torch.ones_like(x)
    for wave, noise in plane.octaves(x, z, 6, max(0.02, 2 * float(pixel.min()))):
        ridge = (1 - 0.55 * noise.abs()).clamp_min(0) ** 2 * weight
        ridges = ridges + (ridge - 0.35) * (wave / 6) * (1.6 - 3.2 * pixel / wave).clamp(0, 1)
        weight = (2.1 * ridge).clamp(0, 1)
    return body * (0.74 + 0.36 * ridges) + 0.02 * ridges


def forest(plane: Plane, x: Tensor, z: Tensor, ground: Tensor) -> Tensor:
    """The height of the trees: pointed firs from the shore to the tree line, with clearings."""
    line = ground + 0.12 * plane(x / 0.3, z / 0.3) + 0.1 * plane(x, z)
    wooded = smooth(0.002, 0.008, ground) * smooth(0.75, 0.45, line)
    firs = 0.012 + 0.016 * plane(x / 0.013, z / 0.03).clamp_min(0) + 0.004 * plane(x / 0.06, z / 0.06)
    return wooded * smooth(-1.1, -0.2, plane(x / 0.5, z / 0.5)) * firs


def ground(plane: Plane, x: Tensor, z: Tensor, bare: Tensor, steep: Tensor, wood: Tensor) -> Tensor:
    """The colour of the land: grass; over it rock where steep or high, then firs, snow, and gravel."""
    rough = 0.5 * plane(x / 0.09, z / 0.09) + 0.5 * plane(x / 0.03, z / 0.03)
    wild = 0.12 * plane(x / 0.4, z / 0.4) + 0.05 * rough
    strata = plane(bare / 0.11 + 1.5 * plane(x, z) + rough, 1.5 * x)
    grass = rgb(0.105, 0.125, 0.035) * (1 + 0.25 * rough)
    rock = rgb(0.20, 0.172, 0.15) * (1 + 0.22 * rough + 0.10 * strata)
    firs = rgb(0.022, 0.040, 0.018) * (1 + 0.35 * plane(x / 0.012, z / 0.02))
    snow, gravel = rgb(0.80, 0.82, 0.86), rgb(0.10, 0.09, 0.07)
    snowy = smooth(0.92, 1.30, bare + 1.2 * wild - 0.25 * (steep - 0.8)) * smooth(1.9, 1.2, steep + wild)
    colour = torch.lerp(grass, rock, smooth(0.5, 0.85, steep + 2 * wild + 0.5 * smooth(0.7, 1.3, bare)))
    colour = torch.lerp(torch.lerp(colour, firs, smooth(0, 0.006, wood)), snow, snowy)
    return torch.lerp(gravel, colour, smooth(0.001, 0.005, bare))


def land(plane: Plane, u: Tensor, v: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    """Mountains over the background, and where there is water instead.

    Each column of the picture walks outwards over the land; the highest elevation met so far tells for every
    pixel how far away the first land behind it is.
    """
    pixel, walk = 1 / (FOCAL * len(u)), torch.logspace(0, math.log10(34), 420)
    z = walk[:, None].expand(-1, u.shape[1])
    x = u[0] / FOCAL * z
    bare = altitude(plane, x, z, z * pixel)
    elevation = ((bare + forest(plane, x, z, bare)).clamp_min(0) - EYE) / z * FOCAL
    crest = elevation.cummax(0).values.T.contiguous()
    rows = span(v, -0.016, float(crest.max()) + 1 / len(u))  # above is only sky, below only water
    u, v = u[rows], v[rows]
    after = torch.searchsorted(crest, v.T.contiguous()).clamp(1, len(walk) - 1)
    low, high = crest.gather(1, after - 1), crest.gather(1, after)
    part = ((v.T - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
    z = torch.lerp(walk[after - 1], walk[after], part).T.contiguous()
    x, aside = u / FOCAL * z, 1.2 * pixel * z

    bare = altitude(plane, x, z, aside)
    bare_x, bare_z = altitude(plane, x + aside, z, aside), altitude(plane, x, z + aside, aside)
    wood = forest(plane, x, z, bare)
    wood_x, wood_z = forest(plane, x + aside, z, bare_x), forest(plane, x, z + aside, bare_z)
    slope_x, slope_z = (bare_x - bare) / aside, (bare_z - bare) / aside
    colour = ground(plane, x, z, bare, (slope_x**2 + slope_z**2).sqrt(), wood)
    slope_x, slope_z = slope_x + 0.5 * (wood_x - wood) / aside, slope_z + 0.5 * (wood_z - wood) / aside
    up = 1 / (1 + slope_x**2 + slope_z**2).sqrt()
    sunlit = ((SUN[1] - slope_x * SUN[0] - slope_z * SUN[2]) * up).clamp_min(0)
    for way in (0.1, 0.2, 0.4, 0.8, 1.6):  # towards the sun: does anything stand in it?
        there = altitude(plane, x + SUN[0] * way, z + SUN[2] * way, aside.clamp_min(0.15))
        sunlit = sunlit * (1 - (there - bare - SUN[1] * way) / (0.03 + 0.06 * way)).clamp(0, 1)
    sunlit = sunlit * (0.2 + 0.8 * smooth(-1.2, 0, plane.fbm(x / 3.1 + 2, z / 3.1, 0.4, 0.4)))  # or a cloud?
    light = rgb(*SUNLIGHT) * sunlit + rgb(*SKYLIGHT) * (0.35 + 0.65 * up)
    haze = sky(u, torch.full_like(u, 0.015)) * rgb(0.54, 0.62, 0.74)
    colour = torch.lerp(haze, 0.6 * colour * light, torch.exp(-z / 15 * torch.exp(-bare.clamp_min(0) / 2.2)))

    out, wet = background.clone(), torch.zeros(background.shape[1:], dtype=torch.bool)
    out[:, rows] = torch.lerp(out[:, rows], colour, ((crest[:, -1] - v) * len(wet) + 0.5).clamp(0, 1))
    wet[rows], wet[rows.stop :] = (v < 0) & (bare <= 0), True
    return out, wet


def lake(plane: Plane, u: Tensor, v: Tensor, picture: Tensor, wet: Tensor) -> Tensor:
    """The picture mirrored by waves over dark water; Schlick's Fresnel term (1994) shares out the light."""
    height, width = u.shape
    rows = span(v, -1, 0)
    u, v = u[rows], v[rows]
    z = EYE * FOCAL / (-v).clamp_min(1e-4)
    x = u / FOCAL * z
    pixel = z**2 / (EYE * FOCAL * height)
    wind = smooth(-1.2, 1.4, plane(x / 0.12 + 3, z / 0.25) + 0.5 * plane(x / 0.03, z / 0.06))
    ahead, aside = torch.zeros_like(x), torch.zeros_like(x)
    for i, wave in enumerate((0.018, 0.008, 0.0035, 0.0016, 0.0008)):
        slope = 0.010 * (0.35 + 0.65 * wind) * (1.5 - 1.5 * pixel / wave).clamp(0, 1)
        ahead = ahead + slope * plane(x / wave / 1.8 + 3 * i, z / wave)
        aside = aside + slope * plane(x / wave / 1.8 + 5, z / wave + 3 * i)
    near_sun = smooth(-0.14, -0.3, v) * torch.exp(-(((u + 0.9) / 0.45) ** 2))
    mirrored = 3 * rgb(*SUNLIGHT) * near_sun * smooth(0.03, 0.05, ahead + aside)  # glints
    for blur in (-1, 0, 1):  # by waves that are too small to see
        up = (2 * FOCAL * ahead + blur * (0.004 + 0.010 * wind) - v).abs()
        at = torch.stack((2 * (u + 0.5 * FOCAL * aside) * height / width, 2 * (HORIZON - up) - 1), -1)
        mirrored += F.grid_sample(picture[None], at[None], "bilinear", "reflection", False)[0] / 3
    facing = (1.5 * ahead - v / (u**2 + v**2 + FOCAL**2).sqrt()).clamp(0, 1)
    water = torch.lerp(rgb(0.010, 0.030, 0.036), mirrored, 0.93 * (0.02 + 0.98 * (1 - facing) ** 5))
    return torch.cat((picture[:, : rows.start], torch.where(wet[rows], water, picture[:, rows])), 1)
