import pytest

from dreamer.errors import RecipeError
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.overrides import difference, merged, read_setting, with_change
from dreamer.recipes.preset import find_preset, read_preset
from dreamer.recipes.recipe import DEFAULTS, Recipe

REGISTRY = load_plugins()[0]


def vocabulary(kind, name):
    return REGISTRY.ingredients[kind].get(name).value.options


def read(words=(), *settings):
    words = merged(DEFAULTS, dict(words))
    for setting in settings:
        words = with_change(words, *read_setting(setting))
    return Recipe.read(words, vocabulary)


def problems(words=(), *settings):
    with pytest.raises(RecipeError) as caught:
        read(words, *settings)
    return caught.value.problems


def test_the_defaults_are_the_documented_ones():
    recipe = read()
    assert recipe.network == "reverie" and recipe.colour == 0.5 and recipe.size == 2048
    assert (recipe.octaves.smallest, recipe.octaves.scale, recipe.octaves.steps) == (160, 1.4, 10)
    assert [item.name for item in recipe.gradient_filters] == ["laplacian", "even", "chroma"]


def test_an_ingredient_can_be_added_as_it_is():
    assert [item.name for item in read((), "updates.stretch").updates] == [
        *(item.name for item in read().updates),
        "stretch",
    ]
    (found,) = (item for item in read((), "transforms.jitter={pixels = 7}").transforms if item.name == "jitter")
    assert found.options["pixels"] == 7 and read((), "transforms.jitter") == read()
    assert "is not a number from" in problems((), "priors.total_variation.weight={a=1}")[0]
    assert problems((), "transforms.jitter.pixels")[0].startswith("--set transforms.jitter.pixels: write KEY=VALUE")


def test_settings_reach_everything():
    recipe = read(
        (),
        "octaves.steps=20",
        "colour=0",
        "objectives.deepdream.layer=m4c",
        "objectives.channel.index=3,5",
        "priors.total_variation.weight=0.25",
        "transforms.jitter.border=mirror",
    )
    assert recipe.octaves.steps == 20 and recipe.colour == 0
    assert recipe.objectives[0].layer == "m4c"
    assert recipe.objectives[1].name == "channel" and recipe.objectives[1].options["index"] == (3, 5)
    assert recipe.priors[0].weight == 0.25
    assert recipe.transforms[0].options == {"border": "mirror"}


def test_every_mistake_is_told_at_once_with_its_path_range_and_a_suggestion():
    found = problems(
        {
            "colour": 3,
            "colur": 1,
            "octaves": {"stepz": 1, "scale": "big"},
            "objectives": [{"name": "deepdram"}, {"name": "channel", "weigth": 2}, {"layer": "m4b"}],
            "priors": [{"name": "frequency", "cutoff": True}],
            "transforms": "jitter",
        }
    )
    text = "\n".join(found)
    for part in (
        "colour: ",
        "from 0 to 1",
        "colur: unknown key; did you mean colour?",
        "octaves.stepz: unknown key; did you mean step",
        "octaves.scale: ",
        "objectives.deepdram: no objective is called 'deepdram'; did you mean deepdream?",
        "objectives.channel.weigth: unknown key; did you mean weight?",
        "objectives[2]: ",
        "priors.frequency.cutoff: ",
        "transforms: ",
    ):
        assert part in text, part
    assert len(found) == 9


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "true", "[1]", "'x'"])
def test_a_number_must_be_one(value):
    assert len(problems((), f"strength={value}")) == 1


def test_an_ingredient_named_twice_needs_an_id():
    twice = [{"name": "channel", "index": [1]}, {"name": "channel", "index": [2]}]
    assert "id" in problems({"objectives": twice})[0]
    twice[1]["id"] = "other"
    recipe = read({"objectives": twice}, "objectives.other.weight=3")
    assert [item.weight for item in recipe.objectives] == [1.0, 3.0]


@pytest.mark.parametrize("setting", ["octaves.steps.more=1", "nowhere.x=1", "priors.x=1"])
def test_a_path_that_leads_nowhere_is_told_with_how_to_write_one(setting):
    (found,) = problems((), setting)
    assert found.startswith(f"{setting[:-2]}: there is no such key; write keys as in colour, octaves.steps or ")


@pytest.mark.parametrize("setting", ["octaves", "=3"])
def test_a_setting_without_a_key_or_a_value_is_told_with_how_to_write_one(setting):
    assert problems((), setting) == (f"--set {setting}: write KEY=VALUE, as in --set octaves.steps=20",)


def test_words_and_back_are_the_same_recipe():
    recipe = read({"objectives": [{"name": "channel", "index": [1, 2], "layer": "m4b"}]}, "priors.frequency.weight=2")
    words = recipe.to_dict(vocabulary)
    assert Recipe.read(words, vocabulary).to_dict(vocabulary) == words
    assert words["objectives"][0] == {
        "name": "channel", "layer": "m4b", "weight": 1.0, "index": [1, 2], "names": [], "normalise": True,
        "square": True,
    }  # fmt: skip
    assert words["transforms"][0]["pixels"] == 32


