"""Presets of strangers in a terminal, and what `dreamer presets` writes: nothing acts on it, and nothing is lost."""

from __future__ import annotations

import os
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import dreamer, forged, left_in, photo, refused, render
from PIL import Image

from dreamer import api as library
from dreamer.cli import trying
from dreamer.cli.shell import shell_word
from dreamer.errors import WriteError
from dreamer.files import disk as files
from dreamer.recipes.provenance import Provenance

LOOK = 'schema = 1\ntitle = "Quick"\ndescription = "d"\nauthor = "a"\nlikes = "l"\n[octaves]\nsteps = 1\n'
ACTING = "a\x9b2Jb\x9d0;c\x9cd‮e⁦f​g"
"""C1 controls (CSI, OSC), right-to-left overrides and isolates, and a space without width: TOML allows them all."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with an empty config folder; dreams are copies of the photo."""
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    library.loaded_registry.cache_clear()
    monkeypatch.setattr(library, "dream", lambda piece, **_: piece)
    yield tmp_path
    library.loaded_registry.cache_clear()


def harmless(text: str) -> bool:
    return all(letter.isprintable() or letter in "\n\t" for letter in text)


def test_a_preset_is_shown_without_acting_and_means_the_same(here: Path) -> None:
    Path("x.toml").write_text(f'schema = 1\ntitle = "{ACTING}"\n# {ACTING}\n"{ACTING}" = 1\n')
    ran = dreamer("presets", "show", "x.toml")
    assert ran.code == 0 and harmless(ran.out) and r"\u009b2J" in ran.out and r"\u202e" in ran.out
    assert tomllib.loads(ran.out) == tomllib.loads(Path("x.toml").read_text())


def test_the_recipe_inside_a_picture_is_shown_without_acting_and_means_the_same(here: Path) -> None:
    words = {"network": ACTING, "priors": [{"name": f"x{ACTING}", "id": "\x1b[2J"}]}
    provenance = Provenance(words, {"device": ACTING}, f"0.1{ACTING}", ACTING, "1" * 64)
    ran = dreamer("presets", "show", forged(here / "f.png", provenance.text()))
    assert ran.code == 0 and harmless(ran.out)
    assert tomllib.loads(ran.out)["priors"] == words["priors"]


def test_half_a_character_in_a_picture_is_refused(here: Path) -> None:
    picture = forged(here / "f.png", '{"schema": 1, "recipe": {"network": "\\udcff"}}')
    for words in (("presets", "show", picture), ("presets", "save", "mine", "--recipe", picture)):
        refused(dreamer(*words), "network: a text with half a character")
    refused(render(photo(here / "a.png"), "--recipe", picture), "network: a text with half a character")


@pytest.mark.parametrize("command", ["check", "try", "list", "show"])
def test_a_presets_words_act_on_no_terminal(here: Path, command: str) -> None:
    folder = here / "config" / "presets"
    folder.mkdir(parents=True)
    text = f'schema = 1\ntitle = "{ACTING}"\ndescription = "{ACTING}"\nlikes = "{ACTING}"\n'
    (folder / f"{ACTING}.toml").write_text(f'{text}[[objectives]]\nname = "{ACTING}"\n')
    (folder / f"{ACTING}2.toml").write_text(f'{text}author = "{ACTING}"\n')
    (folder / f"{ACTING}3.toml").write_text(f'{text}requires = ["x-{ACTING}"]\n')
    source = photo(here / "a.png")
    commands = {
        "check": [("presets", "check", f"{ACTING}{number}") for number in ("", "2", "3")],
        "try": [
            ("presets", "try", source, "--size", "96", "--html", "-o", f"{number}.jpg", "--progress", how)
            for number, how in enumerate(("plain", "json"))
        ],
        "list": [("presets", "list")],
        "show": [("presets", "show", f"{ACTING}2")],
    }
    for words in commands[command]:
        ran = dreamer(*words)
        assert ran.out + ran.err and harmless(ran.out) and harmless(ran.err)
    for page in here.glob("*.html"):
        assert harmless(page.read_text()) and page.read_text().count(r"\302\2332Jb") == 2  # in the commands alone


