"""Units of work: whatever dies and whatever is done twice, each result is there once, and nothing else."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from makers import AROUND, Here, copied, copies

from dreamer.errors import RenderError
from dreamer.units.processes import Processes
from dreamer.units.results import note, noted
from dreamer.units.unit import Order, Unit
from dreamer.units.working import Hire, work


def processes(count: int, **environment: str) -> Hire:
    return lambda order, mark: Processes(order, mark, [{**AROUND, **environment}] * count)


def whole(folder: Path, count: int) -> dict[str, bytes]:
    return {f"copy-{n}": hashlib.sha256((folder / f"photo-{n}").read_bytes()).digest() for n in range(count)}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals that kill")
def test_what_is_killed_or_fails_is_made_again_and_set_aside_after_three_times(tmp_path: Path) -> None:
    order, units = copies(tmp_path, 8, dies={1: 1, 4: 2}, fails={2: 1, 6: 9}, wrong={7: True})
    found = {outcome.unit.label: outcome for outcome in work(order, units, processes(2))}
    failed = {label: outcome for label, outcome in found.items() if outcome.problems}
    assert len(found) == 8 and {*failed} == {"photo-6", "photo-7"}
    assert failed["photo-6"].problems == ("tried 3 times: RuntimeError: the network is away",)
    assert failed["photo-6"].code == 1 and failed["photo-7"].code == 2
    made = (tmp_path / "log").read_text().split()
    assert made.count("copy-4") == 3 and made.count("copy-7") == made.count("copy-0") == 1
    assert copied(tmp_path) == {key: value for key, value in whole(tmp_path, 6).items()}  # and no half-written file


def test_a_process_makes_one_unit_after_another(tmp_path: Path) -> None:
    order, units = copies(tmp_path, 6)
    assert len({outcome.result["by"] for outcome in work(order, units, processes(1))}) == 1


def test_only_as_many_units_are_taken_as_can_be_made(tmp_path: Path) -> None:
    order, units = copies(tmp_path, 9)
    taken = 0

    def source() -> Iterator[Unit]:
        nonlocal taken
        for unit in units:
            taken += 1
            yield unit

    for done, _ in enumerate(work(order, source(), Here), 1):
        assert taken <= done + 2  # the one that is next, and the one that is being made
    assert taken == 9


@pytest.mark.skipif(sys.platform == "win32", reason="/proc is asked")
def test_what_is_stopped_leaves_no_process_and_no_half_written_file(tmp_path: Path) -> None:
    order, units = copies(tmp_path, 4, waits={1: 30.0, 2: 30.0, 3: 30.0})
    with closing(work(order, units, processes(2))) as outcomes:
        process = next(outcomes).result["by"]
        while len(copied(tmp_path)) < 2:
            pass
    assert copied(tmp_path) == {"copy-0": whole(tmp_path, 1)["copy-0"]}
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_maker_is_told_when_its_process_ends_in_the_middle(tmp_path: Path) -> None:
    file, told = tmp_path / "file", []
    order = Order("makers:Leaving", {"file": str(file)}, str(tmp_path))

    def stop(share: float) -> None:
        told.append(file.exists())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(work(order, iter([Unit("a", {}, str(tmp_path))]), processes(1), stop))
    assert told == [True] and not file.exists()


def test_the_shares_of_all_that_is_made_are_told(tmp_path: Path) -> None:
    order, units = copies(tmp_path, 3)
    told: list[float] = []
    assert len([*work(order, units, Here, told.append)]) == 3 and told == [0.5] * 3


def test_no_code_of_the_current_folder_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dreamer", "queue", "makers"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'evil')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    order, units = copies(tmp_path, 1)
    assert [outcome.problems for outcome in work(order, units, processes(1))] == [()]
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("said", [b"", b'{"ready"'])  # killed in the middle of a line, too
def test_processes_that_cannot_begin_are_not_started_for_ever(tmp_path: Path, said: bytes) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import os; os.write(1, {said!r}); os._exit(3)")
    order, units = copies(tmp_path, 5)
    with pytest.raises(RenderError, match="end before they begin"):
        [*work(order, units, processes(1, PYTHONPATH=str(tmp_path)))]


def test_a_unit_s_key_is_of_all_that_decides_it() -> None:
    order, unit = Order("a:B", {"seed": 1}, "/here"), Unit("photo", {"photo": "a.png", "sha256": "0"}, "/out")
    assert unit.key(order) == replace(unit, label="picture").key(replace(order, here="/there"))
    others = [replace(order, words={"seed": 2}), replace(order, maker="a:C")]
    assert unit.key(order) not in {unit.key(other) for other in others}
    assert unit.key(order) != replace(unit, words={"photo": "a.png", "sha256": "1"}).key(order)


def test_a_damaged_note_is_none(tmp_path: Path) -> None:
    key = "0" * 32
    assert noted(tmp_path, key) is None
    note(tmp_path, key, {"frames": 3})
    assert noted(tmp_path, key) == {"frames": 3}
    (tmp_path / f"unit-{key}.json").write_text("[1")
    assert noted(tmp_path, key) is None
