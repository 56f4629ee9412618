"""Whether another network recognises reverie's dreams: each motif is dreamt over grey, and a judge names it.

    python tests/benchmarks/readability.py --judge JUDGE.safetensors [--minutes 20] [--weights FILE]
    python tests/benchmarks/readability.py --sheet OUT.png [--weights FILE]

The judge is trained here with another seed and other pictures, also to answer "nothing" to noise and to dreams of
untrained networks; an existing judge file is used unchanged. Random directions are dreamt as a control. The sheet is
for people: every motif with its name, dreamt larger.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import dreamer
from dreamer.networks.network import Network
from dreamer.networks.reverie import Reverie, reverie
from dreamer.training.checkpoint import Progress
from dreamer.training.reverie import ReverieTraining
from dreamer.training.stream import PictureStream, varied
from dreamer.training.train import Settings
from dreamer.training.trainee import presence
from dreamer.visualization.contact_sheet import Look, sheet

SEED, WIDTH = 4711, 0.75
LAYER, SIZE, PORTRAIT = "m4a", 160, 240
JUDGING = "m5a"  # the judge's layer: its presence is learnt there
OCTAVES = {"smallest": 96, "scale": 1.6, "steps": 48}  # the first is about as large as a figure
NEGATIVES = 0.15  # of a judge's lessons
LEARNT, HELD_OUT = 300, 60  # dreams of random networks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--sheet", type=Path)
    wishes = parser.parse_args()
    if not (wishes.judge or wishes.sheet):
        parser.error("--judge or --sheet is wanted")
    network = reverie(wishes.weights)
    if wishes.sheet:
        motifs = [name for name in network.labels if name != "nothing"]
        sheet([Look(name, "", portrait(network, name)) for name in motifs], 7).save(wishes.sheet)
    if not wishes.judge:
        return
    if not wishes.judge.exists():
        train_judge(wishes.judge, wishes.minutes)
    judge = reverie(wishes.judge)
    motifs = network.labels[:-1]
    for what, pictures in (("noise", noise(200, SEED + 1)), ("dreams of random networks", strange(HELD_OUT, SEED + 1))):
        print(f"judge says nothing to {1 - sure(verdicts(judge, pictures)):.1%} of {what}")
    said = verdicts(judge, torch.cat([dream(network, name) for name in motifs]))
    right = 0
    for number, (name, verdict) in enumerate(zip(motifs, said, strict=True)):
        best = int(verdict.argmax())
        right += best == number
        instead = "" if best == number else f"{judge.labels[best]} {verdict[best]:.2f}"
        print(f"  {name:14} {verdict[number]:.2f}  {instead}")
    print(f"motifs named right: {right} of {len(motifs)}")
    directions = torch.nn.functional.normalize(torch.randn(24, network.layer(LAYER).channels), dim=1)
    control = verdicts(judge, torch.cat([dream(network, direction) for direction in directions]))
    print(f"the judge sees a motif in {sure(control):.1%} of random directions, in {sure(said):.1%} of the motifs")


def verdicts(judge: Network, pictures: Tensor) -> Tensor:
    """The probability that each motif is in each picture, (B, motifs)."""
    weight, bias = judge.heads[JUDGING]
    with torch.no_grad():
        seen = judge.features(pictures, [JUDGING])[JUDGING]
        return presence(torch.nn.functional.conv2d(seen, weight[:, :, None, None], bias)).exp()


def sure(said: Tensor) -> float:
    """The share of verdicts in which some motif is more likely present than not."""
    return float((said.amax(1) > 0.5).float().mean())


def dream(network: Network, what: str | Tensor) -> Tensor:
    """A motif by its name, or a direction (C,), dreamt over grey: (1, 3, SIZE, SIZE)."""
    name = what
    if isinstance(what, Tensor):
        mean = network.heads[LAYER][0].mean(0)
        heads = {LAYER: (torch.cat([mean[None] * 2 + what, -what[None]]), torch.zeros(2))}
        network, name = replace(network, heads=heads, figures={}, labels=("it", "nothing")), "it"
    objective = {"name": "motif", "layer": LAYER, "names": [name]}
    grey = Image.new("RGB", (SIZE, SIZE), (128, 128, 128))
    picture = dreamer.dream(grey, network=network, objectives=[objective], colour=0.0, seed=1)
    return (
        torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(1, SIZE, SIZE, 3).permute(0, 3, 1, 2)
        / 255
    )


def portrait(network: Network, name: str) -> Image.Image:
    """A motif dreamt over a grey gradient: a few large ones."""
    gradient = Image.linear_gradient("L").resize((PORTRAIT, PORTRAIT)).point(lambda value: 77 + value * 0.4)
    return dreamer.visualize(network, name, photo=gradient.convert("RGB"), size=PORTRAIT, octaves=OCTAVES, seed=1)[0]


def train_judge(path: Path, minutes: float) -> None:
    """Train a judge as reverie is trained, with examples of nothing added."""
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # another process draws
    training = ReverieTraining(Settings(minutes, SEED, WIDTH), torch.device("cpu"))
    none = strange(LEARNT, SEED)
    progress, random = Progress(), torch.Generator().manual_seed(SEED)
    with PictureStream(training.world, SEED) as stream:
        stream.wait()
        while progress.seconds < 60 * minutes:
            batch = stream.batch(64, 64, random, training.vary)
            few = round(NEGATIVES * 64)
            dreams = none[torch.randint(len(none), (few // 2,), generator=random)]
            corners = torch.randint(0, dreams.shape[-1] - 63, (2,), generator=random).tolist()
            dreams = dreams[..., corners[0] : corners[0] + 64, corners[1] : corners[1] + 64]
            batch.image[:few] = varied(
                torch.cat([dreams, noise(few - few // 2, int(random.initial_seed()) + progress.samples, 64)]), random
            )
            batch.kind[:few], batch.second[:few] = training.world.kinds, len(training.world.names)
            began = time.monotonic()
            training.learn(batch, progress.seconds / (60 * minutes), progress.samples)
            progress.seconds += time.monotonic() - began
            progress.samples += 64
    training.export(path, training.training_info(progress))


def noise(count: int, seed: int, size: int = SIZE) -> Tensor:
    """(count, 3, size, size): noise of every spectrum from white to brown, grey or coloured."""
    random = torch.Generator().manual_seed(seed)
    white = torch.randn(count, 3, size, size, generator=random)
    white = torch.where(torch.rand(count, 1, 1, 1, generator=random) < 0.4, white[:, :1], white)
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)).clamp_min(1 / size)
    steep = 2.5 * torch.rand(count, 1, 1, 1, generator=random)
    field = torch.fft.irfft2(torch.fft.rfft2(white) * radius**-steep, s=(size, size))
    strength = 0.02 + 0.25 * torch.rand(count, 1, 1, 1, generator=random)
    return (0.5 + field / field.std((1, 2, 3), keepdim=True) * strength).clamp(0, 1)


def strange(count: int, seed: int) -> Tensor:
    """(count, 3, SIZE, SIZE): dreams over grey of untrained networks."""
    pictures = []
    for number in range(count):
        with torch.random.fork_rng():
            torch.manual_seed(seed * 1000 + number)
            module = Reverie(0.5)
            for part in module.modules():
                if isinstance(part, torch.nn.Conv2d):
                    torch.nn.init.kaiming_normal_(part.weight)
            layer = ("m3b", "m4a", "m4b", "m4c")[number % 4]
            network = Network("random", module, (0.5,) * 3, (1.0,) * 3, "", "", layer)
            objective = {"name": "channel", "layer": layer, "index": torch.randint(40, (1 + number % 3,)).tolist()}
            grey = Image.new("RGB", (SIZE, SIZE), (128, 128, 128))
            size = {"count": 2, "steps": 12, "step_size": 0.01}
            picture = dreamer.dream(
                grey, network=network, objectives=[objective], octaves=size, seed=number, colour=0.0
            )
        pictures.append(torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(SIZE, SIZE, 3))
    return torch.stack(pictures).permute(0, 3, 1, 2) / 255


if __name__ == "__main__":
    main()
