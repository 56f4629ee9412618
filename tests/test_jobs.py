"""--jobs and --on: the same files as by one process, whoever makes them, and nothing done twice."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from clips import filmed, heard, tone
from command import QUICK, dreamer, left_in, photo, pixels, refused, render, stamp_of
from makers import Here
from networks import tiny
from torch import Tensor

from dreamer.cli.hands import Hands
from dreamer.cli.making import Shared
from dreamer.cli.progress import SilentReporter
from dreamer.cli.segments import Joiner
from dreamer.errors import UsageError, WriteError
from dreamer.pipeline.pipeline import Pipeline
from dreamer.units import cluster
from dreamer.units.results import note
from dreamer.units.unit import Order, Unit
from dreamer.videos.clip.manifest import digest
from dreamer.videos.clip.reader import frames, probe
from dreamer.videos.clip.unfinished import segment_path
from dreamer.videos.clip.writer import ClipWriter
from dreamer.videos.film.chunks import Chunk, chunks
from dreamer.videos.film.motion import Motion

TINY = replace(tiny(), name="reverie")
ONE = ("--threads", "1")
FILM = ("--set", "octaves.steps=1", "--keep", "0", "--progress", "none")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Here]:
    """The pools that commands hire: of this process, with the tiny network in reverie's place."""
    pools: list[Here] = []

    def hired(order: Order, mark: str) -> Here:
        pools.append(Here(order, mark))
        return pools[-1]

    monkeypatch.setattr(Hands, "hire", lambda self, machine: hired)
    for room in ("pipeline.build", "networks"):
        monkeypatch.setattr(f"dreamer.{room}.load_from", lambda *names, **settings: TINY)
    return pools


def same(one: Path, other: Path) -> bool:
    return left_in(one) == left_in(other) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in left_in(one)
    )


def test_two_processes_make_the_same_files_as_one(tmp_path: Path) -> None:
    """The one test with processes that load a network."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.png", "sub/c.tif")):
        photo(tmp_path / "in" / name, 48, 40, shift=9 * number)
    assert render(tmp_path / "in", "-o", tmp_path / "one/", *ONE).code == 0
    ran = render(tmp_path / "in", "-o", tmp_path / "two/", "--jobs", "2")
    assert ran.code == 0 and "picture 2/2" in ran.err
    assert same(tmp_path / "one" / "sub", tmp_path / "two" / "sub")
    shutil.rmtree(tmp_path / "one" / "sub"), shutil.rmtree(tmp_path / "two" / "sub")
    assert same(tmp_path / "one", tmp_path / "two")


def test_what_is_done_is_skipped_and_what_is_wrong_stops_nothing(tmp_path: Path, here: list[Here]) -> None:
    photo(tmp_path / "a.png"), photo(tmp_path / "c.png", shift=5)
    (tmp_path / "b.jpg").write_text("no picture")
    assert render(tmp_path / "a.png", *ONE).code == 0
    ran = render(tmp_path, "--jobs", "2")
    assert ran.code == 1 and "a-dream.png is already done" in ran.err and "b.jpg is not a picture" in ran.err
    assert left_in(tmp_path) == ["a-dream.png", "a.png", "b.jpg", "c-dream.png", "c.png"]
    assert len(here[0].given) == 3


def test_where_no_photo_can_be_read_the_code_is_2(tmp_path: Path, here: list[Here]) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no picture")
    refused(render(tmp_path, "--jobs", "1", "--progress", "none"), "a.jpg is not", "b.jpg is not")


def test_two_photos_never_share_a_name(tmp_path: Path, here: list[Here]) -> None:
    photo(tmp_path / "a.png"), photo(tmp_path / "a.bmp", shift=3), photo(tmp_path / "A.bmp", shift=5)
    ran = render(tmp_path, "-o", tmp_path / "out/", "--jobs", "2", "--force")
    assert ran.code == 1 and "is also the name for the dream of" in ran.err
    assert len(here[0].given) == 1  # all in one unit, so that one process sees to it
    assert left_in(tmp_path / "out") == ["A-dream.png", "a-dream.png"]


def test_no_photo_is_replaced(tmp_path: Path, here: list[Here]) -> None:
    photo(tmp_path / "a.png"), photo(tmp_path / "a-dream.png", shift=3)
    before = (tmp_path / "a-dream.png").read_bytes()
    ran = render(tmp_path, "--jobs", "2", "--force")
    assert ran.code == 1 and "a-dream.png is the input" in ran.err
    assert (tmp_path / "a-dream.png").read_bytes() == before


def test_a_photo_made_by_two_is_there_once(tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them was given up, as on a machine that is away for a while."""
    photo(tmp_path / "a.png")
    written = Shared.write

    def twice(self: Shared, *what: Any, **how: Any) -> Path:
        written(self, *what, **how)
        return written(self, *what, **how)

    monkeypatch.setattr(Shared, "write", twice)
    ran = render(tmp_path / "a.png", "--jobs", "2")
    assert ran.code == 0 and "1 photo: " in ran.err
    assert left_in(tmp_path) == ["a-dream.png", "a.png"]


