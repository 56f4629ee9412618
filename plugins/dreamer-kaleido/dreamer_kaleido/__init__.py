"""Symmetry for dreamer: rosettes and wallpapers.

Each comes in three forms. The gradient filter makes every step, and so the dream, symmetric; the photo below it stays
as it is. The prior pulls the dream's change towards its symmetric mean, and leaves it some freedom. The transform shows
the network the picture through mirrors, so that it dreams forms that appear only there.
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
Apply = Callable[[Tensor], Tensor]  # applies a drawn transform to any picture (B, C, H, W) of the size it was drawn for


def rosette(
    gradient: Tensor, *, folds: Folds = 8, mirrors: bool = True, across: Place = 0.5, down: Place = 0.5
) -> Tensor:
    """Make every step a rosette: the gradient's mean over `folds` rotations and, with `mirrors`, their reflections.

    `across` and `down` place the centre, as shares of the picture's width and height. Rotations that fall outside the
    picture are left out of the mean. The result is (B, 3, H, W) with RMS 1; zero stays zero.
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
    """Difference between the dream and a rosette: mean squared distance of the change from its rosette mean."""
    change = image - photo
    return (change - _rosette_mean(change.detach(), folds, mirrors, (across, down))).square().mean()


def kaleidoscope(image: Tensor, *, folds: Folds = 8, across: Place = 0.5, down: Place = 0.5) -> Apply:
    """Show the network a kaleidoscope: a sector of the picture, new at every step, mirrored around the centre."""
    height, width = image.shape[-2:]
    sector = 2 * math.pi / folds
    begin = float(torch.rand(())) * 2 * math.pi

    def apply(picture: Tensor) -> Tensor:
        rows = torch.arange(height).to(picture)[:, None] + 0.5 - down * height
        columns = torch.arange(width).to(picture) + 0.5 - across * width
        angle = ((torch.atan2(rows, columns) - begin) % sector - sector / 2).abs() + begin
        radius = torch.hypot(rows, columns)
        place = torch.stack([radius * angle.cos() / width + across, radius * angle.sin() / height + down], -1) * 2 - 1
        grid = place.expand(len(picture), height, width, 2)
        return F.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)

    return apply


def wallpaper(gradient: Tensor, *, cells: Across = 4, pattern: Pattern = "mirror") -> Tensor:
    """Make every step a wallpaper: the gradient's mean over square cells, `cells` of them on the long side.

    `repeat` copies cells (group p1), `mirror` reflects each neighbour (pmm), `turn` rotates it by 180 degrees (p2), and
    `brick` shifts every second row by half a cell. The result is (B, 3, H, W) with RMS 1; zero stays zero.
    """
    return unit(_wallpaper_mean(unit(gradient), cells, pattern))


def unlike_wallpaper(image: Tensor, *, photo: Tensor, cells: Across = 4, pattern: Pattern = "mirror") -> Tensor:
    """Difference between the dream and a wallpaper: mean squared distance of the change from its cell mean."""
    change = image - photo
    return (change - _wallpaper_mean(change.detach(), cells, pattern)).square().mean()


def tiling(image: Tensor, *, cells: Across = 4, pattern: Pattern = "mirror") -> Apply:
    """Show the network a wall of tiles: a square of the picture, new at every step, `cells` on the long side."""
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
    """The mean over all rotations and reflections that stay inside the picture, (B, C, H, W)."""
    counted = torch.cat([values, torch.ones_like(values[:, :1])], 1)
    total = counted.clone()
    for matrix in _turns(folds, mirrors, centre, counted.shape[-1] / counted.shape[-2]):
        grid = F.affine_grid(
            matrix.to(values).expand(len(values), 2, 3), [len(values), 1, *values.shape[-2:]], align_corners=False
        )
        total += F.grid_sample(counted, grid, align_corners=False)
    return total[:, :-1] / total[:, -1:]


def _turns(folds: int, mirrors: bool, centre: tuple[float, float], aspect: float) -> Iterator[Tensor]:
    """The affine matrices (2, 3) of the group without its identity, in coordinates from -1 to 1."""
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
    """The mean over the parts of all cells that are inside the picture, (B, C, H, W)."""
    height, width = values.shape[-2:]
    side = _side(values, cells)
    tall, wide = (2 * side * math.ceil(size / (2 * side)) for size in (height, width))  # four cells meet in the middle
    top, left = (tall - height) // 2, (wide - width) // 2
    counted = torch.cat([values, torch.ones_like(values[:, :1])], 1)
    padded = F.pad(counted, (left, wide - width - left, top, tall - height - top))
    grid = _laid(padded, side, pattern, 1).unflatten(3, (-1, side)).unflatten(2, (-1, side))
    cell = grid.sum((2, 4), keepdim=True)
    mean = (cell[:, :-1] / cell[:, -1:].clamp(min=1)).expand(-1, -1, *grid.shape[2:]).flatten(4).flatten(2, 3)
    return _laid(mean, side, pattern, -1)[..., top : top + height, left : left + width]


def _laid(wall: Tensor, side: int, pattern: str, way: int) -> Tensor:
    """All cells brought into the position of the first one (`way` 1), or back into their own (-1), (B, C, H, W)."""
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
    """Priors for symmetry."""
    for function in (unlike_rosette, unlike_wallpaper):
        register(function)


@hookimpl
def register_transforms(register: Callable[..., None]) -> None:
    """Transforms that mirror the picture."""
    for function in (kaleidoscope, tiling):
        register(function)
