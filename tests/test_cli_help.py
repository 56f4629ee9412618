"""`--help` of every command: one style, and short enough for a terminal of 80 columns."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import dreamer
from dreamer.cli import main


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, *path, name)


def found(path: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


@pytest.mark.parametrize("path", [*commands(main)], ids=lambda path: " ".join(("dreamer", *path)))
def test_the_help_is_of_one_style(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(main, [*path, "--help"], terminal_width=80, max_content_width=80).output
    assert text.startswith("Usage: dreamer") and max(map(len, text.splitlines())) <= 80
    for notation in ("[default:", "<=x", "x>", " PATH ", " TEXT\n", "RANGE"):
        assert notation not in text.partition("\n\n")[2], f"{notation} in {text}"
    if isinstance(found(path), click.Group):
        assert "..." not in text.partition("Commands:")[2], "a first sentence is too long"
    for option in found(path).params:
        if isinstance(option, click.Option):
            assert option.help and option.help[0].isupper() and not option.help.startswith("Of "), option.name
            assert option.help.endswith((".", "]")), option.name


@pytest.mark.parametrize("path", [*commands(main)], ids=lambda path: " ".join(("dreamer", *path)))
def test_what_is_written_is_said_with_o_and_output(path: tuple[str, ...]) -> None:
    for option in found(path).params:
        if {"-o", "--output"} & {*option.opts}:
            assert {"-o", "--output"} <= {*option.opts}


def test_plugins_new_knows_its_older_spelling() -> None:
    (option,) = [option for option in found(("plugins", "new")).params if "-o" in option.opts]
    assert option.name == "folder" and "--folder" in option.opts


def test_what_a_sentence_calls_an_option_is_one() -> None:
    options = {name for path in commands(main) for option in found(path).params for name in option.opts}
    below = [path for path in Path(dreamer.__file__).parent.rglob("*.py") if "cli" not in path.parts]
    named = {name for path in below for name in re.findall(r"argument\(['\"](\w+)", path.read_text(encoding="utf-8"))}
    assert len(named) > 10 and not {f"--{name.replace('_', '-')}" for name in named} - options
