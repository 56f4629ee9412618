"""Photos behind addresses: fetched, dreamt over and sent, with the bytes that they have as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest
from command import left_in, photo, refused, render
from makers import Here
from networks import tiny

from dreamer.cli.hands import Hands
from dreamer.cli.remote import Remote
from dreamer.errors import UsageError, WriteError
from dreamer.units import storage
from dreamer.units.serving import Server
from dreamer.units.storage import fetch, is_address, listed, send, shown


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is this process, which has the memory that memory:// is."""
    monkeypatch.setattr(Hands, "hire", lambda self, machine: Here)
    monkeypatch.setattr("dreamer.pipeline.build.load_from", lambda *a, **b: replace(tiny(), name="reverie"))


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket with two photos, one of them in a subfolder, and with something that is no photo."""
    memory = fsspec.filesystem("memory")
    for number, name in enumerate(("a.png", "sub/b.tif")):
        path = photo(tmp_path / Path(name).name, shift=number)
        memory.pipe_file(f"/in/{name}", path.read_bytes())
    memory.pipe_file("/in/notes.txt", b"no photo")
    yield memory
    memory.rm("/", recursive=True)


def test_dreams_of_a_bucket_are_those_of_files(tmp_path: Path, bucket: fsspec.AbstractFileSystem) -> None:
    assert render("memory://in", "-o", "memory://out/", "--jobs", "2").code == 0
    assert bucket.find("/out") == ["/out/a-dream.png", "/out/sub/b-dream.tif"]
    assert render(tmp_path / "a.png", tmp_path / "b.tif", "--threads", "1").code == 0
    assert bucket.cat_file("/out/a-dream.png") == (tmp_path / "a-dream.png").read_bytes()
    assert bucket.cat_file("/out/sub/b-dream.tif") == (tmp_path / "b-dream.tif").read_bytes()


def test_what_is_there_is_skipped_or_left_alone(tmp_path: Path, bucket: fsspec.AbstractFileSystem) -> None:
    words = ("memory://in/a.png", "-o", "memory://out")
    assert render(*words).code == 0
    ran = render(*words)
    assert ran.code == 0 and "memory://out/a-dream.png is already done" in ran.err
    refused(render(*words, "--seed", "3", "--progress", "none"), "memory://out/a-dream.png already exists")
    assert render(*words, "--seed", "3", "--force").code == 0


def test_a_dream_goes_from_a_folder_to_a_bucket_and_back(tmp_path: Path, bucket: fsspec.AbstractFileSystem) -> None:
    assert render(tmp_path / "a.png", "-o", "memory://out/").code == 0
    assert render("memory://in/a.png", "-o", tmp_path / "back").code == 0
    assert left_in(tmp_path / "back") == ["a-dream.png"]
    assert bucket.cat_file("/out/a-dream.png") == (tmp_path / "back" / "a-dream.png").read_bytes()


def test_what_is_wrong_with_addresses_is_told_at_once(tmp_path: Path, bucket: fsspec.AbstractFileSystem) -> None:
    ran = render("memory://nowhere", "nothing://in", "--variations", "4")
    refused(ran, "memory://nowhere", "nothing://in", "name a folder for the dreams", "a sheet, snapshots and --repeat")
    refused(render("memory://in/a.png", "-o", "memory://out/a.png"), "name a folder for the dreams")
    ran = render("memory://in/a.png", "--sample", "-o", "memory://out/", "--like", "a.jpg#1", "--recipe", "no.png")
    refused(ran, "--sample draws its scene on this machine", "--like and --recipe cannot be combined")
    refused(render("-o", "memory://out/"), "name a photo, or the address of one")


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_file_is_sent_whole_and_replaces_nothing(tmp_path: Path, kind: str) -> None:
    folder = f"memory://{tmp_path.name}" if kind == "memory" else (tmp_path / "there").as_uri()
    (tmp_path / "one").write_bytes(b"one"), (tmp_path / "two").write_bytes(b"two")
    send(tmp_path / "one", f"{folder}/sub/x", replace=False)
    with pytest.raises(WriteError, match="already exists"):
        send(tmp_path / "two", f"{folder}/sub/x", replace=False)
    send(tmp_path / "two", f"{folder}/sub/x", replace=True)
    assert listed(folder) == [f"{folder}/sub/x"]
    assert fetch(f"{folder}/sub/x", tmp_path).read_bytes() == b"two"
    with pytest.raises(UsageError):
        fetch(f"{folder}/sub/y", tmp_path)


def test_a_photo_that_was_fetched_goes_with_its_process(
    tmp_path: Path, bucket: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def ended(self: Remote, photo: Path, tell: object) -> None:
        assert photo.exists()
        Server.leave(SimpleNamespace(_maker=self))  # type: ignore[arg-type]
        assert left_in(tmp_path / "temporary") == []
        raise UsageError("it has left")

    monkeypatch.setattr(Remote, "_dreamt", ended)
    refused(render("memory://in/a.png", "-o", "memory://out/", "--progress", "none"), "it has left")


def test_paths_are_no_addresses() -> None:
    assert is_address("s3://bucket/in") and is_address("memory://in")
    for path in ("a.png", "C:\\photos", "c://photos", "/photos", "./a:b", "://x"):
        assert not is_address(path)


@pytest.mark.parametrize(
    "address", ["reference://x::file:///etc", "zip://a.png::file:///a.zip", "dir:///etc", "data://x", "github://a:b@c"]
)
def test_what_is_no_storage_is_not_opened(address: str) -> None:
    with pytest.raises(UsageError, match="is no storage that dreamer opens"):
        listed(address)


def test_a_stranger_s_file_leads_nowhere_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a::memory.png").write_bytes(b"a")
    (found,) = listed((tmp_path / "in").as_uri())
    assert fetch(found, tmp_path).read_bytes() == b"a"


def test_passwords_are_not_printed() -> None:
    address = "ftp://joe:hunter@2@127.0.0.1:1/a.png"
    assert shown(address) == "ftp://joe:***@127.0.0.1:1/a.png"
    assert shown("https://host/a.png?sig=key") == "https://host/a.png?***"
    assert shown("webdav://host:80/a@b.png?sig=key") == "webdav://host:80/a@b.png?***"
    assert shown("https://ghp_token@host/a.png") == "https://***@host/a.png"
    assert shown("sftp://joe:hun/ter@host/a.png") == "sftp://joe:***@host/a.png"
    assert shown("https://[::1]:9/a@b.png") == "https://[::1]:9/a@b.png"
    for harmless in ("sftp://joe@host/a.png", "abfs://container@account/a.png", "s3://bucket/a?b@c:d.png"):
        assert shown(harmless) == harmless
    refused(ran := render(address, "-o", "ftp://ann:secret@127.0.0.1:1/"), "ftp://joe:***@127.0.0.1")
    assert "hunter" not in ran.err and "secret" not in ran.err


def test_what_has_no_end_is_not_read(tmp_path: Path, bucket: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("LISTED_FOLDERS", 1), ("LISTED_FILES", 2)):
        with monkeypatch.context() as limits, pytest.raises(UsageError, match=f"more than {most}"):
            limits.setattr(storage, name, most)
            listed("memory://in")
    (tmp_path / "large").mkdir()
    monkeypatch.setattr(storage, "STREAM_BYTES", 9)
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.size", lambda *words: 1)
    with pytest.raises(UsageError, match="larger than any picture"):
        fetch("memory://in/sub/b.tif", tmp_path / "large")


def test_no_dream_replaces_a_photo_or_another_s_dream(tmp_path: Path, bucket: fsspec.AbstractFileSystem) -> None:
    data = bucket.cat_file("/in/a.png")
    for name in ("/in/sub/a.png", "/other/a.png", "/else/c.png", "/photos/c-dream.png"):
        bucket.pipe_file(name, data)
    quiet = ("--force", "--progress", "none")
    ran = render("memory://else", "memory://photos/c-dream.png", "-o", "memory://photos/", *quiet)
    refused(ran, "memory://photos/c-dream.png is a photo itself")
    assert bucket.cat_file("/photos/c-dream.png") == data
    ran = render("memory://in/a.png", "memory://other", "-o", "memory://out/", *quiet)
    refused(ran, "memory://out/a-dream.png is also the name for the dream of memory://in/a.png", code=1)
    assert render("memory://in", "-o", "memory://out/").code == 0  # in folders of their own
    refused(render("memory://in/a.png", "-o", "memory://in/"), "name another folder")
