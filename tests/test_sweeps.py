"""Sweeps and variations: every cell is the single render, mistakes are told first, and a cell can be gone on from."""

from __future__ import annotations

import html
import json
import shlex
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import QUICK, dreamer, forged, left_in, photo, refused, render, stamp_of, understood
from networks import tiny
from PIL import Image

import dreamer as library
from dreamer.cli.batch import Batch
from dreamer.errors import Interrupted, RecipeError, UsageError
from dreamer.image import read_recipe
from dreamer.networks.network import Network
from dreamer.pipeline.build import Loaded, build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.sweep import groups, sharing
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.cells import same_cells, sheet_text
from dreamer.recipes.overrides import with_changes
from dreamer.recipes.provenance import Provenance
from dreamer.recipes.recipe import DEFAULTS, Recipe
from dreamer.recipes.sweeps import Axis, cells_of, read_axis
from dreamer.recipes.variations import varied

TINY = replace(tiny(), name="reverie")
ENDLESS: dict[str, Any] = {}
ENDLESS["itself"] = ENDLESS


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the networks that are loaded; the tiny one stands for reverie, since it is quick."""
    names: list[str] = []

    def load(shelf: Any, name: str, *weights: Any, **settings: Any) -> Network:
        names.append(name)
        return TINY

    monkeypatch.setattr("dreamer.pipeline.build.load_from", load)
    return names


@pytest.fixture
def dreams(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The strength of every dream that is computed."""
    made: list[float] = []
    dream = Pipeline.dream

    def counted(self: Pipeline, *photo: Any, **settings: Any) -> Any:
        made.append(self.recipe.strength)
        return dream(self, *photo, **settings)

    monkeypatch.setattr(Pipeline, "dream", counted)
    return made


def test_every_cell_is_the_single_render_and_strengths_cost_one_dream(
    tmp_path: Path, dreams: list[float], loaded: list[str]
) -> None:
    source, at = photo(tmp_path / "a.png", 64, 48), tmp_path / "sheet.jpg"
    ran = render(source, "--sweep", "keep=0,70%", "--sweep", "strength=.3,60%,1", "-o", at, "--html")
    assert ran.code == 0, ran.err
    assert len(dreams) == 2 and loaded == ["reverie"] and "holds 6 pictures" in ran.err
    files = sorted((tmp_path / "sheet").iterdir())
    assert [file.name for file in files[:2]] == ["1-keep-0-strength-0.3.png", "2-keep-0-strength-60-percent.png"]
    ways = [(keep, strength) for keep in ("0", "0.7") for strength in (".3", "0.6", "1")]
    for file, (keep, strength) in zip(files, ways, strict=True):
        alone = tmp_path / "alone.png"
        assert render(source, "--keep", keep, "--strength", strength, "-o", alone, "--force").code == 0
        assert file.read_bytes() == alone.read_bytes(), file.name
    page = html.unescape((tmp_path / "sheet.html").read_text())
    commands = [line.partition("</code>")[0] for line in page.split("<code>")[1:]]
    assert len(commands) == 6 and "http" not in page and page.count("data:image/jpeg") == 6
    assert understood(commands[1]).params["settings"] == ("octaves.steps=1", "spare=0", "strength=60%")
    with Image.open(at) as sheet:
        assert sheet.width > 3 * 64 and sheet.height > 2 * 48


def test_two_dreams_differ_by_their_strength_alone_unless_regions_have_theirs() -> None:
    registry = load_plugins()[0]
    region = {"regions": [{"mask": "top", "strength": 0.3}]}
    ways = [{"strength": 0.5}, {"strength": 1.0}, {"strength": 0.5, **region}, {"strength": 0.7, **region}]
    loaded: Loaded = {}
    made = sharing([build(words, registry, loaded=loaded) for words in ways])
    assert [[*group.strengths.items()] for group in groups(made)] == [[(0, 0.5), (1, 1.0)], [(2, 1.0)], [(3, 1.0)]]


