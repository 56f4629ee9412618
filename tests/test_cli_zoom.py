"""`dreamer zoom` as its users meet it: clips, resumption, refusals."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ENVIRONMENT, QUICK, Ran, dreamer, forged, left_in, photo, process, refused
from forked import Forked
from numpy.typing import NDArray
from PIL import Image

import dreamer as api
from dreamer.cli.clip import Pace
from dreamer.engine.step import Step
from dreamer.videos.clip.reader import frames, probe, read_recipe

SMALL = ("--size", "64", "--seconds", "0.5", "--fps", "8", "--threads", "1", *QUICK)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo in it, which is the working one."""
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photo.jpg")
    return tmp_path


def zoom(*arguments: str | Path) -> Ran:
    """A clip of four small frames."""
    return dreamer("zoom", "photo.jpg", *SMALL, *arguments)


def seen(path: str) -> list[NDArray[np.uint8]]:
    """The clip's frames."""
    return [values for _, values in frames(probe(Path(path), max_pixels=10_000_000))]


def test_a_clip_lies_beside_its_photo(here: Path) -> None:
    assert zoom("--force").code == 0
    assert left_in(here) == ["photo-zoom.mp4", "photo.jpg"]
    clip = probe(Path("photo-zoom.mp4"), max_pixels=10_000_000)
    assert (clip.width, clip.height, clip.frames, clip.fps) == (64, 48, 4, 8)


def test_what_is_too_small_for_a_zoom_is_told_once(here: Path) -> None:
    for name, size in (("tiny.png", (3, 3)), ("wide.png", (900, 20))):
        Image.new("RGB", size).save(name)
    ran = dreamer("zoom", "tiny.png", *SMALL)
    refused(ran, "tiny.png: 3x3 pixels are too few for a zoom; use at least 16 each way")
    assert ran.err.count("too few") == 1
    why = "wide.png: frames of 300x6 pixels are too few for a zoom, which needs 16 each way"
    refused(
        dreamer("zoom", "wide.png", "--size", "300", *QUICK), why, "a larger --size helps, since the photo is 900x20"
    )


def test_a_path_is_no_preview(here: Path) -> None:
    refused(zoom("--path", "--preview"), "--path and --preview cannot be combined")
    assert left_in(here) == ["photo.jpg"]


def test_a_zoom_grows_into_its_centre(here: Path) -> None:
    assert zoom("-o", "in.mp4", "--rate", "2", "--strength", "0").code == 0
    assert zoom("-o", "out.mp4", "--rate", "2", "--strength", "0", "--direction", "out").code == 0
    inward, outward = seen("in.mp4"), seen("out.mp4")
    spread = [float(np.ptp(frame.mean(axis=(0, 2)))) for frame in inward]
    assert all(later < earlier for earlier, later in pairwise(spread)), "less and less of the ramp is seen"
    for k, frame in enumerate(inward):
        assert np.abs(frame.astype(int) - outward[3 - k]).mean() < 6


def test_the_recipe_in_a_clip_makes_it_again(here: Path) -> None:
    assert zoom("-o", "a.mp4", "--seed", "3", "--angle", "20").code == 0
    inside = json.loads(read_recipe(Path("a.mp4")) or "")
    assert inside["recipe"]["seed"] == 3 and inside["zoom"]["angle"] == 20
    assert dreamer("zoom", "photo.jpg", "-o", "b.mp4", "--recipe", "a.mp4", "--threads", "1").code == 0
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()
    assert dreamer("render", "photo.jpg", "-o", "c.png", "--recipe", "a.mp4", "--threads", "1").code == 0


def test_the_recipe_in_a_folder_of_frames_makes_it_again(here: Path) -> None:
    assert zoom("-o", "frames/", "--angle", "20").code == 0
    refused(zoom("-o", "a.mp4", "--recipe", "."), "no recipe inside")
    assert dreamer("zoom", "photo.jpg", "-o", "again", "--recipe", "frames/", "--threads", "1").code == 0
    for frame in left_in(Path("frames")):
        assert Path("again", frame).read_bytes() == Path("frames", frame).read_bytes()
    assert dreamer("render", "photo.jpg", "-o", "c.png", "--recipe", "frames", "--threads", "1").code == 0


def test_a_preview_is_the_whole_way_in_few_frames_and_small(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 36)
    how = ("--fps", "25", "--seconds", "1.2", "--rate", "2", "--strength", "0")
    assert dreamer("zoom", "photo.jpg", "--preview", *how).code == 0
    assert dreamer("zoom", "photo.jpg", "--size", "48", *how).code == 0
    clip = probe(Path("photo-zoom-preview.mp4"), max_pixels=10_000_000)
    assert (clip.width, clip.height, clip.frames, clip.fps) == (48, 36, 10, Fraction(25, 3))
    for shown, frame in zip(seen("photo-zoom-preview.mp4"), seen("photo-zoom.mp4")[::3], strict=True):
        assert np.abs(shown.astype(int) - frame).mean() < 3


