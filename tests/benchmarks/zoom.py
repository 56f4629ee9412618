"""Measure the drift, cost, motion, loop and crash safety of zooms.

    python tests/benchmarks/zoom.py drift [PHOTO] [--mode feedback] [--seconds 10] [--every 5] [--network N --weights F]
    python tests/benchmarks/zoom.py cost PHOTO [--size 1280]
    python tests/benchmarks/zoom.py motion
    python tests/benchmarks/zoom.py loop PHOTO
    python tests/benchmarks/zoom.py kill PHOTO [--times 10]

`drift` makes a clip of ten seconds at 30 frames a second and prints over its frames: the energy of the high bands
(finer than 8 pixels) relative to its median; how far brightness, colour and contrast move away from the same zoom of
the photo alone; the share of newly clipped values; and how much each keyframe changes, compared with a render.
Brightness is mean luma and colour mean chroma, both minus the photo's at the same time and relative to the photo's mean
at the start; contrast is the deviation of luma relative to the photo's at the same time. A photo becomes blurred and
loses contrast as the zoom goes deeper, which the dream must fill: so contrast means something only for a picture with
detail at every scale, which `drift` uses without a PHOTO: clouds of power 1 / f^2, 4096 pixels wide.
`cost` is the time per frame of a whole clip, with its keyframes, relative to one render of the same size.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamer.api import load_network, registry
from dreamer.engine.device import keep_freed_memory
from dreamer.engine.laplacian import split
from dreamer.image import Photo, load
from dreamer.image.luma import luma
from dreamer.motifs.sample_scene import scene as sample_scene
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.zoom.feedback import FeedbackZoom
from dreamer.videos.zoom.frames import frames_of
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import SPACING, Scene
from dreamer.videos.zoom.schedule import zoom_from
from dreamer.videos.zoom.zoom import Zoom


@dataclass(frozen=True)
class Look:
    """Measures of a frame and of the photo beneath it."""

    grain: float
    light: float
    colour: float
    contrast: float
    below: float
    clipped: float


def look(frame: Tensor, photo: Tensor) -> Look:
    """A frame and its photo, (1, 3, H, W), in numbers."""
    grey, below = luma(frame), luma(photo)
    fine = split(grey.clone(), 3)[:-1]
    new = ((frame <= 0) & (photo > 0)) | ((frame >= 1) & (photo < 1))
    return Look(
        sum(float(band.square().mean()) / 4**k for k, band in enumerate(fine)),
        float(grey.mean() - below.mean()),
        tint(frame) - tint(photo),
        float(grey.std()),
        float(below.std()),
        float(new.float().mean()),
    )


def clouds(height: int = 3072, width: int = 4096) -> Photo:
    """A picture that looks the same at every scale: each channel's power falls as 1 / f^2."""
    generator = torch.Generator().manual_seed(0)
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)).clamp(min=1 / width)
    noise = torch.fft.rfft2(torch.randn(3, height, width, generator=generator)) / radius
    values = torch.fft.irfft2(noise, s=(height, width))
    values = values / values.std()
    values = 0.5 + 0.12 * (values[:1] + 0.3 * values)
    return Photo((values.permute(1, 2, 0).clamp(0, 1) * 65535).round().numpy().astype(np.uint16))


def tint(image: Tensor) -> float:
    """Mean chroma."""
    return float((image - luma(image)).square().sum(1).sqrt().mean())


def made(options: argparse.Namespace, **words: Any) -> tuple[KeyframeZoom | FeedbackZoom, Scene]:
    """The frames of a zoom over the photo."""
    photo = load(options.photo) if options.photo else clouds()
    network = load_network(options.network, options.weights) if options.network else None
    pipeline = build({}, registry(), network=network)
    sized = photo.resized(options.size)
    zoom = zoom_from({"mode": options.mode, "seconds": options.seconds, "rate": options.rate, **words})
    size = (sized.height - sized.height % 2, sized.width - sized.width % 2)
    scene = Scene(photo.image(), zoom, size, lambda time: pipeline, MemoryStore(), SPACING)
    return frames_of(scene), scene


def drift(options: argparse.Namespace) -> None:
    """Measure the drift over a clip."""
    frames, scene = made(options)
    looks, changes = [], []
    dreamt = scene.dream

    def noted(base: Tensor, *rest: Any) -> Tensor:
        dream = dreamt(base, *rest)
        changes.append(float((dream - base).abs().mean()) * 255)
        return dream

    object.__setattr__(scene, "dream", noted)
    first_photo = scene.photo_at(scene.place(0.0), scene.size)
    for number in range(0, scene.zoom.frames, options.every):
        frame = frames.frame(number)
        looks.append(look(frame, scene.photo_at(scene.place(scene.zoom.time(number)), scene.size)))
    grain = [one.grain for one in looks]
    middle = statistics.median(grain)
    low, high = min(grain) / middle - 1, max(grain) / middle - 1
    print(f"high bands beside their median: {low:+.1%} to {high:+.1%} (within 15 %)")
    light = max(abs(one.light - looks[0].light) for one in looks) / float(luma(first_photo).mean())
    colour = max(abs(one.colour - looks[0].colour) for one in looks) / tint(first_photo)
    print(f"brightness {light:.2%} (1 %), colour {colour:.2%} (2 %)")
    ratios = [one.contrast / one.below for one in looks]
    worst = max((ratio / ratios[0] - 1 for ratio in ratios), key=abs)
    deviations = f"from {looks[0].contrast:.3f} to {looks[-1].contrast:.3f}, the photo's to {looks[-1].below:.3f}"
    print(f"contrast {worst:+.1%} (10 % where the photo has detail at every scale); deviation of luma {deviations}")
    print(f"newly clipped {max(one.clipped for one in looks):.2%} (1 %)")
    print("change of each dream, in levels of 255:", " ".join(f"{change:.1f}" for change in changes[:40]))


