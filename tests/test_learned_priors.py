"""Priors that were learnt: the distance from what a decoder can draw."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command import dreamer, refused
from safetensors.torch import save_file

from dreamer.errors import NetworkError
from dreamer.learned_priors import autoencoder, decoders_folder
from dreamer.networks.decoder import Autoencoder, decoder
from dreamer.sample import scene


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
    image = scene(96, 64)
    noisy = image + 0.1 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    assert autoencoder(noisy) > 3 * autoencoder(image)
    nearer = noisy - 0.5 * noisy.numel() * torch.autograd.grad(autoencoder(leaf := noisy.requires_grad_()), leaf)[0] / 2
    assert (nearer - image).square().mean() < 0.6 * (noisy - image).square().mean()


def test_a_decoder_of_ones_own_goes_by_its_name(own: Path):
    image = scene(48, 40)
    shipped, mine = autoencoder(image), autoencoder(image, decoder="mine")
    assert mine != shipped
    torch.testing.assert_close(mine, (image - decoder(own)(image)).square().mean())
    state = {key: value * 0 for key, value in decoder(own).state_dict().items()}
    save_file(state, own, {"width": "0.25"})
    torch.testing.assert_close(autoencoder(image, decoder="mine"), (image - 0.5).square().mean())


@pytest.mark.parametrize("name", ["nine", "", "../decoders/mine", "mine.safetensors", "{folder}/mine"])
def test_a_name_that_is_none_is_told_of(own: Path, name: str):
    with pytest.raises(NetworkError, match=r"no decoder is called .*looked for in"):
        autoencoder(scene(48, 40), decoder=name.format(folder=own.parent))


def test_a_recipe_names_it(tmp_path: Path, own: Path):
    photo, plain, held = (tmp_path / name for name in ("photo.png", "plain.png", "held.png"))
    from dreamer.image import load, to_pil

    to_pil(scene(64, 48)).save(photo)
    words = ("--set", "octaves.count=1", "--set", "octaves.steps=4")
    assert dreamer("render", photo, "-o", plain, *words).code == 0
    ran = dreamer("render", photo, "-o", held, *words, "--set", "priors.autoencoder.weight=20")
    assert ran.code == 0, ran.err
    assert autoencoder(load(held).image()) < autoencoder(load(plain).image())
    refused(dreamer("render", photo, "--set", "priors.autoencoder.decoder=nine"), "no decoder is called 'nine'", "mine")
