"""Errors as sentences for a person and as exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import click

from dreamer.cli.streams import echo, line
from dreamer.errors import DreamerError, UsageError, not_installed

_MOST = 20  # sentences printed for one error


def exit_code(error: BaseException) -> int:
    """Return 1 for a failure after work had begun, 2 for wrong usage, input or recipe, 130 for an interruption."""
    if isinstance(error, click.Abort):
        return 130
    return 2 if isinstance(error, (UsageError, click.UsageError)) else 1


def sentences(error: Exception) -> Sequence[str]:
    """Return the error as sentences, one for each problem; unforeseen errors become one, too."""
    match error:
        case UsageError():
            return error.problems
        case DreamerError():
            return [str(error)]
        case ModuleNotFoundError():
            return [f"{not_installed(error)}; run again with --debug for the traceback"]
        case click.Abort():
            return ["interrupted"]
        case click.MissingParameter() if error.param:
            is_option = isinstance(error.param, click.Option)
            name = " or ".join(error.param.opts) if is_option else error.param.human_readable_name.removesuffix("...")
            return [f"{name} is missing{_see_help(error)}"]
        case click.BadParameter() if error.param:
            return [f"{max(error.param.opts, key=len)}: {_misfit(error.message, error.param.type)}{_see_help(error)}"]
        case click.UsageError():
            return [_clause(error.format_message()) + _see_help(error)]
        case click.ClickException():
            return [error.format_message()]
        case OSError(strerror=str(why), filename=str(name)):
            return [f"{name}: {why}"]
        case FileNotFoundError(filename=None) if not _here():
            return ["the current folder has been deleted; change to another one"]
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error):
        return ["out of memory; try a smaller --size, or --tile 256"]
    return [f"internal error ({type(error).__name__}: {error}); run again with --debug for the traceback"]


def _here() -> bool:
    """Whether the current folder still exists."""
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def tell(problems: Sequence[str], *, as_json: bool) -> None:
    """Print what ended a command, other than a problem of a single photo."""
    if as_json:
        echo(json.dumps({"event": "failed", "photo": None, "problems": list(problems)}))
        return
    for problem in problems[:_MOST]:
        echo(f"dreamer: {line(problem)}", err=True)
    if len(problems) > _MOST:
        echo(f"dreamer: ... and {len(problems) - _MOST} more", err=True)


def _clause(sentence: str) -> str:
    """click's sentence, for use inside another one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _misfit(sentence: str, type: object) -> str:
    """click's sentence about a value of an option, in which a number is called what it has to be."""
    value, found, _ = sentence.rpartition(" is not ")
    if not found or not isinstance(type, (click.types.IntParamType, click.types.FloatParamType)):
        return _clause(sentence)
    number = "a whole number" if isinstance(type, click.types.IntParamType) else "a number"
    low, high = getattr(type, "min", None), getattr(type, "max", None)
    first, last = ("above", "and up to") if getattr(type, "min_open", False) else ("from", "to")
    return f"{value} is not {number}" + f" {first} {low}" * (low is not None) + f" {last} {high}" * (high is not None)


def _see_help(error: click.UsageError) -> str:
    return f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
