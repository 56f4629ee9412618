"""Hidden notes, pages and outputs that are not what they should be: no command breaks, and nothing is lost."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from command import dreamer, left_in, photo, refused
from networks import tiny
from PIL import Image
from safetensors.torch import load_file, save_file

from dreamer.cli.claims import claimed
from dreamer.errors import WriteError
from dreamer.networks.reverie import weights_path
from dreamer.networks.weights import metadata
from dreamer.training.export import write
from dreamer.visualization import exemplars
from dreamer.visualization.atlas import channel_images
from dreamer.visualization.atlas.layer_section import LayerSection
from dreamer.visualization.atlas.page import reuse_images
from dreamer.visualization.exemplars import Channel, Search, search

LAYER = ("--layer", "m3a")
FEW = ("--channel", "3", "--steps", "0", "--size", "64")
PAGE = ("--channels", "3", "--steps", "1", "--size", "32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        photo(tmp_path / "pictures" / f"{number}.png", 64, 48, shift=number * 9)
    return tmp_path / "pictures"


def searched(folder: Path, notes: Path, **options: Any) -> Search:
    unit, names = Channel(tiny(), "two", 5), left_in(folder)
    return search(folder, names, unit, notes=notes, device=torch.device("cpu"), **options)


def deep(text: str, levels: int = 100_000) -> str:
    return text.replace('"@"', "[" * levels + "]" * levels)


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a place outside": lambda notes: notes["best"][0][0].update(place=[0, 0, 50_000, 50_000]),
    "a place turned over": lambda notes: notes["best"][0][0].update(place=[0.9, 0.9, 0.1, 0.1]),
    "a place of NaN": lambda notes: notes["best"][0][0].update(place=[float("nan")] * 4),
    "a place of texts": lambda notes: notes["best"][0][0].update(place=["x"] * 4),
    "a place of three": lambda notes: notes["best"][0][0].update(place=[0, 0, 1]),
    "no rank": lambda notes: notes["best"][0][0].update(rank=[]),
    "a rank of texts": lambda notes: notes["best"][0][0].update(rank=["x"]),
    "a rank without end": lambda notes: notes["best"][0][0].update(rank=[float("-inf")]),
    "a rank of digits": lambda notes: notes["best"][0][0].update(rank=[10**400]),
    "another picture": lambda notes: notes["best"][0][0].update(name="../../secret.png"),
    "a list for a name": lambda notes: notes["best"][0][0].update(name=["0.png"]),
    "too many units": lambda notes: notes["best"].append([]),
    "done is a list of lists": lambda notes: notes.update(done=[[["0.png"]]]),
    "skipped is a list": lambda notes: notes.update(skipped=["0.png"]),
    "deep": lambda notes: notes.update(best="@"),
    "deep and skipped": lambda notes: notes.update(skipped={"0.png": "@"}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_notes_are_as_good_as_none(folder: Path, tmp_path: Path, damage: str) -> None:
    clean, notes = searched(folder, tmp_path / "clean"), tmp_path / "notes"

    def stop(so_far: Search) -> None:
        if len(so_far.done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(folder, notes, on_picture=stop)
    words = json.loads(notes.read_text())
    DAMAGES[damage](words)
    notes.write_text(deep(json.dumps(words)))
    assert searched(folder, notes) == clean


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "mine.txt").write_text("mine")
    return tmp_path / "secret"


ODD: dict[str, Callable[[Path, Path], object]] = {
    "a folder": lambda notes, secret: notes.mkdir(),
    "a link to a folder": lambda notes, secret: notes.symlink_to(secret),
    "a link to a file": lambda notes, secret: notes.symlink_to(secret / "mine.txt"),
    "a link to nothing": lambda notes, secret: notes.symlink_to(secret / "none"),
    "a link to a device": lambda notes, secret: notes.symlink_to("/dev/zero"),
    "a pipe": lambda notes, secret: os.mkfifo(notes),
    "text": lambda notes, secret: notes.write_text(deep('"@"')),
}


@pytest.mark.parametrize("command", ["exemplars", "facets", "atlas"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_notes_break_no_command(tmp_path: Path, folder: Path, secret: Path, command: str, odd: str) -> None:
    output = tmp_path / ("page.html" if command == "atlas" else "sheet.png")
    ODD[odd](tmp_path / f".{output.name}.{'facets' if command == 'facets' else 'exemplars'}", secret)
    small = ("--facets", "2", "--steps", "1", "--size", "48", "--channel", "3")
    words = {
        "exemplars": ("exemplars", folder, *FEW),
        "facets": ("visualize", "--pictures", folder, *small),
        "atlas": ("atlas", "--exemplars", folder, *PAGE, "--resume"),
    }
    ran = dreamer(*words[command], *LAYER, "-o", output)
    assert ran.code == 0, ran.err
    assert left_in(secret) == ["mine.txt"] and (secret / "mine.txt").read_text() == "mine"


def webp(side: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(file, "WEBP")
    return base64.b64encode(file.getvalue()).decode()


def page(plate: str, **channel: Any) -> bytes:
    entry = {"number": 0, "plate": plate, **channel}
    words = {"layers": [{"name": "two", "made": "x", "channels": [entry]}]}
    return f'<script type="application/json" id="atlas">{json.dumps(words)}</script>'.encode()


BEGINNING = b'<script type="application/json" id="atlas">'
PAGES = {
    "another size": page(webp(64)),
    "no whole picture": page(base64.b64encode(base64.b64decode(webp(32))[:-8]).decode()),
    "more behind the picture": page(base64.b64encode(base64.b64decode(webp(32)) + b"<script>").decode()),
    "the beginning of a picture": page(base64.b64encode(b"RIFF\4\0\0\0WEBP").decode()),
    "a number of digits": page(webp(32), number=10**30),
    "a list for a number": page(webp(32), number=[[0]]),
    "values without end": BEGINNING + b'{"layers": [' + b"[]," * 1_500_000 + b"0]}</script>",
    "letters of other kinds": page(webp(32)).replace(b'"two"', '"two", "é": 0'.encode()),
}


@pytest.mark.parametrize("kind", PAGES)
def test_pictures_of_a_strange_page_are_not_used(tmp_path: Path, kind: str) -> None:
    (tmp_path / "page.html").write_bytes(PAGES[kind])
    section = LayerSection("two", (0, 1), recipe_hash="x", side=32)
    reuse_images(tmp_path / "page.html", [section])
    assert section.images == {}


def test_pictures_of_a_sound_page_are_used(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(page(webp(32)))
    section = LayerSection("two", (0, 1), recipe_hash="x", side=32)
    reuse_images(tmp_path / "page.html", [section])
    assert section.images == {0: base64.b64decode(webp(32))}


def test_a_page_of_many_beginnings_takes_no_time(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(BEGINNING * 40_000)
    refused(dreamer("atlas", "-o", tmp_path / "page.html", *PAGE, "--resume"), "is not an atlas that can be continued")


def dead(path: Path) -> Path:
    """Reverie's weights with a channel of m3a, number 3, that nothing excites."""
    tensors = load_file(weights_path())
    for part in ("weight", "bias"):
        tensors[f"m3a.one.0.{part}"][3] = 0
    tensors["m3a.one.0.bias"][3] = -1
    save_file(tensors, path, metadata(weights_path()))
    return path


