"""Checkpoints of a training on disk, so that a crash loses at most the last minute."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dreamer import limits
from dreamer.errors import UsageError
from dreamer.files import write_atomically
from dreamer.networks.tensor_file import read_tensors
from dreamer.networks.weights import check_shapes

_VERSION = 1
_MOST_SAMPLES = 10**15  # more than anybody waits for; seeds are made of it
_ADAM = ("step", "exp_avg", "exp_avg_sq")  # Adam's values for each parameter


@dataclass
class Progress:
    """The progress of a training: seconds spent on learning, and number of crops seen."""

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
            held = read_tensors(self.path, limits.CHECKPOINT_BYTES)
            about, mark = dict(held["about"]), held["mark"]
            seconds, samples = float(mark["seconds"]), int(mark["samples"])
            if not 0 <= seconds < math.inf or not 0 <= samples <= _MOST_SAMPLES:
                raise ValueError("it has come no possible way")
            if about == self.about:
                weights, before = _values(held["module"], module.state_dict()), optimiser.state_dict()
                steps = _steps(held["optimiser"]["state"], optimiser)
                module.load_state_dict(weights)
                optimiser.load_state_dict({**before, "state": steps})
                self.progress.seconds, self.progress.samples = seconds, samples
        except Exception as error:  # damaged and foreign files raise many kinds of errors
            raise UsageError(
                f"{self.path} is not a checkpoint of a training; delete it, or choose another -o"
            ) from error
        if about != self.about:
            other = f"the checkpoint of another training: {_difference(about, self.about)}"
            raise UsageError(f"{self.path} is {other}; give the same options, or another -o")


def _values(stored: Any, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of stored tensors, by key, after a look at their shapes; raises NetworkError where these differ."""
    check_shapes(stored, wanted, "the checkpoint")
    return {key: stored[key].read() for key in wanted}


def _steps(stored: Any, optimiser: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """Adam's state by the number of the parameter, each part a number or of the parameter's shape."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    single = torch.zeros((), device="meta")
    return {
        number: _values(parts, {key: single if key == "step" else parameters[number] for key in _ADAM})
        for number, parts in stored.items()
    }


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The keys in which a checkpoint differs from the wanted training, in words."""
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    return ", ".join(
        f"its {key} is {found.get(key)}, not {wanted[key]}"
        if isinstance(found.get(key), (str, int, float)) and not isinstance(wanted[key], list)
        else f"its {key} differ"
        for key in differing
    )
