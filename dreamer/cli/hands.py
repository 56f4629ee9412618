"""--jobs and --on: how many hands work at once, and where."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.options import option, together
from dreamer.cli.values import ParamType
from dreamer.errors import DreamerError, RenderError, UsageError
from dreamer.units.pool import Pool
from dreamer.units.unit import Order

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.pipeline.pipeline import Pipeline

MOST = 10_000
THREADS = 1  # for each unit: processes of one thread each make the most (tests/benchmarks/jobs.py)
_GB = 2**30
_MEMORY = {"cuda": 8 * _GB}  # bytes that one pass of a unit may take; elsewhere:
_USUAL = 2 * _GB
_BESIDE = _GB // 2  # bytes that a process takes besides


class _Jobs(ParamType):
    """A number of jobs; 0 stands for auto."""

    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail with a sentence."""
        if isinstance(value, int):
            return value
        if value == "auto":
            return 0
        if value.isdecimal() and len(value) < 6 and 1 <= int(value) <= MOST:
            return int(value)
        self.fail(f"expected auto or a number from 1 to {MOST}, not {value!r}", param, ctx)


def jobs_options(what: str) -> Callable[[Any], Any]:
    """Return --jobs and --on; `what` names the units of work, in the plural."""
    return together(
        option(
            "--jobs",
            type=_Jobs(),
            metavar="N|auto",
            help=f"Number of processes at work on {what}, each with one thread.",
        ),
        option("--on", metavar="ray|ray://HOST:PORT", help=f"Work on {what} with the machines of a Ray cluster."),
    )


@dataclass(frozen=True)
class Hands:
    """The values of --jobs and --on."""

    jobs: int | None
    on: str | None
    on_any: bool = True
    """Whether nobody has said on what device: a cluster's GPUs are used, then, where this machine has none, too."""

    @classmethod
    def read(cls, options: dict[str, Any], problems: list[str]) -> Hands:
        """Take --jobs and --on out of a command's options, and set --threads to 1 for each unit if it is not given."""
        found = cls(options.pop("jobs"), options.pop("on"), options.get("device") in (None, "auto"))
        if found.on and found.on != "ray" and not found.on.startswith("ray://"):
            problems.append(f"--on {found.on}: expected ray, or the address of a cluster as in ray://192.168.0.2:6379")
        elif found.on:
            from dreamer.units.rays import check_installed

            try:
                check_installed()
            except UsageError as error:
                problems += [f"--on {found.on}: {problem}" for problem in error.problems]
        if found and options.get("threads") is None:
            options["threads"] = THREADS
        return found

    def __bool__(self) -> bool:
        return self.jobs is not None or self.on is not None

    def hire(self, machine: Machine) -> Callable[[Order, str], Pool]:
        """A function that makes a pool of local processes or of a cluster's actors, each with the machine's threads."""
        threads, on_gpu = machine.threads, machine.device == "cuda"
        here = {"OMP_NUM_THREADS": str(threads)}
        if self.on:
            from dreamer.units.rays import Actors

            address = None if self.on == "ray" else self.on
            needs = (self.jobs or 0, threads, on_gpu or (None if self.on_any else False), _USUAL + _BESIDE)
            return lambda order, mark: Actors(order, mark, address, *needs, here)
        from dreamer.units.processes import Processes

        cards = _cards() if on_gpu else []
        count = self.jobs or len(cards) or _carried(threads)
        environments = [here | ({"CUDA_VISIBLE_DEVICES": cards[n % len(cards)]} if cards else {}) for n in range(count)]
        return lambda order, mark: Processes(order, mark, environments)


def order_of(maker: str, **words: Any) -> Order:
    """The order of a command for the current folder."""
    return Order(maker, words, str(Path.cwd()))


def failure(problems: Sequence[str], code: int) -> DreamerError:
    """The error for problems that another process reported with an exit code."""
    return UsageError(*problems) if code == 2 else RenderError("; ".join(problems))


def bounded(pipeline: Pipeline) -> Pipeline:
    """The pipeline with tiles that do not depend on what else runs, so that its bytes do not either."""
    memory = _MEMORY.get(pipeline.machine.device.partition(":")[0], _USUAL)
    return replace(pipeline, memory=memory)


def _carried(threads: int) -> int:
    """The number of processes, each of so many threads, that this machine's cores and memory allow."""
    from dreamer.engine.device import available_memory

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // threads, available_memory("cpu") // (_USUAL + _BESIDE)))


def _cards() -> list[str]:
    """The graphics cards that this process sees, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named or [str(number) for number in range(torch.cuda.device_count())]
