"""How reverie is trained: what learns, what it learns from, and what is left after a kill."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command import dreamer, left_in, refused
from forked import Forked
from PIL import Image
from safetensors import safe_open

from dreamer.errors import RenderError, UsageError, WriteError
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import Pictures, World
from dreamer.motifs.portrait import portraits
from dreamer.networks.reverie import Reverie, reverie, weights_path
from dreamer.networks.weights import story
from dreamer.training import checkpoint, export, figures, stream, train
from dreamer.training.album import OwnPictures
from dreamer.training.reverie import ReverieTraining
from dreamer.training.stream import PictureStream, Vary, varied
from dreamer.training.train import Settings
from dreamer.training.trainee import (
    LAYERS,
    Trainee,
    accuracy,
    fold_batch_norm,
    insert_batch_norm,
    labels_at,
    load_pretrained,
    present,
)

QUICK = "import dreamer.training.train as t, dreamer.training.export as e, dreamer.training.stream as s\n"
QUICK += "t.MOTIFS = t.MOTIFS[:6]; t._HELD_OUT = e._SAMPLES = 4; s._FIRST = 1; s._CHUNK = 16; s._HELD = 2\n"
QUICK += "t._SAVE = t._REPORT = 0.5; t.Training.batch = 8, 4\n"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "MOTIFS", MOTIFS[:6])
    monkeypatch.setattr(train, "_HELD_OUT", 4)
    monkeypatch.setattr(export, "_SAMPLES", 4)
    monkeypatch.setattr(figures, "_DRAWN", 2)
    monkeypatch.setattr(figures, "_SAMPLES", 8)
    for name, value in {"_FIRST": 1, "_CHUNK": 16, "_HELD": 2}.items():
        monkeypatch.setattr(stream, name, value)
    monkeypatch.setattr(train, "_SAVE", 2)
    monkeypatch.setattr(train, "_REPORT", 0.5)
    monkeypatch.setattr(train.Training, "batch", (8, 4))


class Still(AbstractContextManager["Still"]):
    """In place of a stream: a few pictures, always the same, and no process that draws more of them for ever."""

    count = 8

    def __init__(self, world: World, seed: int) -> None:
        self.pictures = world.draw(self.count, stream.SIZE, torch.Generator().manual_seed(seed))

    def __exit__(self, *error: object) -> None: ...

    def wait(self) -> None: ...

    def batch(self, count: int, size: int, random: torch.Generator, vary: Vary) -> Pictures:
        rows = torch.randint(0, len(self.pictures.image), (count,), generator=random)
        top, left = torch.randint(0, stream.SIZE - size + 1, (2,), generator=random).tolist()
        drawn = (self.pictures.image, self.pictures.kind, self.pictures.second)
        image, kind, second = (part[rows, ..., top : top + size, left : left + size] for part in drawn)
        return Pictures(vary(image, random), kind, second)


@pytest.fixture
def paced(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training whose batches take 0.75 seconds by its own clock, whatever this machine has to do besides."""
    ticks = count(0, 0.75)
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(train, "PictureStream", Still)


@pytest.fixture(scope="module")
def world() -> World:
    return World(MOTIFS)


def pictures(world: World, count: int = 8, size: int = 64) -> Pictures:
    return world.draw(count, size, torch.Generator().manual_seed(0))


def trained_a_little() -> Trainee:
    """A trainee whose batch norms have seen something."""
    torch.manual_seed(0)
    trainee = Trainee(3, 5, 0.25).train()
    for _ in range(5):
        trainee.features(torch.rand(4, 3, 64, 64))
    for module in trainee.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return trainee.eval()


def test_folded_weights_see_the_same():
    trainee = trained_a_little()
    image = torch.rand(2, 3, 48, 64)
    with torch.no_grad():
        whole = trainee.features(image)["m5a"]
        plain = fold_batch_norm(trainee.body, 0.25)(image - 0.5)
    assert whole.abs().max() > 0.1
    assert torch.allclose(whole, plain, atol=1e-4)


