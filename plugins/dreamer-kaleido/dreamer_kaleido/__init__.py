"""Symmetry for dreamer: rosettes and wallpapers.

Two groups, each in three forms. As a gradient filter it makes every step, and so the dream, symmetric; the photo
beneath stays as it is. As a prior it pulls the dream's change towards its own symmetric mean, and leaves it some
freedom. As a transform it lets the network look at the picture through mirrors, so that it dreams what only symmetry
shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer import Range, hookimpl, unit

Folds = Annotated[int, Range(2, 64)]
Place = Annotated[float, Range(0, 1)]
Across = Annotated[int, Range(1, 64)]
Pattern = Literal["repeat", "mirror", "turn", "brick"]
Apply = Callable[[Tensor], Tensor]  # to any picture (B, C, H, W) of the size that a transform has drawn for


def rosette(
    gradient: Tensor, *, folds: Folds = 8, mirrors: bool = True, across: Place = 0.5, down: Place = 0.5
) -> Tensor:
    """Every step the same in all sectors of a rosette: the gradient's mean over its `folds` turns, and mirrorings.

    The centre lies at the shares `across` and `down` of the picture. A place whose turns leave the picture takes the
    mean over those that stay. (B, 3, H, W), of RMS 1; zero stays zero.
    """
    return unit(_rosette_mean(unit(gradient), folds, mirrors, (across, down)))


def unlike_rosette(
    image: Tensor,
    *,
    photo: Tensor,
    folds: Folds = 8,
    mirrors: bool = True,
    across: Place = 0.5,
    down: Place = 0.5,
) -> Tensor:
    """How far the dream is from a rosette: the mean squared distance of its change from the change's rosette mean."""
    change = image - photo
    return (change - _rosette_mean(change.detach(), folds, mirrors, (across, down))).square().mean()


def kaleidoscope(image: Tensor, *, folds: Folds = 8, across: Place = 0.5, down: Place = 0.5) -> Apply:
    """Look through a kaleidoscope: one sector of the picture, another at every step, mirrored all around its centre."""
    height, width = image.shape[-2:]
    sector = 2 * math.pi / folds
    begin = float(torch.rand(())) * 2 * math.pi

    def apply(picture: Tensor) -> Tensor:
        rows = torch.arange(height).to(picture)[:, None] + 0.5 - down * height
        columns = torch.arange(width).to(picture) + 0.5 - across * width
        angle = ((torch.atan2(rows, columns) - begin) % sector - sector / 2).abs() + begin
        radius = torch.hypot(rows, columns)
        seen = torch.stack([radius * angle.cos() / width + across, radius * angle.sin() / height + down], -1) * 2 - 1
        grid = seen.expand(len(picture), height, width, 2)
        return F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)

    return apply


def wallpaper(gradient: Tensor, *, cells: Across = 4, pattern: Pattern = "mirror") -> Tensor:
    """Every step the same in all cells of a wallpaper: the gradient's mean over square cells, `cells` on the long side.

    Cells `repeat` (group p1), `mirror` their neighbours (pmm), `turn` half-way round from one to the next (p2), or lie
    like a wall's `brick`s. (B, 3, H, W), of RMS 1; zero stays zero.
    """
    return unit(_wallpaper_mean(unit(gradient), cells, pattern))


def unlike_wallpaper(image: Tensor, *, photo: Tensor, cells: Across = 4, pattern: Pattern = "mirror") -> Tensor:
    """How far the dream is from a wallpaper: the mean squared distance of its change from the change's cell mean."""
    change = image - photo
    return (change - _wallpaper_mean(change.detach(), cells, pattern)).square().mean()


def tiling(image: Tensor, *, cells: Across = 4, pattern: Pattern = "mirror") -> Apply:
    """Look at a wall of tiles: one square of the picture, another at every step, laid out `cells` to the long side."""
    height, width = image.shape[-2:]
    side = min(_side(image, cells), height, width)
    top, left = (int(torch.randint(0, size - side + 1, ())) for size in (height, width))
    rows, columns = math.ceil(height / side) + 1, math.ceil(width / side) + 1

    def apply(picture: Tensor) -> Tensor:
        cell = picture[..., top : top + side, left : left + side]
        wall = cell[:, :, None, :, None].expand(*cell.shape[:2], rows, side, columns, side).flatten(4).flatten(2, 3)
        return _laid(wall, side, pattern, -1)[..., :height, :width]

    return apply