def test_a_packs_metadata_acts_on_no_terminal(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "site" / "soft_looks").mkdir(parents=True)
    monkeypatch.syspath_prepend(here / "site")
    monkeypatch.delenv("DREAMER_PLUGINS")
    about = here / "site" / "soft_looks-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: soft-looks\nVersion: 1{ACTING}\nSummary: {ACTING}\x1b[2J\nAuthor: \x1b]0;x\x07\n"
    )
    (about / "entry_points.txt").write_text(f"[dreamer.presets]\nx{ACTING} = soft_looks\n")
    for words in (("plugins", "show", "soft-looks"), ("plugins", "list"), ("doctor",)[:0]):
        ran = dreamer(*words) if words else None
        assert ran is None or (ran.code == 0 and harmless(ran.out) and harmless(ran.err))


# What is written


def test_a_thumbnail_replaces_nothing_unless_told_to(here: Path) -> None:
    Path("look.toml").write_text(LOOK)
    mine = photo(here / "look.webp").read_bytes()
    refused(dreamer("presets", "check", "look.toml", "--thumbnail"), "look.webp already exists; --force replaces it")
    assert Path("look.webp").read_bytes() == mine
    ran = dreamer("presets", "check", "look.toml", "--thumbnail", "--force")
    assert ran.code == 0 and ran.out.splitlines()[0] == "look.webp" and Path("look.webp").read_bytes() != mine
    Path("other.toml").write_text(LOOK)
    Path("other.webp").symlink_to("nowhere")
    refused(dreamer("presets", "check", "other.toml", "--thumbnail"), "other.webp already exists")
    Path("third.toml").write_text(LOOK)
    os.link("third.toml", "third.webp")
    refused(dreamer("presets", "check", "third.toml", "--thumbnail", "--force"), "which is never overwritten")
    assert Path("third.toml").read_text() == LOOK