def test_unfolded_weights_see_the_same_and_have_batch_norm_again():
    plain = fold_batch_norm(trained_a_little().body, 0.25)
    again = Trainee(3, 5, 0.25)
    views = [torch.rand(4, 3, 64, 64) for _ in range(3)]
    insert_batch_norm(again.body, plain, views)
    again.eval()
    image = torch.rand(2, 3, 48, 64)
    with torch.no_grad():
        assert torch.allclose(again.features(image)["m5a"], plain(image - 0.5), atol=1e-3)
        before = again.train().features(views[0])["m5a"]
    # In training the batch's own moments take the place of the recorded ones: nearly the same on such pictures.
    assert (before - again.eval().features(views[0])["m5a"]).abs().mean() < 0.3 * before.abs().mean()


def test_learning_lessens_the_loss_and_the_late_lessons_are_harder(quick: None):
    training = ReverieTraining(Settings(seed=3, width=0.25), torch.device("cpu"))
    batch = pictures(training.world)
    losses = [training.learn(batch, 0.1, 20_000) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]
    calm = training.module.state_dict()["body.stem.0.0.0.weight"].clone()
    training.learn(batch, 0.9, 20_000)
    assert not torch.equal(training.module.state_dict()["body.stem.0.0.0.weight"], calm)
    image = batch.image.clone().requires_grad_()
    training.module.train().loss(image, batch.kind, batch.second, training.world.motif_of).backward()
    harder = image.detach() + 2 * image.grad / image.grad.flatten(1).norm(dim=1)[:, None, None, None]
    with torch.no_grad():
        easy, hard = (
            training.module.loss(x, batch.kind, batch.second, training.world.motif_of) for x in (batch.image, harder)
        )
    assert hard > easy


def test_labels_are_looked_up_where_a_maps_positions_lie():
    labels = torch.arange(64).view(1, 8, 8)
    assert labels_at(labels, torch.zeros(1, 1, 2, 2)).flatten().tolist() == [18, 22, 50, 54]


def test_presence_asks_for_what_covers_enough():
    motif = torch.full((1, 20, 20), 3)
    motif[:, :10, :10] = 1
    motif[:, 19:, 18:] = 0
    assert present(motif, motif, 3).tolist() == [[0, 1, 0]]
    assert present(motif, torch.full_like(motif, 2), 3).tolist() == [[0, 1, 1]]


def test_accuracy_is_over_places_and_over_classes():
    motif = torch.tensor([[[0, 0, 0, 1]]])
    scores = torch.eye(2)[torch.tensor([[[0, 0, 1, 1]]])].permute(0, 3, 1, 2)
    assert accuracy({"x": scores}, motif, motif) == {"x": (0.75, pytest.approx((2 / 3 + 1) / 2))}
    elsewhere = motif.clone()
    elsewhere[..., 2] = 1  # two things at one place: not asked for
    assert accuracy({"x": scores}, motif, elsewhere) == {"x": (1.0, 1.0)}