def _rosette_mean(values: Tensor, folds: int, mirrors: bool, centre: tuple[float, float]) -> Tensor:
    """The mean over all turns and mirrorings that stay inside the picture, (B, C, H, W)."""
    counted = torch.cat([values, torch.ones_like(values[:, :1])], 1)
    total = counted.clone()
    for matrix in _turns(folds, mirrors, centre, counted.shape[-1] / counted.shape[-2]):
        grid = F.affine_grid(
            matrix.to(values).expand(len(values), 2, 3), [len(values), 1, *values.shape[-2:]], align_corners=False
        )
        total += F.grid_sample(counted, grid, align_corners=False)
    return total[:, :-1] / total[:, -1:]


def _turns(folds: int, mirrors: bool, centre: tuple[float, float], aspect: float) -> Iterator[Tensor]:
    """The group but for its identity, (2, 3) each, in coordinates from -1 to 1 in both directions."""
    middle = torch.tensor(centre, dtype=torch.float64) * 2 - 1
    for side in (1, -1) if mirrors else (1,):
        for turn in range(folds):
            if side == 1 and turn == 0:
                continue
            cosine, sine = (f(2 * math.pi * turn / folds) for f in (math.cos, math.sin))
            linear = torch.tensor(
                [[side * cosine, -sine / aspect], [side * sine * aspect, cosine]], dtype=torch.float64
            )
            yield torch.cat([linear, (middle - linear @ middle)[:, None]], 1)


def _wallpaper_mean(values: Tensor, cells: int, pattern: str) -> Tensor:
    """The mean over all cells, of those parts that lie inside the picture, (B, C, H, W)."""
    height, width = values.shape[-2:]
    side = _side(values, cells)
    tall, wide = (2 * side * math.ceil(size / (2 * side)) for size in (height, width))  # edges cross in the middle
    top, left = (tall - height) // 2, (wide - width) // 2
    counted = torch.cat([values, torch.ones_like(values[:, :1])], 1)
    padded = F.pad(counted, (left, wide - width - left, top, tall - height - top))
    grid = _laid(padded, side, pattern, 1).unflatten(3, (-1, side)).unflatten(2, (-1, side))
    cell = grid.sum((2, 4), keepdim=True)
    mean = (cell[:, :-1] / cell[:, -1:].clamp(min=1)).expand(-1, -1, *grid.shape[2:]).flatten(4).flatten(2, 3)
    return _laid(mean, side, pattern, -1)[..., top : top + height, left : left + width]


def _laid(wall: Tensor, side: int, pattern: str, way: int) -> Tensor:
    """Every cell of a wall of whole cells turned to lie as the first one does (`way` 1), or back from that (-1)."""
    if pattern == "repeat":
        return wall
    down, right = (torch.arange(size, device=wall.device) for size in wall.shape[-2:])
    rows, columns = down[:, None].expand(wall.shape[-2:]), right.expand(wall.shape[-2:])
    odd_row, odd_column = rows // side % 2 == 1, columns // side % 2 == 1
    over, under = (at // side * side + side - 1 - at % side for at in (columns, rows))
    if pattern == "mirror":
        rows, columns = torch.where(odd_row, under, rows), torch.where(odd_column, over, columns)
    elif pattern == "turn":
        odd = odd_row ^ odd_column
        rows, columns = torch.where(odd, under, rows), torch.where(odd, over, columns)
    else:
        columns = torch.where(odd_row, (columns + way * (side // 2)) % wall.shape[-1], columns)
    return wall[..., rows, columns]


def _side(values: Tensor, cells: int) -> int:
    return max(1, round(max(values.shape[-2:]) / cells))


@hookimpl
def register_gradient_filters(register: Callable[..., None]) -> None:
    """Symmetric steps."""
    for function in (rosette, wallpaper):
        register(function)


@hookimpl
def register_priors(register: Callable[..., None]) -> None:
    """Pulls towards symmetry."""
    for function in (unlike_rosette, unlike_wallpaper):
        register(function)


@hookimpl
def register_transforms(register: Callable[..., None]) -> None:
    """Mirrors to look through."""
    for function in (kaleidoscope, tiling):
        register(function)