def test_what_fails_three_times_is_named_and_the_others_go_on(
    tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "a.png"), photo(tmp_path / "b.png", 64)
    dream, tried = Pipeline.dream, []

    def failing(self: Pipeline, whole: Any, **how: Any) -> Any:
        if whole.width == 96:
            tried.append(1)
            raise RuntimeError("CUDA error")
        return dream(self, whole, **how)

    monkeypatch.setattr(Pipeline, "dream", failing)
    monkeypatch.setattr("dreamer.units.working._PAUSE", 0.0)
    ran = render(tmp_path, "--jobs", "2", "--progress", "none")
    refused(ran, "a.png: tried 3 times: RuntimeError: CUDA error", code=1)
    assert len(tried) == 3 and "b-dream.png" in left_in(tmp_path)


def test_a_dream_that_was_saved_elsewhere_is_made_once(
    tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*what: Any, **how: Any) -> Path:
        raise WriteError("full")

    monkeypatch.setattr(Shared, "write", full)
    monkeypatch.setattr("dreamer.units.working._PAUSE", 0.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ran = render(photo(tmp_path / "a.png"), "--jobs", "2", "--progress", "none")
    (kept,) = tmp_path.glob("dreamer-*/a-dream.png")
    refused(ran, f"a.png: full; the dream was saved as {kept} instead", code=1)


def test_ctrl_c_keeps_what_is_done(tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "a.png"), photo(tmp_path / "b.png", shift=3)
    give = Here.give

    def interrupted(self: Here, unit: Any) -> None:
        if self.given:
            raise KeyboardInterrupt
        give(self, unit)

    monkeypatch.setattr(Here, "give", interrupted)
    ran = render(tmp_path, "--jobs", "2")
    assert ran.code == 130 and "1 of 2 are done; run the same command again to continue" in ran.err
    monkeypatch.setattr(Here, "give", give)
    assert render(tmp_path, "--jobs", "2").code == 0
    assert left_in(tmp_path) == ["a-dream.png", "a.png", "b-dream.png", "b.png"]


def test_tiles_do_not_depend_on_what_else_runs(
    tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "a.png")
    monkeypatch.setattr("dreamer.pipeline.plan.free_memory", lambda device: 1)
    assert render(tmp_path / "a.png", "--jobs", "3").code == 0
    machine = stamp_of(tmp_path / "a-dream.png")["machine"]
    assert (machine["tile"], machine["threads"]) == (0, 1)


def test_wrong_numbers_and_addresses_are_told_at_once(tmp_path: Path) -> None:
    refused(render(photo(tmp_path / "a.png"), "--jobs", "0"), "--jobs: expected auto or a number from 1 to 10000")
    refused(render(tmp_path / "a.png", "--on", "slurm"), "--on slurm: expected ray, or the address")


def test_without_ray_a_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dreamer.units.rays.find_spec", lambda name: None)
    for words in (("cluster", "up"), ("cluster", "status"), ("render", photo(tmp_path / "a.png"), "--on", "ray")):
        refused(dreamer(*words), "Ray is not installed; `pip install 'dreamer-art[ray]'` installs it")


def test_a_cluster_that_is_gone_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Path(os.environ["DREAMER_CACHE"])
    cache.mkdir(exist_ok=True)
    gone = json.dumps({"address": "127.0.0.1:1", "pid": os.getpid(), "began": 0.0})
    for text in ("", "[]", "[" * 10**5, '{"pid": 1e999, "address": "x"}', '{"address": 3}', gone):
        (cache / "cluster.json").write_text(text)
        refused(dreamer("cluster", "down"), "no cluster is up on this machine")  # and this process lives on


@pytest.mark.skipif(sys.platform == "win32", reason="a script in the place of Python")
@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError])
def test_a_cluster_that_does_not_begin_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: type[BaseException]
) -> None:
    before, started = psutil.Process().children(), []

    def stop(seconds: float) -> None:
        started.extend({*psutil.Process().children()} - {*before})
        raise problem

    (python := tmp_path / "python").write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr("time.sleep", stop)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    monkeypatch.setenv("DREAMER_CACHE", str(cache := tmp_path / "cache"))
    with pytest.raises(problem):
        cluster.up(1)
    assert started and not {*started} & {*psutil.Process().children()}
    assert (cache / "cluster.token").stat().st_mode & 0o77 == 0 and not (cache / "cluster.json").exists()


