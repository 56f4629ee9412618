"""Reading TOML and JSON that may be a stranger's: bounded before it is parsed, and checked for values afterwards.

Python's parsers bound nothing: a key of many parts takes their time and memory quadratically, and both nest as deep as
the stack is. What comes out of here can be written again; whether it makes sense, `Option.read` and the like find out.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dreamer.errors import RecipeError, UsageError
from dreamer.files import read_bounded
from dreamer.limits import JSON_BYTES, KB, TOML_BYTES, TOML_DOTS

_ENCODINGS = {  # UTF-32's mark begins with UTF-16's
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SAVE = "save it as UTF-8 (in Notepad: Save as, Encoding; in PowerShell: Set-Content -Encoding utf8)"
_BITS = 8192  # largest whole number: Python writes and reads no more than 4300 digits
_STRING = re.compile(  # of TOML, or a comment; one without an end, where parsing ends, too: nothing is tried twice
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5})?|\'\'\'(?:[^\']|\'(?!\'\'))*+(?:\'{3,5})?'
    r'|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|#[^\n]*+',
    re.DOTALL,
)
_DIGITS = 20  # of a whole number in a text, as that of a channel: nothing is so many
_BETWEEN = re.compile(r"[\n=,\[\]{}]")  # what ends a key: a float that stands there has one dot


def read_toml(path: Path, most: int = TOML_BYTES, what: str = "") -> dict[str, Any]:
    """The tables of a TOML file of at most `most` bytes; `what` it should be is said in errors. See `read_text`."""
    where = f"{path}: not a readable {what}" if what else f"{path}: cannot be read"
    return parse_toml(read_text(path, most, where), where, most)


def read_text(path: Path, most: int = TOML_BYTES, where: str = "") -> str:
    """The text of a regular file of UTF-8, with or without a byte order mark, of at most `most` bytes.

    Raises:
        RecipeError: It is no regular file, too large, or in another encoding, which is named.
        OSError: It cannot be read.
    """
    try:
        data = read_bounded(path, most)
    except UsageError as error:
        raise RecipeError(*error.problems) from None
    mark = next((mark for mark in _ENCODINGS if data.startswith(mark)), None)
    if mark or b"\0" in data:
        called = _ENCODINGS[mark] if mark else "UTF-16 or is no text"
        raise RecipeError(f"{where or path}: it is in {called}, and TOML is UTF-8; {_SAVE}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{where or path}: line {line} is not in UTF-8, as TOML is; {_SAVE}") from None


def parse_toml(text: str, where: str, most: int = TOML_BYTES) -> dict[str, Any]:
    """The tables of a TOML text of at most `most` letters; raises RecipeError, which begins with `where`."""
    _check_length(text, where, most, "TOML")
    bare = _STRING.sub(lambda found: "\n" * found[0].count("\n") or '""', text)
    start = 0
    for stop in (*(found.start() for found in _BETWEEN.finditer(bare)), len(bare)):
        if bare.count(".", start, stop) > TOML_DOTS:
            line = bare.count("\n", 0, start) + 1
            raise RecipeError(f"{where}: a name in line {line} has more than {TOML_DOTS} dots; write a shorter one")
        start = stop
    words: dict[str, Any] = _parsed(tomllib.loads, text, where, "TOML")
    return words


def parse_json(text: str, where: str, most: int = JSON_BYTES) -> Any:
    """Parse a JSON text of at most `most` letters; raises RecipeError, which begins with `where`."""
    _check_length(text, where, most, "JSON")
    return _parsed(json.loads, text, where, "JSON")


def _check_length(text: str, where: str, most: int, kind: str) -> None:
    if len(text) > most:
        raise RecipeError(f"{where}: too large; at most {most // KB} kB of {kind} are read, so shorten it")


def _parsed(loads: Callable[[str], Any], text: str, where: str, kind: str) -> Any:
    """Parse a text whose length has been checked."""
    try:
        words = loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{where}: not valid {kind} ({error})") from error
    _check(words, where)
    return words


def _check(words: Any, where: str) -> None:
    """Raise RecipeError for what Python itself cannot write again: a number of a million digits, half a character."""
    for key, value in _values(words):
        if isinstance(value, int) and value.bit_length() > _BITS:
            raise RecipeError(f"{where}: {key[:60]}: a whole number of more than {_BITS} bits; write a smaller one")
        if isinstance(value, str) and not _is_writable(value):
            raise RecipeError(f"{where}: {key[:60]}: a text with half a character (a lone surrogate); remove it")


def _values(words: Any) -> Iterator[tuple[str, Any]]:
    """(nearest key, value) of everything inside of tables and lists, and of the keys themselves."""
    waiting = [("", words)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            yield from ((inner, inner) for inner in value)
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, inner) for inner in value]
        else:
            yield key, value


def _is_writable(text: str) -> bool:
    """Whether a text can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole_number(text: str) -> int | None:
    """The number that decimal digits stand for, a huge one for more than `_DIGITS`; None for any other text."""
    if not text.isdecimal():
        return None
    return int(text) if len(text) <= _DIGITS else 10**_DIGITS  # Python refuses to read some thousands of digits