def test_the_stream_shows_labelled_crops(world: World, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("multiprocessing", "torch", "numpy", "random", "sitecustomize", "dreamer"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()\n")
    random = torch.Generator().manual_seed(0)
    with PictureStream(world, seed=1) as drawn:
        batch = drawn.batch(6, 64, random, varied)
    assert batch.image.shape == (6, 3, 64, 64) and batch.image.isfinite().all()
    assert batch.kind.shape == batch.second.shape == (6, 64, 64)
    assert batch.kind.max() <= world.kinds and batch.second.max() <= len(world.names)
    assert not drawn._process.is_alive()
    assert not (tmp_path / "sprung").exists() and "PYTHONSAFEPATH" not in os.environ


def test_a_painter_that_died_is_told_of(world: World, quick: None):
    with PictureStream(world, seed=1) as drawn:
        drawn._process.kill()
        drawn._process.join()
        with pytest.raises(RenderError, match="has ended"):
            drawn.batch(4, 64, torch.Generator(), varied)


def test_a_training_writes_weights_that_dream(tmp_path: Path, paced: None):
    motifs = train.MOTIFS
    output, told = tmp_path / "mine.safetensors", []
    settings = Settings(minutes=0.075, width=0.25)
    train.train(output, ReverieTraining(settings, torch.device("cpu")), interval=0.05, on_report=told.append)
    assert left_in(tmp_path) == ["mine-000.safetensors", "mine.safetensors"]
    assert output.stat().st_size < 8e6
    network = reverie(output)
    assert network.labels == (*(motif.name for motif in motifs), "nothing")
    assert set(network.statistics) == set(LAYERS) and "m4b" in network.heads
    features = network.features(torch.rand(1, 3, 64, 64), ["m4b"])["m4b"]
    assert features.shape[1] == network.heads["m4b"][0].shape[1] == len(network.statistics["m4b"][0])
    basis, figures, _ = network.figures["m4a"]
    assert basis.shape[1] == network.layer("m4a").channels and figures.shape[:3] == (len(motifs), 4, len(basis))
    story = json.loads(safe_open(output, "pt").metadata()["training"])
    assert (story["samples"], story["seconds"], story["width"]) == (4 * 8 + 2 * 4, 4.5, 0.25)
    assert [report.share for report in told] == pytest.approx([(n + 1) / 6 for n in range(6)])
    assert told[-1].samples == story["samples"]


class Killed(BaseException):
    """The end of a process that nothing in it sees coming."""


def test_an_interrupted_training_goes_on(tmp_path: Path, paced: None):
    output = tmp_path / "mine.safetensors"
    words = ["networks", "train", "-o", str(output), "--minutes", "9", "--width", "0.25", "--threads", "1"]
    code = f"{QUICK}from dreamer.cli import main\nif __name__ == '__main__': main({words!r})"
    script = tmp_path / "run.py"
    script.write_text(code)
    process = Forked([sys.executable, script], stderr=subprocess.PIPE, text=True, start_new_session=True)
    begun = tmp_path / "mine.safetensors.training"
    waited = time.monotonic()
    while not begun.exists() and time.monotonic() - waited < 120:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "with --resume to continue" in told and "Traceback" not in told

    def mark() -> dict[str, float]:
        return torch.load(begun, weights_only=True)["mark"]

    def resumed(seconds: float, on_report: Callable[[train.Report], None]) -> None:
        settings = Settings(minutes=seconds / 60, width=0.25)
        train.train(output, ReverieTraining(settings, torch.device("cpu")), resume=True, on_report=on_report)

    before = mark()
    assert before["samples"] > 0
    refused(dreamer("networks", "train", "-o", output), "a training was interrupted here", "--resume")

    def kill(report: train.Report) -> None:
        if mark()["seconds"] > before["seconds"]:
            raise Killed

    with pytest.raises(Killed):
        resumed(before["seconds"] + 6, kill)
    later = mark()
    assert later["samples"] > before["samples"] and not output.exists()
    resumed(later["seconds"] + 1.0, lambda report: None)
    story = json.loads(safe_open(output, "pt").metadata()["training"])
    assert story["samples"] == later["samples"] + 2 * 4 and not begun.exists()


def test_another_trainings_checkpoint_is_refused(tmp_path: Path):
    about = {"motifs": ["eye", "wing"], "seed": 1, "width": 0.5, "minutes": 3}
    trainee = Trainee(2, 2, 0.25)
    optimiser = torch.optim.AdamW(trainee.parameters())
    first = checkpoint.Checkpoint.beside(tmp_path / "a.safetensors", about)
    first.progress.samples = 77
    first.save(trainee, optimiser)
    again = checkpoint.Checkpoint.beside(tmp_path / "a.safetensors", {**about, "minutes": 9})
    again.load(trainee, optimiser, torch.device("cpu"))
    assert again.progress.samples == 77
    for change, words in (({"seed": 2}, "its seed is 1, not 2"), ({"motifs": ["eye"]}, "its motifs differ")):
        other = checkpoint.Checkpoint.beside(tmp_path / "a.safetensors", about | change)
        with pytest.raises(UsageError, match=words):
            other.load(trainee, optimiser, torch.device("cpu"))
    held = torch.load(first.path, weights_only=True)
    for key, damage in (("about", 3), ("mark", {"seconds": "x"}), ("module", {}), ("optimiser", {})):
        torch.save(held | {key: damage}, first.path)
        with pytest.raises(UsageError, match="is not a checkpoint"):
            again.load(trainee, optimiser, torch.device("cpu"))
    first.path.write_bytes(b"no checkpoint")
    with pytest.raises(UsageError, match="is not a checkpoint"):
        again.load(trainee, optimiser, torch.device("cpu"))
    first.path.unlink()
    with pytest.raises(UsageError, match="no training to resume"):
        again.load(trainee, optimiser, torch.device("cpu"))


def test_a_training_can_begin_with_weights_that_name_nothing(world: World):
    trainee = Trainee(len(world.names), world.kinds)
    before = trainee.read_outs()["m4b"][0].clone()
    load_pretrained(trainee, dataclasses.replace(reverie(), heads={}), world.names, [pictures(world, 2).image])
    assert torch.equal(trainee.read_outs()["m4b"][0], before)
    load_pretrained(trainee, reverie(), world.names, [pictures(world, 2).image])
    assert not torch.equal(trainee.read_outs()["m4b"][0], before)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trainee = Trainee(2, 2, 0.25)
    optimiser = torch.optim.AdamW(trainee.parameters())
    mark = checkpoint.Checkpoint.beside(tmp_path / "a.safetensors", {})
    mark.save(trainee, optimiser)
    before = mark.path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="no space is left"):
        mark.save(trainee, optimiser)
    assert mark.path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_ctrl_c_while_the_weights_are_written_keeps_the_training(
    tmp_path: Path, paced: None, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ReverieTraining, "export", interrupted)
    training = ReverieTraining(Settings(minutes=1.0 / 60, width=0.25), torch.device("cpu"))
    with pytest.raises(KeyboardInterrupt):
        train.train(tmp_path / "mine.safetensors", training)
    kept = torch.load(tmp_path / "mine.safetensors.training", weights_only=True)
    assert kept["mark"]["samples"] > 0


def test_wrong_commands_are_told_of_at_once(tmp_path: Path, quick: None):
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"weights")
    refused(dreamer("networks", "train", "-o", there), "already exists", "--force")
    refused(dreamer("networks", "train", "-o", tmp_path / "no" / "w.pth"), "no folder", ".safetensors file")
    refused(dreamer("networks", "train", "-o", tmp_path / "w.safetensors", "--resume"), "no training to resume")
    refused(
        dreamer("networks", "train", "-o", tmp_path / "w.safetensors", "--pictures", tmp_path / "x"),
        "name one with pictures",
    )
    refused(dreamer("networks", "train", "-o", tmp_path / "w.safetensors", "--start", there), "not a weights file")
    own = dreamer("networks", "train", "-o", tmp_path / "w.safetensors", "--pictures", there)
    refused(own, f"--pictures {there}: this is a file; name the folder in which the pictures are")
    gone = ("-o", tmp_path / "w.pth", "--start", tmp_path / "gone.pth")
    refused(dreamer("networks", "train", *gone), "gone.pth: there is no such weights file", ".safetensors file")
    ran = dreamer("networks", "train", *gone, "--pictures", tmp_path / "nofolder")
    refused(ran, "gone.pth: there is no such weights file", "nofolder: there is no such folder")
    ran = dreamer("networks", "motifs", "-o", tmp_path / "nodir" / "x.txt")
    refused(ran, "there is no folder", "x.txt: ")
    assert there.read_bytes() == b"weights"


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (80, 60)) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((*size, 3), colour, np.uint8)).save(path)


