"""Presets as data: packs without code, a person's own, what extends and what requires, schemas and lines."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import dreamer, refused

from dreamer.errors import RecipeError
from dreamer.plugins.installer import installed, is_plugin
from dreamer.plugins.loading import load_plugins, load_presets
from dreamer.recipes import preset as presets
from dreamer.recipes.preset import find_preset, lines_of, read_preset


def pack(folder: Path, name: str, group: str = "dreamer.presets", value: str | None = None, code: str = "") -> Path:
    """A distribution as an installer leaves it: a package with one preset, and an entry point."""
    package = folder / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code or "raise ImportError('nobody may import a pack')\n")
    (package / f"{name}-look.toml").write_text('schema = 1\ntitle = "A look"\ncolour = 0.25\n')
    about = folder / f"{package.name}-1.5.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {value or package.name}\n")
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for distributions, where every plugin is allowed."""
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delenv("DREAMER_PLUGINS")
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path / "config"))
    return folder


def own(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / "config" / "presets" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"schema = 1\n{text}")
    return path


def test_a_pack_is_found_without_importing_it(site: Path) -> None:
    pack(site, "soft-looks")
    registry, plugins = load_plugins()
    assert find_preset(registry, "soft-looks-look").words == {"colour": 0.25}
    assert registry.presets.get("soft-looks-look").full_name == "soft-looks:soft-looks-look"
    found = next(plugin for plugin in plugins if plugin.distribution == "soft-looks")
    assert (found.version, found.adds, found.problem) == ("1.5", ("preset soft-looks-look",), "")
    assert "soft_looks" not in sys.modules


@pytest.mark.parametrize(
    ("value", "reason"), [("no_such_package", "no package no_such_package"), ("json.nothing", "no presets in")]
)
def test_a_broken_pack_is_told_of_and_breaks_nothing(site: Path, value: str, reason: str) -> None:
    pack(site, "good-looks")
    pack(site, "bad-looks", value=value)
    registry, plugins = load_presets()
    problems = {plugin.distribution: plugin.problem for plugin in plugins}
    assert reason in problems["bad-looks"] and problems["good-looks"] == ""
    assert find_preset(registry, "good-looks-look").title == "A look"


def test_every_wrong_name_of_a_plugin_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('schema = 1\nrequires = ["dreamer-ink", "; rm -rf /", "-x"]\n')
    with pytest.raises(RecipeError) as caught:
        read_preset(tmp_path / "a.toml")
    assert [sentence.split(": ")[2].split(" is ")[0] for sentence in caught.value.problems] == ["'; rm -rf /'", "'-x'"]


def test_a_pack_may_take_no_name_of_dreamers_own(site: Path) -> None:
    pack(site, "thief")
    (site / "thief" / "bloom.toml").write_text("schema = 1\n")
    registry, plugins = load_presets()
    assert "bloom" in plugins[0].problem and plugins[0].adds == ()
    assert {entry.source for entry in registry.presets} == {"dreamer-art"}


def test_listing_presets_imports_neither_torch_nor_a_packs_code(site: Path) -> None:
    pack(site, "soft-looks")
    script = (
        "import sys\n"
        "from dreamer.cli import main\n"
        "try:\n    main(['presets', 'list'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'torchvision', 'numpy', 'soft_looks'} & sys.modules.keys()\n"
    )
    environment = {"PYTHONPATH": str(site), "PATH": "", "DREAMER_CONFIG": str(site)}
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert "soft-looks-look" in ran.stdout and "bloom" in ran.stdout


def test_ones_own_presets_come_from_the_config_folder_and_shadow_nothing(site: Path, tmp_path: Path) -> None:
    own(tmp_path, "mine", "colour = 0.1\n")
    own(tmp_path, "bloom", "colour = 0.2\n")
    registry, plugins = load_presets()
    assert find_preset(registry, "yours:mine").words == {"colour": 0.1}
    assert registry.presets.get("bloom").source == "dreamer-art"
    assert [(plugin.name, "bloom" in plugin.problem) for plugin in plugins] == [("bloom.toml", True)]


def test_a_preset_extends_another_by_one_step(site: Path, tmp_path: Path) -> None:
    own(tmp_path, "deep", 'extends = "bloom"\ncolour = 0.9\n[octaves]\nsteps = 3\n')
    own(tmp_path, "deeper", 'extends = "deep"\n')
    own(tmp_path, "lost", 'extends = "blom"\n')
    own(tmp_path, "round", 'extends = "round"\n')
    registry, _ = load_presets()
    base = find_preset(registry, "bloom").words
    words = find_preset(registry, "deep").words
    assert words["objectives"] == base["objectives"] and words["colour"] == 0.9 and words["octaves"]["steps"] == 3
    for name in ("deeper", "round"):
        with pytest.raises(RecipeError, match="cannot be extended, because it extends"):
            find_preset(registry, name)
    with pytest.raises(RecipeError, match=r"preset lost: extends: .*did you mean bloom"):
        find_preset(registry, "lost")


