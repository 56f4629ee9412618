"""Broken plugins beside a good one: the good one works, nothing of the others is left."""

import re
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest
import torch
from command import dreamer as dreamer_command
from command import refused
from safetensors.torch import save_file

import dreamer.plugins.preset_packs
from dreamer import hookimpl
from dreamer.errors import NetworkError, PluginError, RecipeError
from dreamer.networks import load_from
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.overrides import merged, read_setting, with_change
from dreamer.recipes.preset import Preset
from dreamer.recipes.recipe import DEFAULTS, Recipe
from dreamer.recipes.registry import Registry
from dreamer.testing import tiny_network
from dreamer.testing.checks import try_network


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
            monkeypatch.delenv("DREAMER_PLUGINS", raising=False)
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
    assert reasons["misspelt"] == "there is no hook register_prior; did you mean register_priors?"
    assert re.fullmatch(r"half-way \(RuntimeError, test_plugins\.py, line \d+\)", reasons["half"])
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


def test_a_shared_name_is_shown_by_its_full_names(monkeypatch, load):
    hook = {"register_priors": lambda register: register(tilt)}
    registry, _ = load(plugin(monkeypatch, "one", **hook), plugin(monkeypatch, "two", **hook))
    monkeypatch.setattr("dreamer.api.registry", lambda: registry)
    several = "prior 'tilt' comes from several plugins; use its full name, one:tilt or two:tilt"
    refused(dreamer_command("ingredients", "show", "tilt"), several)
    refused(dreamer_command("ingredients", "show", "tilted"), "no ingredient is called 'tilted'; did you mean tilt?")
    shown = dreamer_command("ingredients", "show", "one:tilt").out
    setting, *_ = next(line for line in shown.splitlines() if "power" in line).split("  ")
    key, _ = read_setting(setting.removeprefix("--set ").replace("...", "2"))
    recipe = Recipe.read(merged(DEFAULTS, with_change({}, key, 2.0)), registry.vocabulary)
    assert ("one:tilt", 2.0) in [(prior.name, prior.options.get("power")) for prior in recipe.priors]


@pytest.mark.parametrize(
    ("only", "names"), [("", []), ("one", ["one"]), ("two, one", ["one", "two"]), ("Slow_Tide", ["one"])]
)
def test_dreamer_plugins_chooses(monkeypatch, load, only, names):
    points = [plugin(monkeypatch, name, register_priors=lambda register: register(tilt)) for name in ("one", "two")]
    vars(points[0])["dist"] = SimpleNamespace(name="slow-tide", version="1.2")
    _, found = load(*points, only=only)
    assert [p.name for p in found] == names


def test_a_plugin_that_is_chosen_and_not_there_is_told(monkeypatch):
    monkeypatch.setenv("DREAMER_PLUGINS", "nonsense")
    ran = dreamer_command("plugins", "list")
    assert ran.code == 0 and "DREAMER_PLUGINS: no plugin is called nonsense" in ran.err


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


class Mute(Exception):
    """An error whose own text fails."""

    def __str__(self) -> str:
        raise ValueError("no text")


class Rude(BaseException):
    """What `except Exception` does not see."""


