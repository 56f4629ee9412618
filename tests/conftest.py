"""What every test may use. No test downloads anything or needs a GPU."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# One thread a process, the ones that tests start too: tests run beside each other, and bytes depend on the threads.
# It is read when torch is imported, which only the processes that run tests do.
os.environ["OMP_NUM_THREADS"] = "1"
# No test cuts the power, and a file outlives its process without waiting for the disk, which takes 5 ms a file.
os.fsync = lambda file: None
# No plugin and no preset of this machine while tests are collected, either.
os.environ |= {"DREAMER_PLUGINS": "", "DREAMER_CONFIG": str(Path(__file__).with_name("none"))}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No worker to wait for where single tests are named; else one for each core."""
    return 0 if any("::" in argument for argument in config.args) else None


# The files whose tests take longest: begun first, no worker is left alone with one of them at the end.
LONG = (
    *("test_training", "test_installing", "test_tiles", "test_video", "test_packs", "test_optimisers"),
    *("test_studio_page", "test_end_to_end", "test_notebook"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first, and leave the order otherwise."""
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_collection_finish() -> None:
    """Look for garbage among what is made from now on, and not after every 700 objects: it took a twentieth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No plugin, no weights and no preset of this machine, the same seed and one thread for every test."""
    import torch

    monkeypatch.setenv("DREAMER_PLUGINS", "")
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path_factory.getbasetemp() / "config"))
    monkeypatch.setenv("DREAMER_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "inductor"))
    monkeypatch.setattr("dreamer.engine.device.keep_freed_memory", lambda: None)  # it is for the rest of a process
    torch.default_generator.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def tiny_reverie(alone: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny network in reverie's place, for tests of what is done with dreams, whatever they show.

    In a file that uses it throughout, tests marked `reverie` have the real one.
    """
    from dataclasses import replace

    from networks import tiny

    from dreamer import networks

    def load_from(shelf: Any, name: str, weights: Path | None = None, **words: Any) -> networks.Network:
        own = name == "reverie" and not weights
        return replace(tiny(), name=name) if own else networks.load_from(shelf, name, weights, **words)

    if not request.node.get_closest_marker("reverie"):
        monkeypatch.setattr("dreamer.pipeline.build.load_from", load_from)
