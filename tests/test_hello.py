"""The shortest plugin works, and the guide shows it as it is."""

import pkgutil
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner
from command import commands_in, understood

from dreamer import hookimpl, hookspecs
from dreamer.cli.authoring import new
from dreamer.openmp import VARIABLES
from dreamer.recipes.options import RESERVED
from dreamer.testing import Finding, assert_plugin_ok, examine
from dreamer.testing.contracts import GIVEN_TO

PLUGINS = Path(__file__).parents[1] / "plugins"
HELLO = PLUGINS / "dreamer-hello"
GUIDE = (PLUGINS / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.S)


def rows(heading):
    """The guide's table under that heading: what stands in backticks in the first column -> the last column."""
    table = re.search(rf"^\| {heading} \|.*?\n\n", GUIDE, re.M | re.S).group()
    return dict(re.findall(r"^\| `(\w+)` \|(?:.*\|)? ([^|]+) \|$", table, re.M))


def test_it_keeps_every_promise():
    assert examine(HELLO) == [
        Finding("plugin", "hello", True, "adds prior echo"),
        Finding("prior", "echo", True, "keeps every promise in 6 tests"),
    ]


def test_the_echo_is_silent_where_the_dream_repeats(monkeypatch):
    monkeypatch.syspath_prepend(str(HELLO))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from dreamer_hello import echo

    photo = torch.rand(1, 3, 8, 24)
    again = photo + torch.rand(1, 3, 8, 6).repeat(1, 1, 1, 4)
    assert echo(again, photo=photo, pixels=6) < 1e-9 < echo(again, photo=photo, pixels=5)


def test_it_is_short():
    assert len((HELLO / "dreamer_hello.py").read_text().splitlines()) <= 24
    assert len((HELLO / "README.md").read_text().splitlines()) == 3


@pytest.mark.parametrize(("file", "language"), [("dreamer_hello.py", "python"), ("pyproject.toml", "toml")])
def test_the_guide_shows_its_files_as_they_are(file, language):
    shown = re.search(rf"`dreamer-hello/{re.escape(file)}`:\n\n```{language}\n(.*?)```", GUIDE, re.S)
    assert shown.group(1) == (HELLO / file).read_text(encoding="utf-8")


def test_everything_else_that_the_guide_shows_is_what_new_makes(tmp_path):
    CliRunner().invoke(new, ["slow-tide", "-o", str(tmp_path)], standalone_mode=False, catch_exceptions=False)
    made = [path.read_text(encoding="utf-8") for path in (tmp_path / "slow-tide").rglob("*") if path.is_file()]
    _hello, _mirror, _lightness, _ground, *codes = blocks("python")
    _, fragment, preset = blocks("toml")
    assert preset in made
    project = tomllib.loads((tmp_path / "slow-tide" / "pyproject.toml").read_text())
    for name, words in tomllib.loads(fragment)["tool"]["setuptools"].items():
        assert project["tool"]["setuptools"][name] == words
    for group, words in tomllib.loads(fragment)["project"]["entry-points"].items():
        assert project["project"]["entry-points"][group] == words
    for code in codes:
        lines = [line.partition("  # ")[0] for line in code.splitlines() if line and " import " not in line]
        assert any(all(line in text for line in lines) for text in made), code


def test_the_transform_of_the_guide_keeps_every_promise():
    module = ModuleType("dreamer_mirror")
    exec(
        f"from collections.abc import Callable\nimport torch\nfrom torch import Tensor\n{blocks('python')[1]}",
        vars(module),
    )
    module.register_transforms = hookimpl(lambda register: register(module.mirror))
    assert_plugin_ok(module)
    assert [finding.name for finding in examine(module)] == ["dreamer_mirror", "mirror"]


def test_the_segmenter_of_the_guide_keeps_every_promise():
    module = ModuleType("dreamer_lightness")
    exec(f"import torch\nfrom torch import Tensor\n{blocks('python')[2]}", vars(module))
    module.register_segmenters = hookimpl(lambda register: register(module.lightness))
    assert_plugin_ok(module)


def test_the_depth_of_the_guide_keeps_every_promise():
    module = ModuleType("dreamer_ground")
    exec(f"import torch\nfrom torch import Tensor\n{blocks('python')[3]}", vars(module))
    module.register_depths = hookimpl(lambda register: register(module.ground))
    assert_plugin_ok(module)


def test_the_guide_documents_every_hook():
    assert list(rows("hook")) == hookspecs.hook_names()


def test_the_guide_documents_every_reserved_keyword_and_which_ingredients_get_it():
    documented = rows("keyword")
    assert documented.keys() == RESERVED == GIVEN_TO.keys()
    only = {word: match[1] for word, text in documented.items() if (match := re.search(r"; for (\w+) only$", text))}
    assert only == {word: kinds[0] for word, kinds in GIVEN_TO.items() if len(kinds) == 1}


def test_the_guide_calls_stable_what_it_tells_authors_to_import():
    stable = re.search(r"Import only from.*?only those names are stable", GUIDE, re.DOTALL).group()
    named = set(re.findall(r"\bdreamer\.[a-z]+\.\w+", GUIDE)) | {"dreamer.testing"}
    assert len(named) > 2 and not [name for name in named if name not in stable]
    assert all(map(pkgutil.resolve_name, named))


def test_the_guide_names_every_variable_of_openmp_that_decides():
    assert not [name for name in VARIABLES if f"`{name}`" not in GUIDE]


@pytest.mark.parametrize("line", commands_in(GUIDE))
def test_every_command_of_the_guide_is_understood(line):
    understood(line)
