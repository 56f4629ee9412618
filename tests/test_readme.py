"""The README and the program say the same."""

import re
from pathlib import Path

import pytest
from command import commands_in, understood

from dreamer import errors
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.overrides import merged, read_setting, with_change
from dreamer.recipes.recipe import DEFAULTS, KINDS, Recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REGISTRY = load_plugins()[0]


def options_of(kind, name):
    return REGISTRY.ingredients[kind].get(name).value.options


def ingredients() -> str:
    rows = ["| kind | name | options | what it does |", "|---|---|---|---|"]
    for kind in KINDS:
        for entry in REGISTRY.ingredients[kind]:
            options = "; ".join(f"`{name}` {option.default}" for name, option in entry.value.options.items())
            rows.append(f"| {kind} | `{entry.name}` | {options} | {entry.value.summary} |")
    return "\n".join(rows)


def test_the_table_of_ingredients_is_as_the_code_says():
    found = re.search(r"a test -->\n(.*?)\n<!-- end of ingredients", README, re.S).group(1)
    assert found == ingredients(), f"paste this into the README:\n{ingredients()}"


@pytest.mark.parametrize("line", commands_in(README))
def test_every_command_is_understood(line):
    context = understood(line)
    words = DEFAULTS
    for setting in context.params.get("settings", ()):
        words = with_change(words, *read_setting(setting))
    Recipe.read(words, options_of)


def test_the_preset_of_the_readme_is_a_recipe(tmp_path):
    from dreamer.recipes.preset import read_preset

    path = tmp_path / "slow-bloom.toml"
    path.write_text(re.search(r"```toml\n(schema.*?)```", README, re.S).group(1))
    Recipe.read(merged(DEFAULTS, read_preset(path).words), options_of)


def test_the_keyframes_of_the_readme_change_the_look(tmp_path):
    from dreamer.videos.zoom.schedule import read_schedule, zoom_from

    path = tmp_path / "fall.toml"
    path.write_text(re.search(r"```toml\n(\[\[keyframes.*?)```", README, re.S).group(1))
    assert zoom_from({"keyframes": read_schedule(path)}).look(7) == ("citadel", None)


def test_the_plugin_of_the_readme_keeps_every_promise():
    from types import ModuleType

    from dreamer.testing import assert_plugin_ok
    from dreamer.testing.loading import load_target

    source = re.search(r"```python\n(from dreamer import hookimpl.*?)```", README, re.S).group(1)
    module = ModuleType("asymmetry")
    exec(source, module.__dict__)
    assert_plugin_ok(module)
    with load_target(module) as target:
        assert target.registry.ingredients["priors"].get("asymmetry").value.options["power"].default == 2.0


def test_the_set_up_commands_are_the_two_that_ci_and_people_run():
    lines = re.findall(r"^python3 -m venv .*$", README, re.M)
    assert len(lines) == 2 and lines[0].endswith("render --sample") and lines[1].endswith("pytest")


@pytest.mark.parametrize(("page", "root"), [("dreamer/README.md", "dreamer"), ("tests/README.md", "tests")])
def test_files_that_the_pages_for_contributors_name_are_there(page, root):
    named = re.findall(r"`((?:[\w-]+/)*[\w-]+(?:\.py|/))`", (ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > 5
    assert not [name for name in named if not (ROOT / root / name).exists() and not (ROOT / name).exists()]


def test_what_the_page_for_contributors_says_of_errors_is_there():
    page = (ROOT / "dreamer" / "README.md").read_text(encoding="utf-8")
    rule = page.partition("**An error.**")[2].partition("What can")[0]
    named = re.findall(r"`(\w+)`", rule)
    assert named and not [name for name in named if not hasattr(errors, name)]
