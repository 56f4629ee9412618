"""Runs another program and captures what it prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_QUIET = {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "UV_NO_PROGRESS": "1", "GIT_TERMINAL_PROMPT": "0"}
_PATIENCE = 5  # seconds that an interrupted program gets to clean up


@dataclass(frozen=True)
class Ran:
    """A program's exit status and everything that it printed."""

    code: int
    output: str


def run(
    command: Sequence[str],
    environment: Mapping[str, str | None] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Ran:
    """Run a program without standard input.

    Ctrl-C reaches the program as well: it gets some seconds to clean up, and KeyboardInterrupt is raised again.

    Args:
        command: The program and its arguments.
        environment: Variables to set in addition to this process's, or, with None, to remove.
        on_line: Called with each line as it is printed.

    Raises:
        OSError: The program does not exist or cannot be started.
    """
    variables = {**os.environ, **_QUIET, **(environment or {})}
    lines = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={name: value for name, value in variables.items() if value is not None},
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                lines.append(line)
                if on_line:
                    on_line(line.rstrip())
        except BaseException:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    return Ran(process.returncode, "".join(lines))
