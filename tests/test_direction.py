"""Directions in files, which may be strangers'."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from dreamer.errors import UsageError
from dreamer.visualization.direction_file import read_direction

WAY = np.linspace(-1, 1, 12)


def test_a_direction_is_read_from_every_kind_of_file(tmp_path):
    np.save(tmp_path / "way.npy", WAY.astype(np.float32)[:, None])
    save_file({"whatever": WAY}, tmp_path / "way.safetensors")
    (tmp_path / "way.txt").write_text(", ".join(map(str, WAY)))
    (tmp_path / "way.json").write_text(json.dumps(WAY.tolist()))
    for suffix in ("npy", "safetensors", "txt", "json"):
        assert read_direction(tmp_path / f"way.{suffix}") == pytest.approx(WAY, abs=1e-6), suffix


def test_of_several_directions_the_layers_own_is_read(tmp_path):
    save_file({"one": WAY, "two": -WAY}, tmp_path / "ways.safetensors")
    assert read_direction(tmp_path / "ways.safetensors", "two") == pytest.approx(-WAY, abs=1e-6)
    for layer in (None, "three"):
        with pytest.raises(UsageError, match="several directions, one, two; choose one with --layer"):
            read_direction(tmp_path / "ways.safetensors", layer)


def bad_files(folder):
    np.save(folder / "nan.npy", np.full(12, np.nan))
    np.save(folder / "text.npy", np.array(["a"] * 12))
    np.save(folder / "complex.npy", np.full(12, 1j))
    np.save(folder / "pickle.npy", np.array([print] * 12, dtype=object), allow_pickle=True)
    np.savez(folder / "zip.npz", np.ones(12))
    np.save(folder / "large.npy", np.ones(200_000))
    np.save(folder / "plain.npy", np.ones(12))
    header = (folder / "plain.npy").read_bytes()
    promise = header.replace(b"(12,), }" + b" " * 11, b"(999999999999,), }" + b" ")
    assert promise != header
    (folder / "promise.npy").write_bytes(promise)
    (folder / "broken.safetensors").write_bytes(b"\xff" * 64)
    save_file({}, folder / "empty.safetensors")
    (folder / "empty.txt").write_text("")
    (folder / "words.txt").write_text("one two")
    (folder / "folder.npy").mkdir()
    return {
        **dict.fromkeys(("text.npy", "complex.npy", "pickle.npy", "zip.npz", "promise.npy"), "no numbers can be read"),
        **dict.fromkeys(("broken.safetensors", "words.txt"), "no numbers can be read"),
        **dict.fromkeys(("empty.safetensors", "empty.txt"), "the file holds no numbers"),
        **dict.fromkeys(("folder.npy", "absent.npy"), "no such file"),
        "nan.npy": "the file holds NaN or Inf",
        "large.npy": "too large",
    }


def test_files_that_hold_no_direction_are_refused(tmp_path):
    for name, why in bad_files(tmp_path).items():
        with pytest.raises(UsageError, match=why):
            read_direction(tmp_path / name)
