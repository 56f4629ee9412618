"""Recipes: told in words, written into pictures, repeated from them, and never trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import dreamer, forged, left_in, photo, refused, render, stamp_of

from dreamer.networks import torchvision as classic

pytestmark = pytest.mark.usefixtures("tiny_reverie")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks for a download fails the test."""

    def download(self: classic.Classic, path: Path) -> None:
        raise AssertionError(f"{self.name} was to be downloaded")

    monkeypatch.setattr(classic.Classic, "_download", download)


@pytest.mark.reverie
def test_every_part_of_a_recipe_can_be_set(tmp_path: Path) -> None:
    settings = {
        "colour": "0.25",
        "seed": "7",
        "octaves.scale": "1.5",
        "octaves.count": "2",
        "objectives.channel.index": "3,5",
        "objectives.deepdream.layer": "m4a",
        "priors.total_variation.weight": "0.02",
        "transforms.jitter.pixels": "4",
        "gradient_filters.laplacian.levels": "2",
        "balance": "true",
        "init": "noise",
        "network": "reverie",
    }
    flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    ran = render(photo(tmp_path / "a.png"), *flags)
    assert ran.code == 0, ran.err
    recipe = stamp_of(tmp_path / "a-dream.png")["recipe"]
    assert (recipe["colour"], recipe["seed"], recipe["init"], recipe["balance"]) == (0.25, 7, "noise", True)
    assert (recipe["octaves"]["scale"], recipe["octaves"]["count"], recipe["octaves"]["steps"]) == (1.5, 2, 1)
    motif, channel, deepdream = recipe["objectives"]
    assert motif["name"] == "motif"
    assert channel["index"] == [3, 5] and deepdream["layer"] == "m4a"
    assert recipe["priors"][0]["weight"] == 0.02
    (jitter,) = [item for item in recipe["transforms"] if item["name"] == "jitter"]
    assert jitter["pixels"] == 4
    assert recipe["gradient_filters"][0]["levels"] == 2


def test_all_mistakes_are_told_at_once_with_key_range_and_suggestion(tmp_path: Path) -> None:
    settings = [
        "octave.steps=1",
        "colour=3",
        "octaves.steps=-1",
        "octaves.scale=wide",
        "priors.totalvariation.weight=1",
        "transforms.jitter.pixls=3",
        "init=photos",
        "nothing",
        "objectives.deepdream.layer=m4x",
    ]
    flags = [word for text in settings for word in ("--set", text)]
    missing = tmp_path / "missing.jpg"
    words = (*flags, "--device", "cuda")
    refused(
        dreamer("render", missing, *words, "--guide", missing, "-o", tmp_path / "no" / "a.jpg"),
        *(f"{missing}: there is no such file", f"there is no folder {tmp_path / 'no'}", f"there is no file {missing}"),
    )
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no picture")
    ran = dreamer("render", "--sample", *words, "--guide", damaged, "-o", tmp_path / "a.jpg")
    for sentence in (
        "damaged.jpg is not a picture",
        "octave.steps: there is no such key; ",
        "did you mean octaves",
        "colour: 3 is not a number from 0 to 1; the nearest is 1",
        "octaves.steps: -1 is not a whole number from 0 to 10000; the nearest is 0",
        "octaves.scale: 'wide' is not a number from 1.05 to 4",
        "priors.totalvariation: no prior is called 'totalvariation'; did you mean total_variation?",
        "transforms.jitter.pixls: unknown key; did you mean pixels?",
        "init: 'photos' is not photo or noise or grey or canvas; did you mean photo?",
        "--set nothing: write KEY=VALUE",
        "has no layer 'm4x'",
        "device: torch can use no cuda",
    ):
        refused(ran, sentence)
    assert left_in(tmp_path) == ["damaged.jpg"]


