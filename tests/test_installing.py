"""Installing plugins: the right tool, dreamer's own packages held, nothing noted down that is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from command import ENVIRONMENT, Ran, dreamer, left_in, refused

from dreamer.cli import installing
from dreamer.cli.installing import install
from dreamer.errors import DreamerError, UsageError
from dreamer.plugins import installed as ledger
from dreamer.plugins.installed import Entry, entries, forget, ledger_path, remember
from dreamer.plugins.installer import (
    Change,
    Installed,
    InstallError,
    Place,
    Source,
    choose,
    core_changes,
    held_versions,
    parse_sources,
    process,
    tools,
)
from dreamer.plugins.installer.errors import explain
from dreamer.plugins.installer.plan import from_report, from_uv
from dreamer.plugins.installer.uv_receipt import Receipt

CODE, DATA = frozenset({"dreamer"}), frozenset({"dreamer.presets"})
CORE = {
    "dreamer-art": Installed("dreamer-art", "0.1.0"),
    "torch": Installed("torch", "2.14.1+cpu"),
    "numpy": Installed("numpy", "2.4.6"),
    "click": Installed("click", "8.5.1"),
}
HELD = {"dreamer-art": "0.1.0", "torch": "2.14.1+cpu", "numpy": "2.4.6"}

PIP_CONFLICT = """\
ERROR: Cannot install dream-x==1.0 because these package versions have conflicting dependencies.

The conflict is caused by:
    dreamer-art 0.1.0 depends on torch>=2.6
    dream-x 1.0 depends on torch<2.1
    The user requested (constraint) torch==2.14.1+cpu
ERROR: ResolutionImpossible: for help visit the manual
"""
UV_CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because all versions of dream-x depend on torch<2.1 and torch==2.14.1+cpu, we can conclude that all versions of
         dream-x cannot be used.
"""


class World:
    """An environment without a single real program: what is installed, and what each program answers."""

    def __init__(self, folder: Path) -> None:
        self.there = dict(CORE)
        self.coming: dict[str, Installed] = {}
        self.broken: dict[str, str] = {}
        self.ran: list[tuple[list[str], dict[str, str | None], str]] = []
        self.fails: Callable[[list[str]], process.Ran | BaseException | None] = lambda command: None
        self.place = Place("/env/bin/python", folder / "env", "3.11", pip=True)
        self.place.prefix.mkdir()

    def offer(self, name: str, version: str = "1.0", groups: frozenset[str] = CODE, **origin: object) -> None:
        """The index, or a folder, has this."""
        self.coming[name] = Installed(name, version, groups, origin or None)

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str | None] | None = None,
        on_line: Callable[[str], None] | None = None,
        folder: Path | None = None,
    ) -> process.Ran:
        words, variables = list(command), dict(environment or {})
        flags = [words[i + 1] for i, word in enumerate(words) if word in ("--constraint", "--constraints")]
        named = [url2pathname(urlsplit(word).path) for word in (variables.get("PIP_CONSTRAINT") or "").split()]
        held = "".join(Path(file).read_text(encoding="utf-8") for file in (*flags, *named))
        self.ran.append((words, variables, held))
        failure = self.fails(words)
        if isinstance(failure, BaseException):
            raise failure
        if failure:
            return failure
        if words[-2:] == ["plugins", "list"]:
            rows = [(name, self.broken.get(name, "ok")) for name, found in self.there.items() if found.groups]
            return process.Ran(0, "".join(f"{name}\t1.0\tprior tilt\t{status}\n" for name, status in rows))
        if "--dry-run" in words:
            if "--report" in words:
                Path(words[words.index("--report") + 1]).write_text(json.dumps(self.report()), encoding="utf-8")
            return process.Ran(0, "".join(f" + {found.name}=={found.version}\n" for found in self.coming.values()))
        if {"uninstall", "uninject"} & set(words):
            self.there = {name: found for name, found in self.there.items() if name not in words}
        else:
            self.there |= self.coming
        return process.Ran(0, "done\n")

    def report(self) -> dict[str, object]:
        """In pip's form."""
        return {
            "version": "1",
            "install": [
                {
                    "metadata": {"name": found.name, "version": found.version},
                    "is_direct": found.origin is not None,
                    "download_info": {"url": (found.origin or {}).get("url", "https://index/x.whl")},
                }
                for found in self.coming.values()
            ],
        }

    def commands(self, *words: str) -> list[list[str]]:
        """Those that ran and hold all the words."""
        return [command for command, _, _ in self.ran if set(words) <= set(command)]


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(process, "run", made.run)
    monkeypatch.setattr(Place, "here", lambda: made.place)
    for module in (installing, tools):
        monkeypatch.setattr(module, "installed", lambda: dict(made.there))
    return made