def test_a_unit_that_never_fires_is_told_of(tmp_path: Path, folder: Path) -> None:
    theirs = (*LAYER, "--weights", dead(tmp_path / "dead.safetensors"))
    small = ("--size", "48", "--steps", "2")
    ran = dreamer("visualize", "-o", tmp_path / "a.png", "--channel", "3", *small, *theirs)
    assert ran.code == 0 and "the unit does not fire" in ran.err
    ran = dreamer("visualize", "-o", tmp_path / "b.png", "--neuron", "3", "--count", "2", *small, *theirs)
    assert ran.code == 0 and "the unit does not fire" in ran.err
    ran = dreamer("visualize", "-o", tmp_path / "c.png", "--channel", "4", *small, *theirs)
    assert ran.code == 0 and "does not fire" not in ran.err
    ran = dreamer("exemplars", folder, "-o", tmp_path / "d.png", *FEW, *theirs)
    assert ran.code == 0 and "channel 3 of m3a fires in none of these pictures" in ran.err
    ran = dreamer("atlas", "-o", tmp_path / "e.html", *PAGE, *theirs)
    assert ran.code == 0 and "m3a: 1 of 1 channels do not fire in their own pictures and may never fire: 3" in ran.err


def test_what_appears_meanwhile_is_spared(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, load = channel_images.draw_channels, exemplars.load

    def drawing(*given: Any, **options: Any) -> Any:
        (tmp_path / "page.html").write_text("mine")
        (tmp_path / "page-partial.html").write_text("mine")
        return draw(*given, **options)

    def loading(*given: Any, **options: Any) -> Any:
        (tmp_path / "sheet.png").write_text("mine")
        return load(*given, **options)

    monkeypatch.setattr(channel_images, "draw_channels", drawing)
    monkeypatch.setattr(exemplars, "load", loading)
    monkeypatch.setattr("dreamer.cli.atlas_making._KEPT", -1.0)
    ran = dreamer("atlas", "-o", tmp_path / "page.html", *PAGE, *LAYER)
    assert ran.code == 0 and "page-2.html" in ran.err
    ran = dreamer("exemplars", folder, "-o", tmp_path / "sheet.png", *FEW, *LAYER)
    assert ran.code == 0 and "sheet-2.png" in ran.err
    for name in ("page.html", "page-partial.html", "sheet.png"):
        assert (tmp_path / name).read_text() == "mine"
    assert left_in(tmp_path) == [
        "page-2.html",
        "page-partial.html",
        "page.html",
        "pictures",
        "sheet-2.png",
        "sheet.png",
    ]


def test_weights_that_appear_meanwhile_are_spared(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_text("mine")
    place = write(tmp_path / "w.safetensors", "x", 1.0, {"a": torch.zeros(2)}, {}, replace=False)
    assert place.name == "w-2.safetensors" and (tmp_path / "w.safetensors").read_text() == "mine"


@pytest.mark.parametrize("name", ["page.html", "page-partial.html"])
def test_a_dangling_link_is_a_name_that_is_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to(tmp_path / "nothing")
    refused(dreamer("atlas", "-o", tmp_path / "page.html", *PAGE), f"{name} already exists")
    assert left_in(tmp_path) == [name]


def test_one_file_is_made_by_one_dreamer_at_a_time(tmp_path: Path, folder: Path) -> None:
    commands = {
        "w.safetensors": ("networks", "train", "--minutes", "0.01"),
        "page.html": ("atlas", *PAGE),
        "sheet.png": ("exemplars", folder, *FEW),
    }
    for name, words in commands.items():
        with claimed(tmp_path / name):
            refused(dreamer(*words, "-o", tmp_path / name, "--force"), f"{name} is being made by another dreamer")
    assert left_in(tmp_path) == ["pictures"]


def test_the_weights_to_start_from_are_never_replaced(tmp_path: Path) -> None:
    start = dead(tmp_path / "start.safetensors")
    ran = dreamer("networks", "train", "-o", start, "--start", start, "--force", "--minutes", "0.01")
    refused(ran, "which is never overwritten")


def test_an_atlas_that_finds_no_room_is_saved_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes, **options: Any) -> Path:
        raise WriteError(f"{path} could not be written: no space is left in {path.parent}")

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("dreamer.cli.atlas_making.write_atomically", full)
    monkeypatch.setattr("dreamer.cli.atlas_making._KEPT", -1.0)
    ran = dreamer("atlas", "-o", tmp_path / "page.html", *PAGE, *LAYER)
    assert ran.code == 1 and "no space is left" in ran.err and "the page was saved as " in ran.err
    (saved,) = (tmp_path / "temporary").rglob("*.html")
    assert b'id="atlas"' in saved.read_bytes() and str(saved) in ran.err
    assert not stat.S_IMODE(saved.parent.stat().st_mode) & 0o077
