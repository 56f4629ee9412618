"""Broken plugins beside a good one: the good one works, nothing of the others is left."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

import dreamer.plugins.preset_packs
from dreamer import hookimpl
from dreamer.errors import PluginError, RecipeError
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.preset import Preset


def plugin(monkeypatch, name, **hooks):
    """A module with these hooks, and its entry point, as if a distribution `name` were installed."""
    module = ModuleType(f"{name}_module")
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return entry(name, module.__name__)


def entry(name, value):
    point = EntryPoint(name, value, "dreamer")
    vars(point)["dist"] = SimpleNamespace(name=name, version="1.2")
    return point


def tilt(image, *, power: float = 2.0):
    """Unlikeness of the picture to its mirror image."""
    return (image - image.flip(-1)).abs().pow(power).mean()


@pytest.fixture
def load(monkeypatch):
    def loaded(*points, only=None):
        monkeypatch.setattr(
            dreamer.plugins.preset_packs, "entry_points", lambda group: [p for p in points if p.group == group]
        )
        if only is None:
            monkeypatch.delenv("DREAMER_PLUGINS")
        else:
            monkeypatch.setenv("DREAMER_PLUGINS", only)
        return load_plugins()

    return loaded


def half_way(register):
    register(tilt, "left_behind")
    raise RuntimeError("half-way")


def takes_a_built_in(register):
    register(tilt, "total_variation")


def without_annotation(register):
    def loose(image, *, power=2):
        return image.mean()

    register(loose)


def test_a_good_one_works_beside_broken_ones(monkeypatch, load):
    registry, found = load(
        plugin(monkeypatch, "good", register_priors=lambda register: register(tilt)),
        entry("absent", "no_such_module"),
        plugin(monkeypatch, "misspelt", register_prior=lambda register: register(tilt)),
        plugin(monkeypatch, "half", register_priors=half_way),
        plugin(monkeypatch, "thief", register_priors=takes_a_built_in),
        plugin(monkeypatch, "loose", register_priors=without_annotation),
    )
    reasons = {p.name: p.problem for p in found}
    assert reasons["good"] == ""
    assert "no_such_module" in reasons["absent"]
    assert "register_prior" in reasons["misspelt"]
    assert reasons["half"] == "half-way"
    assert "total_variation" in reasons["thief"]
    assert "no annotation" in reasons["loose"]
    assert registry.ingredients["priors"].get("tilt").full_name == "good:tilt"
    assert {entry.source for entry in registry.ingredients["priors"]} == {"dreamer-art", "good"}
    assert registry.ingredients["priors"].get("total_variation").source == "dreamer-art"
    assert all("Traceback" in p.trace for p in found if p.problem)


def test_two_plugins_may_share_a_name_by_their_full_names(monkeypatch, load):
    register = {"register_priors": lambda register: register(tilt)}
    registry, _ = load(plugin(monkeypatch, "one", **register), plugin(monkeypatch, "two", **register))
    shelf = registry.ingredients["priors"]
    assert shelf.get("one:tilt").source == "one"
    with pytest.raises(RecipeError, match="one:tilt or two:tilt"):
        shelf.get("tilt")


@pytest.mark.parametrize(("only", "names"), [("", []), ("one", ["one"]), ("two, one", ["one", "two"])])
def test_dreamer_plugins_chooses(monkeypatch, load, only, names):
    points = [plugin(monkeypatch, name, register_priors=lambda register: register(tilt)) for name in ("one", "two")]
    _, found = load(*points, only=only)
    assert [p.name for p in found] == names


def test_a_plugins_network_is_made_only_when_asked_for(monkeypatch, load):
    from networks import tiny

    from dreamer.networks import load_from

    made = []

    def small():
        made.append(1)
        return tiny()

    registry, _ = load(plugin(monkeypatch, "net", register_networks=lambda register: register(small)))
    assert not made
    assert load_from(registry.networks, "small").name == "tiny" and made


def test_an_option_may_not_be_called_like_a_recipes_own_key(load):
    from dreamer.recipes.registry import Registry

    def heavy(image, *, weight: float = 1.0):
        return image.mean()

    with pytest.raises(PluginError, match="weight"):
        Registry().add_ingredient("priors", heavy, None, "x")


def test_a_full_name_of_a_plugin_that_is_not_here_says_how_to_have_it(load):
    registry, _ = load()
    with pytest.raises(RecipeError, match="no prior is called 'dreamer-swirl:tilt'") as caught:
        registry.vocabulary("priors", "dreamer-swirl:tilt")
    assert "`dreamer plugins install dreamer-swirl` installs it" in caught.value.problems[1]
    with pytest.raises(RecipeError) as caught:
        registry.vocabulary("priors", "tilt")
    assert len(caught.value.problems) == 1


def test_a_preset_is_registered_by_its_path_or_as_itself_and_read_when_asked_for(monkeypatch, load, tmp_path):
    for name, text in (("one", "schema = 1\nseed = 1\n"), ("two", "schema = 1\nseed = 2\n"), ("torn", "schema = ")):
        (tmp_path / f"{name}.toml").write_text(text)

    def looks(register):
        register(tmp_path / "one.toml")
        register(str(tmp_path / "two.toml"))
        register(Preset("three", "Three", "", "", {"seed": 3}))
        register(tmp_path / "torn.toml")

    registry, found = load(
        plugin(monkeypatch, "looks", register_presets=looks),
        plugin(monkeypatch, "number", register_presets=lambda register: register(5)),
    )
    assert {one.name: bool(one.problem) for one in found} == {"looks": False, "number": True}
    seeds = [registry.presets.get(name).value().words["seed"] for name in ("one", "two", "looks:three")]
    assert seeds == [1, 2, 3]
    with pytest.raises(RecipeError, match=r"torn\.toml: not a readable preset"):
        registry.presets.get("torn").value()
