"""Checkpoints of a training on disk, so that a crash loses at most the last minute."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dreamer.errors import UsageError
from dreamer.files import write_atomically

_VERSION = 1


@dataclass
class Progress:
    """How far a training has come: seconds spent on learning, and number of crops seen."""

    seconds: float = 0.0
    samples: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state of a training; to resume it, `about` must be the same."""

    path: Path
    about: Mapping[str, Any]
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def beside(cls, output: Path, about: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint of the training that writes `output`; it may be resumed for a different number of minutes."""
        fixed = {key: value for key, value in about.items() if key != "minutes"}
        return cls(output.with_name(output.name + ".training"), {"version": _VERSION, **fixed})

    def save(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write the checkpoint atomically; raises WriteError."""
        held = {"about": self.about, "mark": asdict(self.progress)}
        held |= {"module": module.state_dict(), "optimiser": optimiser.state_dict()}
        data = io.BytesIO()
        torch.save(held, data)
        write_atomically(self.path, data.getvalue())

    def load(self, module: nn.Module, optimiser: torch.optim.Optimizer, device: torch.device) -> None:
        """Load the checkpoint into module and optimiser; raises UsageError when it is missing or another training's."""
        if not self.path.is_file():
            raise UsageError(f"{self.path}: there is no training to resume; leave out --resume to start one")
        try:
            held = torch.load(self.path, map_location=device, weights_only=True)
            about, mark = dict(held["about"]), held["mark"]
            if about == self.about:
                module.load_state_dict(held["module"])
                optimiser.load_state_dict(held["optimiser"])
                self.progress.seconds, self.progress.samples = float(mark["seconds"]), int(mark["samples"])
        except Exception as error:  # torch raises many kinds of errors for damaged or foreign files
            raise UsageError(
                f"{self.path} is not a checkpoint of a training; delete it, or choose another -o"
            ) from error
        if about != self.about:
            raise UsageError(f"{self.path} is the checkpoint of another training: {_difference(about, self.about)}")


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """In which keys a checkpoint differs from the wanted training, in words."""
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    return ", ".join(
        f"its {key} differ" if isinstance(wanted[key], list) else f"its {key} is {found.get(key)}, not {wanted[key]}"
        for key in differing
    )
