"""Cut-outs: the mathematics against autograd in float64, and the files that come of them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from command import dreamer as command
from command import refused
from networks import tiny
from PIL import Image

import dreamer
from dreamer.api import registry
from dreamer.engine import cutout
from dreamer.engine.ascent import Ascent
from dreamer.engine.cutout import Cutout
from dreamer.engine.step import Step, StepContext
from dreamer.errors import DreamerError
from dreamer.image import load, to_pil
from dreamer.networks.randomness import Randomness
from dreamer.pipeline.build import Request
from dreamer.visualization.unit import Unit, visualization

SMALL = {"size": 48, "octaves": {"count": 1, "steps": 3}}


@cache
def both():
    """Colours and alphas of two pictures, (4, 3, 40, 56)."""
    return torch.rand(4, 3, 40, 56, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def at(image, share=0.5):
    return StepContext(image, image, Step(0, 1, 0, 1, share, tuple(image.shape[-2:])))


def score_of(seen):
    return (seen.square() * torch.linspace(-1, 1, seen.shape[-1], dtype=seen.dtype)).sum()


def ascent():
    def gradient(seen, context):
        assert len(seen) == len(context.photo) == len(context.image) == 2
        with torch.enable_grad():
            leaf = seen.detach().requires_grad_()
            (slope,) = torch.autograd.grad(score_of(leaf), leaf)
        return float(score_of(seen)), slope

    return Ascent(gradient, colour=0.0, score=lambda seen, context: float(score_of(seen)))


def test_the_direction_is_the_gradient_of_the_score_on_a_ground_less_the_cost():
    image = both()
    with Randomness(3):
        _, found, context = Cutout(ascent()).direction(image, at(image))
    assert len(context.image) == 4
    leaf = image.clone().requires_grad_()
    colours, alpha = cutout.parts(leaf)
    with Randomness(3):
        ground = cutout.ground(colours.detach())
    rms = alpha.detach().square().mean((1, 2, 3)).sqrt()
    scores = [score_of(ground[b] + alpha[b] * (colours[b] - ground[b])) / rms[b] for b in range(2)]
    paid = [40 * 56 * 0.5 * 0.5 / 2 * (alpha[b].mean() - 0.12) ** 2 for b in range(2)]
    (wanted,) = torch.autograd.grad(sum(scores) - sum(paid), leaf)
    assert alpha.detach().mean((1, 2, 3)).min() > 0.2
    torch.testing.assert_close(found, wanted)


def test_the_value_is_the_score_on_a_ground_less_the_mean_cost():
    image = both()
    with Randomness(3):
        found = Cutout(ascent()).value(image, at(image, share=1.0))
    colours, alpha = cutout.parts(image)
    with Randomness(3):
        ground = cutout.ground(colours)
    cost = (0.25 * (alpha.mean((1, 2, 3)) - 0.12) ** 2).mean()
    assert found == pytest.approx(float(score_of(ground * (1 - alpha) + colours * alpha) - cost))


def test_area_costs_nothing_up_to_a_part_and_more_to_the_end():
    small, large = torch.full((1, 1, 8, 8), 0.11), torch.full((1, 1, 8, 8), 0.52)
    assert not cutout.cost(small, 1.0).any() and not cutout.cost(large, 0.0).any()
    torch.testing.assert_close(cutout.cost(large, 1.0), torch.full_like(large, 0.25 * 0.4**2))


def test_alpha_fades_towards_the_borders_and_is_nothing_or_all_in_the_end():
    image = torch.cat([both()[:1], torch.full((1, 3, 40, 56), 0.98, dtype=torch.float64)])
    _, alpha = cutout.parts(image)
    assert alpha[..., 0, :].max() < 0.02 and alpha[..., 20, 28] == pytest.approx(0.98)
    colours, finished = cutout.finished(image)
    assert torch.equal(colours, image[:1]) and finished[..., 20, 28] == 1 and finished[..., 0, 0] == 0


def test_grounds_are_clouds_of_many_colours_and_new_each_time():
    with Randomness(0):
        one, other = (cutout.ground(torch.zeros(8, 3, 48, 64)) for _ in range(2))
    assert 0 <= one.min() and one.max() <= 1 and (one - other).abs().mean() > 0.1
    assert one.mean((-2, -1)).std(0).min() > 0.15 and one.std((-2, -1)).min() > 0.01


def test_updates_see_the_colours_alone():
    seen = []

    def update(image, context):
        seen.append((len(image), len(context.image)))
        return image * 0

    image = both()
    (bound,) = Cutout(Ascent(ascent().gradient, updates=(update,))).updates
    found = bound(image, at(image))
    assert seen == [(2, 2)] and not found[:2].any() and torch.equal(found[2:], image[2:])


def test_what_the_unit_does_not_need_becomes_transparent():
    """The unit likes the left half to be red, and cares for nothing else."""
    words = {"size": 64, "transforms": [], "steps": 80}

    def left(f):
        return f["one"][..., :, 4:14].square().mean()

    (picture,) = dreamer.visualize(tiny(), left, cutout=True, returns="tensor", **words)
    assert picture.shape == (4, 64, 64)
    alpha = picture[3, 12:-12]
    assert alpha[:, 12:26].mean() > alpha[:, 38:52].mean() + 0.2


@pytest.mark.parametrize("canvas", ["pixels", "fourier", "laplacian", "stack", "cppn", "phase", "accent"])
def test_every_canvas_can_be_cut_out_and_each_picture_has_an_alpha_of_its_own(canvas):
    one, two = dreamer.visualize(tiny(), channel=3, layer="two", canvas=canvas, cutout=True, count=2, **SMALL)
    assert (one.mode, one.size) == ("RGBA", (48, 48))
    assert one.getchannel("A").tobytes() != two.getchannel("A").tobytes()


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_file_has_its_alpha_and_makes_itself_again(tmp_path, suffix):
    place, again = tmp_path / f"eye.{suffix}", tmp_path / f"again.{suffix}"
    how = ["--size", 48, "--steps", 2, "--set", "octaves.count=1"]
    assert (
        command("visualize", "-o", place, "--channel", 1, "--layer", "stem", "--cutout", "--count", 3, *how).code == 0
    )
    with Image.open(place) as picture:
        assert picture.size == (96, 96) and picture.mode == "RGBA"
        alpha = np.asarray(picture.getchannel("A"))
    assert not alpha[48:, 48:].any() and all(alpha[part].any() for part in (np.s_[:48, :48], np.s_[48:, :48]))
    assert command("visualize", "-o", again, "--recipe", place).code == 0
    assert again.read_bytes() == place.read_bytes()


def test_what_cannot_be_cut_out_is_a_sentence_before_anything_is_computed(tmp_path):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 48), "teal").save(photo)
    for output in ("eye.jpg", "eye.jpeg"):
        ran = command("visualize", "-o", tmp_path / output, "--class", "eye", "--cutout", "--size", 48)
        refused(ran, "a JPEG has no transparency, which a cut-out needs; name it .png or .webp")
    ran = command("visualize", photo, "-o", tmp_path / "a.png", "--class", "eye", "--cutout")
    refused(ran, "only a picture from nothing (init = canvas) is cut out; leave out the photo")
    with pytest.raises(DreamerError, match="cutout: only a picture from nothing"):
        dreamer.dream(photo, network=tiny(), cutout=True)
    with pytest.raises(DreamerError, match="cutout: only a picture from nothing"):
        dreamer.visualize(tiny(), channel=1, cutout=True, facets=2, folder=tmp_path, **SMALL)
    assert not [*tmp_path.glob("eye*")]


def test_an_array_has_four_channels():
    (array,) = dreamer.visualize(tiny(), channel=1, cutout=True, returns="array", **SMALL)
    assert array.shape == (48, 48, 4) and array.dtype == np.uint8


def recipe_of(canvas=None, over=False, **words):
    request = Request(words | ({"canvas": {"name": canvas}} if canvas else {}), network=tiny())
    source = load(to_pil(torch.rand(1, 3, 48, 64))) if over else None
    return visualization(request, registry(), Unit(channel=1), photo=source, canvas=canvas).recipe


def test_cut_outs_are_on_the_canvas_stack_by_itself_and_each_canvas_has_what_suits_it():
    cut, stack = recipe_of(cutout=True), recipe_of("stack")
    assert cut == replace(stack, cutout=True)
    assert (stack.canvas.name, stack.optimiser.name) == ("stack", "sgd")
    assert recipe_of("fourier", cutout=True).optimiser.name == "adam"
    assert recipe_of(cutout=True, optimiser={"name": "adam"}).optimiser.name == "adam"
    assert [prior.name for prior in recipe_of("accent", over=True).priors] == ["l2_to_photo"]
    assert recipe_of("accent").priors == () and recipe_of("cppn").transforms == ()
    over = recipe_of("stack", over=True)
    assert over.optimiser.options["rate"] < stack.optimiser.options["rate"]
