"""The network that `atlas`, `concepts` and `exemplars` look into, and what it computes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dreamer.cli.options import option, together
from dreamer.cli.values import DEVICE, FILE, THREADS
from dreamer.errors import collect_problems, reported_together

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.networks.network import Network
    from dreamer.recipes.registry import Registry

Made = TypeVar("Made")

network_options = together(
    option("--network", metavar="NAME", help="The network; downloaded if missing. [reverie]"),
    option("--weights", metavar="FILE", type=FILE, help="Weights for the network: a .safetensors or .pth file."),
)
device_options = together(
    option("--device", type=DEVICE, default="auto", help="Where to compute. [auto]"),
    option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]"),
)


@dataclass(frozen=True)
class NetworkChoice:
    """The values of `network_options` and `device_options`."""

    network: str | None
    weights: Path | None
    device: str
    threads: int | None

    @classmethod
    def read(cls, options: dict[str, Any]) -> NetworkChoice:
        """Take them out of a command's options."""
        found = cls(**{field.name: options.pop(field.name) for field in fields(cls)})
        return replace(found, weights=found.weights and Path(found.weights))

    @property
    def _name(self) -> str:
        from dreamer.recipes.recipe import Recipe

        return self.network or Recipe.network

    def words(self) -> dict[str, Any]:
        """The same as JSON can hold it, for `read` elsewhere, where the network is always named."""
        return {**asdict(self), "network": self._name, "weights": self.weights and str(self.weights)}

    def load(self, registry: Registry, make: Callable[[Network, Machine], Made]) -> tuple[Network, Machine, Made]:
        """Load the network; returns it, what it computes on, and what `make` makes of both.

        Raises UsageError with all that is wrong with them, before the network is downloaded.
        """
        from dreamer.engine.device import Machine, keep_freed_memory, use_threads
        from dreamer.networks import load_from

        machine = Machine()
        with reported_together() as problems:
            with collect_problems(problems):
                machine = Machine(self.device, "auto", 0, self.threads or 0).resolved()
            with collect_problems(problems):
                checked: dict[str, Any] = {"check": lambda network: make(network, machine)}
                checked["fetch"] = self.network is not None and not problems
                network = load_from(registry.networks, self._name, self.weights, **checked)
                use_threads(machine)
                made = make(network, machine)
        keep_freed_memory()
        return network, machine, made
