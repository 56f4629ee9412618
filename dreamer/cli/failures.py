"""What went wrong, as sentences and as an exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from dreamer.errors import DreamerError, Interrupted, UsageError, not_installed

_MOST, _LONGEST = 20, 600  # sentences told of in full, letters of one


def exit_code(error: BaseException) -> int:
    """1 failed after the work had begun; 2 wrong usage, input or recipe; 130 interrupted."""
    if isinstance(error, (Interrupted, click.Abort)):
        return 130
    return 2 if isinstance(error, (UsageError, click.UsageError)) else 1


def sentences(error: Exception) -> Sequence[str]:
    """The error in words, each problem a sentence; what nobody foresaw, too."""
    match error:
        case UsageError():
            return error.problems
        case DreamerError():
            return [str(error)]
        case ModuleNotFoundError():
            return [f"{not_installed(error)}; --debug shows where"]
        case click.Abort():
            return ["interrupted"]
        case click.MissingParameter() if error.param:
            return [f"{' or '.join(error.param.opts)} is missing{_see_help(error)}"]
        case click.BadParameter() if error.param:
            return [f"{max(error.param.opts, key=len)}: {_amid(error.message)}{_see_help(error)}"]
        case click.UsageError():
            return [_amid(error.format_message()) + _see_help(error)]
        case click.ClickException():
            return [error.format_message()]
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error):
        return ["the memory is used up; try a smaller --size, or --tile 256"]
    return [f"something broke inside ({type(error).__name__}: {error}); --debug shows where"]


def tell(problems: Sequence[str], *, as_json: bool) -> None:
    """What ended a command, before or outside of its photos."""
    if as_json:
        click.echo(json.dumps({"event": "failed", "photo": None, "problems": list(problems)}))
        return
    for problem in problems[:_MOST]:
        click.echo(f"dreamer: {line(problem)}", err=True)
    if len(problems) > _MOST:
        click.echo(f"dreamer: ... and {len(problems) - _MOST} more", err=True)


def line(text: str) -> str:
    """The text on one line, harmless to a terminal: names and recipes may be a stranger's."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]} ..."


def _amid(sentence: str) -> str:
    """click's sentence as a part of another."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _see_help(error: click.UsageError) -> str:
    return f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
