"""Damaged and hostile files of everything that networks and their pictures are read from.

    python tests/benchmarks/fuzz_weights.py [--minutes 10] [--seed 0] [--keep FOLDER]

Files are made here and mutated: weights (.pth in both forms, .safetensors), directions, checkpoints of trainings, notes
of searches, pages of atlases. Each is read in a process of its own, which may take 2 GB and 20 seconds. What is told:
processes that ended (a crash, the memory, the time), and exceptions that are no DreamerError. Linux only.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import nn

from dreamer.errors import DreamerError
from dreamer.networks import autoencoder
from dreamer.networks.concept_file import Concepts, read_concepts
from dreamer.networks.reverie import reverie, weights_path
from dreamer.networks.state_dict import load_state
from dreamer.networks.tensor_file import read_tensors
from dreamer.networks.weights import story
from dreamer.testing import tiny_network
from dreamer.training.checkpoint import Checkpoint
from dreamer.visualization.atlas.layer_section import LayerSection
from dreamer.visualization.atlas.page import reuse_images
from dreamer.visualization.direction_file import read_direction
from dreamer.visualization.exemplars import Channel, Search, search

MEMORY, SECONDS = 2 * 2**30, 20
Read = Callable[[Path], object]
NUMBERS = (0, 1, 127, 128, 255, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
WORDS = [None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**400, "", "x" * 9999, [], {}, [[[]]], ["0.png"] * 9]
OPCODES = b"".join(value for name, value in vars(pickle).items() if name.isupper() and isinstance(value, bytes))


@dataclass(frozen=True)
class Kind:
    """Files of one kind: what they are called, sound ones, how they are read."""

    suffix: str
    sound: list[bytes]
    read: Read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="Folder for the files that broke something.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        run(Path(place), arguments.minutes, arguments.seed, arguments.keep)


def run(place: Path, minutes: float, seed: int, keep: Path | None) -> None:
    """Try files until the time is over, and tell what broke."""
    kinds, chance, told, broken = kinds_in(place), random.Random(seed), Counter[str](), 0
    end, count = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        name = chance.choice(list(kinds))
        kind = kinds[name]
        data = mutated(chance.choice(kind.sound), chance)
        path = place / f"tried{kind.suffix}"
        path.write_bytes(data)
        outcome = tried(kind.read, path)
        count += 1
        told[f"{name}: {outcome.splitlines()[0]}"] += 1
        if outcome not in ("read", "refused"):
            broken += 1
            print(f"number {count}, {name}: {outcome}", flush=True)
            if keep:
                keep.mkdir(exist_ok=True)
                (keep / f"{count}{kind.suffix}").write_bytes(data)
    for line, times in sorted(told.items()):
        print(f"{times:7} {line}")
    print(f"{count} files, {broken} broke something")
    sys.exit(bool(broken))


def tried(read: Read, path: Path) -> str:
    """What comes of reading a file in a process of its own: "read", "refused", or what broke."""
    inside, outside = os.pipe()
    child = os.fork()
    if not child:
        os.close(inside)
        signal.alarm(SECONDS)
        with open("/proc/self/statm") as sizes:
            held = int(sizes.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
        sys.stderr = sys.stdout = io.StringIO()
        try:
            read(path)
            answer = "read"
        except DreamerError:
            answer = "refused"
        except BaseException:
            answer = "exception: " + traceback.format_exc()[-1500:]
        os.write(outside, answer.encode(errors="replace"))
        os._exit(0)
    os.close(outside)
    with open(inside, "rb") as answers:
        answer = answers.read().decode()
    _, status = os.waitpid(child, 0)
    return answer or f"ended by signal {os.waitstatus_to_exitcode(status)}"


def kinds_in(place: Path) -> dict[str, Kind]:
    """Every kind of file; `place` is a folder for what reading them needs."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 10))
    state = module.state_dict()
    wrapped = {
        "epoch": 3,
        "state_dict": {f"module.{key}": value.half() for key, value in state.items()},
        "optimizer": {"state": {0: {"exp_avg": state["2.weight"].t()}}, "param_groups": [{"betas": (0.9, 0.99)}]},
        "best": np.float64(0.5),
    }
    pictures = place / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.new("RGB", (48, 40), (number * 80, 99, 20)).save(pictures / f"{number}.png")
    network = tiny_network()

    def weights(path: Path) -> None:
        load_state(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 10)), read_tensors(path), "x", 10)

    def checkpoint(path: Path) -> None:
        layer = nn.Linear(4, 4)
        Checkpoint(path, {"version": 1, "seed": 3}).load(
            layer, torch.optim.AdamW(layer.parameters()), torch.device("cpu")
        )

    def own(path: Path) -> None:
        reverie(path)
        story(path)

    def searched(path: Path) -> Search:
        unit, names = Channel(network, "two", 5), sorted(item.name for item in pictures.iterdir())
        return search(pictures, names, unit, notes=path, device=torch.device("cpu"), on_picture=half)

    def half(so_far: Search) -> None:
        if len(so_far.done) == 2 and not (place / "begun").exists():
            raise KeyboardInterrupt

    def named(path: Path) -> object:
        return read_direction(path, "two")

    def page(path: Path) -> None:
        reuse_images(path, [LayerSection("two", (0, 1), recipe_hash="x", side=32)])

    try:
        searched(place / "notes")
    except KeyboardInterrupt:
        (place / "begun").touch()
    return {
        "pth": Kind(".pth", [saved(state), saved(wrapped)], weights),
        "older pth": Kind(".pth", [saved(state, older=True), saved(wrapped, older=True)], weights),
        "safetensors": Kind(".safetensors", [save(state, {"a": "b"})], weights),
        "reverie": Kind(".safetensors", [weights_path().read_bytes()], own),
        "decoder": Kind(".safetensors", [autoencoder.weights_path().read_bytes()], autoencoder.decoder),
        "checkpoint": Kind(".training", [begun(place)], checkpoint),
        "npy": Kind(".npy", [array(np.arange(16.0)), array(np.ones((4, 4), np.float32))], read_direction),
        "direction": Kind(".safetensors", [save({"two": torch.ones(16), "one": torch.ones(8)})], named),
        "concepts": Kind(".safetensors", [concepts()], read_concepts),
        "text": Kind(".txt", [b"0.5, 1, -2e3 4", b"[1 2 3]"], read_direction),
        "notes": Kind(".exemplars", [(place / "notes").read_bytes()], searched),
        "page": Kind(".html", [atlas()], page),
    }


