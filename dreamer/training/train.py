"""The training of reverie: from pictures drawn by formula to weights that dream."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import World
from dreamer.training.checkpoint import Checkpoint
from dreamer.training.export import export
from dreamer.training.stream import SIZE, Batch, Stream
from dreamer.training.trainee import Trainee, accuracy

_RATE, _TUNING_RATE, _DECAY, _WARM_UP = 3e-3, 1e-3, 0.05, 200
_EARLY = ("stem", "m3a", "m3b")  # blocks that a fine-tuning leaves as they are for its first third
_BATCH = {64: 64, 96: 40}
_LARGER = 0.55  # the share of the time after which larger crops are looked at
_ADVERSARY = (0.35, 0.75)  # the shares of the time from and to which its strength grows
_EPSILON = 1.3 / 96  # its strength at the end: the L2 norm of its change, per pixel of a side
_HELD_OUT = 256
_SAVE, _TELL = 60.0, 15.0  # seconds between checkpoints, and between reports


@dataclass(frozen=True)
class Settings:
    """What a training is; a checkpoint goes on with its own."""

    minutes: float = 60
    seed: int = 0
    width: float = 1.0
    pictures: str = ""
    """The folder whose pictures are learnt on top of what the shipped weights know; none for a training from scratch"""


@dataclass(frozen=True)
class Report:
    """Where a training is: `share` of its time, crops seen and how many a second, loss, and accuracy.

    `accuracy` is the dense head's at m4b over held-out pictures: of all places, and the mean over the classes.
    """

    share: float
    seconds: float
    samples: int
    rate: float
    loss: float
    accuracy: tuple[float, float]


def train(
    output: Path,
    settings: Settings,
    *,
    device: torch.device,
    album: Album | None = None,
    start: Network | None = None,
    resume: bool = False,
    keep: float | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
) -> None:
    """Train reverie and write its weights to `output`, a .safetensors file.

    With `start`, a reverie, it goes on from those weights; with an `album`, it learns those pictures too. A checkpoint
    beside the output is renewed every minute, and at Ctrl-C; with `resume` it goes on from there. With `keep`, the
    weights of every so many minutes are kept too, numbered, to choose among by eye.
    """
    torch.manual_seed(settings.seed)
    world = World(MOTIFS, album)
    trainee = Trainee(len(world.names), world.kinds, settings.width)
    if start and not resume:
        _inherit(trainee, start, world)
    trainee.to(device, memory_format=torch.channels_last)
    groups = [
        {"params": parameters, "early": early}
        for early in (True, False)
        if (parameters := [p for name, p in trainee.named_parameters() if name.split(".")[1].startswith(_EARLY) == early])
    ]
    checkpoint = Checkpoint.beside(output, world.names, asdict(settings))
    if resume:
        checkpoint.load(trainee, optimiser, device)
    run = _Run(trainee, optimiser, settings, world, device, checkpoint)
    with Stream(world, settings.seed + 1 + checkpoint.samples) as stream:
        try:
            run.go(stream, output, keep, on_report)
        except BaseException:
            if checkpoint.samples:
                checkpoint.save(trainee, optimiser)
            raise
    export(output, trainee, world, settings.width, run.story())
    checkpoint.path.unlink(missing_ok=True)


class _Run:
    def __init__(
        self,
        trainee: Trainee,
        optimiser: torch.optim.Optimizer,
        settings: Settings,
        world: World,
        device: torch.device,
        checkpoint: Checkpoint,
    ) -> None:
        self.trainee, self.optimiser, self.settings, self.world = trainee, optimiser, settings, world
        self.device, self.checkpoint = device, checkpoint
        self.motif_of = world.motif_of.to(device)
        self.held_out = world.draw(_HELD_OUT, SIZE, torch.Generator().manual_seed(settings.seed + 10**6))

    @property
    def share(self) -> float:
        return self.checkpoint.seconds / (self.settings.minutes * 60)

    def go(
        self, stream: Stream, output: Path, keep: float | None, on_report: Callable[[Report], None]
    ) -> None:
        """Steps until the time is over; only time spent on steps counts."""
        mark, random = self.checkpoint, torch.Generator().manual_seed(self.settings.seed + self.checkpoint.samples)
        saved = told = mark.seconds
        since = mark.samples
        while self.share < 1:
            size = 64 if self.share < _LARGER else 96
            batch = stream.batch(_BATCH[size], size, random)
            began = time.monotonic()
            loss = self._steps(batch, random)
            before = mark.seconds
            mark.seconds += time.monotonic() - began
            mark.samples += len(batch.image)
            if mark.seconds - told > _TELL:
                rate = (mark.samples - since) / (mark.seconds - told)
                told, since = mark.seconds, mark.samples
                on_report(Report(self.share, mark.seconds, mark.samples, rate, loss, self.accuracy()["m4b"]))
            if mark.seconds - saved > _SAVE:
                saved = mark.seconds
                mark.save(self.trainee, self.optimiser)
            if keep and mark.seconds // (60 * keep) > before // (60 * keep):
                number = int(mark.seconds // 60)
                path = output.with_name(f"{output.stem}-{number:03d}{output.suffix}")
                export(path, self.trainee, self.world, self.settings.width, self.story())

    def _steps(self, batch: Batch, random: torch.Generator) -> float:
        """Learn from a batch; later also from the same batch made harder, which costs no extra pass.

        The change that makes it harder is the gradient of the first step, which is there anyway (Shafahi 2019).
        """
        ramp = (self.share - _ADVERSARY[0]) / (_ADVERSARY[1] - _ADVERSARY[0])
        epsilon = _EPSILON * batch.image.shape[-1] * min(1.0, max(0.0, ramp))
        image = batch.image.to(self.device)
        kind, second = batch.kind.to(self.device), batch.second.to(self.device)
        loss = self._step(image.requires_grad_(epsilon > 0), kind, second)
        if image.grad is not None:
            norm = image.grad.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
            amount = epsilon * torch.rand(len(image), 1, 1, 1, generator=random).to(self.device)
            loss = self._step(image.detach() + amount * image.grad / norm, kind, second)
        return loss

    def _step(self, image: Tensor, kind: Tensor, second: Tensor) -> float:
        for group in self.optimiser.param_groups:
            warm = min(1.0, (self.checkpoint.steps + 1) / _WARM_UP)
            group["lr"] = _RATE * warm * (0.5 * (1 + math.cos(math.pi * min(1.0, self.share))) + 1e-3)
        self.checkpoint.steps += 1
        self.trainee.train()
        loss = self.trainee.loss(image, kind, second, self.motif_of)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss)

    @torch.no_grad()
    def accuracy(self) -> dict[str, tuple[float, float]]:
        """Of the dense heads, over held-out pictures."""
        self.trainee.eval()
        image = self.held_out.image.to(self.device)
        answers: dict[str, list[Tensor]] = {}
        for part in image.split(64):
            seen = self.trainee.features(part)
            for name, head in self.trainee.dense.items():
                answers.setdefault(name, []).append(head(seen[name]))
        motif = self.motif_of[self.held_out.kind.to(self.device)]
        whole = {name: torch.cat(parts) for name, parts in answers.items()}
        return accuracy(whole, motif, self.held_out.second.to(self.device))

    def story(self) -> dict[str, object]:
        """How the weights came to be, for their metadata."""
        overall, mean = self.accuracy()["m4b"]
        return {
            **asdict(self.settings),
            "samples": self.checkpoint.samples,
            "steps": self.checkpoint.steps,
            "seconds": round(self.checkpoint.seconds),
            "on": f"{self.device.type}, {torch.get_num_threads()} threads",
            "torch": torch.__version__,
            "m4b accuracy": [round(overall, 3), round(mean, 3)],
        }
