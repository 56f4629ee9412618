"""How a long job tells where it is: a bar, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
import time
import traceback
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from dreamer.cli.failures import line, sentences

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dreamer.step import Step

_EVERY = 5.0  # seconds between plain lines


@dataclass(frozen=True)
class Frame:
    """Where a clip is: `number` of `total` frames and a `share` of all work are done; `doing` says what is going on.

    Another job's parts than frames have another `unit`.
    """

    number: int
    total: int
    share: float
    doing: str = ""
    unit: str = "frame"


class Quiet(AbstractContextManager["Quiet"]):
    """Tells of failures only, on stderr; the others tell something at each of these moments."""

    def __init__(self, debug: bool = False) -> None:
        self._debug = debug

    def start(self, photo: str, number: int, total: int) -> None:
        """A photo's turn, `number` from 1 of `total`."""

    def step(self, step: Step) -> None:
        """A step is done."""

    def frame(self, frame: Frame) -> None:
        """A clip has come this far."""

    def say(self, sentence: str) -> None:
        """Something that a person should know."""

    def skip(self, photo: str, result: str) -> None:
        """This very picture is on the disk already."""

    def done(self, photo: str, result: str, seconds: float) -> None:
        """A picture is on the disk."""

    def fail(self, photo: str, error: Exception) -> None:
        """A photo could not be dreamt over."""
        self._trace(error)
        for problem in sentences(error):
            self._print(f"dreamer: {line(problem if photo in problem else f'{photo}: {problem}')}")

    def interrupted(self, photo: str, partial: str) -> None:
        """Somebody pressed Ctrl-C."""
        self._print(f"dreamer: interrupted; what had been dreamt by then is {partial}")

    def __exit__(self, *error: object) -> None:
        pass

    def _trace(self, error: Exception) -> None:
        if self._debug:
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)

    def _print(self, text: str) -> None:
        click.echo(text, err=True)


class Plain(Quiet):
    """A line at the end of every octave, and at least one every few seconds."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._photo = ""
        self._began = self._spoke = 0.0

    def start(self, photo: str, number: int, total: int) -> None:
        self._photo = photo if total == 1 else f"[{number}/{total}] {photo}"
        self._began = self._spoke = time.monotonic()

    def step(self, step: Step) -> None:
        now = time.monotonic()
        if step.number + 1 < step.count and now - self._spoke < _EVERY:
            return
        self._spoke = now
        height, width = step.size
        self._print(
            f"{self._photo}: {step.share:4.0%}, octave {step.octave + 1}/{step.octaves} ({width}x{height}), "
            f"score {step.score:.4g}, {clock(_left(now - self._began, step.share))} left"
        )

    def frame(self, frame: Frame) -> None:
        now = time.monotonic()
        if frame.number < frame.total and now - self._spoke < _EVERY:
            return
        self._spoke = now
        left = clock(_left(now - self._began, frame.share))
        doing = f", {frame.doing}" if frame.doing else ""
        self._print(f"{self._photo}: {frame.share:4.0%}, {frame.unit} {frame.number}/{frame.total}{doing}, {left} left")

    def say(self, sentence: str) -> None:
        self._print(line(sentence))

    def skip(self, photo: str, result: str) -> None:
        self._print(f"{result} is done already")

    def done(self, photo: str, result: str, seconds: float) -> None:
        self._print(f"{result} is done, in {clock(seconds)}")


class Bar(Plain):
    """A bar with the share done, the time left, and the score of each octave."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f} %  {task.fields[left]:>6} left  {task.fields[now]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None
        self._scores: list[str] = []

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def start(self, photo: str, number: int, total: int) -> None:
        super().start(photo, number, total)
        self._remove()
        self._scores = []
        self._task = self._bar.add_task(self._photo, total=1.0, left="", now="")

    def step(self, step: Step) -> None:
        if self._task is None:
            return
        self._scores[step.octave :] = [f"{step.score:.3g}"]
        height, width = step.size
        now = f"octave {step.octave + 1}/{step.octaves} {width}x{height}  score {' > '.join(self._scores)}"
        left = clock(_left(time.monotonic() - self._began, step.share))
        self._bar.update(self._task, completed=step.share, left=left, now=now)

    def frame(self, frame: Frame) -> None:
        if self._task is None:
            return
        now = f"{frame.unit} {frame.number}/{frame.total}  {frame.doing}"
        left = clock(_left(time.monotonic() - self._began, frame.share))
        self._bar.update(self._task, completed=frame.share, left=left, now=now)

    def done(self, photo: str, result: str, seconds: float) -> None:
        self._remove()
        super().done(photo, result, seconds)

    def skip(self, photo: str, result: str) -> None:
        self._remove()
        super().skip(photo, result)

    def fail(self, photo: str, error: Exception) -> None:
        self._remove()
        super().fail(photo, error)

    def interrupted(self, photo: str, partial: str) -> None:
        self._remove()
        super().interrupted(photo, partial)

    def _remove(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def _print(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


class Json(Quiet):
    """One JSON object per line on stdout."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._photo = ""
        self._began = 0.0

    def start(self, photo: str, number: int, total: int) -> None:
        self._photo, self._began = photo, time.monotonic()
        _object("start", photo=photo, number=number, total=total)

    def step(self, step: Step) -> None:
        seconds = time.monotonic() - self._began
        _object(
            "step",
            photo=self._photo,
            octave=step.octave + 1,
            octaves=step.octaves,
            step=step.number + 1,
            steps=step.count,
            height=step.size[0],
            width=step.size[1],
            share=round(step.share, 4),
            score=step.score,
            left=round(_left(seconds, step.share), 1),
        )

    def frame(self, frame: Frame) -> None:
        left = _left(time.monotonic() - self._began, frame.share)
        _object(
            frame.unit,
            photo=self._photo,
            **{frame.unit: frame.number, f"{frame.unit}s": frame.total},
            share=round(frame.share, 4),
            doing=frame.doing,
            left=round(left, 1),
        )

    def say(self, sentence: str) -> None:
        _object("notice", text=sentence)

    def skip(self, photo: str, result: str) -> None:
        _object("skipped", photo=photo, result=result)

    def done(self, photo: str, result: str, seconds: float) -> None:
        _object("done", photo=photo, result=result, seconds=round(seconds, 1))

    def fail(self, photo: str, error: Exception) -> None:
        self._trace(error)
        _object("failed", photo=photo, problems=list(sentences(error)))

    def interrupted(self, photo: str, partial: str) -> None:
        _object("interrupted", photo=photo, result=partial)


def progress(kind: str) -> Quiet:
    """By name; `auto` is a bar in a terminal and plain lines elsewhere."""
    if kind == "auto":
        kind = "bar" if sys.stderr.isatty() else "plain"
    debug = bool(click.get_current_context().find_root().params.get("debug"))
    return {"bar": Bar, "plain": Plain, "json": Json, "none": Quiet}[kind](debug)


def _object(event: str, **facts: object) -> None:
    click.echo(json.dumps({"event": event, **facts}))


def _left(seconds: float, share: float) -> float:
    return seconds * (1 - share) / share if share else 0.0


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 1:05, or hours before them."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
