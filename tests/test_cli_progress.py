"""How a long job tells where it is, and how it is stopped."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import ENVIRONMENT, dreamer, left_in, photo, process, refused, render, stamp_of
from forked import Forked

from dreamer.cli import doctor, progress
from dreamer.engine.step import Step
from dreamer.errors import WriteError
from dreamer.files import disk
from dreamer.image import load
from dreamer.training.train import Report

pytestmark = pytest.mark.usefixtures("tiny_reverie")


def test_json_is_one_object_per_line_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    source = photo(tmp_path / "a.png")
    ran = dreamer(
        *("render", tmp_path / "bad.jpg", source, "--progress", "json"),
        *("--size", "64", "--set", "octaves.steps=2", "--set", "octaves.count=2"),
    )
    assert ran.code == 1 and ran.err == ""
    kinds = [event["event"] for event in ran.events]
    assert kinds == ["start", "failed", "start", "notice", "step", "step", "step", "step", "done"]
    failed = ran.events[1]
    assert failed["photo"] == str(tmp_path / "bad.jpg") and "is not a picture" in failed["problems"][0]
    steps = [event for event in ran.events if event["event"] == "step"]
    assert [(step["octave"], step["step"]) for step in steps] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert all(step["photo"] == str(source) and step["score"] > 0 and step["left"] >= 0 for step in steps)
    assert [step["share"] for step in steps] == sorted(step["share"] for step in steps)
    assert steps[-1]["share"] == 1 and (steps[-1]["width"], steps[-1]["height"]) == (64, 48)
    assert ran.events[-1]["result"] == str(tmp_path / "a-dream.png")
    again = render(source, "--progress", "json", "--size", "64", "--set", "octaves.steps=2", "--set", "octaves.count=2")
    assert [event["event"] for event in again.events] == ["start", "skipped"]


@pytest.mark.parametrize("wrong", [["--set", "colour=3"], ["--device", "gpu"], ["--sett"], ["--preset", "nope"]])
@pytest.mark.parametrize("form", [["--progress", "json"], ["--progress=json"]])
def test_errors_are_objects_too(tmp_path: Path, wrong: list[str], form: list[str]) -> None:
    ran = dreamer("render", photo(tmp_path / "a.png"), *form, *wrong)
    assert ran.code == 2 and ran.err == ""
    (event,) = ran.events
    assert event["event"] == "failed" and event["photo"] is None and len(event["problems"]) == 1


def test_none_is_silent_but_for_errors(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    ran = render(source, "--progress", "none", "--size", "48")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    refused(render(tmp_path / "b.png", "--progress", "none"), "there is no such file")


def test_lines_are_plain_where_there_is_no_terminal(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    ran = render(source, "--set", "octaves.count=2", "--set", "octaves.smallest=16")
    assert ran.out == ""
    first, second, done = ran.err.splitlines()
    assert first.startswith(f"{source}:  34%, octave 1/2 (69x51), score ") and first.endswith(" left")
    assert second.startswith(f"{source}: 100%, octave 2/2 (96x72), score ")
    assert re.fullmatch(rf"{re.escape(str(tmp_path / 'a-dream.png'))} is done in 0:\d\d", done)


def test_a_bar_shows_share_time_left_and_each_octaves_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    now = time.monotonic()
    with progress.BarReporter() as bar:
        monkeypatch.setattr(time, "monotonic", lambda: now)
        bar.start("a.png", 1, 1)
        monkeypatch.setattr(time, "monotonic", lambda: now + 25)  # much is done only once
        bar.step(Step(0, 2, 4, 5, 0.1, (36, 48), 1.5))
        monkeypatch.setattr(time, "monotonic", lambda: now + 30)
        bar.step(Step(1, 2, 0, 5, 0.25, (72, 96), 2.5))
        for _ in range(6000):  # it is drawn ten times a second
            if "score 1.5 > 2.5" not in screen.getvalue():
                time.sleep(0.02)
        bar.notify("a notice")
        bar.done("a.png", "a-dream.png", 3700)
    shown = screen.getvalue()
    for part in ("25 %", "0:25 left", "octave 2/2 96x72", "score 1.5 > 2.5", "a notice"):
        assert part in shown
    assert "a-dream.png is done in 1:01:40" in shown


def test_a_bar_shows_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := io.StringIO())
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.BarReporter() as bar:
        bar.start("holiday[/b]/a.png", 1, 1)
        bar.frame(progress.Frame(1, 2, 0.5, "[red]", "look"))
    assert "holiday[/b]/a.png" in screen.getvalue() and "look 1/2, [red]" in screen.getvalue()


def test_what_was_done_before_costs_no_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    reporter = progress.LineReporter()
    reporter.start("pictures", 1, 1)
    count = progress.counting(reporter, "picture", 100)
    for now[0], number in ((0.0, 60), (1.0, 61), (10.0, 70), (30.0, 100)):
        count(number)
    assert capsys.readouterr().err.splitlines() == [
        "pictures:  25%, picture 70/100, 0:30 left",
        "pictures: 100%, picture 100/100, 0:00 left",
    ]


def test_a_training_is_reported_in_words_and_in_json(capsys: pytest.CaptureFixture) -> None:
    report = Report(0.25, 90.0, 1234, 12.5, 0.5, {"places": 0.4})
    for kind in (progress.LineReporter, progress.JsonReporter):
        reporter = kind()
        reporter.start("w.safetensors", 1, 1)
        reporter.trained(report, "loss 0.50")
    captured = capsys.readouterr()
    assert captured.err == "w.safetensors:  25%, loss 0.50, 4:30 left\n"
    assert json.loads(captured.out.splitlines()[1]) == {
        "event": "trained",
        **{"share": 0.25, "seconds": 90.0, "samples": 1234, "rate": 12.5, "loss": 0.5, "measures": {"places": 0.4}},
    }


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_a_real_process_that_is_stopped_keeps_the_dream_so_far_and_one_that_is_killed_leaves_nothing(
    tmp_path: Path, signum: signal.Signals
) -> None:
    first, second = photo(tmp_path / "photo.jpg"), photo(tmp_path / "second.jpg")
    command = process("render", first, second, "--progress", "json", "--set", "octaves.steps=5000")
    with Forked(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while json.loads(running.stdout.readline())["event"] != "step":
            pass
        running.send_signal(signum)
        rest, errors = running.communicate(timeout=120)
    if signum == signal.SIGKILL:
        assert left_in(tmp_path) == ["photo.jpg", "second.jpg"]
        return
    assert running.returncode == 130 and errors == ""
    events = [json.loads(line) for line in rest.splitlines()]
    assert events[-1]["event"] == "interrupted"
    assert not [event for event in events if event.get("photo") == str(second)]
    partial = tmp_path / "photo-dream-partial.jpg"
    assert events[-1]["result"] == str(partial)
    assert left_in(tmp_path) == ["photo-dream-partial.jpg", "photo.jpg", "second.jpg"]
    assert (load(partial).width, load(partial).height) == (96, 72)
    assert (load(partial).pixels != load(first).pixels).any()
    assert stamp_of(partial)["recipe"]["octaves"]["steps"] == 5000


@pytest.mark.parametrize("how", ["plain", "none"])
def test_an_interrupted_dream_is_named_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    source = photo(tmp_path / "a.png")
    (tmp_path / "a-dream-partial.png").write_bytes(b"mine")

    def step(self: progress.Reporter, step: Step) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.LineReporter, "step", step)
    monkeypatch.setattr(progress.SilentReporter, "step", step)
    ran = render(source, photo(tmp_path / "b.png"), "--progress", how)
    partial = tmp_path / "a-dream-partial-2.png"
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == f"dreamer: interrupted; the unfinished result was saved as {partial}"
    assert left_in(tmp_path) == ["a-dream-partial-2.png", "a-dream-partial.png", "a.png", "b.png"]


def test_an_interrupted_dream_that_cannot_be_kept_ends_the_batch_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: progress.Reporter, step: Step) -> None:
        raise KeyboardInterrupt

    def write(path: Path, data: bytes, replace: bool) -> Path:
        raise WriteError(f"{path} could not be written: no space is left")

    monkeypatch.setattr(progress.LineReporter, "step", step)
    monkeypatch.setattr("dreamer.cli.batch.write_atomically", write)
    refused(render(photo(tmp_path / "a.png"), photo(tmp_path / "b.png")), "no space is left", code=130)


def test_a_dream_that_finds_no_room_is_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = disk.write_atomically
    for name in ("mine", "spare"):
        (tmp_path / name).mkdir()

    def full(path: Path, data: bytes, replace: bool = True) -> Path:
        if path.parent.name == "mine":
            raise WriteError(f"{path} could not be written: no space is left")
        return write(path, data)

    monkeypatch.setattr("dreamer.cli.batch.write_atomically", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    ran = render(photo(tmp_path / "mine" / "a.png"), "--progress", "none")
    (kept,) = (tmp_path / "spare").glob("*/a-dream.png")
    assert os.name != "posix" or kept.parent.stat().st_mode & 0o777 == 0o700
    refused(ran, f"no space is left; the dream was saved as {kept} instead", code=1)
    assert load(kept).width == 96


def test_a_dream_interrupted_while_it_is_written_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, begun = disk.write_atomically, []

    def once(path: Path, data: bytes, replace: bool) -> Path:
        begun.append(path)
        if len(begun) == 1:
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr("dreamer.cli.batch.write_atomically", once)
    ran = render(photo(tmp_path / "a.png"))
    assert ran.code == 130 and "a-dream-partial.png" in ran.err
    assert left_in(tmp_path) == ["a-dream-partial.png", "a.png"]


def test_an_interrupt_before_anything_is_computed_is_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_plugins() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dreamer.plugins.loading.load_plugins", load_plugins)
    ran = render(photo(tmp_path / "a.png"))
    assert (ran.code, ran.err.strip()) == (130, "dreamer: interrupted")


def test_help_imports_neither_torch_nor_any_plugin() -> None:
    script = (
        "import sys, dreamer.cli\n"
        "for words in (['--help'], ['render', '--help'], ['networks', '--help'], ['--version']):\n"
        "    try: dreamer.cli.main(words)\n"
        "    except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'PIL', 'rich', 'dreamer.plugins.loading'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Usage: dreamer render [OPTIONS] PHOTO..." in ran.stdout


def test_a_command_looks_for_garbage_rarely_and_not_at_its_end_and_a_program_as_before() -> None:
    """Over torch's objects that takes a third of a second while torch is imported and more at the end."""
    script = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000))  # after what is registered later\n"
        "before = gc.get_threshold()\n"
        "import dreamer.api, dreamer.cli\n"
        "print(gc.get_threshold() == before)\n"
        "try: dreamer.cli.main(['--version'])\n"
        "except SystemExit: print(gc.get_threshold() > before, gc.get_freeze_count() == 0)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, _, after, end = ran.stdout.splitlines()
    assert (before, after, end) == ("True", "True True", "True")


