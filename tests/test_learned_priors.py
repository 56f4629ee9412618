"""Priors that were learnt: the distance from what a decoder can draw, and its code to paint with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command import dreamer, refused
from safetensors.torch import save_file

from dreamer.errors import NetworkError
from dreamer.image import load, to_pil
from dreamer.ingredients.learned_priors import _Clipped, autoencoder, decoders_folder, latent
from dreamer.motifs.sample_scene import scene
from dreamer.networks.autoencoder import CHANNELS, Autoencoder, decoder


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A decoder of one's own, called mine, that has learnt nothing."""
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path))
    decoders_folder().mkdir()
    torch.manual_seed(0)
    path = decoders_folder() / "mine.safetensors"
    save_file(Autoencoder(0.25).state_dict(), path, {"width": "0.25"})
    return path


def test_the_prior_leads_straight_to_the_redrawn_picture():
    image = scene(48, 40).requires_grad_()
    value = autoencoder(image)
    (gradient,) = torch.autograd.grad(value, image)
    with torch.no_grad():
        drawn = decoder()(image)
    torch.testing.assert_close(value, (image - drawn).square().mean())
    torch.testing.assert_close(gradient, 2 * (image - drawn) / image.numel())


def test_noise_is_less_likely_than_what_it_was_put_over():
    image = scene(192, 128)
    noisy = (image + 0.1 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    value = autoencoder(noisy)
    assert value > 2 * autoencoder(image)
    (gradient,) = torch.autograd.grad(value, noisy)
    likelier = noisy - gradient * noisy.numel() / 2
    assert (likelier - image).square().mean() < 0.6 * (noisy - image).square().mean()


def test_over_a_photo_a_code_begins_as_the_photos():
    image = scene(50, 37)
    canvas = latent(image)
    (code,) = canvas.parameters
    assert code.shape == (1, CHANNELS, 5, 7) and canvas.count == code.numel()
    with torch.no_grad():
        torch.testing.assert_close(code, decoder().encode(image))
        torch.testing.assert_close(canvas.paint(), decoder()(image).clamp(0, 1))


def test_from_nothing_a_code_is_drawn_by_the_seed():
    drawn = []
    for seed, sigma in ((1, 0.5), (2, 0.5), (1, 0.5), (1, 1.0), (1, 0.0)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            drawn += latent(torch.full((2, 3, 128, 128), 0.5), sigma=sigma).parameters
    first, other, again, wider, mean = (code.detach() for code in drawn)
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first[0], first[1])
    torch.testing.assert_close(wider - mean, 2 * (first - mean))
    torch.testing.assert_close(mean, decoder().mean[:, None, None].expand_as(mean))
    torch.testing.assert_close(
        (first - mean).std((0, 2, 3)) / decoder().std, torch.full((CHANNELS,), 0.5), rtol=0.2, atol=0
    )


def test_what_is_too_bright_can_still_be_darkened():
    drawn = torch.tensor([-0.1, -0.1, 0.5, 0.5, 1.1, 1.1], requires_grad=True)
    shown = _Clipped.apply(drawn)
    assert shown.tolist() == [0, 0, 0.5, 0.5, 1, 1]
    (gradient,) = torch.autograd.grad(shown, drawn, torch.tensor([1.0, -1, 1, -1, 1, -1]))
    assert gradient.tolist() == [0, -1, 1, -1, 1, 0]  # an optimiser goes against it


def test_pictures_are_drawn_from_codes_and_without_a_step_a_photo_stays(tmp_path: Path, own: Path):
    """From nothing; and over a photo, where only the change is painted: without a step there is none."""
    words = ("--canvas", "latent", "--set", "canvas.decoder=mine", "--size", 64, "--steps", 2)
    ran = dreamer("visualize", "-o", tmp_path / "eye.png", "--class", "eye", *words)
    assert ran.code == 0, ran.err
    photo, still, moved = (tmp_path / name for name in ("photo.png", "still.png", "moved.png"))
    to_pil(scene(64, 48)).save(photo)
    for output, steps in ((still, 0), (moved, 3)):
        settings = ("--set", "canvas.name=latent", "--set", f"octaves.steps={steps}")
        ran = dreamer("render", photo, "-o", output, *settings)
        assert ran.code == 0, ran.err
    before, after, changed = (load(path).image() for path in (photo, still, moved))
    assert torch.equal(before, after) and not torch.equal(before, changed)


def test_a_decoder_of_ones_own_goes_by_its_name(own: Path):
    image = scene(48, 40)
    shipped, mine = autoencoder(image), autoencoder(image, decoder="mine")
    assert mine != shipped
    torch.testing.assert_close(mine, (image - decoder(own)(image)).square().mean())
    state = {key: value * 0 for key, value in decoder(own).state_dict().items()}
    save_file(state, own, {"width": "0.25"})
    torch.testing.assert_close(autoencoder(image, decoder="mine"), (image - 0.5).square().mean())


@pytest.mark.parametrize(
    "name", ["nine", "", "../decoders/mine", "mine.safetensors", "{folder}/mine", "x" * 900, "mine\n", "..", "."]
)
def test_a_name_that_is_none_is_told_of(own: Path, name: str):
    with pytest.raises(NetworkError, match=r"no decoder is called .*looked for in"):
        autoencoder(scene(48, 40), decoder=name.format(folder=own.parent))


def test_a_recipe_with_the_prior_leads_to_likelier_pictures(tmp_path: Path, own: Path):
    photo, plain, held = (tmp_path / name for name in ("photo.png", "plain.png", "held.png"))
    to_pil(scene(64, 48)).save(photo)
    words = ("--set", "octaves.count=1", "--set", "octaves.steps=4")
    assert dreamer("render", photo, "-o", plain, *words).code == 0
    ran = dreamer("render", photo, "-o", held, *words, "--set", "priors.autoencoder.weight=20")
    assert ran.code == 0, ran.err
    assert autoencoder(load(held).image()) < autoencoder(load(plain).image())
    refused(dreamer("render", photo, "--set", "priors.autoencoder.decoder=nine"), "no decoder is called 'nine'", "mine")
