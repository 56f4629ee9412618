"""The standard streams: strangers' names are printed harmlessly, and a closed or full stream costs only the telling."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import click

from dreamer.errors import WriteError

_LONGEST = 600  # letters of a sentence


def line(text: str) -> str:
    """Return a sentence on one line without control characters: names and recipes may come from strangers."""
    plain = harmless(text.replace("\t", " "))
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]} ..."


def harmless(text: str) -> str:
    """Return the text with control characters other than tab replaced by spaces."""
    return "".join(letter if letter.isprintable() or letter == "\t" else " " for letter in text)


def echo(text: str = "", *, err: bool = False) -> None:
    """Print lines, harmless ones, on stdout or stderr.

    Raises WriteError if stdout cannot be written, as on a full disk, and BrokenPipeError if its reader has closed it.
    Nothing is raised for stderr.
    """
    plain = "\n".join(harmless(part) for part in text.split("\n"))
    try:
        click.echo(plain, err=err)
    except OSError as error:
        if not err:
            _abandon(sys.stdout)
            if error.errno == errno.EPIPE:
                raise
            raise WriteError(f"standard output cannot be written: {error.strerror or error}") from error


def guard_streams() -> None:
    """Give every standard stream something that can be written to, at the beginning of a command.

    A stream that is closed becomes one to nowhere; otherwise the next file that is opened would get its number, and
    what libraries print would land in it. On stderr nothing fails, and on stdout no character does.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    with suppress(AttributeError, ValueError, OSError):  # it may be any object with a `write`
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not isinstance(sys.stderr, _Forgiving):
        sys.stderr = _Forgiving(sys.stderr)


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal; a closed one is not."""
    with suppress(ValueError, OSError, AttributeError):
        return stream.isatty()
    return False


def _abandon(stream: Any) -> None:
    """Lead a stream nowhere, so that what it still holds cannot fail when Python exits and change the exit code."""
    with suppress(AttributeError, ValueError, OSError):
        number = os.open(os.devnull, os.O_WRONLY)
        os.dup2(number, stream.fileno())
        os.close(number)


class _Forgiving:
    """A stream that falls silent where it cannot be written to: the disk is full, or nobody reads it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed stream raises ValueError
            _abandon(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _abandon(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