def test_a_canvas_and_an_optimiser_are_tables_of_one():
    recipe = read({}, "canvas.name=fourier", "canvas.decay=1.2", "optimiser.name=adam")
    assert (recipe.canvas.name, recipe.canvas.options) == ("fourier", {"decay": 1.2})
    words = recipe.to_dict(vocabulary)
    assert words["canvas"] == {"name": "fourier", "decay": 1.2, "sigma": 0.01}
    assert words["optimiser"] == {"name": "adam", "rate": 0.05, "beta1": 0.9, "beta2": 0.999}
    assert Recipe.read(words, vocabulary).to_dict(vocabulary) == words
    assert read().to_dict(vocabulary)["canvas"] == {"name": "pixels", "sigma": 0.01}
    assert read({"canvas": {"sigma": 0.5}}).canvas.options == {"sigma": 0.5}  # the usual one, otherwise


def test_another_canvas_brings_its_own_options():
    below = {"canvas": {"name": "fourier", "decay": 2.0}, "optimiser": {"name": "adam", "rate": 0.1}}
    assert merged(below, {"canvas": {"name": "cppn"}})["canvas"] == {"name": "cppn"}
    assert merged(below, {"canvas": {"sigma": 1.0}})["canvas"] == {"name": "fourier", "decay": 2.0, "sigma": 1.0}
    assert with_change(below, "canvas.name", "cppn")["canvas"] == {"name": "cppn"}
    assert with_change(below, "optimiser.rate", 0.2)["optimiser"] == {"name": "adam", "rate": 0.2}
    assert below["canvas"]["decay"] == 2.0


def test_a_preset_keeps_what_is_its_own_of_a_canvas():
    base = read().to_dict(vocabulary)
    other = read({}, "canvas.name=fourier", "canvas.decay=1.2").to_dict(vocabulary)
    assert difference(other, base, vocabulary)["canvas"] == {"name": "fourier", "decay": 1.2}
    more = read({}, "canvas.name=fourier", "canvas.decay=0.5").to_dict(vocabulary)
    assert difference(more, other, vocabulary)["canvas"] == {"decay": 0.5}
    assert "canvas" not in difference(other, other, vocabulary)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ({"canvas": {"name": "furier"}}, "canvas.name: no canvas is called 'furier'; did you mean fourier?"),
        ({"canvas": {"name": "fourier", "decya": 1}}, "canvas.decya: unknown key; did you mean decay?"),
        ({"canvas": {"name": "fourier", "decay": "x"}}, "canvas.decay: 'x' is not a number from 0 to 4"),
        ({"canvas": {"name": 3}}, "canvas.name: '3' is not text"),
        ({"canvas": "fourier"}, "canvas: expected a dict, as in canvas={...}"),
        ({"canvas": [{"name": "fourier"}]}, "canvas: expected a dict, as in canvas={...}"),
        ({"optimiser": {"name": "adma"}}, "optimiser.name: no optimiser is called 'adma'; did you mean adam"),
        ({"canvass": {"name": "fourier"}}, "canvass: unknown key; did you mean canvas?"),
    ],
)
def test_a_canvas_that_makes_no_sense_is_told_with_a_suggestion(words, hint):
    (found,) = problems(words)
    assert hint in found


def test_a_list_replaces_the_list_beneath_and_octaves_merge():
    words = merged({"octaves": {"steps": 3, "scale": 2}, "priors": [{"name": "frequency"}]}, {"octaves": {"steps": 5}})
    assert words["octaves"] == {"steps": 5, "scale": 2}
    assert merged(words, {"priors": []})["priors"] == []


@pytest.mark.parametrize("entry", list(REGISTRY.presets), ids=lambda entry: entry.name)
def test_every_built_in_preset_is_a_recipe_and_tells_of_itself(entry):
    preset = find_preset(REGISTRY, entry.name)
    assert preset.title and preset.description and preset.author
    read(preset.words)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("title = 'x'", "schema = 1"),
        ("schema = 2", "newer dreamer"),
        ("schema = 1\ntitle = 3", "title"),
        ("schema = [", "cannot be read|not a readable"),
        ("schema = true", "schema = 1"),
    ],
)
def test_a_preset_that_is_not_one_is_refused(tmp_path, text, hint):
    path = tmp_path / "look.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=hint):
        read_preset(path)


def test_a_full_name_is_addressed_dots_and_all():
    changed = with_change({}, "priors.my.plugin:tilt.weight", 2.0)
    assert changed == {"priors": [{"name": "my.plugin:tilt", "weight": 2.0}]}


def test_one_without_an_id_beside_one_with_it_is_addressed_by_its_name():
    words = {"objectives": [{"name": "channel", "id": "a"}, {"name": "channel"}]}
    assert with_change(words, "objectives.channel.weight", 2.0)["objectives"][1]["weight"] == 2.0
    assert with_change(words, "objectives.a.weight", 3.0)["objectives"][0]["weight"] == 3.0
