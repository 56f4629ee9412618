"""Hands that are actors of a Ray cluster: one for each share of a machine's cores, or for each GPU.

Ray Core alone. What goes through it is words: paths and hashes, never pixels. Actors are not restarted by Ray: one that
is lost with its process or its machine is replaced, and only one that answers is given units, so that none waits for a
machine that has gone.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dreamer
from dreamer.errors import RenderError, UsageError
from dreamer.units import cluster
from dreamer.units.pool import Event, Pool
from dreamer.units.serving import Server
from dreamer.units.unit import Order, Unit

_STARTS = 3  # actors in a row that end before they begin, after which no more are started
_LOOK = 5.0  # seconds between two looks at how large the cluster is
_PASSED = ("DREAMER_", "TORCH_HOME", "XDG_", "HF_HOME", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # what variables begin with


def check_installed() -> None:
    """Raise UsageError if Ray is missing."""
    if find_spec("ray") is None:
        raise UsageError("Ray is not installed; `pip install 'dreamer-art[ray]'` installs it")


class _Actor:
    """A Ray actor around `Server`, which runs on the cluster's machines."""

    def __init__(self, order: Mapping[str, Any], mark: str) -> None:
        self._server = Server(order, mark)

    def ready(self) -> int:
        """The actor's process id, once it has started."""
        return os.getpid()

    def answer(self, unit: Mapping[str, Any]) -> dict[str, Any]:
        """See `Server.answer`."""
        return self._server.answer(unit, lambda share: None)


class Actors(Pool):
    """A pool of actors.

    Args:
        order: What the units share.
        mark: Of their temporary files.
        address: ray://HOST:PORT, as `ray start` says it; without one, the cluster of this machine if there is one, else
            a cluster of its own, which ends with the pool.
        jobs: How many actors at most; 0 for as many as there is room for, machines that join later too.
        threads: Of each actor.
        on_gpu: Whether each actor has a GPU for itself; None for yes, if the cluster has any.
        memory: Bytes that each actor may need.
        environment: Variables of the actors' processes.
    """

    def __init__(
        self,
        order: Order,
        mark: str,
        address: str | None,
        jobs: int,
        threads: int,
        on_gpu: bool | None,
        memory: int,
        environment: Mapping[str, str],
    ) -> None:
        self._own = connect(address)
        import ray

        on_gpu = ray.cluster_resources().get("GPU", 0) > 0 if on_gpu is None else on_gpu
        passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}
        needs = {"num_cpus": threads, "num_gpus": int(on_gpu), "memory": memory, "max_restarts": 0}
        variables = {"env_vars": {**passed, **environment}}
        self._make = ray.remote(_Actor).options(**needs, runtime_env=variables)
        self._arguments = (asdict(order), mark)
        self._jobs, self._threads, self._on_gpu = jobs, threads, on_gpu
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Unit]] = {}
        self._stillborn, self._looked = 0, 0.0
        self.size = 0

    def free(self) -> int:
        """The number of idle actors; where there is room for more, these are started."""
        if time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            self.size = self._jobs or max(self.size, self._room())
        while len(self._starting) + len(self._idle) + len(self._busy) < self.size:
            actor = self._make.remote(*self._arguments)
            self._starting[actor.ready.remote()] = actor
        return len(self._idle)

    def give(self, unit: Unit) -> None:
        """Give a unit to an idle actor."""
        actor = self._idle.pop()
        self._busy[actor.answer.remote(unit.to_dict())] = (actor, unit)

    def news(self, patience: float) -> Sequence[Event]:
        """The events that actors have sent, or that they are lost. Raises RenderError where none of them can begin."""
        import ray

        asked = [*self._starting, *self._busy]
        if not asked:
            time.sleep(patience)
            return []
        found, _ = ray.wait(asked, num_returns=len(asked), timeout=0)
        if not found:
            found, _ = ray.wait(asked, num_returns=1, timeout=patience)
        return [event for answer in found for event in self._heard(answer)]

    def _heard(self, answer: Any) -> Iterator[Event]:
        import ray

        actor, unit = self._busy.pop(answer, None) or (self._starting.pop(answer), None)
        try:
            said = ray.get(answer)
        except ray.exceptions.RayError as error:
            with suppress(Exception):
                ray.kill(actor)
            if unit is not None:
                yield Event(unit, lost=f"its process or its machine was lost ({type(error).__name__})")
                return
            self._stillborn += 1
            if self._stillborn >= _STARTS:
                why = str(error).strip().splitlines()[-1]
                raise RenderError(f"no process can be started on the cluster: {why}") from error
            return
        self._idle.append(actor)
        self._stillborn = 0
        if unit is not None:
            yield Event(unit, answer=said)

    def _room(self) -> int:
        """The number of actors that the cluster has room for at present."""
        import ray

        there = ray.cluster_resources()
        return int(there.get("GPU", 0)) if self._on_gpu else int(there.get("CPU", 0)) // self._threads

    def close(self) -> None:
        """End the actors, and the cluster if it is the pool's own."""
        import ray

        for actor in [*self._starting.values(), *self._idle, *(actor for actor, _ in self._busy.values())]:
            with suppress(Exception):
                ray.kill(actor)
        if self._own:
            ray.shutdown()


def machines(address: str) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """The machines of a cluster by name, and what there is of cores, GPUs and memory: of each, and free of all."""
    ended = connect(f"ray://{address}")
    import ray

    try:
        there = {node["NodeManagerHostname"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
        return there, ray.available_resources()
    finally:
        if ended:
            ray.shutdown()


def connect(address: str | None) -> bool:
    """Connect this process with a cluster; returns whether this was done here, and so has to be ended here.

    Raises RenderError for a cluster that cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    where = address.removeprefix("ray://") if address else os.environ.get("RAY_ADDRESS") or cluster.found()
    if not where:  # a cluster of our own
        os.environ |= {cluster.MODE: "token", cluster.TOKEN: secrets.token_hex(32)}
    import ray

    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    own: dict[str, Any] = {}
    if not where:
        own = {"_node_ip_address": "127.0.0.1", "object_store_memory": cluster.STORE}
        if scratch := cluster.scratch_folder():
            own["_temp_dir"] = str(scratch)
            atexit.register(cluster.remove_scratch, scratch)
    # Ray lets its workers import from the folder that the command was given in, which may hold a stranger's files.
    with chdir(Path(dreamer.__file__).parent.parent):
        try:
            ray.init(where or "local", **quiet, **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            why = str(error).strip().splitlines()[0]
            raise RenderError(f"--on {address or 'ray'}: the cluster cannot be reached ({why}); is it up?") from error
    return True
