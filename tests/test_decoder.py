"""The decoder: pictures from small codes, its weights, and its training."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command import dreamer, refused
from safetensors.torch import load_file, save_file

from dreamer.errors import NetworkError
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import World
from dreamer.networks.autoencoder import CHANNELS, Autoencoder, decoder, weights_path
from dreamer.networks.weights import metadata, story
from dreamer.training import decoder as training_of_it
from dreamer.training import stream, train
from dreamer.training.decoder import DecoderTraining, Trainee, edge_distance, psnr
from dreamer.training.train import Settings

CPU = torch.device("cpu")
NARROW = Settings(width=0.25)


class HereAndNow(nullcontext):
    """In place of the stream: pictures drawn by this very process."""

    def __init__(self, world: World, seed: int) -> None:
        super().__init__(self)
        self.world = world

    def wait(self) -> None:
        """They are always there."""

    def batch(self, count, size, random, vary):
        drawn = self.world.draw(count, size, random)
        return replace(drawn, image=vary(drawn.image, random))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures, and a clock by which a batch takes a second, whatever this machine does besides."""
    ticks = count(0, 1.0)
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(train, "PictureStream", HereAndNow)
    monkeypatch.setattr(train, "_HELD_OUT", 4)
    monkeypatch.setattr(train, "_SAVE", 3.0)
    monkeypatch.setattr(train, "_REPORT", 3.0)
    monkeypatch.setattr(DecoderTraining, "batch", (4, 2))


