"""`dreamer plugins new` and `check`: what is made works as it is, and what is wrong is told."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version

import forked
import pytest
from click.testing import CliRunner
from command import ENVIRONMENT, left_in

from dreamer.cli.authoring import check, new
from dreamer.errors import UsageError, WriteError


def run(command, *words):
    """A command's exit code and what it printed; its errors come through."""
    result = CliRunner().invoke(command, list(map(str, words)), standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value or 0, result.output


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A new project, slow-tide, in the folder where we are."""
    monkeypatch.chdir(tmp_path)
    assert run(new, "slow-tide")[0] == 0
    return tmp_path / "slow-tide"


def process(folder, *words, **environment):
    """A command of Python's in a folder, in a process of its own; its output."""
    command = [sys.executable, *map(str, words)]
    variables = {key: value for key, value in ENVIRONMENT.items() if key != "DREAMER_PLUGINS"} | environment
    found = forked.run(command, cwd=folder, env=variables)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_new_says_what_to_type_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out = run(new, "slow-tide")
    assert code == 0 and out.splitlines()[1:] == [
        "  dreamer plugins install ./slow-tide",
        "  dreamer plugins check slow-tide",
        "  dreamer render --sample --preset slow-tide",
    ]
    (tmp_path / "my plugins").mkdir()
    assert "dreamer plugins install './my plugins/rain'" in run(new, "rain", "-o", "my plugins")[1]
    assert "dreamer plugins install '" in run(new, "snow", "-o", tmp_path / "my plugins")[1]
    assert left_in(tmp_path / "my plugins") == ["rain", "snow"]


def test_new_leaves_nothing_open(made):
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    assert files == [
        ".gitignore",
        "README.md",
        "dreamer_slow_tide/__init__.py",
        "dreamer_slow_tide/presets/slow-tide.toml",
        "pyproject.toml",
        "tests/conftest.py",
        "tests/test_slow_tide.py",
    ]
    for file in files:
        assert not re.search(r"\$\w|\$\{", (made / file).read_text())


def test_what_new_makes_passes_the_check(made):
    before = sorted(made.rglob("*"))
    code, out = run(check, "slow-tide")
    assert code == 0
    assert [line.split("\t")[:3] for line in out.splitlines()] == [
        ["ok", "plugin", "slow-tide"],
        ["ok", "plugin", "slow-tide"],
        ["ok", "prior", "slow_tide"],
        ["ok", "preset", "slow-tide"],
    ]
    assert "dreams with reverie" in out
    assert sorted(made.rglob("*")) == before


def test_the_tests_that_new_writes_pass(made, tmp_path):
    about = tmp_path / "dreamer_slow_tide-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: dreamer-slow-tide\nVersion: 0.1.0\nRequires-Dist: dreamer-art\n"
    )
    (about / "entry_points.txt").write_text(
        "[dreamer]\nslow-tide = dreamer_slow_tide\n[dreamer.presets]\nslow-tide = dreamer_slow_tide.presets\n"
    )
    path = os.pathsep.join([str(made), str(tmp_path)])
    out = process(made, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", PYTHONPATH=path)
    assert "2 passed" in out


def test_it_can_be_installed_with_all_that_belongs_to_it(made, tmp_path):
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("this setuptools is too old to build it")
    site = tmp_path / "site"
    quiet = ("--quiet", "--disable-pip-version-check")
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    process(tmp_path, "-m", "pip", "install", *quiet, *offline, "--target", site, made)
    code = "from dreamer.testing import examine; print(*examine('dreamer-slow-tide'), sep='\\n')"
    assert process(tmp_path, "-c", code, PYTHONPATH=str(site)).splitlines() == [
        "plugin slow-tide: adds prior slow_tide",
        "plugin slow-tide: adds preset slow-tide",
        "prior slow_tide: keeps every promise in 6 tests",
        "preset slow-tide: dreams with reverie",
    ]


def test_new_overwrites_nothing(made):
    shutil.rmtree(made)
    made.mkdir()
    with pytest.raises(UsageError, match="already exists and is never overwritten"):
        run(new, "slow-tide")
    assert not left_in(made)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Slow-tide", "small letters, digits and single hyphens"),
        ("slow_tide", "small letters, digits and single hyphens"),
        ("slow--tide", "small letters, digits and single hyphens"),
        ("3d", "a letter first"),
        ("../tide", "small letters, digits and single hyphens"),
        ("a" * 41, "at most 40 in all"),
        ("dreamer-tide", "leave out dreamer-"),
        ("class", "reserved by Python or dreamer"),
        ("register-priors", "reserved by Python or dreamer"),
        ("bloom", "dreamer has a built-in preset bloom"),
        ("colour-range", "dreamer has a built-in prior colour_range"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_says_why(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape(words)):
        run(new, name)
    assert not left_in(tmp_path)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    with pytest.raises(UsageError) as caught:
        run(new, "Tide", "-o", tmp_path / "nowhere")
    assert len(caught.value.problems) == 2


def test_a_project_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    def full(self, *args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(WriteError, match=r"slow-tide: cannot be written \(No space left on device\)"):
        run(new, "slow-tide")
    assert not left_in(tmp_path)


def test_check_ends_with_1_where_something_is_broken(made):
    module = made / "dreamer_slow_tide" / "__init__.py"
    module.write_text(module.read_text().replace("dream = image - photo", "dream = image.detach()"))
    code, out = run(check, made)
    assert code == 1
    broken = [line for line in out.splitlines() if line.startswith("broken")]
    assert len(broken) == 1 and "broken\tprior\tslow_tide\tcannot be differentiated" in out
    assert "not tried\tpreset\tslow-tide\tit uses the prior slow_tide, which is broken" in out


def test_a_strangers_names_do_not_reach_the_terminal_as_they_are(made):
    module = made / "dreamer_slow_tide" / "__init__.py"
    module.write_text(module.read_text() + "\nraise RuntimeError('red \\x1b[31m\\nand a line')\n")
    code, out = run(check, made)
    assert code == 1 and "\x1b" not in out and "red  [31m and a line" in out


@pytest.mark.parametrize(
    ("plugin", "words"),
    [
        ("no-such-plugin", "no plugin called no-such-plugin is installed"),
        ("no/such/folder", "no/such/folder: there is no such folder"),
        (".", r"the folder \. has no pyproject\.toml"),
    ],
)
def test_check_says_where_there_is_no_plugin(tmp_path, monkeypatch, plugin, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        run(check, plugin)


def test_the_commands_import_nothing_heavy():
    code = "import sys, dreamer.cli.authoring; print('torch' in sys.modules, 'dreamer.testing' in sys.modules)"
    line = [sys.executable, "-c", code]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == "False False\n"
