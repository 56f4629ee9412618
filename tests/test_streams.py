"""Standard streams that are closed, full or narrow cost nothing but the telling, and no name reaches a terminal raw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import ENVIRONMENT, dreamer, left_in, photo, process, refused, render
from forked import run

from dreamer.cli import streams
from dreamer.cli.streams import echo, guard_streams, harmless

HOSTILE = "a\x1b[31m\x9b2J\x9d0;x\x07\u202egnp\u2066\udc80[/b][link=x] :smile:.png"
POSIX = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")


CLOSED = """
import os, runpy, sys
for number in range(3):
    os.close(number)
sys.stdin = sys.stdout = sys.stderr = sys.__stdin__ = sys.__stdout__ = sys.__stderr__ = None
try:
    runpy.run_module("dreamer", run_name="__main__", alter_sys=True)
finally:  # else the next file that is opened would get a stream's number, and what is printed
    assert {os.readlink(f"/proc/self/fd/{number}") for number in range(3)} == {"/dev/null"}
"""
"""What a Python is whose streams were closed when it was started."""


class Full:
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_nothing_that_a_terminal_obeys_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"{HOSTILE}\nsecond line", err=True)
    first, second, _ = capsys.readouterr().err.split("\n")
    assert first == harmless(HOSTILE) == "a [31m 2J 0;x  gnp  [/b][link=x] :smile:.png" and second == "second line"


@pytest.mark.parametrize("how", ["plain", "bar", "json"])
def test_a_name_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Brackets are no markup, colons no emoji, and no escape sequence passes, of a good photo and of a bad one."""
    monkeypatch.chdir(tmp_path)
    good = photo(tmp_path / "IMG [edited] [red] :smile: \x1b[31m.png")
    (tmp_path / "bad\x1b[2J[b].png").write_bytes(b"no picture")
    monkeypatch.setattr("dreamer.cli.progress.is_terminal", lambda stream: how == "bar")
    ran = render(good.name, "bad\x1b[2J[b].png", "--progress", "json" if how == "json" else "auto")
    assert ran.code == 1 and "\x1b[31m" not in ran.err and "\x1b[2J" not in ran.err and "\x1b" not in ran.out
    if how == "json":
        assert ran.events[0]["photo"] == good.name
    else:
        assert "IMG [edited] [red] :smile:  [31m-dream.png is done" in ran.err and "bad [2J[b].png" in ran.err


def test_a_full_disk_under_stderr_silences_the_telling_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    with pytest.raises(OSError):
        print("anything", file=sys.stderr, flush=True)
    guard_streams()
    echo("a notice", err=True)
    print("anything", file=sys.stderr, flush=True)
    echo("a result")
    assert capsys.readouterr().out == "a result\n"


@POSIX
def test_a_dream_is_made_whoever_listens(tmp_path: Path) -> None:
    """With every stream closed, and with full ones, in one process each."""
    words = process("render", "a.png", "--set", "octaves.steps=1", "--threads", "1", "--force")
    photo(tmp_path / "a.png")
    assert run([sys.executable, "-c", CLOSED, *words[3:]], cwd=tmp_path, env=ENVIRONMENT).returncode == 0
    assert left_in(tmp_path) == ["a-dream.png", "a.png"]
    (tmp_path / "a-dream.png").unlink()
    with open("/dev/full", "w") as full:
        ran = run([*words, "--progress", "json"], cwd=tmp_path, env=ENVIRONMENT, stdout=full, stderr=full)
    assert ran.returncode == 0 and left_in(tmp_path) == ["a-dream.png", "a.png"]


@POSIX
def test_a_result_that_cannot_be_told_is_an_error(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = run(process("ingredients", "list"), env=ENVIRONMENT, stdout=full)
    assert ran.returncode == 1
    assert ran.stderr == "dreamer: standard output cannot be written: No space left on device\n"


def test_letters_that_an_encoding_lacks_are_told_by_question_marks() -> None:
    code = "from dreamer.cli.streams import *; guard_streams(); echo('a \\u2192 b \\udc80')"
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "cp1252"}, capture_output=True, check=True
    )
    assert ran.stdout.decode().split() == ["a", "?", "b"]


def test_a_name_with_a_dash_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-holiday.png", "--force.png", "-x.png"):
        photo(tmp_path / name)
        refused(dreamer("render", name), f"{name}: a name that begins with a dash", f"write ./{name}")
    assert dreamer("render", "--set", "octaves.steps=1", "--", "-holiday.png").code == 0
    assert "-holiday-dream.png" in left_in(tmp_path)


def test_a_reader_that_leaves_early_costs_no_dream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(text: str, **how: object) -> None:
        if not how.get("err"):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(streams.click, "echo", gone)
    monkeypatch.setattr(streams, "_abandon", lambda stream: None)
    assert render(photo(tmp_path / "a.png"), "--progress", "json").code == 0
    assert left_in(tmp_path) == ["a-dream.png", "a.png"]


def test_events_hold_every_name(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"caf\xe9.png"))
    ran = render(source, "--progress", "json")
    assert ran.code == 0 and json.loads(ran.out.splitlines()[0])["photo"] == str(source)


def test_every_command_prints_through_one_door() -> None:
    folder = Path(streams.__file__).parent
    raw = [path.name for path in folder.glob("*.py") if "click.echo(" in path.read_text(encoding="utf-8")]
    assert raw == ["streams.py"]
