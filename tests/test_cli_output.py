"""Where a dream goes and what it keeps of the photo."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from command import dreamer, left_in, photo, pixels, refused, render
from PIL import Image

from dreamer.image import load

pytestmark = pytest.mark.usefixtures("tiny_reverie")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_the_photos_own_format_comes_out(tmp_path: Path, name: str) -> None:
    source = photo(tmp_path / name)
    assert render(source).code == 0
    dream = tmp_path / f"a-dream{source.suffix}"
    with Image.open(source) as before, Image.open(dream) as after:
        assert after.format == before.format and after.size == before.size
        assert np.asarray(after).astype(int).tolist() != np.asarray(before).astype(int).tolist()


def test_a_format_that_is_not_written_becomes_png(tmp_path: Path) -> None:
    assert render(photo(tmp_path / "a.bmp")).code == 0
    assert left_in(tmp_path) == ["a-dream.png", "a.bmp"]


def test_o_chooses_name_and_format(tmp_path: Path) -> None:
    assert render(photo(tmp_path / "a.jpg"), "-o", tmp_path / "other.webp").code == 0
    with Image.open(tmp_path / "other.webp") as dream:
        assert dream.format == "WEBP"


@pytest.mark.parametrize("way", ["itself", "spelling", "symlink", "hardlink", "folder link"])
def test_the_photo_is_never_overwritten(tmp_path: Path, way: str) -> None:
    source = photo(tmp_path / "a.png")
    before = source.read_bytes()
    (tmp_path / "sub").mkdir()
    if way == "symlink":
        (tmp_path / "b.png").symlink_to(source)
    if way == "hardlink":
        os.link(source, tmp_path / "b.png")
    if way == "folder link":
        (tmp_path / "linked").symlink_to(tmp_path)
    output = {
        "itself": source,
        "spelling": tmp_path / "sub" / ".." / "a.png",
        "folder link": tmp_path / "linked" / "a.png",
    }.get(way, tmp_path / "b.png")
    refused(render(source, "-o", output, "--force"), "never overwritten")
    assert source.read_bytes() == before


def test_no_photo_of_the_batch_is_overwritten_by_anothers_dream(tmp_path: Path) -> None:
    first, second = photo(tmp_path / "a.png"), photo(tmp_path / "a-dream.png", shift=5)
    before = second.read_bytes()
    ran = render(first, second, "--force")
    assert ran.code == 1 and "never overwritten" in ran.err
    assert second.read_bytes() == before
    assert (tmp_path / "a-dream-dream.png").exists()


def test_the_guide_is_not_overwritten(tmp_path: Path) -> None:
    source, guide = photo(tmp_path / "a.png"), photo(tmp_path / "guide.png", shift=9)
    before = guide.read_bytes()
    refused(render(source, "--guide", guide, "-o", guide, "--force"), "never overwritten")
    assert guide.read_bytes() == before


def test_the_picture_whose_recipe_is_repeated_is_not_overwritten_by_another(tmp_path: Path) -> None:
    old = tmp_path / "old.png"
    assert render(photo(tmp_path / "a.png"), "-o", old).code == 0
    before = old.read_bytes()
    words = ("--channel", "1", "--size", "64", "--recipe", old, "-o", old, "--force")
    refused(dreamer("visualize", *words), "old.png is the input", "never overwritten")
    sheet = ("-o", old, "--force")
    for words in (("render", tmp_path / "a.png", *sheet), ("render", tmp_path / "a.png", "--variations", 2, *sheet)):
        refused(dreamer(*words, "--recipe", old), "old.png is the input", "never overwritten")
    assert old.read_bytes() == before


def test_another_file_needs_force(tmp_path: Path) -> None:
    source, output = photo(tmp_path / "a.png"), tmp_path / "b.png"
    output.write_bytes(b"mine")
    refused(render(source, "-o", output), "b.png already exists", "--force")
    assert output.read_bytes() == b"mine"
    assert render(source, "-o", output, "--force").code == 0
    assert load(output).width == 96


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_strength_0_gives_the_photos_pixels(tmp_path: Path, name: str, depth: type) -> None:
    source = photo(tmp_path / name, depth=depth)
    assert render(source, "--strength", "0", "-o", tmp_path / f"same{source.suffix}").code == 0
    same = load(tmp_path / f"same{source.suffix}").pixels
    assert same.dtype == depth
    assert np.array_equal(same, pixels(depth=depth))


def test_the_long_side_is_limited_and_it_says_so(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", width=2100, height=24)
    ran = render(source)
    assert "resized from 2100x24 to 2048x23 pixels; --size full keeps them all" in ran.err
    assert load(tmp_path / "a-dream.png").width == 2048
    ran = render(source, "--size", "full", "-o", tmp_path / "full.png")
    assert "become" not in ran.err
    assert load(tmp_path / "full.png").width == 2100


def test_a_smaller_photo_is_not_enlarged(tmp_path: Path) -> None:
    assert "become" not in render(photo(tmp_path / "a.png"), "--size", "400").err
    assert load(tmp_path / "a-dream.png").width == 96


@pytest.mark.parametrize("keeps", [False, True])
def test_the_place_is_left_out_unless_asked_for(tmp_path: Path, keeps: bool) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(pixels()).save(tmp_path / "a.jpg", exif=exif)
    assert render(tmp_path / "a.jpg", *(["--keep-gps"] if keeps else [])).code == 0
    with Image.open(tmp_path / "a-dream.jpg") as dream:
        assert dream.getexif()[0x010F] == "A camera"
        assert bool(dream.getexif().get_ifd(0x8825)) is keeps


def test_snapshots_are_kept_beside_the_dream(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    assert dreamer("render", source, "--set", "octaves.steps=3", "--snapshots", "1,2").code == 0
    assert left_in(tmp_path) == ["a-dream-0001.png", "a-dream-0002.png", "a-dream.png", "a.png"]
    first, last = (load(tmp_path / f"a-dream{mark}.png").pixels.astype(int) for mark in ("-0001", ""))
    change = [abs(picture - pixels()).mean() for picture in (first, last)]
    assert 0 < change[0] < change[1]


def test_snapshots_after_the_last_step_are_refused(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    once = ("--set", "octaves.steps=3", "--set", "octaves.count=1")
    refused(
        dreamer("render", source, *once, "--snapshots", "3,500"), "--snapshots: there are 3 steps, so none after 500"
    )
    made = ("visualize", "-o", tmp_path / "x.png", "--size", "32", *once, "--snapshots", "4")
    refused(dreamer(*made), "--snapshots: there are 3 steps, so none after 4")
    assert left_in(tmp_path) == ["a.png"]


def test_the_sample_needs_no_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert render("--sample", "--size", "96").code == 0
    assert left_in(tmp_path) == ["sample-dream.png"]
    refused(render("--sample", "a.jpg"), "leave out the photos")