def any_autoencoder(width: float = 0.25) -> Autoencoder:
    """One that has learnt nothing, but whose layers all tell on the picture."""
    torch.manual_seed(0)
    module = Autoencoder(width)
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight)
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize(("height", "width"), [(128, 64), (65, 130), (24, 31), (3, 9), (1, 1)])
def test_any_size_has_a_code_and_comes_back(height: int, width: int):
    module, image = any_autoencoder(), torch.rand(2, 3, height, width)
    code = module.encode(image)
    assert code.shape == (2, CHANNELS, max(3, -(-height // 8)), max(3, -(-width // 8)))
    assert module(image).shape == image.shape
    assert module.decode(code).shape == (2, 3, 8 * code.shape[2], 8 * code.shape[3])
    assert torch.equal(module(image), module.decode(code)[..., :height, :width])


def test_drawn_by_tiles_it_is_the_same():
    module, image = any_autoencoder(), torch.rand(1, 3, 180, 213)
    whole = module(image)
    assert (module(image * 0.9) - whole).abs().max() > 0.01
    torch.testing.assert_close(module.redraw_by_tiles(image, tile=8), whole, atol=1e-4, rtol=0)
    assert torch.equal(module.redraw_by_tiles(image), whole)
    code = module.encode(image).requires_grad_()
    by_tiles = module.decode_by_tiles(code, (180, 213), tile=16)
    torch.testing.assert_close(by_tiles, whole, atol=1e-4, rtol=0)
    towards = torch.randn_like(image)
    (gradient,) = torch.autograd.grad((by_tiles * towards).sum(), code)
    (expected,) = torch.autograd.grad((module.decode(code, (180, 213)) * towards).sum(), code)
    torch.testing.assert_close(gradient, expected, atol=1e-3, rtol=1e-3)


def test_the_shipped_weights_draw_held_out_composites_again():
    module = decoder()
    pictures = World(MOTIFS).draw(24, 128, torch.Generator().manual_seed(20_000_003)).image
    with torch.no_grad():
        codes = module.encode(pictures)
        drawn = psnr(module.decode(codes), pictures)
    assert drawn.mean() >= 23 and drawn.min() >= 15
    assert (codes.mean((0, 2, 3)) - module.mean).abs().max() < 0.25
    assert (codes.std((0, 2, 3)) / module.std - 1).abs().max() < 0.25
    assert module.mean.abs().max() < 0.5 and (module.std - 1).abs().max() < 0.5


def test_the_shipped_weights_are_small_and_tell_their_story():
    assert weights_path().stat().st_size <= 4_000_000
    assert metadata(weights_path())["licence"] == "MIT"
    assert {"seed", "samples", "seconds", "device", "threads", "psnr"} <= story(weights_path()).keys()


def written(path: Path, width: str = "0.25", **changed: torch.Tensor) -> Path:
    save_file({**any_autoencoder().state_dict(), **changed}, path, {"width": width})
    return path


def test_weights_come_from_a_file(tmp_path: Path):
    module = decoder(written(tmp_path / "mine.safetensors"))
    image = torch.rand(1, 3, 40, 48)
    assert torch.equal(module(image), any_autoencoder()(image))


def test_a_file_that_does_not_fit_is_told_of(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    with pytest.raises(NetworkError, match="no such weights file"):
        decoder(path)
    path.write_bytes(b"no weights")
    with pytest.raises(NetworkError, match="not a weights file"):
        decoder(path)
    with pytest.raises(NetworkError, match=r"decoder's weights.* does not fit: missing: mean"):
        decoder(Path(str(weights_path()).replace("decoder.s", "reverie.s")))
    with pytest.raises(NetworkError, match=r"of another shape: mean is 3 instead of 16"):
        decoder(written(path, mean=torch.zeros(3)))
    for width in ("wide", "nan", ""):
        with pytest.raises(NetworkError, match="width is"):
            decoder(written(path, width))
    with pytest.raises(NetworkError, match="of another shape"):
        decoder(written(path, "1e30"))
    with path.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(NetworkError, match="65 MiB is too large"):
        decoder(path)


def test_folded_it_draws_the_same():
    torch.manual_seed(0)
    trainee = Trainee(0.25).train()
    torch.nn.init.normal_(trainee.body.encoder[-1].weight, std=100)
    for _ in range(40):
        trainee(torch.rand(4, 3, 24, 24))
    trainee.eval()
    image = torch.rand(2, 3, 30, 24)
    with torch.no_grad():
        torch.testing.assert_close(trainee.without_batch_norm()(image), trainee(image), atol=1e-5, rtol=0)
        code = trainee.without_batch_norm().encode(torch.rand(8, 3, 24, 24))
    assert code.mean((0, 2, 3)).abs().max() < 0.5 and (code.std((0, 2, 3)) - 1).abs().max() < 0.5
    random = torch.Generator().manual_seed(0)
    assert not torch.allclose(trainee(image, random), trainee(image, random), atol=1e-3)


def test_pictures_to_draw_again_are_pictures():
    image = torch.rand(64, 3, 8, 8)
    other = stream.recoloured(image, torch.Generator().manual_seed(0))
    assert 0 <= other.min() and other.max() <= 1
    assert (other - image).abs().mean() > 0.05


def test_edges_are_missed_where_pixels_hardly_are():
    image = torch.zeros(1, 3, 8, 8)
    step = image + 0.1
    assert edge_distance(step, image) == 0
    step[..., 4:] += 0.1
    assert edge_distance(step, image) > 0


def test_psnr_is_in_decibels():
    image = torch.full((2, 3, 4, 4), 0.5)
    drawn = image + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    torch.testing.assert_close(psnr(drawn, image), torch.tensor([20.0, 40.0]), atol=1e-3, rtol=0)
    assert psnr(image * 9, torch.ones_like(image)).min() > 90  # what is over the white is white


def test_learning_lessens_the_loss(quick: None):
    training = DecoderTraining(NARROW, CPU)
    batch = training.world.draw(4, 48, torch.Generator().manual_seed(0))
    before = training.measures()["psnr"]
    losses = [training.learn(batch, 0.1, 20_000) for _ in range(12)]
    assert losses[-1] < 0.9 * losses[0] and training.measures()["psnr"] > before


def test_the_command_trains_one_and_goes_on(tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch):
    output, begun = tmp_path / "mine.safetensors", tmp_path / "mine.safetensors.training"
    words = ("networks", "train", "--decoder", "-o", output, "--width", 0.25, "--seed", 4)

    class Stopped(DecoderTraining):
        """Interrupted at the tenth batch."""

        def learn(self, batch, share, samples):
            if samples == 40:
                raise KeyboardInterrupt
            return super().learn(batch, share, samples)

    with monkeypatch.context() as patch:
        patch.setattr(training_of_it, "DecoderTraining", Stopped)
        ran = dreamer(*words, "--minutes", 9)
    assert ran.code == 130 and "with --resume to continue" in ran.err and "Traceback" not in ran.err
    assert "reproduced at" in ran.err
    assert torch.load(begun, weights_only=True)["mark"] == {"seconds": 10.0, "samples": 40} and not output.exists()
    refused(dreamer(*words), "a training was interrupted here", "--resume")
    without = [word for word in words if word != "--decoder"]
    refused(dreamer(*without, "--resume"), "another training", "its network is decoder, not reverie")
    ran = dreamer(*words, "--minutes", 0.25, "--resume")
    assert ran.code == 0 and not begun.exists(), ran.err
    told = story(output)
    assert told["samples"] > 40 and told["seed"] == 4 and told["width"] == 0.25 and told["psnr"] > 0
    tensors = load_file(output)
    assert {values.dtype for values in tensors.values()} == {torch.float16}
    assert decoder(output)(torch.rand(1, 3, 40, 40)).isfinite().all()


def test_it_goes_on_from_given_weights(tmp_path: Path, quick: None):
    output, start = tmp_path / "on.safetensors", written(tmp_path / "first.safetensors")
    ran = dreamer("networks", "train", "--decoder", "-o", output, "--start", start, "--minutes", 0.02, "--width", 0.25)
    assert ran.code == 0, ran.err
    first, on = load_file(start), load_file(output)
    assert story(output)["before"] == {}
    assert (on["decoder.0.weight"] - first["decoder.0.weight"]).abs().max() < 0.01
    wider = dreamer("networks", "train", "--decoder", "-o", output, "--start", start, "--force")
    refused(wider, "does not fit", "of another shape")