def test_an_albums_subfolders_are_its_classes(tmp_path: Path):
    for number in range(3):
        picture(tmp_path / "red" / f"{number}.png", (250, 0, 0))
        picture(tmp_path / "eye" / f"{number}.jpg", (0, 0, 250))
    (tmp_path / "red" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "notes").mkdir()
    album = OwnPictures.read(tmp_path, taken=["eye"])
    assert album.names == ("my-eye", "red") and album.classes == (0, 0, 0, 1, 1, 1)
    assert any("skipped" in notice and "broken.png" in notice for notice in album.notices)
    assert any("6 pictures teach" in notice for notice in album.notices)
    pieces, which = album.crops(10, 24, torch.Generator().manual_seed(0))
    assert pieces.shape == (10, 3, 24, 24)
    for piece, label in zip(pieces, which.tolist(), strict=True):
        assert piece.mean((1, 2)).argmax() == (2 if label == 0 else 0)


def test_without_subfolders_each_picture_is_its_own(tmp_path: Path):
    for number in range(25):
        picture(tmp_path / f"p{number:02}.png", (number, 9, 9))
    album = OwnPictures.read(tmp_path)
    assert len(album.names) == 25 and album.notices == ()
    with pytest.raises(UsageError, match="no readable pictures"):
        (tmp_path / "empty").mkdir()
        OwnPictures.read(tmp_path / "empty")
    with pytest.raises(UsageError, match="no such folder"):
        OwnPictures.read(tmp_path / "nowhere")


