"""Wrong input: a sentence each, an exit code, and nothing half-written."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from clips import made
from command import dreamer, left_in, photo, pixels, refused, render
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import dreamer as package
from dreamer.image import Photo, encode
from dreamer.networks.torchvision import classics
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.pipeline import Pipeline


def _cut(path: Path) -> Path:
    whole = photo(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def _plain(path: Path, size: tuple[int, int]) -> Path:
    Image.new("RGB", size, "grey").save(path)
    return path


PHOTOS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing.jpg": (lambda path: None, ("missing.jpg: there is no such file",)),
    "empty.jpg": (lambda path: path.write_bytes(b""), ("it is empty",)),
    "text.jpg": (lambda path: path.write_text("hello"), ("text.jpg is not a picture",)),
    "cut.jpg": (_cut, ("cut.jpg cannot be read", "truncated")),
    "cut.png": (_cut, ("cut.png cannot be read", "truncated")),
    "cut.tif": (_cut, ("cut.tif",)),
    "one.png": (
        lambda path: _plain(path, (1, 1)),
        ("1x1 pixels are too small for reverie at m4a", "at least 9"),
    ),
    "thin.png": (lambda path: _plain(path, (5, 3000)), ("3x2048 pixels are too small for reverie at m4a",)),
    "folder": (lambda path: path.mkdir(), ("there are no pictures in this folder",)),
    "no*.jpg": (lambda path: None, ("no picture matches this pattern",)),
    "bomb.png": (lambda path: Image.new("1", (15_000, 14_000)).save(path), ("--max-pixels", "200,000,000")),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_that_is_none_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    make, words = PHOTOS[name]
    make(tmp_path / name)
    before = left_in(tmp_path)
    refused(render(tmp_path / name, "--progress", "none"), *words)
    assert left_in(tmp_path) == before


def test_a_photo_that_is_too_small_at_this_size_alone_is_told_so(tmp_path: Path) -> None:
    wide = _plain(tmp_path / "wide.png", (900, 20))
    helps = "a larger --size helps, since it is 900x20 by itself"
    refused(render(wide, "--size", "120"), "120x3 pixels are too small for reverie at m4a", helps)
    refused(render(wide, "--size", "120", "--variations", "2", "-o", tmp_path / "s.png"), helps)
    made(tmp_path / "wide.mp4", 2, size=(20, 900))
    refused(dreamer("video", tmp_path / "wide.mp4", "--size", "200"), "200x4 pixels are too small", helps)
    with pytest.raises(package.DreamerError, match="a larger size helps, since it is 900x20 by itself"):
        package.dream(wide, size=120)


@pytest.mark.parametrize("place", [".", "/"])
def test_what_has_no_name_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(tmp_path)
    source = photo(tmp_path / "a.png")
    made(tmp_path / "a.mp4", 2)
    for words in (["video", "a.mp4"], ["zoom", source]):
        refused(dreamer(*words, "-o", place), "name the clip as well, as in -o", "dream.mp4")
    for words in (["zoom", place], ["presets", "try", place, "bloom"]):
        refused(dreamer(*words), "is a folder")
    assert left_in(tmp_path) == ["a.mp4", "a.png"]


def test_a_current_folder_that_is_gone_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = photo(tmp_path / "a.png")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    refused(dreamer("zoom", source, "-o", "z.mp4"), "the current folder has been deleted", code=1)


OPTIONS = {
    "format": (["-o", "x.xyz"], "x.xyz: unsupported extension; use one of .jpg"),
    "no format": (["-o", "x"], "-o x: not a folder, and the name has no extension"),
    "no format of a sheet": (["--variations", "2", "-o", "x"], "x: no extension; use one of .jpg"),
    "folder for a sheet": (
        ["--variations", "2", "-o", ".."],
        "..: this is a folder; name a picture in it, with one of",
    ),
    "nothing to invert": (["--invert"], "--invert: there is no --region whose mask it could invert"),
    "nothing to soften": (["--feather", "10%"], "--feather: there is no --region whose edge it could soften"),
    "folder": (["-o", "nowhere/deep/"], "-o nowhere/deep/: there is no folder nowhere"),
    "folder of a file": (["-o", "nowhere/x.jpg"], "there is no folder nowhere"),
    "preset": (["--preset", "clasic"], "no preset is called 'clasic'; did you mean classic?"),
    "network": (["--network", "gogglenet"], "no network is called 'gogglenet'; did you mean googlenet"),
    "strange network": (["--network", "zzz"], "'zzz' (`dreamer networks list` shows those that are ready"),
    "fixed size": (["--network", "maxvit_t"], "maxvit_t accepts pictures of one size only"),
    "layer": (
        ["--layer", "m4x"],
        "has no layer 'm4x'; `dreamer networks layers reverie` lists them; did you mean",
    ),
    "device": (["--device", "gpu"], "--device: 'gpu' is not one of"),
    "setting": (["--set", "colour"], "--set colour: write KEY=VALUE"),
    "strength": (["--strength", "2"], "strength: 2.0 is not a number from 0 to 1; the nearest is 1"),
    "nan": (["--strength", "nan"], "strength: nan is not a number from 0 to 1"),
    "seed": (["--seed", "-1"], "seed: -1 is not a whole number"),
    "size": (["--size", "3"], "--size: expected full or a number of pixels from 16, not '3'"),
    "snapshots": (["--snapshots", "0,a"], "--snapshots: expected step numbers such as 10,20,40, not '0,a'"),
    "option": (["--sett", "x"], "no such option '--sett'"),
    "guide": (["--guide", "none.png"], "there is no file none.png"),
    "guided without guide": (["--set", 'objectives=[{name="guided"}]'], "--guide PICTURE"),
    "channel": (["--set", "objectives.channel.index=9999"], "has channels 0 to 271, not 9999"),
    "twice": (["--set", 'priors=[{name="total_variation"},{name="total_variation"}]'], "listed twice"),
    "missing weights": (["--weights", "no.pth"], "no.pth: there is no such weights file"),
    "no weights": (["--weights", "a.png"], "a.png"),
    "no weights, classic": (
        ["--network", "squeezenet1_1", "--weights", "a.png"],
        "a.png: not a weights file",
    ),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_an_option_that_is_wrong_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    options, sentence = OPTIONS[kind]
    monkeypatch.chdir(tmp_path)
    refused(dreamer("render", photo(tmp_path / "a.png"), *options), sentence)
    assert left_in(tmp_path) == ["a.png"]


def test_a_device_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(
        render(photo(tmp_path / "a.png"), "--device", "cuda"),
        "device: torch can use no cuda on this machine",
        "`dreamer doctor`",
    )


def test_without_a_photo_or_a_command_it_says_what_to_type() -> None:
    refused(dreamer("render"), "name a photo", "dreamer render --sample")
    refused(dreamer("rendr"), "no such command 'rendr'", "`dreamer --help`")
    refused(dreamer("help"), "no such command 'help'; did you mean --help?")
    refused(dreamer("plugins", "remove", "x"), "no such command 'remove'; did you mean uninstall?")
    refused(dreamer("networks", "remove", "x"), "no such command 'remove' (see")
    assert dreamer().code == 2 and "Usage: dreamer" in dreamer().err


class _Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_weights_file_never_runs(tmp_path: Path) -> None:
    trap, weights = tmp_path / "sprung", tmp_path / "evil.pth"
    for write in (
        lambda: torch.save(_Trap(trap), weights),
        lambda: weights.write_bytes(pickle.dumps(_Trap(trap))),
    ):
        write()
        ran = render(photo(tmp_path / "a.png"), "--network", "squeezenet1_1", "--weights", weights)
        refused(ran, "evil.pth: not a weights file, or one that holds code besides tensors")
        assert not trap.exists()


def test_weights_that_do_not_fit_say_what_is_missing_strange_and_misshapen(tmp_path: Path) -> None:
    weights = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 5, 5), "strange": torch.zeros(1)}, weights)
    ran = render(photo(tmp_path / "a.png"), "--network", "squeezenet1_1", "--weights", weights)
    refused(
        ran,
        "other.pth (squeezenet1_1) does not fit",
        "missing: ",
        "not known: strange",
        "64x3x5x5 instead of 64x3x3x3",
    )
    save_file({"strange": torch.zeros(1)}, tmp_path / "other.safetensors")
    ran = render(photo(tmp_path / "a.png"), "--weights", tmp_path / "other.safetensors")
    refused(ran, "other.safetensors (reverie's weights) does not fit", "not known: strange")


def test_weights_that_fit_are_used(tmp_path: Path) -> None:
    network = next(c for c in classics() if c.name == "squeezenet1_1").untrained()
    torch.save(network.module.state_dict(), tmp_path / "own.pth")
    ran = render(photo(tmp_path / "a.png"), "--network", "squeezenet1_1", "--weights", tmp_path / "own.pth")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_placed(tmp_path: Path, value: float) -> None:
    from dreamer.networks.reverie import reverie

    builtin = Path(package.__file__).parent / "networks" / "reverie.safetensors"
    with safe_open(builtin, framework="pt") as file:
        about, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}
    key = next(name for name, _ in reverie().module.named_parameters() if name.startswith("m4a") and "bias" in name)
    tensors[key] = torch.full_like(tensors[key], value)
    save_file(tensors, tmp_path / "broken.safetensors", about)
    ran = render(photo(tmp_path / "a.png"), "--weights", tmp_path / "broken.safetensors", "--progress", "none")
    refused(ran, "at layer m4a gave", "in octave 1 of 1 (96x72)", code=1)
    assert left_in(tmp_path) == ["a.png", "broken.safetensors"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))  # nor is there any for what is rescued
    source = photo(tmp_path / "a.png", width=256, height=256)
    ran = render(source, "-o", small_disk / "a.png", "--progress", "none")
    refused(ran, "could not be written: no space is left in", "MB are needed", code=1)
    assert left_in(small_disk) == []


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    (small_disk / "a.png").write_bytes(b"mine")
    source = photo(tmp_path / "a.png", width=256, height=256)
    refused(render(source, "-o", small_disk / "a.png", "--force", "--progress", "none"), "no space", code=1)
    assert (small_disk / "a.png").read_bytes() == b"mine" and left_in(small_disk) == ["a.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    tmp_path.chmod(0o500)
    refused(render(source), "is not permitted")
    tmp_path.chmod(0o700)


def test_a_folder_is_asked_whether_it_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(render(photo(tmp_path / "a.png")), "is not permitted")


@pytest.mark.parametrize("where", ["before", "after"])
def test_debug_shows_the_traceback(tmp_path: Path, where: str) -> None:
    words = ["render", str(photo(tmp_path / "a.png")), "--layer", "nope"]
    ran = dreamer(*(["--debug", *words] if where == "before" else [*words, "--debug"]))
    assert ran.code == 2 and "Traceback" in ran.err and "dreamer: reverie has no layer 'nope'" in ran.err


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_is_a_sentence_and_stops_no_other_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    dream, photos = Pipeline.dream, [photo(tmp_path / "a.png"), photo(tmp_path / "b.png")]

    def broken(self: Pipeline, source: Photo, **rest: object) -> Dream:
        if source.path == photos[0]:
            raise ZeroDivisionError("by design")
        return dream(self, source, **rest)

    monkeypatch.setattr(Pipeline, "dream", broken)
    ran = render(*photos, *(["--debug"] if debug else []))
    assert ran.code == 1 and (tmp_path / "b-dream.png").exists()
    assert "a.png: internal error (ZeroDivisionError: by design); run again with --debug for the traceback" in ran.err
    assert ("Traceback" in ran.err) is debug


def test_memory_that_is_used_up_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dream(self: Pipeline, source: Photo, **rest: object) -> Dream:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr(Pipeline, "dream", dream)
    refused(render(photo(tmp_path / "a.png")), "out of memory; try a smaller --size", code=1)


def test_a_picture_too_long_for_its_format_is_refused(tmp_path: Path) -> None:
    values = pixels(17_000, 10)
    (tmp_path / "a.png").write_bytes(encode(Photo(values), values, "PNG"))
    refused(render(tmp_path / "a.png", "--size", "full", "-o", tmp_path / "a.webp"), "at most 16383 pixels per side")


def test_options_that_are_missing_are_named(tmp_path: Path) -> None:
    refused(dreamer("visualize", "--class", "eye"), "dreamer: -o or --output is missing")
    refused(dreamer("zoom"), "dreamer: PHOTO is missing (see `dreamer zoom --help`)")
    refused(dreamer("plugins", "install"), "dreamer: SPEC is missing")
    refused(dreamer("exemplars", tmp_path, "-o", "x.png"), "dreamer: --channel is missing")


def test_a_clip_for_render_and_a_picture_for_video_name_the_right_command(tmp_path: Path) -> None:
    clip, source = made(tmp_path / "clip.mp4", 2), photo(tmp_path / "a.jpg")
    refused(render(clip), "this is a clip; `dreamer video` dreams over it")
    for name in ("a.jpg", "a.png", "a.webp"):
        photo(tmp_path / name)
        refused(dreamer("video", tmp_path / name), f"{name} is a picture, not a clip; use `dreamer render` for it")
    assert source.exists()