def which(*names: str) -> Callable[[str], str | None]:
    return lambda name: f"/bin/{name}" if name in names else None


def wheel(folder: Path, name: str, code: str, *, version: str = "1.0", requires: str = "dreamer-art") -> Path:
    """A plugin's wheel, made by hand."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {requires}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[dreamer]\n{name} = {module}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for inside, text in files.items():
            file.writestr(inside, text)
    return path


# What is asked for


def test_sources_are_written_as_every_tool_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pyproject.toml").write_text('[project]\nname = "Dream_Own"', encoding="utf-8")
    made = wheel(tmp_path, "dream-x", "")
    asked = {
        "dream-x": ("dream-x", "dream-x"),
        "Dream_X[fast]>=1,<2": ("Dream_X[fast]>=1,<2", "Dream_X"),
        "./own": (str(tmp_path / "own"), "dream-own"),
        "own/../own/": (str(tmp_path / "own"), "dream-own"),
        made.name: (str(made), "dream-x"),
        "git+https://a.org/b@v1": ("git+https://a.org/b@v1", ""),
        "https://a.org/b.git@v1": ("git+https://a.org/b.git@v1", ""),
        "https://github.com/a/b": ("git+https://github.com/a/b", ""),
        "git@a.org:b/c.git": ("git+ssh://git@a.org/b/c.git", ""),
        "dream-x @ git+https://a.org/b": ("dream-x @ git+https://a.org/b", "dream-x"),
        "https://a.org/dream_x-1-py3-none-any.whl": ("https://a.org/dream_x-1-py3-none-any.whl", "dream-x"),
        "https://a.org/dream_x-1%2Bcpu-py3-none-any.whl": ("https://a.org/dream_x-1%2Bcpu-py3-none-any.whl", "dream-x"),
        "https://[a.org/dream_x-1-py3-none-any.whl": ("https://[a.org/dream_x-1-py3-none-any.whl", ""),
        "dream-x; python_version > '3'": ("dream-x; python_version > '3'", "dream-x"),
    }
    for word, (spec, name) in asked.items():
        assert parse_sources([word]) == (Source(spec, name),), word


def test_every_wrong_source_is_told_of_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare").mkdir()
    (tmp_path / "text.txt").write_text("no plugin", encoding="utf-8")
    (tmp_path / "cut-1.0-py3-none-any.whl").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "mute-1.0-py3-none-any.whl", "w") as file:
        file.writestr("a.py", "")
    with zipfile.ZipFile(tmp_path / "torn-1.0-py3-none-any.whl", "w") as file:
        file.writestr("ä.py", "")
    torn = tmp_path / "torn-1.0-py3-none-any.whl"
    torn.write_bytes(torn.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with zipfile.ZipFile(tmp_path / "renamed.whl", "w"):
        pass
    sentences = {
        "./none": "./none: there is no such file or folder",
        "./bare": "./bare: this folder is not a plugin: it has no pyproject.toml; name another",
        "./text.txt": "./text.txt: expected a name on the package index, a wheel",
        "cut-1.0-py3-none-any.whl": "this wheel is broken (File is not a zip file); build or download it again",
        "mute-1.0-py3-none-any.whl": "this wheel is broken (its METADATA is missing)",
        "torn-1.0-py3-none-any.whl": "this wheel is broken ('utf-8' codec can't decode",
        "~nosuchuser/x": "~nosuchuser/x: there is no such file or folder",
        "renamed.whl": "renamed.whl: not a wheel's name, which looks like name-version-",
        "--index-url=x": "'--index-url=x': expected a name",
        "two words": "'two words': expected a name",
        "ftp://a.org/b": "'ftp://a.org/b': expected a name",
        "dream-x>=new": "'dream-x>=new': expected a name",
        "dreäm-x": "'dreäm-x': expected a name",
    }
    ran = command("install", "--", *sentences)
    refused(ran, *sentences.values())
    assert len(ran.err.splitlines()) == len(sentences) and not world.ran


def test_a_name_is_found_by_where_it_came_from() -> None:
    there = {
        "dream-own": Installed("dream-own", "1", CODE, {"url": "file:///home/me/own"}),
        "dream-git": Installed("dream-git", "1", CODE, {"url": "https://a.org/b", "vcs_info": {"vcs": "git"}}),
    }
    assert Source("/home/me/own").named(there) == "dream-own"
    assert Source("git+https://a.org/b@v1#subdirectory=c/d").named(there) == "dream-git"
    assert Source("git+https://a.org/c").named(there) == ""


# What would change


def test_held_are_dreamers_own_at_their_versions() -> None:
    assert held_versions(CORE) == HELD
    assert held_versions(CORE, allow_core_change=True) == {"dreamer-art": "0.1.0"}


def test_pips_report_becomes_a_plan() -> None:
    report = {
        "install": [
            {"metadata": {"name": "Numpy", "version": "2.5"}, "download_info": {"url": "https://i/n.whl"}},
            {"metadata": {"name": "dream-x", "version": "1"}, "is_direct": True, "download_info": {"url": "file:///x"}},
        ]
    }
    plan = from_report(report, CORE)
    assert plan == (Change("dream-x", "1", "", "file:///x"), Change("Numpy", "2.5", "2.4.6"))
    assert core_changes(plan, HELD) == (
        "Numpy 2.5 would be installed, but numpy 2.4.6 is installed and dreamer relies on it: nothing was changed; "
        "use --allow-core-change to replace it",
    )
    with pytest.raises(ValueError, match="metadata"):
        from_report({"install": [{}]}, CORE)


def test_uvs_lines_become_a_plan() -> None:
    output = """\
