"""What lies beside a clip in the making may be a stranger's: no link is followed, no lie believed, nothing lost."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
from clips import made, opened, picture
from command import left_in
from PIL import Image, PngImagePlugin

from dreamer.errors import UsageError
from dreamer.video.clip.manifest import notes_of
from dreamer.video.clip.reader import probe
from dreamer.video.clip.state import FolderStore

INSIDE = ["", "frames", "frames/frame-000003.png"]
INSIDE += ["manifest.json", "segment-000000.mp4", "rest.mp4", "trial.mp4", "change-000004.safetensors"]


def begun(output, count=4, **options):
    """The folder of an unfinished clip."""
    with opened(output, **options) as writer:
        for number in range(count):
            writer.add(picture(number))
    return writer.folder


def documents(folder):
    """A folder of somebody's, with frames in it."""
    folder.mkdir()
    for name in ("thesis.txt", "frame-000099.png", "manifest.json"):
        (folder / name).write_text("mine")
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def moved_behind_link(path, elsewhere):
    path.rename(elsewhere)
    path.symlink_to(elsewhere, target_is_directory=elsewhere.is_dir())


@pytest.mark.parametrize("wish", ["", "resume", "force"])
@pytest.mark.parametrize("inside", INSIDE)
def test_nothing_is_followed_through_a_link(tmp_path, inside, wish):
    folder = begun(tmp_path / "clip.mp4")
    for name in ("rest.mp4", "trial.mp4", "change-000004.safetensors"):
        (folder / name).write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    moved_behind_link(folder / inside, elsewhere)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"was not made by dreamer, or is a link; remove it, or choose another -o"):
        opened(tmp_path / "clip.mp4", **({wish: True} if wish else {}))
    assert notes_of(tmp_path / "clip.mp4") == {}
    assert contents(tmp_path) == before


@pytest.mark.parametrize("wish", ["resume", "force"])
def test_a_folder_in_the_place_of_a_file_is_not_deleted(tmp_path, wish):
    folder = begun(tmp_path / "clip.mp4")
    documents(folder / "frames" / "frame-000077.png")
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"frame-000077\.png was not made by dreamer"):
        opened(tmp_path / "clip.mp4", **{wish: True})
    assert contents(tmp_path) == before


@pytest.mark.parametrize("wish", ["resume", "force"])
def test_only_dreamer_s_own_files_are_deleted(tmp_path, wish):
    folder = begun(tmp_path / "clip.mp4")
    theirs = [folder / "notes.txt", folder / "frames" / "notes.txt", folder / "frames" / "frame-1.png"]
    for path in theirs:
        path.write_text("mine")
    for name in ("frame-000050.png", ".dreamer-0a.part"):
        (folder / "frames" / name).write_text("left behind")
    made(tmp_path / "clip.mp4", **{wish: True})
    assert sorted(contents(folder)) == sorted(theirs)


def test_a_folder_without_a_manifest_is_nobody_s_to_empty(tmp_path):
    folder = begun(tmp_path / "clip.mp4")
    (folder / "manifest.json").unlink()
    before = contents(folder)
    for resume in (False, True):
        with pytest.raises(UsageError, match="parts of an unfinished clip that cannot be continued; --force deletes"):
            opened(tmp_path / "clip.mp4", resume=resume)
    assert contents(folder) == before
    made(tmp_path / "clip.mp4", force=True)
    assert left_in(tmp_path) == ["clip.mp4"]


def test_a_folder_of_frames_that_is_replaced_holds_nothing_else(tmp_path):
    output = made(tmp_path / "stills", 2)
    documents(output / "frame-000002.png")
    with pytest.raises(UsageError, match="a folder that holds more than a clip's frames"):
        opened(output, force=True)
    shutil.rmtree(output / "frame-000002.png")
    (output / "frame-000002.png").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="a folder that holds more than a clip's frames"):
        opened(output, force=True)
    (output / "frame-000002.png").unlink()
    with opened(output, 2, force=True) as writer:
        for number in range(2):
            writer.add(picture(number))
        (output / "thesis.txt").write_text("mine")
        with pytest.raises(UsageError.__base__, match="holds more than a clip's frames by now"):
            writer.finish()
        (output / "thesis.txt").unlink()
        writer.finish()
    assert left_in(output) == ["frame-000000.png", "frame-000001.png"] and left_in(tmp_path) == ["stills"]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip"])
