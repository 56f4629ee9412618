"""`python -m dreamer` in a folder that is not installed, and the version, which stands in one place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from command import dreamer as command
from command import photo, refused
from packaging.requirements import Requirement

import dreamer
from dreamer.errors import RecipeError
from dreamer.recipes.registry import Registry

ROOT = Path(__file__).parents[1]
SITES = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]


def checkout(*arguments: str | Path, sites: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the checkout's dreamer with what lies in these folders, and nothing that is installed besides."""
    alone = {**os.environ, "PYTHONPATH": os.pathsep.join(sites), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-S", "-m", "dreamer", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)


def test_it_renders_with_a_preset_of_the_checkout(tmp_path: Path) -> None:
    ran = checkout("render", photo(tmp_path / "a.png"), "--preset", "pearls", "--set", "octaves.steps=1", sites=SITES)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "a-dream.png").is_file()


def test_it_lists_the_presets_of_the_checkout() -> None:
    ran = checkout("presets", "list", sites=SITES)
    assert ran.returncode == 0, ran.stderr
    listed = {line.split("\t")[0] for line in ran.stdout.splitlines()}
    assert {path.stem for path in (ROOT / "presets").glob("*.toml")} <= listed


def test_every_package_and_every_file_beside_it_is_installed() -> None:
    words = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [file for file in (ROOT / "dreamer").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    packages = {".".join(file.relative_to(ROOT).parent.parts) for file in files if file.suffix == ".py"}
    assert packages | {"dreamer.presets", "dreamer.templates"} == set(words["packages"])
    places = {package: ROOT.joinpath(*package.split(".")) for package in words["packages"]}
    data = {
        file
        for package, patterns in words["package-data"].items()
        for each in patterns
        for file in places[package].glob(each)
    }
    assert {file for file in files if file.suffix != ".py"} - data == {ROOT / "dreamer" / "README.md"}


HOLES = {  # the last version with a known hole -> what it is
    "av": "18.0",  # brings FFmpeg with CVE-2026-8461 (MagicYUV)
    "filelock": "3.20.2",  # CVE-2025-68146, CVE-2026-22701
    "h11": "0.15",  # CVE-2025-43859
    "pillow": "12.3",  # CVE-2026-96639 (animations), CVE-2026-112403 (JPEG)
    "pillow-heif": "1.2.1",  # CVE-2026-28231
    "starlette": "1.3.0",  # CVE-2026-48710 (Host), CVE-2026-54283
    "torch": "2.10",  # CVE-2026-24747, CVE-2026-4538
}


def test_no_library_may_have_a_known_hole() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    wanted = [Requirement(one) for one in named]
    assert HOLES.keys() <= {one.name for one in wanted}
    allowed = [one.name for one in wanted if one.name in HOLES and one.specifier.contains(HOLES[one.name])]
    assert not allowed, allowed


def test_where_nothing_is_installed_a_sentence_says_what_to_do() -> None:
    ran = checkout("--version", sites=[])
    assert ran.returncode == 1 and ran.stdout == ""
    assert ran.stderr.startswith("dreamer: the Python package click is missing; ") and ran.stderr.count("\n") == 1
    assert "python -m pip install -e ." in ran.stderr


def test_where_one_package_is_missing_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_plugins() -> None:
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")

    monkeypatch.setattr("dreamer.plugins.loading.load_plugins", load_plugins)
    ran = command("render", photo(tmp_path / "a.png"))
    refused(ran, "the Python package torchvision is missing; ", "python -m pip install -e .", code=1)


def test_dreamer_is_no_plugin_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(distribution: str) -> str:
        raise PackageNotFoundError(distribution)

    monkeypatch.setattr("dreamer.recipes.registry.version", absent)
    with pytest.raises(RecipeError) as caught:
        Registry().vocabulary("priors", "dreamer-art:tilt")
    assert len(caught.value.problems) == 1


def test_the_version_is_read_from_the_package_without_importing_it(tmp_path: Path) -> None:
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("this setuptools is too old to build it")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("dreamer", "presets"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    source = tmp_path / "dreamer" / "__init__.py"
    code = source.read_text(encoding="utf-8").replace(f'"{dreamer.__version__}"', '"7.8.9"')
    source.write_text(f"{code}\nraise ImportError\n", encoding="utf-8")
    build = "from setuptools import build_meta; build_meta.prepare_metadata_for_build_wheel('about')"
    (tmp_path / "about").mkdir()
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    assert "\nVersion: 7.8.9\n" in (tmp_path / "about" / "dreamer_art-7.8.9.dist-info" / "METADATA").read_text()


def test_the_command_line_tells_the_version() -> None:
    assert checkout("--version", sites=SITES).stdout == f"dreamer, version {dreamer.__version__}\n"