def test_mistakes_are_told_before_a_network_is_fetched(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    refused(render(source, "--network", "alexnet", "--set", "colour=3"), "colour: 3")
    refused(render(source, "--network", "alexnet", "--guide", tmp_path / "none.png"), "there is no file")
    refused(render(tmp_path / "none.png", "--network", "alexnet"), "there is no such file")


def test_a_flag_stands_above_set_and_set_above_a_preset(tmp_path: Path) -> None:
    source, preset = photo(tmp_path / "a.png"), tmp_path / "mine.toml"
    preset.write_text("schema = 1\nseed = 1\ncolour = 0.1\nstrength = 0.3\n[octaves]\nscale = 2\n")
    ran = render(source, "--preset", preset, "--set", "seed=2", "--set", "colour=0.2", "--seed", "3")
    assert ran.code == 0, ran.err
    recipe = stamp_of(tmp_path / "a-dream.png")["recipe"]
    assert (recipe["seed"], recipe["colour"], recipe["strength"]) == (3, 0.2, 0.3)
    assert recipe["octaves"]["scale"] == 2


@pytest.mark.reverie
def test_the_whole_recipe_is_inside_and_no_path(tmp_path: Path) -> None:
    source, guide = photo(tmp_path / "secret.jpg"), photo(tmp_path / "guide.jpg", shift=7)
    assert render(source, "--guide", guide, "-o", tmp_path / "dream.jpg").code == 0
    provenance = stamp_of(tmp_path / "dream.jpg")
    assert set(provenance["machine"]) == {"device", "precision", "threads", "tile", "torch"}
    assert "auto" not in provenance["machine"].values() and provenance["machine"]["tile"] >= 0
    assert all(len(provenance[what]) == 64 for what in ("photo", "guide", "weights"))
    assert provenance["dreamer"] and provenance["plugins"] == {}
    assert provenance["recipe"]["octaves"]["scale"] == 1.4 and provenance["recipe"]["strength"] == 1.0
    text = json.dumps(provenance)
    assert "secret" not in text and "guide.jpg" not in text and str(tmp_path) not in text


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_a_picture_repeats_its_recipe_byte_for_byte(tmp_path: Path, name: str) -> None:
    source = photo(tmp_path / name)
    first, again = tmp_path / f"first{source.suffix}", tmp_path / f"again{source.suffix}"
    settings = ("--seed", "4", "--set", "colour=0", "--strength", "0.7", "--tile", "64")
    assert render(source, "-o", first, *settings).code == 0
    ran = dreamer("render", source, "--recipe", first, "-o", again)
    assert ran.code == 0 and "not byte for byte" not in ran.err
    assert stamp_of(again)["machine"]["tile"] == 64
    assert again.read_bytes() == first.read_bytes()


def test_what_differs_from_the_repeated_picture_is_named(tmp_path: Path) -> None:
    source, other = photo(tmp_path / "a.png"), photo(tmp_path / "b.png", shift=3)
    assert render(source).code == 0
    provenance = stamp_of(tmp_path / "a-dream.png")
    ran = dreamer("render", other, "--recipe", tmp_path / "a-dream.png")
    assert "not byte for byte the same as the repeated picture: the photo is different" in ran.err
    ran = dreamer("render", source, "--recipe", tmp_path / "a-dream.png", "--seed", "1", "-o", tmp_path / "s.png")
    assert "the repeated picture: the recipe is different\n" in ran.err
    provenance["machine"] |= {"torch": "1.0", "threads": 4096, "device": "cuda"}
    provenance["plugins"] = {"dreamer-swirl": "2.0"}
    provenance["weights"] = "0" * 64
    ran = dreamer(
        "render", source, "--recipe", forged(tmp_path / "f.png", json.dumps(provenance)), "-o", tmp_path / "c.png"
    )
    assert ran.code == 0
    for part in (
        "torch was 1.0",
        "threads was 4096",
        "device was cuda",
        "dreamer-swirl was 2.0, is absent",
        "weights",
    ):
        assert part in ran.err


GOOD: dict[str, Any] = {"schema": 1, "recipe": {"network": "reverie"}, "machine": {}}
NESTED = json.loads("[" * 50 + "]" * 50)

STRANGERS = {
    "no JSON": ("hello", "cannot be read"),
    "deeper than Python can count": ("[" * 100_000, "cannot be read"),
    "no table": ("[1]", "not a JSON object"),
    "no schema": ("{}", "expected `schema = 1`"),
    "of the future": (json.dumps({**GOOD, "schema": 99}), "made by a newer dreamer"),
    "recipe a list": (json.dumps({**GOOD, "recipe": []}), "damaged at recipe"),
    "hash a number": (json.dumps({**GOOD, "photo": 3}), "damaged at photo"),
    "wrong types": (
        json.dumps({**GOOD, "recipe": {"seed": "x", "strength": []}}),
        "seed: 'x' is not a whole",
    ),
    "infinite": ('{"schema":1,"recipe":{"strength":Infinity,"colour":NaN}}', "colour: nan is not"),
    "beyond a float": ('{"schema":1,"recipe":{"strength":1' + "0" * 400 + "}}", "strength: 1000"),
    "objectives a number": (
        json.dumps({**GOOD, "recipe": {"objectives": 3}}),
        "objectives: expected a list of tables",
    ),
    "octaves a text": (json.dumps({**GOOD, "recipe": {"octaves": "many"}}), "octaves: expected a table"),
    "objective without name": (
        json.dumps({**GOOD, "recipe": {"objectives": [{}]}}),
        "objectives[0]: its name is missing",
    ),
    "network a table": (
        json.dumps({**GOOD, "recipe": {"network": {"a": 1}}}),
        "network: {'a': 1} is not text",
    ),
    "network of no name": (
        json.dumps({**GOOD, "recipe": {"network": "nonesuch"}}),
        "`dreamer networks fetch NAME`",
    ),
    "network to fetch": (
        json.dumps({**GOOD, "recipe": {"network": "alexnet"}}),
        "`dreamer networks fetch alexnet`",
    ),
    "nested": (json.dumps({**GOOD, "recipe": {"objectives": NESTED}}), "too large for a recipe"),
    "wide": (
        json.dumps({**GOOD, "recipe": dict.fromkeys(map(str, range(9000)), 1)}),
        "too large for a recipe",
    ),
    "long": (json.dumps({**GOOD, "recipe": {"network": "x" * 100_000}}), "too large for a recipe"),
    "many unknown keys": (
        json.dumps({**GOOD, "recipe": dict.fromkeys(map(str, range(99)), 1)}),
        "and 79 more",
    ),
    "huge": (
        json.dumps({**GOOD, "recipe": {"octaves": {"steps": 10**9}}}),
        "not a whole number from 0 to 10000",
    ),
    "a terminal's controls": (json.dumps({**GOOD, "recipe": {"\x1b[2J\nx": 1}}), "unknown key"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_strangers_recipe_is_checked(tmp_path: Path, kind: str) -> None:
    text, sentence = STRANGERS[kind]
    source, picture = photo(tmp_path / "a.png"), forged(tmp_path / "stranger.png", text)
    for settings in ([], ["--set", "objectives.channel.weight=2", "--set", "octaves.scale=2"]):
        ran = dreamer("render", source, "--recipe", picture, *settings)
        refused(ran, sentence)
    assert ran.err.rstrip("\n").replace("\n", "").isprintable()
    assert left_in(tmp_path) == ["a.png", "stranger.png"]


PRESETS = {
    "missing": (None, "there is no such preset file"),
    "no TOML": ("= 3", "not a readable preset"),
    "no text": (b"\xff\xfe\x00", "not a readable preset"),
    "nested": ("schema = 1\nx = " + "[" * 5000 + "]" * 5000, "not a readable preset"),
    "wide": ("schema = 1\n" + "".join(f"k{n} = 1\n" for n in range(9000)), "too large for a recipe"),
    "no schema": ("seed = 1", "expected `schema = 1`"),
    "misspelt": ("schema = 1\ncolor = 1\nstrenght = 2", "color: unknown key; did you mean colour?"),
    "title a number": ("schema = 1\ntitle = 3", "title: must be text"),
    "a date": ("schema = 1\nseed = 2020-01-01", "seed: datetime.date(2020, 1, 1) is not a whole number"),
    "network to fetch": ("schema = 1\nnetwork = 'alexnet'", "`dreamer networks fetch alexnet`"),
}


@pytest.mark.parametrize("kind", PRESETS)
def test_a_preset_is_checked(tmp_path: Path, kind: str) -> None:
    content, sentence = PRESETS[kind]
    preset = tmp_path / "look.toml"
    if content is not None:
        preset.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(dreamer("render", photo(tmp_path / "a.png"), "--preset", preset), sentence)


@pytest.mark.reverie
def test_a_layer_that_the_chosen_network_lacks_becomes_its_default(tmp_path: Path) -> None:
    source, preset = photo(tmp_path / "a.png"), tmp_path / "look.toml"
    objective = "[[objectives]]\nname = 'deepdream'\nlayer = 'inception4c'\n"
    preset.write_text(f"schema = 1\nnetwork = 'googlenet'\n{objective}")
    ran = render(source, "--preset", preset, "--network", "reverie")
    assert ran.code == 0, ran.err
    assert "reverie has no layer inception4c; its default layer m4b is used instead" in ran.err
    assert stamp_of(tmp_path / "a-dream.png")["recipe"]["objectives"][0]["layer"] == "m4b"
    preset.write_text(f"schema = 1\nnetwork = 'reverie'\n{objective}")
    refused(render(source, "--preset", preset, "--force"), "reverie has no layer 'inception4c'")


def test_recipe_and_preset_exclude_each_other(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    refused(render(source, "--recipe", source, "--preset", "x.toml"), "cannot be combined")
    refused(render(source, "--recipe", source), "there is no recipe inside")
    refused(render(source, "--recipe", tmp_path / "no.png"), "there is no file")
