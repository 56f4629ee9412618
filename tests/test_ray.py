"""--on ray: a cluster of three machines, of which one is lost, and workers as well, and the command itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from command import left_in, photo, render
from makers import AROUND
from networks import tiny

from dreamer.cli.hands import order_of

pytest.importorskip("ray", reason="Ray is not installed; `pip install -e '.[ray]'` brings it")
PHOTOS = 40
COMMAND = """
import dreamer.cli.many as many
from functools import partial
from dreamer.cli.hands import order_of
import dreamer.pipeline.build as build
from dataclasses import replace
from networks import tiny
build.load_from = lambda *names, **settings: replace(tiny(), name="reverie")
many.order_of = lambda maker, **words: order_of("makers:TinyPhotos", **words)
import sys
from dreamer.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """The address of a cluster of three machines with one core each, and the cluster."""
    ours = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
    for name, value in {**AROUND, **ours, "DREAMER_TEST_LOG": str(tmp_path / "log")}.items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    machine = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=machine)
    try:
        cluster.add_node(**machine), cluster.add_node(**machine)
        yield f"ray://{cluster.address}", cluster
    finally:
        import ray

        ray.shutdown()
        cluster.shutdown()


def actors() -> list[psutil.Process]:
    return [one for one in psutil.process_iter() if _title(one).startswith("ray::_Actor")]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.skipif(sys.platform == "win32", reason="Ray starts several machines on one elsewhere alone")
@pytest.mark.filterwarnings("ignore")
def test_each_photo_is_there_once_whatever_is_lost(
    tmp_path: Path, address: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, cluster = address
    (tmp_path / "torch.py").write_text(f"open({str(tmp_path / 'evil')!r}, 'w')")
    monkeypatch.chdir(tmp_path)  # no code of the current folder runs
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(PHOTOS):
        photo(folder / f"{number:02}.png", 64, 48, shift=number)
    monkeypatch.setattr("dreamer.pipeline.build.load_from", lambda *a, **b: replace(tiny(), name="reverie"))
    assert render(folder, "-o", tmp_path / "one/", "--threads", "1", "--progress", "none").code == 0

    def done() -> int:
        return len([*out.glob("*-dream.png")])

    words = ("render", "--set", "octaves.steps=1", str(folder), "-o", f"{out}/", "--on", where, "--progress", "none")
    with subprocess.Popen([sys.executable, "-P", "-c", COMMAND, *words]) as killed:
        while done() < 5:
            assert killed.poll() is None
            time.sleep(0.01)
        killed.kill()
    while actors():  # Ray ends them
        time.sleep(0.1)
    before = done()
    assert 5 <= before < PHOTOS
    begun = len((tmp_path / "log").read_text().splitlines())
    assert begun <= before + 3  # what was in flight

    def losing() -> None:
        for count, lose in ((before + 3, "worker"), (before + 9, "machine"), (before + 16, "worker")):
            while done() < count:
                time.sleep(0.01)
            if lose == "machine":
                cluster.remove_node([*cluster.worker_nodes][-1], allow_graceful=False)
            elif there := actors():
                os.kill(there[0].pid, signal.SIGKILL)

    thief = threading.Thread(target=losing, daemon=True)
    thief.start()
    monkeypatch.setattr("dreamer.cli.many.order_of", lambda maker, **words: order_of("makers:TinyPhotos", **words))
    ran = render(folder, "-o", f"{out}/", "--on", where)
    assert ran.code == 0, ran.err
    skipped = ran.err.count("is already done")  # or was written by a worker that was lost before it said so
    assert before <= skipped <= before + 3 and not thief.is_alive()
    assert left_in(out) == left_in(tmp_path / "one") and len(left_in(out)) == PHOTOS
    assert all((out / name).read_bytes() == (tmp_path / "one" / name).read_bytes() for name in left_in(out))
    assert not (tmp_path / "evil").exists()
    times = Counter(line.split()[1] for line in (tmp_path / "log").read_text().splitlines()[begun:])
    assert sum(times.values()) <= PHOTOS + 3 and max(times.values()) <= 2
