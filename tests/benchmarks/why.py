"""Why there are regularisers: one channel of squeezenet1_0 without any, with each one alone, with all together.

    python tests/benchmarks/why.py --weights FILE -o why.png [--layer features.10] [--channel 20] [--steps 128]

Pixels begin in faint noise and are moved by Adam. Under each picture stands the slope of its power spectrum: log power
against log frequency, from .03 to .4 cycles a pixel; natural pictures have about -2. The plain one is full of the fine
noise that the literature warns of: its slope must be above -1.0, that of all together below -1.6; else it exits with 1.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import dreamer
from dreamer import priors, transforms, updates
from dreamer.contact_sheet import Look, sheet
from dreamer.image import to_pil
from dreamer.lens import Lens
from dreamer.network import Network
from dreamer.step import Step

PLAIN, FULL = -1.0, -1.6
RATE = 0.02
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])  # Lucid's


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--layer", default="features.10")
    parser.add_argument("--channel", type=int, default=20)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--size", type=int, default=160)
    wishes = parser.parse_args()
    network = dreamer.load_network("squeezenet1_0", wishes.weights)
    network = network.prepared([wishes.layer], torch.device("cpu"), torch.float32)
    looks, slopes = [], {}
    for name, aids in {"nothing": {}, **{name: {name: aid} for name, aid in AIDS.items()}, "all": AIDS}.items():
        image = climbed(network, wishes.layer, wishes.channel, wishes.steps, wishes.size, aids)
        slopes[name] = slope(image)
        print(f"{name:20} slope {slopes[name]:.2f}", flush=True)
        looks.append(Look(name, f"slope {slopes[name]:.2f}", to_pil(image)))
    sheet(looks, 4).save(wishes.output)
    return 0 if slopes["nothing"] > PLAIN and slopes["all"] < FULL else 1


def climbed(network: Network, layer: str, channel: int, steps: int, size: int, aids: dict[str, object]) -> Tensor:
    """The picture (1, 3, size, size) after so many steps of Adam, with these aids."""
    torch.manual_seed(0)
    paint = _fourier(size) if "Fourier" in aids else _pixels(size)
    lens = aids.get("lens", Lens())
    assert isinstance(lens, Lens)
    optimiser = torch.optim.Adam([paint.values], lr=paint.rate)
    for number in range(steps):
        step = Step(0, 1, number, steps, number / steps, (size, size))
        image = paint.shown()
        seen = image
        for aid in _of(aids, "transform"):
            seen = aid(seen)
        with lens.before(network.module, step):
            score = network.features(seen, [layer])[layer][:, channel].mean()
            (gradient,) = torch.autograd.grad(score, image, retain_graph=True)
        # As in an ascent, a prior's pull is measured beside a dream of strength 1.
        pull = gradient / gradient.square().mean().sqrt().clamp(min=1e-20)
        leaf = image.detach().requires_grad_()
        for aid in _of(aids, "prior"):
            pull = pull - torch.autograd.grad(aid(leaf), leaf)[0] * leaf.numel()
        optimiser.zero_grad()
        image.backward(-pull)
        optimiser.step()
        for aid in _of(aids, "update"):
            paint.take(aid(paint.shown().detach(), step=step))
    return paint.shown().detach()


class _pixels:
    """The picture's own values."""

    rate = RATE

    def __init__(self, size: int) -> None:
        self.values = (0.5 + 0.01 * torch.randn(1, 3, size, size)).requires_grad_()

    def shown(self) -> Tensor:
        with torch.no_grad():
            self.values.clamp_(0, 1)
        return self.values * 1.0

    def take(self, image: Tensor) -> None:
        with torch.no_grad():
            self.values.copy_(image)


class _fourier:
    """Lucid's: waves whose strength falls with their frequency, in colours that nature does not tie together."""

    rate = 0.05

    def __init__(self, size: int) -> None:
        self.size = size
        frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size))
        self.scale = size / frequency.clamp(min=1 / size)
        self.values = (0.01 * torch.randn(1, 3, *frequency.shape, 2)).requires_grad_()
        self.colours = COLOURS / COLOURS.norm(dim=0).max()

    def shown(self) -> Tensor:
        waves = torch.view_as_complex(self.values) * self.scale
        planes = torch.fft.irfft2(waves, s=(self.size, self.size)) / 4
        return torch.einsum("rc,bchw->brhw", self.colours, planes).sigmoid()

    def take(self, image: Tensor) -> None:
        planes = torch.einsum("cr,brhw->bchw", torch.linalg.inv(self.colours), image.clamp(0.01, 0.99).logit())
        with torch.no_grad():
            self.values.copy_(torch.view_as_real(torch.fft.rfft2(planes * 4) / self.scale))


def _grey(image: Tensor) -> Tensor:
    return torch.full_like(image, 0.5)


AIDS: dict[str, object] = {
    "total variation": ("prior", lambda image: 0.2 * priors.total_variation(image, power=2.0) * 100),
    "L1": ("prior", lambda image: 0.3 * priors.l1(image)),
    "L2": ("prior", lambda image: 0.3 * priors.l2(image)),
    "frequency penalty": ("prior", lambda image: 20 * priors.frequency(image, cutoff=0.15)),
    "blur penalty": ("prior", lambda image: 20 * priors.blur(image)),
    "blur": ("update", partial(updates.blur, every=4, sigma=1.0)),
    "bilateral": ("update", partial(updates.bilateral, every=4)),
    "decay": ("update", lambda image, step: updates.decay(image, photo=_grey(image), rate=0.02)),
    "small norm": ("update", lambda image, step: updates.small_norm(image, photo=_grey(image), share=0.3)),
    "transforms": ("transform", transforms.standard),
    "lens": Lens(redirect=16, smooth_pooling=True),
    "Fourier": ("canvas", None),
}


def _of(aids: dict[str, object], kind: str) -> list[Callable[..., Tensor]]:
    return [aid[1] for aid in aids.values() if isinstance(aid, tuple) and aid[0] == kind]


def slope(image: Tensor) -> float:
    """Of the log of the radial power against the log of frequency."""
    power = torch.fft.fft2(image - image.mean((2, 3), keepdim=True)).abs().square().mean((0, 1))
    size = image.shape[-1]
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.fftfreq(size))
    edges = torch.logspace(math.log10(0.03), math.log10(0.4), 13)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    points = [(float(radius[ring].log().mean()), float(power[ring].mean().log())) for ring in rings if ring.any()]
    return float(np.polyfit(*np.array(points).T, 1)[0])


if __name__ == "__main__":
    sys.exit(main())
