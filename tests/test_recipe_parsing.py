"""TOML and JSON of strangers: bounded before they are parsed, in every place that reads them."""

from __future__ import annotations

import codecs
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command import dreamer, refused

from dreamer.errors import RecipeError, UsageError
from dreamer.limits import JSON_BYTES, TOML_BYTES, TOML_DOTS
from dreamer.plugins.installer import parse_sources
from dreamer.plugins.loading import load_presets
from dreamer.recipes import parsing
from dreamer.recipes.overrides import read_setting
from dreamer.recipes.parsing import parse_json, parse_toml
from dreamer.recipes.preset import lines_of, read_preset
from dreamer.testing.loading import load_target
from dreamer.videos.zoom.schedule import read_schedule

LONG = "a" + ".a" * 30_000 + " = 1"
DEEP = "a" + ".a" * (TOML_DOTS + 1)
NAMED = "has more than 32 dots"


def readers(folder: Path) -> dict[str, Any]:
    """Everything that reads a TOML file, each for this folder's file x.toml or pyproject.toml."""
    (folder / "pyproject.toml").unlink(missing_ok=True)
    os.link(folder / "x.toml", folder / "pyproject.toml", follow_symlinks=False)
    return {
        "a preset": lambda: read_preset(folder / "x.toml"),
        "keyframes": lambda: read_schedule(folder / "x.toml"),
        "a project": lambda: load_target(folder).__enter__(),
    }


@pytest.fixture
def never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's parser is not reached."""

    def parser(text: str) -> None:
        raise AssertionError(f"{len(text)} letters were parsed")

    monkeypatch.setattr(tomllib, "loads", parser)


HIDDEN = {
    "a key": LONG,
    "a table": f"[{DEEP}]",
    "a list of tables": f"[[ {DEEP.replace('.', ' . ')} ]]",
    "quoted": '"a"' + '."a"' * (TOML_DOTS + 1) + " = 1",
    "inline": "x = {" + DEEP + " = 1}",
    "behind a text's end": f'x = """\n" """\n{DEEP} = 1',
    "between two texts": f'x = {{k = """\na """, {DEEP} = 1, b = """x"""}}',
    "behind five quotes": f'x = """a"""""\n{DEEP} = 1\ny = """b"""',
    "behind an escaped quote": f'x = "\\""\n{DEEP} = 1\ny = "b"',
    "behind a comment with a quote": f"# it's\n{DEEP} = 1\n# it's",
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_name_of_too_many_parts_is_refused_unparsed(never_parsed: None, kind: str) -> None:
    with pytest.raises(RecipeError, match=NAMED):
        parse_toml(HIDDEN[kind], "x.toml")


INNOCENT = {
    "numbers": "x = [" + ", ".join(["0.5"] * 500) + "]",
    "a text": 'x = "' + "So it is. " * 50 + '"',
    "several lines": 'x = """' + "So it is.\n" * 50 + '"""',
    "literal": "x = '''" + 'So it "is". ' * 50 + "'''",
    "a comment": "x = 1 # " + "So it is. " * 50,
    "many short ones": "\n".join(f"a.b{number} = 1.5" for number in range(99)),
}


@pytest.mark.parametrize("kind", INNOCENT)
def test_dots_in_texts_and_numbers_do_not_count(kind: str) -> None:
    assert parse_toml(INNOCENT[kind], "x.toml") == tomllib.loads(INNOCENT[kind])


def test_a_text_without_an_end_is_looked_at_once() -> None:
    """Quadratic it would be if each quote were the start of another try."""
    tries = parsing._STRING.findall('"\\' * 5000), parsing._STRING.findall("'''" + "''a" * 5000)
    assert [len(found) for found in tries] == [1, 1]


@pytest.mark.parametrize("reader", ["a preset", "keyframes", "a project"])
def test_every_reader_of_toml_refuses_it(tmp_path: Path, never_parsed: None, reader: str) -> None:
    (tmp_path / "x.toml").write_text(LONG)
    with pytest.raises(UsageError, match=NAMED):
        readers(tmp_path)[reader]()


@pytest.mark.parametrize("reader", ["a preset", "keyframes", "a project"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes and devices are POSIX")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, reader: str) -> None:
    place = tmp_path / "x.toml"
    os.mkfifo(place)
    with pytest.raises(UsageError, match="not a regular file"):
        readers(tmp_path)[reader]()
    place.unlink()
    place.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="not a regular file"):
        readers(tmp_path)[reader]()


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    place = tmp_path / "x.toml"
    with place.open("wb") as file:
        file.truncate(10**12)  # takes no room on the disk, and would take all memory
    for reader in readers(tmp_path).values():
        with pytest.raises(UsageError, match="too large"):
            reader()


def test_a_folder_to_install_is_looked_at_as_carefully(tmp_path: Path, never_parsed: None) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n" + LONG)
    (source,) = parse_sources([f"{tmp_path}/"])
    assert source.name == ""  # its build will know, or fail


def test_a_pack_or_preset_like_that_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config" / "presets"
    folder.mkdir(parents=True)
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path / "config"))
    (folder / "dots.toml").write_text(LONG)
    os.mkfifo(folder / "pipe.toml")
    (folder / "zero.toml").symlink_to("/dev/zero")
    (folder / "mine.toml").write_text("schema = 1\ndescription = 'Mine'\n")
    rows = {row[0]: row[-1] for row in (line.split("\t") for line in dreamer("presets", "list").out.splitlines())}
    assert rows["mine"] == "Mine" and "bloom" in rows
    assert NAMED in rows["dots"] and all("not a regular file" in rows[name] for name in ("pipe", "zero"))
    assert len(list(load_presets()[0].presets)) == len(rows)