Resolved 3 packages in 7ms
Would install 3 packages
 - click==8.5.1
 + click==8.6
 ~ dream-own==0.3 (from file:///own)
 + dream-git @ git+https://a.org/b@1234
 + dream-w @ file:///w/dream_w-1.2%2Bcpu-py3-none-any.whl
"""
    assert from_uv(output, CORE) == (
        Change("click", "8.6", "8.5.1"),
        Change("dream-git", "", "", "git+https://a.org/b@1234"),
        Change("dream-own", "0.3", "", "file:///own"),
        Change("dream-w", "1.2+cpu", "", "file:///w/dream_w-1.2%2Bcpu-py3-none-any.whl"),
    )


OUTPUTS = {
    PIP_CONFLICT: ("dream-x 1.0 needs torch<2.1, but torch 2.14.1+cpu is installed", True),
    UV_CONFLICT: ("dream-x needs torch<2.1, but torch 2.14.1+cpu is installed", True),
    "    dream-x 1.0 depends on dreamer-art>=9\n": ("but dreamer-art 0.1.0 is installed; update dreamer first", True),
    "    dream-x 1.0 depends on click<8\nERROR: ResolutionImpossible": ("conflict with each other", True),
    "ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)": (
        "the package index has no nosuch that fits",
        True,
    ),
    "ERROR: Could not find a version that satisfies the requirement a>=9 (from dream-x) (from versions: 1)": (
        "has no a>=9 (needed by dream-x) that fits",
        True,
    ),
    "cause: Because nosuch was not found in the package registry and you require it": ("has no nosuch that", True),
    "WARNING: Retrying: NewConnectionError\nERROR: Could not find a version that satisfies the requirement a": (
        "check your internet connection",
        False,
    ),
    "error: error sending request for url": ("check your internet connection", False),
    "fatal: Could not read from remote repository. (git fetch)": ("the git address cannot be fetched", False),
    "OSError: [Errno 28] No space left on device": ("no space is left", False),
    "ERROR: [Errno 13] Permission denied: '/usr'": ("no permission to change", False),
    "error: something else": ("planning failed; the lines above say why", False),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_tools_failure_is_a_sentence(output: str) -> None:
    sentence, hopeless = OUTPUTS[output]
    error = explain(output, "planning", HELD)
    assert sentence in str(error) and error.refused is hopeless
    assert "needs" in str(error) or error.said


# Which tool


def receipt(world: World, text: str) -> None:
    (world.place.prefix / "uv-receipt.toml").write_text(text, encoding="utf-8")


def test_pip_runs_as_a_process_with_constraints(world: World) -> None:
    tool = choose(world.place, ["install", "dream-x"], HELD, which=which("uv"))
    tool.plan([Source("dream-x")], HELD)
    tool.install([Source("dream-x")], HELD, print)
    (plan, _, constraints), (command, _, again) = world.ran
    assert plan[:4] == ["/env/bin/python", "-m", "pip", "install"] and "--dry-run" in plan
    assert command[:4] == plan[:4] and command[-1] == "dream-x" and "--dry-run" not in command
    assert constraints == again == "dreamer-art==0.1.0\ntorch==2.14.1+cpu\nnumpy==2.4.6\n"


def test_uv_is_used_where_there_is_no_pip(world: World) -> None:
    world.place = Place("/env/bin/python", world.place.prefix, "3.11", pip=False)
    tool = choose(world.place, ["install"], HELD, which=which("uv"))
    tool.plan([Source("dream-x")], HELD)
    tool.uninstall(["dream-x"], print)
    (plan, _, constraints), (command, _, _) = world.ran
    assert plan[:5] == ["/bin/uv", "pip", "install", "--python", "/env/bin/python"] and "torch==2" in constraints
    assert command == ["/bin/uv", "pip", "uninstall", "--python", "/env/bin/python", "dream-x"]
    with pytest.raises(InstallError, match="has no pip, and uv is not on the PATH"):
        choose(world.place, ["install"], HELD, which=which())


def test_uv_tool_is_rebuilt_with_all_that_it_had(world: World) -> None:
    receipt(
        world,
        """
        [tool]
        requirements = [
            { name = "dreamer-art", extras = ["heif"], git = "https://a.org/d?rev=main&subdirectory=s" },
            { name = "dream-old", specifier = ">=1", marker = "python_full_version >= '3'" },
            { name = "dream-own", editable = "/own" },
            { name = "dream-x", specifier = "==0.1" },
        ]
        constraints = [{ name = "rich", specifier = "<16" }]
        entrypoints = [{ name = "dreamer", install-path = "/home/me/bin/dreamer", from = "dreamer-art" }]
        [tool.options]
        index = [{ url = "https://i.org", default = true }, { name = "x", url = "https://x.org" }]
        find-links = ["file:///w", "file:///w"]
        """,
    )
    world.there["dream-stray"] = Installed("dream-stray", "3", DATA)
    tool = choose(world.place, ["install"], HELD, which=which("uv"))
    tool.install([Source("dream-x>=1", "dream-x")], HELD, print)
    (first, environment, constraints), (second, _, own) = world.ran
    assert first[:4] == ["/bin/uv", "tool", "install", "dreamer-art[heif] @ git+https://a.org/d@main#subdirectory=s"]
    pairs = list(pairwise(first))
    for pair in (
        ("--with", "dream-old>=1 ; python_full_version >= '3'"),
        ("--with-editable", "/own"),
        ("--with", "dream-stray==3"),
        ("--with", "dream-x>=1"),
        ("--default-index", "https://i.org"),
        ("--index", "x=https://x.org"),
        ("--python", "3.11"),
    ):
        assert pair in pairs, pair
    assert "dream-x==0.1" not in first and first.count("--find-links") == 1
    assert environment == {"UV_TOOL_DIR": str(world.place.prefix.parent), "UV_TOOL_BIN_DIR": str(Path("/home/me/bin"))}
    # uv would hold for ever what stands in the receipt: only a person's own constraints stay there
    assert "torch==2.14.1+cpu" in constraints and own == "rich<16" and second == first[:-2]


def test_uv_tool_forgets_what_is_uninstalled(world: World) -> None:
    receipt(
        world,
        """
        [tool]
        requirements = [{ name = "dreamer-art", editable = "/d" }, { name = "dream-x" }, { name = "dream-y" }]
        """,
    )
    choose(world.place, ["uninstall"], {}, which=which("uv")).uninstall(["dream-x"], print)
    command = world.ran[-1][0]
    assert command[:5] == ["/bin/uv", "tool", "install", "--editable", "/d"]
    assert "dream-y" in command and "dream-x" not in command


def test_a_receipt_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    for text in ("[tool", "", "[tool]\nrequirements = []"):
        (tmp_path / "uv-receipt.toml").write_text(text, encoding="utf-8")
        with pytest.raises(InstallError, match=r"uv-receipt\.toml: uv's receipt of this environment cannot be read"):
            Receipt.read(tmp_path / "uv-receipt.toml")


def test_pipx_injects_what_it_is_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = world.place.prefix.parent / "venvs" / "dreamer-art"
    prefix.mkdir(parents=True)
    (prefix / "pipx_metadata.json").write_text('{"injected_packages": {"dream-x": {}}}', encoding="utf-8")
    (blank := prefix / "with blank").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(blank))  # pip takes a blank for the end of a name
    place = Place("/env/bin/python", prefix, "3.11", pip=True)
    with pytest.raises(
        InstallError, match=r"pipx is not on the PATH\. To do it yourself: pipx inject dreamer-art dream-x"
    ):
        choose(place, ["install", "dream-x"], HELD, which=which("uv"))
    tool = choose(place, ["install"], HELD, which=which("pipx"))
    tool.plan([Source("dream-x")], HELD)
    tool.install([Source("dream-y", "dream-y")], HELD, print)
    (plan, _, _), (command, environment, constraints) = world.ran
    assert plan[1:4] == ["-m", "pip", "install"] and command == ["/bin/pipx", "inject", "dreamer-art", "dream-y"]
    assert "torch==2.14.1+cpu" in constraints and environment["UV_CONSTRAINT"] == environment["PIP_CONSTRAINT"]
    assert environment["PIPX_HOME"] == str(world.place.prefix.parent)
    tool.install([Source("dream-x>=2", "dream-x")], HELD, print)  # it leaves alone what it injected before
    assert [command[1:] for command, _, _ in world.ran[-2:]] == [
        ["uninject", "--leave-deps", "dreamer-art", "dream-x"],
        ["inject", "dreamer-art", "dream-x>=2"],
    ]


@pytest.mark.parametrize(("keeper", "flag"), [("the system", "--break-system-packages"), ("conda", "")])
def test_who_looks_after_a_python_is_not_crossed_unasked(world: World, keeper: str, flag: str) -> None:
    world.place = Place("/usr/bin/python3", world.place.prefix, "3.11", pip=True, keeper=keeper)
    world.offer("dream-x")
    ran = command("install", "dream-x")
    refused(ran, f"{keeper} manages this Python", "--anyway", "/usr/bin/python3 -m pip install dream-x", flag)
    assert "torch==2.14.1+cpu" in ran.err and not world.ran
    assert command("install", "dream-x", "--anyway").code == 0
    assert (flag in world.commands("install")[-1]) is bool(flag)


# The commands


def command(*words: str | Path) -> Ran:
    return dreamer("plugins", *words)


def test_install_shows_the_plan_and_notes_down(world: World) -> None:
    world.offer("Dream_X", "1.2")
    world.coming["dream-x"] = world.coming.pop("Dream_X")
    world.offer("click", "9.0", frozenset())
    ran = command("install", "Dream_X>=1")
    assert ran.code == 0, ran.err
    assert "Dream_X\t1.2\t-\tthe index" in ran.out and "click\t9.0\t8.5.1\tthe index" in ran.out
    assert "dream-x 1.2 works" in ran.out
    assert entries() == (Entry("dream-x", "Dream_X>=1", "1.2"),)
    assert world.ran[-1][0] == [sys.executable, "-P", "-m", "dreamer", "plugins", "list"]
    assert world.ran[-1][1] == {"DREAMER_PLUGINS": None}  # whatever is chosen here, the new one shall be tried


def test_what_is_there_already_keeps_its_origin(world: World) -> None:
    remember([Entry("dream-x", "/own", "1.0")])
    world.there["dream-x"] = Installed("dream-x", "1.0", CODE)
    ran = command("install", "dream-x")
    assert ran.code == 0 and "everything is already installed" in ran.out
    assert entries() == (Entry("dream-x", "/own", "1.0"),)


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_where_somebody_can_answer(world: World, monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    asked = []
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(installing.click, "confirm", lambda *args, **rest: asked.append(1) or answer)
    world.offer("dream-x")
    assert install.main(["dream-x"], standalone_mode=False) == 0
    assert asked and bool(entries()) is answer and len(world.commands("pip")) == 1 + answer
    assert install.main(["dream-x", "--yes"], standalone_mode=False) == 0 and len(asked) == 1 and entries()


def test_a_broken_plugin_is_told_of_with_its_reason(world: World) -> None:
    world.offer("dream-x")
    world.offer("plain", groups=frozenset())
    world.broken["dream-x"] = "broken: No module named 'nothing'"
    ran = command("install", "dream-x", "plain")
    refused(
        ran,
        "dream-x 1.0 is broken: No module named 'nothing'; `dreamer plugins uninstall dream-x` undoes this",
        "plain 1.0 is installed, but is not a plugin for dreamer",
        code=1,
    )
    assert [entry.name for entry in entries()] == ["dream-x", "plain"]


def test_a_pack_of_presets_is_a_plugin(world: World) -> None:
    world.offer("dream-looks", groups=DATA)
    assert "dream-looks 1.0 works" in command("install", "dream-looks").out
    assert command("uninstall", "Dream.Looks").code == 0
    assert "dream-looks" not in world.there and entries() == ()


FAILURES = {
    "refused": (process.Ran(1, PIP_CONFLICT), 2, "dream-x 1.0 needs torch<2.1, but torch 2.14.1+cpu is installed"),
    "unknown": (
        process.Ran(1, "ERROR: No matching distribution: satisfies the requirement dream-x"),
        2,
        "check the spelling",
    ),
    "offline": (process.Ran(1, "ERROR: Network is unreachable\n"), 1, "| ERROR: Network is unreachable"),
    "absent": (FileNotFoundError(2, "No such file"), 1, "/env/bin/python cannot be started"),
    "interrupted": (KeyboardInterrupt(), 130, "interrupted; "),
}


@pytest.mark.parametrize("when", ["planning", "installing"])
@pytest.mark.parametrize("kind", FAILURES)
def test_nothing_is_noted_down_when_it_fails(world: World, config: Path, kind: str, when: str) -> None:
    failure, code, sentence = FAILURES[kind]
    world.offer("dream-x")
    world.fails = lambda command: failure if ("--dry-run" in command) is (when == "planning") else None
    refused(command("install", "dream-x"), sentence, code=code)
    assert not config.exists() and (len(world.ran) == 1) is (when == "planning")


def test_a_core_package_in_the_plan_is_refused_unless_permitted(world: World) -> None:
    world.offer("dream-x")
    world.offer("torch", "3.0", frozenset())
    refused(command("install", "dream-x"), "torch 3.0 would be installed, but torch 2.14.1+cpu is installed")
    assert world.there == CORE and entries() == ()
    assert command("install", "dream-x", "--allow-core-change").code == 0
    assert world.ran[-2][2] == "dreamer-art==0.1.0\n" and world.there["torch"].version == "3.0"


def test_dreamer_itself_is_never_replaced(world: World) -> None:
    world.offer("dreamer-art", "9", frozenset(), url="file:///d")
    ran = command("install", "dreamer-art", "--allow-core-change")
    refused(ran, "file:///d is dreamer itself, not a plugin")
    assert world.there == CORE


def test_what_a_tool_claims_but_is_not_there_is_not_recorded(world: World) -> None:
    refused(command("install", "dream-x"), "these are still not installed: dream-x; nothing was recorded", code=1)
    assert entries() == ()


def test_dreamer_failing_afterwards_is_told_of(world: World) -> None:
    world.offer("dream-x")
    world.fails = lambda command: process.Ran(1, "Traceback\nImportError: torch") if command[-1] == "list" else None
    refused(
        command("install", "dream-x"),
        "dreamer itself no longer works (ImportError: torch); `dreamer plugins uninstall dream-x` undoes this",
        code=1,
    )


def test_uninstall_takes_plugins_alone_and_forgets_them(world: World) -> None:
    world.there["dream-x"] = Installed("dream-x", "1", CODE)
    remember([Entry("dream-x", "dream-x"), Entry("dream-away", "dream-away"), Entry("torch", "torch")])
    ran = command("uninstall", "torch", "click", "dream-z")
    refused(
        ran, "torch is part of dreamer", "click is installed, but is not a plugin", "no plugin is called 'dream-z'; did"
    )
    assert not world.ran
    ran = command("uninstall", "Dream_X", "dream-away")
    assert "dream-x is uninstalled" in ran.out and "dream-away was not installed" in ran.out
    assert (
        entries() == (Entry("torch", "torch"),)
        and world.commands("uninstall") == [world.ran[0][0]]
        and world.ran[0][0][-1] == "dream-x"
    )


def test_what_cannot_be_uninstalled_is_remembered(world: World) -> None:
    world.there["dream-x"] = Installed("dream-x", "1", CODE)
    remember([Entry("dream-x", "dream-x")])
    world.fails = lambda command: process.Ran(0, "Not uninstalling dream-x, outside environment")
    refused(command("uninstall", "dream-x"), "dream-x: not uninstalled", code=1)
    world.fails = lambda command: KeyboardInterrupt()
    refused(command("uninstall", "dream-x"), "interrupted; run the same command again to continue", code=130)
    assert [entry.name for entry in entries()] == ["dream-x"]


def test_restore_brings_back_what_is_absent(world: World) -> None:
    assert "no plugins are recorded" in command("restore").out
    world.there["dream-a"] = Installed("dream-a", "1", CODE)
    remember([Entry("dream-a", "dream-a"), Entry("dream-x", "git+https://a.org/x"), Entry("dream-y", "dream-y>=1")])
    world.offer("dream-x")
    world.offer("dream-y")
    ran = command("restore")
    assert ran.code == 0 and "dream-x 1.0 works" in ran.out, ran.err
    assert world.commands("install")[-1][-2:] == ["git+https://a.org/x", "dream-y>=1"]
    assert {entry.name: entry.spec for entry in entries()}["dream-x"] == "git+https://a.org/x"
    assert "none is missing" in command("restore").out


def test_restore_one_that_is_lost_takes_no_other_with_it(world: World) -> None:
    noted = [Entry("dream-gone", "dream-gone"), Entry("dream-own", "/no/such/folder"), Entry("dream-x", "dream-x")]
    remember(noted)
    world.offer("dream-x")
    lost = process.Ran(1, "ERROR: Could not find a version that satisfies the requirement dream-gone (from ...)")
    world.fails = lambda command: lost if "dream-gone" in command else None
    ran = command("restore")
    assert ran.code == 1 and "dream-x 1.0 works" in ran.out
    assert "dream-gone cannot be restored: the package index has no dream-gone" in ran.err
    assert "dream-own cannot be restored: /no/such/folder: there is no such file or folder" in ran.err
    assert [entry.name for entry in entries()] == ["dream-gone", "dream-own", "dream-x"]


# The ledger


def test_a_ledger_gives_back_what_was_remembered(config: Path) -> None:
    assert entries() == () and not config.exists()
    remember([Entry("b", 'C:\\own "plugins"\\b', "1"), Entry("a", "a>=1")])
    remember([Entry("a", "a>=2", "2")])
    assert entries() == (Entry("a", "a>=2", "2"), Entry("b", 'C:\\own "plugins"\\b', "1"))
    forget(["a", "never-there"])
    assert [entry.name for entry in entries()] == ["b"] and left_in(config) == [".plugins.toml.lock", "plugins.toml"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_ledger_is_written_whole_or_not_at_all(config: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    remember([Entry("a", "a")])

    def full(*where: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(DreamerError, match=r"plugins.toml could not be written: no space is left"):
        remember([Entry("b", "b")])
    assert entries() == (Entry("a", "a"),) and left_in(config) == [".plugins.toml.lock", "plugins.toml"]


def test_a_ledger_is_changed_by_one_at_a_time(config: Path) -> None:
    """Four programs note down ten plugins each, and none is lost."""
    code = (
        "import sys\n"
        "from dreamer.plugins.installed import Entry, forget, remember\n"
        "for number in range(10):\n"
        "    remember([Entry(f'{sys.argv[1]}-{number}', 'x'), Entry(f'{sys.argv[1]}-gone', 'x')])\n"
        "    forget([f'{sys.argv[1]}-gone'])\n"
    )
    line = [sys.executable, "-c", code]
    running = [subprocess.Popen([*line, name], env={**ENVIRONMENT, "DREAMER_CONFIG": str(config)}) for name in "abcd"]
    assert [process.wait() for process in running] == [0] * 4
    assert {entry.name for entry in entries()} == {f"{name}-{number}" for name in "abcd" for number in range(10)}


def test_a_ledgers_lock_that_is_a_link_is_not_written_through(config: Path, tmp_path: Path) -> None:
    config.mkdir()
    other = tmp_path / "letter.txt"
    other.write_text("mine")
    (config / ".plugins.toml.lock").symlink_to(other)
    with pytest.raises(DreamerError, match="is a link, and dreamer writes through none; remove it"):
        remember([Entry("a", "a")])
    assert other.read_text() == "mine" and entries() == ()


def test_a_ledger_that_is_being_changed_is_waited_for(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(ledger, "_PATIENCE", 0.1)
    remember([Entry("a", "a")])
    with (
        FileLock(config / ".plugins.toml.lock"),
        pytest.raises(DreamerError, match="is being changed by another dreamer"),
    ):
        remember([Entry("b", "b")])
    assert [entry.name for entry in entries()] == ["a"]


LEDGERS = {
    "x = " + "[" * 10000: "cannot be read",
    "x" + ".x" * 40 + " = 1": "more than 32 dots",
    "plugins = [3]": "needs a name and a spec",
    "plugins = ['name']": "needs a name and a spec",
    "plugins = {name = 'a', spec = 'a'}": "needs a name and a spec",
    "schema = 9": "written by a newer dreamer",
    "plugins = [": "cannot be read",
    "[[plugins]]\nname = 'a'": "needs a name and a spec",
    "[[plugins]]\nname = 'a'\nspec = 3": "must be text",
    "plugins = 3": "needs a name and a spec",
}


@pytest.mark.parametrize("text", LEDGERS)
def test_a_wrong_ledger_is_told_of_before_anything_runs(config: Path, world: World, text: str) -> None:
    config.mkdir()
    ledger_path().write_text(text, encoding="utf-8")
    for words in (["install", "dream-x"], ["uninstall", "dream-x"], ["restore"]):
        refused(command(*words), "plugins.toml", LEDGERS[text], code=1)
    assert not world.ran and ledger_path().read_text(encoding="utf-8") == text


# For real


def test_a_process_cannot_ask_and_says_all() -> None:
    code = (
        "import sys, os; print(sys.stdin.read(), os.environ.get('A'), os.environ.get('B')); print('x', file=sys.stderr)"
    )
    lines: list[str] = []
    typed, keyboard = os.pipe()
    os.write(keyboard, b"typed")
    os.close(keyboard)
    before = os.dup(0)
    os.dup2(typed, 0)
    try:
        ran = process.run([sys.executable, "-c", f"{code}; sys.exit(3)"], {"A": "1", "B": None}, lines.append)
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(typed)
    assert ran.code == 3 and sorted(lines) == [" 1 None", "x"] and sorted(ran.output.splitlines()) == sorted(lines)


def test_an_interrupted_process_does_not_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PATIENCE", 0.1)
    started: list[int] = []

    def interrupt(line: str) -> None:
        started.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run([sys.executable, "-uc", "import os, time; print(os.getpid()); time.sleep(60)"], on_line=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@pytest.mark.parametrize("keeper", ["", "conda", "the system"])
def test_it_is_known_who_looks_after_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keeper: str) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    if keeper == "conda":
        (tmp_path / "conda-meta").mkdir()
    if keeper == "the system":
        (tmp_path / "EXTERNALLY-MANAGED").touch()
    place = Place.here()
    assert (place.keeper, place.prefix, place.python) == (keeper, tmp_path, sys.executable)
    monkeypatch.setattr(sys, "base_prefix", "/another")  # a virtual environment is one's own
    assert Place.here().keeper == ("conda" if keeper == "conda" else "")


def test_wrong_sources_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="expected a name"):
        parse_sources([""])


PLUGIN = """
from dreamer import hookimpl

def tilt(image, *, power: float = 2.0):
    "Unlikeness of the picture to its mirror image."
    return (image - image.flip(-1)).abs().pow(power).mean()

@hookimpl
def register_priors(register):
    register(tilt)
"""


@pytest.mark.skipif(find_spec("pip") is None, reason="the environment of the tests has no pip to lend")
def test_a_real_pip_installs_restores_and_uninstalls(tmp_path: Path, config: Path) -> None:
    import venv

    venv.create(tmp_path / "env", with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    scheme = {"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")}
    inside = Path(sysconfig.get_path("purelib", "venv", scheme))
    (inside / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    links = tmp_path / "links"
    links.mkdir()
    good = wheel(links, "dream-good", PLUGIN, requires="numpy")
    wheel(links, "dream-broken", "import nothing_there")
    wheel(links, "dream-old", "", requires="torch<2")
    environment = {**ENVIRONMENT, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "DREAMER_CONFIG": str(config)}
    environment.pop("PIP_CONSTRAINT", None)

    def real(*words: str) -> subprocess.CompletedProcess[str]:
        line = [str(python), "-m", "dreamer", "plugins", *words]
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    ran = real("install", f"links/{good.name}", "dream-broken")
    assert ran.returncode == 1, ran.stderr
    assert f"dream-good\t1.0\t-\t{good.as_uri()}" in ran.stdout and "dream-good 1.0 works" in ran.stdout
    assert "dream-broken 1.0 is broken: No module named 'nothing_there'" in ran.stderr
    assert entries() == (Entry("dream-broken", "dream-broken", "1.0"), Entry("dream-good", str(good), "1.0"))

    ran = real("install", "dream-old")
    assert ran.returncode == 2 and "dream-old 1.0 needs torch<2, but torch" in ran.stderr, ran.stderr

    ran = real("uninstall", "dream-broken")
    assert ran.returncode == 0, ran.stderr
    for path in inside.glob("dream_good*"):  # as if the environment had been made anew
        for inner in path.iterdir() if path.is_dir() else ():
            inner.unlink()
        path.rmdir() if path.is_dir() else path.unlink()
    ran = real("restore")
    assert ran.returncode == 0 and "dream-good 1.0 works" in ran.stdout, ran.stderr
    assert (inside / "dream_good.py").exists() and not list(inside.glob("dream_broken*"))