@pytest.mark.parametrize(
    ("text", "values", "texts"),
    [
        ("strength=.3,.6,1", (0.3, 0.6, 1), ("0.3", "0.6", "1")),
        ("seed=1-3, 7", (1, 2, 3, 7), ("1", "2", "3", "7")),
        ("objectives.motif.names=[eye,rose],shell", ("eye,rose", "shell"), ("eye,rose", "shell")),
        (
            'objectives.motif.names=["eye", "rose"],["shell"]',
            (["eye", "rose"], ["shell"]),
            ('["eye", "rose"]', '["shell"]'),
        ),
        ("preset=bloom,gaze", ("bloom", "gaze"), ("bloom", "gaze")),
        ("smooth_pooling=true,false", (True, False), ("true", "false")),
    ],
)
def test_the_values_of_a_sweep_are_read_as_written(text: str, values: tuple[Any, ...], texts: tuple[str, ...]) -> None:
    axis = read_axis(text)
    assert axis == Axis(text.partition("=")[0], values, texts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("strength", "write KEY=VALUE,VALUE"),
        ("strength=", "write KEY=VALUE,VALUE"),
        ("=1,2", "write KEY=VALUE,VALUE"),
        ("strength=.3,2", "--sweep strength: 2 is not a number from 0 to 1; the nearest is 1"),
        ("strength=.3,.3", "0.3 stands there twice"),
        ("seed=9-1", "write 1-9"),
        ("stength=1", "did you mean strength"),
        ("octaves.step=1", "did you mean octaves.step"),
        ("colour.x=1", "there is no such key"),
        ("weight_noise=1,x", "'x' is not a number from 0 to 1"),
    ],
)
def test_mistakes_in_a_sweep_are_told(text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told.replace("?", ".")):
        read_axis(text)


def test_a_sheet_has_bounds() -> None:
    with pytest.raises(RecipeError, match="11 x 10 are 110 cells, and a sheet has at most 100"):
        cells_of([read_axis("seed=1-11"), read_axis("octaves.steps=1-10")])
    with pytest.raises(RecipeError, match="seed has more than 100 values, and a sheet has at most 100"):
        cells_of([read_axis("seed=1-999999999999")])
    with pytest.raises(RecipeError, match="at most 3"):
        cells_of([read_axis(f"{key}=0.1") for key in ("strength", "keep", "colour", "feather")])
    with pytest.raises(RecipeError, match="spare is swept twice"):
        cells_of([read_axis("keep=0.1"), read_axis("spare=0.2")])
    assert len(cells_of([read_axis("seed=1-10"), read_axis("octaves.steps=1-10")])) == 100


def test_all_mistakes_of_all_cells_are_told_before_the_first_dream(tmp_path: Path, dreams: list[float]) -> None:
    source = photo(tmp_path / "a.png", 64, 48)
    sweeps = ("--sweep", "gradient_filters.even.amount=.1,3", "--sweep", "layer=one,m9")
    refused(dreamer("render", source, *sweeps), "gradient_filters.even.amount: 3 is", "in 2 of 4 cells: even amount 3")
    ran = dreamer("render", source, "--sweep", "layer=one,m9", "--sweep", "seed=1,2")
    refused(ran, "no layer 'm9'", "in 2 of 4 cells: layer m9")
    ran = dreamer(
        "render", source, "--sweep", "strength=.1,.2", "--strength", ".5", "--variations", "3", "--snapshots", "1"
    )
    refused(ran, "--sweep strength: it is given by an option as well", "--snapshots: a sheet has none")
    refused(dreamer("render", source, "--html"), "--html: only sheets are web pages; add --sweep or --variations")
    refused(dreamer("render", source, source.with_name("b.png"), "--variations", "3"), "b.png")
    assert not dreams and left_in(tmp_path) == ["a.png"]


def test_a_rerun_skips_what_is_done_and_replaces_nothing_without_force(tmp_path: Path, dreams: list[float]) -> None:
    source, at = photo(tmp_path / "a.png", 64, 48), tmp_path / "s.png"
    line = (source, "--seed", "1-3", "-o", at)
    assert render(*line).code == 0 and len(dreams) == 3
    before = {path: path.read_bytes() for path in [at, *(tmp_path / "s").iterdir()]}
    assert "s.png is already done" in render(*line).err and len(dreams) == 3
    at.unlink()
    (tmp_path / "s" / "2-seed-2.png").unlink()
    assert render(*line).code == 0 and len(dreams) == 4
    assert {path: path.read_bytes() for path in before} == before
    refused(render(*line, "--keep", "0"), "1-seed-1.png already exists", "3-seed-3.png already exists")
    refused(render(source, "--seed", "4,5", "-o", at), "s.png already exists; --force replaces it")
    assert {path: path.read_bytes() for path in before} == before and len(dreams) == 4
    assert render(*line, "--keep", "0", "--force").code == 0 and at.read_bytes() != before[at]
    refused(render(source, "--seed", "4,5", "-o", source, "--force"), "never overwritten")


