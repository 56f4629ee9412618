"""A print as a page to walk through: its tiles, and what the page does with them in a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from command import QUICK, dreamer, left_in, photo, pixels, refused
from networks import tiny

from dreamer.errors import UsageError, WriteError
from dreamer.image import load
from dreamer.image.deep_zoom import check_page, write_page


def test_the_tiles_are_the_picture_and_halves_of_it(tmp_path: Path) -> None:
    ramp = np.stack(np.broadcast_arrays(np.arange(700) // 3, np.arange(530)[:, None] // 3, 90), 2)
    page = write_page(tmp_path / "page", (ramp * 257).astype(np.uint16), title="a <b>")
    tiles = tmp_path / "page" / "picture_files"
    assert sorted(int(level.name) for level in tiles.iterdir()) == list(range(11))  # 2^10 > 700
    assert left_in(tiles / "10") == ["0_0.jpg", "0_1.jpg", "1_0.jpg", "1_1.jpg"]
    last = load(tiles / "10" / "1_1.jpg").pixels
    assert last.shape == (530 - 511, 700 - 511, 3) and np.abs(last.astype(int) - ramp[511:, 511:]).mean() < 4
    half = load(tiles / "9" / "0_0.jpg").pixels.astype(int)
    assert half.shape == (265, 350, 3) and np.abs(half - ramp[::2, ::2]).mean() < 4
    assert load(tiles / "0" / "0_0.jpg").pixels.shape == (1, 1, 3)
    assert 'Width="700" Height="530"' in (tmp_path / "page" / "picture.dzi").read_text()
    text = page.read_text(encoding="utf-8")
    assert "a &lt;b&gt;" in text and "{{" not in text and "http" not in text.replace("http-equiv", "")


def test_what_is_transparent_is_white_and_grey_stays_grey(tmp_path: Path) -> None:
    write_page(tmp_path, np.full((9, 9, 1), 100, np.uint8), np.where(np.eye(9) > 0, 0, 255).astype(np.uint8), title="")
    tile = load(tmp_path / "picture_files" / "4" / "0_0.jpg").pixels
    assert tile.shape == (9, 9, 1) and int(tile[4, 4, 0]) > 240 and abs(int(tile[0, 8, 0]) - 100) < 12


def test_a_page_that_is_there_is_kept(tmp_path: Path) -> None:
    check_page(tmp_path / "page", force=False)
    write_page(tmp_path / "page", pixels(9, 9), title="")
    with pytest.raises(UsageError, match="there is a page already; --force"):
        check_page(tmp_path / "page", force=False)
    check_page(tmp_path / "page", force=True)
    with pytest.raises(UsageError, match="no folder"):
        check_page(tmp_path / "page" / "index.html", force=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "picture_files").symlink_to(tmp_path / "page")
    (tmp_path / "third" / "picture_files").mkdir(parents=True)
    (tmp_path / "third" / "picture_files" / "4").symlink_to(tmp_path / "page")
    for name in ("other", "third"):
        with pytest.raises(UsageError, match="links"):
            check_page(tmp_path / name, force=True)


@pytest.mark.parametrize("name", ["index.html", "picture.dzi", "picture_files/0/0_0.jpg"])
def test_what_appears_while_the_picture_is_made_is_spared(tmp_path: Path, name: str) -> None:
    check_page(tmp_path, force=False)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("theirs")
    with pytest.raises(WriteError, match="there is a page already"):
        write_page(tmp_path, pixels(9, 9), title="")
    assert (tmp_path / name).read_text() == "theirs"
    write_page(tmp_path, pixels(9, 9), title="", replace=True)
    assert (tmp_path / name).read_bytes() != b"theirs"


def test_a_page_that_is_replaced_leaves_no_tile_behind(tmp_path: Path) -> None:
    folder, tiles, elsewhere = tmp_path / "page", tmp_path / "page" / "picture_files", tmp_path / "elsewhere"
    write_page(folder, pixels(1500, 600), title="old")
    elsewhere.mkdir()
    theirs = [tiles / "11" / "notes.txt", tiles / "2024" / "0_0.jpg", tiles / "0_0.jpg", elsewhere / "0_0.jpg"]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("theirs")
    (tiles / "10" / "7_7.jpg").symlink_to(elsewhere / "0_0.jpg")
    write_page(folder, pixels(300, 520), title="new", replace=True)
    assert all(path.read_text() == "theirs" for path in theirs) and left_in(tiles / "11") == ["notes.txt"]
    assert left_in(tiles / "10") == ["0_0.jpg", "0_1.jpg", "7_7.jpg"] and left_in(tiles / "9") == ["0_0.jpg"]
    write_page(tmp_path / "again", pixels(9, 9), title="old")
    write_page(tmp_path / "again", pixels(2, 2), title="new", replace=True)
    assert left_in(tmp_path / "again" / "picture_files") == ["0", "1"]


def test_a_print_comes_with_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dreamer.pipeline.build.load_from", lambda *a, **k: tiny())
    monkeypatch.setattr("dreamer.pipeline.enlarging.PROOF", 80)
    monkeypatch.setattr("dreamer.pipeline.forecast._SECONDS", 0.0)
    source, folder = photo(tmp_path / "a.png"), tmp_path / "page"
    line = ("print", source, "--size", "100", *QUICK, "--network", "squeezenet1_0", "--deep-zoom", folder)
    assert dreamer(*line).code == 0
    assert left_in(folder) == ["index.html", "picture.dzi", "picture_files"]
    shown = load(folder / "picture_files" / "7" / "0_0.jpg").image()
    assert float((shown - load(tmp_path / "a-print.png").image()).abs().mean()) < 0.03
    refused(dreamer(*line, "-o", tmp_path / "b.png"), "there is a page already")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_the_page_shows_its_tiles_and_obeys_keys(tmp_path: Path) -> None:
    page = write_page(tmp_path / "page", pixels(700, 530), title="a")
    with Browser(tmp_path / "profile", 800, 600) as browser:
        browser.open(page.as_uri())
        state = "document.querySelector('canvas').dataset"
        browser.wait(f"{state}.loaded > 0")
        assert browser.look(f"[{state}.x, {state}.y].map(Number)") == [350, 265]
        assert browser.look(f"+{state}.scale") == pytest.approx(600 / 530, abs=0.01)
        browser.press("1")
        browser.press("ArrowRight")
        browser.wait(f"{state}.level == 10 && {state}.x > 350 && {state}.loaded > 3")
        assert not browser.look(f"'missing' in {state}") and not browser.complaints()
