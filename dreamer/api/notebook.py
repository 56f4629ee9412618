"""Progress in a notebook, where nobody has asked for another."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dreamer.engine.step import Step


@contextmanager
def watched(on_step: Callable[[Step], None] | None) -> Iterator[Callable[[Step], None]]:
    """What is called after each step: `on_step`, or in a notebook a bar; elsewhere nothing is shown."""
    if on_step is not None or not in_notebook():
        yield on_step or (lambda step: None)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), transient=True) as bar:
        task = bar.add_task("dreaming", total=1.0)

        def show(step: Step) -> None:
            height, width = step.size
            text = f"octave {step.octave + 1}/{step.octaves}, {width}x{height}, score {step.score:.3g}"
            bar.update(task, completed=step.share, description=text)

        yield show


def in_notebook() -> bool:
    """Whether this is a kernel of Jupyter's."""
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return ipython is not None and hasattr(ipython, "kernel")
