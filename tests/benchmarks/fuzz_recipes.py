"""Texts of strangers, damaged at random: presets, keyframes, drives and their curves, recipes inside pictures and
sheets, regions, addresses, notes of unfinished clips and of finished parts, projects, ledgers, origins.

    python tests/benchmarks/fuzz_recipes.py --minutes 10 --seed 0

Each is made from a good one that is written here, and read in a child with 2 GB of memory and 20 seconds. What is no
DreamerError is a find: another exception, a crash, a hang. The texts that were found stay in --keep FOLDER.
"""

from __future__ import annotations

import argparse
import codecs
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

MEMORY, SECONDS = 2 * 2**30, 20.0
DISTRIBUTION = "soft-looks"

PRESET = """schema = 1
title = "T"
description = "Some words. And more."
likes = "skies"
extends = "bloom"
requires = ["dreamer-art"]
network = "reverie"
colour = 0.3
[octaves]
steps = 4
[[objectives]]
name = "motif"
layer = "m4b"
names = ["eye", "rose"]
[[priors]]
name = "frequency"
weight = 0.1
[[transforms]]
name = "jitter"
pixels = 8
[canvas]
name = "fourier"
[optimiser]
name = "adam"
"""
KEYFRAMES = '[[keyframes]]\ntime = 0.0\nrate = 1.5\ncentre = [0.5, 0.5]\n[[keyframes]]\ntime = 2\npreset = "bloom"\n'
DRIVES = """[[drives]]
of = "bass"
to = "rate"
from = 1.0
upto = 2.5
attack = 0.1
[[drives]]
of = "sections"
to = "preset"
presets = ["bloom", "gaze"]
[[drives]]
of = "curve.csv#b"
to = "angle"
from = 0
upto = 9
"""
CURVE = "seconds,a,b\n0,0.5,1\n1.5,1,0\n2e0,0,0.25\n"
SHEET = json.dumps(
    {
        "schema": 1,
        "recipe": {"network": "reverie", "seed": 3},
        "cells": [{"label": "a"}, {"label": "b", "recipe": {"seed": 4}, "photo": "0" * 64}],
    }
)
REGIONS = "not:sky.png=bloom\ntop:30%=keep\nellipse:0.5,0.5,0.2,0.2=a\ncolour:#88aadd=b\npart:3/8=c\nsegment:x:2=d\n"
ADDRESSES = "s3://bucket/a.jpg\nhttps://joe:secret@host:1/a.png?sig=1\nzip://a::file:///x\nfile:///nowhere/a.png\n"
MANIFEST = json.dumps(
    {
        "schema": 1,
        "identity": '{"recipe": {"seed": 3}}',
        "settings": {"segment": 12, "fps": "24", "suffix": ".mp4"},
        "segments": [{"start": 0, "frames": 12, "sha256": "0" * 64}],
        "notes": {"tile": 512},
    }
)
DONE = '{"segments": [{"number": 2, "start": 8, "frames": 2, "sha256": "' + "0" * 64 + '"}]}'
CLUSTER = '{"address": "127.0.0.1:1", "pid": 1, "began": 0.5, "scratch": "/nowhere"}'
PROJECT = """[project]
name = "dreamer-tide"
version = "1.0"
dependencies = ["dreamer-art"]
[project.entry-points."dreamer.presets"]
tide = "dreamer_tide"
[tool.ruff]
line-length = 120
"""
LEDGER = 'schema = 1\n[[plugins]]\nname = "a"\nspec = "a>=1; python_version > \'3\'"\nversion = "1"\n'
ORIGIN = '{"url": "https://x/y", "vcs_info": {"vcs": "git", "commit_id": "1"}, "dir_info": {"editable": true}}'
RECEIPT = '[tool]\nrequirements = [{name = "dreamer-art", editable = "/x"}]\n[tool.options]\nindex-url = "https://x"\n'
RECIPE = json.dumps(
    {
        "schema": 1,
        "recipe": {"network": "reverie", "seed": 3, "octaves": {"steps": 4}, "priors": [{"name": "frequency"}]},
        "machine": {"device": "cpu", "threads": 2},
        "plugins": {"dreamer-ink": "1.0"},
        "origins": {"dreamer-ink": "git"},
        "weights": "0" * 64,
        "weights_file": "mine.safetensors",
        "zoom": {"seconds": 3.0, "keyframes": [{"time": 1.0}]},
        "video": {"stability": 0.5},
        "loop": {"seconds": 0.5, "fps": "8", "seeds": 2},
        "walk": {"seconds": 4.0, "looks": [{"network": "reverie", "seed": 3}, {"regions": [{"mask": "top"}]}]},
    }
)

