"""Progress of long jobs: a bar, plain lines, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
import time
import traceback
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

import click

from dreamer.cli.failures import sentences
from dreamer.cli.streams import echo, is_terminal, line
from dreamer.errors import WriteError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from torch import Tensor

    from dreamer.engine.step import Step
    from dreamer.training.train import Report


@dataclass(frozen=True)
class Frame:
    """Progress of a job: `number` of `total` units and a `share` (0 to 1) of all work are done.

    `doing` says what is being done; `unit` is what is counted, in the singular.
    """

    number: int
    total: int
    share: float
    doing: str = ""
    unit: str = "frame"


class Pace:
    """How long the rest will take, by what is done after the first report: until then much is done only once."""

    def __init__(self) -> None:
        self._since, self._before = time.monotonic(), 0.0

    def left(self, share: float) -> float:
        """Seconds, with that `share` of all done."""
        now, done = time.monotonic(), share - self._before
        left = (now - self._since) * (1 - share) / done if done > 0 else 0.0
        if not self._before:
            self._since, self._before = now, share
        return left

    def paused(self, seconds: float) -> None:
        """Leave out a time in which nothing was done."""
        self._since += seconds


class Reporter(AbstractContextManager["Reporter"]):
    """Interface for the progress of a command: one method for each kind of event."""

    def __init__(self, debug: bool = False) -> None:
        self._debug = debug
        self._photo = ""
        self._pace = Pace()

    def __exit__(self, *error: object) -> None:
        pass

    def start(self, photo: str, number: int, total: int) -> None:
        """A photo, or another job, is begun: number `number`, from 1, of `total`."""

    def step(self, step: Step) -> None:
        """A step is done."""

    def frame(self, frame: Frame) -> None:
        """A clip, or another job made of equal units, has made progress."""

    def seen(self, picture: Callable[[], Tensor]) -> None:
        """The clip's latest frame; `picture()` makes it, (1, 3, H, W) in [0, 1]."""

    def trained(self, report: Report, text: str) -> None:
        """A training has made progress; `text` is the report in words, without its share and the time left."""

    def notify(self, sentence: str) -> None:
        """A notice for the person who runs the command."""

    def skip(self, photo: str, result: str) -> None:
        """A photo or clip is skipped, since the same result already exists."""

    def done(self, photo: str, result: str, seconds: float) -> None:
        """A picture, or another result, was written."""

    @abstractmethod
    def fail(self, photo: str, error: Exception) -> None:
        """A photo could not be dreamt over."""

    @abstractmethod
    def interrupted(self, photo: str, partial: str = "") -> None:
        """The person pressed Ctrl-C; `partial` is the file or folder with the unfinished result, if there is one."""

    def _trace(self, error: Exception) -> None:
        if self._debug:
            echo("".join(traceback.format_exception(error)).rstrip(), err=True)


class SilentReporter(Reporter):
    """Reports failures only, on stderr."""

    def fail(self, photo: str, error: Exception) -> None:
        self._trace(error)
        for problem in sentences(error):
            self._print(f"dreamer: {problem if photo in problem else f'{photo}: {problem}'}")

    def interrupted(self, photo: str, partial: str = "") -> None:
        kept = f"; the unfinished result was saved as {partial}" if partial else ""
        self._print(f"dreamer: interrupted{kept}")

    def _print(self, text: str) -> None:
        echo(line(text), err=True)


class LineReporter(SilentReporter):
    """Prints a line at the end of every octave, and at least one every few seconds."""

    every: ClassVar[float] = 5.0  # seconds between two lines
    _spoke = 0.0

    def start(self, photo: str, number: int, total: int) -> None:
        self._photo = photo if total == 1 else f"[{number}/{total}] {photo}"
        self._pace, self._spoke = Pace(), time.monotonic()

    def step(self, step: Step) -> None:
        height, width = step.size
        text = f"octave {step.octave + 1}/{step.octaves} ({width}x{height}), score {step.score:.4g}"
        self._tell(step.share, text, last=step.number + 1 >= step.count)

    def frame(self, frame: Frame) -> None:
        doing = f", {frame.doing}" if frame.doing else ""
        text = f"{frame.unit} {frame.number}/{frame.total}{doing}"
        self._tell(frame.share, text, last=frame.number >= frame.total)

    def trained(self, report: Report, text: str) -> None:
        self._show(report.share, report.left, text)

    def notify(self, sentence: str) -> None:
        self._print(sentence)

    def skip(self, photo: str, result: str) -> None:
        self._print(f"{result} is already done")

    def done(self, photo: str, result: str, seconds: float) -> None:
        self._print(f"{result} is done in {clock(seconds)}")

    def _tell(self, share: float, text: str, *, last: bool) -> None:
        now, left = time.monotonic(), self._pace.left(share)
        if last or now - self._spoke >= self.every:
            self._spoke = now
            self._show(share, left, text)

    def _show(self, share: float, left: float, text: str) -> None:
        self._print(f"{self._photo}: {share:4.0%}, {text}, {clock(left)} left")