def saved(what: Any, *, older: bool = False) -> bytes:
    """As torch saves it."""
    file = io.BytesIO()
    torch.save(what, file, _use_new_zipfile_serialization=not older)
    return file.getvalue()


def concepts() -> bytes:
    """Two concepts of a layer with four channels."""
    directions = torch.eye(4)[:2].contiguous()
    return Concepts("reverie", "", "m4b", directions, directions.clone(), torch.ones(4), "made").to_bytes()


def begun(place: Path) -> bytes:
    """The checkpoint of a small training."""
    layer = nn.Linear(4, 4)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 4)).sum().backward()
    optimiser.step()
    kept = Checkpoint(place / "begun.training", {"version": 1, "seed": 3})
    kept.save(layer, optimiser)
    return kept.path.read_bytes()


def array(values: Any) -> bytes:
    """As NumPy saves it."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def atlas() -> bytes:
    """The part of an atlas' page that is read again."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(file, "WEBP")
    channel = {"number": 0, "name": "eye", "plate": base64.b64encode(file.getvalue()).decode()}
    words = {"layers": [{"name": "two", "made": "x", "channels": [channel, {**channel, "number": 1}]}]}
    return f'<script type="application/json" id="atlas">{json.dumps(words)}</script>'.encode()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes, damaged in one of several ways, or in many places."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [flipped, cut, repeated, numbered, programmed]
    if data[:2] == b"PK":
        ways += [repacked] * 3
    if b"{" in data[:200]:
        ways += [reworded] * 3
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        data = chance.choice(ways)(data, chance)
    return data


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Some bytes are others; most of them near the beginning, where headers are."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 3, 20))):
        if found:
            found[chance.randrange(min(len(found), chance.choice((64, 2000, len(found)))))] = chance.randrange(256)
    return bytes(found)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing, or a part."""
    start, stop = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + (b"" if chance.random() < 0.5 else data[stop:])


def repeated(data: bytes, chance: random.Random) -> bytes:
    """A part comes again, up to some thousand times."""
    start = chance.randrange(len(data) + 1)
    part = data[start : start + chance.choice((1, 4, 50, 1000))]
    return data[:start] + part * chance.choice((2, 10, 5000)) + data[start:]


def numbered(data: bytes, chance: random.Random) -> bytes:
    """A number is another one, such as the largest of its size."""
    size, start = chance.choice((1, 2, 4, 8)), chance.randrange(len(data) + 1)
    number = chance.choice(NUMBERS) % 2 ** (8 * size)
    return data[:start] + number.to_bytes(size, chance.choice(("little", "big"))) + data[start + size :]


def programmed(data: bytes, chance: random.Random) -> bytes:
    """Some of a pickle's instructions are put in."""
    start = chance.randrange(min(len(data), 4000) + 1)
    program = bytes(chance.choice(OPCODES) for _ in range(chance.choice((1, 3, 30))))
    return data[:start] + program * chance.choice((1, 1, 1000)) + data[start:]


def repacked(data: bytes, chance: random.Random) -> bytes:
    """The parts of a zip file are damaged one by one, so that its own structure stays sound; it may be compressed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as before:
            parts = [(part.filename, before.read(part)) for part in before.infolist()]
    except Exception:  # it was damaged before
        return data
    file = io.BytesIO()
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    damaged = chance.choice([name for name, _ in parts if name.endswith("data.pkl")] or [""])
    with zipfile.ZipFile(file, "w", method) as after:
        for name, content in parts:
            hit = name == damaged if chance.random() < 0.8 else chance.random() < 0.2
            ways = (flipped, cut, repeated, numbered, programmed)
            after.writestr(name, chance.choice(ways)(content, chance) if hit else content)
    return file.getvalue()


def reworded(data: bytes, chance: random.Random) -> bytes:
    """A value of the JSON within is another, or is nested without end."""
    start, stop = data.find(b"{"), data.rfind(b"}") + 1
    if data[8:9] == b"{":  # a .safetensors file, whose header has a length
        start, stop = 8, 8 + int.from_bytes(data[:8], "little")
    try:
        words = json.loads(data[start:stop])
        spots = [
            (part, key) for part in nested(words) for key in (part if isinstance(part, dict) else range(len(part)))
        ]
        part, key = chance.choice(spots)
        part[key] = chance.choice([*WORDS, "@deep", chance.choice(NUMBERS), [part[key]] * 3, str(part[key])])
        text = json.dumps(words).replace('"@deep"', "[" * 50_000 + "]" * 50_000).encode()
    except (ValueError, RecursionError, IndexError):  # it was damaged before
        return data
    head = len(text).to_bytes(8, "little") if data[8:9] == b"{" else data[:start]
    return head + text + data[stop:]


def nested(words: Any) -> list[Any]:
    """Every dict and list within."""
    inner = list(words.values()) if isinstance(words, dict) else words if isinstance(words, list) else []
    return [words, *(part for item in inner for part in nested(item))] if inner else []


if __name__ == "__main__":
    main()