def test_an_output_that_is_a_link_is_taken_and_replaced_itself(tmp_path, name):
    output, target = tmp_path / name, tmp_path / "target"
    for there in (False, True):
        if there:
            documents(target)
        output.symlink_to(target)
        with pytest.raises(UsageError, match="already exists; --force replaces it"):
            opened(output)
        made(output, 2, force=True)
        assert not output.is_symlink() and probe_or_count(output) == 2
        shutil.rmtree(output) if output.is_dir() else output.unlink()
    assert len(contents(target)) == 3


def probe_or_count(output):
    return len(left_in(output)) if output.is_dir() else probe(output).frames


def test_a_lock_is_no_link_and_no_file_of_somebody_s(tmp_path):
    output, lock, theirs = tmp_path / "clip.mp4", tmp_path / ".clip.mp4.lock", tmp_path / "thesis.txt"
    theirs.write_text("mine")
    for plant in (lock.symlink_to, lock.hardlink_to, lambda path: lock.write_text("mine"), lambda path: lock.mkdir()):
        plant(theirs)
        with pytest.raises(UsageError, match=r"\.clip\.mp4\.lock was not made by dreamer, or is a link; remove it"):
            opened(output)
        assert os.path.lexists(lock) and theirs.read_text() == "mine"
        lock.rmdir() if lock.is_dir() and not lock.is_symlink() else lock.unlink()
    lock.touch()  # as a killed process leaves it
    made(output)
    assert left_in(tmp_path) == ["clip.mp4", "thesis.txt"]


def entry(**changes):
    return {"start": 0, "frames": 3, "sha256": "0" * 64} | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"segments": [entry(start=float("inf"))]},
        {"segments": [entry(start=float("nan"))]},
        {"segments": [entry(start=10**400)]},
        {"segments": [entry(start=-1)]},
        {"segments": [entry(start=True)]},
        {"segments": [entry(frames=10**9)]},
        {"segments": [entry(sha256="../../x")]},
        {"segments": [entry(sha256=7)]},
        {"segments": {"a": 1}},
        {"segments": [[]]},
        {"segments": 5},
        {"settings": []},
        {"settings": {}, "segments": [entry()]},
        {"identity": {}},
        {"notes": "tiles"},
        {"notes": None},
        {"schema": 2},
        {"notes": {"x": json.loads("[" * 60 + "]" * 60)}},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path, changes):
    manifest = begun(tmp_path / "clip.mp4") / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()) | changes))
    with pytest.raises(UsageError, match=r"manifest\.json (is damaged|was written by another)"):
        opened(tmp_path / "clip.mp4", resume=True)
    assert notes_of(tmp_path / "clip.mp4") == {}


def test_a_manifest_is_read_within_bounds(tmp_path):
    manifest = begun(tmp_path / "clip.mp4") / "manifest.json"
    table = json.loads(manifest.read_bytes())
    identity = '{"a":' * 5000 + "1" + "}" * 5000
    for text, told in (
        (json.dumps(table | {"notes": {"x": "x" * (9 << 20)}}), "too large"),
        ("[" * 100_000, "is damaged"),
        (json.dumps(table | {"identity": identity}), "differs in seed"),
    ):
        manifest.write_text(text)
        with pytest.raises(UsageError, match=told):
            opened(tmp_path / "clip.mp4", resume=True)


def test_what_a_manifest_says_never_stands_for_force(tmp_path):
    output = tmp_path / "clip.mp4"
    manifest = begun(output) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()) | {"replaces": True}))
    output.write_text("mine")
    with pytest.raises(UsageError, match=r"clip\.mp4 already exists; --resume --force continues and replaces it"):
        made(output, resume=True)
    assert output.read_text() == "mine"
    made(output, resume=True, force=True)
    assert probe(output).frames == 7


def test_resuming_never_deletes_an_unfinished_clip_that_differs(tmp_path):
    folder = begun(tmp_path / "clip.mp4")
    before = contents(folder)
    with pytest.raises(
        UsageError, match=r"differs in fps; --force deletes it and starts again if --resume is left out"
    ):
        opened(tmp_path / "clip.mp4", fps=25, resume=True, force=True)
    assert contents(folder) == before


def test_a_preview_that_is_somebody_s_is_not_replaced_by_resuming(tmp_path):
    begun(tmp_path / "clip.mp4", 2)
    partial = tmp_path / "clip-so-far.mp4"
    for theirs in (lambda: partial.write_text("mine"), lambda: made(partial, 2, recipe='{"seed":7}')):
        theirs()
        before = partial.read_bytes()
        with pytest.raises(UsageError, match=r"clip-so-far\.mp4 already exists; --resume --force"):
            made(tmp_path / "clip.mp4", resume=True)
        assert partial.read_bytes() == before
        partial.unlink()
    with opened(tmp_path / "clip.mp4", resume=True) as writer:
        partial.write_text("mine")
        for number in range(2, 7):
            writer.add(picture(number))
        writer.finish()
    assert partial.read_text() == "mine"


