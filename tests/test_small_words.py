"""What people try is understood, or a sentence says what to type; and what a changed recipe changed is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import dreamer, photo, refused, stamp_of
from networks import tiny

from dreamer.recipes.overrides import changes_between
from dreamer.recipes.preset import find_preset

LOOK = 'schema = 1\ntitle = "Mine"\n[octaves]\nsteps = 1\n[[objectives]]\nname = "deepdream"\nlayer = "two"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a photo and a preset; the tiny network stands for reverie."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dreamer.pipeline.build.load_from", lambda *named, **how: replace(tiny(), name="reverie"))
    photo(tmp_path / "a.png", 64, 48)
    (tmp_path / "mine.toml").write_text(LOOK)
    return tmp_path


def test_a_photo_a_clip_or_a_folder_in_the_place_of_a_command_says_what_to_type(here: Path) -> None:
    refused(dreamer("a.png", "--preset", "bloom"), "type `dreamer render a.png --preset bloom`")
    refused(dreamer("b.HEIC"), "type `dreamer render b.HEIC`")
    refused(dreamer("clip.mp4"), "type `dreamer video clip.mp4`")
    refused(dreamer(str(here)), f"type `dreamer render {here}`")
    refused(dreamer("rendr", "a.png"), "did you mean 'render'".capitalize())


def test_a_name_with_spaces_that_lacks_quotes_is_told_so(here: Path) -> None:
    photo(here / "my best photo.png", 64, 48)
    for words in (("render", "my", "best", "photo.png"), ("zoom", "my", "best", "photo.png", "--preview")):
        refused(dreamer(*words), 'my best photo.png: a name with spaces needs quotes; write "my best photo.png"')
    refused(dreamer("render", "a.png", "--guide", "my", "best", "photo.png"), '"my best photo.png"')
    refused(dreamer("my", "best", "photo.png"), '"my best photo.png"')
    ran = dreamer("render", "my best photo.png", "--preset", "mine")
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        (("--strength", "60%"), "strength", 0.6),
        (("--keep", "70 %"), "spare", 0.7),
        (("--set", "strength=60%"), "strength", 0.6),
        (("--feature-size", "30%"), "feature_size", 30),
        (("--mask", "top"), "regions", [{"mask": "top", "strength": 1.0}]),
    ],
)
def test_percents_and_masks_are_understood(here: Path, typed: tuple[str, ...], key: str, value: Any) -> None:
    ran = dreamer("render", "a.png", "--preset", "mine.toml", *typed)
    assert ran.code == 0, ran.err
    recipe = stamp_of(here / "a-dream.png")["recipe"]
    found = {**recipe, **recipe["octaves"]}[key]
    assert found == value


def test_percent_of_what_goes_beyond_one_is_refused() -> None:
    refused(dreamer("render", "a.png", "--set", "octaves.scale=140%"), "octaves.scale: '140%' is not a number")
    refused(dreamer("render", "a.png", "--strength", "160%"), "--strength: 1.6 is not a number from 0 to 1")
    refused(dreamer("render", "a.png", "--strength", "much"), "--strength: 'much' is not a number (see")


def test_a_presets_file_is_found_without_its_suffix(here: Path) -> None:
    assert dreamer("render", "a.png", "--preset", "mine").code == 0
    assert stamp_of(here / "a-dream.png")["recipe"]["octaves"]["steps"] == 1
    from dreamer.plugins.loading import load_presets

    (here / "bloom.toml").write_text(LOOK)  # a preset's own name comes first
    assert find_preset(load_presets()[0], "bloom").title == "Bloom"
    refused(dreamer("render", "a.png", "--preset", "min"), "no preset is called")


def test_a_changed_recipe_says_what_was_changed(here: Path) -> None:
    plain = dreamer("render", "a.png", "--preset", "mine", "-o", "x.png")
    assert "changed" not in plain.err
    words = ("--strength", "0.6", "--set", "transforms.rotate.degrees=8", "--seed", "3")
    ran = dreamer("render", "a.png", "--preset", "mine", *words, "-o", "y.png")
    last = ran.err.splitlines()[-1]
    for change in ("strength = 0.6 instead of 1", "seed = 3 instead of 0", "transforms.rotate is added"):
        assert last.startswith("mine, changed: ") and change in last
    ran = dreamer("render", "a.png", "--recipe", "y.png", "--keep", "0", "-o", "z.png")
    assert ran.err.splitlines()[-1] == "y.png, changed: spare = 0 instead of 0.3"


def test_a_picture_says_which_preset_it_comes_from(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dreamer.networks.untrained", lambda *named: replace(tiny(), name="reverie"))
    assert dreamer("render", "a.png", "--set", "octaves.steps=1", "--seed", "4").code == 0
    lines = dreamer("presets", "show", "a-dream.png").out.splitlines()
    at = lines.index("# preset: dreamer's defaults, changed:")
    assert {*lines[at + 1 : at + 3]} == {"#   seed = 4 instead of 0", "#   octaves.steps = 1 instead of 10"}


def test_the_changes_between_two_recipes_are_told() -> None:
    base = {"seed": 1, "octaves": {"steps": 3}, "priors": [{"name": "a", "weight": 1.0}], "canvas": {"name": "pixels"}}
    words = {"seed": 2, "octaves": {"steps": 3, "count": 4}, "priors": [{"name": "b", "id": "c", "weight": 2.0}]}
    assert changes_between(words, base) == [
        *("priors.a is left out", "priors.c is added", "seed = 2 instead of 1", "octaves.count = 4"),
    ]
    assert changes_between(base, base) == []
    one, two = ({"objectives": [{"name": "motif", "names": names}]} for names in (["eye", "rose"], []))
    assert changes_between(one, two) == ["objectives.motif.names = eye,rose instead of none"]
