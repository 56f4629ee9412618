"""Many photos in one command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import QUICK, dreamer, left_in, photo, refused, render

from dreamer.cli.batch import Batch
from dreamer.cli.claims import claimed
from dreamer.image import load
from dreamer.pipeline import build

pytestmark = pytest.mark.usefixtures("tiny_reverie")


def test_files_folders_and_patterns_are_all_dreamt_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("holiday", "more"):
        (tmp_path / folder).mkdir()
    photo(tmp_path / "a.png")
    photo(tmp_path / "holiday" / "b.JPG".lower())
    photo(tmp_path / "holiday" / ".hidden.png")
    (tmp_path / "holiday" / "notes.txt").write_text("no picture")
    photo(tmp_path / "more" / "c1.png")
    photo(tmp_path / "more" / "c2.png")
    monkeypatch.chdir(tmp_path)
    assert render("a.png", "holiday", "more/c*.png").code == 0
    assert left_in(tmp_path) == ["a-dream.png", "a.png", "holiday", "more"]
    assert left_in(tmp_path / "holiday") == [".hidden.png", "b-dream.jpg", "b.jpg", "notes.txt"]
    assert left_in(tmp_path / "more") == ["c1-dream.png", "c1.png", "c2-dream.png", "c2.png"]


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path: Path) -> None:
    assert render(photo(tmp_path / "a[1].png")).code == 0
    assert left_in(tmp_path) == ["a[1]-dream.png", "a[1].png"]


def test_the_network_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load_from = [], build.load_from
    monkeypatch.setattr(build, "load_from", lambda *a, **k: loaded.append(a) or load_from(*a, **k))
    assert render(photo(tmp_path / "a.png"), photo(tmp_path / "b.png"), photo(tmp_path / "c.png")).code == 0
    assert len(loaded) == 1


def test_a_bad_photo_is_told_of_and_the_others_are_done(tmp_path: Path) -> None:
    good, last = photo(tmp_path / "a.png"), photo(tmp_path / "z.png")
    (tmp_path / "bad.jpg").write_text("no picture")
    ran = render(good, tmp_path / "bad.jpg", tmp_path / "gone.png", last)
    assert ran.code == 1
    assert "bad.jpg is not a picture" in ran.err and "gone.png: there is no such file" in ran.err
    assert left_in(tmp_path) == ["a-dream.png", "a.png", "bad.jpg", "z-dream.png", "z.png"]


def test_where_no_photo_can_be_read_the_code_is_2_also_for_several(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no picture")
    refused(render(tmp_path / "a.jpg", tmp_path / "b.jpg"), "a.jpg is not", "b.jpg is not")


@pytest.mark.parametrize("size", ["full", "48"])
def test_what_is_done_already_is_skipped(tmp_path: Path, size: str) -> None:
    photos = [photo(tmp_path / "a.png"), photo(tmp_path / "b.jpg")]
    assert render(*photos, "--size", size).code == 0
    stamps = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    ran = render(*photos, "--size", size)
    assert ran.code == 0 and ran.err.count("is already done") == 2 and "octave" not in ran.err
    assert stamps == [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]


def test_done_means_the_same_recipe_photo_and_guide(tmp_path: Path) -> None:
    source, guide = photo(tmp_path / "a.png"), photo(tmp_path / "g.png", shift=9)
    assert render(source).code == 0
    refused(render(source, "--seed", "1"), "a-dream.png already exists; --force replaces it")
    refused(render(source, "--guide", guide), "a-dream.png already exists")
    refused(render(source, "--size", "48"), "a-dream.png already exists")
    photo(source, shift=4)
    refused(render(source), "a-dream.png already exists")
    assert render(source, "--force").code == 0


def test_a_folder_can_be_dreamt_again_without_dreaming_its_dreams(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    photo(tmp_path / "b.tif")
    assert render(tmp_path, "--snapshots", "1").code == 0
    once = left_in(tmp_path)
    ran = render(tmp_path)
    assert ran.code == 0 and left_in(tmp_path) == once
    assert "skipped 4 pictures made by dreamer" in ran.err
    photo(tmp_path / "c.webp")
    assert render(tmp_path).code == 0
    assert left_in(tmp_path) == sorted([*once, "c.webp", "c-dream.webp"])


def test_one_dream_by_its_own_name_is_dreamt_on(tmp_path: Path) -> None:
    assert render(photo(tmp_path / "a.png")).code == 0
    assert render(tmp_path / "a-dream.png").code == 0
    assert (tmp_path / "a-dream-dream.png").exists()


def test_one_dream_alone_in_a_folder_is_not_dreamt_on(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    assert render(source).code == 0
    source.unlink()
    refused(render(tmp_path), "a-dream.png: all these pictures were made by dreamer")
    assert left_in(tmp_path) == ["a-dream.png"]


def test_nothing_but_dreams_is_no_reason_to_draw_the_sample(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    assert render(source).code == 0 and render(source, "--seed", "1", "-o", tmp_path / "b.png").code == 0
    refused(
        render(tmp_path / "a-dream.png", tmp_path / "b.png"), "a-dream.png: all these pictures were made by dreamer"
    )


def test_two_photos_never_share_an_output(tmp_path: Path) -> None:
    for folder in ("one", "two", "out"):
        (tmp_path / folder).mkdir()
    first, second = photo(tmp_path / "one" / "a.png"), photo(tmp_path / "two" / "a.png", shift=9)
    for _ in range(2):
        ran = render(first, second, "-o", tmp_path / "out")
        assert ran.code in (1, 2)  # the second time nothing is computed
        assert f"is also the name for the dream of {first}; use different folders" in ran.err
    alone = tmp_path / "alone.png"
    assert render(first, "-o", alone).code == 0
    assert (load(tmp_path / "out" / "a-dream.png").pixels == load(alone).pixels).all()


def test_nor_do_two_formats_that_are_both_written_as_png(tmp_path: Path) -> None:
    ran = render(photo(tmp_path / "a.bmp"), photo(tmp_path / "a.gif", shift=3))
    assert ran.code == 1 and "a-dream.png is also the name for the dream of" in ran.err


def test_several_photos_need_a_folder_that_is_there(tmp_path: Path) -> None:
    photos = [photo(tmp_path / "a.png"), photo(tmp_path / "b.png")]
    refused(render(*photos, "-o", tmp_path / "x.jpg"), "several photos need a folder")
    refused(render(*photos, "-o", photos[0]), "several photos need a folder, and this is a file; name a folder")
    assert left_in(tmp_path) == ["a.png", "b.png"]


def test_a_folder_is_made_when_only_it_is_missing(tmp_path: Path) -> None:
    photos = [photo(tmp_path / "a.png"), photo(tmp_path / "b.png")]
    assert render(*photos, "-o", f"{tmp_path}/new/").code == 0
    assert left_in(tmp_path / "new") == ["a-dream.png", "b-dream.png"]


def test_a_folder_may_be_its_photos_own(tmp_path: Path) -> None:
    photos = [photo(tmp_path / "a.png")]
    (tmp_path / "out").mkdir()
    shutil.copy(photos[0], tmp_path / "out" / "c.png")
    assert dreamer("render", tmp_path / "out", "-o", tmp_path / "out", *QUICK).code == 0
    assert left_in(tmp_path / "out") == ["c-dream.png", "c.png"]


def test_a_tree_of_folders_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("album/a", "album/b/c", "elsewhere"):
        Path(place).mkdir(parents=True)
        photo(tmp_path / place / "IMG_0001.png", shift=len(place))
    Path("album/link").symlink_to(tmp_path / "elsewhere")
    Path("album/.hidden").mkdir()
    photo(tmp_path / "album" / ".hidden" / "b.png")
    made = ["a/IMG_0001-dream.png", "b/c/IMG_0001-dream.png"]
    for named, output in (
        ("album", "out/"),
        ("album/**/*.png", "out2/"),
        ("./album/", "out3/"),
        ("album/**/I**.png", "out4/"),
    ):
        ran = render(named, "-o", output)
        assert ran.code == 0, ran.err
        assert sorted(path.relative_to(output).as_posix() for path in Path(output).rglob("*.png")) == made
    assert render("album").code == 0  # beside their photos, without -o
    assert (tmp_path / "album" / made[1]).exists()
    assert render("album", "-o", "out/").err.count("is already done") == 2


def test_a_name_that_is_long_enough_is_shortened(tmp_path: Path) -> None:
    source = photo(tmp_path / f"{'ä' * 125}.png")
    assert render(source).code == 0
    assert [len(name) for name in left_in(tmp_path)] == [len("ä" * 110 + "-dream.png"), 129]


@pytest.mark.parametrize("link", [False, True])
def test_a_picture_that_appears_while_it_is_dreamt_is_spared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    output, elsewhere = tmp_path / "a-dream.png", tmp_path / "elsewhere"

    def meanwhile(self: Batch, dream: object) -> None:
        output.symlink_to(elsewhere) if link else output.write_bytes(b"mine")

    monkeypatch.setattr(Batch, "_compare", meanwhile)
    ran = render(photo(tmp_path / "a.png"))
    assert ran.code == 0 and "a-dream-2.png is done" in ran.err
    assert not elsewhere.exists() and (link or output.read_bytes() == b"mine")


def test_one_picture_is_dreamt_by_one(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    with claimed(tmp_path / "a-dream.png"):
        refused(render(source), "a-dream.png is being made by another dreamer")
    assert render(source).code == 0
