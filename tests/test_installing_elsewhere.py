"""Commands that start other programs, run in a stranger's folder: nothing that lies there is run."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import dreamer

from dreamer.cli import installing
from dreamer.errors import UsageError
from dreamer.limits import JSON_BYTES
from dreamer.plugins.installed import Entry, remember
from dreamer.plugins.installer import Place, environment, errors, parse_sources, process, requirement, tools
from dreamer.plugins.installer.tools import Pip, Uv, UvTool, choose

MODULES = ("pip", "setuptools", "dreamer", "json", "sitecustomize", "click", "uv")
PROGRAMS = ("uv", "pipx", "git", "pip", "python")


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, whose modules and programs leave a mark when they run; the file that would be the mark."""
    folder, mark = tmp_path / "strangers", tmp_path / "mark"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write('{name}.py ')\n")
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\necho -n '{name} ' >> '{mark}'\n")
        (folder / name).chmod(0o755)
    (folder / "uv.toml").write_text("index-url = 'http://127.0.0.1:1/strangers'\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "strangers", os.environ["PATH"]]))
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path / "config"))
    return mark


@pytest.mark.skipif(find_spec("pip") is None, reason="the environment of the tests has no pip")
@pytest.mark.parametrize("command", ["install", "uninstall", "restore"])
def test_pip_is_the_environments_own(trapped: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """It finds nothing, or nothing to remove, and says so: that it ran at all is what counts."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    place = Place(sys.executable, Path(sys.prefix), "3.11", pip=True)
    monkeypatch.setattr(Place, "here", lambda: place)
    outcomes: list[process.Ran] = []
    really = process.run

    def run(*given: object) -> process.Ran:
        outcomes.append(really(*given))  # type: ignore[arg-type]
        return outcomes[-1]

    monkeypatch.setattr(process, "run", run)
    if command == "uninstall":
        there = installing.installed()
        absent = next(iter(there.values()))
        monkeypatch.setattr(installing, "installed", lambda: {"dream-nowhere": absent})
    remember([Entry("dream-nowhere", "dream-nowhere")])
    dreamer("plugins", command, *(["dream-nowhere"] if command != "restore" else []))
    assert not trapped.exists(), trapped.read_text()
    assert outcomes and "dream-nowhere" in outcomes[0].output and "Traceback" not in outcomes[0].output


def test_dreamer_itself_is_asked_for_its_plugins(trapped: Path) -> None:
    ran = process.run([sys.executable, "-m", "dreamer", "--version"], {"PYTHONPATH": str(Path(__file__).parents[1])})
    assert ran.code == 0 and not trapped.exists(), ran.output


def test_no_program_comes_from_the_current_folder(trapped: Path, tmp_path: Path) -> None:
    assert shutil.which("pipx") is not None  # the trap is real
    assert process.find_program("pipx") is None or not Path(process.find_program("pipx")).is_relative_to(tmp_path)
    own = tmp_path / "bin"
    own.mkdir()
    (own / "pipx").touch(mode=0o755)
    os.environ["PATH"] += os.pathsep + str(own)
    assert process.find_program("pipx") == str(own / "pipx")
    assert not stat.S_IMODE((own / "pipx").stat().st_mode) & 0o002


def test_a_relative_uv_is_none(trapped: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV", "uv")
    place = Place(sys.executable, tmp_path, "3.11", pip=False)
    with pytest.raises(tools.InstallError, match="has no pip, and uv is not on the PATH"):
        choose(place, ["install", "x"], {}, which=lambda name: None)
    monkeypatch.setenv("UV", "/opt/uv")
    assert choose(place, ["install", "x"], {}, which=lambda name: None) == Uv("/opt/uv", sys.executable)


def test_tools_run_in_the_environments_folder(trapped: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stranger's uv.toml names another index, and git obeys the settings of a repository around it."""
    folders: list[Path | None] = []

    def run(command: object, environment: object, on_line: object, folder: Path | None = None) -> process.Ran:
        folders.append(folder)
        return process.Ran(0, "")

    monkeypatch.setattr(process, "run", run)
    place = Place(sys.executable, tmp_path, "3.11", pip=True)
    (tmp_path / "uv-receipt.toml").write_text('[tool]\nrequirements = [{ name = "dreamer-art" }]\n')
    for tool in (Pip(sys.executable), Uv("/opt/uv", sys.executable), UvTool("/opt/uv", place)):
        tool.install([], {}, print)
        tool.uninstall(["dream-x"], print)
    assert len(folders) == 8 and set(folders) == {Path(sys.prefix)}


def test_what_runs_is_told_to_import_nothing_from_there(trapped: Path) -> None:
    code = "import json, os, sys; print(json.dumps([os.environ['PYTHONSAFEPATH'], sys.path[0]]))"
    safe, first = json.loads(process.run([sys.executable, "-c", code]).output)
    assert safe == "1" and first not in ("", os.getcwd())


# What packages say of themselves


def test_what_a_tool_prints_is_cut_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    longest: list[int] = []

    class Watched:
        def finditer(self, text: str) -> list[object]:
            longest.append(max(map(len, text.split("\n"))))
            return []

    monkeypatch.setattr(errors, "_WANTS", Watched())
    errors.explain("1" * 100_000 + "\n" + "x depends on y[" * 10_000 + "\nshort", "planning", {"torch": "2"})
    assert longest == [500]


@pytest.mark.parametrize("version", ["1.0", None])
@pytest.mark.parametrize("said", ["dream-x{} depends on torch<2.1", "dream-x{} depend on torch[all]<2.1, !=2"])
def test_the_words_of_a_refusal_are_still_found(said: str, version: str | None) -> None:
    for between in ("==", " ", ">="):
        found = errors._WANTS.search(f"Because {said.format(f'{between}{version}' if version else '')}, no")
        assert found and (found["who"], found["what"], found["version"]) == ("dream-x", "torch", version)


@pytest.mark.parametrize(
    "spec", ["x; " + "(" * 5000, "x" + "; a" * 5000, "https://a/b-1-" + "p." * 3000 + "p-p-p.whl?", "x[" + "a," * 5000]
)
def test_no_spec_is_parsed_without_end(spec: str) -> None:
    with pytest.raises(UsageError, match="expected a name on the package index"):
        parse_sources([spec])


def test_the_tags_of_a_wheel_do_not_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(name: str) -> None:
        assert len(name) < 256
        raise ValueError

    monkeypatch.setattr(requirement, "parse_wheel_filename", parse)
    assert requirement.of_wheel("https://a/b-1-" + "-".join(["p." * 3000 + "p"] * 3) + ".whl") == ("", "")


ORIGINS = {
    "deep": "[" * 100_000,
    "deep tables": '{"url":' * 100_000,
    "large": '{"url": "' + "x" * JSON_BYTES + '"}',
    "no table": "[1]",
    "no url": '{"url": 3}',
    "no folder": '{"url": "file:///x", "dir_info": 3}',
    "no commit": '{"url": "https://x", "vcs_info": {"vcs": "git"}}',
    "vcs a list": '{"url": "https://x", "vcs_info": []}',
    "half a letter": '{"url": "\\ud800"}',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("kind", ORIGINS)
def test_a_damaged_origin_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    about = tmp_path / "soft_looks-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: soft-looks\nVersion: 1\n")
    text = ORIGINS[kind]
    (about / "direct_url.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert environment.installed()["soft-looks"].origin is None