def test_a_cluster_s_note_removes_no_folder_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    cluster.remove_scratch(tmp_path / "mine")
    assert (tmp_path / "mine").exists()
    cluster.remove_scratch(own := cluster.scratch_folder() or tmp_path)
    assert not own.exists() or own == tmp_path


def test_json_progress_counts_pictures(tmp_path: Path, here: list[Here]) -> None:
    photo(tmp_path / "a.png")
    events = render(tmp_path / "a.png", "--jobs", "2", "--progress", "json").events
    assert [event["event"] for event in events] == ["start", "picture", "done", "picture"]
    assert events[-1] | {"left": 0} == events[-1] and events[-1]["share"] == 1


def test_the_cells_of_a_sheet_are_the_same(tmp_path: Path, here: list[Here]) -> None:
    photo(tmp_path / "a.png")
    sweep = (*QUICK, "--sweep", "strength=.3,1", "--sweep", "seed=1,2")
    for name, jobs in (("one", ONE), ("two", ("--jobs", "2"))):
        assert dreamer("render", tmp_path / "a.png", *sweep, *jobs, "-o", tmp_path / f"{name}.png").code == 0
    assert same(tmp_path / "one", tmp_path / "two") and len(left_in(tmp_path / "two")) == 4
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert len(here[0].given) == 2  # cells that differ by strength alone are one unit
    (tmp_path / "two.png").unlink()
    shutil.rmtree(tmp_path / "one")
    (removed, *_) = sorted((tmp_path / "two").iterdir())
    removed.unlink()
    assert dreamer("render", tmp_path / "a.png", *sweep, "--jobs", "2", "-o", tmp_path / "two.png").code == 0
    assert len(here[1].given) == 1 and removed.exists()


def test_a_cell_whose_name_is_taken_meanwhile_is_on_the_sheet_under_another(
    tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "a.png")
    written, taken = Shared.write, list[Path]()

    def write(self: Shared, dream: Any, place: Path, *what: Any, **how: Any) -> Path:
        if not taken:
            taken.append(photo(place))
        return written(self, dream, place, *what, **how)

    monkeypatch.setattr(Shared, "write", write)
    sweep = (*QUICK, "--sweep", "seed=1,2", "--jobs", "2")
    ran = dreamer("render", tmp_path / "a.png", *sweep, "-o", tmp_path / "sheet.png")
    assert ran.code == 0, ran.err
    (theirs,) = taken
    assert left_in(tmp_path / "sheet") == [f"{theirs.stem}-2.png", theirs.name, "2-seed-2.png"]