def test_what_a_preset_requires_is_named_with_the_command_that_installs_it(site: Path, tmp_path: Path) -> None:
    pack(site, "broken-code", group="dreamer", code="import no_such_module\n")
    pack(site, "good-looks")
    own(tmp_path, "wants", 'requires = ["dreamer-swirl", "Broken.Code", "good_looks"]\n')
    registry, _ = load_plugins()
    with pytest.raises(RecipeError) as caught:
        find_preset(registry, "wants")
    absent, broken = caught.value.problems
    assert "dreamer-swirl, which is not installed; `dreamer plugins install dreamer-swirl`" in absent
    assert "Broken.Code, which is broken: No module named 'no_such_module'" in broken


@pytest.mark.parametrize(
    "requires",
    ['"a"', "[1]", '["$(rm -rf /)"]', '["-r evil"]', '["a b"]', r'["\u212Aelvin"]', r'["a\n"]', f'["{"a" * 101}"]'],
)
def test_what_is_no_plugins_name_never_reaches_a_command(tmp_path: Path, requires: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f"schema = 1\nrequires = {requires}\n")
    with pytest.raises(RecipeError, match=r"plugin name|list of plugin names"):
        read_preset(path)


def test_an_older_schema_is_brought_up_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.toml"
    path.write_text("schema = 1\nchroma = 0.3\n")
    monkeypatch.setattr(presets, "SCHEMA", 3)
    steps = {1: lambda words: {"colour": words["chroma"]}, 2: lambda words: {**words, "seed": 4}}
    monkeypatch.setattr(presets, "_MIGRATIONS", steps)
    assert read_preset(path).words == {"colour": 0.3, "seed": 4}
    assert path.read_text() == "schema = 1\nchroma = 0.3\n"
    path.write_text("schema = 4\n")
    with pytest.raises(RecipeError, match="newer dreamer \\(schema 4"):
        read_preset(path)


def test_the_line_of_every_key_is_found() -> None:
    text = """schema = 1
colour = 1
[octaves]
steps = 3
[[priors]]
weight = 2
name = "total_variation"
[[priors]]
name = 'frequency'
id = "grain"
cutoff = 0.3
"""
    lines = lines_of(text)
    wanted = {
        "colour": 2,
        "octaves.steps": 4,
        "priors.total_variation.weight": 6,
        "priors.grain": 10,
        "priors.grain.cutoff": 11,
    }
    assert {key: lines[key] for key in wanted} == wanted


@pytest.mark.parametrize("config", ["longer", "denied", "a file"])
def test_a_config_folder_that_cannot_be_looked_into_is_told_of_and_ends_nothing(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    pack(site, "good-looks")
    folder = tmp_path / ("x" * 300 if config == "longer" else "config")
    monkeypatch.setenv("DREAMER_CONFIG", str(folder))
    if config == "denied":
        really = Path.iterdir

        def denied(self: Path) -> Any:
            if self.is_relative_to(folder):
                raise PermissionError(13, "Permission denied", str(self))
            return really(self)

        monkeypatch.setattr(Path, "iterdir", denied)
    elif config == "a file":
        folder.touch()
    registry, plugins = load_presets()
    assert find_preset(registry, "good-looks-look").title == "A look"
    told = [plugin.problem for plugin in plugins if plugin.problem]
    assert len(told) == (config != "a file")
    assert all("this folder cannot be looked into" in problem for problem in told)
    ran = dreamer("presets", "list")
    assert ran.code == 0 and "bloom" in ran.out and ("cannot be looked into" in ran.err) == (config != "a file")
    assert dreamer("plugins", "list").code == 0
    assert dreamer("presets", "save", "mine").code == (0 if config == "denied" else 1)


@pytest.mark.parametrize(
    "value", ["soft_looks:/etc", "soft_looks./etc", "soft_looks...", "../soft_looks", "soft_looks:a b"]
)
def test_a_pack_does_not_lead_out_of_its_package(site: Path, value: str) -> None:
    pack(site, "soft-looks", value=value)
    _, plugins = load_presets()
    assert "is not the name of a package" in plugins[0].problem


@pytest.mark.parametrize("owner", ["$(rm -rf ~)", "-r evil", "a" * 200, "x;y"])
def test_what_is_no_plugins_name_reaches_no_command_as_an_owner_either(site: Path, owner: str) -> None:
    registry, _ = load_presets()
    with pytest.raises(RecipeError) as caught:
        registry.vocabulary("priors", f"{owner}:tilt")
    assert "cannot be the name of a plugin" in caught.value.problems[1]
    assert not any("plugins install" in problem for problem in caught.value.problems)


@pytest.mark.parametrize("listing", [b"[dreamer]\nbroken", b"[dreamer]\nx = \xff\n"])
def test_a_damaged_distribution_is_told_of_and_breaks_nothing(site: Path, listing: bytes) -> None:
    pack(site, "good-looks")
    pack(site, "torn-looks")
    (site / "torn_looks-1.5.dist-info" / "entry_points.txt").write_bytes(listing)
    problems = {plugin.distribution: plugin.problem for plugin in load_presets()[1]}
    assert "its entry_points.txt is damaged (" in problems["torn-looks"] and problems["good-looks"] == ""
    assert is_plugin(installed()["torn-looks"])  # so that it can be uninstalled
    refused(dreamer("plugins", "check", "torn-looks"), "torn-looks: its entry_points.txt is damaged")
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{Path(__file__).parents[1]}"}
    command = [sys.executable, "-m", "dreamer", "plugins", "list"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # imports torch afresh
    assert ran.returncode == 0 and "broken: its entry_points.txt is damaged" in ran.stdout, ran.stderr
