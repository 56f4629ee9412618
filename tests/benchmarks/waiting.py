"""Time of several renders at once relative to one alone, with dreamer's limit on spinning threads and without.

    python tests/benchmarks/waiting.py [--at-once 3] [--repeats 3] [--size 400]

Each render is a process of its own with the default recipe, timed from start to end. All four cases take turns; ratios
of medians are printed. Three at once should take at most 2.7 times as long as one alone. The machine must be idle
otherwise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from dreamer.image import to_pil
from dreamer.motifs.sample_scene import scene
from dreamer.openmp import VARIABLES

SETTINGS = {
    "dreamer's": {},  # dreamer sets its own where nothing is set
    "OpenMP's": {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"},  # what libgomp and libomp do by themselves
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=400)
    asked = parser.parse_args()
    seconds: dict[tuple[str, int], list[float]] = {(name, n): [] for name in SETTINGS for n in (1, asked.at_once)}
    with TemporaryDirectory() as kept:
        photo = Path(kept) / "photo.png"
        to_pil(scene(asked.size, asked.size * 3 // 4)).save(photo)
        for _ in range(asked.repeats):
            for (name, count), times in seconds.items():
                times.append(timed(photo, count, SETTINGS[name]))
    median = {case: statistics.median(times) for case, times in seconds.items()}
    for (name, count), times in seconds.items():
        print(f"{name:9} {count} at once: {median[name, count]:6.1f} s  ({min(times):.1f} to {max(times):.1f})")
    for name in SETTINGS:
        print(f"{name:9} {asked.at_once} at once / 1 alone: {median[name, asked.at_once] / median[name, 1]:.2f}")
    alone, together = (median["dreamer's", n] / median["OpenMP's", n] for n in (1, asked.at_once))
    print(f"dreamer's / OpenMP's: 1 alone {alone:.2f}, {asked.at_once} at once {together:.2f}")


def timed(photo: Path, count: int, setting: dict[str, str]) -> float:
    """Seconds until `count` renders of the photo that were started together have ended."""
    alone = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "OMP_NUM_THREADS")}
    with TemporaryDirectory() as out:
        began = time.perf_counter()
        renders = [
            subprocess.Popen(
                [sys.executable, "-m", "dreamer", "render", photo, "-o", Path(out) / f"{number}.png"],
                env={**alone, **setting, "DREAMER_PLUGINS": ""},
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            for number in range(count)
        ]
        if any([render.wait() for render in renders]):
            raise SystemExit("a render failed")
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