PIECES = [
    *(
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        '"',
        "'",
        '"""',
        "'''",
        ".",
        ",",
        "=",
        "#",
        "\\",
        "\n",
        "\r",
        "\0",
        "\t",
        "\ufeff",
    ),
    *("nan", "inf", "-inf", "1e999", "0x" + "f" * 3000, "9" * 30, "9" * 5000, "-1", "1979-05-27", "true", "null"),
    *(
        "\\ud800",
        "\\u0000",
        "\x1b[2J",
        "\x9b2J",
        "\u202e",
        "é",
        "__class__",
        "../../etc/passwd",
        "/dev/zero",
        "$(true)",
    ),
    *("a.a.a.a", ".a" * 40, "[" * 2000, "{" * 500, '{"a":' * 500, "x" * 3000, "NaN", "Infinity", "-", "+", "_"),
]


def damaged(text: str, chance: random.Random) -> bytes:
    """The text with pieces put in, taken out, doubled and moved; now and then in another encoding, or cut."""
    for _ in range(chance.choice([1, 1, 2, 3, 5, 8, 13])):
        values = [found.end() for found in re.finditer("[=:\\[,] ?", text)]  # where one may begin
        place = chance.choice([chance.randrange(len(text) + 1), chance.choice(values or [0])])
        length = chance.choice([0, 1, 1, 3, 10, 40])
        part = text[place : place + length]
        put = chance.choice([chance.choice(PIECES), "", part * chance.choice([2, 30]), text[:length]])
        text = text[:place] + put + text[place + length * (chance.random() < 0.7) :]
    if chance.random() < 0.05:
        text = text[: chance.randrange(len(text) + 1)]
    if chance.random() < 0.03:
        text = text * chance.choice([2, 50, 2000])
    encoding = chance.choice(["utf-8"] * 20 + ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1"])
    data = text.encode(encoding, errors="replace")
    if chance.random() < 0.05:
        data = chance.choice([codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\xff", b"\0"]) + data
    return data[: 2**22]


def readers(folder: Path) -> dict[str, tuple[str, str, Callable[[Path], object]]]:
    """What is read: the good text, the file that holds it, and all that reading and using it does before computing."""
    from packaging.utils import canonicalize_name

    from dreamer.cli.checkpoints import Checkpoints
    from dreamer.cli.progress import SilentReporter
    from dreamer.cli.regions import check_regions
    from dreamer.cli.segments import Joiner
    from dreamer.engine.device import Machine
    from dreamer.errors import UsageError
    from dreamer.plugins.installed import entries, forget, remember
    from dreamer.plugins.installer import installed, origin_of, parse_sources
    from dreamer.plugins.installer.uv_receipt import Receipt, from_origin
    from dreamer.plugins.loading import load_plugins
    from dreamer.recipes.cells import cell_of, cells_in
    from dreamer.recipes.drives import drives_from
    from dreamer.recipes.overrides import merged, read_setting
    from dreamer.recipes.parsing import read_text
    from dreamer.recipes.preset import find_preset, lines_of, read_preset
    from dreamer.recipes.provenance import Provenance
    from dreamer.recipes.recipe import DEFAULTS, Recipe
    from dreamer.testing.loading import load_target
    from dreamer.units import cluster
    from dreamer.units.processes import Processes
    from dreamer.units.results import note_path
    from dreamer.units.storage import is_address, listed, shown
    from dreamer.units.unit import Order, Unit
    from dreamer.videos.clip.manifest import Manifest
    from dreamer.videos.sound.curve import read_curve
    from dreamer.videos.zoom.schedule import read_schedule, zoom_from

    registry, _ = load_plugins()

    def preset(path: Path) -> None:
        found = read_preset(path)
        lines_of(read_text(path))
        Recipe.read(merged(DEFAULTS, find_preset(registry, path).words), registry.vocabulary)
        found.thumbnail  # noqa: B018 - it looks at the disk

    def keyframes(path: Path) -> None:
        zoom_from({"seconds": 5.0, "keyframes": read_schedule(path)})

    def drives(path: Path) -> None:
        drives_from(read_schedule(path, "drives"))

    def curve(path: Path) -> None:
        read_curve(path)
        read_curve(path, "b")

    def sheet(path: Path) -> None:
        text = decoded(path)
        for number in range(1, 1 + len(cells_in(text, "stranger.png"))):
            cell_of(text, number, "stranger.png")

    def regions(path: Path) -> None:
        problems: list[str] = []
        check_regions(path.read_bytes().decode(errors="surrogateescape").splitlines(), problems)

    def addresses(path: Path) -> None:
        for line in filter(is_address, path.read_bytes().decode(errors="surrogateescape").splitlines()[:9]):
            shown(line)
            if line.lower().startswith(("file://", "local://", "memory://", "zip", "reference")):
                listed(f"{line[:7]}/nowhere{line[7:]}" if line.startswith("file://") else line, depth=2)

    def manifest(path: Path) -> None:
        _ = Checkpoints(folder / "kept.png").tile  # it reads a copy
        Manifest.read(path.parent)

    order, unit = Order("m:N", {}, "/"), Unit("a", {"begin": 4, "segment": 2, "shown": ["0"] * 3})
    joiner = Joiner(order, lambda order, mark: Processes(order, mark, []), SilentReporter(), "a")

    def done(path: Path) -> None:
        note_path(folder, unit.key(order)).write_bytes(path.read_bytes())
        joiner._segments(folder, unit)

    def running(path: Path) -> None:
        if cluster.found() is not None:
            raise RuntimeError("this cluster does not run")

    def decoded(path: Path) -> str:
        try:
            return path.read_bytes().decode()
        except UnicodeDecodeError as error:  # readers of pictures give texts
            raise UsageError(str(error)) from error

    def recipe(path: Path) -> None:
        text = decoded(path)
        read = Provenance.read(text, "stranger.png")
        Machine.read(read.machine)
        read.differences(Provenance({}, {}, "1", "", ""))
        registry.missing(read.plugins, read.places())
        words = json.loads(text)
        zoom_from(words["zoom"] if isinstance(words.get("zoom"), dict) else {})
        again = Recipe.read(merged(DEFAULTS, read.recipe), registry.vocabulary).to_dict(registry.vocabulary)
        Provenance(again, {}, "1", "", "").text()

    def project(path: Path) -> None:
        parse_sources([f"{path.parent}/"])
        with load_target(path.parent):
            pass

    def ledger(path: Path) -> None:
        parse_sources(entry.spec for entry in entries())
        remember([])
        forget(["a"])

    def origin(path: Path) -> None:
        origin_of(DISTRIBUTION)
        from_origin(installed()[canonicalize_name(DISTRIBUTION)])

    def setting(path: Path) -> None:
        read_setting(path.read_bytes().decode(errors="surrogateescape"))

    return {
        "preset": (PRESET, "stranger.toml", preset),
        "keyframes": (KEYFRAMES, "keyframes.toml", keyframes),
        "drives": (DRIVES, "drives.toml", drives),
        "curve": (CURVE, "curve.csv", curve),
        "sheet": (SHEET, "sheet.json", sheet),
        "regions": (REGIONS, "regions.txt", regions),
        "addresses": (ADDRESSES, "addresses.txt", addresses),
        "manifest": (MANIFEST, ".kept.png.print/manifest.json", manifest),
        "finished part": (DONE, "done.json", done),
        "cluster": (CLUSTER, "cache/cluster.json", running),
        "recipe": (RECIPE, "recipe.json", recipe),
        "project": (PROJECT, "project/pyproject.toml", project),
        "ledger": (LEDGER, "config/plugins.toml", ledger),
        "origin": (ORIGIN, "site/soft_looks-1.dist-info/direct_url.json", origin),
        "receipt": (RECEIPT, "uv-receipt.toml", lambda path: Receipt.read(path)),
        "setting": ("objectives.motif.names = ['eye', {a = 1.5}]", "setting.txt", setting),
    }


def child(folder: Path, seed: int, wire: Connection) -> None:
    """Read damaged texts for ever; tell of each before it is read, and of what it came to."""
    os.environ |= {"DREAMER_PLUGINS": "", "DREAMER_CONFIG": str(folder / "config")}
    os.environ["DREAMER_CACHE"] = str(folder / "cache")
    sys.path.insert(0, str(folder / "site"))
    about = folder / "site" / "soft_looks-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 1\n")
    all_of_them = readers(folder)
    for _, file, _ in all_of_them.values():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    limit_memory()
    from dreamer.errors import DreamerError

    chance = random.Random(seed)
    while True:
        kind = chance.choice(list(all_of_them))
        text, file, read = all_of_them[kind]
        data = damaged(text, chance)
        (folder / file).write_bytes(data)
        wire.send((kind, data))
        try:
            read(folder / file)
            outcome, trace = "read", ""
        except DreamerError as error:
            outcome, trace = "refused", ""
            if not str(error).strip():
                outcome = "a sentence without words"
        except BaseException as error:
            outcome, trace = type(error).__name__, traceback.format_exc()
        (folder / file).unlink(missing_ok=True)
        wire.send((outcome, trace))


def limit_memory() -> None:
    """No more than 2 GB beyond what this process has now."""
    try:
        import resource
    except ImportError:
        return  # no such limit on Windows
    import psutil

    room = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (room, room))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "dreamer-fuzz-recipes")
    arguments = parser.parse_args()
    end, seed = time.monotonic() + 60 * arguments.minutes, arguments.seed * 1_000_003
    tried, found, slowest = Counter[str](), Counter[str](), ("", 0.0)
    context = multiprocessing.get_context("spawn")
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = context.Pipe()
            process = context.Process(target=child, args=(Path(folder), seed, theirs), daemon=True)
            process.start()
            theirs.close()
            seed += 1
            kind, data = "start", b""
            try:
                while time.monotonic() < end:
                    if not ours.poll(120):
                        break  # it never began
                    kind, data = ours.recv()
                    began = time.monotonic()
                    if not ours.poll(SECONDS):
                        note(arguments.keep, found, f"{kind}: hang", data, "")
                        break
                    outcome, trace = ours.recv()
                    slowest = max(slowest, (kind, time.monotonic() - began), key=lambda pair: pair[1])
                    tried[f"{kind} {outcome}"] += 1
                    if outcome not in ("read", "refused"):
                        note(arguments.keep, found, f"{kind}: {outcome}", data, trace)
            except EOFError:
                note(arguments.keep, found, f"{kind}: crash", data, "")
            finally:
                process.kill()
                process.join()
    print(f"{sum(tried.values())} texts; the slowest, of {slowest[0]}, took {slowest[1]:.2f} s")
    for name, count in sorted(tried.items()):
        print(f"{count:8} {name}")
    print("nothing was found" if not found else f"found, kept in {arguments.keep}: {dict(found)}")
    sys.exit(bool(found))


def note(keep: Path, found: Counter[str], what: str, data: bytes, trace: str) -> None:
    """Count a find, and keep the first ten of its kind."""
    found[what] += 1
    if found[what] <= 10:
        keep.mkdir(parents=True, exist_ok=True)
        place = keep / f"{what.replace(': ', '-')}-{found[what]}"
        place.write_bytes(data)
        place.with_suffix(".trace").write_text(trace)
        print(f"{what}: {place}\n{trace}", flush=True)


if __name__ == "__main__":
    main()
