"""A Ray cluster on this machine alone: on loopback, without a dashboard, and with a token that every request needs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from dreamer.errors import RenderError, UsageError
from dreamer.files import make_folder, read_bounded, write_atomically
from dreamer.files.folders import cache_folder

MODE, TOKEN, TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
"""Variables by which Ray is told to ask for a token, and which."""
_NOTE = 2**16  # bytes of what is noted of a cluster
_PATIENCE = 60.0  # seconds until the cluster has to answer
_LONGEST = 24  # bytes of the name of the temporary folder: those of sockets in it may have 107, and Ray's have 80
_SCRATCH = "dreamer-ray-"  # what the names of temporary folders begin with; no other folder is ever removed
STORE = 80 * 2**20
"""Bytes of the object store, about the least that Ray takes: what goes through it are words."""


def found() -> str | None:
    """The address of the cluster that `up` has begun, while it runs; its token is in the environment from now on.

    Ray reads the environment when it is imported first.
    """
    note = _noted()
    if not _runs(note):
        return None
    os.environ |= {MODE: "token", TOKEN_FILE: str(_token())}
    return str(note["address"])


def up(cores: int | None) -> str:
    """Begin a cluster and return its address. Raises UsageError if there is one, RenderError if it does not begin."""
    if _runs(_noted()):
        raise UsageError(f"a cluster is up, at {_noted()['address']}; `dreamer cluster down` ends it")
    make_folder(cache_folder())
    _token().unlink(missing_ok=True)
    with open(os.open(_token(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # never readable to others
        file.write(secrets.token_hex(32))
    address = f"127.0.0.1:{_free_port()}"
    words = ["start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={address.rpartition(':')[2]}"]
    words += ["--include-dashboard=false", "--disable-usage-stats", f"--object-store-memory={STORE}"]
    words += [f"--num-cpus={cores}"] if cores else []
    words += [f"--temp-dir={scratch}"] if (scratch := scratch_folder()) else []
    with _log().open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ray.scripts.scripts", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, MODE: "token", TOKEN_FILE: str(_token())},
            cwd=cache_folder(),
            start_new_session=True,
        )
    until = time.monotonic() + _PATIENCE
    try:
        while b"Ray runtime started" not in _log().read_bytes():
            if process.poll() is not None or time.monotonic() > until:
                raise RenderError(f"the cluster did not begin; {_log()} says why")
            time.sleep(0.1)
        began = psutil.Process(process.pid).create_time()
        note = {"address": address, "pid": process.pid, "began": began, "scratch": str(scratch or "")}
        write_atomically(_note(), json.dumps(note).encode())
    except BaseException:  # Ctrl-C too: nobody could end a cluster of which there is no note
        _end(process.pid)
        process.wait()
        remove_scratch(scratch)
        raise
    return address


def down() -> None:
    """End the cluster that `up` has begun. Raises UsageError if there is none."""
    note = _noted()
    if not _runs(note):
        raise UsageError("no cluster is up on this machine; `dreamer cluster up` begins one")
    _end(note["pid"])
    remove_scratch(Path(scratch) if (scratch := note.get("scratch")) else None)
    for path in (_note(), _token(), _log()):
        path.unlink(missing_ok=True)


def scratch_folder() -> Path | None:
    """A new folder for sockets and logs of a cluster; None where its name would be too long for a socket's."""
    if len(tempfile.gettempdir()) > _LONGEST:
        return None
    return Path(tempfile.mkdtemp(prefix=_SCRATCH))


def remove_scratch(folder: Path | None) -> None:
    """Remove the folder of a cluster that has ended."""
    if folder is not None and folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith(_SCRATCH):
        shutil.rmtree(folder, ignore_errors=True)


def _end(pid: int) -> None:
    """End a process and all that it has started."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        everybody = [process, *process.children(recursive=True)]
        process.terminate()
        _, left = psutil.wait_procs(everybody, timeout=10)
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _note() -> Path:
    return cache_folder() / "cluster.json"


def _token() -> Path:
    return cache_folder() / "cluster.token"


def _log() -> Path:
    return cache_folder() / "cluster.log"


def _noted() -> dict[str, Any]:
    """The note about the cluster that is up; empty without one, and where it cannot be read."""
    with suppress(OSError, UsageError, ValueError, RecursionError):
        note = json.loads(read_bounded(_note(), _NOTE))
        if isinstance(note, dict) and all(isinstance(note.get(key, ""), str) for key in ("address", "scratch")):
            return note
    return {}


def _runs(note: dict[str, Any]) -> bool:
    """Whether the cluster of a note is there: its process, and not another one that has got its number."""
    with suppress(KeyError, TypeError, ValueError, OverflowError, psutil.NoSuchProcess):
        return "address" in note and psutil.Process(note["pid"]).create_time() == float(note["began"])
    return False


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
