"""Runs another program and captures what it prints.

The folder that the user is in may be a stranger's: no program and no module is taken from it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_QUIET = {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "UV_NO_PROGRESS": "1", "GIT_TERMINAL_PROMPT": "0"}
_SAFE = {"PYTHONSAFEPATH": "1", "NoDefaultCurrentDirectoryInExePath": "1"}  # for Python; for programs on Windows
_SUFFIX = ".exe" if os.name == "nt" else ""
_PATIENCE = 5  # seconds that an interrupted program gets to clean up


@dataclass(frozen=True)
class Ran:
    """A program's exit status and everything that it printed."""

    code: int
    output: str


def find_program(name: str) -> str | None:
    """The path of a program on the PATH, as `shutil.which` gives it, which may look into the current folder as well."""
    folders = filter(os.path.isabs, os.get_exec_path())
    return next(filter(None, (shutil.which(os.path.join(folder, name + _SUFFIX)) for folder in folders)), None)


def run(
    command: Sequence[str],
    environment: Mapping[str, str | None] | None = None,
    on_line: Callable[[str], None] | None = None,
    folder: Path | None = None,
) -> Ran:
    """Run a program without standard input.

    Ctrl-C reaches the program as well: it gets some seconds to clean up, and KeyboardInterrupt is raised again.

    Args:
        command: The program and its arguments.
        environment: Variables to set in addition to this process's, or, with None, to remove.
        on_line: Called with each line as it is printed.
        folder: The folder that it runs in; by default this process's.

    Raises:
        OSError: The program does not exist or cannot be started.
    """
    variables = {**os.environ, **_QUIET, **_SAFE, **(environment or {})}
    lines = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={name: value for name, value in variables.items() if value is not None},
        cwd=folder,
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
