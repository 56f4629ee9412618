"""Where a training stands, on the disk: what a kill may cost is the last minute."""

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
class Mark:
    """How far a training has come: the time spent on learning, and the crops seen."""

    seconds: float = 0.0
    samples: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds the state of a training; `about` must be the same to go on with it."""

    path: Path
    about: Mapping[str, Any]
    mark: Mark = field(default_factory=Mark)

    @classmethod
    def beside(cls, output: Path, about: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint of the training that writes `output`; it may be resumed for other minutes."""
        fixed = {key: value for key, value in about.items() if key != "minutes"}
        return cls(output.with_name(output.name + ".training"), {"version": _VERSION, **fixed})

    def save(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write everything, or leave the checkpoint that was there; raises WriteError."""
        held = {"about": self.about, "mark": asdict(self.mark)}
        held |= {"module": module.state_dict(), "optimiser": optimiser.state_dict()}
        data = io.BytesIO()
        torch.save(held, data)
        write_atomically(self.path, data.getvalue())

    def load(self, module: nn.Module, optimiser: torch.optim.Optimizer, device: torch.device) -> None:
        """Take everything over from the disk; raises UsageError when it is absent, or another training's."""
        if not self.path.is_file():
            raise UsageError(f"{self.path}: there is no training to resume; leave --resume out to begin one")
        try:
            held = torch.load(self.path, map_location=device, weights_only=True)
            about, mark = dict(held["about"]), held["mark"]
            if about == self.about:
                module.load_state_dict(held["module"])
                optimiser.load_state_dict(held["optimiser"])
                self.mark.seconds, self.mark.samples = float(mark["seconds"]), int(mark["samples"])
        except Exception as error:  # whatever torch raises for a file that is none of its own, or damaged
            raise UsageError(f"{self.path} is not a checkpoint of a training; nothing was changed") from error
        if about != self.about:
            raise UsageError(f"{self.path} is the checkpoint of another training: {_difference(about, self.about)}")


def _difference(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differing = [key for key in wanted if there.get(key) != wanted[key]]
    return ", ".join(
        f"its {key} differ" if isinstance(wanted[key], list) else f"its {key} is {there.get(key)}, not {wanted[key]}"
        for key in differing
    )