def cost(options: argparse.Namespace) -> None:
    """Measure the time of frames relative to renders."""
    for mode, numbers, whole in (("keyframes", range(0, 300, 10), 300), ("feedback", range(6), 6)):
        options.mode = mode
        frames, scene = made(options)
        first = scene.photo_at(scene.place(0.0), scene.size)
        renders, dreams = [], [0.0, 0]
        for _ in range(3):
            began = time.perf_counter()
            scene.dream(first, 0.0, 0)
            renders.append(time.perf_counter() - began)
        dreamt = scene.dream

        def timed(*rest: Any, dreamt: Any = dreamt, dreams: list[Any] = dreams) -> Tensor:
            began = time.perf_counter()
            dream = dreamt(*rest)
            dreams[0] += time.perf_counter() - began
            dreams[1] += 1
            return dream

        if mode == "keyframes":
            object.__setattr__(scene, "dream", timed)
        else:
            frames.frame(0)
        began = time.perf_counter()
        for number in numbers:
            frames.frame(number)
        spent = time.perf_counter() - began - dreams[0]
        per_frame = spent / len(numbers) + dreams[0] / whole
        render = statistics.median(renders)
        print(
            f"{mode} at {scene.size[1]}x{scene.size[0]}: render {render:.2f} s, frame {per_frame:.3f} s with its part "
            f"of {dreams[1]} keyframes: 1/{render / per_frame:.1f}"
        )


def motion(options: argparse.Namespace) -> None:
    """Compare the same second at 24 and at 60 frames."""
    photo = sample_scene(360, 640)
    pipeline = replace_strength(build({}, registry()), 0.0)
    made = []
    for fps in (24, 60):
        zoom = zoom_from({"rate": 1.8, "angle": 25, "centre": (0.3, 0.6), "ease": "both", "seconds": 1, "fps": fps})
        made.append(KeyframeZoom(Scene(photo, zoom, (360, 640), lambda time: pipeline, MemoryStore(), SPACING)))
    worst = max(float((made[0].frame(2 * k) - made[1].frame(5 * k)).abs().max()) for k in range(12))
    print(f"24 and 60 frames a second differ at shared times by at most {worst * 255:.4f} levels (2)")


def replace_strength(pipeline: Pipeline, strength: float) -> Pipeline:
    """The same, as strong as that."""
    return replace(pipeline, recipe=replace(pipeline.recipe, strength=strength))


def loop(options: argparse.Namespace) -> None:
    """Measure whether a loop's ends meet."""
    frames, scene = made(options, loop=True)
    last = scene.zoom.frames - 1
    shown = {number: frames.frame(number) for number in (0, 1, 2, last // 2, last // 2 + 1, last - 1, last)}
    steps = [
        float((shown[a] - shown[b]).abs().mean()) * 255
        for a, b in ((0, 1), (1, 2), (last // 2, last // 2 + 1), (last - 1, last))
    ]
    ends = float((shown[last] - shown[0]).abs().mean()) * 255
    print(
        f"last and first frame differ by {ends:.2f} levels; neighbours by {', '.join(f'{step:.2f}' for step in steps)}"
    )


def kill(options: argparse.Namespace) -> None:
    """Kill a zoom at random moments and resume it; the bytes must be the same."""
    words = [
        sys.executable,
        "-m",
        "dreamer",
        "zoom",
        str(Path(options.photo).resolve()),
        "--size",
        "160",
        "--threads",
        "1",
    ]
    words += ["--seconds", "4", "--set", "octaves.steps=2", "--progress", "none", "--mode", options.mode]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([*words, "-o", "whole.mp4"], cwd=folder, check=True)
        seconds = time.perf_counter() - began
        whole = (Path(folder) / "whole.mp4").read_bytes()
        chance, same = random.Random(options.seed), 0
        for number in range(options.times):
            command = [*words, "-o", f"{number}.mp4"]
            wait = chance.uniform(0.2, 1.0) * seconds
            running = subprocess.Popen(command, cwd=folder)
            time.sleep(wait)
            running.send_signal(signal.SIGKILL)
            running.wait()
            subprocess.run([*command, "--resume"], cwd=folder, check=True)
            alike = (Path(folder) / f"{number}.mp4").read_bytes() == whole
            same += alike
            print(f"killed after {wait:.1f} of {seconds:.1f} s: {'the same bytes' if alike else 'OTHER BYTES'}")
        print(f"{same} of {options.times} the same")


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["drift", "cost", "motion", "loop", "kill"])
    parser.add_argument("photo", nargs="?")
    parser.add_argument("--mode", default="keyframes")
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=Zoom().rate)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network")
    parser.add_argument("--weights")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    globals()[options.what](options)


if __name__ == "__main__":
    main()
