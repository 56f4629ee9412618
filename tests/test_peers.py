"""The presets that repeat other programs: their settings against what those programs publish."""

import pytest
import torch

from dreamer.api import registry
from dreamer.engine.octaves import Octave
from dreamer.engine.render import render
from dreamer.engine.step import Step
from dreamer.image import resize
from dreamer.ingredients.gradient_filters import normalise
from dreamer.ingredients.transforms import scale
from dreamer.ingredients.updates import stretch
from dreamer.networks import untrained
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.recipes.preset import find_preset

PUBLISHED = {
    "google-2015": {
        "network": "googlenet",
        "octaves": {"count": 4, "scale": 1.4, "steps": 10, "reinject": True},
        "levels": 1.5,  # of 255, the mean size of a step
        "objectives": [("deepdream", "inception4c", 1.0)],
        "transforms": {"jitter": {"pixels": 32, "border": "roll"}},
        "gradient_filters": {"normalise": {"by": "mean"}},
    },
    "tensorflow-2016": {
        "network": "googlenet",
        "octaves": {"count": 4, "scale": 1.4, "steps": 10, "reinject": True},
        "levels": 1.5,
        "objectives": [("channel", "inception4d.branch2.0.bn", 1.0)],
        "transforms": {"jitter": {"pixels": 256, "border": "roll"}},
        "gradient_filters": {"normalise": {"by": "mean"}},
    },
    "keras": {
        "network": "inception_v3",
        "octaves": {"count": 3, "scale": 1.4, "steps": 20, "reinject": True},
        "levels": 255 * 0.01 / 2,
        "objectives": [
            *(("deepdream", f"Mixed_6{block}", weight) for block, weight in zip("bcde", (1, 1.5, 2, 2.5), strict=True))
        ],
        "transforms": {},
        "gradient_filters": {"normalise": {"by": "mean"}},
    },
    "matlab": {
        "init": "noise",
        "octaves": {"count": 3, "scale": 1.4, "steps": 10, "reinject": False},
        "levels": 2.15,  # the RMS of what 4 bands and a residual of RMS 1 each merge to, for real gradients
        "objectives": [("channel", "features.10", 1.0)],
        "transforms": {},
        "gradient_filters": {"laplacian": {"levels": 4, "residual": 1.0}},
        "updates": {"stretch": {}},
    },
    "lucid": {
        "init": "canvas",
        "size": 128,
        "redirect": 16,
        "smooth_pooling": True,
        "objectives": [("channel", "m4b", 1.0)],
        "octaves": {"count": 1, "steps": 512},
        "transforms": {"standard": {"pad": 12, "jitter": 8, "amount": 0.1, "degrees": 10.0, "nudge": 4}},
        "canvas": {"name": "fourier", "decay": 1.0, "sigma": 0.01, "frequencies": None},
        "optimiser": {"name": "adam", "rate": 0.05, "beta1": 0.9, "beta2": 0.999},
    },
    "torch-dreams": {
        "init": "canvas",
        "size": 256,
        "objectives": [("channel", "m4b", 1.0)],
        "octaves": {"count": 1, "steps": 120},
        "transforms": {"rotate": {"degrees": 15.0}, "scale": {"amount": 0.35, "about": 0.85}},
        "canvas": {"name": "fourier", "decay": 1.5, "sigma": 0.01, "frequencies": None},
        "optimiser": {"name": "adamw", "rate": 0.009, "beta1": 0.9, "beta2": 0.999, "decay": 0.0},
    },
}


