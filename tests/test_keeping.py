"""What a dream keeps of its photo: salience, light and shade, colours."""

from typing import Any

import pytest
import torch
from networks import tiny

from dreamer.engine.ascent import Ascent
from dreamer.engine.keeping import is_grey, salience, settled
from dreamer.engine.step import Step, StepContext
from dreamer.image.luma import luma
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.plugins.loading import load_plugins

H, W = 96, 128


def photo() -> torch.Tensor:
    """A grey-blue field, darker to the right, with a small orange disc left of the middle."""
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    field = torch.tensor([0.45, 0.5, 0.6])[:, None, None] * (1 - 0.4 * x / W)
    disc = ((y - 48) ** 2 + (x - 40) ** 2 < 6**2)[None]
    return torch.where(disc, torch.tensor([0.9, 0.5, 0.1])[:, None, None], field)[None]


def test_what_stands_out_is_salient_and_an_even_slope_is_not() -> None:
    found = salience(photo())
    assert found.shape == (1, 1, H, W) and 0 <= float(found.min()) and float(found.max()) <= 1
    assert found[..., 44:52, 36:44].min() > 0.9
    assert found[..., 70:90, 90:120].max() < 0.1 and found[..., 5:20, 60:120].max() < 0.1


def test_salience_is_the_same_at_every_size() -> None:
    large = torch.nn.functional.interpolate(photo(), scale_factor=5, mode="bicubic")
    shrunk = torch.nn.functional.adaptive_avg_pool2d(salience(large), (H, W))
    assert (shrunk - salience(photo())).abs().mean() < 0.03


def test_nothing_stands_out_in_plain_grey() -> None:
    assert salience(torch.full((1, 3, 40, 50), 0.5)).max() < 1e-3


def test_steps_are_shorter_where_the_photo_stands_out() -> None:
    """By `spare` of the salience, and of none where `spare` is 0."""
    base = torch.full((1, 3, 8, 8), 0.5)
    there = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    context = StepContext(base, base, Step(0, 1, 0, 1, 0.0, (8, 8)))
    for spare in (0.0, 0.5, 1.0):
        ascent = Ascent(lambda image, at: (0.0, torch.ones_like(image)), spare=spare, salience=there)
        image, _ = ascent.step(base, base, 0.01, context)
        torch.testing.assert_close(image - base, (0.01 * (1 - spare * there)).expand_as(base))


def test_a_shift_in_wide_areas_is_taken_back_and_fine_detail_is_not() -> None:
    base = photo()
    fine = 0.1 * torch.randn(1, 1, H, W)
    dream = (base + fine + 0.15).clamp(0, 1)
    for spare, left in ((0.0, 1.0), (0.3, 0.49), (1.0, 0.0)):
        shift = luma(settled(dream.clone(), base, spare, 0.5) - base)
        assert float(shift.mean()) == pytest.approx(0.15 * left, abs=0.02)
        assert float((shift - shift.mean()).std()) == pytest.approx(0.1, rel=0.25)


def test_colours_in_wide_areas_come_back_by_colour() -> None:
    base = photo()
    dream = base + torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1)
    tints = [float((settled(dream.clone(), base, 0.3, colour) - base)[:, 0].mean()) for colour in (0.0, 0.5, 1.0)]
    assert tints[0] > 0.08 > tints[1] > 0.03 > tints[2] > -0.02


def test_lost_colour_and_contrast_are_made_good_within_reason() -> None:
    base = photo()
    for loss, wanted in ((0.9, 1.0), (0.5, 0.6)):  # at most a fifth is added
        grey = luma(base)
        faded = settled(grey + loss * (base - grey), base, 0.3, 0.0)
        spread = lambda picture: float((picture.amax(1) - picture.amin(1)).mean())  # noqa: E731
        assert spread(faded) / spread(base) == pytest.approx(wanted, rel=0.02)
    flat = settled(luma(base).mean() + 0.95 * (base - luma(base).mean()), base, 0.3, 1.0)
    assert float(luma(flat).std() / luma(base).std()) == pytest.approx(1, rel=0.02)


def test_a_photo_in_black_and_white_is_known() -> None:
    assert is_grey(luma(photo()).expand(-1, 3, -1, -1)) and not is_grey(photo())


@pytest.mark.parametrize("flat", [0.0, 1.0])
def test_forms_in_blown_out_areas_stay(flat: float) -> None:
    """They can only be darker than white, or lighter than black: the photo's light would wipe them out."""
    base = torch.full((1, 3, H, W), 0.5)
    base[..., : W // 2] = flat
    forms = 0.06 * torch.rand(1, 1, H, W)
    dream = (base - forms if flat else base + forms).clamp(0, 1)
    there = luma(settled(dream.clone(), base, 1.0, 0.5))[..., : W // 2 - 24]
    assert float(there.std()) > 0.9 * float(forms.std())
    assert float(there.mean() - flat) == pytest.approx(0.03 - 0.06 * flat, abs=0.01)


@pytest.mark.parametrize("canvas", ["fourier", "laplacian"])
def test_a_canvas_over_a_photo_keeps_its_light_too(canvas: str) -> None:
    def shift(spare: float) -> float:
        picture = scene(96, 72)
        words = {"canvas": {"name": canvas}, "spare": spare, "octaves": {"count": 2, "steps": 8}}
        pipeline = build(words, load_plugins()[0], network=tiny())
        return float(luma(pipeline.ascend(picture) - picture).mean().abs())

    assert shift(1.0) < 0.2 * shift(0.0)


def test_adam_moves_a_canvas_unless_another_optimiser_is_named() -> None:
    def optimiser(**words: Any) -> str:
        return build(words, load_plugins()[0], network=tiny()).recipe.optimiser.name

    assert optimiser() == optimiser(canvas={"name": "pixels"}) == "ascent"
    assert optimiser(canvas={"name": "stack"}) == "adam"
    assert optimiser(canvas={"name": "stack"}, optimiser={"name": "ascent"}) == "ascent"
