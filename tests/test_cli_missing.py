"""What is missing is told at once, and before torch is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from clips import filmed
from command import ENVIRONMENT, dreamer, left_in, photo, refused

import dreamer as library
from dreamer.errors import RecipeError, UsageError, WriteError
from dreamer.files import make_folder, read_bounded, write_atomically

NO_FILE, NO_PRESET = "there is no file no.jpg", "no preset is called 'blom'; did you mean bloom?"
COMMANDS: dict[str, tuple[str, ...]] = {
    "render": ("name a photo",),
    "render no.jpg": ("no.jpg: there is no such file",),
    "render no.jpg --preset blom -o x.doc": (
        "no.jpg: there is no such file",
        NO_PRESET,
        "x.doc: unsupported extension",
    ),
    "render no.jpg -o no/x.jpg --set colour=3": ("no.jpg: there is no such file", "there is no folder no"),
    "render empty": ("empty: there are no pictures in this folder, nor in its subfolders; name another",),
    "render clip.mp4": ("clip.mp4: this is a clip; `dreamer video` dreams over it",),
    "render --sample --guide no.jpg": (NO_FILE,),
    "render --sample --recipe no.jpg": (NO_FILE,),
    "render --sample --weights no.pth": ("no.pth: there is no such weights file",),
    "render --sample --preset no.toml": ("no.toml: there is no such preset file",),
    "render --sample --recipe no.jpg --preset blom": ("--recipe and --preset cannot be combined",),
    "render --sample --tile x": ("--tile: expected auto or none or a number of pixels from 32, not 'x'",),
    "render --sample --sweep strength=.3,2 --sweep octaves.stepp=1": (
        "--sweep strength: 2 is not a number from 0 to 1; the nearest is 1",
        "--sweep octaves.stepp: there is no such key; did you mean octaves.step",
    ),
    "render --sample --sweep seed=1-11 --sweep strength=.1,.2,.3,.4,.5,.6,.7,.8,.9,1": ("11 x 10 are 110 cells",),
    "render --sample --sweep preset=bloom,blom --variations 3 -o no/x.doc": (
        NO_PRESET,
        "x.doc: unsupported extension",
        "there is no folder no",
    ),
    "render no.jpg --like no.png#3 --variations 3": ("no.jpg: there is no such file", "there is no file no.png"),
    "zoom no.jpg --preset blom -o x.avi": (NO_FILE, NO_PRESET, "x.avi: unsupported suffix"),
    "zoom clip.mp4 --keyframes no.toml --audio no.jpg": ("there is no file no.toml", NO_FILE),
    "video no.mp4 --preset blom --start 3 --end 2": ("no.mp4: there is no such file", "--end: it must come", NO_PRESET),
    "video clip.mp4 --audio no.jpg --codec x": (NO_FILE, "--codec x: "),
    "video clip.mp4 --region no.png=blom": ("--region no.png=blom: there is no file no.png", NO_PRESET),
    "walk blom no.jpg -o x.avi": ("name the photo to walk over", NO_PRESET, NO_FILE, "x.avi: unsupported suffix"),
    "walk bloom --photo no.jpg": ("name two looks at least", NO_FILE),
    "visualize no.jpg -o x.doc": ("no.jpg: there is no such file", "x.doc: unsupported extension"),
    "visualize empty -o x.png": ("empty: this is a folder; name a photo",),
    "atlas -o x.html --photo empty": ("--photo empty: this is a folder; name a photo",),
    "studio clip.mp4": ("clip.mp4: this is a file; name the folder in which the pictures are",),
    "visualize -o x.png --direction no.npy": ("no.npy: there is no such file",),
    "visualize -o x.png --facets 2 --pictures no": ("--pictures no: there is no such folder",),
    "exemplars no -o x.png --channel 1": ("no: there is no such folder; name one with pictures",),
    "exemplars clip.mp4 -o x.png --channel 1": ("clip.mp4: this is a file; name the folder",),
    "atlas -o x.html --exemplars no --photo no.jpg": ("no: there is no such folder", "no.jpg: there is no such file"),
    "presets show blom": (NO_PRESET,),
    "presets try no.jpg blom": (NO_FILE, NO_PRESET),
    "presets check blom": (NO_PRESET,),
    "presets save mine --preset blom": (NO_PRESET,),
    "networks motifs -o x.doc": ("x.doc: unsupported extension",),
}


def test_what_is_missing_is_told_without_torch(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    script = (
        "import contextlib, io, json, sys\n"
        "from dreamer.cli import main\n"
        "told = {}\n"
        f"for words in {list(COMMANDS)!r}:\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as err:\n"
        "        try: main(words.split())\n"
        "        except SystemExit as end: told[words] = end.code, err.getvalue(), 'torch' in sys.modules\n"
        "print(json.dumps(told))\n"
    )
    line = [sys.executable, "-c", script]
    ran = subprocess.run(line, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    for words, (code, told, with_torch) in json.loads(ran.stdout).items():
        assert code == 2 and not with_torch, (words, told)
        assert all(sentence in told for sentence in COMMANDS[words]), (words, told)
        assert told.count("\n") == len(COMMANDS[words]), (words, told)


def test_a_clip_for_a_photo_and_a_photo_for_a_clip_say_what_to_do(tmp_path: Path) -> None:
    still = photo(tmp_path / "a.png")
    clips = [filmed(tmp_path / f"clip{suffix}") for suffix in (".mp4", ".mkv", ".mov", ".avi")]
    clip = clips[0]
    for path in clips:
        hidden = path.with_suffix(".jpg")
        hidden.write_bytes(path.read_bytes())
        output = tmp_path / "x.png"
        for words in (["zoom", path], ["visualize", path, "-o", output], ["presets", "try", path], ["render", hidden]):
            named = hidden if hidden in words else path
            refused(dreamer(*words), f"{named}: this is a clip; `dreamer video` dreams over it")
        with pytest.raises(UsageError, match=r"this is a clip; dreamer\.video dreams over it"):
            library.dream(path)
        hidden.unlink()
    refused(dreamer("render", still, "--guide", clip), "clip.mp4: this is a clip; `dreamer video` dreams over it")
    refused(dreamer("video", still), "a.png is a picture, not a clip; use `dreamer render` for it")
    with pytest.raises(UsageError, match=r"a\.png is a picture, not a clip; use dreamer\.dream for it"):
        next(iter(library.video(still)))
    assert left_in(tmp_path) == sorted([still.name, *(path.name for path in clips)])


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["render", ""], "render ''"),
        (["render", "--", ""], "-- ''"),
        (["render", "a.png", "--preset", ""], "--preset ''"),
        (["zoom", "a.png", "--recipe="], "--recipe="),
        ([""], "dreamer ''"),
    ],
)
def test_an_empty_word_is_not_the_current_folder_and_no_option_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], typed: str
) -> None:
    photo(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    refused(dreamer(*words), f"dreamer: {typed}: this is empty; give a name or a value, or leave it out\n")
    assert left_in(tmp_path) == ["a.png"]


def test_an_address_in_the_place_of_a_file_is_called_one(tmp_path: Path) -> None:
    source, wanted = photo(tmp_path / "a.png"), "is an address, and a file of this machine is wanted"
    refused(dreamer("zoom", "s3://me:word@b/a.jpg"), f"photo: s3://me:***@b/a.jpg {wanted}")
    refused(dreamer("loop", source, "-o", "memory://a.mp4"), f"--output: memory://a.mp4 {wanted}")
    refused(dreamer("render", source, "--guide", "file:///a.jpg"), f"--guide: file:///a.jpg {wanted}")
    assert left_in(tmp_path) == ["a.png"]


def test_a_name_with_a_nul_is_a_sentence(tmp_path: Path) -> None:
    name = "a\0b"
    refused(dreamer("render", name), "'a\\x00b': no name and no value holds a NUL")
    refused(dreamer("zoom", "a.jpg", "-o", f"{name}.mp4"), "'a\\x00b.mp4': no name and no value holds a NUL")
    with pytest.raises(RecipeError, match="there is no such preset file"):
        library.dream(photo(tmp_path / "a.png"), preset=f"{name}.toml")
    for path in (name, Path(name)):
        with pytest.raises(UsageError, match="there is no file"):
            library.dream(path)
        with pytest.raises(UsageError, match="there is no such weights file"):
            library.load_network("reverie", weights=path)
    with pytest.raises(WriteError, match="a name that holds a NUL; choose another"):
        write_atomically(tmp_path / name, b"")
    with pytest.raises(WriteError, match="cannot be created"):
        make_folder(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / name, 1)
    assert left_in(tmp_path) == ["a.png"]
