"""Whether facets of a unit differ more than pictures of different seeds, and still excite it.

    python tests/benchmarks/facets.py [--weights FILE] [--pictures FOLDER] [--channels 20,77,140] [--sheets FOLDER]

Prints the mean distance over all pairs, 1 - cosine of a deeper layer's channel means, for pictures of different seeds,
facets with the diversity term (`--facets 4`), and with --pictures facets that start from a folder's pictures, where
photos are cut into squares first. The ratio to the first should exceed 1; it is printed with the share of the unit's
activation that is left. Without weights, reverie's channels are used.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import dreamer
from dreamer.image import load, to_pil
from dreamer.networks.network import Network

_SIDE = 224  # pixels of a square that a photo is cut into


def seen(network: Network, pictures: list[Image.Image], layer: str) -> torch.Tensor:
    """The features of a layer on pictures, (B, C, h, w)."""
    batch = torch.cat([load(picture).image() for picture in pictures])
    with torch.no_grad():
        return network.features(batch, [layer])[layer]


def apart(network: Network, pictures: list[Image.Image], layer: str) -> float:
    """The mean over all pairs of 1 - cosine."""
    means = torch.nn.functional.normalize(seen(network, pictures, layer).mean((2, 3)), dim=1)
    pairs = torch.triu_indices(len(means), len(means), 1)
    return float((1 - means @ means.mT)[pairs[0], pairs[1]].mean())


def squares(folder: Path) -> Iterator[Image.Image]:
    """Photos cut into squares that overlap by half."""
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png")):
        image = load(path).image()
        for top in range(0, image.shape[-2] - _SIDE + 1, _SIDE // 2):
            for left in range(0, image.shape[-1] - _SIDE + 1, _SIDE // 2):
                yield to_pil(image[..., top : top + _SIDE, left : left + _SIDE])


def sheet(pictures: list[Image.Image], path: Path) -> None:
    """All in one row."""
    Image.fromarray(np.hstack([np.asarray(picture) for picture in pictures])).save(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, help="squeezenet1_0's; reverie without")
    parser.add_argument("--pictures", type=Path, help="a folder of photos")
    parser.add_argument("--channels", default="20,77,140")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sheets", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    name, layer, deeper = (
        ("squeezenet1_0", "features.10", "features.12") if arguments.weights else ("reverie", "m4b", "m5a")
    )
    network = dreamer.load_network(name, arguments.weights)
    with tempfile.TemporaryDirectory() as kept:
        ways: dict[str, dict[str, object]] = {"seeds": {"count": arguments.count}, "apart": {"facets": arguments.count}}
        if arguments.pictures:
            number = 0
            for number, square in enumerate(squares(arguments.pictures), 1):
                square.save(Path(kept) / f"{number:05}.png")
            print(f"{number} squares of {arguments.pictures}")
            ways["pictures"] = {"facets": arguments.count, "folder": kept}
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for channel in map(int, arguments.channels.split(",")):
            for way, options in ways.items():
                pictures = dreamer.visualize(
                    network, layer=layer, channel=channel, size=arguments.size, steps=arguments.steps, **options
                )
                excited = float(seen(network, pictures, layer)[:, channel].mean())
                found[way].append((apart(network, pictures, deeper), excited))
                if arguments.sheets:
                    sheet(pictures, arguments.sheets / f"{name}-{channel}-{way}.png")
                base = found["seeds"][-1]
                distance, excited = found[way][-1]
                print(
                    f"channel {channel:4} {way:9} distance {distance:.3f}  ratio {distance / base[0]:5.2f}  "
                    f"activation {excited / base[1]:.2f} of that of other seeds",
                    flush=True,
                )


if __name__ == "__main__":
    main()
