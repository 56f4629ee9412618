"""Where clips are written: any name, nothing in its place, no input lost; what cannot be done is told at once."""

import errno
import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from clips import made, opened, picture, tone
from command import QUICK, dreamer, left_in, photo, refused

from dreamer.errors import UsageError, WriteError
from dreamer.videos.clip import concat
from dreamer.videos.clip.reader import frames, probe, read_recipe
from dreamer.videos.clip.unfinished import (
    fitting,
    folder_of,
    holds_work,
    lock_of,
    partial_of,
    segment_path,
    trial_path,
)

SMALL = ("--size", "64", "--seconds", "0.5", "--fps", "8", "--threads", "1", *QUICK)
SUFFIXES = [".mp4", ".webm", ".gif", ".webp", ""]
NAMES = ["2024-05-01T10:15:33", "-o", "[x] %d *?", "two\nlines", "http:", "é" * 125, os.fsdecode(b"caf\xe9"), "a.b:c"]
COLON = pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not have")


@COLON
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NAMES)
def test_a_clip_may_have_any_name(tmp_path, monkeypatch, name, suffix):
    if sys.platform == "darwin" and not name.isprintable():
        pytest.skip("a name that is not UTF-8")
    monkeypatch.chdir(tmp_path)
    output = Path(f"{name}{suffix}" if suffix else name.replace(".", ""))
    with opened(output, 4, size=(16, 16)) as writer:
        writer.add(picture(0, 16, 16))
    made(output, 4, size=(16, 16), resume=True)
    assert left_in(tmp_path) == [output.name]
    assert read_recipe(output) == '{"seed":1}'


@COLON
def test_the_command_takes_names_with_colons(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(Path("2024-05-01T10:15:33.jpg"))
    assert dreamer("zoom", "2024-05-01T10:15:33.jpg", *SMALL).code == 0
    tone(tmp_path / "12:34.wav")
    ran = dreamer("zoom", "2024-05-01T10:15:33.jpg", *SMALL, "--audio", "12:34.wav", "-o", "take2:fall.mp4")
    assert ran.code == 0, ran.err
    assert probe(Path("take2:fall.mp4")).has_audio
    assert dreamer("video", "take2:fall.mp4", "--threads", "1", *QUICK, "-o", "12:34.webm").code == 0
    assert probe(Path("12:34.webm")).frames == 4


def test_long_names_are_shortened_beside_the_clip():
    output = Path("x" * 251 + ".mp4")
    for place in (folder_of, lock_of, partial_of):
        assert len(place(output).name) <= 255 and place(output) != place(Path("x" * 250 + "y.mp4"))
    assert len(os.fsencode(fitting("é" * 200, "-zoom.mp4"))) <= 255
    assert fitting("photo", "-zoom.mp4") == "photo-zoom.mp4"


def test_a_name_that_no_file_can_have_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"no file can have this name \(.*\); choose another -o"):
        opened(tmp_path / ("x" * 252 + ".mp4"))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip"])
def test_what_takes_the_place_meanwhile_is_left_as_it_is(tmp_path, name):
    output, said = tmp_path / name, []
    with opened(output, 3, notify=said.append) as writer:
        for number in range(3):
            writer.add(picture(number))
        output.write_text("mine")
        writer.finish()
    other = output.with_stem("clip-2")
    assert output.read_text() == "mine" and writer.output == other
    assert said == [f"{output} exists by now and is left as it is; the clip is {other}"]
    assert len(left_in(other)) == 3 if other.is_dir() else probe(other).frames == 3
    assert left_in(tmp_path) == sorted([output.name, other.name])


