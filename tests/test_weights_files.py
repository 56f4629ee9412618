"""Other people's weights files: what they are wrapped in, what they lack, and what they must not do."""

from __future__ import annotations

import argparse
import os
import pickle
import struct
import sys
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import ENVIRONMENT, dreamer, photo, refused, render
from forked import run
from safetensors.torch import save, save_file
from torch import Tensor, nn

from dreamer import limits
from dreamer.errors import NetworkError, RecipeError, UsageError
from dreamer.networks import load_from
from dreamer.networks.network import Network
from dreamer.networks.torchvision import classics
from dreamer.networks.weights import metadata, read_own
from dreamer.recipes.registry import NamedRegistry
from dreamer.training.checkpoint import Checkpoint
from dreamer.visualization.unit import Unit

LAYER = "stage2"


class Small(nn.Module):
    """A classifier of 10 classes in few parameters, with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.stage2 = nn.Sequential(nn.Conv2d(8, 12, 3, stride=2), nn.ReLU())
        self.stage3 = nn.Sequential(nn.Conv2d(12, 16, 3), nn.BatchNorm2d(16), nn.ReLU())
        self.fc = nn.Linear(16, 10)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.stage3(self.stage2(self.conv1(image))).mean((2, 3)))
        return scores


State = dict[str, Tensor]


@pytest.fixture
def state() -> State:
    """Random weights, with running means that no untrained network has."""
    torch.manual_seed(3)
    own = Small().state_dict()
    return {key: torch.rand_like(value) if value.is_floating_point() else value for key, value in own.items()}


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


def headless(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


def with_head(state: State, classes: int) -> State:
    return {**state, "fc.weight": torch.rand(classes, 16), "fc.bias": torch.rand(classes)}


def small() -> Network:
    labels = tuple(f"animal {number}" for number in range(10))
    return Network("small", Small(), (0.5,) * 3, (0.25,) * 3, "none", "random", LAYER, labels=labels)


def loaded(path: Path) -> Network:
    shelf: NamedRegistry[Any] = NamedRegistry("network", "dreamer networks list")
    shelf.add("small", "plugin", small)
    return load_from(shelf, "small", path)


WRAPPED: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "state_dict of DataParallel": lambda state: {"epoch": 90, "arch": "x", "state_dict": prefixed(state, "module.")},
    "tutorial": lambda state: {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": {"state": {}}, "loss": 1},
    "Lightning": lambda state: {"state_dict": prefixed(state, "model."), "hyper_parameters": {"lr": 1e-3}},
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "compiled within": lambda state: {key.replace("stage2.", "stage2._orig_mod."): v for key, v in state.items()},
    "compiled DataParallel of Lightning": lambda state: {"state_dict": prefixed(state, "model.module._orig_mod.")},
    "half": lambda state: {key: value.half() for key, value in state.items()},
    "bfloat16": lambda state: {"net": {key: value.bfloat16() for key, value in state.items()}},
    "without counts": lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
    "parameters": lambda state: {"network": {key: nn.Parameter(v, requires_grad=False) for key, v in state.items()}},
    "params": lambda state: {"params": state, "params_ema": {key: value + 1 for key, value in state.items()}},
    "ema first": lambda state: {"model_ema": {key: value + 1 for key, value in state.items()}, "model": state},
    "ema alone": lambda state: {"ema": {"module": state, "decay": 0.99}},
    "features_extractor": lambda state: {"weights": prefixed(state, "features_extractor.")},
    "momentum encoder": lambda state: {"state_dict": prefixed(headless(state), "module.encoder_q.")},
    "robustness": lambda state: {
        "model": {
            "module.normalizer.new_mean": torch.zeros(3, 1, 1),
            **prefixed(state, "module.model."),
            **prefixed({key: value + 1 for key, value in state.items()}, "module.attacker.model."),
        }
    },
    "sequential": lambda state: {
        f"backbone.{number}.{key.partition('.')[2]}": value
        for number, part in enumerate(["conv1", "stage2", "stage3"])
        for key, value in state.items()
        if key.startswith(f"{part}.")
    },
    "notes of all kinds": lambda state: {
        "state_dict": OrderedDict(state),
        "best": np.float64(0.7),
        "milestones": Counter([30, 60]),
        "seen": {1, 2},
        "size": torch.Size([3, 224, 224]),
        "device": torch.device("cpu"),
        "history": [np.zeros(3), (1.5, None, True, 2**70, b"x")],
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3), "step": torch.tensor(1.0)}}, "param_groups": []},
    },
}


@pytest.mark.parametrize("older", [False, True], ids=["zip", "older"])
@pytest.mark.parametrize("kind", WRAPPED)
def test_weights_are_found_whatever_they_are_wrapped_in(tmp_path: Path, state: State, kind: str, older: bool) -> None:
    file = tmp_path / "theirs.pth.tar"
    torch.save(WRAPPED[kind](state), file, _use_new_zipfile_serialization=not older)
    network = loaded(file)
    network.features(torch.rand(1, 3, 64, 64), ["stage3"])
    for key, value in headless(network.module.state_dict()).items():
        if "num_batches" not in key:
            torch.testing.assert_close(value, state[key], atol=1e-3, rtol=1e-2, msg=key)


def test_safetensors_are_found_by_their_content(tmp_path: Path, state: State) -> None:
    save_file(prefixed(state, "backbone."), tmp_path / "theirs.ckpt")
    assert loaded(tmp_path / "theirs.ckpt").notices == ()


@pytest.mark.parametrize("classes", [1, 5, 365])
def test_another_number_of_classes_is_no_matter(tmp_path: Path, state: State, classes: int) -> None:
    file = tmp_path / "own.pth"
    torch.save({"state_dict": with_head(state, classes), "optimizer": {}}, file)
    network = loaded(file)
    assert network.labels == tuple(map(str, range(classes)))
    assert network.features(torch.rand(1, 3, 64, 64), ["fc"])["fc"].shape == (1, classes, 1, 1)
    (notice,) = network.notices
    assert "own.pth" in notice and f"{classes} classes" in notice and "optimizer" in notice and "\n" not in notice
    wanted = Unit(label="0").objectives(network, None, (64, 64))
    assert wanted == [{"name": "logit", "layer": "fc", "index": [0]}]
    with pytest.raises(RecipeError, match=rf"names no classes; .* from 0 to {classes - 1}"):
        Unit(label="lion").objectives(network, None, (64, 64))


def test_weights_without_a_head_serve_all_layers_before_it(tmp_path: Path, state: State) -> None:
    torch.save(headless(state), tmp_path / "backbone.pth")
    network = loaded(tmp_path / "backbone.pth")
    assert network.labels == () and "lacks fc.weight, fc.bias" in network.notices[0]
    assert network.features(torch.rand(1, 3, 64, 64), ["stage3", LAYER]).keys() == {"stage3", LAYER}
    with pytest.raises(NetworkError, match=r"backbone\.pth .*does not fit up to fc: missing: fc\.weight, fc\.bias"):
        network.features(torch.rand(1, 3, 64, 64), ["fc"])


def test_layers_up_to_the_first_that_does_not_fit_can_be_used(tmp_path: Path, state: State) -> None:
    torch.save({**state, "stage3.0.weight": torch.zeros(7)}, tmp_path / "part.pth")
    network = loaded(tmp_path / "part.pth")
    network.features(torch.rand(1, 3, 64, 64), [LAYER])
    with pytest.raises(NetworkError, match=r"of another shape: stage3\.0\.weight is 7 instead of 16x12x3x3"):
        network.layer("stage3")
    torch.save({"conv1.0.weight": torch.zeros(24, 3, 5, 5), "strange": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(NetworkError, match=r"does not fit: missing: .*; not known: strange; of another shape: conv1"):
        loaded(tmp_path / "other.pth")


def test_dreaming_with_them_says_in_one_line_what_was_passed_over(tmp_path: Path) -> None:
    name, file = "squeezenet1_1", tmp_path / "places.pth.tar"
    state = next(c for c in classics() if c.name == name).untrained().module.state_dict()
    head = {"classifier.1.weight": torch.rand(365, 512, 1, 1), "classifier.1.bias": torch.rand(365)}
    torch.save({"epoch": 90, "state_dict": prefixed({**state, **head}, "module."), "best": 54.2}, file)
    theirs = ("--network", name, "--weights", file)
    ran = render(photo(tmp_path / "a.png"), *theirs)
    assert ran.code == 0
    (line,) = (line for line in ran.err.splitlines() if "places.pth.tar" in line)
    assert "365 classes" in line and "passed over: epoch, best" in line
    small = ("--size", "48", "--steps", "1", *theirs)
    ran = dreamer("visualize", "-o", tmp_path / "c.png", "--class", "3", *small)
    assert ran.code == 0 and (tmp_path / "c.png").is_file()
    refused(dreamer("visualize", "-o", tmp_path / "d.png", "--class", "lion", *small), "lion", "from 0 to 364")
    ran = dreamer("exemplars", tmp_path, "-o", tmp_path / "e.png", "--channel", "0", "--steps", "0", *theirs)
    assert ran.code == 0 and "365 classes" in ran.err
    few = ("--size", "32", "--steps", "1", "--channels", "0", *theirs)
    ran = dreamer("atlas", "-o", tmp_path / "f.html", *few)
    assert ran.code == 0 and "365 classes" in ran.err


@pytest.mark.parametrize("what", [argparse.Namespace(lr=0.1), nn.Linear(2, 2)], ids=["namespace", "module"])
def test_code_is_refused_with_the_way_out(tmp_path: Path, state: State, what: Any) -> None:
    torch.save({"model": state, "args": what}, tmp_path / "code.pth")
    with pytest.raises(NetworkError) as told:
        loaded(tmp_path / "code.pth")
    for part in (
        "holds code besides tensors",
        type(what).__name__,
        'torch.save(model.state_dict(), "weights.pth")',
        'torch.save({"state_dict": checkpoint["model"]}, "weights.pth")',
    ):
        assert part in str(told.value)


def expanded(path: Path) -> None:
    torch.save({"conv1.0.weight": torch.zeros(1).expand(1_500_000_000)}, path)


def expanded_older(path: Path) -> None:
    wide = torch.zeros(1).expand(1_500_000_000)
    torch.save({"conv1.0.weight": wide}, path, _use_new_zipfile_serialization=False)


def deflated(path: Path) -> None:
    torch.save({"conv1.0.weight": torch.zeros(10_000_000)}, path)
    repacked(path, zipfile.ZIP_DEFLATED)


def repacked(path: Path, method: int = zipfile.ZIP_STORED, **changed: bytes) -> None:
    """The same parts again, packed by Python, some of them changed."""
    with zipfile.ZipFile(path) as before:
        parts = {part.filename: before.read(part) for part in before.infolist()}
    with zipfile.ZipFile(path, "w", method) as after:
        for name, data in parts.items():
            after.writestr(name, changed.get(name.rpartition("/")[2].replace(".", "_"), data))


def pickled(program: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        torch.save({"a": torch.zeros(2)}, path)
        repacked(path, data_pkl=b"\x80\x02" + program + b".")

    return write


def larger_than_said(path: Path) -> None:
    torch.save({"conv1.0.weight": torch.zeros(1000)}, path)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 4000), struct.pack("<I", 2**31 - 1)))


def many_parts(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        for number in range(100):
            archive.writestr(f"a/data/{number}{'x' * 60_000}", b"")


def long_pickle(path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, path)
    repacked(path, data_pkl=b"\x80\x02" + b"}" * (limits.PICKLE_BYTES + 1) + b".")


def many_views(path: Path) -> None:
    """A thousand tensors of all the same values."""
    values = torch.zeros(10_000)
    torch.save({f"a{number}": values.view(100, 100) for number in range(1000)}, path)


def older_of_claims(path: Path) -> None:
    torch.save({"conv1.0.weight": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(struct.pack("<H", 1000), struct.pack("<H", 65000)))


def big_endian(path: Path) -> None:
    torch.save({"conv1.0.weight": torch.zeros(1000)}, path)
    repacked(path, byteorder=b"big")


def deep_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**40) + b'{"a":' + b"[" * 1000)


def wide_header(path: Path) -> None:
    path.write_bytes(save({"a": torch.zeros(2)}, {"x": "y" * (limits.SAFETENSORS_HEADER_BYTES + 1)}))


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "expanded": (expanded, "larger than what is stored"),
    "expanded, older": (expanded_older, "larger than what is stored"),
    "many views": (many_views, "larger than what is stored"),
    "deflated": (deflated, "are compressed"),
    "larger than said": (larger_than_said, ""),
    "many parts": (many_parts, "more parts"),
    "long pickle": (long_pickle, "more than tensors"),
    "older of claims": (older_of_claims, ""),
    "big endian": (big_endian, "order of bytes"),
    "header of a terabyte": (deep_header, ""),
    "header of megabytes": (wide_header, ""),
    "key of a tuple of tuples": (pickled(b"}(" + b")" + b"\x85" * 300_000 + b"K\x01u"), ""),
    "tuples twice in tuples": (
        pickled(b"}(" + b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60)) + b"K\x01u"),
        "",
    ),
    "tuples twice in an ordered dict": (
        pickled(
            b"ccollections\nOrderedDict\n(](" + b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60)) + b"K\x01etR"
        ),
        "",
    ),
    "lists in lists": (pickled(b"]" * 300_000 + b"a" * 299_999), ""),
    "a list that grows": (pickled(b"](" + b"K\x01" * 300_000 + b"eq\0" + b"ctorch\nSize\nh\0\x85R0" * 50_000), ""),
    "a dict that grows": (
        pickled(b"X\0\0\x10\0" + b"a" * 2**20 + b"q\0" + b"ccollections\nOrderedDict\nq\1" + b"h\1h\0R0" * 100_000),
        "",
    ),
    "bytes of a claim": (pickled(b"\x96" + struct.pack("<Q", 2**34)), ""),
    "text of a claim": (pickled(b"X\xff\xff\xff\x7fa"), ""),
    "sets": (pickled(b"\x8f" * 300_000), ""),
    "an attribute of a class": (pickled(b"ccollections\nOrderedDict\nN}X\1\0\0\0aK\1s\x86b"), ""),
    "an extension": (pickled(b"\x82\x01"), ""),
    "nothing": (lambda path: path.write_bytes(b""), "not a weights file"),
    "text": (lambda path: path.write_text("hello"), "not a weights file"),
    "cut": (lambda path: (torch.save({"a": torch.zeros(9999)}, path), os.truncate(path, 9999)), "not a weights file"),
    "a list": (lambda path: torch.save([torch.zeros(2)], path), "no state dict"),
    "a folder": (lambda path: path.mkdir(), "not a regular file"),
    "a pipe": (lambda path: os.mkfifo(path), "not a regular file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
}

_READ = """
import resource, sys, warnings
from pathlib import Path
from dreamer.errors import DreamerError
from dreamer.networks import state_dict, tensor_file
from torch import nn
warnings.simplefilter("error")
module = nn.Sequential()
module.add_module("conv1", nn.Sequential(nn.Conv2d(3, 24, 3)))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
for path in map(Path, sys.argv[1:]):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        state_dict.load_state(module, tensor_file.read_tensors(path), str(path), 0)
        told = "read"
    except DreamerError as error:
        told = str(error)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(path.name, grown // 1024, told.replace(chr(10), " ")[:400], sep="\\t", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
def test_hostile_files_are_refused_within_their_own_size(tmp_path: Path) -> None:
    """In another process, as some of them used to end it or to take all memory."""
    files = {kind: tmp_path / f"{kind}.pth" for kind in HOSTILE}
    for kind, (write, _) in HOSTILE.items():
        write(files[kind])
    command = [sys.executable, "-c", _READ, *map(str, files.values())]
    done = run(command, env=ENVIRONMENT, timeout=100)
    told = {name: (int(grown), what) for name, grown, what in (line.split("\t") for line in done.stdout.splitlines())}
    assert done.returncode == 0, f"{done.stderr[-2000:]} after {list(told)[-1:]}"
    for kind, (_, words) in HOSTILE.items():
        grown, what = told[f"{kind}.pth"]
        assert grown < 700, f"{kind}: {grown} MB"
        assert what != "read" and words in what, f"{kind}: {what}"


def test_reveries_weights_are_bounded_before_they_are_read(tmp_path: Path) -> None:
    for write in (expanded, deflated):
        write(tmp_path / "w.pth")
        refused(render(photo(tmp_path / "a.png"), "--weights", tmp_path / "w.pth"), "w.pth")
    wide_header(tmp_path / "h.safetensors")
    for read in (metadata, read_own):
        with pytest.raises(NetworkError, match="header of"):
            read(tmp_path / "h.safetensors")
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.pth")
    refused(render(photo(tmp_path / "a.png"), "--weights", tmp_path / "w.pth"), "w.pth is not a .safetensors file")


def laughing(depth: int = 60) -> list[Any]:
    """A list of two lists of two lists: small in a file, endless as text."""
    found: list[Any] = ["ha"]
    for _ in range(depth):
        found = [found, found]
    return found


@pytest.mark.parametrize(
    ("key", "damage"),
    [
        ("mark", {"seconds": float("nan"), "samples": 1}),
        ("mark", {"seconds": float("inf"), "samples": 1}),
        ("mark", {"seconds": -1.0, "samples": 1}),
        ("mark", {"seconds": 1.0, "samples": 2**70}),
        ("module", {"weight": torch.zeros(1).expand(2, 2), "bias": torch.zeros(2)}),
        ("module", {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}),
        ("optimiser", {"state": {0: {"step": torch.zeros(()), "exp_avg": torch.zeros(9)}}}),
        ("optimiser", {"state": laughing()}),
        ("about", laughing()),
    ],
)
def test_a_hostile_checkpoint_is_none(tmp_path: Path, key: str, damage: Any) -> None:
    module = nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    kept = Checkpoint.beside(tmp_path / "a.safetensors", {"seed": 1})
    kept.save(module, optimiser)
    kept.load(module, optimiser, torch.device("cpu"))
    held = torch.load(kept.path, weights_only=True)
    torch.save({**held, key: damage}, kept.path)
    with pytest.raises(UsageError, match="is not a checkpoint of a training"):
        kept.load(module, optimiser, torch.device("cpu"))


def test_the_checkpoint_of_another_training_is_told_of_in_few_words(tmp_path: Path) -> None:
    module = nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(module.parameters())
    Checkpoint.beside(tmp_path / "a.safetensors", {"seed": laughing(), "width": 2}).save(module, optimiser)
    with pytest.raises(UsageError, match=r"another training: its seed differ, its width is 2, not 1; give the same"):
        Checkpoint.beside(tmp_path / "a.safetensors", {"seed": 1, "width": 1}).load(
            module, optimiser, torch.device("cpu")
        )


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_a_name_that_the_library_cannot_take_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").rename(path)
    with pytest.raises(NetworkError, match="takes names in UTF-8 alone; rename it, or its folder"):
        read_own(path)