TEXT = 'schema = 1\r\ntitle = "Träume"\r\n'


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    look, fall = tmp_path / "look.toml", tmp_path / "fall.toml"
    look.write_bytes(codecs.BOM_UTF8 + TEXT.encode())
    fall.write_bytes(codecs.BOM_UTF8 + b"[[keyframes]]\r\ntime = 1.0\r\nrate = 2.0\r\n")
    assert read_preset(look).title == "Träume"
    assert read_schedule(fall) == [{"time": 1.0, "rate": 2.0}]
    refused(dreamer("presets", "check", look), f"{look}: description: missing")
    assert dreamer("presets", "show", look).out == TEXT.replace("\r", "")


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("utf-16", "it is in UTF-16, and TOML is UTF-8; save it as UTF-8"),
        ("utf-16-be", "it is in UTF-16 or is no text, and TOML is UTF-8; save it as UTF-8"),
        ("utf-32", "it is in UTF-32, and TOML is UTF-8; save it as UTF-8"),
        ("latin-1", "line 2 is not in UTF-8, as TOML is; save it as UTF-8"),
    ],
)
def test_another_encoding_is_named_with_the_way_out(tmp_path: Path, encoding: str, sentence: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(TEXT.encode(encoding))
    refused(dreamer("presets", "check", path), sentence, "Notepad")
    (tmp_path / "pyproject.toml").write_bytes(TEXT.encode(encoding))
    refused(dreamer("plugins", "check", f"{tmp_path}/"), sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "not valid JSON"),
        ('{"a":' * 100_000, "not valid JSON"),
        ("1" * 5000, "not valid JSON"),
        ('"' + "x" * JSON_BYTES + '"', "too large; at most 1024 kB"),
        ('{"a": ["\\ud800"]}', "a: a text with half a character"),
        ('{"\\udfff": 1}', "a text with half a character"),
    ],
)
def test_json_is_bounded_too(text: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=f"^x.png: (.*: )?{sentence}"):
        parse_json(text, "x.png")


def test_a_number_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(RecipeError, match="a: a whole number of more than"):
        parse_toml("a = 0x" + "f" * 50_000, "x.toml")


def test_a_setting_is_as_bounded_and_else_a_text() -> None:
    assert read_setting("a=[1, 2.5]") == ("a", [1, 2.5])
    for value in ("[" * 9000, f"{{{DEEP} = 1}}", "x" * TOML_BYTES, "\udcff"):
        assert read_setting(f"a={value}") == ("a", value)


def test_the_lines_of_keys_do_not_multiply() -> None:
    """Lines that look like names, in a text of several lines, each with all keys before it."""
    text = "".join(f"k{number} = 1\nname = 'n{number}'\n" for number in range(2000))
    assert len(lines_of(f"[[priors]]\n{text}")) < 100 * 2000
