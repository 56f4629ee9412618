"""Concepts: directions found in a folder of pictures, their page, and their file, which may be a stranger's."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from command import QUICK, dreamer, left_in, photo, pixels, refused, stamp_of, understood
from networks import tiny
from PIL import Image
from safetensors.torch import save_file

import dreamer as program
from dreamer import limits
from dreamer.engine.factors import factorised
from dreamer.errors import DreamerError, NetworkError, UsageError, WriteError
from dreamer.image import load
from dreamer.networks.concept_file import Concepts, read_concepts
from dreamer.networks.reverie import reverie
from dreamer.testing import tiny_network
from dreamer.visualization import concepts as finding
from dreamer.visualization.concepts import ConceptRanker, find_concepts, heat_maps, identity

CPU = torch.device("cpu")
FAST = ("--count", "2", "--size", "32", "--steps", "1", "--threads", "1")


def some(network=None, count=3):
    """Concepts of the tiny network that nobody has found in anything."""
    network = network or tiny()
    channels = network.layer("two").channels
    factors = torch.rand(count, channels, generator=torch.Generator().manual_seed(0))
    directions = torch.nn.functional.normalize(factors - factors.mean(0), dim=1)
    return Concepts(network.name, network.weights, "two", directions, factors, torch.ones(channels))


def written(path, concepts):
    path.write_bytes(concepts.to_bytes())
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A page and its file, of a folder with a broken picture."""
    folder = tmp_path_factory.mktemp("concepts")
    (folder / "inner").mkdir()
    for number in range(3):
        photo(folder / "inner" / f"{number}.png", shift=20 * number)
    (folder / "inner" / "broken.jpg").write_text("no picture")
    ran = dreamer("concepts", folder / "inner", "-o", folder / "c.html", *FAST)
    assert ran.code == 0, ran.err
    assert ran.err.count("broken.jpg is passed over: ") == 1
    return folder