def test_what_takes_the_place_at_the_last_moment_is_left_too(tmp_path, monkeypatch):
    output, concatenate = tmp_path / "clip.mp4", concat.concatenate

    def late(*arguments):
        concatenate(*arguments)
        output.write_text("mine")

    with opened(output, 3) as writer:
        for number in range(3):
            writer.add(picture(number))
        monkeypatch.setattr("dreamer.videos.clip.assembly.concatenate", late)
        with pytest.raises(WriteError, match="it exists, and --force alone replaces it"):
            writer.finish()
    monkeypatch.undo()
    assert output.read_text() == "mine"
    with pytest.raises(UsageError, match="--resume --force continues and replaces it"):
        made(output, 3, resume=True)
    output.unlink()
    assert probe(made(output, 3, resume=True)).frames == 3


def test_a_preview_leaves_what_takes_its_place_meanwhile(tmp_path, monkeypatch):
    from dreamer.videos.clip.writer import ClipWriter

    source, finish = photo(tmp_path / "photo.jpg"), ClipWriter.finish
    output = tmp_path / "photo-zoom-preview.mp4"

    def late(writer):
        output.write_text("mine")
        finish(writer)

    monkeypatch.setattr(ClipWriter, "finish", late)
    ran = dreamer("zoom", source, "--preview", "--fps", "2", "--seconds", "1", "--threads", "1", *QUICK)
    assert ran.code == 0 and "photo-zoom-preview-2.mp4" in ran.err
    assert output.read_text() == "mine" and probe(tmp_path / "photo-zoom-preview-2.mp4").frames == 2


def test_no_input_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = photo(tmp_path / "photo.webp")
    for name in ("guide.webp", "weights.webp", "recipe.webp", "sound.webp", "keys.webp"):
        photo(tmp_path / name, shift=3)
    (tmp_path / "look.webp.toml").write_text("schema = 1\n")
    made(tmp_path / "stills", 2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for options, output in (
        (["--guide", "guide.webp"], "guide.webp"),
        (["--weights", "weights.webp"], "weights.webp"),
        (["--recipe", "recipe.webp"], "recipe.webp"),
        (["--audio", "sound.webp"], "sound.webp"),
        (["--keyframes", "keys.webp"], "keys.webp"),
        (["--guide", "stills/frame-000001.png"], "stills"),
        (["--recipe", "stills"], "stills"),
    ):
        ran = dreamer("zoom", source, *SMALL, *options, "-o", output, "--force")
        refused(ran, "choose another -o")
        assert "never overwritten" in ran.err or "which the clip replaces" in ran.err
    refused(
        dreamer("video", "stills", *QUICK, "--guide", "guide.webp", "-o", "guide.webp", "--force"), "never overwritten"
    )
    refused(dreamer("zoom", "stills/frame-000000.png", *SMALL, "-o", "stills", "--force"), "which the clip replaces")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("a.mp4", {"size": (2, 16386)}, "h264 cannot encode frames of 16386x2 pixels"),
        ("a.mp4", {"size": (1, 1)}, "1x1 pixels are too few"),
        ("a.mp4", {"codec": "h265", "size": (2, 8000)}, "h265 cannot encode frames of 8000x2 pixels"),
        ("a.mp4", {"codec": "av1", "fps": 1000}, "av1 cannot encode .* at 1000 per second"),
        ("a.mp4", {"fps": 2**31}, "h264 cannot encode .* at 2.147e.09 per second"),
        ("a.webm", {"fps": 2000}, "a WebM has at most 1000 frames a second, not 2000"),
        ("a.gif", {"fps": 1000}, "a GIF has at most 50 frames a second, not 1000"),
    ],
)
def test_what_the_encoder_does_not_take_is_told_at_the_beginning(tmp_path, name, options, told):
    with pytest.raises(UsageError, match=told):
        opened(tmp_path / name, **options)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.webp", "a.gif"])