def test_the_doctor_has_one_fix_for_each_part_that_ails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")

    def memory() -> None:
        raise OSError("no /proc here")

    monkeypatch.setattr("psutil.virtual_memory", memory)
    ran = dreamer("doctor")
    assert ran.code == 0 and ran.err == ""
    for part in (
        "dreamer",
        "torch",
        "processor",
        "GPU",
        "memory",
        "reverie",
        "weights",
        "pictures",
        "video",
        "plugins",
    ):
        assert any(line[2:].startswith(part) for line in ran.out.splitlines()), part
    lines = ran.out.splitlines()
    ailing = [index for index, line in enumerate(lines) if line.startswith("! ")]
    assert [lines[index].split()[1] for index in ailing] == ["GPU", "memory"]  # absent weights are a wish
    assert all(lines[index + 1].strip().startswith("-> ") for index in ailing)
    assert "install a torch built for your driver" in ran.out and "no /proc here" in ran.out
    assert "dreamer networks fetch" in ran.out


def test_the_doctor_asks_for_no_option_where_a_gpu_is_used_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    (finding,) = [finding for finding in doctor.examine() if finding.what == "GPU"]
    assert finding.found == "Apple, used automatically" and not finding.fix


def test_the_doctor_names_a_broken_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.plugins.loading import Plugin, load_plugins

    broken = Plugin("swirl", "dreamer-swirl", "1.0", problem="No module named 'swirl'")
    monkeypatch.setattr("dreamer.plugins.loading.load_plugins", lambda: (load_plugins()[0], (broken,)))
    (finding,) = [finding for finding in doctor.examine() if finding.what == "swirl"]
    assert finding.found == "broken: No module named 'swirl'" and "dreamer-swirl" in finding.fix


def test_the_doctor_names_a_plugin_of_two_parts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.plugins.loading import Plugin, load_plugins

    parts = tuple(Plugin(name, "dreamer-swirl", "1.0") for name in ("swirl", "looks"))
    monkeypatch.setattr("dreamer.plugins.loading.load_plugins", lambda: (load_plugins()[0], parts))
    assert "dreamer-swirl 1.0" in [finding.found for finding in doctor.examine() if finding.what == "plugins"]
