"""What is changed on the way back through a network, against its formulas in NumPy."""

import numpy as np
import pytest
import torch
from command import photo as photo_file
from command import refused, render
from networks import pooling
from torch import nn

import dreamer
from dreamer.engine.gradient_overrides import GradientOverrides
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import UsageError
from dreamer.image import to_pil
from dreamer.ingredients.objectives import deepdream
from dreamer.motifs.sample_scene import scene

FIRST = Step(0, 2, 0, 10, 0.0, (64, 80))


def back(module, seen, gradient, lens, step=FIRST):
    """What comes out of the module, and what comes back through it."""
    leaf = torch.as_tensor(seen, dtype=torch.float64).clone().requires_grad_()
    with lens.applied_to(module, step):
        answer = module(leaf * 1.0)
        (slope,) = torch.autograd.grad(answer, leaf, torch.as_tensor(gradient, dtype=torch.float64))
    return answer.detach(), slope


def test_a_shut_relu_lets_pass_what_opens_it():
    """Two pictures: of the first nothing would come through, so that all comes but what closes further."""
    seen = [[-1.0, -2.0, -3.0], [1.0, -2.0, -3.0]]
    gradient = [[5.0, -5.0, 2.0], [7.0, 5.0, -5.0]]
    answer, slope = back(nn.ReLU(), seen, gradient, GradientOverrides(redirect=16))
    np.testing.assert_array_equal(answer, np.maximum(seen, 0))
    np.testing.assert_array_equal(slope, [[5, 0, 2], [7, 0, 0]])
    _, usual = back(nn.ReLU(), seen, gradient, GradientOverrides())
    np.testing.assert_array_equal(usual, [[0, 0, 0], [7, 0, 0]])


@pytest.mark.parametrize("relu", [nn.ReLU(), nn.ReLU(inplace=True), torch.relu, torch.nn.functional.relu])
def test_a_relu_is_redirected_however_it_is_written(relu):
    module = nn.Sequential()
    module.forward = lambda seen: relu(seen)
    _, slope = back(module, [[-1.0]], [[5.0]], GradientOverrides(redirect=1))
    assert slope.item() == 5


def test_a_relu6_is_shut_above_too():
    seen, gradient = [[-1.0, 7.0, -1.0, 7.0]], [[2.0, -2.0, -2.0, 2.0]]
    answer, slope = back(nn.ReLU6(), seen, gradient, GradientOverrides(redirect=16))
    np.testing.assert_array_equal(answer, [[0, 6, 0, 6]])
    np.testing.assert_array_equal(slope, [[2, -2, 0, 0]])


def test_it_ends_after_so_many_steps_of_the_whole_dream():
    lens = GradientOverrides(redirect=16)
    steps = [(octave, number) for octave in range(3) for number in range(10)]
    redirected = [
        (octave, number)
        for octave, number in steps
        if lens.redirects(Step(octave, 3, number, 10, 0.0, (9, 9), earlier=10 * octave))
    ]
    assert redirected == steps[:16]
    _, slope = back(nn.ReLU(), [[-1.0]], [[5.0]], lens, Step(1, 3, 6, 10, 0.0, (9, 9), earlier=10))
    assert slope.item() == 0


def test_octaves_with_fewer_and_fewer_steps_are_counted_by_their_own():
    taken: list[Step] = []
    octaves = {"count": 3, "steps": 8, "taper": 0.57}
    dreamer.dream(np.full((64, 64, 3), 128, np.uint8), network=pooling(), octaves=octaves, on_step=taken.append)
    assert [step.count for step in taken] == [8] * 8 + [5] * 5 + [3] * 3
    lens = GradientOverrides(redirect=10)
    assert [lens.redirects(step) for step in taken] == [True] * 10 + [False] * 6


@pytest.mark.parametrize("sizes", [(2, 2, 0), (3, 2, 1), (3, 1, 0)])
def test_smooth_pooling_hands_on_in_proportion(sizes):
    """The gradient of mean(a^2) / (0.01 + mean |a|) over each window, window by window; the answer is the maximum."""
    kernel, stride, padding = sizes
    pool = nn.MaxPool2d(kernel, stride, padding)
    seen = np.random.default_rng(0).normal(size=(1, 2, 7, 8))
    answer, _ = back(pool, seen, np.zeros(pool(torch.from_numpy(seen)).shape), GradientOverrides(smooth_pooling=True))
    np.testing.assert_array_equal(answer, pool(torch.from_numpy(seen)))
    gradient = np.random.default_rng(1).normal(size=answer.shape)
    wanted = np.zeros_like(seen)
    for c in range(2):
        for i in range(answer.shape[2]):
            for j in range(answer.shape[3]):
                top, left = i * stride - padding, j * stride - padding
                rows = slice(max(top, 0), min(top + kernel, 7))
                columns = slice(max(left, 0), min(left + kernel, 8))
                window = seen[0, c, rows, columns]
                n, square, size = window.size, (window**2).mean(), 0.01 + np.abs(window).mean()
                slope = 2 * window / n / size - square / size**2 * np.sign(window) / n
                wanted[0, c, rows, columns] += gradient[0, c, i, j] * slope
    _, slope = back(pool, seen, gradient, GradientOverrides(smooth_pooling=True))
    np.testing.assert_allclose(slope, wanted, rtol=1e-9, atol=1e-12)


