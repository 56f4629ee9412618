import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import torch

from dreamer.engine.device import Machine, free_memory
from dreamer.errors import UsageError


def test_auto_is_settled():
    machine = Machine().resolved()
    assert machine.device in ("cpu", "cuda", "mps") and machine.precision == "float32" and machine.threads > 0
    assert {"device", "precision", "tile", "threads", "torch"} == machine.to_dict().keys()


def test_what_a_stranger_says_of_a_machine_is_checked():
    odd = {"device": "toaster", "precision": 3, "tile": -7, "threads": 10**9}
    assert Machine.read(odd) == Machine()
    known = {"device": "cpu", "precision": "bfloat16", "tile": 256, "threads": 1}
    assert Machine.read(known) == Machine("cpu", "bfloat16", 256, 1)


def test_a_device_that_is_not_there():
    with pytest.raises(UsageError, match="device: 'toaster' is not one of auto, cpu, cuda, mps"):
        Machine(device="toaster").resolved()


def test_free_memory_is_half_of_what_is_there(monkeypatch):
    assert 0 < free_memory("cpu") <= psutil.virtual_memory().total / 2
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10_000, total=50_000))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (6_000, 80_000))
    assert (free_memory("cpu"), free_memory("mps"), free_memory("cuda")) == (5_000, 5_000, 3_000)


def test_memory_may_be_kept_on_any_system():
    code = "from dreamer.engine.device import keep_freed_memory as keep; keep(); keep(); print(sum(range(9)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "36\n"
