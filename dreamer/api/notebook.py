"""Progress in a notebook, where nobody has asked for another."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dreamer.engine.step import Step

_EVERY = 0.1  # seconds between two changes of the bar


@contextmanager
def watched(on_step: Callable[[Step], None] | None) -> Iterator[Callable[[Step], None]]:
    """Yield the callback for each step: `on_step`, else a progress bar in a notebook, else one that does nothing."""
    if on_step is not None or not in_notebook():
        yield on_step or (lambda step: None)
        return
    from IPython.display import HTML, display

    shown, spoke = display(HTML("dreaming"), display_id=True), 0.0

    def show(step: Step) -> None:
        nonlocal spoke
        if time.monotonic() - spoke > _EVERY:
            spoke = time.monotonic()
            height, width = step.size
            text = f"octave {step.octave + 1}/{step.octaves}, {width}x{height}, score {step.score:.3g}"
            shown.update(HTML(f'<progress value="{step.share:.3f}"></progress> {text}'))

    try:
        yield show
    finally:
        shown.update(HTML(""))


def in_notebook() -> bool:
    """Whether this is a kernel of Jupyter's."""
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return ipython is not None and hasattr(ipython, "kernel")
