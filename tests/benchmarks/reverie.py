"""Numbers about the quality of reverie's weights for dreaming; they find faults, but do not replace looking at dreams.

    python tests/benchmarks/reverie.py [--weights FILE] [--pictures 1000]

Prints presence mAP and dense accuracy over new composites; the spectrum of the gradient at the layer of whole motifs,
at the default layer, and of the default objective; and how many channels of the default layer are dead, or dream only
one colour.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import dreamer
from dreamer.image import to_pil
from dreamer.ingredients.objectives import motif as motif_of
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import World
from dreamer.networks.network import Network
from dreamer.networks.reverie import FIGURE_LAYER, reverie
from dreamer.training.trainee import accuracy, presence, present

Objective = Callable[[torch.Tensor], torch.Tensor]
LAYERS = ["m3b", "m4b", "m4c", "m5a"]
SIZE = 128
SEED = 20_000_003  # of nothing that was trained on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    wishes = parser.parse_args()
    path = wishes.weights or Path(str(files("dreamer.networks") / "reverie.safetensors"))
    network, world = reverie(path), World(MOTIFS)
    pictures = world.draw(wishes.pictures, SIZE, torch.Generator().manual_seed(SEED))
    motif = world.motif_of[pictures.kind]
    answers: dict[str, list[torch.Tensor]] = {}
    with torch.no_grad():
        for part in pictures.image.split(50):
            seen = network.features(part, LAYERS)
            for layer in LAYERS:
                weight, bias = network.heads[layer]
                answer = torch.nn.functional.conv2d(seen[layer], weight[:, :, None, None], bias)
                answers.setdefault(layer, []).append(answer)
    whole = {layer: torch.cat(parts) for layer, parts in answers.items()}
    wanted = present(motif, pictures.second, len(world.names))
    print(f"presence mAP {mean_precision(presence(whole['m5a']), wanted):.3f}")
    for layer, (overall, mean) in accuracy(whole, motif, pictures.second).items():
        many = f"{len(world.names)} motifs and nothing"
        print(f"dense accuracy at {layer}: {overall:.3f} of all places, {mean:.3f} the mean over {many}")
    for where in (FIGURE_LAYER, network.default_layer):
        tell(f"gradient at {where}", network, pictures.image[:128], where, lambda seen: seen.square())
    (words,) = network.defaults["objectives"]
    dream = partial(motif_of, network=network, layer=words["layer"], names=tuple(words["names"]))
    tell("gradient of the default objective", network, pictures.image[:128], words["layer"], dream)
    dead, flat, count = dull(network)
    dull_ones = f"{dead} dead, {flat} dreaming flat"
    print(f"channels of {network.default_layer}: {dull_ones}, of {count}: {(dead + flat) / count:.1%}")


def mean_precision(scores: torch.Tensor, wanted: torch.Tensor) -> float:
    """Average precision (area under precision and recall), its mean over the classes that occur."""
    found = []
    for score, want in zip(scores.T, wanted.T, strict=True):
        if want.any():
            right = want[score.argsort(descending=True)]
            precision = right.cumsum(0) / torch.arange(1, len(right) + 1)
            found.append(float((precision * right).sum() / right.sum()))
    return float(np.mean(found))


def tell(what: str, network: Network, image: torch.Tensor, layer: str, objective: Objective) -> None:
    """Print a gradient's spectrum."""
    slope, high = spectrum(network, image, layer, objective)
    print(f"{what}: power slope {slope:.2f}, {high:.2f} of it above .25 cycles a pixel")


def spectrum(network: Network, image: torch.Tensor, layer: str, objective: Objective) -> tuple[float, float]:
    """The slope of the log power of an objective's gradient, and the share above .25 cycles per pixel."""
    image = image.clone().requires_grad_()
    objective(network.features(image, [layer])[layer]).mean().backward()
    power = torch.fft.fft2(image.grad).abs().square().mean((0, 1))
    size = image.shape[-1]
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.fftfreq(size))
    edges = torch.logspace(np.log10(0.03), np.log10(0.4), 13)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    points = [(float(radius[ring].log().mean()), float(power[ring].mean().log())) for ring in rings if ring.any()]
    slope = np.polyfit(*np.array(points).T, 1)[0]
    return float(slope), float(power[radius > 0.25].sum() / power.sum())


def clouds(size: int) -> Image.Image:
    """Faint noise with the spectrum of natural pictures, about grey."""
    white = torch.randn(3, size, size, generator=torch.Generator().manual_seed(SEED))
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)).clamp_min(1 / size)
    field = torch.fft.irfft2(torch.fft.rfft2(white) / radius, s=(size, size))
    values = (0.5 + 0.05 * field / field.std((1, 2), keepdim=True)).clamp(0, 1)
    return to_pil(values[None])


def dull(network: Network) -> tuple[int, int, int]:
    """The number of channels that are never active, and of those that do not change faint clouds but in colour.

    Clouds, since in flat grey a ReLU that is shut has no gradient, whatever its channel would love to see.
    """
    layer = network.layer(network.default_layer)
    std = network.statistics[layer.name][1]
    dead = flat = 0
    faint = clouds(96)
    for channel in range(layer.channels):
        if std[channel] < 1e-3:
            dead += 1
            continue
        dream = dreamer.dream(
            faint,
            network=network,
            objectives=[{"name": "channel", "layer": layer.name, "index": [channel]}],
            octaves={"count": 1, "steps": 24},
        )
        pixels = np.asarray(dream, np.float32) / 255
        _, alike = np.unique((pixels * 4).astype(int).reshape(-1, 3), axis=0, return_counts=True)
        change = pixels - np.asarray(faint, np.float32) / 255
        flat += bool(change.std((0, 1)).mean() < 0.03 or alike.max() > 0.9 * alike.sum())
    return dead, flat, layer.channels


if __name__ == "__main__":
    main()