def test_no_two_things_have_one_name(tmp_path: Path):
    for name in ("eye.png", "eye.jpg", "eye.tif", "my-eye-2.png", "sea.png", "sea.bmp"):
        picture(tmp_path / name, (9, 9, 9), (8, 8))
    album = OwnPictures.read(tmp_path, taken=["eye"])
    assert album.names == ("my-eye", "my-eye-2", "my-eye-3", "my-eye-2-2", "sea", "sea-2")


def test_an_album_holds_every_kind_of_picture_that_can_be_read(tmp_path: Path):
    for name in ("a.png", "b.BMP", "c.gif", "d.webp", "e.avif"):
        picture(tmp_path / name, (9, 9, 9), (8, 8))
    (tmp_path / "f.heic").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    album = OwnPictures.read(tmp_path)
    assert album.names == ("a", "b", "c", "d", "e")
    assert [notice.split(" is ")[0] for notice in album.notices[:-1]] == [f"skipped: {tmp_path / 'f.heic'}"]


def test_an_album_says_what_it_leaves_out(tmp_path: Path):
    album, elsewhere = tmp_path / "album", tmp_path / "elsewhere"
    for name in ("red/a.png", "red/deep/b.png", "red/deep/er/c.png", "blue/d.png", ".hidden/e.png", "loose.png"):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        picture(album / name, (9, 9, 9), (8, 8))
    elsewhere.mkdir()
    picture(elsewhere / "f.png", (9, 9, 9), (8, 8))
    picture(album / "blue" / "large.png", (9, 9, 9), (90, 90))
    (album / "blue" / "out.png").symlink_to(elsewhere / "f.png")
    (album / "blue" / "within.png").symlink_to(album / "red" / "a.png")
    (album / "away").symlink_to(elsewhere)
    (album / "round").symlink_to(album)
    read = OwnPictures.read(album, max_pixels=5000)
    assert read.names == ("blue", "red") and read.classes == (0, 0, 1, 1, 1)
    left_out = "\n".join(read.notices)
    for words in (
        "away is a link",
        "round is a link",
        "out.png is a link that leads",
        "beside the subfolders, 1 in all",
        "large.png has",
    ):
        assert words in left_out
    for number in range(30):
        (album / "blue" / f"broken{number}.png").write_bytes(b"no picture")
    told = OwnPictures.read(album).notices
    assert len(told) < 25 and any("more" in notice for notice in told)


