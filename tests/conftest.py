"""What every test may use. No test downloads anything or needs a GPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No plugin, no weights and no preset of this machine, and the same seed for every test."""
    monkeypatch.setenv("DREAMER_PLUGINS", "")
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path_factory.getbasetemp() / "config"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.getbasetemp() / "torch"))
    torch.manual_seed(0)