def test_a_preview_replaces_earlier_ones_and_nothing_else(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.videos.film import passage

    def interrupted(image: Any) -> Any:
        raise KeyboardInterrupt

    preview = ("--preview", "--size", "128")
    for name in ("photo-zoom-preview.mp4", "photo-zoom-preview-so-far.mp4"):
        Path(name).write_bytes(b"mine")
        refused(zoom(*preview), f"{name} already exists", "--force")
        assert Path(name).read_bytes() == b"mine"
        Path(name).unlink()
    for seed in ("1", "2"):
        assert zoom(*preview, "--seed", seed).code == 0
        assert f'"seed":{seed}' in (read_recipe(Path("photo-zoom-preview.mp4")) or "").replace(" ", "")
    monkeypatch.setattr(passage, "eight_bits", interrupted)
    assert zoom(*preview, "--seed", "3").code == 130
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert zoom(*preview, "--seed", "4").code == 0
    assert left_in(here) == ["photo-zoom-preview.mp4", "photo.jpg"]


def test_what_is_there_is_not_overwritten(here: Path) -> None:
    Path("clip.mp4").write_bytes(b"mine")
    refused(zoom("-o", "clip.mp4"), "clip.mp4 already exists", "--force")
    assert Path("clip.mp4").read_bytes() == b"mine"
    assert zoom("-o", "clip.mp4", "--force").code == 0
    assert zoom("-o", "clip.mp4", "--resume").code == 0, "done already is no failure"


@pytest.mark.parametrize("mode", ["keyframes", "feedback"])
@pytest.mark.parametrize("direction", ["in", "out"])
def test_ctrl_c_leaves_a_playable_clip_and_resuming_gives_the_same_file(
    here: Path, monkeypatch: pytest.MonkeyPatch, mode: str, direction: str
) -> None:
    how = ("--mode", mode, "--direction", direction, "--rate", "3")
    assert zoom("-o", "whole.mp4", *how).code == 0
    from dreamer.videos.film import passage

    original, calls = passage.eight_bits, []

    def interrupted(image: Any) -> Any:
        calls.append(image)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(image)

    monkeypatch.setattr(passage, "eight_bits", interrupted)
    ran = zoom("-o", "clip.mp4", *how)
    assert ran.code == 130 and "clip-so-far.mp4" in ran.err and "--resume" in ran.err
    assert len(seen("clip-so-far.mp4")) == 2
    assert left_in(here) == [".clip.mp4.reel", "clip-so-far.mp4", "photo.jpg", "whole.mp4"]
    monkeypatch.undo()
    monkeypatch.chdir(here)
    refused(zoom("-o", "clip.mp4", *how), "--resume continues")
    refused(zoom("-o", "clip.mp4", *how, "--resume", "--seed", "9"), "differs in", "recipe")
    assert zoom("-o", "clip.mp4", *how, "--resume").code == 0
    assert Path("clip.mp4").read_bytes() == Path("whole.mp4").read_bytes()
    assert left_in(here) == ["clip.mp4", "photo.jpg", "whole.mp4"]


def test_a_clip_is_gone_on_with_on_another_machine(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.videos.clip.writer import ClipWriter

    def interrupted(self: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClipWriter, "finish", interrupted)
    assert zoom("-o", "clip.mp4").code == 130
    monkeypatch.undo()
    monkeypatch.chdir(here)
    ran = zoom("-o", "clip.mp4", "--resume", "--threads", "2")
    assert ran.code == 0, ran.err
    assert len(seen("clip.mp4")) == 4


def files_in(folder: Path) -> int:
    """How many there are, while somebody makes and deletes them; none where there is no folder."""
    return sum(len(names) for _, _, names in os.walk(folder))


def test_kill_9_loses_nothing_that_was_done(here: Path) -> None:
    words = (
        "zoom",
        "photo.jpg",
        "--size",
        "64",
        "--seconds",
        "2",
        "--fps",
        "12",
        "--rate",
        "1.6",
        "--threads",
        "1",
        *QUICK,
    )
    assert dreamer(*words, "-o", "whole.mp4").code == 0
    wait = random.Random(0)
    folder = Path(".clip.mp4.reel")
    for _ in range(3):
        running = Forked(process(*words, "-o", "clip.mp4", "--resume"), env=ENVIRONMENT)
        count = files_in(folder)
        while running.poll() is None and files_in(folder) <= count + 2:
            time.sleep(0.02)
        time.sleep(wait.random() * 0.3)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert dreamer(*words, "-o", "clip.mp4", "--resume").code == 0
    assert Path("clip.mp4").read_bytes() == Path("whole.mp4").read_bytes()


def test_a_full_disk_is_a_sentence_and_can_be_gone_on_from(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from dreamer.videos.clip import state

    assert zoom("-o", "whole.mp4").code == 0

    def full(path: Path) -> None:
        raise api.DreamerError(f"{path} could not be written: no space is left ({errno.ENOSPC})")

    monkeypatch.setattr(state, "replacing", full)
    refused(zoom("-o", "clip.mp4"), "no space is left", code=1)
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert zoom("-o", "clip.mp4", "--resume").code == 0
    assert Path("clip.mp4").read_bytes() == Path("whole.mp4").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rate", "0"), ("rate 0",)),
        (("--rate", "-2"), ("rate -2", "--direction out")),
        (("--fps", "0"), ("fps",)),
        (("--centre", "left"), ("centre",)),
        (("--ease", "soft"), ("ease",)),
        (("--loop", "--mode", "feedback"), ("--mode keyframes",)),
        (("--keyframes", "none.toml"), ("none.toml",)),
        (("-o", "clip.avi"), (".mp4", ".webm")),
        (("-o", "clip.mp4", "--codec", "theora"), ("theora", "h264")),
        (("-o", "nowhere/clip.mp4"), ("nowhere",)),
        (("--preset", "nope"), ("nope",)),
        (("--audio", "photo.jpg"), ("photo.jpg", "sound")),
        (("--recipe", "photo.jpg"), ("no recipe inside",)),
        (("--set", "pictures=2"), ("one at a time",)),
    ],
)
def test_wrong_wishes_are_told_and_nothing_is_begun(
    here: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    before = left_in(here)
    refused(dreamer("zoom", "photo.jpg", *arguments), *words)
    assert left_in(here) == before


def test_a_photo_that_is_too_small_is_told_of(here: Path) -> None:
    photo(Path("photo.jpg"), 40, 8)
    refused(dreamer("zoom", "photo.jpg"), "40x8", "16 each way")
    assert dreamer("zoom", photo(here / "least.png", 16, 16), *SMALL[2:]).code == 0


def test_all_mistakes_are_told_at_once(here: Path) -> None:
    refused(dreamer("zoom", "none.jpg", "-o", "clip.avi", "--preset", "nope"), "none.jpg", "clip.avi", "nope")
    refused(zoom("--rate", "0", "--fps", "x", "--set", "colour=7"), "rate 0", "fps", "colour")


def test_keyframes_in_time_change_the_look(here: Path) -> None:
    Path("fall.toml").write_text(
        '[[keyframes]]\ntime = 0\nstrength = 0\n[[keyframes]]\ntime = 0.25\nlayer = "m3b"\nstrength = 1.0\nrate = 2\n'
    )
    ran = zoom("-o", "clip.mp4", "--keyframes", "fall.toml")
    assert ran.code == 0, ran.err
    still = Image.open("photo.jpg").resize((64, 48))
    assert np.abs(seen("clip.mp4")[0].astype(int) - np.asarray(still)).mean() < 8, "it begins with the photo itself"
    Path("fall.toml").write_text('[[keyframes]]\ntime = 0.25\nlayer = "m99"\n')
    refused(zoom("-o", "other.mp4", "--keyframes", "fall.toml"), "m99")


def test_a_file_as_a_look_is_a_person_s_wish_and_never_a_clip_s(here: Path) -> None:
    Path("look.toml").write_text("schema = 1\nseed = 5\n")
    Path("fall.toml").write_text('[[keyframes]]\ntime = 0\npreset = "look.toml"\n')
    keyframes = ("--keyframes", "fall.toml")
    assert zoom("-o", "clip.webp", *keyframes).code == 0
    again = ("-o", "again.webp", "--recipe", "clip.webp")
    refused(zoom(*again), "clip.webp: keyframes[0].preset", "a clip may name a preset, but not a file", "--keyframes")
    assert zoom(*again, *keyframes).code == 0
    named = {"schema": 1, "zoom": {"keyframes": [{"time": 0, "preset": "/etc/passwd"}]}}
    refused(zoom("-o", "c.webp", "--recipe", forged(here / "named.png", json.dumps(named))), "but not a file")
    moves = {"to": "rate", "from": 1.1, "upto": 1.9}
    for drive in (
        {"of": f"{here}/own.CSV", **moves},
        {"of": "sections", "to": "preset", "presets": [f"{here}/look"] * 2},
    ):
        named = {"schema": 1, "zoom": {"drives": [drive]}}
        ran = zoom("-o", "c.webp", "--recipe", forged(here / "named.png", json.dumps(named)))
        refused(ran, "the drives in a clip may name curves and presets, but no file")
    named = {"schema": 1, "recipe": {"regions": [{"mask": "top", "look": f"{here}/look"}]}}
    refused(zoom("-o", "c.webp", "--recipe", forged(here / "named.png", json.dumps(named))), "but not a file")


def test_json_progress_tells_of_frames(here: Path) -> None:
    ran = zoom("-o", "clip.webm", "--progress", "json")
    told = [event for event in ran.events if event["event"] == "frame"]
    assert told[-1]["frame"] == told[-1]["frames"] == 4 and told[-1]["share"] == 1
    assert any("keyframe 1/" in event["doing"] for event in told)
    assert [event["share"] for event in told] == sorted(event["share"] for event in told)


def test_the_pace_knows_that_a_keyframe_takes_longer_than_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace = Pace((0, 100), (0, 2))

    def after(seconds: float, told: Any) -> float:
        now[0] += seconds
        return float(told().share)

    done = Step(0, 1, 0, 1, 1.0, (10, 10))
    after(100, lambda: pace.step(0, done))
    for number in range(1, 51):
        share = after(2, lambda number=number: pace.frame(number))
    assert share == pytest.approx(0.5), "200 of 400 seconds"
    after(100, lambda: pace.step(1, done))
    assert after(100, lambda: pace.frame(100)) == 1


def test_the_library_gives_frames_as_pictures(here: Path) -> None:
    pictures = list(
        api.zoom(
            "photo.jpg",
            seconds=0.5,
            fps=4,
            size=64,
            octaves={"steps": 1},
            rate=2,
            keyframes=[{"time": 0.25, "layer": "m3b"}],
        )
    )
    assert [picture.size for picture in pictures] == [(64, 48)] * 2
    assert np.asarray(pictures[0]).std() > 5 and pictures[0].tobytes() != pictures[1].tobytes()
    with pytest.raises(api.DreamerError, match=r"rate=0\.0: expected 1 to 100"):
        api.zoom("photo.jpg", rate=0)
    with pytest.raises(api.DreamerError, match="one at a time"):
        api.zoom("photo.jpg", pictures=2)
    with pytest.raises(api.DreamerError, match="colour"):
        api.zoom("photo.jpg", colours=1)


def test_a_finished_clip_is_left_as_it_is(here: Path) -> None:
    assert zoom().code == 0
    before = Path("photo-zoom.mp4").stat()
    ran = zoom()
    assert ran.code == 0 and "already done" in ran.err
    assert Path("photo-zoom.mp4").stat().st_mtime_ns == before.st_mtime_ns
    refused(zoom("--seed", "9"), "photo-zoom.mp4 already exists")
    assert zoom("--force").code == 0 and Path("photo-zoom.mp4").stat().st_mtime_ns > before.st_mtime_ns


def test_mistakes_in_a_file_of_keyframes_name_it(here: Path) -> None:
    Path("fall.toml").write_text("[[keyframes]]\ntime = 0\nrte = 1.5\n")
    refused(zoom("--keyframes", "fall.toml", "--rate", "-1"), "fall.toml: keyframes[0].rte", "dreamer: --rate")


def test_a_photo_is_never_overwritten(here: Path) -> None:
    for name in ("photo.webp", "fall-so-far.mp4"):
        shutil.copy("photo.jpg", name)
    before = Path("photo.jpg").read_bytes()
    for source, output in (("photo.webp", "photo.webp"), ("fall-so-far.mp4", "fall.mp4")):
        refused(
            dreamer("zoom", source, *SMALL, "-o", output, "--force"), f"{source} itself, which is never overwritten"
        )
        assert Path(source).read_bytes() == before
    assert left_in(here) == ["fall-so-far.mp4", "photo.jpg", "photo.webp"]


def test_a_name_with_a_slash_is_a_folder_of_frames(here: Path) -> None:
    assert zoom("-o", "frames/").code == 0
    assert len(left_in(Path("frames"))) == 4
    shutil.rmtree("frames")


def test_a_clip_asks_for_no_larger_frames_than_the_photo(here: Path) -> None:
    assert zoom("-o", "a.mp4").code == 0
    data = Path("a.mp4").read_bytes()
    Path("b.mp4").write_bytes(data.replace(b'"size": 64', b'"size": 99'))
    ran = dreamer("zoom", "photo.jpg", "-o", "c.mp4", "--recipe", "b.mp4", "--threads", "1")
    assert ran.code == 0 and "the frames are 96 pixels long, as the photo is, and not 99" in ran.err
    clip = probe(Path("c.mp4"))
    assert (clip.width, clip.height) == (96, 72)


def test_a_zoom_that_is_too_deep_is_refused_and_its_preview_too(here: Path) -> None:
    refused(zoom("--seconds", "14400", "--fps", "1"), "the zoom becomes too deep")
    refused(zoom("--seconds", "14400", "--fps", "1", "--preview", "--size", "96"), "too deep")