@pytest.mark.parametrize("what", ["text", "other size", "other codec", "fewer", "again"])
def test_segments_are_looked_into_before_anything_is_made(tmp_path, what):
    folder = begun(tmp_path / "clip.mp4", 6)
    manifest = folder / "manifest.json"
    others = {"other size": {"size": (32, 32)}, "other codec": {"codec": "h265"}, "fewer": {"segment": 2}}
    if what == "text":
        data = b"no clip"
    elif what == "again":
        data = (folder / "segment-000000.mp4").read_bytes()
    else:
        with opened(tmp_path / "other.mp4", **others[what]) as writer:
            for number in range(3):
                writer.add(picture(number, *others[what].get("size", (48, 64))))
        data = (writer.folder / "segment-000000.mp4").read_bytes()
    (folder / "segment-000001.mp4").write_bytes(data)
    table = json.loads(manifest.read_bytes())
    table["segments"][1]["sha256"] = hashlib.sha256(data).hexdigest()
    table["segments"][1]["start"] *= what != "again"
    manifest.write_text(json.dumps(table))
    with pytest.raises(UsageError, match=r"segment-000001\.mp4 is damaged.*--force"):
        opened(tmp_path / "clip.mp4", resume=True)


def frame_file(path, values, time="1/8", **options):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("seconds", time)
    Image.fromarray(values).save(path, "PNG", pnginfo=texts, **options)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
@pytest.mark.parametrize(
    ("values", "time"),
    [
        (np.zeros((48, 64, 3), np.uint8), "1/0"),
        (np.zeros((48, 64, 3), np.uint8), "1e999999999"),
        (np.zeros((48, 64, 3), np.uint8), "9" * 18),
        (np.zeros((48, 64, 3), np.uint8), "-1"),
        (np.zeros((48, 64, 3), np.uint8), "nan"),
        (np.zeros((48, 64, 3), np.uint8), "0"),  # not after the frame before
        (np.zeros((48, 64, 4), np.uint8), "1"),
        (np.zeros((48, 64), np.uint16), "1"),
        (np.zeros((64, 48, 3), np.uint8), "1"),
        (np.zeros((9000, 9000), np.bool_), "1"),
    ],
)
def test_frames_that_make_no_sense_are_made_again(tmp_path, name, values, time):
    folder = begun(tmp_path / name, 5)
    frame_file(folder / "frames" / "frame-000004.png", values, time)
    with opened(tmp_path / name, resume=True) as writer:
        assert writer.done == 4


def test_a_state_is_read_only_if_it_fits(tmp_path):
    store, path = FolderStore(tmp_path), tmp_path / "change-000001.safetensors"
    fitting = torch.zeros(1, 3, 4, 6)
    store.save("change-000001", fitting)
    assert torch.equal(store.load("change-000001", (4, 6)), fitting)
    assert store.load("change-000001", (4, 6), torch.float16) is None
    assert store.load("change-000001", (6, 4)) is None
    huge = torch.zeros(1, 3, 4000, 600)
    damaged = [fitting[0], fitting.double(), fitting / 0, fitting.expand(3, 3, 4, 6), huge]
    tables = [{"state": state.contiguous()} for state in damaged]
    for table in [*tables, {}, {"state": fitting, "more": fitting.clone()}, {"state": fitting.to(torch.float8_e5m2)}]:
        path.write_bytes(safetensors.torch.save(table))
        assert store.load("change-000001", (4, 6)) is None
    store.save("elsewhere-000001", fitting)
    moved_behind_link(tmp_path / "elsewhere-000001.safetensors", tmp_path / "theirs")
    assert store.load("elsewhere-000001", (4, 6)) is None
    store.drop("elsewhere-000001")
    path.unlink()
    path.mkdir()
    assert store.load("change-000001", (4, 6)) is None
    store.drop("change-000001")
    assert left_in(tmp_path) == ["change-000001.safetensors", "theirs"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
@pytest.mark.parametrize("inside", [name for name in INSIDE if name])
def test_a_named_pipe_is_not_waited_for(tmp_path, inside):
    folder = begun(tmp_path / "clip.mp4")
    path = folder / inside
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    os.mkfifo(path)
    for wish in ("resume", "force"):
        with pytest.raises(UsageError, match="was not made by dreamer"):
            opened(tmp_path / "clip.mp4", **{wish: True})
