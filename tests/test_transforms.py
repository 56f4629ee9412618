"""The standard set of changes, against the same five done one after the other, in NumPy."""

from itertools import product

import numpy as np
import pytest
import torch

from dreamer.engine.step import Step
from dreamer.ingredients import transforms
from dreamer.motifs.sample_scene import scene
from dreamer.networks.randomness import Randomness


def step(octave=0):
    return Step(octave, 3, 0, 1, 0.0, (0, 0))


def test_warp_is_the_same_throughout_an_octave_and_differs_between_octaves_and_seeds():
    image = scene(96, 128)
    bent = {}
    for seed, octave, number in product((0, 1), (0, 1), (0, 1)):
        with Randomness(seed):
            torch.rand(number + 1)  # what other transforms have drawn before changes nothing
            bent[seed, octave, number] = transforms.warp(image, step=step(octave))(image)
    for seed, octave in product((0, 1), repeat=2):
        assert torch.equal(bent[seed, octave, 0], bent[seed, octave, 1])
    for one, other in (((0, 0, 0), (0, 1, 0)), ((0, 0, 0), (1, 0, 0))):
        assert (bent[one] - bent[other]).abs().mean() > 0.01


def test_warp_bends_but_does_not_tear_and_keeps_the_borders():
    """Places are looked up in a picture of their own coordinates: none moves far, and they keep their order."""
    height, width = 200, 300
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    with Randomness(3):
        apply = transforms.warp(torch.zeros(1, 3, height, width), step=step(), degrees=13.0, pixels=80)
    down, right = apply(torch.stack([y, x])[None].expand(2, -1, -1, -1))[1]
    torch.testing.assert_close(right[:, 0], x[:, 0], atol=1e-6, rtol=0)
    torch.testing.assert_close(down[-1], y[-1], atol=1e-6, rtol=0)
    slopes = torch.stack([right.diff(dim=-1)[:-1], down.diff(dim=-2)[:, :-1]]) - 1
    shears = torch.stack([right.diff(dim=-2)[:, :-1], down.diff(dim=-1)[:-1]])
    assert slopes.min() > -1 and 0.1 < float(torch.cat([slopes, shears]).square().mean().sqrt()) < 0.3


