"""The sample photo: a picture, the same each time, alive everywhere, and the same scene at every size."""

import pytest
import torch
import torch.nn.functional as F

from dreamer.motifs.sample_scene import scene


@pytest.fixture(scope="module")
def small():
    return scene(256, 171)


def test_it_is_a_picture(small):
    assert small.shape == (1, 3, 171, 256)
    assert small.dtype == torch.float32
    assert small.isfinite().all()
    assert 0 <= small.min() and small.max() <= 1


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 9), (33, 17), (17, 33), (200, 3), (3, 200)])
def test_any_size_will_do(width, height):
    picture = scene(width, height)
    assert picture.shape == (1, 3, height, width)
    assert picture.isfinite().all()


def test_it_neither_heeds_nor_moves_the_global_random_state(small):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    assert torch.equal(scene(256, 171), small)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_is_another_landscape(small):
    assert (scene(256, 171, seed=1) - small).abs().mean() > 0.03


def test_a_small_picture_resembles_a_large_one(small):
    large = F.interpolate(scene(768, 513), size=(171, 256), mode="area")
    assert torch.corrcoef(torch.stack((small.flatten(), large.flatten())))[0, 1] > 0.9


def test_no_part_of_it_is_flat(small):
    mean, square = F.avg_pool2d(small, 15), F.avg_pool2d(small**2, 15)
    deviation = (square - mean**2).clamp_min(0).sqrt().mean(1)
    assert deviation.min() > 0.005
    assert deviation.median() > 0.03


def test_hardly_a_pixel_is_clipped(small):
    assert ((small <= 0) | (small >= 1)).float().mean() < 0.001


def test_the_sky_is_blue_and_the_horizon_warm(small):
    red, _, blue = small[0]
    assert (blue - red)[:20].mean() > 0.1
    assert (red - blue)[95:110].mean() > (red - blue)[:20].mean()