@pytest.mark.parametrize("options", [{"size": (2, 8000)}, {"fps": Fraction(1, 3)}, {"size": (33, 2)}])
def test_clips_of_odd_sizes_and_rates_can_be_made(tmp_path, name, options):
    assert read_recipe(made(tmp_path / name, 2, **options)) == '{"seed":1}'


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a.webp"])
def test_the_container_is_tried_at_the_beginning(tmp_path, monkeypatch, name):
    folder = tmp_path / f".{name}.reel"
    with opened(tmp_path / name) as writer:
        writer.add(picture(0))
    kept = left_in(folder)

    def wrong(*arguments, **options):
        raise ValueError("not in this container")

    monkeypatch.setattr("dreamer.videos.clip.concat.BIT_EXACT", {"movflags": "+faststart", "fflags": "nonsense"})
    monkeypatch.setattr("dreamer.videos.clip.animations.insert_comment", wrong)
    monkeypatch.setattr("dreamer.videos.clip.animations.insert_xmp", wrong)
    for wish in ("resume", "force"):
        with pytest.raises(UsageError, match=r"64x48 pixels and 24 frames per second cannot be written"):
            opened(tmp_path / name, **{wish: True})
        assert left_in(folder) == kept, "an unfinished clip is not lost for one that cannot be made"
    with pytest.raises(UsageError, match="cannot be written"):
        opened(tmp_path / f"new{name}")
    assert left_in(tmp_path) == [folder.name]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp", "a"])
def test_a_disk_that_gets_full_at_the_end_costs_nothing(tmp_path, monkeypatch, name):
    output, write = tmp_path / name, os.replace
    whole = made(tmp_path / f"whole{output.suffix}", 4)

    def full(source, target):
        if Path(target) == output or Path(source).name == "frames":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(source, target)

    with opened(output, 4, notify=lambda sentence: None) as writer:
        for number in range(4):
            writer.add(picture(number))
        for each in ("replace", "rename", "link"):
            monkeypatch.setattr(os, each, full)
        with pytest.raises(WriteError, match=r"No space|no space"):
            writer.finish()
    monkeypatch.undo()
    with opened(output, 4, resume=True) as writer:
        assert writer.done == 4
        writer.finish()
    if whole.is_dir():
        assert left_in(output) == left_in(whole)
    else:
        assert output.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(("name", "free"), [("a.mp4", 90_000), ("a", 600_000)])
def test_a_disk_that_may_get_full_is_told(tmp_path, monkeypatch, name, free):
    said, usage = [], shutil.disk_usage(tmp_path)
    for there, told in ((free, 1), (10 * free, 0)):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, there=there: usage._replace(free=there))
        with opened(tmp_path / name, 100, force=True, notify=said.append):
            assert len(said) == told
        said.clear()


def test_a_disk_that_is_full_at_the_beginning_leaves_nothing(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="no space is left"):
        opened(tmp_path / "a.mp4")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif"])
def test_frames_at_almost_the_same_time_are_all_kept(tmp_path, name):
    times = [Fraction(n, 10**6) for n in range(6)] + [Fraction(1)]
    with opened(tmp_path / name, 7) as writer:
        for number in range(4):
            writer.add(picture(number), times[number])
    found = [time for time, _ in frames(probe(made(tmp_path / name, times=times, resume=True)))]
    assert len(found) == 7 and found[-1] == pytest.approx(1, abs=0.002) and found[-2] < 0.1


def test_telling_never_costs_a_frame(tmp_path, monkeypatch):
    from dreamer.cli.progress import SilentReporter

    source = made(tmp_path / "clip.mp4", 3)

    def broken(self, *arguments):
        raise RuntimeError("nobody listens")

    monkeypatch.setattr(SilentReporter, "frame", broken)
    ran = dreamer("video", source, "--threads", "1", *QUICK, "--progress", "none")
    assert ran.code == 1
    monkeypatch.undo()
    monkeypatch.setattr(SilentReporter, "done", broken)
    assert dreamer("video", source, "--threads", "1", *QUICK, "--progress", "none", "--resume").code == 1
    assert probe(tmp_path / "clip-dream.mp4").frames == 3


def test_what_was_only_tried_is_no_work_that_might_be_lost(tmp_path):
    trial_path(tmp_path).touch()
    assert not holds_work(tmp_path)
    segment_path(tmp_path, 0).touch()
    assert holds_work(tmp_path)