def one_by_one(image, pad, offset, kept, scaled, degrees, start, size):
    """Pad, cut, resize, turn and cut a smooth function of (x, y) as Lucid does: places are looked up, not pixels."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] + 0.5
    x, y = x + start[0], y + start[1]  # the second cut
    angle = np.deg2rad(degrees)
    dx, dy = x - scaled[0] / 2, y - scaled[1] / 2  # the turn, about the middle
    x = np.cos(angle) * dx - np.sin(angle) * dy + scaled[0] / 2
    y = np.sin(angle) * dx + np.cos(angle) * dy + scaled[1] / 2
    x, y = x * kept[0] / scaled[0], y * kept[1] / scaled[1]  # the scale
    return image(x + offset[0] - pad, y + offset[1] - pad)  # the first cut and the border


def drawn(monkeypatch, *numbers):
    """The random whole numbers are these."""
    left = list(numbers)
    monkeypatch.setattr(transforms, "_whole", lambda low, high: left.pop(0))
    return left


@pytest.mark.parametrize("turn", [-10, 0, 7])
def test_standard_is_pad_jitter_scale_rotate_jitter(monkeypatch, turn):
    """On a plane, which bilinear sampling keeps exactly; inside, where no border shows."""
    wide, high = 90, 70
    plane = lambda x, y: 0.2 + 0.004 * x + 0.003 * y  # noqa: E731
    y, x = np.mgrid[0:high, 0:wide] + 0.5
    image = torch.from_numpy(plane(x, y)).expand(2, 3, high, wide)
    left = drawn(monkeypatch, 3, 6, 4, turn, 1, 2)
    result = transforms.standard(image)(image)
    assert not left
    kept = (90 + 24 - 8, 70 + 24 - 8)
    scaled = (round(kept[0] * 1.08), round(kept[1] * 1.08))
    size = (scaled[0] - 4, scaled[1] - 4)
    assert result.shape == (2, 3, size[1], size[0])
    expected = one_by_one(plane, 12, (3, 6), kept, scaled, turn, (1, 2), size)
    inside = one_by_one(
        lambda x, y: (x > 1) & (x < wide - 1) & (y > 1) & (y < high - 1), 12, (3, 6), kept, scaled, turn, (1, 2), size
    )
    assert inside.mean() > 0.5
    np.testing.assert_allclose(result[1, 2].numpy()[inside], expected[inside], atol=1e-9)


def test_standard_without_chance_is_a_border_of_grey():
    image = scene(64, 48)
    result = transforms.standard(image, pad=3, jitter=0, amount=0.0, degrees=0.0, nudge=0)(image)
    torch.testing.assert_close(result, transforms.pad(image, pixels=3)(image), rtol=0, atol=1e-5)
    assert torch.equal(transforms.pad(image, pixels=3)(image)[..., :3], torch.full((1, 3, 54, 3), 0.5))


def test_standard_of_four_pixels_is_as_worked_out_by_hand(monkeypatch):
    """Four pixels, a border of one, the left column and upper row cut off by one: what was at (0, 0) is there."""
    image = torch.tensor([[0.0, 1.0], [0.25, 0.75]], dtype=torch.float64).expand(1, 3, 2, 2)
    drawn(monkeypatch, 1, 1, 0, 0, 0, 0)
    result = transforms.standard(image, pad=1, jitter=1, amount=0.1, nudge=0)(image)
    expected = [[0, 1, 0.5], [0.25, 0.75, 0.5], [0.5, 0.5, 0.5]]
    torch.testing.assert_close(result[0, 1], torch.tensor(expected, dtype=torch.float64))


def test_standard_turns_the_way_that_rotate_does(monkeypatch):
    """A quarter of a turn, which is no matter of sampling."""
    image = scene(48, 48).double()
    drawn(monkeypatch, 0, 0, 0, 10, 0, 0)
    result = transforms.standard(image, pad=0, jitter=0, amount=0.0, degrees=90.0, nudge=0)(image)
    torch.testing.assert_close(result, torch.rot90(image, 1, (-2, -1)), rtol=0, atol=1e-9)
    monkeypatch.setattr(transforms, "_number", lambda low, high: high)
    torch.testing.assert_close(result, transforms.rotate(image, degrees=90.0)(image), rtol=0, atol=1e-4)


def test_standard_draws_all_11_scales_and_21_turns(monkeypatch):
    asked = []
    monkeypatch.setattr(transforms, "_whole", lambda low, high: asked.append((low, high)) or low)
    transforms.standard(scene(64, 48))
    assert asked == [(0, 8), (0, 8), (-5, 5), (-10, 15), (0, 4), (0, 4)]


def test_pad_mirrors():
    image = scene(64, 48)
    padded = transforms.pad(image, pixels=2, border="mirror")(image)
    assert torch.equal(padded[..., 2:-2, 0], image[..., 2]) and padded.shape == (1, 3, 52, 68)


@pytest.mark.parametrize("name", ["pad", "standard"])
def test_the_border_is_grey_around_a_picture_and_nothing_in_a_mask(name):
    image = scene(64, 48)
    apply = getattr(transforms, name)(image)
    corners = [apply(picture)[0, 0, 0, 0].item() for picture in (image, torch.ones(1, 1, 48, 64))]
    assert corners == pytest.approx([0.5, 0.0], abs=1e-6)


def test_noise_stays_off_masks():
    image, mask = scene(64, 48), torch.rand(1, 1, 48, 64)
    apply = transforms.noise(image, sigma=0.1)
    assert apply(mask) is mask
    assert float((apply(image) - image).std()) == pytest.approx(0.1, rel=0.05)