def test_ctrl_c_keeps_the_finished_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, at = photo(tmp_path / "a.png", 64, 48), tmp_path / "s.png"
    dream = Pipeline.dream

    def stopped(self: Pipeline, *photo: Any, **settings: Any) -> Any:
        if self.recipe.seed == 2:
            raise Interrupted(None)
        return dream(self, *photo, **settings)

    with monkeypatch.context() as patched:
        patched.setattr(Pipeline, "dream", stopped)
        ran = render(source, "--variations", "3", "--seed", "1", "-o", at)
    assert ran.code == 130 and "1 of 3 are in" in ran.err and "run the same command again" in ran.err
    assert left_in(tmp_path / "s") == ["1-seed-1.png"] and not at.exists()
    assert render(source, "--variations", "3", "--seed", "1", "-o", at).code == 0
    assert len(left_in(tmp_path / "s")) == 3


def test_a_variation_of_a_sheets_cell_can_be_made_again_and_varied(tmp_path: Path) -> None:
    source, at, on = photo(tmp_path / "a.png", 64, 48), tmp_path / "nine.jpg", tmp_path / "on.png"
    ran = render(source, "--seed", "5", "--variations", "3", "--around", "20%", "-o", at, "--html")
    assert ran.code == 0, ran.err
    first, second, _ = sorted((tmp_path / "nine").iterdir())
    alone = tmp_path / "alone.png"
    assert render(source, "--seed", "5", "-o", alone).code == 0 and alone.read_bytes() == first.read_bytes()
    assert stamp_of(second)["recipe"]["seed"] == 5 and stamp_of(second)["recipe"] != stamp_of(first)["recipe"]
    page = html.unescape((tmp_path / "nine.html").read_text())
    command = shlex.split(page.split("<code>")[2].partition("</code>")[0])
    assert command[-2:] == ["--recipe", f"{at}#2"]
    assert dreamer(*command[1:], "-o", alone, "--force").code == 0 and alone.read_bytes() == second.read_bytes()
    assert dreamer("render", source, "--like", f"{at}#2", "--variations", "2", "--around", ".1", "-o", on).code == 0
    child, other = sorted((tmp_path / "on").iterdir())
    assert child.read_bytes() == second.read_bytes() and other.read_bytes() != second.read_bytes()
    assert "octaves" in dreamer("presets", "show", f"{at}#2").out


def test_a_sheet_is_asked_for_one_of_its_pictures(tmp_path: Path) -> None:
    source, at = photo(tmp_path / "a.png", 64, 48), tmp_path / "s.png"
    assert render(source, "--seed", "1,2", "-o", at).code == 0
    refused(render(source, "--like", at, "--variations", "2"), "several pictures; name one of them, as in", "s.png#4")
    refused(render(source, "--recipe", f"{at}#3"), "has the pictures #1 to #2, and no #3")
    refused(render(source, "--recipe", f"{at}#0"), "and no #0")
    refused(render(source, "--recipe", f"{tmp_path / 'no.png'}#1"), "there is no file")
    refused(
        render(source, "--recipe", f"{tmp_path / 's/1-seed-1.png'}#1"), "no sheet of several pictures; leave out #1"
    )
    refused(render(source, "--like", f"{at}#1", "--recipe", f"{at}#1"), "--like and --recipe cannot be combined")
    refused(dreamer("presets", "show", at), "name one of them")
    again = ("--sweep", f"recipe={at}#1,{at}#2", "-o", tmp_path / "again.png")
    assert dreamer("render", source, *again).code == 0
    assert stamp_of(sorted((tmp_path / "again").iterdir())[1])["recipe"]["seed"] == 2
    refused(dreamer("walk", f"{at}#1", f"{at}#3", "--photo", source, "-o", tmp_path / "w.mp4"), "and no #3")
    named = tmp_path / "s.png#1"
    named.write_bytes((tmp_path / "s/1-seed-1.png").read_bytes())  # a file of that very name comes first
    assert dreamer("presets", "show", named).code == 0


def test_a_sheet_of_other_pictures_or_of_more_is_another():
    one, two = (Provenance({"seed": seed}, {}, "0.1", "1" * 64, "2" * 64) for seed in (1, 2))
    text = sheet_text([("1", one), ("2", two)])
    assert same_cells(text, [one, two], "s.png")
    assert not any(same_cells(text, others, "s.png") for others in ([one], [one, two, two], [two, one]))


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (3, "damaged"),
        ([3], "damaged"),
        ([], "no sheet"),
        ([{}] * 1001, "damaged"),
        ([{"recipe": 3}], "damaged at recipe"),
        ([{"recipe": {"strength": 9}}], "strength"),
        ([{"schema": 99}], "newer dreamer"),
        ([{"recipe": {"a": ["x" * 2000] * 30}}], "too large"),
        ([{"photo": ["/etc/passwd"]}], "damaged at photo"),
    ],
)
def test_a_strangers_sheet_is_refused_in_a_sentence(tmp_path: Path, cells: Any, told: str) -> None:
    source = photo(tmp_path / "a.png", 64, 48)
    text = json.dumps({"schema": 1, "recipe": {}, "cells": cells})
    refused(render(source, "--like", f"{forged(tmp_path / 's.png', text)}#1"), told)


