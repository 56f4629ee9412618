"""A sweep of 3 x 3 against nine single renders: the times, their ratio, and whether every cell is the single render.

    python tests/benchmarks/sweep.py PHOTO [--size 400] [--rounds 1] [--axes strength=.4,.7,1 preset=bloom,gaze,agate]

Each is a process of its own, as at the command line; the two take turns. Of axes without a strength only the start is
shared. A sweep takes at most 0.75 of the nine renders' time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import median

from dreamer.recipes.sweeps import read_axis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--size", default="400")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--axes", nargs=2, default=["strength=.4,.7,1", "preset=bloom,gaze,agate"])
    wishes = parser.parse_args()
    axes = [read_axis(text) for text in wishes.axes]
    line = ("render", str(wishes.photo.resolve()), "--size", wishes.size)
    swept, alone = [], []
    for _ in range(wishes.rounds):
        with tempfile.TemporaryDirectory() as folder:
            at = Path(folder)
            swept.append(timed(*line, *(f"--sweep={text}" for text in wishes.axes), "-o", str(at / "sheet.jpg")))
            cells = sorted((at / "sheet").iterdir())
            total = 0.0
            for cell, texts in zip(cells, product(*(axis.texts for axis in axes)), strict=True):
                single = at / f"single{cell.suffix}"
                words = [word for axis, text in zip(axes, texts, strict=True) for word in option(axis.sets, text)]
                total += timed(*line, *words, "-o", str(single), "--force")
                same = cell.read_bytes() == single.read_bytes()
                print(f"{cell.name}: {'the same bytes' if same else 'ANOTHER PICTURE'}", flush=True)
            alone.append(total)
        print(
            f"sweep {swept[-1]:.1f} s, single renders {alone[-1]:.1f} s, ratio {swept[-1] / alone[-1]:.2f}", flush=True
        )
    print(f"ratio of medians {median(swept) / median(alone):.2f}")


def option(key: str, text: str) -> list[str]:
    return [f"--{key}", text] if key in ("preset", "network", "layer", "motif") else ["--set", f"{key}={text}"]


def timed(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dreamer", *words, "--progress", "none"], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
