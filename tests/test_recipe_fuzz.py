"""Recipes of strangers: ten thousand damaged ones are refused in sentences or understood, and do nothing else."""

import builtins
import copy
import importlib
import json
import os
import random
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest

from dreamer.engine.device import Machine
from dreamer.errors import UsageError
from dreamer.pipeline.build import build
from dreamer.plugins.loading import load_plugins
from dreamer.recipes import parsing
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import find_preset, read_preset
from dreamer.recipes.provenance import Provenance
from dreamer.recipes.recipe import DEFAULTS, Recipe

REGISTRY = load_plugins()[0]
BASE = build({}, REGISTRY)
HALF = 3000
NASTY = [
    None,
    True,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\x00\x1b[2J",
    "x" * 5000,
    "../../etc/passwd",
    "$(touch /tmp/owned)",
    "__import__('os').system('true')",
    "http://127.0.0.1/x.toml",
    "dreamer-ink:engraving",
    "vgg16",
    [],
    {},
    [[[]]],
    [{"name": "motif"}] * 40,
    {"name": {"name": "motif"}},
    {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}},
]


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be run, connected to or written."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a recipe made dreamer do something: {args}")

    really_open = builtins.open

    def reading(file: object, mode: str = "r", *args: object, **kwargs: object) -> object:
        return really_open(file, mode, *args, **kwargs) if not set("wax+") & set(mode) else refuse(file)

    for module, name in ((subprocess, "Popen"), (os, "system"), (socket, "socket"), (importlib, "import_module")):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(builtins, "open", reading)


def places(value: object, here: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The paths of everything inside of nested tables and lists."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here] * bool(here) + [path for key, below in inner for path in places(below, (*here, key))]


def damaged(words: dict[str, object], chance: random.Random) -> dict[str, object]:
    """The words with one to three things removed, renamed, or put in the place of others."""
    words = copy.deepcopy(words)
    for _ in range(chance.randint(1, 3)):
        found = places(words)
        if not found:
            break
        *way, last = chance.choice(found)
        holder = words
        for step in way:
            holder = holder[step]
        match chance.randrange(4):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[chance.choice([str(last)[:-1], f"{last}x", "__class__", "", "ö" * 9])] = holder.pop(last)
            case _:
                holder[last] = copy.deepcopy(chance.choice(NASTY))
    return words


def scrambled(text: str, chance: random.Random) -> str:
    """The text with some of its letters changed, left out or doubled, or cut off."""
    letters = list(text)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(letters))
        match chance.randrange(4):
            case 0:
                letters[place] = chance.choice('{}[]",:=\n\\0-e.#\x00é')
            case 1:
                letters[place] = ""
            case 2:
                letters[place] *= chance.choice([2, 2000])
            case 3:
                letters = letters[: place + 1]
    return "".join(letters)


def understood(recipe: object) -> None:
    """What rendering does with a recipe before it touches a network."""
    Recipe.read(merged(DEFAULTS, recipe), REGISTRY.vocabulary)


def test_damaged_recipes_inside_pictures_are_read_or_refused(shut: None) -> None:
    text = Provenance(
        BASE.to_dict(), BASE.machine.to_dict(), "0.1", "0" * 64, "1" * 64, "", {"dreamer-ink": "1.0"}
    ).text()
    chance, told, passed = random.Random(1), 0, 0
    for number in range(HALF):
        words = damaged(json.loads(text), chance)
        one = scrambled(text, chance) if number % 2 else json.dumps(words)
        try:
            read = Provenance.read(one, "picture.png")
            Machine.read(read.machine)
            REGISTRY.missing(read.plugins)
            understood(read.recipe)
            passed += 1
        except UsageError as error:
            told += 1
            assert all(0 < len(problem) < 4000 for problem in error.problems)
    assert told > HALF / 2 and passed > HALF / 100


def test_damaged_presets_are_read_or_refused(shut: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tomli_w

    text = (
        'schema = 1\ntitle = "T"\nlikes = "skies"\nextends = "bloom"\nrequires = ["dreamer-ink"]\nnetwork = "reverie"\n'
        'colour = 0.3\n[octaves]\nsteps = 4\n[[objectives]]\nname = "motif"\nlayer = "m4b"\nnames = ["eye", "rose"]\n'
        '[[priors]]\nname = "frequency"\nweight = 0.1\ncutoff = 0.2\n[[transforms]]\nname = "jitter"\npixels = 8\n'
    )
    chance, told, passed = random.Random(2), 0, 0
    path = tmp_path / "stranger.toml"
    for number in range(HALF):
        try:
            one = tomli_w.dumps(damaged(tomllib.loads(text), chance)) if number % 2 == 0 else scrambled(text, chance)
        except (TypeError, ValueError):
            continue  # what TOML cannot say
        monkeypatch.setattr(parsing, "read_bounded", lambda path, most, one=one: one.encode())
        try:
            preset = read_preset(path)
            understood(preset.words)
            passed += 1
        except UsageError as error:
            told += 1
            assert all(0 < len(problem) < 4000 for problem in error.problems)
    monkeypatch.undo()
    assert told > HALF / 3 and passed > HALF / 100


def test_an_extended_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text("schema = 1\ncolour = 0.1\n")
    for name in (str(tmp_path / "secret.toml"), "../secret", "secret.toml"):
        path = tmp_path / "stranger.toml"
        path.write_text(f"schema = 1\nextends = {name!r}\n")
        with pytest.raises(UsageError, match="no preset is called"):
            find_preset(REGISTRY, path)
