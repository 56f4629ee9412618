"""`dreamer presets`: list, show, try, check and save."""

import html
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import dreamer, forged, photo, refused, render, stamp_of
from PIL import Image

from dreamer import api as library
from dreamer.plugins.installed import entries
from dreamer.plugins.loading import load_presets
from dreamer.recipes.preset import find_preset

QUICK_LOOK = 'schema = 1\ntitle = "Quick"\ndescription = "d"\nauthor = "a"\nlikes = "l"\n[octaves]\nsteps = 1\n'
REGISTRY = load_presets()[0]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty config folder; names are looked up anew."""
    monkeypatch.setenv("DREAMER_CONFIG", str(tmp_path / "config"))
    library.loaded_registry.cache_clear()
    yield tmp_path / "config" / "presets"
    library.loaded_registry.cache_clear()


@pytest.mark.parametrize("entry", list(REGISTRY.presets), ids=lambda entry: entry.name)
def test_every_preset_tells_all_about_itself(entry) -> None:
    preset = find_preset(REGISTRY, entry.name)
    assert all((preset.title, preset.description, preset.author, preset.likes))
    assert len(preset.description) < 80 and len(preset.likes) < 50
    ran = dreamer("presets", "check", entry.name)
    assert ran.code == 0, ran.err
    if preset.words.get("network", "reverie") in ("reverie", "squeezenet1_0"):
        assert preset.thumbnail
        with Image.open(preset.thumbnail) as picture:
            assert picture.size == (240, 160)
    else:
        assert "not tested" in preset.description


def test_the_list_names_every_preset_and_hides_none_behind_a_broken_one(config: Path) -> None:
    config.mkdir(parents=True)
    (config / "broken.toml").write_text("schema = [")
    ran = dreamer("presets", "list")
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert ran.code == 0 and {entry.name for entry in REGISTRY.presets} < {row[0] for row in rows}
    assert next(row for row in rows if row[0] == "broken")[3:] == ["yours", rows[-1][4]]
    assert "broken: " in rows[-1][4]


def test_show_prints_a_preset_a_file_or_the_recipe_inside_a_picture(tmp_path: Path) -> None:
    assert tomllib.loads(dreamer("presets", "show", "bloom").out)["title"] == "Bloom"
    (tmp_path / "x.toml").write_text(QUICK_LOOK)
    assert dreamer("presets", "show", tmp_path / "x.toml").out == QUICK_LOOK
    assert render(photo(tmp_path / "a.png"), "--seed", "7").code == 0
    shown = dreamer("presets", "show", tmp_path / "a-dream.png").out
    words = tomllib.loads(shown)
    assert words["seed"] == 7 and words["octaves"]["steps"] == 1 and words["schema"] == 1
    assert "# weights: " in shown and "# threads: " in shown
    (tmp_path / "kept.toml").write_text(shown)  # what is shown is a preset
    again = ("--preset", tmp_path / "kept.toml", "-o", tmp_path / "b.png")
    assert dreamer("render", tmp_path / "a.png", *again).code == 0
    assert stamp_of(tmp_path / "b.png")["recipe"] == stamp_of(tmp_path / "a-dream.png")["recipe"]
    refused(dreamer("presets", "show", tmp_path / "a.png"), "no recipe inside")
    refused(dreamer("presets", "show", "blom"), "did you mean bloom")


def test_a_recipe_inside_a_picture_may_hold_null(tmp_path: Path) -> None:
    assert render(photo(tmp_path / "a.png")).code == 0
    provenance = stamp_of(tmp_path / "a-dream.png")
    provenance["recipe"] |= {
        "size": None,
        "octaves": {"steps": 1, "count": None},
        "priors": [None, {"name": "x", "id": None}],
    }
    ran = dreamer("presets", "show", forged(tmp_path / "f.png", json.dumps(provenance)))
    assert ran.code == 0, ran.err
    words = tomllib.loads(ran.out)
    assert "size" not in words and words["octaves"] == {"steps": 1} and words["priors"] == [{"name": "x"}]


def test_check_tells_every_mistake_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(QUICK_LOOK)
    assert dreamer("presets", "check", path).out == f"{path}: no mistakes\n"
    path.write_text(
        "schema = 1\ncolour = 7\ndescription = 'd'\nlikes = 'l'\nauthor = 'a'\n"
        "[octaves]\nscal = 2\n[[objectives]]\nname = 'deepdream'\nlayer = 'm9'\n"
    )
    ran = dreamer("presets", "check", path)
    refused(ran, f"{path}:2: colour: 7", f"{path}:7: octaves.scal: unknown key; did you mean scale?", "title:", "m9")
    path.write_text(QUICK_LOOK.replace("title", "titel"))
    refused(dreamer("presets", "check", path), "titel: unknown key; did you mean title?")
    refused(dreamer("render", "--sample", "--preset", path), "titel: unknown key; did you mean title?")
    path.write_text("schema = 1\n[octaves\n")
    refused(dreamer("presets", "check", path), "line 2, column 9")
    path.write_text("schema = 9\n")
    refused(dreamer("presets", "check", path), "newer dreamer (schema 9")
    path.write_text(QUICK_LOOK + '[[objectives]]\nname = "deepdream"\nlayer = "no.such"\n[[priors]]\nname = "x:y"\n')
    ran = dreamer("presets", "check", path)
    refused(ran, "no layer 'no.such'", "no prior is called 'x:y'")


def test_check_looks_at_a_network_whose_weights_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        'network = "squeezenet1_1"\n' + QUICK_LOOK + '[[objectives]]\nname = "deepdream"\nlayer = "features.9"\n'
    )
    assert dreamer("presets", "check", path).code == 0
    path.write_text(path.read_text().replace("features.9", "features.999"))
    refused(dreamer("presets", "check", path), "squeezenet1_1 has no layer 'features.999'")


def test_check_draws_a_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(QUICK_LOOK)
    assert dreamer("presets", "check", path, "--thumbnail").code == 0
    with Image.open(tmp_path / "x.webp") as picture:
        assert picture.size == (240, 160)


def test_try_puts_every_look_on_one_sheet(tmp_path: Path, config: Path) -> None:
    config.mkdir(parents=True)
    (config / "quick.toml").write_text(QUICK_LOOK.replace('"Quick"', '"<b>Quick"').replace('"d"', '"<i>d"'))
    (config / "plain.toml").write_text(QUICK_LOOK + "step_size = 0.0\n")
    (config / "absent.toml").write_text('network = "vgg16"\n' + QUICK_LOOK)
    source, sheet_at = photo(tmp_path / "a.png", 200, 120), tmp_path / "sheet.png"
    ran = dreamer("presets", "try", source, "quick", "plain", "absent", "--size", "96", "--html", "-o", sheet_at)
    assert ran.code == 0, ran.err
    assert "skipped absent" in ran.err and "vgg16" in ran.err and "2 looks" in ran.err
    assert ran.out == "" and f"{sheet_at} is done in " in ran.err
    with Image.open(sheet_at) as sheet:
        tiles = [sheet.crop((14 + n * 110, 14, 14 + n * 110 + 96, 110)) for n in range(3)]
    same = [sum(abs(a - b) for a, b in zip(tiles[0].tobytes(), tile.tobytes(), strict=True)) for tile in tiles]
    assert same[1] > 20 * max(same[2], 1)  # the plain look is the photo, the quick one is not
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("data:image/jpeg") == 3 and "&lt;i&gt;d" in page and "<i>d" not in page
    assert f"dreamer render {source} --preset quick" in page
    (tmp_path / "a-presets.jpg").touch()
    refused(dreamer("presets", "try", source, "quick"), "a-presets.jpg already exists")
    refused(dreamer("presets", "try", source, "quik", "-o", tmp_path / "b.jpg"), "did you mean quick")
    refused(dreamer("presets", "try", tmp_path / "no.png", "quick"), "no.png")


def test_the_progress_of_trying_looks_is_told_in_json_and_silenced(tmp_path: Path, config: Path) -> None:
    source = photo(tmp_path / "a.png")
    for name in ("one", "two"):
        config.mkdir(exist_ok=True, parents=True)
        (config / f"{name}.toml").write_text(QUICK_LOOK)
    words = ("presets", "try", source, "one", "two", "--size", "96", "--html", "--progress")
    ran = dreamer(*words, "json")
    assert ran.code == 0 and ran.err == ""
    assert ran.events[0] == {"event": "start", "photo": str(source), "number": 1, "total": 1}
    looks = [event for event in ran.events if event["event"] == "look"]
    assert {event["doing"] for event in looks} == {"one", "two", ""} and {event["looks"] for event in looks} == {2}
    assert [event["share"] for event in looks] == sorted(event["share"] for event in looks) and looks[-1]["share"] == 1
    done = [event["result"] for event in ran.events if event["event"] == "done"]
    assert done == [str(tmp_path / f"a-presets.{suffix}") for suffix in ("jpg", "html")]
    ran = dreamer(*words, "none", "--force")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_try_never_overwrites_the_photo(tmp_path: Path, config: Path) -> None:
    source = photo(tmp_path / "a.jpg")
    before = source.read_bytes()
    refused(dreamer("presets", "try", source, "bloom", "-o", source, "--force"), "which is never overwritten")
    assert source.read_bytes() == before


def test_the_commands_of_looks_can_be_copied(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo(Path("my photo;x.png"))
    Path("a look.toml").write_text(QUICK_LOOK)
    mine = find_preset(REGISTRY, "bloom")
    for plugin in ("dreamer-one", "dreamer-two"):
        library.registry().presets.add("shared", plugin, lambda: mine)
    monkeypatch.setattr(library, "dream", lambda piece, **_: piece)
    ran = dreamer("presets", "try", "my photo;x.png", "a look.toml", "--size", "96", "--html", "-o", "a.png")
    assert ran.code == 0, ran.err
    command = "dreamer render 'my photo;x.png' --preset "
    assert html.escape(command + "'a look.toml'") in Path("a.html").read_text()
    assert dreamer("presets", "try", "my photo;x.png", "--size", "96", "--html", "-o", "b.png").code == 0
    page = Path("b.html").read_text()
    assert all(
        f"{html.escape(command)}{name}<" in page for name in ("bloom", "dreamer-one:shared", "dreamer-two:shared")
    )


def test_a_look_is_saved_where_it_is_found_again(tmp_path: Path, config: Path) -> None:
    place = tmp_path / "my looks.toml"
    ran = dreamer("presets", "save", "mine", "-o", place)
    assert ran.code == 0 and ran.out == f"saved as {place}; `dreamer render PHOTO --preset '{place}'` dreams with it\n"
    for name in ("noext", "x.tom", "x.TOML"):
        refused(dreamer("presets", "save", "mine", "-o", tmp_path / name), "a preset is a .toml file")
        assert not (tmp_path / name).exists()


def test_a_look_is_saved_from_options_and_renders_the_same(tmp_path: Path, config: Path) -> None:
    source = photo(tmp_path / "a.png")
    wish = ("--preset", "bloom", "--set", "octaves.steps=2", "--set", "priors.frequency.cutoff=0.2", "--seed", "3")
    ran = dreamer("presets", "save", "slow-bloom", *wish, "--description", "Slowly")
    assert ran.code == 0 and "--preset slow-bloom` dreams with it" in ran.out
    words = tomllib.loads((config / "slow-bloom.toml").read_text())
    assert words["octaves"] == {"steps": 2} and words["priors"] == [{"name": "frequency", "cutoff": 0.2}]
    assert "transforms" not in words and "strength" not in words and words["network"] == "reverie"
    assert dreamer("render", source, *wish, "-o", tmp_path / "one.png").code == 0
    assert dreamer("render", source, "--preset", "slow-bloom", "-o", tmp_path / "two.png").code == 0
    assert stamp_of(tmp_path / "one.png")["recipe"] == stamp_of(tmp_path / "two.png")["recipe"]
    ran = dreamer("presets", "save", "again", "--recipe", tmp_path / "one.png")
    assert ran.code == 0 and tomllib.loads((config / "again.toml").read_text())["seed"] == 3
    refused(dreamer("presets", "save", "again"), "already exists", "--force")
    refused(dreamer("presets", "save", "bloom"), "dreamer-art:bloom")
    refused(
        dreamer("presets", "save", "../x", "--guide", source),
        "../x: the name of a preset is made of",
        "--guide: a preset cannot",
    )
    refused(
        dreamer("presets", "save", "No Name", "--preset", "nopreset", "-o", tmp_path / "a.txt"),
        *("No Name: the name of a preset is made of small letters", "'nopreset'", "a preset is a .toml file"),
    )
    assert sorted(path.name for path in config.iterdir()) == ["again.toml", "slow-bloom.toml"]


def test_a_folder_for_looks_that_cannot_be_made_is_a_sentence(tmp_path: Path, config: Path) -> None:
    config.parent.write_text("a file where the folder goes")
    refused(dreamer("presets", "save", "mine"), f"{config}: this folder cannot be created", code=1)


def test_where_no_ledger_can_be_there_is_none(tmp_path: Path, config: Path) -> None:
    config.parent.write_text("a file where the folder goes")
    assert entries() == ()


def test_a_picture_made_with_an_absent_plugin_names_it(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    assert render(source).code == 0
    provenance = stamp_of(tmp_path / "a-dream.png")
    provenance["recipe"]["priors"] = [{"name": "engraving", "weight": 1.0}]
    provenance["plugins"] = {"dreamer-ink": "1.0"}
    ran = render(source, "--recipe", forged(tmp_path / "f.png", json.dumps(provenance)), "-o", tmp_path / "b.png")
    refused(
        ran, "needs the plugin dreamer-ink", "`dreamer plugins install dreamer-ink`", "no prior is called 'engraving'"
    )
    provenance["recipe"]["network"] = "efficientnet-lite0"
    ran = render(source, "--recipe", forged(tmp_path / "n.png", json.dumps(provenance)), "-o", tmp_path / "b.png")
    refused(ran, "needs the plugin dreamer-ink")
    assert "no network is called" not in ran.err
    provenance["plugins"] = {"; rm -rf /": "1.0"}
    ran = render(source, "--recipe", forged(tmp_path / "f.png", json.dumps(provenance)), "-o", tmp_path / "b.png")
    refused(ran, "is not a plugin name")


def test_features_larger_than_wished_are_told_of(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 200, 100)
    ran = render(source, "--feature-size", "30", "-o", tmp_path / "b.png")
    assert ran.code == 0 and "features are 88 % of the short side at least, and not 30 %" in ran.err
    assert "features are" not in render(source, "--feature-size", "90", "-o", tmp_path / "c.png").err


def test_feature_size_is_a_dial_of_every_recipe(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png", 320, 240)
    assert render(source, "--feature-size", "60").code == 0
    assert stamp_of(tmp_path / "a-dream.png")["recipe"]["octaves"]["feature_size"] == 60
    refused(render(source, "--feature-size", "0", "-o", tmp_path / "b.png"), "--feature-size: 0")
    wish = ("--feature-size", "20", "--set", "octaves.count=3")
    refused(render(source, *wish, "-o", tmp_path / "b.png"), "count and feature_size cannot be combined")
