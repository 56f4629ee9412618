"""The training of reverie: from pictures drawn by formula to weights that dream."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from dreamer.machine import bfloat16_pays
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import Pictures, World
from dreamer.network import Network
from dreamer.training.album import Album
from dreamer.training.checkpoint import Checkpoint, Mark
from dreamer.training.export import export
from dreamer.training.stream import SIZE, Stream
from dreamer.training.trainee import Trainee, accuracy, inherit

_RATE, _WARM_UP = 3e-3, 200  # the learning rate at its height, and the batches until then
_TUNING_RATE, _TUNING_WARM_UP = 1.5e-3, 20
_DECAY = 0.05
_RESTING = 1 / 3  # of a fine-tuning's time: so long its first blocks stay as they are
_BATCH = {64: 64, 96: 40}
_LARGER = 0.55  # of the time: from then on larger crops are looked at
_ADVERSARY = (0.35, 0.75)  # of the time: from and to where its strength grows
_EPSILON = 1.3 / 96  # its strength at the end: the L2 norm of its change, per pixel of a side
_HELD_OUT = 128
_SAVE, _TELL = 60.0, 30.0  # seconds between checkpoints, and between reports


@dataclass(frozen=True)
class Settings:
    """What a training is; only `minutes` may be others when it is resumed."""

    minutes: float = 60
    seed: int = 0
    width: float = 1.0


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
    history: Mapping[str, object] | None = None,
    resume: bool = False,
    keep: float | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
) -> None:
    """Train reverie and write its weights to `output`, a .safetensors file.

    With `start`, a reverie of the same width, it goes on from those weights, whose own story is `history`; with an
    `album`, it learns those pictures too. A checkpoint beside the output is renewed every minute, and at Ctrl-C; with
    `resume` it goes on from there. With `keep`, the weights of every so many minutes are kept too, numbered, to choose
    among by eye.
    """
    training = Training(settings, device, album, start)
    checkpoint = Checkpoint.beside(output, {"motifs": list(training.world.names), **asdict(settings)})
    if resume:
        checkpoint.load(training.trainee, training.optimiser, device)
    mark, seed = checkpoint.mark, settings.seed + checkpoint.mark.samples
    random = torch.Generator().manual_seed(seed)
    saved = told = mark.seconds
    before = mark.samples

    def share() -> float:
        return min(1.0, mark.seconds / (60 * settings.minutes))

    def finish(path: Path) -> None:
        story = training.story(mark) | ({"before": dict(history)} if history else {})
        export(path, training.trainee, training.world, settings.width, story)

    with Stream(training.world, seed + 1) as stream:
        try:
            stream.wait()  # it is no time of learning
            while share() < 1:
                began, minutes = time.monotonic(), mark.seconds / 60
                size = 64 if share() < _LARGER else 96
                batch = stream.batch(_BATCH[size], size, random)
                loss = training.learn(batch, share(), mark.samples)
                mark.samples += len(batch.image)
                mark.seconds += time.monotonic() - began
                if mark.seconds - told > _TELL:
                    rate = (mark.samples - before) / (mark.seconds - told)
                    told, before = mark.seconds, mark.samples
                    on_report(Report(share(), mark.seconds, mark.samples, rate, loss, training.accuracy()["m4b"]))
                if mark.seconds - saved > _SAVE:
                    saved = mark.seconds
                    checkpoint.save(training.trainee, training.optimiser)
                if keep and minutes // keep < mark.seconds / 60 // keep:
                    finish(output.with_stem(f"{output.stem}-{round(mark.seconds / 60):03d}"))
        except KeyboardInterrupt:
            checkpoint.save(training.trainee, training.optimiser)
            raise
    finish(output)
    checkpoint.path.unlink(missing_ok=True)


class Training:
    """What learns, and how it does."""

    def __init__(
        self, settings: Settings, device: torch.device, album: Album | None = None, start: Network | None = None
    ) -> None:
        self.settings, self.device, self.tunes = settings, device, album is not None
        self.world = World(MOTIFS, album)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.trainee = Trainee(len(self.world.names), self.world.kinds, settings.width)
        self.held_out = self.world.draw(_HELD_OUT, SIZE, torch.Generator().manual_seed(settings.seed + 10**6))
        if start:
            inherit(self.trainee, start, self.world.names, torch.split(self.held_out.image, 64))
        self.trainee.to(device).to(memory_format=torch.channels_last)
        early, late = self.trainee.halves()
        groups = [{"params": early, "early": True}, {"params": late, "early": False}]
        self.optimiser = torch.optim.AdamW(groups, _RATE, weight_decay=_DECAY)
        self._motif_of = self.world.motif_of.to(device)
        self._half = bfloat16_pays(device.type)

    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Learn from a batch; later also from the same batch made harder. Returns the loss.

        What makes it harder is the gradient of the first pass, which is there anyway (Shafahi 2019).
        """
        self._set_rate(share, samples)
        ramp = (share - _ADVERSARY[0]) / (_ADVERSARY[1] - _ADVERSARY[0])
        epsilon = _EPSILON * batch.image.shape[-1] * min(1.0, max(0.0, ramp))
        image, kind, second = (part.detach().to(self.device) for part in (batch.image, batch.kind, batch.second))
        loss = self._step(image.requires_grad_(epsilon > 0), kind, second)
        if image.grad is not None:
            norm = image.grad.flatten(1).norm(dim=1).clamp_min(1e-12)
            amount = epsilon * torch.rand(len(image), device=self.device) / norm
            loss = self._step(image.detach() + amount[:, None, None, None] * image.grad, kind, second)
        return loss

    def _step(self, image: Tensor, kind: Tensor, second: Tensor) -> float:
        self.trainee.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            loss = self.trainee.loss(image, kind, second, self._motif_of)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    def _set_rate(self, share: float, samples: int) -> None:
        height, batches = (_TUNING_RATE, _TUNING_WARM_UP) if self.tunes else (_RATE, _WARM_UP)
        warm = min(1.0, (samples / _BATCH[64] + 1) / batches)
        rate = height * warm * (0.5 * (1 + math.cos(math.pi * share)) + 1e-3)
        for group in self.optimiser.param_groups:
            group["lr"] = 0.0 if self.tunes and group["early"] and share < _RESTING else rate

    @torch.no_grad()
    def accuracy(self) -> dict[str, tuple[float, float]]:
        """Of the dense heads, over held-out pictures: {layer: (of all places, mean over the classes)}."""
        self.trainee.eval()
        answers: dict[str, list[Tensor]] = {}
        for part in torch.split(self.held_out.image, 64):
            seen = self.trainee.features(part.to(self.device))
            for name, head in self.trainee.dense.items():
                answers.setdefault(name, []).append(head(seen[name]).cpu())
        whole = {name: torch.cat(parts) for name, parts in answers.items()}
        return accuracy(whole, self.world.motif_of[self.held_out.kind], self.held_out.second)

    def story(self, mark: Mark) -> dict[str, object]:
        """How the weights came to be, for their metadata."""
        return {
            **asdict(self.settings),
            **asdict(mark),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "accuracy": {name: [round(part, 3) for part in parts] for name, parts in self.accuracy().items()},
        }