def known(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="atlas">(.*?)</script>', text, re.S)[1])


def test_the_page_shows_each_concept_with_dream_crops_maps_and_commands(made):
    assert left_in(made) == ["c.html", "c.safetensors", "inner"]
    page = known(made / "c.html")
    assert page["noun"] == "concept" and page["title"].startswith("Concepts of ")
    (layer,) = page["layers"]
    assert [one["number"] for one in layer["channels"]] == [1, 2]
    for one in layer["channels"]:
        assert one["plate"] and len(one["crops"]) == 3 and len(one["maps"]) == 3
        for key in ("visualize", "render", "preset"):
            assert '{name = "concept", file = "c.safetensors"' in one[key]
            understood(one[key])


def test_what_was_made_is_kept_without_force_and_resumed_without_work(made, monkeypatch):
    refused(dreamer("concepts", made / "inner", "-o", made / "c.html", *FAST), "c.html already exists", "c.safetensors")
    before = (made / "c.html").read_bytes(), (made / "c.safetensors").read_bytes()
    monkeypatch.setattr(finding, "factorised", None)
    assert dreamer("concepts", made / "inner", "-o", made / "c.html", *FAST, "--resume").code == 0
    for other in (("--count", "3"), ("--seed", "7")):
        ran = dreamer("concepts", made / "inner", "-o", made / "c.html", *FAST, "--resume", *other)
        refused(ran, "c.safetensors are of other photos, or found with other options; give the same ones")
    assert before == ((made / "c.html").read_bytes(), (made / "c.safetensors").read_bytes())


def test_ctrl_c_while_pictures_are_looked_at_leaves_nothing(made, tmp_path, monkeypatch):
    def stopped(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(finding, "_features", stopped)
    assert dreamer("concepts", made / "inner", "-o", tmp_path / "c.html", *FAST).code == 130
    assert left_in(tmp_path) == []


def test_what_is_seen_in_some_pictures_becomes_a_concept_of_its_own(tmp_path):
    """Upright and lying stripes each have their own."""
    down, right = np.mgrid[:48, :64]
    for number in range(4):
        values = 128 + 100 * np.sin(0.9 * (right if number % 2 else down))
        Image.fromarray(values.astype(np.uint8)).convert("RGB").save(tmp_path / f"{number}.png")
    names, network = left_in(tmp_path), reverie()
    found, skipped = find_concepts(tmp_path, names, network, "m3a", count=2, device=CPU)
    again, _ = find_concepts(tmp_path, names, network, "m3a", count=2, device=CPU)
    assert not skipped and torch.equal(found.directions, again.directions)
    rank = ConceptRanker(network, found)
    matches = [rank.answer(rank.shown(load(tmp_path / name))) for name in names]
    most = [min((0, 1), key=lambda k, found=found: found[k][0] if found[k] else (0.0,)) for found in matches]
    assert most == [most[0], 1 - most[0]] * 2
    assert len(heat_maps(tmp_path, [names, names[:1]], network, found, device=CPU)[0]) == 3


def test_few_positions_of_each_of_many_pictures_are_kept(tmp_path, monkeypatch):
    for number in range(5):
        photo(tmp_path / f"{number}.png", 64, 48)
    seen = []
    monkeypatch.setattr(finding, "_POSITIONS", 8)
    monkeypatch.setattr(
        finding, "factorised", lambda values, count: seen.append(len(values)) or factorised(values, count)
    )
    find_concepts(tmp_path, left_in(tmp_path), tiny(), "two", count=2, device=CPU)
    monkeypatch.setattr(finding, "_POSITIONS", 3)
    find_concepts(tmp_path, left_in(tmp_path), tiny(), "two", count=2, device=CPU)
    monkeypatch.setattr(finding, "_NUMBERS", 2 * tiny().layer("two").channels)
    find_concepts(tmp_path, left_in(tmp_path), tiny(), "two", count=2, device=CPU)
    assert seen == [5, 3, 2]


def test_a_dream_of_a_concept_repeats_without_its_file(made, tmp_path):
    source, file = photo(tmp_path / "p.png"), made / "c.safetensors"
    once = ("--set", "octaves.count=1", "--force")
    of = ("--set", f"objectives.concept.file={file}", "--set", "objectives.concept.number=2")
    assert dreamer("render", source, *QUICK, *once, *of, "-o", tmp_path / "a.png").code == 0
    (item,) = [item for item in stamp_of(tmp_path / "a.png")["recipe"]["objectives"] if item["name"] == "concept"]
    assert item["file"] == "c.safetensors" and len(item["sha256"]) == 64 and item["number"] == 2
    assert item["vector"] == [float(f"{x:.6g}") for x in read_concepts(file).directions[1].tolist()]
    again = dreamer("render", source, "--recipe", tmp_path / "a.png", "-o", tmp_path / "b.png", "--force")
    assert again.code == 0, again.err
    assert (load(tmp_path / "a.png").pixels == load(tmp_path / "b.png").pixels).all()
    other = ("--recipe", tmp_path / "a.png", "--set", "objectives.concept.number=1", "-o", tmp_path / "c.png")
    refused(dreamer("render", source, *other), "name the file of the concepts again, c.safetensors,")


def test_python_names_a_file_too(tmp_path):
    file = written(tmp_path / "c.safetensors", some())
    one = {"name": "concept", "file": str(file), "number": 2}
    asked = {"network": tiny(), "steps": 1, "octaves": {"count": 1}, "returns": "array"}
    by_file = program.dream(pixels(), objectives=[one], **asked)
    way = some().directions[1].tolist()
    same = program.dream(pixels(), objectives=[{"name": "direction", "layer": "two", "vector": way}], **asked)
    assert np.abs(by_file.astype(int) - same).max() <= 1 and (by_file != pixels()).any()
    region = program.dream(pixels(), regions=[("left", {"objectives": [one]})], feather=0, **asked)
    assert (region[:, :48] != pixels()[:, :48]).any() and (region[:, 48:] == pixels()[:, 48:]).all()


def test_a_strangers_recipe_has_no_file_read(tmp_path, monkeypatch):
    file = written(tmp_path / "c.safetensors", some())
    look = tmp_path / "look.toml"
    look.write_text(f'schema = 1\ntitle = "x"\n[[objectives]]\nname = "concept"\nfile = "{file.as_posix()}"\n')
    monkeypatch.setattr("dreamer.pipeline.concepts.read_concepts", None)
    refused(
        dreamer("render", photo(tmp_path / "p.png"), "--preset", look),
        "name the file of the concepts again",
        "--set objectives.concept.file=concepts.safetensors",
    )


def test_concepts_fit_their_network_layer_and_number(tmp_path):
    file = written(tmp_path / "c.safetensors", some())

    def problem(network=None, **more):
        one = {"name": "concept", "file": str(file), **more}
        with pytest.raises(DreamerError) as caught:
            program.dream(pixels(), network=network or tiny(), steps=1, objectives=[one])
        return str(caught.value)

    assert "are of the network tiny" in problem(replace(tiny(), name="other"))
    assert "are of other weights of tiny" in problem(replace(tiny(), weights="0" * 64))
    changed = tiny_network()
    with torch.no_grad():
        next(changed.module.parameters()).add_(1)
    found = written(tmp_path / "found.safetensors", replace(some(), weights=tiny().weights_hash))
    assert "are of other weights of tiny" in problem(changed, file=str(found))
    assert identity(changed, "two", tmp_path, [], 2, 0) != identity(tiny(), "two", tmp_path, [], 2, 0)
    assert "has concepts of the layer two, not of one" in problem(layer="one")
    assert "has 3 concepts, counted from 1, and none is 4" in problem(number=4)
    assert "objectives.concept.number: 'x' is not a whole number" in problem(number="x")
    file.unlink()
    assert "there is no such" in problem()


def broken(path, how):
    """A file that no `dreamer concepts` has written."""
    good = some()
    words = {"network": "tiny", "weights": "", "layer": "two", "made": ""}
    tensors = {"directions": good.directions, "factors": good.factors, "scale": good.scale}
    match how:
        case "other":
            del words["layer"]
        case "lacking":
            del tensors["scale"]
        case "shape":
            tensors["scale"] = tensors["scale"][:-1].clone()
        case "many":
            tensors |= {key: tensors[key][:1].repeat(limits.CONCEPTS + 1, 1) for key in ("directions", "factors")}
        case "nan":
            tensors["factors"] = tensors["factors"] * torch.nan
        case "zero":
            tensors["directions"] = tensors["directions"] * 0
        case "flat":
            tensors["directions"] = tensors["directions"][0].clone()
    save_file(
        {key: tensor.contiguous() for key, tensor in tensors.items()}, path, {"dreamer-concepts-1": json.dumps(words)}
    )
    return path


@pytest.mark.parametrize("how", ["other", "lacking", "shape", "many", "nan", "zero", "flat"])
def test_a_strangers_file_is_refused_in_a_sentence(tmp_path, how):
    with pytest.raises(NetworkError, match=re.escape(str(tmp_path / "c.safetensors"))):
        read_concepts(broken(tmp_path / "c.safetensors", how))


def test_a_file_that_is_large_or_something_else_is_not_read(tmp_path, monkeypatch):
    file = written(tmp_path / "c.safetensors", some())
    monkeypatch.setattr(limits, "CONCEPTS_BYTES", 10)
    with pytest.raises(NetworkError, match="too large"):
        read_concepts(file)
    monkeypatch.undo()
    file.write_bytes(b"\x80\x04junk" * 9)
    with pytest.raises(NetworkError, match=r"is not a \.safetensors file"):
        read_concepts(file)


def test_another_file_in_the_concepts_place_is_not_replaced(made, tmp_path):
    weights = tmp_path / "c.safetensors"
    save_file({"a": torch.zeros(2)}, weights)
    before = weights.read_bytes()
    for how in ("--force", "--resume"):
        refused(dreamer("concepts", made / "inner", "-o", tmp_path / "c.html", *FAST, how), "it holds no concepts")
    assert weights.read_bytes() == before


def test_a_folder_in_which_nothing_is_seen_is_told_of(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(UsageError, match="too little is seen to find 2 concepts"):
        find_concepts(tmp_path, ["a.png"], tiny(), "two", count=2, device=CPU)


def test_concepts_that_find_no_room_are_saved_elsewhere_and_replace_nothing_that_appears(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    photo(tmp_path / "d" / "a.png")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def full(*given, **named):
        raise WriteError("full")

    with monkeypatch.context() as patched:
        patched.setattr(finding, "find_concepts", lambda *given, **named: (some(), {}))
        patched.setattr("dreamer.cli.atlas_making.write_atomically", full)
        ran = dreamer("concepts", tmp_path / "d", "-o", tmp_path / "c.html", *FAST)
    (kept,) = tmp_path.glob("dreamer-*/c.safetensors")
    assert ran.code == 1 and f"full; the concepts were saved as {kept} instead" in ran.err
    assert len(read_concepts(kept)) == 3

    def appearing(*given, **named):
        (tmp_path / "c.safetensors").write_text("theirs")
        return some(), {}

    monkeypatch.setattr(finding, "find_concepts", appearing)
    monkeypatch.setattr(finding, "heat_maps", full)
    monkeypatch.setattr("dreamer.cli.atlas.Making.search", lambda *given: {})
    assert "full" in dreamer("concepts", tmp_path / "d", "-o", tmp_path / "c.html", *FAST, "--resume").err
    assert (tmp_path / "c.safetensors").read_text() == "theirs" and len(
        read_concepts(tmp_path / "c-2.safetensors")
    ) == 3
