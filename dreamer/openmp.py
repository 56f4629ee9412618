"""Limits how long torch's threads spin, that is, wait actively for their next operation before they sleep.

torch splits an operation among the threads of an OpenMP runtime, and between two operations they spin. By default a
thread of libgomp (in torch's wheels for Linux) spins 300,000 times, and one of libomp or Intel's libiomp5 (macOS,
Windows, conda) up to 200 ms: long enough to keep the processor from other programs, so that several renders at once
take many times as long as one. A few thousand spins, less than a millisecond, are enough to catch the next operation
of a render, and do not slow it down; no spinning at all (`OMP_WAIT_POLICY=passive`) makes it a tenth slower.
`tests/benchmarks/waiting.py` measures this.

Runtimes read the environment once, while torch is imported; child processes inherit it.
"""

from __future__ import annotations

import os
import sys

SPINNING = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
"""Values that dreamer sets: spins for libgomp, milliseconds for the others; each ignores the other variable."""

VARIABLES = (*SPINNING, "OMP_WAIT_POLICY")
"""Every variable that decides how long threads spin."""


def limit_spinning() -> None:
    """Set `SPINNING`, unless the user has set one of `VARIABLES` or torch has read them already."""
    if "torch" not in sys.modules and not any(name in os.environ for name in VARIABLES):
        os.environ.update(SPINNING)


def spinning() -> str:
    """The setting in force and who made it, as a phrase for `dreamer doctor`."""
    found = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    words = ", ".join(f"{name}={value}" for name, value in found.items())
    if found == SPINNING:
        return f"{words}, set by dreamer"
    return f"{words}, set by you" if found else "OpenMP's default, because torch was imported before dreamer"
