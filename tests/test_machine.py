import subprocess
import sys

import pytest

from dreamer.errors import UsageError
from dreamer.machine import Machine, free_memory


def test_auto_is_settled():
    machine = Machine().resolved()
    assert machine.device in ("cpu", "cuda", "mps") and machine.precision == "float32" and machine.threads > 0
    assert {"device", "precision", "tile", "threads", "torch"} == machine.words().keys()


def test_what_a_stranger_says_of_a_machine_is_checked():
    odd = {"device": "toaster", "precision": 3, "tile": -7, "threads": 10**9}
    assert Machine.read(odd) == Machine()
    known = {"device": "cpu", "precision": "bfloat16", "tile": 256, "threads": 1}
    assert Machine.read(known) == Machine("cpu", "bfloat16", 256, 1)


def test_a_device_that_is_not_there():
    with pytest.raises(UsageError, match="--device"):
        Machine(device="toaster").resolved()


def test_free_memory_is_a_part_of_what_is_there():
    assert 2**20 < free_memory("cpu") < 2**50


def test_memory_may_be_kept_on_any_system():
    code = "from dreamer.machine import keep_freed_memory as keep; keep(); keep(); print(sum(range(9)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "36\n"