def test_variations_stay_near_and_in_range_and_follow_from_the_recipe() -> None:
    registry = load_plugins()[0]
    words = Recipe.read(DEFAULTS, registry.vocabulary).to_dict(registry.vocabulary)
    drawn = varied(words, registry.vocabulary, 0.2, 3)
    assert drawn == varied(words, registry.vocabulary, 0.2, 3) != varied(words, registry.vocabulary, 0.2, 4)
    other = dict(varied({**words, "seed": 1}, registry.vocabulary, 0.2, 3)[number][:2] for number in range(3))
    assert other.items() - {key: value for key, value, _ in drawn}.items()
    keys = {key for key, _, _ in drawn}
    assert {"colour", "octaves.scale", "gradient_filters.chroma.share", "transforms.jitter.pixels"} <= keys
    assert not keys & {"seed", "size", "pictures", "redirect", "weight_noise", "octaves.reinject"}
    for number in range(30):
        near = {key: value for key, value, _ in varied(words, registry.vocabulary, 0.2, number)}
        assert "strength" not in near and 0.3 < near.get("colour", 0.5) < 0.7  # all of it stays all of it
        assert 1.4 / 1.2 <= near.get("octaves.scale", 1.4) <= 1.4 * 1.2
        far = [(key, value) for key, value, _ in varied(words, registry.vocabulary, 1.0, number)]
        Recipe.read(with_changes(words, far)[0], registry.vocabulary)  # refuses what is out of range
    assert varied(words, registry.vocabulary, 0.0, 2) == []


def test_a_sweep_goes_through_presets_and_files(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 64, 48)
    (tmp_path / "mine.toml").write_text('schema = 1\ntitle = "Mine"\n[octaves]\nsteps = 1\n')
    ran = dreamer(
        "render", source, "--sweep", f"preset={tmp_path / 'mine.toml'},{tmp_path / 'mine'}", "-o", tmp_path / "s.png"
    )
    assert ran.code == 0, ran.err
    one, two = sorted((tmp_path / "s").iterdir())
    assert one.read_bytes() == two.read_bytes()
    refused(dreamer("render", source, "--sweep", "preset=bloom,blom"), "did you mean bloom")
    refused(dreamer("render", source, "--sweep", "preset=bloom", "--recipe", one), "--sweep preset: it is given")
    refused(dreamer("render", source, "--sweep", "guide=no.jpg"), "there is no file no.jpg")


def test_python_gives_the_same_cells(tmp_path: Path, dreams: list[float]) -> None:
    source = photo(tmp_path / "a.png", 64, 48)
    cells = library.sweep(source, {"strength": [0.3, 1], "octaves.steps": [1]}, returns="array")
    assert len(dreams) == 1 and [cell.labels for cell in cells] == [
        ("strength 0.3", "steps 1"),
        ("strength 1", "steps 1"),
    ]
    alone = library.dream(source, strength=0.3, steps=1, returns="array")
    assert np.array_equal(cells[0].picture, alone) and cells[0].recipe["strength"] == 0.3
    varied_ = library.sweep(source, variations=2, around=0.3, steps=1, seed=4)
    again = library.dream(source, **varied_[1].recipe)
    assert varied_[1].picture.tobytes() == again.tobytes() != varied_[0].picture.tobytes()
    assert varied_.sheet().width > 64
    shown = varied_[0]._repr_png_()
    assert shown and shown.startswith(b"\x89PNG") and len(repr(varied_[0])) < 300 and cells[0]._repr_png_() is None
    assert [cell.recipe["seed"] for cell in library.sweep(source, variations=2, seed=4, steps=1)] == [4, 5]


