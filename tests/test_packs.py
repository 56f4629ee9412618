"""The packs in plugins/: built, installed and loaded as a stranger's would be, and each does what it says."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from dreamer.step import Step
from dreamer.testing import broken, examine

PLUGINS = Path(__file__).parents[1] / "plugins"
PACKS = sorted(path.parent for path in PLUGINS.glob("*/pyproject.toml"))
LOOKS = sorted(PLUGINS.glob("*/dreamer_*/*.toml"))
LAST = Step(2, 3, 3, 10, 0.9, (48, 64))
LOADED = """
import json
from dreamer.plugins import load_plugins
print(json.dumps([[plugin.distribution, plugin.problem, plugin.adds] for plugin in load_plugins()[1]]))
"""

folder = pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)


def entry_points(pack):
    return tomllib.loads((pack / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Every pack built from a copy and installed into a folder, offline; what dreamer then loads, by distribution."""
    if not find_spec("pip") or not find_spec("setuptools"):
        pytest.skip("pip and setuptools are needed to build a package")
    place = tmp_path_factory.mktemp("packs")
    copies = [str(shutil.copytree(pack, place / pack.name)) for pack in PACKS]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    offline = ["--no-deps", "--no-index", "--no-cache-dir"]
    wheels, target = place / "wheels", place / "installed"
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, *copies], check=True)
    subprocess.run([*pip, "install", *offline, "--target", target, *wheels.glob("*.whl")], check=True)
    alone = {name: value for name, value in os.environ.items() if name != "DREAMER_PLUGINS"}
    alone |= {"PYTHONPATH": str(target), "DREAMER_CONFIG": str(place / "config")}
    told = subprocess.run([sys.executable, "-c", LOADED], env=alone, check=True, capture_output=True, text=True)
    return json.loads(told.stdout)


@pytest.fixture
def pack(monkeypatch):
    """Imports a pack's module from its folder."""

    def imported(name):
        monkeypatch.syspath_prepend(str(PLUGINS / name))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return importlib.import_module(name.replace("-", "_"))

    return imported


def slope(prior, image, **options):
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(prior(leaf, **options), leaf)
    return gradient


def rms(tensor):
    return float(tensor.square().mean().sqrt())


@folder
def test_it_is_built_and_installed_and_brings_all_that_lies_in_its_folder(pack, installed):
    found = [(problem, adds) for distribution, problem, adds in installed if distribution == pack.name]
    assert len(found) == len(entry_points(pack))
    assert all(not problem and adds for problem, adds in found), found
    looks = {f"preset {path.stem}" for path in LOOKS if path.is_relative_to(pack)}
    assert looks <= {added for _, adds in found for added in adds}


@folder
def test_it_keeps_every_promise(pack):
    findings = examine(pack)
    assert not broken(findings) and len(findings) > 1
    assert all(finding.ok for finding in findings), findings


@folder
def test_its_readme_names_all_that_it_brings(pack):
    readme = (pack / "README.md").read_text(encoding="utf-8")
    names = [name for finding in examine_names(pack) for name in finding]
    assert [name for name in names if name not in readme] == []


def examine_names(pack):
    return [[path.stem] for path in LOOKS if path.is_relative_to(pack)]
