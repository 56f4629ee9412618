import sys
from types import SimpleNamespace

import psutil
import pytest
import torch
from forked import run

from dreamer.engine.device import Machine, free_memory
from dreamer.errors import UsageError


def test_auto_is_settled():
    machine = Machine().resolved()
    assert machine.device in ("cpu", "cuda", "mps") and machine.threads > 0
    assert machine.dtype == torch.float32  # until a plan settles it
    assert {"device", "precision", "tile", "threads", "torch"} == machine.to_dict().keys()


def test_what_a_stranger_says_of_a_machine_is_checked():
    odd = {"device": "toaster", "precision": 3, "tile": -7, "threads": 10**9}
    assert Machine.read(odd) == Machine()
    known = {"device": "cpu", "precision": "bfloat16", "tile": 256, "threads": 1}
    assert Machine.read(known) == Machine("cpu", "bfloat16", 256, 1)


def test_a_device_that_is_not_there():
    with pytest.raises(UsageError, match="device: 'toaster' is not one of auto, cpu, cuda, mps"):
        Machine(device="toaster").resolved()


def test_one_of_several_graphics_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Machine(device="cuda:1").resolved().device == Machine.read({"device": "cuda:1"}).device == "cuda:1"
    assert Machine.read({"device": "cuda:2"}).device == "auto"
    with pytest.raises(UsageError, match="device: torch can use no cuda:2 on this machine"):
        Machine(device="cuda:2").resolved()
    for odd in ("cuda:", "cuda:-1", "cuda:x", "cpu:1"):
        with pytest.raises(UsageError, match="is not one of auto, cpu, cuda, mps, cuda:1"):
            Machine(device=odd).resolved()


def test_free_memory_is_half_of_what_is_there(monkeypatch):
    assert 0 < free_memory("cpu") <= psutil.virtual_memory().total / 2
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10_000, total=50_000))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ({"cuda": 6_000, "cuda:1": 8_000}[device], 80_000))
    assert [*map(free_memory, ("cpu", "mps", "cuda", "cuda:1"))] == [5_000, 5_000, 3_000, 4_000]


def test_memory_may_be_kept_on_any_system():
    code = "from dreamer.engine.device import keep_freed_memory as keep; keep(); keep(); print(sum(range(9)))"
    ran = run([sys.executable, "-c", code])
    assert (ran.returncode, ran.stdout) == (0, "36\n"), ran.stderr
