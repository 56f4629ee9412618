"""How long the threads that torch computes with wait actively for their next work, before they sleep.

torch splits an operation among the threads of an OpenMP runtime, and between two operations they spin. By itself a
thread of libgomp (in torch's wheels for Linux) spins 300,000 times, and one of libomp or Intel's libiomp5 (macOS,
Windows, conda) up to 200 ms: long enough to keep the processor from whatever else runs. Several renders at once then
take many times as long as one. A few thousand spins, below a millisecond, are enough to catch the next operation of
a render and cost it nothing; not to spin at all (`OMP_WAIT_POLICY=passive`) costs a tenth of its time.
`tests/benchmarks/waiting.py` measures it.

Runtimes read the environment once, while torch is imported; child processes inherit it.
"""

from __future__ import annotations

import os
import sys

SPINNING = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
"""What dreamer sets: libgomp's number of spins, and milliseconds for the others. Each ignores the other's."""

VARIABLES = (*SPINNING, "OMP_WAIT_POLICY")
"""What decides how long threads spin."""


def limit_spinning() -> None:
    """Set `SPINNING`, unless a person has set one of `VARIABLES`, or torch has read them already."""
    if "torch" not in sys.modules and not any(name in os.environ for name in VARIABLES):
        os.environ.update(SPINNING)


def spinning() -> str:
    """The setting in force, and whose it is, in words."""
    found = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    words = ", ".join(f"{name}={value}" for name, value in found.items())
    if found == SPINNING:
        return f"{words}, set by dreamer"
    return f"{words}, set by you" if found else "OpenMP's own, since torch was imported before dreamer"
