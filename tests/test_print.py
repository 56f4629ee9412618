"""`dreamer print`: the proof enlarged, its checkpoints, its file, and what it refuses."""

from __future__ import annotations

import math
import mmap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command import QUICK, Ran, dreamer, left_in, photo, pixels, refused, stamp_of
from networks import tiny
from PIL import Image
from torch import Tensor

import dreamer as dreamer_module
from dreamer.cli.print import long_side
from dreamer.cli.printing import Print
from dreamer.engine import score
from dreamer.engine.ascent import Ascent
from dreamer.engine.device import Machine
from dreamer.engine.octaves import Octave
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step
from dreamer.engine.tiling import Tile
from dreamer.errors import WriteError
from dreamer.image import Photo, blurred, encode, encode_to, load, resize, to_pil
from dreamer.image.paper import Sheets
from dreamer.networks.network import Network
from dreamer.networks.reverie import DEFAULTS
from dreamer.pipeline.build import build
from dreamer.pipeline.enlarging import _FRUGAL, FALL, Enlargement, finer_octaves
from dreamer.pipeline.forecast import seconds_of
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import look_memory
from dreamer.plugins.loading import load_plugins

TINY = replace(tiny(), name="reverie")
MADE = ["photo.png", "print-crop.png", "print-proof.png", "print.png"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo; proofs are small, nothing is timed for long, and the tiny network stands for reverie."""

    def loaded(shelf: Any, name: str, *weights: Any, **settings: Any) -> Network:
        return TINY

    monkeypatch.setattr("dreamer.pipeline.build.load_from", loaded)
    monkeypatch.setattr("dreamer.pipeline.enlarging.PROOF", 80)
    monkeypatch.setattr("dreamer.pipeline.forecast._SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photo.png", 96, 72)
    return tmp_path


def printed(*arguments: str | Path, size: int = 160) -> Ran:
    """A print of few pixels, in two octaves above its proof."""
    return dreamer("print", "photo.png", "-o", "print.png", "--size", size, "--keep", "0", *QUICK, *arguments)


def change_in(path: str) -> Tensor:
    """What a dream over the photo has changed, (1, 3, H, W)."""
    dream = load(path).image()
    return dream - load("photo.png").resized(dream.shape[-1]).image()


def alike(one: Tensor, other: Tensor, side: int = 64) -> float:
    """The correlation of two changes in what is left of them on a grid of so many pixels."""
    low = [resize(blurred(change, max(change.shape) / side / 2), (side * 3 // 4, side)) for change in (one, other)]
    return float(torch.corrcoef(torch.stack([change.flatten() for change in low]))[0, 1])


def stopped_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the person press Ctrl-C in the step of that number."""
    step, left = Ascent.step, iter(range(count))

    def stepped(self: Ascent, *arguments: Any) -> tuple[Tensor, float]:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(Ascent, "step", stepped)


def test_the_proof_is_the_dream_of_its_size_and_the_print_is_the_proof_enlarged() -> None:
    steps = ("--set", "octaves.steps=4")
    ran = printed(*steps)
    assert ran.code == 0 and left_in(Path()) == MADE, ran.err
    assert dreamer("render", "photo.png", "--size", "80", "--keep", "0", "-o", "alone.png", *steps).code == 0
    assert (np.asarray(Image.open("alone.png")) == np.asarray(Image.open("print-proof.png"))).all()
    proof, whole = change_in("print-proof.png"), change_in("print.png")
    assert whole.shape[-2:] == (120, 160) and alike(proof, whole, 16) > 0.9
    assert float(whole.std()) > 0.8 * float(proof.std())


def test_the_crop_shows_the_print_where_the_dream_is_strongest() -> None:
    values = pixels(96, 72)
    Path("photo.png").write_bytes(encode(Photo(values), values, "PNG"))
    assert printed("--set", "octaves.steps=4", "--region", "right:30%").code == 0
    crop, whole = load("print-crop.png").image(), load("print.png").image()
    size = (crop.shape[-2], crop.shape[-1])
    assert size == (60, 80)
    places = [(top, left) for top in range(61) for left in range(81)]
    near = min(
        places, key=lambda at: float((whole[..., at[0] : at[0] + 60, at[1] : at[1] + 80] - crop).square().mean())
    )
    cut = whole[..., near[0] : near[0] + 60, near[1] : near[1] + 80]
    assert near[1] > 60 and alike(cut, crop) > 0.95


def test_a_print_goes_on_to_the_identical_file(monkeypatch: pytest.MonkeyPatch) -> None:
    tiled = ("--tile", "96")
    assert printed(*tiled).code == 0
    whole = Path("print.png").read_bytes()
    for count in (2, 6):  # in the proof, after two steps on the timed piece; in the last octave, after the crop's
        Path("print.png").unlink()
        with monkeypatch.context() as patch:
            stopped_at(count, patch)
            ran = printed(*tiled)
        assert ran.code == 130 and "--resume" in ran.err and ".print.png.print" in left_in(Path()), ran.err
        refused(printed(*tiled), ".print.png.print holds an unfinished print", "--resume", "--force")
        refused(printed("--resume", "--seed", "4"), "another recipe")
        assert printed("--resume").code == 0, "its tile is known"
        assert Path("print.png").read_bytes() == whole and left_in(Path()) == MADE


@pytest.mark.parametrize("look", [(), ("--set", "transforms=[{name='jitter'}, {name='warp'}]")])
def test_a_print_that_does_not_fit_into_memory_is_made_in_files_to_the_same_bytes(
    look: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamer.cli.printing.Print.takes", lambda self: str(self.way.in_files))
    look = ("--tile", "64", "--set", "spare=0.2", *look)
    assert "False" in printed(*look).err
    whole = Path("print.png").read_bytes()
    Path("print.png").unlink()
    sizes: list[int] = []
    mapped = mmap.mmap

    def mapping(number: int, size: int) -> mmap.mmap:
        sizes.append(size)
        return mapped(number, size)

    monkeypatch.setattr("mmap.mmap", mapping)
    monkeypatch.setattr("dreamer.image.storage.LARGE", 1)
    memory = Enlargement.memory.fget  # type: ignore[attr-defined]
    needed = iter([1e9])
    monkeypatch.setattr(Enlargement, "memory", property(lambda self: next(needed, None) or memory(self)))
    monkeypatch.setattr("dreamer.pipeline.enlarging.available_memory", lambda device: 5e8)
    ran = printed(*look)
    assert ran.code == 0 and "True" in ran.err and sizes.count(160 * 120 * 3 * 4) > 5
    assert Path("print.png").read_bytes() == whole and left_in(Path()) == MADE


def test_an_octave_that_was_kept_and_is_damaged_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        stopped_at(5, patch)
        assert printed().code == 130
    (kept,) = Path(".print.png.print").glob("octave-*")
    kept.write_bytes(kept.read_bytes()[:-9])
    assert printed("--resume").code == 0 and left_in(Path()) == MADE


def test_a_full_disk_costs_no_octave(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("dreamer.image.encode_to", full)
        assert "kept" not in printed("--proof").err
        patch.setattr("dreamer.image.encode_to", lambda *to, **how: encode_to(*to, **how) if to[3] == "PNG" else full())
        ran = printed("-o", "print.tif")
    assert ran.code == 1 and "full; what is done is kept in .print.tif.print, and --resume continues it" in ran.err
    monkeypatch.setattr(Enlargement, "octave", None)
    assert printed("-o", "print.tif", "--resume").code == 0


def test_a_print_that_has_its_page_and_its_sheets_goes_on_and_replaces_nobody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("--deep-zoom", "wall", "--sheets", "A6")
    write, first = Print._write, Sheets.write

    def stopped(self: Print, path: Path, *more: Any) -> None:
        if path.name == "print.png":
            raise KeyboardInterrupt
        write(self, path, *more)

    def before(*more: Any, **how: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Sheets, "write", before)
        assert printed(*words).code == 130
        Path("print-sheets.pdf").write_bytes(b"theirs")
        refused(printed(*words, "--resume"), "print-sheets.pdf already exists")
        assert Path("print-sheets.pdf").read_bytes() == b"theirs"
        Path("print-sheets.pdf").unlink()
        patch.setattr(Sheets, "write", first)
        patch.setattr(Print, "_write", stopped)
        assert printed(*words, "--resume").code == 130
        refused(printed(*words), "print-sheets.pdf already exists")
    Path("other").mkdir()
    Path("other/index.html").write_text("theirs")
    refused(printed("--sheets", "A6", "--deep-zoom", "other", "--resume"), "--deep-zoom other: there is a page already")
    assert left_in(Path("other")) == ["index.html"]
    (Path("other") / "index.html").unlink(), Path("other").rmdir()
    assert printed(*words, "--resume").code == 0
    assert left_in(Path()) == sorted([*MADE, "print-sheets.pdf", "wall"]) and Path("wall/index.html").exists()


@pytest.mark.parametrize("name", ["print-proof.png", "print-crop.png", "print.png"])
def test_what_another_program_writes_meanwhile_is_spared(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    proof = Enlargement.proof

    def meanwhile(self: Enlargement, *photo: Any) -> Tensor:
        Path(name).write_bytes(b"theirs")
        return proof(self, *photo)

    monkeypatch.setattr(Enlargement, "proof", meanwhile)
    refused(printed("--progress", "none"), f"{name} was made by another program meanwhile", "--force", code=1)
    assert Path(name).read_bytes() == b"theirs"
    Path(name).unlink()
    assert printed("--resume", "--force").code == 0 and Path(name).read_bytes() != b"theirs"


def full(*made: Any, **how: Any) -> bytes:
    """Finds no room."""
    raise WriteError("full")


def test_a_proof_stops_there_and_the_print_may_follow() -> None:
    ran = printed("--proof")
    assert ran.code == 0 and left_in(Path()) == [name for name in MADE if name != "print.png"]
    assert "print of 160x120 pixels, 2.0 x 1.5 cm at 200 dpi, 2 octaves above" in ran.err and "memory" in ran.err
    others = "--force replaces it, -o chooses another name"
    refused(printed("--seed", "3"), f"print-proof.png already exists and is no proof of this print; {others}")
    assert printed().code == 0
    refused(printed(), "print.png already exists", "--force")
    assert printed("--seed", "3", "--force").code == 0


@pytest.mark.parametrize(("name", "kind"), [("print.png", "PNG"), ("print.tif", "TIFF")])
def test_the_file_is_deep_and_says_how_large_it_is(name: str, kind: str) -> None:
    values = pixels(96, 72)
    Path("photo.png").write_bytes(encode(Photo(values, alpha=values[..., 0]), values, "PNG"))
    assert printed("-o", name, "--dpi", "254", "--strength", "0").code == 0
    made, whole = load(name), load("photo.png")
    assert made.pixels.dtype == np.uint16 and made.format == kind and made.alpha is not None
    assert made.dpi and all(math.isclose(value, 254, abs_tol=0.1) for value in made.dpi)
    wide = replace(whole, pixels=whole.pixels * np.uint16(257)).resized(160)
    assert (made.pixels == wide.pixels).all(), "without strength it is the photo"
    stamp = stamp_of(Path(name))
    assert stamp["recipe"]["size"] == 160 and stamp["print"] == {"proof": 80, "dpi": 254}


def test_a_print_has_bleed_and_comes_in_sheets() -> None:
    more = ("--dpi", "20", "--bleed", "2.5mm", "--sheets", "10x15")
    ran = printed(*more)
    assert ran.code == 0 and "4 sheets" in ran.err and {*left_in(Path())} == {*MADE, "print-sheets.pdf"}, ran.err
    wide = load("print.png").pixels
    assert wide.shape[:2] == (124, 164) and (wide[0] == wide[4]).all() and stamp_of(Path("print.png"))["print"]["bleed"]
    Path("print.png").unlink()
    refused(printed(*more), "print-sheets.pdf already exists", "--force")
    refused(printed("--bleed", "10cm", "--force"), "wider than the print")
    refused(printed("--sheets", "2x9", "--force"), "8 cm at least")


def test_regions_are_kept_in_print_and_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Tensor] = []
    ascend = Pipeline.ascend

    def seen(self: Pipeline, image: Tensor, **settings: Any) -> Tensor:
        given.extend(areas.whole for areas in [settings.get("areas")] if areas)
        return ascend(self, image, **settings)

    monkeypatch.setattr(Pipeline, "ascend", seen)
    assert printed("--region", "left:20%", "--feather", "0").code == 0
    change = change_in("print.png").abs()
    assert float(change[..., 36:].max()) < 2 / 255 < float(change[..., :28].max())
    assert given[-1].shape[-2:] == (60, 80), "the crop's own part of the mask"
    assert float(given[-1][..., :28].min()) > 0.99 and float(given[-1][..., 36:].max()) < 0.01


def test_what_cannot_be_is_told_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    here = left_in(Path())
    refused(dreamer("print", "photo.png"), "--cm 60x40", "--size 8000")
    refused(printed("--cm", "12x9"), "--cm and --size both say how large", "leave one")
    refused(printed("-o", "print.jpg"), "PNG and TIFF alone")
    refused(printed("-o", "."), "this is a folder; name a picture in it")
    refused(printed("-o", "photo.png", "--force"), "never overwritten")
    refused(printed("--set", "pictures=2"), "a print is of one photo")
    refused(printed(size=20_000), "million pixels", "--max-pixels")
    with monkeypatch.context() as patch:
        patch.setattr("dreamer.pipeline.enlarging.available_memory", lambda device: 10_000)
        refused(printed(), "GiB of memory", "--size")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
        refused(printed(), "MiB on the disk", "-o")
    assert left_in(Path()) == here


def test_no_input_is_in_the_folder_of_the_page() -> None:
    tile = Path("page/picture_files/0/0_0.png")
    tile.parent.mkdir(parents=True)
    before = photo(tile, 96, 72).read_bytes()
    words = ("--size", "160", "--deep-zoom", "page", "--force", "-o", "print.png", "--progress", "none")
    for ran in (dreamer("print", tile, *words), dreamer("print", "photo.png", *words, "--guide", tile)):
        refused(ran, f"{tile}, an input, is in page, which the page replaces")
    assert tile.read_bytes() == before


def test_paper_may_be_turned_and_holds_the_whole_photo() -> None:
    wide = load(Image.new("RGB", (96, 72)))
    tall = load(to_pil(wide.image().transpose(-1, -2)))
    for cm in ((120.0, 80.0), (80.0, 120.0)):
        assert long_side(wide, cm, 200, None) == long_side(tall, cm, 200, None) == 8398  # 80 cm high
    assert long_side(wide, None, 200, 0) == 96


def test_the_time_is_that_of_all_looks_of_what_lies_beside_them_and_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = load("photo.png")
    pipeline = build({"octaves": {"steps": 3}}, load_plugins()[0], network=TINY, machine=Machine("cpu", "float32", 64))
    way = Enlargement.planned(pipeline, photo, 320, 80)
    kinds = iter([5.0, 7.0, 11.0])  # of the rest, of the file, of a look
    monkeypatch.setattr("dreamer.pipeline.forecast._seconds", lambda work: (work(), next(kinds))[1])
    looks: list[tuple[int, int]] = []
    gradient = Scorer.gradient

    def looked(self: Scorer, image: Tensor, *rest: Any, **more: Any) -> Any:
        looks.append((image.shape[-2], image.shape[-1]))
        return gradient(self, image, *rest, **more)

    monkeypatch.setattr(Scorer, "gradient", looked)
    told = seconds_of(way, photo, "PNG", (60, 80))
    ((high, wide),) = looks
    assert high > 64 < wide, "with its surroundings"
    crops: list[int] = []
    crop = score._crop

    def cut(image: Tensor, tile: Tile | None) -> Tensor:
        found = crop(image, tile)
        crops.append(found.shape[-2] * found.shape[-1])
        return found

    monkeypatch.setattr(score, "_crop", cut)
    change = way.begun()
    way.piece(change, (60, 80))
    way.drawn(change)
    seen, piece = sum(crops), 320 * 240
    pixels = sum(math.prod(octave.size) * octave.steps for octave in (*way.first.octaves, *way.octaves))
    pixels += 60 * 80 * sum(octave.steps for octave in way.octaves)
    assert told == pytest.approx(11 * seen / (high * wide) + 5 * pixels / (2 * piece) + 7)


def test_all_ingredients_of_the_default_look_keep_what_is_large_in_files() -> None:
    names = {item["name"] for kind in ("transforms", "gradient_filters") for item in DEFAULTS[kind]}
    assert names <= _FRUGAL


def test_the_memory_is_that_of_the_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = build({}, load_plugins()[0], network=TINY, machine=Machine("cpu", "float32", 64))
    way = Enlargement.planned(pipeline, load("photo.png"), 320, 80)
    look = look_memory(64, pipeline.network, pipeline.terms, 240, 320, 1)
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=2**30))
    monkeypatch.setattr("psutil.Process", lambda: process)
    assert way.peak == 2**30 + way.memory + look


def test_python_makes_the_same_print() -> None:
    assert printed("--tile", "64").code == 0
    told: list[Step] = []
    settings: Any = {"network": TINY, "size": 160, "proof": 80, "steps": 1, "tile": 64, "spare": 0.0}
    found = dreamer_module.enlarge("photo.png", on_step=told.append, returns="array", **settings)
    assert found.dtype == np.uint16 and (found == load("print.png").pixels).all()
    assert [(step.octave, step.octaves) for step in told] == [(0, 2), (1, 2)] and told[-1].share == 1

    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(dreamer_module.Interrupted) as stopped:
        dreamer_module.enlarge("photo.png", on_step=stop, **settings)
    assert stopped.value.picture.size == (160, 120)


def test_octaves_above_the_proof_are_few_and_short() -> None:
    last = Octave((60, 80), 3, 0.02)
    found = finer_octaves(last, 240, 320, 2.0)
    assert [octave.size for octave in found] == [(120, 160), (240, 320)]
    assert [octave.steps * octave.step_size for octave in found] == pytest.approx([0.06 * FALL, 0.06 * FALL**2])
    assert [octave.size for octave in finer_octaves(last, 66, 88, 2.0)] == [(66, 88)]
    assert finer_octaves(last, 60, 80, 2.0) == () and Enlargement.sizes