def composed(name: str) -> Pipeline:
    words = find_preset(registry(), name).words
    return build(words, registry(), network=untrained(registry().networks, str(words.get("network", "reverie"))))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_peer_s_preset_has_the_published_settings(name: str) -> None:
    pipeline, published = composed(name), dict(PUBLISHED[name])
    words, recipe = pipeline.to_dict(), pipeline.recipe
    assert recipe.colour == 0 and not recipe.priors
    assert {key: words["octaves"][key] for key in published["octaves"]} == published.pop("octaves")
    if "levels" in published:
        assert recipe.octaves.step_size * 255 == pytest.approx(published.pop("levels"), rel=0.005)
    if "objectives" in published:
        assert [(one.name, one.layer, one.weight) for one in recipe.objectives] == published.pop("objectives")
    for kind in ("transforms", "gradient_filters", "updates"):
        if kind in published:
            mine = {item["name"]: {k: v for k, v in item.items() if k not in ("name", "id")} for item in words[kind]}
            assert mine == published.pop(kind)
    for key in ("canvas", "optimiser"):
        if key in published:
            assert {option: words[key].get(option) for option in published[key]} == published.pop(key)
    assert {key: words[key] for key in published} == published


def test_a_peer_s_objectives_are_the_published_ones() -> None:
    channel = composed("tensorflow-2016")
    assert channel.recipe.objectives[0].options == {"index": (139,), "normalise": False, "square": False}
    assert channel.network.layer("inception4d.branch2.0.bn").channels == 144
    assert not composed("keras")._balances  # its weights are its own
    for name in ("matlab", "lucid", "torch-dreams"):  # the mean of all channels
        assert composed(name).recipe.objectives[0].options == {"normalise": False, "square": False}, name


def test_a_gradient_can_be_normalised_by_its_mean_size() -> None:
    gradient = torch.randn(2, 3, 20, 30).pow(3)
    scaled = normalise(gradient * 1e-20, by="mean")
    assert torch.allclose(scaled.abs().mean((1, 2, 3)), torch.ones(2))
    assert not normalise(torch.zeros(1, 3, 8, 8), by="mean").any()
    assert float(normalise(gradient.clone()).square().mean()) == pytest.approx(1)


def test_without_reinjection_octaves_go_on_with_the_last_picture() -> None:
    photo = torch.rand(1, 3, 48, 64) * 0.8 + 0.1
    octaves = [Octave((24, 32), 1, 0.1), Octave((48, 64), 1, 0.1)]
    begun, shown = [], []

    class Nothing:
        def step(self, image, base, step_size, moment):  # type: ignore[no-untyped-def]
            begun.append(image)
            return image, 0.0

        def finished(self, image, base):  # type: ignore[no-untyped-def]
            return image

    kept = render(photo, photo, octaves, lambda moment: Nothing())  # type: ignore[arg-type, return-value]
    assert torch.allclose(kept, photo)  # the photo's own detail is there
    shot = {"snapshots": [1], "on_snapshot": lambda number, picture: shown.append(picture)}
    lost = render(photo, photo, octaves, lambda moment: Nothing(), reinject=False, **shot)  # type: ignore[arg-type, return-value]
    enlarged = resize(begun[2], (48, 64)).clamp(0.02, 0.98)
    assert torch.allclose(lost, enlarged, atol=1e-6) and (lost - photo).abs().mean() > 0.1
    assert torch.allclose(shown[0], enlarged, atol=1e-6)  # nor is it in what is kept of an unfinished one


def test_a_picture_is_stretched_once_at_the_very_end() -> None:
    image = torch.rand(2, 3, 8, 8) * torch.tensor([0.2, 0.5])[:, None, None, None] + 0.3
    for octave, number in ((0, 9), (1, 0), (1, 8)):
        assert stretch(image, step=Step(octave, 2, number, 10, 0.5, (8, 8))) is image
    last = stretch(image, step=Step(1, 2, 9, 10, 1.0, (8, 8)))
    assert torch.allclose(last.amin((1, 2, 3)), torch.zeros(2)) and torch.allclose(last.amax((1, 2, 3)), torch.ones(2))
    assert torch.isfinite(stretch(torch.full((1, 3, 8, 8), 0.5), step=Step(0, 1, 0, 1, 0.0, (8, 8)))).all()


def test_a_scale_goes_about_another_factor_than_one() -> None:
    image = torch.zeros(1, 3, 8, 100)
    widths = [scale(image, amount=0.35, about=0.85)(image).shape[-1] for _ in range(200)]
    assert 50 <= min(widths) < 56 and 114 < max(widths) <= 120
    assert scale(image, amount=0.9, about=0.5)(image).shape[-1] >= 10
