"""Files are read with a bound and written whole; nobody else's file is in danger from either."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from command import left_in

from dreamer.cli.claims import claimed
from dreamer.errors import UsageError, WriteError
from dreamer.files import disk as files
from dreamer.files import free, is_link, is_taken, read_bounded, replacing, rescue, write_atomically


def test_no_more_is_read_than_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(UsageError, match=r"a is too large, at most 0 kB of it would be read; name a smaller file"):
        read_bounded(path, 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(UsageError, match="is not a regular file"):
            read_bounded(tmp_path / name, 100)


@pytest.mark.parametrize("links", [True, False])
def test_what_exists_gets_a_neighbour_unless_it_may_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def link(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:  # as on a memory card
        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "a.png"
    path.write_bytes(b"mine")
    assert write_atomically(path, b"new", replace=False) == tmp_path / "a-2.png"
    assert write_atomically(path, b"third", replace=False) == tmp_path / "a-3.png"
    assert (path.read_bytes(), (tmp_path / "a-2.png").read_bytes()) == (b"mine", b"new")
    assert write_atomically(path, b"new") == path and path.read_bytes() == b"new"
    assert left_in(tmp_path) == ["a-2.png", "a-3.png", "a.png"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with (
        pytest.raises(WriteError, match=r"it exists, and --force alone replaces it"),
        replacing(path, replace=False) as t,
    ):
        t.write_bytes(b"new")
        path.write_bytes(b"somebody else's")
    assert path.read_bytes() == b"somebody else's" and left_in(tmp_path) == ["a.mp4"]


def test_a_link_is_a_name_that_is_taken_and_not_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "a.png", tmp_path / "elsewhere"
    link.symlink_to(target)
    assert is_taken(link) and is_link(link) and not is_link(tmp_path)
    assert free(link) == tmp_path / "a-2.png"
    assert write_atomically(link, b"new", replace=False) == tmp_path / "a-2.png"
    write_atomically(link, b"new")
    assert not target.exists() and link.read_bytes() == b"new" and not is_link(link)


def test_what_killed_processes_left_goes_at_the_next_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young, other = (tmp_path / name for name in (".dreamer-0a.part", ".dreamer-0b.part", "dreamer.part"))
    for path in (old, young, other):
        path.write_bytes(b"half")
    link = tmp_path / ".dreamer-0c.part"
    link.symlink_to(other)
    then = time.time() - 2 * files._STALE
    for path in (old, other, link):
        os.utime(path, (then, then), follow_symlinks=False)
    absent = tmp_path / ".dreamer-0.part"  # somebody else has removed it by now
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter([absent, link, old, young]))
    write_atomically(tmp_path / "a", b"new")
    assert left_in(tmp_path) == [".dreamer-0b.part", ".dreamer-0c.part", "a", "dreamer.part"]


def test_a_rescue_is_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = rescue("a.png", b"dream")
    assert kept is not None and kept.read_bytes() == b"dream"
    assert os.name != "posix" or kept.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    assert rescue("a.png", b"dream") is None


def test_a_file_has_one_maker_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    (tmp_path / "link").symlink_to(tmp_path)
    with claimed(path):
        with (
            pytest.raises(UsageError, match=r"a\.png is being made by another dreamer"),
            claimed(tmp_path / "link/a.png"),
        ):
            pass
        with claimed(tmp_path / "b.png"):
            pass
    with claimed(path):
        pass
    assert left_in(tmp_path) == ["link"]
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("DREAMER_CACHE", str(tmp_path / "file" / "no-folder"))
    with claimed(path):
        pass