def rising(error):
    def register(register):
        raise error

    return register


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit(3), "3"),
        (Rude("rude"), "rude"),
        (GeneratorExit(), "GeneratorExit"),
        (Mute(), "Mute, which cannot say what it is"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_whatever_a_plugin_raises_breaks_it_alone(monkeypatch, load, error, reason):
    registry, found = load(
        plugin(monkeypatch, "bad", register_priors=rising(error)),
        plugin(monkeypatch, "good", register_priors=lambda register: register(tilt)),
    )
    bad, good = (p.problem for p in found)
    assert (bad.partition(" (")[0], good) == (reason, "") and f" ({type(error).__name__}, test_plugins.py, line " in bad
    assert registry.broken == {"bad": bad} and "Traceback" in found[0].trace


def test_ctrl_c_is_no_plugins_fault(monkeypatch, load):
    with pytest.raises(KeyboardInterrupt):
        load(plugin(monkeypatch, "slow", register_priors=rising(KeyboardInterrupt())))


def test_a_damaged_distribution_is_known_by_its_entry_point(monkeypatch, load):
    class Damaged:
        @property
        def name(self):
            raise KeyError("Name")

    point = plugin(monkeypatch, "odd", register_priors=lambda register: register(tilt))
    vars(point)["dist"] = Damaged()
    assert [(p.distribution, p.problem) for p in load(point)[1]] == [("odd", "")]
    vars(point)["dist"] = SimpleNamespace(name=None, version=None)
    assert [(p.distribution, p.version) for p in load(point)[1]] == [("odd", "")]


def test_a_thing_without_a_name_is_refused(monkeypatch, load):
    strange = Preset("x", "", "", "", {}, likes=3)  # type: ignore[arg-type]
    wordless = Preset("x", "", "", "", None)  # type: ignore[arg-type]
    _, found = load(
        plugin(monkeypatch, "one", register_priors=lambda register: register(tilt, name=3)),
        plugin(monkeypatch, "three", register_presets=lambda register: register(strange)),
        plugin(monkeypatch, "two", register_presets=lambda register: register(wordless)),
    )
    assert ["name is not text" in p.problem or "whose words are no dict" in p.problem for p in found] == [True] * 3


FAULTS = {"exit": SystemExit(3), "rude": Rude("rude"), "mute": Mute(), "plain": ZeroDivisionError("division by zero")}
SAID = {
    "exit": "SystemExit: 3",
    "rude": "Rude: rude",
    "mute": "Mute, which cannot say",
    "plain": "ZeroDivisionError: division by zero",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["objectives", "priors", "transforms", "drawn", "updates", "canvases", "painted"])
def test_an_ingredient_that_fails_is_named_and_its_plugin(monkeypatch, load, kind, fault):
    from PIL import Image

    from dreamer import api
    from dreamer.engine.canvas import Canvas

    def fail(*given):
        raise FAULTS[fault]

    def bad(image):
        """Bad."""
        return {"drawn": fail, "painted": Canvas((torch.zeros(1, requires_grad=True),), fail)}.get(kind) or fail()

    real = {"drawn": "transforms", "painted": "canvases"}.get(kind, kind)
    registry, _ = load(plugin(monkeypatch, "bad", **{f"register_{real}": lambda register: register(bad)}))
    monkeypatch.setattr("dreamer.api.request.registry", lambda: registry)
    words = {"canvas": {"name": "bad"}} if real == "canvases" else {real: [{"name": "bad"}]}
    with pytest.raises(PluginError, match=rf"bad of the plugin bad failed \({SAID[fault]}.*\); that is its own fault"):
        api.dream(Image.new("RGB", (96, 80), "grey"), octaves={"steps": 1, "count": 1}, **words)


def test_lack_of_memory_and_ctrl_c_inside_a_plugin_stay_what_they_are():
    from dreamer.errors import blamed_on

    for error in (KeyboardInterrupt(), MemoryError(), RuntimeError("CUDA out of memory"), RecipeError("x")):
        with pytest.raises(type(error)) as caught, blamed_on("it"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize("parameters", [(), (torch.zeros(1),), (torch.ones(1, requires_grad=True) * 2,)])
def test_a_canvas_that_no_optimiser_can_move_is_its_plugins_fault(monkeypatch, load, parameters):
    from PIL import Image

    from dreamer import api
    from dreamer.engine.canvas import Canvas

    def still(image):
        """Still."""
        return Canvas(parameters, lambda: image)

    registry, _ = load(plugin(monkeypatch, "bad", register_canvases=lambda register: register(still)))
    monkeypatch.setattr("dreamer.api.request.registry", lambda: registry)
    with pytest.raises(PluginError, match=r"still of the plugin bad: it must give a canvas of one parameter or more"):
        api.dream(Image.new("RGB", (96, 80), "grey"), octaves={"steps": 1, "count": 1}, canvas={"name": "still"})


def test_a_network_that_cannot_be_made_is_its_plugins_fault(monkeypatch, load):
    from dreamer.networks import load_from, untrained

    def net():
        sys.exit("no")

    registry, _ = load(plugin(monkeypatch, "bad", register_networks=lambda register: register(net)))
    for make in (load_from, untrained):
        with pytest.raises(PluginError, match=r"network net of the plugin bad failed \(SystemExit: no\)"):
            make(registry.networks, "net")


def test_one_photo_costs_no_other_when_a_plugin_exits(monkeypatch, load, tmp_path):
    from command import dreamer, photo, refused

    def sometimes(image):
        """Leaves when the picture is wide."""
        if image.shape[-1] > image.shape[-2]:
            sys.exit(0)
        return image.mean()

    registry, _ = load(plugin(monkeypatch, "bad", register_priors=lambda register: register(sometimes)))
    monkeypatch.setattr("dreamer.plugins.loading.load_plugins", lambda: (registry, ()))
    wide, tall = photo(tmp_path / "a.png", 96, 72), photo(tmp_path / "b.png", 72, 96)
    settings = ("--set", "octaves.steps=1", "--set", "priors.sometimes.weight=0.1")
    ran = dreamer("render", wide, tall, *settings, "--progress", "none")
    refused(ran, "prior sometimes of the plugin bad failed (SystemExit: 0)", code=1)
    assert (tmp_path / "b-dream.png").exists() and not (tmp_path / "a-dream.png").exists()


def unmarked(register):
    register(tilt)


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        (unmarked, "the hook register_priors is not marked; write @dreamer.hookimpl before it"),
        (
            dreamer.hookimpl(lambda reg: reg(tilt)),
            "the hook register_priors takes one argument called register, not (reg)",
        ),
    ],
)
def test_a_hook_that_would_be_passed_over_is_told_of(monkeypatch, load, hook, problem):
    point = plugin(monkeypatch, "forgetful")
    sys.modules["forgetful_module"].register_priors = hook
    assert [p.problem for p in load(point)[1]] == [problem]


