"""Training of the networks that ship inside, on pictures drawn by formula."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from dreamer.errors import WriteError
from dreamer.motifs import MOTIFS
from dreamer.motifs.composite import Pictures, World
from dreamer.networks.prepare import bfloat16_pays
from dreamer.networks.weights import story
from dreamer.training.album import OwnPictures
from dreamer.training.checkpoint import Checkpoint, Progress
from dreamer.training.stream import SIZE, PictureStream, varied

_SMALL, _LARGE = 64, 96  # px: side of the crops
_LARGE_FROM = 0.55  # share of the time from which on crops are large
_HELD_OUT = 128  # pictures for measuring
_SAVE, _REPORT = 60.0, 30.0  # seconds between checkpoints, and between reports


@dataclass(frozen=True)
class Settings:
    """The settings of a training; only `minutes` may change when it is resumed."""

    minutes: float = 60
    seed: int = 0
    width: float = 1.0


@dataclass(frozen=True)
class Report:
    """The state of a training: `share` of its time, crops seen and crops per second, loss, and measures.

    `measures` are taken on held-out pictures; see `measures` of each training.
    """

    share: float
    seconds: float
    samples: int
    rate: float
    loss: float
    measures: Mapping[str, float]

    @property
    def left(self) -> float:
        """The estimated seconds left."""
        return self.seconds * (1 / self.share - 1)


class Training(ABC):
    """The training of one network; a subclass for each network that ships inside sets `module` and `optimiser`.

    With `start` it starts from these weights. With an `album` it is fine-tuned on those pictures too, starting from the
    shipped weights unless `start` is given.
    """

    name: ClassVar[str]
    """The network's name; a checkpoint can be resumed only for the same one."""
    shipped: ClassVar[Path]
    """The weights that ship inside."""
    batch: ClassVar[tuple[int, int]] = 64, 40
    """The number of crops in a batch of small and of large ones."""
    module: nn.Module
    optimiser: torch.optim.Optimizer

    def __init__(
        self, settings: Settings, device: torch.device, album: OwnPictures | None = None, start: Path | None = None
    ) -> None:
        self.settings, self.device, self.fine_tunes = settings, device, album is not None
        self.start = start or (self.shipped if album else None)
        self.world = World(MOTIFS, album)
        self.held_out = self.world.draw(_HELD_OUT, SIZE, torch.Generator().manual_seed(settings.seed + 10**6))
        self.half = bfloat16_pays(device.type)

    def vary(self, image: Tensor, random: torch.Generator) -> Tensor:
        """Change crops (B, 3, S, S) in [0, 1] at random, before they are learnt."""
        return varied(image, random)

    @abstractmethod
    def learn(self, batch: Pictures, share: float, samples: int) -> float:
        """Learn from a batch, at a share of the time and after a number of crops. Returns the loss."""

    @abstractmethod
    def measures(self) -> dict[str, float]:
        """Measures of quality on the held-out pictures, by name."""

    @abstractmethod
    def export(self, path: Path, info: Mapping[str, object], *, replace: bool = True) -> Path:
        """Write the weights as a .safetensors file with `info` in its metadata, as `files.write_atomically` does."""

    def training_info(self, progress: Progress) -> dict[str, object]:
        """A record of the training, for the weights' metadata."""
        return {
            **asdict(self.settings),
            **asdict(progress),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def rate(self, peak: float, warm_up: int, share: float, samples: int) -> float:
        """The learning rate: it rises to `peak` within `warm_up` batches, then falls along a cosine to almost 0."""
        warm = min(1.0, (samples / self.batch[0] + 1) / warm_up)
        return peak * warm * (0.5 * (1 + math.cos(math.pi * share)) + 1e-3)


def train(
    output: Path,
    training: Training,
    *,
    resume: bool = False,
    interval: float | None = None,
    replace: bool = True,
    on_report: Callable[[Report], None] = lambda report: None,
) -> Path:
    """Train a network and write its weights.

    A checkpoint beside the output is written every minute and at Ctrl-C, and deleted at the end.

    Args:
        output: The .safetensors file to write.
        training: What to train.
        resume: Continue from the checkpoint.
        interval: Interval in minutes at which numbered weights are written as well, to choose among by eye.
        replace: Whether the weights may replace a file; the numbered ones never do.
        on_report: Called every half minute.

    Returns:
        Where the weights are: under a name with a number where their own was taken and may not be replaced.

    Raises:
        UsageError: There is no checkpoint to resume, or it is another training's.
        WriteError: A file cannot be written.
        RenderError: The process that draws the pictures has ended.
    """
    settings = training.settings
    before = {"before": story(training.start)} if training.start else {}
    about = {"network": training.name, "motifs": list(training.world.names), **asdict(settings)}
    checkpoint = Checkpoint.beside(output, about)
    if resume:
        checkpoint.load(training.module, training.optimiser, training.device)
    progress, seed = checkpoint.progress, settings.seed + checkpoint.progress.samples
    random = torch.Generator().manual_seed(seed)
    saved = reported = progress.seconds
    seen = progress.samples

    def share() -> float:
        return min(1.0, progress.seconds / (60 * settings.minutes))

    def write(path: Path, replace: bool) -> Path:
        return training.export(path, training.training_info(progress) | before, replace=replace)

    with PictureStream(training.world, seed + 1) as stream:
        try:
            stream.wait()  # before the clock starts, as waiting is not learning
            while share() < 1:
                began, minutes = time.monotonic(), progress.seconds / 60
                large = share() >= _LARGE_FROM
                batch = stream.batch(training.batch[large], _LARGE if large else _SMALL, random, training.vary)
                loss = training.learn(batch, share(), progress.samples)
                progress.samples += len(batch.image)
                progress.seconds += time.monotonic() - began
                if progress.seconds - reported > _REPORT:
                    rate = (progress.samples - seen) / (progress.seconds - reported)
                    reported, seen = progress.seconds, progress.samples
                    on_report(Report(share(), progress.seconds, progress.samples, rate, loss, training.measures()))
                if progress.seconds - saved > _SAVE:
                    saved = progress.seconds
                    checkpoint.save(training.module, training.optimiser)
                if interval and minutes // interval < progress.seconds / 60 // interval:
                    write(output.with_stem(f"{output.stem}-{round(progress.seconds / 60):03d}"), False)
        except KeyboardInterrupt:
            checkpoint.save(training.module, training.optimiser)
            raise
    try:
        place = write(output, replace)
    except (WriteError, KeyboardInterrupt):
        with suppress(WriteError):
            checkpoint.save(training.module, training.optimiser)
        raise
    checkpoint.path.unlink(missing_ok=True)
    return place