def test_python_goes_through_masks_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, few = photo(tmp_path / "a.png", 64, 48), {"octaves": {"count": 1}, "steps": 1, "returns": "array"}
    masks = [Image.fromarray(np.roll(np.eye(48, 64) > 0, 9 * k, 1)) for k in (0, 1)]
    regions = [[(masks[0], "keep")], None, [(masks[1], "keep")]]
    cells = library.sweep(source, {"regions": regions}, **few)
    for cell, one in zip(cells, regions, strict=True):
        assert np.array_equal(cell.picture, library.dream(source, regions=one, **few))
    asked: list[Path | None] = []
    monkeypatch.setattr("dreamer.pipeline.build.load_from", lambda shelf, name, file, **k: asked.append(file) or TINY)
    library.sweep(source, {"weights": [None, tmp_path / "other.pth"]}, network="reverie", **few)
    assert asked == [None, tmp_path / "other.pth"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "nothing to go through"),
        ({"axes": {"strength": 0.3}}, "axes: strength: expected a list of values"),
        ({"axes": {"strength": []}}, "it has no values"),
        ({"axes": {"stength": [0.3]}}, "did you mean strength"),
        ({"axes": {"weights": []}}, "^axes: weights: it has no values[^\n]*$"),
        ({"variations": 2, "keep": (1,)}, "keep: unknown key$"),
        ({"axes": {"network": [3]}}, "network: expected a name"),
        ({"variations": 0}, "variations: 0 is not a whole number"),
        ({"around": 2}, "around: 2 is not a number from 0 to 1"),
        ({"variations": 101}, "at most 100"),
        ({"axes": {3: [1]}}, "axes: 3 is no key"),
        ({"axes": {"seed": count()}}, "at most 100"),
        ({"axes": {"objectives": [ENDLESS]}}, "at most 16 levels"),
        ({"axes": {"seed": [1]}, "octaves": ENDLESS}, "octaves: a recipe has at most 16 levels"),
    ],
)
def test_mistakes_in_python_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        library.sweep(np.zeros((48, 64, 3), np.uint8), **settings)


def test_the_sheet_knows_its_pictures(tmp_path: Path) -> None:
    at = tmp_path / "s.jpg"
    assert render(photo(tmp_path / "a.png", 64, 48), "--variations", "3", "-o", at).code == 0
    words = json.loads(read_recipe(at) or "")
    assert [cell["label"] for cell in words["cells"]] == ["seed 0", "seed 1", "seed 2"]
    assert words["cells"][2] == {"label": "seed 2", "recipe": {"seed": 2}} and words["machine"]["tile"] == 0
    assert QUICK and str(tmp_path) not in json.dumps(words)


def test_what_is_read_is_replaced_by_no_cell_and_no_sheet(tmp_path: Path) -> None:
    at, folder = tmp_path / "s.png", tmp_path / "s"
    folder.mkdir()
    first, second, other = folder / "1-seed-1.png", folder / "2-seed-2.png", photo(tmp_path / "a.png", 64, 48)
    before = {path: photo(path, 64, 48).read_bytes() for path in (first, second)}
    line = ("--seed", "1,2", "-o", at, "--force")
    refused(render(first, *line), "1-seed-1.png is the input", "never overwritten")
    refused(render(other, *line, "--region", f"{second}=keep"), "2-seed-2.png is the input")
    guides = ("--sweep", f"guide={other},{first}", "--force")
    refused(render(second, *guides, "-o", first), "1-seed-1.png is the input")
    assert {path: path.read_bytes() for path in before} == before and left_in(tmp_path) == ["a.png", "s"]


def test_a_page_that_is_somebody_elses_is_spared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, at = photo(tmp_path / "a.png", 64, 48), tmp_path / "s.png"
    line = (source, "--seed", "1,2", "-o", at)
    page = at.with_suffix(".html")
    assert render(*line).code == 0
    page.write_text("<b>#1 seed 1</b>")
    refused(render(*line, "--html"), "s.html already exists; --force replaces it")
    (tmp_path / "s" / "2-seed-2.png").unlink()
    refused(render(*line, "--html"), "s.html already exists; --force replaces it")
    page.unlink()
    at.unlink()
    write = Batch.write

    def appearing(self: Batch, *dream: Any, **how: Any) -> Path:
        for path in (at, page, tmp_path / "s" / "2-seed-2.png"):
            path.write_text("theirs")
        return write(self, *dream, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "write", appearing)
        ran = render(*line, "--html")
    assert ran.code == 0 and f"{tmp_path / 's-2.png'} is done" in ran.err
    assert left_in(tmp_path / "s") == ["1-seed-1.png", "2-seed-2-2.png", "2-seed-2.png"]
    assert {at.read_text(), page.read_text()} == {"theirs"} and (tmp_path / "s-2.html").is_file()


def test_no_cell_is_written_through_a_link(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 64, 48)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "a-sheet").symlink_to(tmp_path / "theirs")
    refused(render(source, "--seed", "1,2", "--force"), "a-sheet is in the way")
    assert left_in(tmp_path / "theirs") == []
