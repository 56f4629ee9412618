"""The queue, on disk: one small file for each job, so that neither a closed page nor a power cut loses one."""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError
from dreamer.files import read_bounded, write_atomically

WAITING, RUNNING, DONE, STOPPED, FAILED = _STATES = "waiting", "running", "done", "stopped", "failed"
MOST_TRIES = 3
"""Number of tries of a job whose engine ends in the middle."""
_LARGEST = 2**20
_DEEPEST = 16  # levels of what a page asks for
_OUTPUT = re.compile(r"[^./\\\0-][^/\\\0]{0,250}\.(jpg|png|webp|tif|mp4|webm|gif)")
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("id", "output", "command", "state", "result"), str),
    **{"number": int, "tries": int, "settings": dict, "seconds": (int, float), "made": (int, float)},
}


@dataclass(frozen=True)
class Job:
    """One dream that was asked for.

    Attributes:
        id: Of 16 hexadecimal digits.
        number: Its place in the queue.
        settings: What the page asked for.
        output: The name of the file to write, in the folder.
        command: The same as a shell's command, for people to read; the work itself follows from settings and output.
        state: `waiting`, `running`, `done`, `stopped` or `failed`.
        tries: How often it was begun.
        result: The name of the file written, in the folder.
        problems: Why it failed, a sentence each.
        notices: What there was to say.
        seconds: How long it took.
    """

    id: str
    number: int
    settings: Mapping[str, Any]
    output: str
    command: str
    state: str = WAITING
    tries: int = 0
    result: str = ""
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    seconds: float = 0.0
    made: float = field(default_factory=time.time)


class Jobs:
    """All jobs of a folder, by id, in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = [job for path in folder.glob("*.json") if (job := _read(path))]
        self._jobs = {job.id: job for job in sorted(found, key=lambda job: job.number)}
        for job in self.all():
            if job.state == RUNNING:  # when the studio ended
                self.again(job.id)

    def all(self) -> list[Job]:
        """Every job, in the order of the queue."""
        return list(self._jobs.values())

    def get(self, id: str) -> Job | None:
        """The job of an id."""
        return self._jobs.get(id)

    def add(self, settings: Mapping[str, Any], output: str, command: str) -> Job:
        """Append a job. Raises UsageError for one that would not be there when the studio is opened again."""
        number = max((job.number for job in self._jobs.values()), default=0) + 1
        job = Job(secrets.token_hex(8), number, settings, output, command)
        if _job(job.id, _data(job)) is None:
            raise UsageError("this dream cannot be kept in the queue: its settings are too large; ask for less at once")
        self._write(job)
        self._jobs[job.id] = job
        return job

    def change(self, id: str, **changes: Any) -> Job:
        """Change a job, on disk as well. Raises WriteError where the disk refuses that; the job is changed even so."""
        job = self._jobs[id] = replace(self._jobs[id], **changes)
        self._write(job)
        return job

    def again(self, id: str) -> Job:
        """Put a job whose engine ended back into its place, or give it up after several tries."""
        if self._jobs[id].tries < MOST_TRIES:
            return self.change(id, state=WAITING)
        sentence = f"the engine ended {MOST_TRIES} times while it made this; a smaller size takes less memory"
        return self.change(id, state=FAILED, problems=(sentence,))

    def next(self) -> Job | None:
        """The first that waits."""
        return next((job for job in self._jobs.values() if job.state == WAITING), None)

    def remove(self, id: str) -> None:
        """Forget a job; the picture that it made stays."""
        (self._folder / f"{id}.json").unlink(missing_ok=True)
        self._jobs.pop(id, None)

    def _write(self, job: Job) -> None:
        write_atomically(self._folder / f"{job.id}.json", _data(job))


def _data(job: Job) -> bytes:
    return json.dumps(asdict(job)).encode()


def _read(path: Path) -> Job | None:
    with suppress(Exception):
        return _job(path.stem, read_bounded(path, _LARGEST))
    return None


def _job(id: str, data: bytes) -> Job | None:
    """The job in a file, which a stranger may have put there; None for one that makes no sense."""
    with suppress(Exception):
        words = json.loads(data)
        lists = {key: tuple(map(str, words[key])) for key in ("problems", "notices")}
        job = Job(**{**words, **lists})
        right = all(isinstance(getattr(job, name), kind) for name, kind in _TYPES.items())
        if (
            right
            and len(data) <= _LARGEST
            and is_plain(words)
            and job.state in _STATES
            and id == job.id
            and is_name(job.output)
            and (not job.result or is_name(job.result))
        ):
            return job
    return None


def is_plain(value: object, depth: int = _DEEPEST) -> bool:
    """Whether JSON can be told to a page: nested at most so deeply, and every number finite."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    right = not isinstance(value, (int, float)) or is_finite(value)
    return right and depth > 0 and all(is_plain(one, depth - 1) for one in inner)


def is_finite(number: float) -> bool:
    """Whether a float holds the number: JSON has whole ones that none does."""
    with suppress(OverflowError):
        return math.isfinite(number)
    return False


def is_name(text: str) -> bool:
    """Whether this is the name of a picture or clip that the studio writes, and no path."""
    return _OUTPUT.fullmatch(text) is not None
