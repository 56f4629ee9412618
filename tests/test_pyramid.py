from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from dreamer.engine.laplacian import add_expanded, merge, reduce, split
from dreamer.engine.octaves import Octave, octave_sizes, rising_sizes, tapered

SIZES = [(64, 64), (37, 50), (38, 49), (17, 33), (16, 16), (333, 64)]


def kernel() -> torch.Tensor:
    taps = torch.tensor([1, 4, 6, 4, 1], dtype=torch.float64) / 16
    return (taps[:, None] * taps).expand(3, 1, 5, 5)


@pytest.mark.parametrize("size", SIZES)
def test_reduce_is_a_reflecting_convolution_at_every_second_pixel(size):
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    padded = F.pad(image, (2, 2, 2, 2), mode="reflect")
    expected = F.conv2d(padded, kernel(), stride=2, groups=3)
    torch.testing.assert_close(reduce(image), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_expand_is_the_transposed_convolution_times_four(size):
    height, width = size
    coarse = torch.randn(1, 3, (height + 1) // 2, (width + 1) // 2, dtype=torch.float64)
    expected = F.conv_transpose2d(coarse, 4 * kernel(), stride=2, groups=3)[..., 2 : 2 + height, 2 : 2 + width]
    expanded = add_expanded(torch.zeros(1, 3, height, width, dtype=torch.float64), coarse)
    inside = (
        ...,
        slice(2, height - 2),
        slice(2, width - 2),
    )  # the borders reflect; a transposed convolution fades
    torch.testing.assert_close(expanded[inside], expected[inside], rtol=0, atol=1e-12)
    flat = add_expanded(torch.zeros_like(expanded), torch.ones_like(coarse))
    torch.testing.assert_close(flat, torch.ones_like(flat), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("levels", [1, 4, 9])
def test_merge_undoes_split(size, levels):
    image = torch.randn(1, 3, *size)
    torch.testing.assert_close(merge(split(image.clone(), levels)), image, rtol=0, atol=1e-6)


def test_bands_stop_before_a_side_falls_under_eight_pixels():
    bands = split(torch.randn(1, 3, 37, 500), 9)
    assert [band.shape[-2] for band in bands] == [37, 19, 10]


def test_octaves_follow_the_formula():
    sizes = octave_sizes(683, 1024, smallest=160, scale=1.4, count=4)
    assert sizes == [(round(683 / 1.4**k), round(1024 / 1.4**k)) for k in (3, 2, 1, 0)]


@pytest.mark.parametrize(("side", "count"), [(100, 1), (160, 1), (223, 1), (224, 2), (3000, 9)])
def test_octaves_start_at_the_smallest_side(side, count):
    sizes = octave_sizes(side, 2 * side, smallest=160, scale=1.4)
    assert len(sizes) == count
    assert sizes[-1] == (side, 2 * side)
    assert min(sizes[0]) >= min(side, 160)


def test_tapered_octaves_have_fewer_and_longer_steps():
    sizes = [(100, 150), (140, 210), (196, 294), (274, 411)]
    plain = tapered(sizes, 10, 0.01, 1.0, 1.0)
    assert plain == tuple(Octave(size, 10, 0.01) for size in sizes)
    fewer = tapered(sizes, 10, 0.01, 0.5, 0.9)
    assert [octave.steps for octave in fewer] == [10, 5, 2, 2]
    for number, octave in enumerate(fewer):
        assert octave.size == sizes[number] and octave.steps * octave.step_size == pytest.approx(0.1 * 0.9**number)
    assert [octave.steps for octave in tapered(sizes, 1, 0.01, 0.5, 1.0)] == [1, 1, 1, 1]
    assert [octave.steps for octave in tapered(sizes, 0, 0.01, 0.5, 1.0)] == [0, 0, 0, 0]


@pytest.mark.parametrize("smallest", [40, 64, 160, 5000])
def test_rising_sizes_are_the_same_for_a_preview_and_a_print(smallest):
    preview, whole = (rising_sizes(h, w, smallest=smallest, scale=1.4) for h, w in ((600, 800), (3000, 4000)))
    assert preview[-1] == (600, 800) and whole[-1] == (3000, 4000)
    shared = [size for size in whole if size[0] < 600 / 1.4**0.5]
    assert preview[:-1] == shared
    for sizes in (preview, whole):
        ratios = [b[0] / a[0] for a, b in pairwise(sizes)]
        assert all(1.4**0.5 * 0.98 < ratio < 1.4**1.5 * 1.02 for ratio in ratios)
        assert sizes[0][0] == min(smallest, sizes[-1][0])


def test_a_share_of_an_octave_goes_that_share_of_the_way():
    octave = Octave((60, 80), 10, 0.01)
    assert octave.lessened(1.0) == octave
    assert octave.lessened(1 - 0.7) == Octave((60, 80), 3, pytest.approx(0.01))
    assert octave.lessened(0.25) == Octave((60, 80), 3, pytest.approx(0.01 * 2.5 / 3))
    assert octave.lessened(0.05) == Octave((60, 80), 1, pytest.approx(0.005))
    assert Octave((60, 80), 0, 0.01).lessened(0.3).steps == 0