class BarReporter(LineReporter):
    """Shows a bar with the share done, the time left, and the score of each octave."""

    every = 0.0

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f} %  {task.fields[left]:>6} left  {task.fields[now]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None
        self._scores: list[str] = []

    def __enter__(self) -> BarReporter:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def start(self, photo: str, number: int, total: int) -> None:
        super().start(photo, number, total)
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._scores = []
        self._task = self._bar.add_task(line(self._photo), total=1.0, left="", now="")

    def step(self, step: Step) -> None:
        self._scores[step.octave :] = [f"{step.score:.3g}"]
        height, width = step.size
        text = f"octave {step.octave + 1}/{step.octaves} {width}x{height}  score {' > '.join(self._scores)}"
        self._tell(step.share, text, last=False)

    def _show(self, share: float, left: float, text: str) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=share, left=clock(left), now=text)

    def _print(self, text: str) -> None:
        self._bar.console.print(line(text), markup=False, emoji=False, highlight=False, soft_wrap=True)


class JsonReporter(Reporter):
    """Prints one JSON object per line on stdout."""

    def start(self, photo: str, number: int, total: int) -> None:
        self._photo, self._pace = photo, Pace()
        _object("start", photo=photo, number=number, total=total)

    def step(self, step: Step) -> None:
        at = {"octave": step.octave + 1, "octaves": step.octaves, "step": step.number + 1, "steps": step.count}
        share, left = round(step.share, 4), round(self._pace.left(step.share), 1)
        size = {"height": step.size[0], "width": step.size[1]}
        _object("step", photo=self._photo, **at, **size, share=share, score=step.score, left=left)

    def frame(self, frame: Frame) -> None:
        at = {frame.unit: frame.number, f"{frame.unit}s": frame.total}
        share, left = round(frame.share, 4), round(self._pace.left(frame.share), 1)
        _object(frame.unit, photo=self._photo, **at, share=share, doing=frame.doing, left=left)

    def trained(self, report: Report, text: str) -> None:
        _object("trained", **asdict(report))

    def notify(self, sentence: str) -> None:
        _object("notice", text=sentence)

    def skip(self, photo: str, result: str) -> None:
        _object("skipped", photo=photo, result=result)

    def done(self, photo: str, result: str, seconds: float) -> None:
        _object("done", photo=photo, result=result, seconds=round(seconds, 1))

    def fail(self, photo: str, error: Exception) -> None:
        self._trace(error)
        _object("failed", photo=photo, problems=list(sentences(error)))

    def interrupted(self, photo: str, partial: str = "") -> None:
        _object("interrupted", photo=photo, result=partial or None)


def progress(kind: str) -> Reporter:
    """Return the reporter of that name; `auto` is a bar in a terminal and plain lines elsewhere.

    A program that invokes the command itself gives a reporter of its own, as its context's object.
    """
    if isinstance(given := click.get_current_context().obj, Reporter):
        return given
    if kind == "auto":
        kind = "bar" if is_terminal(sys.stderr) else "plain"
    debug = bool(click.get_current_context().find_root().params.get("debug"))
    kinds: dict[str, type[Reporter]] = {"bar": BarReporter, "plain": LineReporter, "json": JsonReporter}
    return kinds.get(kind, SilentReporter)(debug)


def counting(reporter: Reporter, unit: str, total: int) -> Callable[[int], None]:
    """Return a function that reports how many of `total` units are done.

    Its first call says how many were done before this run.
    """
    before: int | None = None

    def count(number: int) -> None:
        nonlocal before
        if before is None:
            before = number
        elif number > before:
            reporter.frame(Frame(number, total, (number - before) / (total - before), unit=unit))

    return count


def _object(event: str, **facts: object) -> None:
    with suppress(WriteError, OSError):  # nobody may be reading any more; the work goes on
        echo(json.dumps({"event": event, **facts}))


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, 1:05, or as hours, minutes and seconds, 1:00:05."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
