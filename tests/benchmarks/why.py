"""The effect of regularisers: one channel of squeezenet1_0 without any, with each one alone, and with all.

    python tests/benchmarks/why.py --weights FILE -o why.png [--layer features.10] [--channel 20] [--steps 128]

"Plain" is a canvas of pixels optimised by Adam, and nothing else. The number under each picture is the slope of its
power spectrum (log power against log frequency, from .03 to .4 cycles per pixel); natural pictures have about -2. The
plain one is full of fine noise. Exits with 1 unless its slope is above -1.0 and that of all together below -1.6. All
together, each regulariser has a tenth of its weight alone.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import dreamer
from dreamer.visualization.contact_sheet import Look, sheet

PLAIN, FULL = -1.0, -1.6

AIDS: dict[str, dict[str, Any]] = {
    "total variation": {"priors": [{"name": "total_variation", "power": 2.0, "weight": 2.0}]},
    "L1 about grey": {"priors": [{"name": "l1", "weight": 0.1}]},
    "L2 about grey": {"priors": [{"name": "l2", "weight": 0.1}]},
    "frequency penalty": {"priors": [{"name": "frequency", "cutoff": 0.15, "weight": 5.0}]},
    "blur penalty": {"priors": [{"name": "blur", "weight": 2.0}]},
    "blur": {"updates": [{"name": "blur", "sigma": 0.5, "every": 4}]},
    "bilateral": {"updates": [{"name": "bilateral", "sigma": 1.0, "contrast": 0.05, "every": 4}]},
    "decay": {"updates": [{"name": "decay", "to": "grey", "rate": 0.02}]},
    "small norm": {"updates": [{"name": "small_norm", "to": "grey", "share": 0.3}]},
    "small contribution": {"updates": [{"name": "small_contribution", "to": "grey", "share": 0.3}]},
    "standard transforms": {"transforms": [{"name": "standard"}]},
    "lens": {"redirect": 16, "smooth_pooling": True},
    "weight noise": {"weight_noise": 0.2},
    "Laplacian gradient": {"gradient_filters": [{"name": "laplacian"}]},
    "Fourier canvas": {"canvas": {"name": "fourier"}, "redirect": 16},  # in whose soft beginning the unit is silent
}
_TENTH: dict[str, Callable[[Any], Any]] = {  # what makes an aid a tenth as strong
    **dict.fromkeys(("weight", "rate", "share"), lambda value: value / 10),
    "every": lambda value: value * 10,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--layer", default="features.10")
    parser.add_argument("--channel", type=int, default=20)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--only", help="Some of them, with commas between.")
    wishes = parser.parse_args()
    every = {"nothing": {}, **AIDS, "all together": together()}
    chosen = wishes.only.split(",") if wishes.only else list(every)
    network = dreamer.load_network("squeezenet1_0", wishes.weights)
    looks, slopes = [], {}
    for name in chosen:
        plain: dict[str, Any] = {
            "canvas": "pixels",
            "transforms": [],
            "redirect": 0,
            "gradient_filters": [{"name": "normalise"}],
        }
        (picture,) = dreamer.visualize(
            network,
            layer=wishes.layer,
            channel=wishes.channel,
            size=wishes.size,
            octaves={"count": 1, "steps": wishes.steps},
            **{**plain, **every[name]},
        )
        slopes[name] = slope(picture)
        print(f"{name:20} slope {slopes[name]:.2f}", flush=True)
        looks.append(Look(name, f"slope {slopes[name]:.2f}", picture))
    sheet(looks, 6).save(wishes.output)
    return 0 if slopes.get("nothing", 0) > PLAIN and slopes.get("all together", -9) < FULL else 1


def together() -> dict[str, Any]:
    """All of them in one recipe, each a tenth as strong."""
    words: dict[str, Any] = {}
    for aid in AIDS.values():
        for key, value in aid.items():
            if isinstance(value, list):
                weaker = [{k: _TENTH.get(k, lambda same: same)(v) for k, v in item.items()} for item in value]
                words[key] = [*words.get(key, []), *weaker]
            else:
                words[key] = value
    return words


def slope(picture: Image.Image) -> float:
    """The slope of the log of the radial power against the log of frequency."""
    image = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)
    power = torch.fft.fft2(image - image.mean((1, 2), keepdim=True)).abs().square().mean(0)
    size = image.shape[-1]
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.fftfreq(size))
    edges = torch.logspace(math.log10(0.03), math.log10(0.4), 13)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    points = [(float(radius[ring].log().mean()), float(power[ring].mean().log())) for ring in rings if ring.any()]
    return float(np.polyfit(*np.array(points).T, 1)[0])


if __name__ == "__main__":
    sys.exit(main())
