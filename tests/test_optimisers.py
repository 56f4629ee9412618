"""Optimisers: each climbs; the dream's own step goes as far as it says; the searches beat chance without a gradient."""

import statistics
import sys
from dataclasses import replace
from functools import cache

import pytest
import torch
from networks import pooling as tiny
from torch import nn

from dreamer.api import registry
from dreamer.engine.device import Machine
from dreamer.errors import UsageError
from dreamer.ingredients import optimisers
from dreamer.ingredients.canvases import cppn, fourier
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.testing import tiny_network
from dreamer.visualization.unit import FROM_NOTHING, Unit, grey

NAMES = registry().ingredients["optimisers"].names()
SIDE = 32
SMALL = {"name": "fourier", "frequencies": 2}
CPU = Machine("cpu", "float32", 0)


def composed(words, network=None, seed=0):
    words = {**FROM_NOTHING, "size": SIDE, "seed": seed, "transforms": [], **words}
    aim = lambda network, words: Unit(channel=3).objectives(network, None, (SIDE, SIDE))  # noqa: E731
    return build(words, registry(), network=network or tiny(), machine=CPU, aim=aim)


def climbed(pipeline):
    """The score before the first step, and of the finished picture."""
    steps = []
    picture = pipeline.ascend(grey(SIDE, SIDE), on_step=steps.append)
    layer = pipeline.layers[0]
    return steps[0].score, float(pipeline.network.features(picture, [layer])[layer][:, 3].mean())


@pytest.mark.parametrize("name", NAMES)
def test_every_optimiser_raises_the_score(name):
    words = {"octaves": {"count": 1, "steps": 12}, "canvas": SMALL, "optimiser": {"name": name}}
    before, after = climbed(composed(words))
    assert after > before + 0.02


@pytest.mark.parametrize(("name", "torchs"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adam_takes_the_steps_of_torchs_own(name, torchs):
    def parameters():
        torch.manual_seed(0)
        values = (torch.randn(3, 5), torch.randn(4, dtype=torch.complex64), torch.ones(2))  # the last has no gradient
        return [value.requires_grad_() for value in values]

    def climbed(optimiser, parameters):
        def closure():
            loss = (parameters[0].square().sum() - 3) ** 2 + parameters[1].abs().sum()
            for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters[:2]), strict=False):
                parameter.grad = slope
            return loss

        losses = [float(optimiser.step(closure).detach()) for _ in range(7)]
        return losses, [parameter.detach() for parameter in parameters]

    own, theirs = parameters(), parameters()
    decay = {"weight_decay": 0.1} if name == "adamw" else {}
    found = climbed(getattr(optimisers, name)(own, rate=0.1, beta1=0.8, **({"decay": 0.1} if decay else {})), own)
    expected = climbed(torchs(theirs, lr=0.1, betas=(0.8, 0.999), **decay), theirs)
    assert found[0] == expected[0] and all(map(torch.equal, found[1], expected[1]))


def test_ascent_moves_the_picture_by_the_step_size_whatever_the_canvas():
    for make in (fourier, cppn):
        torch.manual_seed(0)
        canvas = make(torch.full((1, 3, 40, 56), 0.5))
        canvas.parameters[0].data.add_(torch.randn(canvas.parameters[0].shape))
        own = optimisers.ascent(canvas.parameters, paint=canvas.paint, step_size=0.004)
        up = scene(56, 40) - 0.5

        def closure(canvas=canvas, up=up):
            loss = -(canvas.paint() * up).mean()
            for parameter, slope in zip(canvas.parameters, torch.autograd.grad(loss, canvas.parameters), strict=True):
                parameter.grad = slope
            return loss.detach()

        losses = []
        for _ in range(4):
            before = canvas.paint().detach()
            losses.append(float(own.step(closure)))
            moved = (canvas.paint().detach() - before).square().mean().sqrt().item()
        assert moved == pytest.approx(0.004, rel=0.1), make.__name__
        assert losses == sorted(losses, reverse=True)


class Shut(nn.Module):
    """A network that lets no gradient through, as one that runs elsewhere would."""

    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, image):
        with torch.no_grad():
            return self.inside(image)


def shut():
    return replace(tiny_network(), module=Shut(tiny_network().module), default_layer="inside.two", heads={})


def test_an_optimiser_that_needs_a_gradient_refuses_a_network_without_one():
    with pytest.raises(
        UsageError, match="adam climbs by the gradient, and tiny gives none; cma-es and genetic"
    ) as told:
        composed({"canvas": {"name": "fourier"}}, shut())
    assert len(told.value.problems) == 1


@pytest.mark.parametrize("name", ["genetic", "cma-es"])
def test_searches_beat_chance_by_a_fifth_without_a_gradient(name):
    """At equal evaluations, the median of three seeds; chance draws from the best of three widths."""
    network, won = shut(), []
    for seed in range(3):
        words = {"octaves": {"count": 1, "steps": EVALUATIONS // 24}, "canvas": SMALL}
        pipeline = composed({**words, "optimiser": {"name": name, "population": 24}}, network, seed)
        won.append(climbed(pipeline)[1])
    assert statistics.median(won) > 1.2 * by_chance()


EVALUATIONS = 384


@cache
def by_chance():
    """The best of so many pictures drawn at random on the same canvas, of the best width; the median of three seeds."""
    network, best = shut(), []
    layer = network.default_layer
    for seed in range(3):
        scores = []
        for sigma in (0.5, 1.0, 2.0):
            torch.manual_seed(seed)
            blank = torch.full((EVALUATIONS, 3, SIDE, SIDE), 0.5)
            pictures = fourier(blank, frequencies=2, sigma=sigma).paint().detach()
            scores.append(float(network.features(pictures, [layer])[layer][:, 3].mean((1, 2)).max()))
        best.append(max(scores))
    return statistics.median(best)


def test_without_its_package_cma_es_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(UsageError, match=r"pip install 'dreamer-art\[search\]'"):
        composed({"canvas": SMALL, "optimiser": {"name": "cma-es"}})


def test_cma_es_says_how_small_a_canvas_must_be():
    with pytest.raises(
        UsageError, match=r"at most 2000 numbers, and this canvas has 3264; .*canvas={'frequencies': 6}"
    ):
        composed({"canvas": {"name": "fourier"}, "optimiser": {"name": "cma-es"}})


def test_within_a_step_every_look_is_at_the_same_transforms():
    """Else a search would choose the luckiest view, and a line search would compare two different hills."""
    words = {
        "octaves": {"count": 1, "steps": 3},
        "canvas": {**SMALL, "sigma": 1.0},
        "transforms": [{"name": "standard"}],
    }
    seen = []

    def still(parameters):
        """Looks three times a step and stays."""

        class Still:
            gradient_free = True

            def step(self, closure):
                seen.append([float(closure()) for _ in range(3) if torch.rand(1) >= 0])  # it has dice of its own

        return Still()

    names = registry()
    names.ingredients["optimisers"].entries.pop("tests:still", None)
    names.add_ingredient("optimisers", still, "still", "tests")
    try:
        composed({**words, "optimiser": {"name": "still"}}).ascend(grey(SIDE, SIDE))
    finally:
        del names.ingredients["optimisers"].entries["tests:still"]
    assert len(seen) == 3 and all(len(set(looks)) == 1 for looks in seen)
    assert len({looks[0] for looks in seen}) == 3
