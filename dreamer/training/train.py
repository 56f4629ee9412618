"""The training of what ships inside: from pictures drawn by formula to weights."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from dreamer.engine.device import bfloat16_pays
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import Pictures, World
from dreamer.networks.weights import story
from dreamer.training.album import Album
from dreamer.training.checkpoint import Checkpoint, Mark
from dreamer.training.stream import SIZE, Stream, varied

_SMALL, _LARGE = 64, 96  # pixels a side of the crops
_LARGER = 0.55  # of the time: from then on larger crops are looked at
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
    """Where a training is: `share` of its time, crops seen and how many a second, loss, and what was measured.

    `measures` are taken on held-out pictures; what they are is the training's to say.
    """

    share: float
    seconds: float
    samples: int
    rate: float
    loss: float
    measures: Mapping[str, float]

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self.seconds * (1 / self.share - 1)


class Training(ABC):
    """What learns, and how it does; a kind of it for each thing that ships inside.

    Each sets `module` and `optimiser`. It goes on from the weights `start`, and with an `album` learns those pictures
    besides, then from the shipped weights unless others are given; it is tuned rather than trained.
    """

    learns: ClassVar[str]
    """What comes of it: a checkpoint is for one such thing."""
    shipped: ClassVar[Path]
    """The weights of it that ship inside."""
    batch: ClassVar[tuple[int, int]] = 64, 40
    """How many crops at a time, of small ones and of larger ones."""
    module: nn.Module
    optimiser: torch.optim.Optimizer

    def __init__(
        self, settings: Settings, device: torch.device, album: Album | None = None, start: Path | None = None
    ) -> None:
        self.settings, self.device, self.tunes = settings, device, album is not None
        self.start = start or (self.shipped if album else None)
        self.world = World(MOTIFS, album)
        self.held_out = self.world.draw(_HELD_OUT, SIZE, torch.Generator().manual_seed(settings.seed + 10**6))
        self.half = bfloat16_pays(device.type)

    def vary(self, image: Tensor, random: torch.Generator) -> Tensor:
        """The crops (B, 3, S, S) as they are learnt."""
        return varied(image, random)

    @abstractmethod
    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Learn from a batch, at that share of the time and after so many crops. Returns the loss."""

    @abstractmethod
    def measures(self) -> dict[str, float]:
        """How good it is by now, over the held-out pictures."""

    @abstractmethod
    def export(self, path: Path, story: Mapping[str, object]) -> None:
        """Write the weights, a .safetensors file that tells their story; raises WriteError."""

    def story(self, mark: Mark) -> dict[str, object]:
        """How the weights came to be, for their metadata."""
        return {
            **asdict(self.settings),
            **asdict(mark),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def rate(self, height: float, warm_up: int, share: float, samples: int) -> float:
        """The learning rate: up to its height within `warm_up` batches, then along a cosine down to nearly nothing."""
        warm = min(1.0, (samples / self.batch[0] + 1) / warm_up)
        return height * warm * (0.5 * (1 + math.cos(math.pi * share)) + 1e-3)


def train(
    output: Path,
    training: Training,
    *,
    resume: bool = False,
    keep: float | None = None,
    on_report: Callable[[Report], None] = lambda report: None,
) -> None:
    """Train, and write the weights to `output`, a .safetensors file.

    A checkpoint beside the output is renewed every minute, and at Ctrl-C; with `resume` it goes on from there. With
    `keep`, the weights of every so many minutes are kept too, numbered, to choose among by eye.
    """
    settings = training.settings
    before = {"before": story(training.start)} if training.start else {}
    about = {"network": training.learns, "motifs": list(training.world.names), **asdict(settings)}
    checkpoint = Checkpoint.beside(output, about)
    if resume:
        checkpoint.load(training.module, training.optimiser, training.device)
    mark, seed = checkpoint.mark, settings.seed + checkpoint.mark.samples
    random = torch.Generator().manual_seed(seed)
    saved = told = mark.seconds
    seen = mark.samples

    def share() -> float:
        return min(1.0, mark.seconds / (60 * settings.minutes))

    def finish(path: Path) -> None:
        training.export(path, training.story(mark) | before)

    with Stream(training.world, seed + 1) as stream:
        try:
            stream.wait()  # it is no time of learning
            while share() < 1:
                began, minutes = time.monotonic(), mark.seconds / 60
                large = share() >= _LARGER
                batch = stream.batch(training.batch[large], _LARGE if large else _SMALL, random, training.vary)
                loss = training.learn(batch, share(), mark.samples)
                mark.samples += len(batch.image)
                mark.seconds += time.monotonic() - began
                if mark.seconds - told > _TELL:
                    rate = (mark.samples - seen) / (mark.seconds - told)
                    told, seen = mark.seconds, mark.samples
                    on_report(Report(share(), mark.seconds, mark.samples, rate, loss, training.measures()))
                if mark.seconds - saved > _SAVE:
                    saved = mark.seconds
                    checkpoint.save(training.module, training.optimiser)
                if keep and minutes // keep < mark.seconds / 60 // keep:
                    finish(output.with_stem(f"{output.stem}-{round(mark.seconds / 60):03d}"))
        except KeyboardInterrupt:
            checkpoint.save(training.module, training.optimiser)
            raise
    finish(output)
    checkpoint.path.unlink(missing_ok=True)
