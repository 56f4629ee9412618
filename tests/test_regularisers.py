"""Priors, updates and crops against their formulas, written in NumPy, and one case of each worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dreamer.engine.ascent import Ascent
from dreamer.engine.step import Step, StepContext
from dreamer.ingredients import priors, transforms, updates
from dreamer.motifs.sample_scene import scene

STEP = Step(0, 1, 3, 10, 0.5, (9, 11))  # the fourth: when things that happen every fourth time happen


@pytest.fixture
def image():
    return torch.rand(2, 3, 9, 11, dtype=torch.float64)


def row(*values):
    """A grey picture of one row."""
    return torch.tensor(values, dtype=torch.float64).expand(1, 3, 1, len(values)).clone()


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-7, atol=1e-9)


# priors


@pytest.mark.parametrize("power", [1.0, 2.0, 2.5])
def test_total_variation_takes_a_power(image, power):
    x = image.numpy()
    wanted = (np.abs(np.diff(x, axis=2)) ** power).mean() + (np.abs(np.diff(x, axis=3)) ** power).mean()
    same(priors.total_variation(image, power=power), wanted)


def test_total_variation_of_two_steps_is_as_computed_by_hand():
    """Steps of 0.1 and 0.3, in both of two rows: (0.01 + 0.09) / 2 across, nothing down."""
    two = torch.cat([row(0.2, 0.3, 0.6)] * 2, 2)
    same(priors.total_variation(two, power=2.0), 0.05)


def test_l1_and_l2_are_distances_from_grey(image):
    x = image.numpy()
    same(priors.l1(image, grey=0.4), np.abs(x - 0.4).sum() / x.size)
    same(priors.l2(image, grey=0.4), np.sqrt(1e-6 + ((x - 0.4) ** 2).sum() / x.size))
    same(priors.l1(row(0.5, 0.9)), 0.2)
    assert float(priors.l2(row(0.5, 0.9))) == pytest.approx((0.16 / 2) ** 0.5, abs=1e-5)


def test_blur_pulls_each_pixel_to_its_blurred_self(image):
    """Half the squared difference from a blur that stands still: its slope is that difference."""
    x = image.numpy()
    blurred = np.zeros_like(x)
    for i in range(9):
        for j in range(11):
            total, weights = 0, 0
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if 0 <= i + di < 9 and 0 <= j + dj < 11:
                        weight = 1 if di == dj == 0 else 0.5
                        total, weights = total + weight * x[:, :, i + di, j + dj], weights + weight
            blurred[:, :, i, j] = total / weights
    leaf = image.requires_grad_()
    score = priors.blur(leaf)
    (slope,) = torch.autograd.grad(score, leaf)
    same(score.detach(), ((x - blurred) ** 2).mean() / 2)
    same(slope * x.size, x - blurred)


def test_blur_of_two_pixels_is_as_computed_by_hand():
    """1 beside 0: its blur is (1 + 0) / 1.5 = 2/3 there, 1/3 here; half the mean square of 1/3."""
    same(priors.blur(row(1.0, 0.0)), 1 / 18)


# updates


def test_bilateral_is_a_blur_by_place_and_colour(image):
    x, sigma, contrast = image.numpy(), 0.8, 0.4
    reach = round(2 * sigma)
    padded = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="reflect")
    wanted = np.zeros_like(x)
    for b in range(2):
        for i in range(9):
            for j in range(11):
                part = padded[b, :, i : i + 2 * reach + 1, j : j + 2 * reach + 1]
                y, z = np.mgrid[-reach : reach + 1, -reach : reach + 1]
                place = np.exp(-(y**2 + z**2) / (2 * sigma**2))
                colour = np.exp(-((part - x[b, :, i, j][:, None, None]) ** 2).sum(0) / (2 * contrast**2))
                wanted[b, :, i, j] = (part * place * colour).sum((1, 2)) / (place * colour).sum()
    same(updates.bilateral(image, step=STEP, sigma=sigma, contrast=contrast), wanted)


def test_bilateral_keeps_an_edge_and_takes_the_grain_away():
    grain = 0.02 * torch.randn(1, 3, 24, 24)
    edge = torch.where(torch.arange(24) < 12, 0.2, 0.8).expand(1, 3, 24, 24)
    calm = updates.bilateral(edge + grain, step=STEP, sigma=2.0)
    assert (calm - edge).std() < grain.std() / 2
    assert (calm - edge).abs().max() < 0.05
    assert torch.equal(updates.bilateral(edge, step=replace(STEP, number=4)), edge)


def test_decay_goes_to_the_photo_or_to_grey(image):
    photo = torch.rand(1, 3, 9, 11, dtype=torch.float64)
    same(updates.decay(image, photo=photo, rate=0.3), 0.7 * image.numpy() + 0.3 * photo.numpy())
    same(updates.decay(image, photo=photo, rate=0.3, to="grey"), 0.7 * (image.numpy() - 0.5) + 0.5)


@pytest.mark.parametrize("to", ["photo", "grey"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_the_smallest_share_by_norm_or_contribution_goes_back(image, to, share):
    photo = torch.rand(1, 3, 9, 11, dtype=torch.float64)
    gradient = torch.randn(2, 3, 9, 11, dtype=torch.float64)
    x = image.numpy()
    rest = photo.numpy() if to == "photo" else np.full((1, 3, 9, 11), 0.5)
    norm = np.sqrt(((x - rest) ** 2).sum(1))
    contribution = np.abs(((x - rest) * gradient.numpy()).sum(1))
    for size, found in (
        (norm, updates.small_norm(image, photo=photo, share=share, to=to)),
        (contribution, updates.small_contribution(image, photo=photo, gradient=gradient, share=share, to=to)),
    ):
        for b in range(2):
            small = size[b] < np.percentile(size[b], 100 * share, method="nearest")
            assert abs(small.mean() - share) < 0.02
            same(found[b], np.where(small, rest[0], x[b]))


def test_the_small_ones_of_three_pixels_are_as_found_by_hand():
    """Changes of 0.1, 0.2, 0.3 whose gradients are 9, 1, 2: the first is smallest, the second matters least."""
    photo, image = row(0.5, 0.5, 0.5), row(0.6, 0.3, 0.8)
    gradient = row(9.0, 1.0, 2.0)
    same(updates.small_norm(image, photo=photo, share=0.5), row(0.5, 0.3, 0.8))
    same(updates.small_contribution(image, photo=photo, gradient=gradient, share=0.5), row(0.6, 0.5, 0.8))


def test_an_update_is_given_the_gradient_before_the_filters():
    image = torch.rand(1, 3, 6, 8)
    slope = torch.randn(1, 3, 6, 8)
    given = []

    def watch(picture, moment):
        given.append(moment.gradient)
        return picture

    for keeps in (True, False):
        ascent = Ascent(
            lambda image, moment: (1.0, slope.clone()),
            gradient_filters=(lambda gradient, moment: gradient.mul_(7),),
            updates=(watch,),
            keeps_gradient=keeps,
        )
        ascent.step(image, image, 0.01, StepContext(image, image, STEP))
    torch.testing.assert_close(given[0], slope)
    assert given[1] is None


def test_an_update_of_a_recipe_is_given_the_gradient():
    import dreamer

    changes = {"octaves": {"count": 1, "steps": 2}, "updates": [{"name": "small_contribution", "share": 0.9}]}
    picture = dreamer.dream(_photo(), **changes)
    plain = dreamer.dream(_photo(), octaves=changes["octaves"])
    moved = [(np.asarray(one, float) - np.asarray(_photo(), float)) != 0 for one in (picture, plain)]
    assert moved[0].any(2).mean() < 0.4 < moved[1].any(2).mean()


def _photo():
    from dreamer.image import to_pil

    return to_pil(scene(96, 64))


# crops


def test_crops_shrink_about_the_middle(monkeypatch):
    """A ramp tells where a crop lies: its mean is its middle, its slope its size."""
    ramp = (torch.arange(200, dtype=torch.float64) + 0.5).div(200).expand(1, 3, 100, 200)
    monkeypatch.setattr(torch, "randn", lambda *size: torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    for share, side in ((0.0, 50), (0.5, 30), (1.0, 10)):
        apply = transforms.crops(
            ramp, step=replace(STEP, share=share), count=2, size=40, first=0.5, last=0.1, spread=0.1
        )
        views = apply(ramp)
        assert views.shape == (2, 3, 40, 40)
        same(views.mean((1, 2, 3)), [0.5, 0.3])  # the second two deviations of a tenth to the left
        slope = (views[0, 0, 0, 21] - views[0, 0, 0, 19]) / 2
        assert float(slope) == pytest.approx(side / 200 / 40, rel=0.05)


def test_crops_stay_inside():
    image = scene(64, 48)
    views = transforms.crops(image, step=STEP, count=32, size=16, spread=1.0)(image)
    assert float(views.min()) >= float(image.min()) - 1e-6 and float(views.max()) <= float(image.max()) + 1e-6
