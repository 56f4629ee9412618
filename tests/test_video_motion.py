"""Optical flow on motion that is known, where it cannot be trusted, and what is carried along it."""

import math

import pytest
import torch
from torch.nn import functional

from dreamer.motifs.sample_scene import scene
from dreamer.videos.film.motion import Motion, find_motion
from dreamer.videos.film.optical_flow import _median, find_flow, scaled, warp

HEIGHT, WIDTH, EDGE = 120, 160, 24


def seen(large, matrix, shift):
    """What a camera shows of a large picture, turned by a matrix about its centre and shifted in pixels, and where
    each of its pixels looks, (1, 2, H, W), from the centre."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) - HEIGHT / 2 + 0.5, torch.arange(WIDTH) - WIDTH / 2 + 0.5, indexing="ij")
    places = torch.stack([x, y], -1) @ torch.tensor(matrix).T + torch.tensor(shift)
    height, width = large.shape[-2:]
    grid = places / torch.tensor([width / 2, height / 2])
    picture = functional.grid_sample(large, grid[None], mode="bicubic", align_corners=False).clamp(0, 1)
    return picture, places.permute(2, 0, 1)[None]


def turned(degrees, factor=1.0):
    cosine, sine = (factor * f(math.radians(degrees)) for f in (math.cos, math.sin))
    return [[cosine, -sine], [sine, cosine]]


@pytest.mark.parametrize(
    ("matrix", "shift"),
    [
        (turned(0), (1.5, -0.7)),
        (turned(0), (6.3, -4.2)),
        (turned(0), (-11.0, 5.0)),
        (turned(3), (0.0, 0.0)),
        (turned(-2, 1.05), (2.0, 1.0)),
        (turned(0, 0.93), (0.0, 0.0)),
    ],
)
def test_motion_that_is_known_is_found(matrix, shift):
    large = scene(300, 240, seed=1)
    before, origin = seen(large, turned(0), (0.0, 0.0))
    now, places = seen(large, matrix, shift)
    motion = find_motion(now, before)
    astray = (motion.flow - (places - origin)).norm(dim=1)[0, EDGE:-EDGE, EDGE:-EDGE]
    assert astray.mean() < 0.25 and astray.flatten().quantile(0.9) < 0.5
    assert not motion.cut and motion.trust[..., EDGE:-EDGE, EDGE:-EDGE].mean() > 0.9


def test_no_motion_is_no_flow():
    picture = scene(WIDTH, HEIGHT, seed=3)
    motion = find_motion(picture, picture)
    assert motion.flow.abs().max() < 1e-3 and motion.trust.min() > 0.999


def test_flat_pictures_do_not_move():
    flow = find_flow(torch.full((1, 1, 40, 50), 0.5), torch.full((1, 1, 40, 50), 0.52))
    assert flow.abs().max() < 1e-3


def test_the_flow_is_smoothed_by_the_median_of_squares():
    flow = torch.randn(1, 2, 20, 31, generator=torch.Generator().manual_seed(1))
    flow[..., :7, :] = flow[..., :7, :].round()  # values that are there more than once
    squares = functional.pad(flow, (2, 2, 2, 2), mode="replicate").unfold(2, 5, 1).unfold(3, 5, 1)
    assert torch.equal(_median(flow), squares.flatten(-2).median(-1).values)


def test_what_was_hidden_is_not_trusted_and_takes_nothing_along():
    large = scene(300, 240, seed=1)
    back, _ = seen(large, turned(0), (0.0, 0.0))
    front = scene(300, 240, seed=5)[..., 60:100, 100:140].flip(1)
    before, now = back.clone(), back.clone()
    before[..., 40:80, 60:100], now[..., 40:80, 68:108] = front, front
    motion = find_motion(now, before)
    hidden = motion.trust[0, 0, 44:76, 61:67]
    assert hidden.mean() < 0.35
    assert motion.trust[0, 0, 46:74, 76:102].mean() > 0.75 and motion.trust[0, 0, 20:100, 125:150].mean() > 0.95
    assert (motion.flow[0, 0, 50:70, 80:100] + 8).abs().mean() < 0.9
    carried = motion.carry(torch.ones(1, 3, HEIGHT, WIDTH))
    assert torch.allclose(carried[0, 0], motion.trust[0, 0], atol=1e-5)


@pytest.mark.parametrize("contrast", [1.0, 0.15])
def test_what_comes_in_at_the_border_is_not_trusted(contrast):
    large = 0.4 + contrast * (scene(300, 240, seed=1) - 0.4)
    before, _ = seen(large, turned(0), (0.0, 0.0))
    now, _ = seen(large, turned(0), (10.0, 0.0))
    assert find_motion(now, before).trust[0, 0, :, -5:].mean() < 0.2


def test_cuts_are_found_and_nothing_else_is_one():
    first = scene(WIDTH, HEIGHT, seed=1)
    assert find_motion(scene(WIDTH, HEIGHT, seed=2).flip(-1), first).cut
    assert find_motion(torch.rand(1, 3, HEIGHT, WIDTH), first).cut
    assert find_motion(torch.zeros_like(first), first).cut
    assert not find_motion((first + 0.06).clamp(0, 1), first).cut  # it brightens
    noisy = (first + 0.03 * torch.randn(first.shape)).clamp(0, 1)
    assert not find_motion(noisy, first).cut


@pytest.mark.parametrize("size", [(16, 16), (33, 17), (97, 131), (500, 30)])
def test_any_size_will_do(size):
    picture = torch.rand(1, 3, *size)
    motion = find_motion(picture, picture)
    assert motion.flow.shape == (1, 2, *size) and motion.trust.shape == (1, 1, *size)
    assert motion.flow.isfinite().all() and not motion.cut


def test_large_pictures_move_in_their_own_pixels():
    large = functional.interpolate(scene(200, 150, seed=1), size=(600, 800), mode="bicubic").clamp(0, 1)
    motion = find_motion(large[..., 8:, :-12], large[..., :-8, 12:])
    inner = motion.flow[..., 60:-60, 60:-60].mean(dim=(0, 2, 3))
    assert (inner - torch.tensor([-12.0, 8.0])).abs().max() < 0.8


def test_a_warp_fetches_along_the_flow():
    picture = torch.rand(1, 3, 20, 30)
    flow = torch.zeros(1, 2, 20, 30)
    flow[:, 0], flow[:, 1] = 3, -2
    moved = warp(picture, flow)
    assert torch.allclose(moved[..., 2:, :-3], picture[..., :-2, 3:], atol=1e-5)
    doubled = scaled(flow, (40, 60))
    assert (doubled[:, 0] == 6).all() and (doubled[:, 1] == -4).all()


def test_being_carried_a_hundred_times_neither_rings_nor_washes_out_what_is_large():
    _, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    coarse = torch.sin(2 * math.pi * x / 16)[None, None].expand(1, 3, 64, 64)
    fine = torch.rand(1, 3, 64, 64) - 0.5
    everywhere = torch.ones(1, 1, 64, 64)
    energy = [fine.square().mean()]
    for number in range(100):
        way = torch.full((1, 2, 64, 64), 0.37 if number % 2 else -0.37)
        motion = Motion(way, everywhere, False)
        coarse, fine = motion.carry(coarse), motion.carry(fine)
        energy.append(fine[..., 8:-8, 8:-8].square().mean())
    assert max(energy) <= energy[0] * 1.01
    once = torch.sin(2 * math.pi * x / 16)[8:-8, 8:-8]
    assert coarse[0, 0, 8:-8, 8:-8].square().mean() > 0.2 * once.square().mean()  # bilinear alone leaves 0.03
