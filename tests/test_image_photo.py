import tracemalloc

import numpy as np
import pytest
import torch
from image_samples import noise, rgb_profile, smooth

from dreamer.image import Photo, resize


def test_an_image_is_the_pixels_over_white():
    for dtype in (np.uint8, np.uint16):
        pixels = noise((300, 1100, 3), dtype)  # more than one band
        image = Photo(pixels).image()
        expected = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(dtype).max).permute(2, 0, 1)[None]
        assert image.dtype == torch.float32 and torch.equal(image, expected)


def test_a_change_is_added_rounded_and_clipped():
    photo = Photo(np.array([[[0, 100, 250]]], np.uint8))
    change = torch.tensor([-0.5, 10.4 / 255, 0.5]).reshape(1, 3, 1, 1)
    assert photo.with_change(change).tolist() == [[[0, 110, 255]]]
    deep = Photo(np.array([[[0, 1000, 65000]]], np.uint16))
    change = torch.tensor([-0.5, 3.4 / 65535, 0.5]).reshape(1, 3, 1, 1)
    assert deep.with_change(change).tolist() == [[[0, 1003, 65535]]]


def test_grey_takes_the_luma_of_the_change():
    photo = Photo(np.full((1, 1, 1), 100, np.uint8))
    for channel, share in enumerate((0.299, 0.587, 0.114)):
        change = torch.zeros(1, 3, 1, 1)
        change[0, channel] = 100 / 255
        assert photo.with_change(change).item() == 100 + round(100 * share)


def test_a_change_of_another_size_is_refused():
    with pytest.raises(ValueError, match="the change is"):
        Photo(smooth()).with_change(torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize("profile", [None, rgb_profile()])
def test_memory_beyond_the_result_stays_small(profile):
    photo = Photo(noise((1500, 1500, 3)), profile=profile)
    change = torch.zeros(1, 3, 1500, 1500)
    photo._srgb(slice(0, 1))
    tracemalloc.start()
    photo.with_change(change)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 1500 * 1500 + 40 * (1 << 18) * 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_resized_keeps_depth_proportions_and_levels(dtype, channels):
    level = np.iinfo(dtype).max // 3
    photo = Photo(np.full((30, 60, channels), level, dtype), alpha=np.full((30, 60), level, dtype))
    for side in (20, 90):
        other = photo.resized(side)
        assert other.pixels.shape == (side // 2, side, channels) and other.pixels.dtype == dtype
        assert (other.pixels == level).all() and (other.alpha == level).all()
    assert photo.resized(60) is photo
    assert photo.resized(1).pixels.shape == (1, 1, channels)


def test_resized_does_not_wrap_at_white_and_black():
    pixels = np.zeros((20, 20, 1), np.uint8)
    pixels[:, 10:] = 255
    wide = Photo(pixels).resized(80).pixels[0, :, 0].astype(int)
    assert (wide[:36] < 20).all() and (wide[44:] > 235).all()


def test_resize_is_antialiased_and_returns_what_fits_already():
    image = torch.rand(2, 3, 40, 60)
    assert resize(image, (40, 60)) is image
    assert resize(image, (10, 15)).shape == (2, 3, 10, 15)
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::4] = 1
    assert (resize(stripes, (16, 16))[..., 2:-2] - 0.25).abs().max() < 0.05