def test_smooth_pooling_of_one_and_three_is_as_computed_by_hand():
    """A window of 1 and 3: mean square 5, mean 2 (and 0.01): the 3 gets most, the 1 a little less than nothing."""
    _, slope = back(nn.MaxPool2d((1, 2)), [[[[1.0, 3.0]]]], [[[[1.0]]]], GradientOverrides(smooth_pooling=True))
    np.testing.assert_allclose(slope[0, 0, 0], [1 / 2.01 - 2.5 / 2.01**2, 3 / 2.01 - 2.5 / 2.01**2])


def looking(lens, tile=0):
    term = WeightedObjective("deepdream", 1.0, "two", lambda seen, moment: deepdream(seen))
    options = {"device": torch.device("cpu"), "precision": torch.float64, "notify": print}
    return Scorer(pooling(), (term,), tile=tile, overrides=lens, **options)


def test_smooth_pooling_is_exact_in_tiles():
    image = scene(96, 80).double()
    moment = StepContext(image, image, FIRST)
    whole, tiled, plain = (
        looking(lens, tile).gradient(image, moment)[1]
        for lens, tile in (
            (GradientOverrides(smooth_pooling=True), 0),
            (GradientOverrides(smooth_pooling=True), 32),
            (GradientOverrides(), 0),
        )
    )
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-9 * float(whole.abs().max()))
    assert not torch.allclose(whole, plain, rtol=0.01)


def test_redirected_gradients_are_not_for_tiles():
    image = scene(96, 80).double()
    with pytest.raises(UsageError, match="redirect cannot be tiled"):
        looking(GradientOverrides(redirect=16), 32).gradient(image, StepContext(image, image, FIRST))
    looking(GradientOverrides(redirect=5), 32).gradient(
        image, StepContext(image, image, Step(0, 1, 5, 10, 0.0, (80, 96)))
    )


def test_weights_waver_and_come_back():
    module = nn.Linear(40, 50)
    before = module.weight.clone()
    drawn = []
    with pytest.raises(ZeroDivisionError):
        for _ in range(3):
            with GradientOverrides(weight_noise=0.2).applied_to(module, FIRST):
                drawn.append((module.weight / before - 1).detach())
        with GradientOverrides(weight_noise=0.2).applied_to(module, FIRST):
            _ = 1 / 0
    assert torch.equal(module.weight, before)
    assert not torch.equal(drawn[0], drawn[1])
    noise = torch.stack(drawn)
    assert float(noise.std()) == pytest.approx(0.2, rel=0.05) and abs(float(noise.mean())) < 0.01


def test_noise_of_weights_shows_in_the_gradient_and_follows_the_seed():
    image = scene(64, 48).double()
    moment = StepContext(image, image, FIRST)
    sight = looking(GradientOverrides(weight_noise=0.2))
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(sight.gradient(image, moment)[1])
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert not torch.equal(looking(GradientOverrides()).gradient(image, moment)[1], found[0])


@pytest.mark.parametrize("change", [{"smooth_pooling": True}, {"weight_noise": 0.2}])
def test_a_recipe_sets_it_for_every_step(change, monkeypatch):
    used, before = [], GradientOverrides.applied_to
    monkeypatch.setattr(GradientOverrides, "applied_to", lambda lens, *where: used.append(lens) or before(lens, *where))
    picture = to_pil(scene(96, 64))
    plain, changed = (
        np.asarray(dreamer.dream(picture, network=pooling(), octaves={"count": 1, "steps": 2}, **more), int)
        for more in ({}, change)
    )
    assert used[: len(used) // 2] == [GradientOverrides()] * 2
    assert used[len(used) // 2 :] == [GradientOverrides(**change)] * 2
    assert np.abs(plain - changed).mean() > 0.2


def test_a_recipe_that_redirects_cannot_be_tiled(tmp_path):
    path = photo_file(tmp_path / "a.png", 200, 160)
    ran = render(path, "--set", "redirect=16", "--tile", "64", "--set", "octaves.count=1")
    refused(ran, "redirect cannot be tiled", "redirect=0")