def test_the_channels_of_an_atlas_are_the_same(tmp_path: Path, here: list[Here]) -> None:
    words = ("atlas", "--channels", "0-9", "--size", "32", "--steps", "1", "--progress", "none")
    assert dreamer(*words, "-o", tmp_path / "one.html", *ONE).code == 0
    assert dreamer(*words, "-o", tmp_path / "two.html", "--jobs", "2").code == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert [unit.words["channels"] for unit in here[0].given] == [[*range(8)], [8, 9]]


@pytest.mark.filterwarnings("ignore:reverie has no layer")  # the tiny network stands for every one
def test_the_looks_of_a_photo_are_the_same(tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("presets", "try", photo(tmp_path / "a.png", 128, 128), "classic", "bloom", "--size", "96")
    assert dreamer(*words, "-o", tmp_path / "one.png").code == 0
    assert dreamer(*words, "-o", tmp_path / "two.png", "--jobs", "2").code == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert left_in(tmp_path) == ["a.png", "one.png", "two.png"] and len(here[0].given) == 2

    def away(*words: Any) -> None:
        raise UsageError("it is away")

    monkeypatch.setattr("dreamer.cli.drawing.Looks.make", away)
    stale = tmp_path / ".three.png.looks" / "look-0.png"  # of a command that was killed
    stale.parent.mkdir()
    shutil.copy(tmp_path / "one.png", stale)
    ran = dreamer("presets", "try", tmp_path / "a.png", "bloom", "--jobs", "2", "-o", tmp_path / "three.png")
    assert ran.code == 1 and "skipped bloom: it is away" in ran.err and "showing 0 looks" in ran.err
    assert not stale.parent.exists()


def film(path: Path, count: int = 16, every: int = 5) -> Path:
    """A clip whose scene changes every few frames."""
    scene = pixels(96, 48)
    scenes = (scene, 255 - scene)
    return filmed(path, (scenes[n // every % 2][:, 2 * n :][:, :64].copy() for n in range(count)), rate=24)


def motion(now: Tensor, before: Tensor, **how: Any) -> Motion:
    """In place of the search for motion, which takes most of a small film's time: none, or a cut."""
    height, width = now.shape[-2:]
    cut = bool((now - before).abs().mean() > 0.1)
    return Motion(torch.zeros(1, 2, height, width), torch.ones(1, 1, height, width), cut)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of three frames, chunks of three at least, and no search for motion."""
    for file in ("film", "passage"):
        monkeypatch.setattr(f"dreamer.videos.film.{file}.find_motion", motion)
    monkeypatch.setitem(ClipWriter.open.__kwdefaults__, "segment", 3)
    monkeypatch.setattr(chunks, "__defaults__", (3,))


def shown(path: Path) -> list[tuple[Fraction, bytes]]:
    """The frames of a clip with their times."""
    return [(time, values.tobytes()) for time, values in frames(probe(path))]


def test_a_film_in_chunks_is_the_film(tmp_path: Path, here: list[Here], quick: None) -> None:
    words = ("video", film(tmp_path / "clip.mp4"), "--audio", tone(tmp_path / "tone.wav", 1.0), *FILM)
    assert dreamer(*words, "-o", tmp_path / "one.mp4", *ONE).code == 0
    assert dreamer(*words, "-o", tmp_path / "two.mp4", "--jobs", "2").code == 0
    begun = [(unit.words["start"], unit.words["begin"]) for unit in here[0].given]
    assert begun == [(0, 0), (5, 6), (10, 12)]  # a run-up from each cut
    assert shown(tmp_path / "one.mp4") == shown(tmp_path / "two.mp4")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()  # with the sound
    assert heard(tmp_path / "two.mp4")[0] == "aac"
    assert left_in(tmp_path) == ["clip.mp4", "one.mp4", "tone.wav", "two.mp4"]


@pytest.mark.parametrize(("region", "told"), [("colour:#ff00ff,1", True), ("top", False)])
def test_a_film_in_chunks_in_which_nothing_could_grow_is_told(
    tmp_path: Path, here: list[Here], quick: None, region: str, told: bool
) -> None:
    words = ("video", film(tmp_path / "clip.mp4"), "--region", region, "--set", "octaves.steps=1", "--jobs", "2")
    ran = dreamer(*words, "-o", tmp_path / "out.mp4")
    assert ran.code == 0 and len(here[0].given) == 3
    assert ("in no frame do the regions leave a place in which anything could grow" in ran.err) == told


@pytest.mark.parametrize("damaged", [False, True])
def test_a_film_that_was_interrupted_makes_only_the_chunks_that_it_lacks(
    tmp_path: Path, here: list[Here], quick: None, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out.mp4"
    words = ("video", clip, "-o", out, *FILM, "--jobs", "2")
    give = Here.give

    def interrupted(self: Here, unit: Any) -> None:
        if self.given:
            raise KeyboardInterrupt
        give(self, unit)

    monkeypatch.setattr(Here, "give", interrupted)
    assert dreamer(*words).code == 130
    monkeypatch.setattr(Here, "give", give)
    refused(dreamer(*words), "--resume continues it")
    segment = tmp_path / ".out.mp4.reel" / "segment-000001.mp4"
    if damaged:
        segment.write_bytes(segment.read_bytes()[:-9])
    assert dreamer(*words, "--resume").code == 0 and len(here[1].given) == 2 + damaged
    assert left_in(tmp_path) == ["clip.mp4", "out.mp4"]


@pytest.mark.parametrize(
    "way", [(), ("--loop", "--direction", "out"), ("--centre", "follow", "--drives", "drives.toml")]
)
def test_a_zoom_in_spans_is_the_zoom(
    tmp_path: Path, here: list[Here], monkeypatch: pytest.MonkeyPatch, way: tuple[str, ...]
) -> None:
    monkeypatch.setitem(ClipWriter.open.__kwdefaults__, "segment", 4)
    monkeypatch.setattr("dreamer.cli.zoom_spans.MOST_FRAMES", 4)
    monkeypatch.chdir(tmp_path)
    if "drives.toml" in way:
        driven(tmp_path, rate=(1.5, 3), strength=(0.2, 1), feature_size=(40, 90))
    words = ("zoom", photo(tmp_path / "a.png", 64, 48), *FILM, "--seconds", "1", "--fps", "10", "--rate", "2.5", *way)
    assert dreamer(*words, "-o", tmp_path / "one.mp4", *ONE).code == 0
    assert dreamer(*words, "-o", tmp_path / "two.mp4", "--jobs", "2").code == 0
    assert len(here[0].given) == 3
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    assert {"a.png", "one.mp4", "two.mp4"} == {*left_in(tmp_path)} - {"drives.toml", "curve.csv"}


def driven(folder: Path, **moved: tuple[float, float]) -> None:
    """Write drives.toml, in which a curve moves each of these between two values."""
    (folder / "curve.csv").write_text("0,0\n0.31,0.9\n0.52,0.2\n0.9,1\n")
    tables = ('[[drives]]\nof = "curve.csv"\nto = "{}"\nfrom = {}\nupto = {}\n'.format(k, *v) for k, v in moved.items())
    (folder / "drives.toml").write_text("".join(tables))


def test_a_film_in_chunks_is_the_film_whatever_moves_it(
    tmp_path: Path, here: list[Here], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    driven(tmp_path, strength=(0.2, 1), feature_size=(40, 90))
    words = ("video", film(tmp_path / "clip.mp4"), *FILM, "--every", "3", "--drives", "drives.toml")
    assert dreamer(*words, "-o", tmp_path / "one.mp4", *ONE).code == 0
    assert dreamer(*words, "-o", tmp_path / "two.mp4", "--jobs", "2").code == 0
    assert len(here[0].given) > 2
    assert shown(tmp_path / "one.mp4") == shown(tmp_path / "two.mp4")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("kind", ["clip", "photo"])
def test_what_changes_meanwhile_is_told(
    tmp_path: Path, here: list[Here], quick: None, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Else half of the film would be of the one clip, half of the other, whose frames have the same times."""
    other, give = film(tmp_path / "other.mp4", every=8), Here.give
    if kind == "photo":
        source, other = photo(tmp_path / "a.png", 64, 48), photo(tmp_path / "b.png", 64, 48, shift=9)
        words = ("zoom", source, *FILM, "--seconds", "0.5", "--fps", "6", "-o", tmp_path / "out.mp4", "--jobs", "2")
    else:
        words = ("video", source := film(tmp_path / "clip.mp4"), *FILM, "-o", tmp_path / "out.mp4", "--jobs", "2")

    def changed(self: Here, unit: Any) -> None:
        shutil.copy(other, source)
        give(self, unit)

    monkeypatch.setattr(Here, "give", changed)
    refused(dreamer(*words), f"is another {kind} than when", "failed; what is done is kept", code=1)


def test_a_stranger_s_notes_of_finished_parts_are_not_believed(tmp_path: Path) -> None:
    unit, order = Unit("a", {"begin": 4, "segment": 2, "shown": ["0"] * 3}), Order("m:N", {}, "/")
    joiner, data = Joiner(order, Here, SilentReporter(), "a"), {number: bytes([number]) * 9 for number in (0, 2, 3)}
    for number, part in data.items():
        segment_path(tmp_path, number).write_bytes(part)

    def entry(number: Any, frames: Any, start: Any = 8) -> dict[str, Any]:
        sha256 = digest(data.get(number if type(number) is int else 2, b""))
        return {"number": number, "start": start, "frames": frames, "sha256": sha256}

    for entries in (
        *([], [entry(2, 2)], [entry(2, 1), entry(3, 1)], [entry(0, 2), entry(3, 1)], [entry(3, 1), entry(2, 2)]),
        *([entry(2, 2), entry(3, 1), entry(0, 0)], [entry(1e999, 2), entry(3, 1)], [entry(2, 2), entry(3, 1e999)]),
        *([entry(2, 2, [[]]), entry(3, 1)], "ab", None, 3, [None, {}]),
    ):
        note(tmp_path, unit.key(order), {"segments": entries})
        assert joiner._segments(tmp_path, unit) is None, entries
    note(tmp_path, unit.key(order), {"segments": [entry(2, 2), entry(3, 1)]})
    assert [found.frames for found in joiner._segments(tmp_path, unit) or ()] == [2, 1]


def test_a_zoom_by_feedback_has_no_spans(tmp_path: Path, here: list[Here]) -> None:
    refused(dreamer("zoom", photo(tmp_path / "a.png"), "--mode", "feedback", "--jobs", "2"), "needs the one before")


def test_a_clip_that_is_not_made_of_segments_has_no_chunks(tmp_path: Path, here: list[Here]) -> None:
    clip = filmed(tmp_path / "clip.mp4")
    refused(dreamer("video", clip, "-o", tmp_path / "out.gif", "--jobs", "2"), "write .mp4 or .webm", code=2)


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ([], [Chunk(0, 0, 300)]),
        ([75, 150, 225], [Chunk(0, 0, 90), Chunk(75, 90, 150), Chunk(150, 150, 240), Chunk(225, 240, 300)]),
        ([10, 80, 85, 290], [Chunk(0, 0, 90), Chunk(85, 90, 300)]),
    ],
)
def test_chunks_begin_with_segments_and_their_run_up_at_the_last_cut(cuts: list[int], expected: list[Chunk]) -> None:
    assert chunks(300, cuts, 30) == expected