def test_what_appears_while_looks_are_made_is_spared(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = photo(here / "a.png")

    def dream(piece: Image.Image, **rest: Any) -> Image.Image:
        Path("s.png").write_text("a letter")
        Path("s.html").symlink_to("nowhere")
        return piece

    monkeypatch.setattr(library, "dream", dream)
    ran = dreamer("presets", "try", source, "bloom", "--html", "--size", "96", "-o", "s.png")
    assert ran.code == 0 and "s-2.png is done" in ran.err and "s-2.html is done" in ran.err, ran.err
    assert Path("s.png").read_text() == "a letter" and os.readlink("s.html") == "nowhere"
    assert Path("s-2.html").read_text().startswith("<!")


@pytest.mark.parametrize("name", ["s.png", "s.html"])
def test_a_link_that_leads_nowhere_is_a_taken_name(here: Path, name: str) -> None:
    source = photo(here / "a.png")
    Path(name).symlink_to("nowhere.png")
    words = ("presets", "try", source, "bloom", "--html", "--size", "96", "-o", "s.png")
    refused(dreamer(*words), f"{name} already exists; --force replaces it")
    assert dreamer(*words, "--force").code == 0 and not Path("nowhere.png").exists()


def test_a_preset_to_read_is_spared_by_force_too(here: Path) -> None:
    Path("look.toml").write_text(LOOK)
    source = photo(here / "a.png")
    os.link("look.toml", "s.html")
    words = ("presets", "try", source, "look.toml", "--html", "--size", "96", "-o", "s.png", "--force")
    refused(dreamer(*words), "s.html is the input look.toml itself, which is never overwritten")
    words = ("presets", "save", "mine", "--preset", "look.toml", "-o", "look.toml", "--force")
    refused(dreamer(*words), "look.toml is the input look.toml itself, which is never overwritten")
    assert Path("look.toml").read_text() == LOOK and not Path("s.png").exists()


def test_a_saved_preset_that_finds_its_name_taken_gets_another(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.recipes import overrides

    really = overrides.difference

    def late(*given: Any) -> Any:
        Path("look.toml").write_text("somebody else's")
        return really(*given)

    monkeypatch.setattr(overrides, "difference", late)
    ran = dreamer("presets", "save", "mine", "-o", "look.toml")
    assert ran.code == 0
    assert ran.out == "saved as look-2.toml; `dreamer render PHOTO --preset look-2.toml` dreams with it\n"
    assert Path("look.toml").read_text() == "somebody else's"
    Path("link.toml").symlink_to("nowhere.toml")
    refused(dreamer("presets", "save", "mine", "-o", "link.toml"), "link.toml already exists")


def full(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on the disk of a folder is full."""
    really = files._to_disk

    def to_disk(path: Path) -> None:
        if path.parent == folder:
            raise OSError(28, "No space left on device")
        really(path)

    monkeypatch.setattr(files, "_to_disk", to_disk)


def test_a_full_disk_is_told_of_before_any_look_is_made(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = photo(here / "a.png")
    full(monkeypatch, here)
    monkeypatch.setattr(library, "dream", lambda *given, **rest: pytest.fail("a look was made"))
    ran = dreamer("presets", "try", source, "bloom", "--size", "96", "-o", here / "s.png")
    refused(ran, f"{here / 's.png'} could not be written: no space is left", code=1)
    assert left_in(here) == ["a.png"]


def test_a_disk_that_fills_up_meanwhile_costs_no_look(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source, elsewhere = photo(here / "a.png"), tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(trying.tempfile, "tempdir", str(elsewhere))

    def dream(piece: Image.Image, **rest: Any) -> Image.Image:
        full(monkeypatch, here)
        return piece

    monkeypatch.setattr(library, "dream", dream)
    ran = dreamer("presets", "try", source, "bloom", "--html", "--size", "96", "-o", here / "s.png")
    saved = [next(elsewhere.glob(f"*/s.{suffix}")) for suffix in ("png", "html")]
    assert ran.code == 1 and f"no space is left in {here}" in ran.err
    assert ran.err.endswith(f"saved as {saved[0]} and {saved[1]} instead\n") and "Traceback" not in ran.err
    assert all(path.parent.stat().st_mode & 0o077 == 0 for path in saved)  # for nobody else to read
    with Image.open(saved[0]) as sheet:
        assert sheet.width > 96


# Odd names and texts


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX")
def test_a_photo_of_any_name_has_a_command_that_works(here: Path) -> None:
    names = [b"caf\xe9.png", b"--force.png", b"it's\na\x1b[2J \\photo.png", "‮gnp.png".encode()]
    for number, name in enumerate(names):
        source = Path(os.fsdecode(name))
        source.write_bytes(photo(here / "a.png").read_bytes())
        ran = dreamer("presets", "try", "--size", "96", "--html", "-o", f"{number}.jpg", "--", source, "bloom")
        assert ran.code == 0, ran.err
        page = Path(f"{number}.html").read_text()
        assert harmless(page)
    words = [os.fsdecode(name) for name in names]
    line = " ".join(map(shell_word, words))
    ran = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    assert line.isprintable() and ran.stdout == b"".join(name + b"\0" for name in names)
    assert shell_word("my photo;x.png") == shlex.quote("my photo;x.png")
    assert "dreamer render ./--force.png --preset" in Path("1.html").read_text()


@pytest.mark.parametrize("flag", ["title", "description", "author", "likes"])
def test_a_text_that_no_file_can_hold_is_refused(here: Path, flag: str) -> None:
    refused(dreamer("presets", "save", "mine", f"--{flag}", "caf\udce9"), f"--{flag}: this text has letters that are")
    refused(dreamer("presets", "save", "mine", "--set", "priors.autoencoder.decoder=\udce9"), "is not text")
    assert not (here / "config").exists()


def test_a_name_that_is_too_long_for_a_sheet_is_a_sentence(here: Path) -> None:
    with pytest.raises(WriteError, match="File name too long"):
        trying._written([here / ("x" * 300)], [b"x"], False)


def webp(path: Path, width: int, height: int) -> None:
    Image.new("RGB", (width, height)).save(path, "WEBP")


def test_a_thumbnail_of_a_stranger_is_bounded(here: Path) -> None:
    from dreamer.cli.presets import _thumbnail
    from dreamer.recipes.preset import read_preset

    Path("x.toml").write_text(LOOK)
    preset = read_preset(Path("x.toml"))
    assert _thumbnail(preset) is None
    webp(Path("x.webp"), 240, 160)
    good = _thumbnail(preset)
    assert good and good.size == (240, 160)
    for make in (
        lambda path: webp(path, 4000, 4000),
        lambda path: path.write_bytes(b"no picture"),
        lambda path: path.write_bytes(good.tobytes() * 20),
        lambda path: photo(path.with_suffix(".png")).rename(path),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.mkdir(),
    ):
        Path("x.webp").rename("old") if not Path("old").exists() else Path("x.webp").unlink()
        make(Path("x.webp"))
        assert _thumbnail(preset) is None
