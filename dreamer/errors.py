"""dreamer's exceptions; their texts are sentences for people: what is wrong, where, and what to do.

    DreamerError
    ├── UsageError          wrong input, found before anything was computed; carries every problem at once, and is of
    │   │                   one of the next three classes where all of them are
    │   ├── PhotoError      a photo cannot be read
    │   ├── RecipeError     a preset, a recipe or an option is wrong
    │   └── NetworkError    an unknown network or layer, or weights that are missing or do not fit
    ├── PluginError         a plugin cannot be loaded or breaks a rule of its hook
    └── RenderError         something failed after the work had begun
        ├── NotFiniteError  NaN or Inf during the ascent
        └── WriteError      the picture could not be written

    KeyboardInterrupt
    └── Interrupted         Ctrl-C was pressed; carries the unfinished picture

Only the command line turns these into exit codes; only it prints them.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date, time
from typing import Any

_OPTIONS_NAMED = ContextVar("_OPTIONS_NAMED", default=False)
_SHORT = reprlib.Repr()  # how a wrong value is quoted
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlevel = 2
_MARGIN = 0.15  # names whose similarity is within this of the best one's are suggested together with it


class DreamerError(Exception):
    """Everything that dreamer raises on purpose; `str()` is a sentence for people."""

    def _render_traceback_(self) -> list[str]:
        """The lines that a notebook shows: the sentences, without dreamer's own stack."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(DreamerError):
    """Wrong input: `problems` holds every mistake found, a sentence each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PhotoError(UsageError):
    """A photo that cannot be read."""


class RecipeError(UsageError):
    """A preset, a recipe or an option that is wrong."""


class NetworkError(UsageError):
    """An unknown network or layer, or weights that are missing or do not fit."""


class PluginError(DreamerError):
    """A plugin that cannot be loaded, or that breaks a rule of its hook."""


class RenderError(DreamerError):
    """Something failed after the work had begun."""


class NotFiniteError(RenderError):
    """NaN or Inf came out of the network during the ascent."""


class WriteError(RenderError):
    """A picture that could not be written; nothing half-written is left behind."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C was pressed: `picture` is the unfinished result, of the type that the interrupted function returns.

    It is no DreamerError and no Exception, so that a loop over photos that goes on after errors ends, as it should.
    """

    def __init__(self, picture: Any) -> None:
        super().__init__("interrupted; the unfinished dream is in `picture`")
        self.picture = picture


class _Problem(str):
    """A problem's sentence, which remembers the class of the error that reported it."""

    kind: type[UsageError]


def usage_error(*problems: str, default: type[UsageError] = UsageError) -> UsageError:
    """All problems as one error: of their own class where they share one, `default` if none has one."""
    kinds = {getattr(problem, "kind", default) for problem in problems}
    return (kinds.pop() if len(kinds) == 1 else UsageError)(*problems)


@contextmanager
def collect_problems(problems: list[str]) -> Iterator[None]:
    """Add the problems of a UsageError in the block to `problems`, so that all can be reported at once."""
    try:
        yield
    except UsageError as error:
        for sentence in error.problems:
            problem = _Problem(sentence)
            problem.kind = getattr(sentence, "kind", type(error))
            if problem not in problems:
                problems.append(problem)


@contextmanager
def reported_together(error: type[UsageError] = UsageError) -> Iterator[list[str]]:
    """A list for the problems found in the block; if there are any at its end, one error with all of them is raised.

    It is an `error`, or of the class of all errors that were collected. An exception that leaves the block is raised
    as it is, without them.
    """
    problems: list[str] = []
    yield problems
    if problems:
        raise usage_error(*problems, default=error)


@contextmanager
def options_named() -> Iterator[None]:
    """A block in which sentences name options of the command line, and not arguments of Python's functions."""
    token = _OPTIONS_NAMED.set(True)
    try:
        yield
    finally:
        _OPTIONS_NAMED.reset(token)


def either(python: str, command_line: str) -> str:
    """The part of a sentence that depends on where its reader is: in Python or at the command line."""
    return command_line if _OPTIONS_NAMED.get() else python


def argument(name: str, value: Any = None, option: str = "") -> str:
    """A setting as the reader writes it, in Python or on the command line, where `option` is its value if that differs.

    >>> argument("tile", 0, "none")  # on the command line: --tile none
    'tile=0'
    """
    parts = value if isinstance(value, tuple) else (value,)
    text = option or ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in parts)
    written = "" if value is None else f"={value!r}"
    return either(f"{name}{written}", f"--{name.replace('_', '-')}{written and ' ' + text}")


def setting(table: str, key: str, value: Any) -> str:
    """A key of a recipe's table with its value, as whoever reads the sentence writes it.

    >>> setting("canvas", "frequencies", 6)  # on the command line: --set canvas.frequencies=6
    "canvas={'frequencies': 6}"
    """
    return either(f"{table}={ {key: value}!r}", f"--set {table}.{key}={str(value).lower()}")


def quoted(value: Any) -> str:
    """A wrong value for a sentence: shortened, or by its type where it is no plain value."""
    plain = (int, float, complex, str, bytes, list, tuple, dict, set, range, date, time)
    with suppress(ValueError):  # a number of more digits than Python writes
        if value is None or isinstance(value, plain):
            return _SHORT.repr(value)
    name = type(value).__qualname__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def many(count: int, noun: str) -> str:
    """So many things, in words.

    >>> many(1, "photo"), many(2, "photo")
    ('1 photo', '2 photos')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def described(error: BaseException) -> str:
    """The text of an error of somebody else's code, or its class; even its `__str__` may fail."""
    name = type(error).__name__
    try:
        return str(error) or name
    except Exception:
        return f"{name}, which cannot say what it is"


@contextmanager
def blamed_on(who: str) -> Iterator[None]:
    """Turn whatever a plugin's code raises in the block, `sys.exit` too, into a PluginError that names it.

    dreamer's own errors, Ctrl-C and lack of memory pass as they are.
    """
    try:
        yield
    except (DreamerError, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        why = described(error)
        if "out of memory" in why or "allocate memory" in why:  # as torch says it
            raise
        name = type(error).__name__
        what = why if why.startswith(name) else f"{name}: {why}"
        raise PluginError(f"{who} failed ({what}); that is its own fault") from error


def not_installed(error: ModuleNotFoundError) -> str:
    """The sentence about a missing Python package: which one, and how to install it."""
    how = "`python -m pip install dreamer-art` (in a checkout: `python -m pip install -e .`)"
    return f"the Python package {error.name} is missing; {how} installs everything that dreamer needs"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: the most similar known ones, or all of them when there are few.

    >>> did_you_mean("gogglenet", ["googlenet", "vgg16"])
    '; did you mean googlenet?'
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.6)
    if near:
        ratios = [difflib.SequenceMatcher(None, name, word).ratio() for name in near]
        near = [name for name, ratio in zip(near, ratios, strict=True) if ratio > ratios[0] - _MARGIN]
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= 12 else ""