def test_the_whole_pictures_of_one_thing_are_its_own(tmp_path: Path):
    for name, colour in (("blue/a.png", (0, 0, 255)), ("red/a.png", (255, 0, 0)), ("red/b.png", (255, 0, 0))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(tmp_path / name, colour, (20, 12))
    blue, red = (OwnPictures.read(tmp_path).whole(which, 8) for which in (0, 1))
    assert blue.shape == (1, 3, 8, 8) and blue[:, 2].min() > 0.99 > 0.01 > blue[:, 0].max()
    assert red.shape == (2, 3, 8, 8) and red[:, 0].min() > 0.99 > 0.01 > red[:, 2].max()


def test_too_many_things_to_tell_apart_are_refused(tmp_path: Path):
    for number in range(101):
        picture(tmp_path / f"{number}.png", (1, 2, 3), (8, 8))
    with pytest.raises(UsageError, match="101 classes"):
        OwnPictures.read(tmp_path)


def test_ones_own_pictures_are_learnt_and_dreamt_of(tmp_path: Path, paced: None, monkeypatch: pytest.MonkeyPatch):
    """After a short fine-tuning, the head knows stripes from dots, and the weights dream of them unasked."""
    monkeypatch.setattr(Still, "count", 32)
    monkeypatch.setattr(ReverieTraining, "batch", (16, 8))
    monkeypatch.setattr(train, "_LARGE", 64)
    monkeypatch.setattr(train, "_SAVE", 60)
    monkeypatch.setattr(train, "_REPORT", 60)
    for number in range(4):
        stripes = np.tile(np.arange(96) // 6 % 2 * 255, (96, 1)).astype(np.uint8)
        dots = ((np.indices((96, 96)) % 16 - 8) ** 2).sum(0) < 30
        for name, values in (("stripes", stripes), ("dots", dots * np.uint8(255))):
            (tmp_path / "own" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).resize((96 + 8 * number,) * 2).save(tmp_path / "own" / name / f"{number}.png")
    output = tmp_path / "mine.safetensors"
    ran = dreamer("networks", "train", "-o", output, "--pictures", tmp_path / "own", "--minutes", 0.25)
    assert ran.code == 0 and "8 pictures teach" in ran.err, ran.err
    network = reverie(output)
    assert network.labels[-3:] == ("dots", "stripes", "nothing")
    (dream,) = network.defaults["objectives"]
    assert dream == {"name": "motif", "layer": "m4a", "names": ["dots", "stripes"], "texture": 0.0}
    (basis, figures, _), (mean, std) = network.figures["m4a"], network.statistics["m4a"]
    assert len(figures) == len(network.labels) - 1
    album = OwnPictures.read(tmp_path / "own")
    pieces, which = album.crops(24, 64, torch.Generator().manual_seed(9))
    weight, bias = network.heads["m4b"]
    with torch.no_grad():
        features = network.features(pieces, ["m4b"])["m4b"]
        said = torch.einsum("kc,bchw->bkhw", weight, features).mean((2, 3)) + bias
    assert (said[:, -3:-1].argmax(1) == which).float().mean() > 0.8
    for number in (0, 1):  # and their figures find them whole
        whole = network.features(album.whole(number, 88), ["m4a"])["m4a"]
        seen = torch.einsum("rc,bchw->brhw", basis, (whole - mean[:, None, None]) / std[:, None, None])
        found = torch.einsum("kvrhw,brhw->bvk", figures[-2:], seen).amax(1)
        assert (found.argmax(1) == number).all()


def test_the_sheet_of_motifs_has_a_row_for_each(tmp_path: Path):
    ran = dreamer("networks", "motifs", "-o", tmp_path / "sheet.png", "--samples", 1, "--size", 16)
    assert ran.code == 0 and "eye" in ran.out
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (20, 20 * len(MOTIFS))
    refused(dreamer("networks", "motifs", "-o", tmp_path / "sheet.png"), "already exists")
    refused(dreamer("networks", "motifs", "-o", tmp_path / "sheet.doc"), "unsupported extension; use one of .jpg")


def test_the_shipped_weights_are_small_and_tell_their_story():
    from importlib.resources import files

    path = Path(str(files("dreamer.networks") / "reverie.safetensors"))
    assert path.stat().st_size < 8e6
    about = safe_open(path, "pt").metadata()
    assert json.loads(about["motifs"])[:-1] == [motif.name for motif in MOTIFS]
    assert {"seed", "samples", "seconds", "device"} <= json.loads(about["training"]).keys()
    assert isinstance(reverie().module, Reverie)


def test_weights_tell_what_they_began_with(tmp_path: Path, paced: None):
    shipped = weights_path()
    output = tmp_path / "on.safetensors"
    ran = dreamer("networks", "train", "-o", output, "--start", shipped, "--minutes", 0.02)
    assert ran.code == 0, ran.err
    assert story(output)["minutes"] == 0.02 and story(output)["before"] == story(shipped)


@torch.no_grad()
def test_the_figures_that_ship_find_their_motifs_in_fresh_drawings():
    network = reverie()
    (basis, weight, bias), (mean, std) = network.figures["m4a"], network.statistics["m4a"]
    right = 0
    for number, motif in enumerate(MOTIFS):
        drawn = portraits(motif, 2, 88, torch.Generator().manual_seed(77), 1.05)
        seen = (network.features(drawn, ["m4a"])["m4a"] - mean[:, None, None]) / std[:, None, None]
        found = torch.einsum("kvrhw,brhw->bkv", weight, torch.einsum("rc,bchw->brhw", basis, seen)) + bias
        right += int((found.amax(2).argmax(1) == number).sum())
    assert right > 0.8 * 2 * len(MOTIFS)
