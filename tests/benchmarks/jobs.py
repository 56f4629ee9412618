"""How many photos a minute one process makes, and how many several do.

python tests/benchmarks/jobs.py [--photos 20] [--side 512] [--jobs 2] [--rounds 1]

Compares `render FOLDER` in one process with all cores, in one with one thread, and with --jobs, in turn; what the last
two make is compared byte by byte.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dreamer.image import encode, load, to_pil
from dreamer.motifs.sample_scene import scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("photos", 20), ("side", 512), ("jobs", 2), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    ways = {
        "one process, all cores": [],
        "one process, one thread": ["--threads", "1"],
        f"--jobs {given.jobs}": ["--jobs", str(given.jobs)],
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(given.photos):
            drawn = load(to_pil(scene(given.side, given.side * 3 // 4, seed=number)))
            (folder / "in" / f"{number:03}.png").write_bytes(encode(drawn, drawn.pixels, "PNG"))
        for _ in range(given.rounds):
            for way, words in ways.items():
                out = folder / way
                shutil.rmtree(out, ignore_errors=True)
                began = time.monotonic()
                command = [sys.executable, "-m", "dreamer", "render", f"{folder}/in", "-o", f"{out}/", *words]
                subprocess.run([*command, "--progress", "none"], check=True)
                taken[way].append(time.monotonic() - began)
        alone, together = (folder / way for way in [*ways][1:])
        same = all(filecmp.cmp(path, together / path.name, shallow=False) for path in alone.iterdir())
    for way, seconds in taken.items():
        print(f"{way:26} {given.photos * 60 / statistics.median(seconds):6.2f} photos a minute")
    first = statistics.median(taken[next(iter(ways))])
    print(f"--jobs {given.jobs} makes {first / statistics.median(taken[[*ways][-1]]):.2f} times as many as one process")
    print("the same bytes as with one thread" if same else "NOT the same bytes as with one thread")


if __name__ == "__main__":
    main()
