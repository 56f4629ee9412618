"""One table of what dreamer aims at, and what this machine gives: name, goal, measured, ok or not.

    python -m tests.benchmarks                        # all, in under ten minutes on two cores that are idle
    python -m tests.benchmarks --quick                # the smaller half, in about one
    python -m tests.benchmarks --against FOLDER       # also pytorch-deepdream's, of which FOLDER is a checkout

Times are ratios of medians, taken in turn in one run; networks have random weights, so nothing is downloaded, except
with --against: there both programs dream with the networks' own weights, each as a whole process.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import memory
import speed
import torch
from dials import correlation
from networks import calibrated
from PIL import Image

from dreamer import __version__
from dreamer.image import blurred, load, resize, to_pil
from dreamer.motifs.sample_scene import scene
from dreamer.networks.prepare import bfloat16_pays
from dreamer.pipeline.build import build
from dreamer.pipeline.enlarging import Enlargement
from dreamer.plugins.loading import load_plugins


@dataclass(frozen=True)
class Row:
    """A thing that is measured; it should be `goal` at most, or at least where `least`."""

    name: str
    goal: float
    found: float
    least: bool = False

    def __str__(self) -> str:
        ok = self.found >= self.goal if self.least else self.found <= self.goal
        return (
            f"{self.name:64} {'>=' if self.least else '<='} {self.goal:<6g} {self.found:8.3f}  {'ok' if ok else 'NOT'}"
        )


def rows(quick: bool, against: Path | None) -> Iterator[Row]:
    """Measure one after the other."""
    network, layer = calibrated("googlenet"), "inception4c"
    size, repeats, steps = ((512, 341), 1, 3) if quick else ((1024, 683), 3, 10)
    names = ("float32",) if quick or not bfloat16_pays("cpu") else ("float32", "bfloat16")
    seconds = speed.measured(network, layer, repeats, size, names, steps)
    median = {name: statistics.median(took) for name, took in seconds.items()}
    for name in names:
        yield Row(f"render / bare passes, googlenet, {name}", 1.1, median[f"render {name}"] / median[f"bare {name}"])
    if "bfloat16" in names:
        yield Row("render in bfloat16 / in float32", 0.8, median["render bfloat16"] / median["render float32"])
    yield Row(
        "cosine of the gradients in bfloat16 and float32, random weights",
        0.99,
        speed.cosine(network, layer),
        least=True,
    )
    yield Row("`dreamer render` without a photo answers, seconds", 0.3, refusal(3 if quick else 9))
    yield Row("`dreamer render` has made its first step, seconds", 2, first_step(3 if quick else 9))
    if not quick:
        yield Row("memory, bytes a pixel, tile 512", 48, memory.bytes_a_pixel(512))
    proof, large = (600, 900) if quick else (600, 2400)
    name = f"correlation of a proof of {proof} pixels and a print of {large}"
    yield Row(name, 0.85, enlarged(proof, large), least=True)
    if against:
        for network, at in (("googlenet", "inception4c"), ("vgg16", "relu4_3")):
            for name, goal in zip(names, (0.5, 0.35), strict=False):
                found = beside(against, 1 if quick else 3, network, at, name)
                yield Row(f"whole process / pytorch-deepdream's, {network}, {name}", goal, found)


def refusal(repeats: int) -> float:
    """The median seconds until a wrong command is refused."""
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dreamer", "render"], stderr=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def first_step(repeats: int) -> float:
    """The median seconds from a command to the end of its first step."""
    took = []
    with TemporaryDirectory() as folder:
        words = ["render", "--sample", "-o", str(Path(folder).resolve() / "dream.png"), "--progress", "json"]
        for _ in range(repeats):
            began = time.perf_counter()
            command = [sys.executable, "-m", "dreamer", *words]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
                assert running.stdout is not None
                next(line for line in running.stdout if '"event": "step"' in line)
                took.append(time.perf_counter() - began)
                running.kill()
    return statistics.median(took)


def enlarged(proof: int, size: int) -> float:
    """The correlation of a proof's change and its print's on a grid of 64 pixels, at the default look."""
    photo = load(to_pil(scene(size, size * 2 // 3)))
    way = Enlargement.planned(build({}, load_plugins()[0]), photo, size, proof)
    small = change = way.proof(photo.resized(max(way.first.size)))
    for number in range(len(way.octaves)):
        change = way.octave(number, change)
    low = [resize(blurred(one, one.shape[-1] / 128), (43, 64))[0].numpy() for one in (small, change)]
    return correlation(*low)


def beside(checkout: Path, repeats: int, network: str, layer: str, precision: str) -> float:
    """Seconds of `dreamer render` over those of pytorch-deepdream at 1024x683, 4 octaves x 1.4, 10 steps, in turn."""
    ours, theirs = [], []
    with TemporaryDirectory() as folder:
        photo = Path(folder).resolve() / "photo.png"
        to_pil(scene(1024, 683)).save(photo)
        words = f"--network {network} --layer {layer} --precision {precision} --tile none"
        words += " --set octaves.count=4 --set octaves.scale=1.4 --set octaves.steps=10"
        dreamer = [sys.executable, "-m", "dreamer", "render", photo, "-o", photo.with_name("dream.jpg"), "--force"]
        words_there = f"--img_width 1024 --model_name {network.upper()} --pretrained_weights IMAGENET"
        words_there += f" --layers_to_use {layer} --pyramid_size 4 --pyramid_ratio 1.4"
        words_there += " --num_gradient_ascent_iterations 10"
        other = [sys.executable, "deepdream.py", "--input", photo, *words_there.split()]
        for _ in range(repeats + 1):  # the first turn warms up
            for took, command, where in ((ours, [*dreamer, *words.split()], None), (theirs, other, checkout)):
                began = time.perf_counter()
                subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                took.append(time.perf_counter() - began)
    return statistics.median(ours[1:]) / statistics.median(theirs[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="A checkout of pytorch-deepdream.")
    asked = parser.parse_args()
    os.environ["DREAMER_PLUGINS"] = ""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.system()}; ",
        end="",
    )
    print(f"dreamer {__version__}, torch {torch.__version__}, Pillow {Image.__version__}, {platform.python_version()}")
    began = time.perf_counter()
    for row in rows(asked.quick, asked.against):
        print(row, flush=True)
    print(f"in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
