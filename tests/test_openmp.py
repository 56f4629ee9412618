"""Threads that wait do not keep the processor for long, and a person's own setting stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command import dreamer
from forked import AFRESH, run

from dreamer.openmp import SPINNING, VARIABLES, spinning

ALONE = {name: value for name, value in os.environ.items() if name not in VARIABLES}


def fresh(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter, with these of the variables and no others."""
    code = f"import os, sys\n{script}"
    given = {**ALONE, **environment}
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)


ASKED = f"print({{name: os.environ[name] for name in {VARIABLES} if name in os.environ}})"


def children_told(module: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a child is told of the variables by a process that has imported a module."""
    script = f"import {module}, subprocess\nsubprocess.run([sys.executable, '-c', {f'import os; {ASKED}'!r}])"
    return fresh(script, **environment)


@pytest.mark.parametrize("module", ["dreamer", "dreamer.cli"])
def test_it_is_set_for_the_process_and_its_children(module: str) -> None:
    assert children_told(module).stdout == f"{SPINNING}\n"


@pytest.mark.parametrize("name", VARIABLES)
def test_a_persons_own_setting_stands_alone(name: str) -> None:
    ran = fresh(f"import dreamer\n{ASKED}\nfrom dreamer.openmp import spinning\nprint(spinning())", **{name: "7"})
    assert ran.stdout == f"{ {name: '7'} }\n{name}=7, set by you\n"


def test_nothing_is_set_once_torch_has_read_the_environment() -> None:
    script = f"{AFRESH}import dreamer, os\n{ASKED}\nfrom dreamer.openmp import spinning\nprint(spinning())"
    ran = run([sys.executable, "-c", script], env=ALONE)
    assert ran.stdout == "{}\nOpenMP's default, because torch was imported before dreamer\n"


def test_the_runtime_of_torch_takes_it() -> None:
    """The runtime alone, which reads the environment as it is loaded; the rest of torch would take seconds."""
    runtimes = [*(Path(torch.__file__).parent / "lib").glob("libgomp*")]
    if not runtimes:
        pytest.skip("this torch brings another runtime than libgomp")
    ran = fresh(f"import dreamer, ctypes\nctypes.CDLL({str(runtimes[0])!r})", OMP_DISPLAY_ENV="verbose")
    assert f"GOMP_SPINCOUNT = '{SPINNING['GOMP_SPINCOUNT']}'" in ran.stderr


def test_the_doctor_says_what_is_in_force_and_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in SPINNING.items():
        monkeypatch.setenv(name, value)
    assert spinning() == "GOMP_SPINCOUNT=3000, KMP_BLOCKTIME=1, set by dreamer"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    (line,) = [line for line in dreamer("doctor").out.splitlines() if line.strip().startswith("idle threads")]
    assert line.endswith("GOMP_SPINCOUNT=3000, KMP_BLOCKTIME=1, OMP_WAIT_POLICY=active, set by you")