def test_a_misspelt_hook_is_told_of_with_the_one_that_was_meant(monkeypatch, load):
    (found,) = load(plugin(monkeypatch, "misspelt", register_prior=unmarked))[1]
    assert found.problem == "there is no hook register_prior; did you mean register_priors?"


def test_an_option_of_another_type_is_told_of(monkeypatch, load):
    def many(image, *, axes: list = []):  # noqa: B006
        return image.mean()

    (found,) = load(plugin(monkeypatch, "listed", register_priors=lambda register: register(many)))[1]
    assert "option axes of many is <class 'list'>; an option is int, float, bool, str, Literal" in found.problem


def test_one_name_can_stand_for_many_networks(monkeypatch):
    """`register(family, "shelf:*")`: the family is given what follows, and gives the factory."""
    registry = Registry()

    def family(rest):
        if rest == "broken":
            raise ValueError("no")
        return lambda: replace(tiny_network(), name=f"shelf:{rest}")

    registry.networks.add("shelf:*", "dreamer-shelf", family)
    for name in ("shelf:a.b", "dreamer-shelf:shelf:a.b"):
        entry = registry.networks.get(name)
        assert (entry.name, entry.source, entry.full_name) == ("shelf:a.b", "dreamer-shelf", "dreamer-shelf:shelf:a.b")
        assert load_from(registry.networks, name).name == "shelf:a.b"
    with pytest.raises(PluginError, match="network shelf:broken of the plugin dreamer-shelf failed"):
        load_from(registry.networks, "shelf:broken")
    for name in ("shelf:", "shel", "other:a"):
        with pytest.raises(NetworkError, match="no network is called"):
            load_from(registry.networks, name)
    (entry,) = registry.networks
    assert "stands for many networks" in try_network(entry, partial(load_from, registry.networks)).sentence


def test_a_file_needs_no_other_weights_where_a_factory_has_a_network_without_any(tmp_path):
    class Absent:
        def __call__(self, fetch=False):
            raise NetworkError("its weights are not on this machine")

        def untrained(self):
            return tiny_network()

    registry = Registry()
    registry.networks.add("absent", "dreamer-absent", Absent())
    weights = {key: torch.rand_like(value) for key, value in tiny_network().module.state_dict().items()}
    save_file(weights, tmp_path / "own.safetensors")
    own = load_from(registry.networks, "absent", tmp_path / "own.safetensors").module.state_dict()
    assert all(torch.equal(own[key], value) for key, value in weights.items())
