"""Peak memory of large renders, and memory per pixel.

    python tests/benchmarks/memory.py [--tile 512]

One step, one octave, jitter only, squeezenet1_0 with random weights: from a photo file to a PNG, each size in its
own process. The difference between two sizes gives the bytes per pixel without the network's share.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MEGAPIXELS = (4, 36)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        render(arguments.one, arguments.tile)
        return
    print(f"between them: {bytes_a_pixel(arguments.tile):.1f} bytes a pixel")


def bytes_a_pixel(tile: int, sizes: tuple[int, ...] = MEGAPIXELS) -> float:
    """How much a render's peak grows with each pixel, from the first of these sizes to the second."""
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in sizes:
            side = round((megapixels * 1e6) ** 0.5)
            photo = Path(folder) / f"{megapixels}.png"
            draw(photo, side)
            command = [sys.executable, __file__, "--tile", str(tile), "--one", str(photo)]
            peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
            peaks.append((side * side, peak))
            print(
                f"{megapixels:3} megapixels ({side}x{side}), tile {tile}: peak {peak / 2**20:.0f} MiB", file=sys.stderr
            )
    (small, low), (large, high) = peaks
    return (high - low) / (large - small)


def draw(path: Path, side: int) -> None:
    """A photo of that side: the sample scene, repeated."""
    import numpy as np
    from PIL import Image

    from dreamer.motifs.sample_scene import scene

    part = (scene(1000, 1000)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    times = -(-side // 1000)
    Image.fromarray(np.tile(part, (times, times, 1))[:side, :side]).save(path, compress_level=1)


def render(path: Path, tile: int) -> None:
    """One render, then the peak of this process in bytes on stdout."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from networks import calibrated

    from dreamer.engine.device import Machine
    from dreamer.files import write_atomically
    from dreamer.image import encode, load
    from dreamer.pipeline.build import build
    from dreamer.plugins.loading import load_plugins

    registry, _ = load_plugins()
    network = calibrated("squeezenet1_0")
    registry.networks.add("the-network", "benchmark", lambda: network)
    words = {
        "size": 0,
        "octaves": {"count": 1, "steps": 1},
        "objectives": [{"name": "deepdream", "layer": "features.10"}],
        "transforms": [{"name": "jitter"}],
    }
    pipeline = build(words, registry, network="the-network", machine=Machine("cpu", "float32", tile))
    dream = pipeline.dream(pipeline.sized(load(path)))
    pixels = dream.photo.with_change(dream.change)
    write_atomically(path.with_name("dream.png"), encode(dream.photo, pixels, "PNG"))
    scale = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)


if __name__ == "__main__":
    main()
