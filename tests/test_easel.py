"""What authors of canvases and optimisers are told: each promise, broken on purpose, and what keeps them all."""

import sys
from types import ModuleType
from typing import Annotated

import pytest
import torch

from dreamer import Canvas, Range, hookimpl
from dreamer.api import registry
from dreamer.testing import examine
from dreamer.testing.cases import Fixtures
from dreamer.testing.runner import try_entry


def brings(**things):
    """A plugin module whose hooks register these."""
    module = ModuleType("dreamer_try")
    for kind, thing in things.items():
        setattr(module, f"register_{kind}", hookimpl(lambda register, thing=thing: register(thing)))
    return module


def painted(image, start=0.0):
    values = torch.full_like(image, start).requires_grad_()
    return values, lambda: values.sigmoid()


def plain(image, *, start: Annotated[float, Range(-3, 3)] = 0.0):
    """A picture for itself."""
    values, paint = painted(image, start)
    return Canvas((values,), paint)


def generated(image):
    """A generator and its code: whatever paints is a canvas."""
    generator = torch.nn.ConvTranspose2d(4, 3, 8, 8).requires_grad_(False).to(image.device)
    code = torch.randn(len(image), 4, 6, 6, device=image.device).requires_grad_()

    def paint():
        return torch.nn.functional.interpolate(generator(code), image.shape[-2:], mode="bilinear").sigmoid()

    return Canvas((code,), paint)


def a_pair(image):
    """Parameters and a function, loose."""
    return painted(image)


def stuck(image):
    """Nothing can be moved."""
    values = torch.zeros_like(image)
    return Canvas((values,), lambda: values.sigmoid())


def too_large(image):
    """Twice as wide."""
    values, paint = painted(image)
    return Canvas((values,), lambda: torch.cat((paint(), paint()), 3))


def too_bright(image):
    """Whiter than white."""
    values, paint = painted(image)
    return Canvas((values,), lambda: paint() + 1)


def nowhere(image):
    """Not a number."""
    values, paint = painted(image)
    return Canvas((values,), lambda: paint() / 0 - paint() / 0)


def flicker(image):
    """Another picture each time."""
    values, paint = painted(image)
    return Canvas((values,), lambda: paint() * torch.rand(()))


def cut_off(image):
    """No way back."""
    values, paint = painted(image)
    return Canvas((values,), lambda: paint().detach().requires_grad_() * 1.0 + 0 * values.sum())


def overwriting(image):
    """Writes on its image."""
    values, paint = painted(image)
    image.zero_()
    return Canvas((values,), paint)


def climbing(image, *, step_size: float):
    """Asks for what optimisers are given."""
    return plain(image)


@pytest.mark.parametrize(
    ("canvas", "words"),
    [
        (a_pair, "returns a tuple; expected a dreamer.Canvas(parameters, paint)"),
        (stuck, "parameters that cannot be optimised"),
        (too_large, "paints (1, 3, 72, 192); expected (1, 3, 72, 96)"),
        (too_bright, "leaves the range 0 to 1"),
        (nowhere, "paints NaN or Inf"),
        (flicker, "another picture under the same seed"),
        (cut_off, "no gradient reaches its parameters"),
        (overwriting, "changes its image in place"),
        (climbing, "takes step_size, which only optimisers get"),
    ],
    ids=lambda case: getattr(case, "__name__", None),
)
def test_a_broken_canvas_is_told_in_a_sentence(canvas, words):
    plugin, *rest = examine(brings(canvases=canvas))
    assert plugin.ok and any(words in finding.sentence for finding in rest if finding.verdict == "broken"), rest


def by_hand(parameters, *, rate: Annotated[float, Range(0.01, 0.5)] = 0.1):
    """Downhill, by hand."""

    class Own:
        def step(self, closure):
            closure()
            for parameter in parameters:
                parameter.data.sub_(parameter.grad, alpha=rate)

    return Own()


def uphill(parameters):
    """The wrong way."""
    return torch.optim.SGD(parameters, lr=0.1, maximize=True)


def exploding(parameters, *, rate: Annotated[float, Range(0, 1)] = 0.1):
    """Divides by what is left of one."""
    return by_hand(parameters, rate=rate / (1 - rate) if rate < 1 else float("inf"))


def drunk(parameters):
    """Steps of any length, by other dice than torch's."""
    import random

    return by_hand(parameters, rate=random.SystemRandom().uniform(0.05, 0.1))


@pytest.mark.parametrize(
    ("optimiser", "words"),
    [
        (uphill, "does not make the loss smaller"),
        (exploding, "changes its parameters to NaN or Inf with rate = 1"),
        (drunk, "has another result under the same seed"),
    ],
    ids=lambda case: getattr(case, "__name__", None),
)
def test_a_broken_optimiser_is_told_in_a_sentence(optimiser, words):
    plugin, *rest = examine(brings(optimisers=optimiser))
    assert plugin.ok and any(words in finding.sentence for finding in rest if finding.verdict == "broken"), rest


@pytest.mark.parametrize("canvas", [plain, generated], ids=lambda case: case.__name__)
def test_a_good_canvas_and_a_good_optimiser_keep_every_promise(canvas):
    _, *found = examine(brings(canvases=canvas, optimisers=by_hand))
    tries = 6 if canvas is plain else 4  # four pictures, and both ends of each option's range
    assert [str(finding) for finding in found] == [
        f"canvas {canvas.__name__}: keeps every promise in {tries} tests",
        "optimiser by_hand: keeps every promise in 3 tests",
    ]
    assert all(finding.ok for finding in found)


def test_an_optimiser_whose_package_is_absent_is_left_untried(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    entry = registry().ingredients["optimisers"].get("cma-es")
    (finding,) = try_entry("optimisers", entry, Fixtures())
    assert finding.ok is None and "pip install" in finding.sentence
    assert try_entry("canvases", registry().ingredients["canvases"].get("fourier"), Fixtures())[0].ok
