"""Where a recipe's weights and plugins came from: noted without a path, and named when they are missing."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command import dreamer, forged, photo, refused, render, stamp_of
from networks import tiny
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from dreamer.api import registry
from dreamer.cli.provenance import provenance_for
from dreamer.networks.network import Network
from dreamer.networks.reverie import reverie, weights_path
from dreamer.networks.weights import file_hash
from dreamer.pipeline.build import Request, build
from dreamer.plugins.installer import origin_of
from dreamer.recipes.provenance import Provenance


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """reverie's weights with motifs of other names: somebody's own."""
    with safe_open(weights_path(), framework="pt") as file:
        about = dict(file.metadata())
    about["motifs"] = json.dumps([f"my-{name}" for name in json.loads(about["motifs"])])
    about.pop("channels", None)
    path = tmp_path_factory.mktemp("users-name") / "mine.safetensors"
    save_file(load_file(weights_path()), path, about)
    return path


def motifs(path: Path) -> list[str]:
    with safe_open(path, framework="pt") as file:
        found: list[str] = json.loads(file.metadata()["motifs"])
    return found


def test_ones_own_weights_are_named_and_asked_for_in_one_line(tmp_path: Path, mine: Path) -> None:
    source, dream = photo(tmp_path / "a.png"), tmp_path / "dream.png"
    wish = ("--set", f"objectives.motif.names={','.join(motifs(mine)[:6])}", "--set", "octaves.count=1")
    ran = render(source, "--weights", mine, *wish, "-o", dream)
    assert ran.code == 0, ran.err
    stamp = stamp_of(dream)
    assert stamp["weights_file"] == "mine.safetensors" and stamp["weights"] == file_hash(mine)
    assert "users-name" not in json.dumps(stamp) and "origins" not in stamp
    again = ("--recipe", dream, "-o", tmp_path / "again.png")
    ran = dreamer("render", source, *again)
    start = (
        f"dreamer: {dream}: this recipe was made with the weights mine.safetensors (sha256 {file_hash(mine)[:12]}...)"
    )
    assert ran.code == 2 and ran.err == f"{start}; pass --weights FILE\n"
    ran = dreamer("render", source, *again, "--weights", weights_path())
    assert ran.code == 2 and ran.err == f"{start}, and {weights_path()} is another file; pass that one\n"
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    refused(
        dreamer("render", source, *again, "--guide", damaged), "damaged.png is not a picture", "pass --weights FILE"
    )
    moved = tmp_path / "moved.safetensors"
    shutil.copy(mine, moved)
    ran = dreamer("render", source, *again, "--weights", moved)
    assert ran.code == 0 and "the same" not in ran.err, ran.err
    assert "# weights_file: mine.safetensors" in dreamer("presets", "show", dream).out


def test_where_the_recipe_can_do_without_them_it_says_so(tmp_path: Path, mine: Path) -> None:
    source, dream = photo(tmp_path / "a.png"), tmp_path / "dream.png"
    wish = ("--set", "objectives=[{name = 'deepdream'}]", "--set", "octaves.count=1")
    assert render(source, "--weights", mine, *wish, "-o", dream).code == 0
    ran = dreamer("render", source, "--recipe", dream, "-o", tmp_path / "again.png")
    assert ran.code == 0 and "pass --weights FILE for the same picture" in ran.err
    ran = dreamer("render", source, "--recipe", dream, "--weights", mine, "-o", tmp_path / "b.png")
    assert ran.code == 0 and "--weights" not in ran.err


def test_a_picture_of_the_built_in_weights_reads_as_before(tmp_path: Path) -> None:
    assert render(photo(tmp_path / "a.png"), "--set", "octaves.count=1").code == 0
    assert not {"weights_file", "origins"} & stamp_of(tmp_path / "a-dream.png").keys()


def test_a_name_that_no_text_can_hold_is_told_with_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Request, "_loaded", lambda self, *given, **known: reverie())
    pipeline = build({}, registry(), weights=Path("caf\udce9.safetensors"))
    assert pipeline.weights_file == "caf?.safetensors"


def test_weights_without_a_file_are_told_apart_as_well() -> None:
    def made(network: Network) -> Provenance:
        pipeline = build({}, registry(), network=network)
        return provenance_for(pipeline, "", pipeline.machine, [])

    module = tiny().module
    one, same = (made(Network.wrap(copy.deepcopy(module), name="own")) for _ in range(2))
    with torch.no_grad():
        next(module.parameters()).add_(1e-3)
    other = made(Network.wrap(module, name="own"))
    assert one.weights and one.differences(same) == [] and one.differences(other) == ["the weights are different"]
    assert replace(one, weights="").differences(other) == []

    class Strange(nn.Conv2d):
        def get_extra_state(self) -> dict[str, int]:
            return {"steps": 3}

    strange = Strange(3, 4, 3)
    strange.register_buffer("few", torch.eye(3).to_sparse())
    strange.register_buffer("turned", torch.ones(2, dtype=torch.complex64).conj())
    assert made(Network.wrap(nn.Sequential(strange), name="own")).weights


ORIGINS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "index"),
    "a folder": ({"url": "file:///home/anna/x", "dir_info": {"editable": True}}, "folder"),
    "git": ({"url": "https://anna:secret@x", "vcs_info": {"vcs": "git", "commit_id": "1"}}, "git"),
    "mercurial": ({"url": "https://x", "vcs_info": {"vcs": "hg", "commit_id": "1"}}, "address"),
    "a wheel": ({"url": "file:///home/anna/x.whl", "archive_info": {}}, "file"),
    "an address": ({"url": "https://x/x.whl", "archive_info": {}}, "address"),
}


@pytest.mark.parametrize("kind", ORIGINS)
def test_where_a_plugin_was_installed_from_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    found, expected = ORIGINS[kind]
    about = tmp_path / "soft_looks-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: soft-looks\nVersion: 1\n")
    if found:
        (about / "direct_url.json").write_text(json.dumps(found))
    monkeypatch.syspath_prepend(tmp_path)
    assert origin_of("soft-looks") == expected and origin_of("not-here") == origin_of("") == ""


def test_a_picture_says_where_its_plugin_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "anna"
    (site / "soft_ink-1.5.dist-info").mkdir(parents=True)
    (site / "soft_ink.py").write_text(
        "from dreamer import hookimpl\n"
        "def tilt(image, *, power: float = 2.0):\n    'Tilt.'\n    return (image - image.flip(-1)).square().mean()\n"
        "@hookimpl\ndef register_priors(register):\n    register(tilt)\n"
    )
    about = site / "soft_ink-1.5.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: soft-ink\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text("[dreamer]\nsoft-ink = soft_ink\n")
    (about / "direct_url.json").write_text(json.dumps({"url": site.as_uri(), "dir_info": {}}))
    monkeypatch.setenv("DREAMER_PLUGINS", "soft-ink")
    source = photo(tmp_path / "a.png")
    with monkeypatch.context() as here:
        here.syspath_prepend(site)
        ran = render(source, "--set", "priors.tilt.weight=0.1", "--set", "octaves.count=1")
        assert ran.code == 0, ran.err
    stamp = stamp_of(tmp_path / "a-dream.png")
    assert stamp["plugins"] == {"soft-ink": "1.5"} and stamp["origins"] == {"soft-ink": "folder"}
    assert "anna" not in json.dumps(stamp)
    assert "# plugin soft-ink: 1.5, from a folder" in dreamer("presets", "show", tmp_path / "a-dream.png").out
    ran = dreamer("render", source, "--recipe", tmp_path / "a-dream.png", "-o", tmp_path / "b.png")
    refused(ran, "it came from a folder, not from the package index: ask whoever made the recipe for it")
    assert "plugins install" not in ran.err
    stamp["recipe"]["priors"] = [{"name": "soft-ink:tilt"}, {"name": "soft-ink:tone"}]  # as where plugins share a name
    ran = render(source, "--recipe", forged(tmp_path / "f.png", json.dumps(stamp)), "-o", tmp_path / "b.png")
    refused(ran, "it came from a folder, not from the package index: ask whoever made the recipe for it")
    assert "plugins install" not in ran.err and ran.err.count("it needs the plugin") == 1


def test_what_a_stranger_says_of_origins_is_checked(tmp_path: Path) -> None:
    good = {"schema": 1, "recipe": {"priors": [{"name": "x:tilt"}]}, "machine": {}, "plugins": {"x": "1"}}
    for wrong in ([], "git", 3):
        refused(
            render(
                photo(tmp_path / "a.png"),
                "--recipe",
                forged(tmp_path / "f.png", json.dumps({**good, "origins": wrong})),
            ),
            "damaged at origins",
        )
    for odd in ({"x": {"a": 1}}, {"x": "\x1b[2J$(rm)"}, {"$(rm)": "git"}):
        read = Provenance.read(json.dumps({**good, "origins": odd}), "f.png")
        assert set(read.places().values()) <= {"a git address", "an address"}
    refused(
        render(photo(tmp_path / "a.png"), "--recipe", forged(tmp_path / "f.png", json.dumps(good))),
        "look at it first: a recipe can name anything",
    )
