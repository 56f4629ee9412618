"""What a plugin author is told: every promise, broken on purpose, is noticed, and what keeps them all passes."""

import os
import random
import sys
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest
import torch
from command import ENVIRONMENT, refused
from command import dreamer as command
from forked import run

from dreamer import Canvas, Range, hookimpl
from dreamer.errors import NetworkError, RecipeError, UsageError
from dreamer.recipes.preset import Preset
from dreamer.testing import assert_plugin_ok, examine, photo, tiny_network


def brings(**things):
    """A plugin module whose hooks register these, as in `priors=function` or `presets=preset`."""
    module = ModuleType("dreamer_try")
    for kind, thing in things.items():
        hook = hookimpl(lambda register, thing=thing: register(thing))
        setattr(module, f"register_{kind}", hook)
    return module


def findings(**things):
    """What is found of them, without what is said of the plugin as a whole."""
    plugin, *rest = examine(brings(**things))
    assert plugin.ok, plugin
    return rest


def undocumented(image):
    return image.mean()


def channels_left(features):
    """A map for each channel."""
    return features.square()


def one_for_each(image):
    """A number for each picture."""
    return image.square().mean((1, 2, 3))


def plain_number(image):
    """A number of Python's."""
    return float(image.mean())


def no_batch(image):
    """The picture without its first dimension."""
    return image[0]


def cut(gradient):
    """One column less."""
    return gradient[..., 1:]


def finer(image):
    """The picture in another type."""
    return image.double()


def first_alone(features):
    """The first picture's features."""
    return features[0].square().mean(0)[None]


def nan(image):
    """Not a number."""
    return image * float("nan")


def distance(image, *, photo):
    """A root whose slope at zero is infinite."""
    return (image - photo).square().mean().sqrt()


def cut_off(image):
    """The mean, cut off."""
    return image.detach().mean()


def cut_off_picture(image):
    """The picture, cut off."""
    return image.detach().clone()


def stepped(features):
    """Nothing but steps."""
    return features.round().mean(1)


def overwritten_features(features):
    """Twice the features, in their own place."""
    return features.mul_(2).mean(1)


def overwritten_picture(image):
    """A darker picture, in its own place."""
    return image.mul_(0.9)


def overwritten_photo(image, *, photo):
    """The picture; the photo gets darker."""
    photo.mul_(0.5)
    return image


def relative(features):
    """Features beside the strongest of the whole picture."""
    return (features / (1 + features.amax())).mean(1)


def dice(image):
    """A factor from Python's dice."""
    return image * random.random()


def drawing_late(image):
    """Draws when it is applied."""
    return lambda picture: picture * torch.rand(())


def colours_alone(image):
    """Swaps red and green, and knows no masks."""
    return lambda picture: torch.stack((picture[:, 1], picture[:, 0], picture[:, 2]), 1)


def growing(image, *, seen=[]):  # noqa: B006 - what it is here for
    """More at every call."""
    seen.append(1)
    return image * (1 - 0.01 * len(seen))


def something_of_nothing(gradient):
    """A little more of everything."""
    return gradient + 1e-3


def unsafe(gradient):
    """Divided by its own strength, whatever that is."""
    return gradient / gradient.norm()


def too_bright(image):
    """A brighter picture."""
    return image + 1


def divided(image, *, pixels: Annotated[int, Range(0, 9)] = 3):
    """The mean divided by pixels."""
    return image.mean() / pixels


def fails(image, *, pixels: Annotated[int, Range(0, 9)] = 3):
    """The mean divided by a share of pixels."""
    return image.mean() * (1 / pixels)


def refuses(image, *, pixels: Annotated[int, Range(0, 9)] = 3):
    """The mean, for some."""
    if pixels > 5:
        raise RecipeError("five at most")
    return image.mean() * 1


def outside(image, *, pixels: Annotated[int, Range(1, 9)] = 0):
    """The mean, with a default outside of the range."""
    return image.mean() + pixels


def worded(image, *, pixels: int = "5"):
    """The mean, with a default that is a text."""
    return image.mean() * int(pixels)


def loose(image, power=2.0):
    """An option that no recipe can set."""
    return image.mean() * power


def lonely(image, *, guide):
    """What only objectives are given."""
    return image.mean() * 1


def float32_alone(features):
    """A sum with weights of one type."""
    return torch.einsum("bchw,c->bhw", features, torch.ones(features.shape[1]))


def grain(image):
    """Grain that is drawn on the CPU."""
    return image * torch.rand(3, 1, 1)


def edges(image):
    """The edges, by a kernel of the CPU's."""
    return torch.nn.functional.conv2d(image, torch.ones(1, 3, 3, 3) / 9 - 0.1).square().mean()


def shaded(image):
    """A canvas with a shade of the CPU's."""
    values, shade = image.logit(1e-3).requires_grad_(), torch.linspace(0, 1, image.shape[-1])
    return Canvas((values,), lambda: (values + shade).sigmoid())


def at_home(image):
    """Grain that is drawn where the picture is, for rows that are chosen on the CPU."""
    rows = torch.randperm(image.shape[-2])
    return image[..., rows, :] * torch.rand(3, 1, 1, device=image.device) * torch.rand(())


BROKEN = [
    ("transforms", grain, "makes a tensor on the CPU and so fails on a graphics card, at mul; make it where its image"),
    ("priors", edges, "makes a tensor on the CPU and so fails on a graphics card, at conv2d"),
    ("canvases", shaded, "makes a tensor on the CPU and so fails on a graphics card, at add"),
    ("priors", undocumented, "no docstring"),
    (
        "objectives",
        channels_left,
        "of shape (1, 16, 18, 24); expected a score map (B, h, w) without channels, (1, 18, 24)",
    ),
    ("objectives", first_alone, "of shape (1, 18, 24); expected a score map (B, h, w) without channels, (2, 18, 24)"),
    ("priors", one_for_each, "of shape (1,); expected one number"),
    ("priors", plain_number, "returns a float, not a tensor"),
    ("transforms", no_batch, "expected an image (1, 3, H, W) of any size"),
    ("gradient_filters", cut, "of shape (1, 3, 72, 95) for (1, 3, 72, 96); keep the shape"),
    ("updates", finer, "returns torch.float64 for torch.float32"),
    ("updates", nan, "returns NaN or Inf"),
    ("priors", divided, "returns NaN or Inf with pixels = 0"),
    ("priors", distance, "its gradient has NaN or Inf on a black picture that is the photo itself"),
    ("priors", cut_off, "cannot be differentiated: no gradient reaches its image"),
    ("transforms", cut_off_picture, "cannot be differentiated: no gradient reaches its image"),
    ("objectives", stepped, "its gradient is zero everywhere"),
    ("objectives", overwritten_features, "changes its features in place"),
    ("transforms", overwritten_picture, "changes its image in place"),
    ("updates", overwritten_photo, "changes photo in place"),
    ("objectives", relative, "is not exact in tiles"),
    ("transforms", dice, "returns another result under the same seed"),
    ("transforms", drawing_late, "draws random numbers when it is applied; draw random numbers before"),
    ("transforms", colours_alone, "its function fails (IndexError"),
    ("gradient_filters", something_of_nothing, "changes a zero gradient"),
    ("updates", too_bright, "leaves the range 0 to 1 (1 to 2)"),
    ("priors", fails, "fails with pixels = 0: ZeroDivisionError: division by zero"),
    ("priors", refuses, "refuses to work with pixels = 9: five at most"),
    ("priors", outside, "the default of pixels is not allowed: 0 is not a whole number from 1 to 9"),
    ("priors", worded, "the default of pixels is not a whole number"),
    ("priors", loose, "no recipe can set power: put options after a bare *"),
    ("priors", lonely, "takes guide, which only objectives get"),
    ("objectives", float32_alone, "works only with float32"),
]


@pytest.mark.parametrize(("kind", "function", "words"), BROKEN, ids=lambda case: getattr(case, "__name__", None))
def test_one_broken_promise_is_told_in_one_sentence(kind, function, words):
    (finding,) = findings(**{kind: function})
    assert finding.verdict == "broken" and finding.name == function.__name__
    assert words in finding.sentence


def test_what_is_made_where_it_is_needed_is_right():
    (finding,) = findings(transforms=at_home)
    assert finding.ok, finding


def test_a_filter_that_divides_by_nothing_is_told_of_zero():
    told = [finding.sentence for finding in findings(gradient_filters=unsafe)]
    assert any("changes a zero gradient" in sentence for sentence in told)
    assert any("returns NaN or Inf on a gradient as faint as 1e-20" in sentence for sentence in told)


def test_a_function_with_a_memory_is_no_option_either():
    module = brings(updates=growing)
    assert not examine(module)[0].ok  # `seen` has no annotation: it cannot even be loaded
    growing.__annotations__["seen"] = str
    try:
        told = [finding.sentence for finding in examine(module)]
    finally:
        del growing.__annotations__["seen"]
    assert any("returns another result under the same seed" in sentence for sentence in told)


def test_a_name_that_no_recipe_can_spell_is_told_of():
    module = ModuleType("dreamer_try")
    module.register_updates = hookimpl(lambda register: register(lambda image: image, "a.b"))
    told = [finding.sentence for finding in examine(module) if not finding.ok]
    assert any("cannot be written in --set" in sentence for sentence in told)


def test_every_sentence_comes_in_the_assertion():
    with pytest.raises(AssertionError) as caught:
        assert_plugin_ok(brings(priors=undocumented, transforms=dice))
    assert "prior undocumented: has no docstring" in str(caught.value)
    assert "transform dice: returns another result" in str(caught.value)


def test_an_objective_that_looks_at_the_whole_picture_is_told_not_failed():
    def whole(features):
        """The strength of the whole picture."""
        return features.square().mean((1, 2, 3))[:, None, None]

    (finding,) = findings(objectives=whole)
    assert finding.ok and "scores the whole picture at once" in finding.sentence


def test_an_ingredient_that_needs_another_network_is_not_tried():
    def picky(features, *, network):
        """What only one network has."""
        raise RecipeError(f"{network.name} has no horns")

    (finding,) = findings(objectives=picky)
    assert finding.verdict == "not tried" and "tiny has no horns" in finding.sentence
    assert_plugin_ok(brings(objectives=picky))


def test_all_that_may_be_asked_for_is_given():
    def curious(features, *, photo, image, guide, step, network, layer):
        """All that there is."""
        assert photo.shape == image.shape and guide.shape[1] == features.shape[1]
        assert step.count and network.layer(layer).channels == features.shape[1]
        return features.square().mean(1)

    (finding,) = findings(objectives=curious)
    assert finding.ok, finding


def small(weights=None):
    return tiny_network()


def absent(fetch=False):
    raise NetworkError("its weights are not on this machine")


def hasty():
    urllib.request.urlopen("http://weights.invalid/")


def nothing():
    return torch.nn.ReLU()


def elsewhere():
    from dataclasses import replace

    return replace(tiny_network(), default_layer="nine")


@pytest.mark.parametrize(
    ("factory", "verdict", "words"),
    [
        (small, "ok", "its default layer two works and has 16 channels"),
        (absent, "not tried", "its weights are not on this machine"),
        (hasty, "not tried", "it tried to download its weights"),
        (nothing, "broken", "its factory returns a ReLU, not a dreamer.Network"),
        (elsewhere, "broken", "its default layer 'nine' does not exist"),
    ],
)
def test_a_network_is_tried_at_its_default_layer(factory, verdict, words):
    (finding,) = findings(networks=factory)
    assert finding.verdict == verdict and words in finding.sentence


TITLED = {"name": "look", "title": "Look", "description": "A look", "author": "me"}
MIRROR = {"priors": [{"name": "mirror"}]}


def mirror(image):
    """Unlikeness of the picture to its mirror image."""
    return (image - image.flip(-1)).square().mean()


@pytest.mark.parametrize(
    ("about", "verdict", "words"),
    [
        ({"words": {}}, "ok", "dreams with reverie"),
        ({"words": MIRROR, "requires": ("dreamer-try",)}, "ok", "dreams with reverie"),
        ({"words": {}, "title": ""}, "broken", "has no title"),
        ({"words": {}, "title": " ", "description": ""}, "broken", "has no title and no description"),
        ({"words": {"colours": 1}}, "broken", "colours: unknown key; did you mean colour?"),
        ({"words": {"priors": [{"name": "miror"}]}}, "broken", "did you mean mirror?"),
        ({"words": {"network": "revery"}}, "broken", "did you mean reverie?"),
        ({"words": {"network": "vgg16"}}, "not tried", "its network is not available"),
        ({"words": {"network": "vgg16", "octaves": {"stepz": 1}}}, "broken", "octaves.stepz: unknown key"),
        ({"words": {}, "requires": ("dreamer-absent",)}, "not tried", "needs the plugin dreamer-absent"),
        ({"words": MIRROR}, "broken", 'needs dreamer_try; add requires = ["dreamer_try"]'),
        ({"words": {"objectives": [{"name": "guided", "layer": "m3b"}]}}, "ok", "dreams with reverie"),
        ({"words": {"octaves": {"steps": 3, "step_size": 0}}}, "broken", "changes nothing"),
    ],
)
def test_a_preset_is_tried_and_told_of_what_it_lacks(about, verdict, words):
    prior, preset = findings(priors=mirror, presets=Preset(**{**TITLED, **about}))
    assert prior.ok
    assert preset.verdict == verdict and words in preset.sentence


def test_a_preset_is_told_of_all_its_mistakes_at_once():
    wrong = {"networks": "reverie", "strenght": 1, "octaves": {"step": 3, "steps": "a"}}
    (preset,) = findings(presets=Preset(**{**TITLED, "description": "", "words": wrong}))
    for word in ("has no description", "networks: unknown key", "strenght: unknown key", "octaves.step: ", ".steps: "):
        assert word in preset.sentence
    (preset,) = findings(presets=Preset(**{**TITLED, "title": "", "words": {}, "requires": ("dreamer-absent",)}))
    assert preset.verdict == "broken" and "has no title" in preset.sentence and "dreamer-absent" in preset.sentence


GOOD = '''
from dreamer import hookimpl

def tilt(image, *, power: float = 2.0):
    """Unlikeness of the picture to its mirror image."""
    return (image - image.flip(-1)).abs().pow(power).mean()

@hookimpl
def register_priors(register):
    register(tilt)
'''
BAD = GOOD.replace('    """Unlikeness of the picture to its mirror image."""\n', "")
LOOK = 'schema = 1\ntitle = "Leaning"\ndescription = "It leans"\n[octaves]\nsteps = 5\n'


def project(folder, source=GOOD, *, src=False, requires="dreamer-art", entries=None):
    """A plugin's project that is not installed: distribution dreamer-lean, module dreamer_lean."""
    module = folder / ("src" if src else "") / "dreamer_lean"
    (module / "looks").mkdir(parents=True)
    (module / "__init__.py").write_text(source)
    (module / "looks" / "leaning.toml").write_text(LOOK)
    entries = entries or '[project.entry-points.dreamer]\nlean = "dreamer_lean"\n'
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "dreamer-lean"\nversion = "1.5"\ndependencies = ["{requires}"]\n{entries}'
    )
    return folder


def installed(folder, source=GOOD, name="dreamer-lean", module="dreamer_lean"):
    """The same, in a folder like site-packages."""
    (folder / f"{module}.py").write_text(source)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: dreamer-art\n")
    (about / "entry_points.txt").write_text(f"[dreamer]\nlean = {module}\n")


def told(plugin):
    return [f"{finding.verdict}: {finding}" for finding in examine(plugin)]


@pytest.mark.parametrize("src", [False, True])
def test_a_projects_folder_is_tried_without_being_installed(tmp_path, src):
    path, modules, finders = list(sys.path), set(sys.modules), list(sys.meta_path)
    before = sorted(tmp_path.rglob("*"))
    assert told(project(tmp_path, src=src)) == [
        "ok: plugin lean: adds prior tilt",
        "ok: prior tilt: keeps every promise in 4 tests",
    ]
    assert sys.path == path and sys.meta_path == finders and os.environ["DREAMER_PLUGINS"] == ""
    assert not [name for name in set(sys.modules) - modules if "lean" in name]
    assert not [found for found in set(tmp_path.rglob("*")) - set(before) if "__pycache__" in found.name]


def test_a_pack_of_presets_alone_is_tried_without_importing_it(tmp_path):
    pack = '[project.entry-points."dreamer.presets"]\nlean = "dreamer_lean.looks"\n'
    folder = project(tmp_path, "raise RuntimeError('a pack is never imported')", entries=pack)
    assert told(folder) == ["ok: plugin lean: adds preset leaning", "ok: preset leaning: dreams with reverie"]


def test_a_plugin_that_cannot_be_loaded_says_why(tmp_path):
    assert told(project(tmp_path / "a", "import no_such_module"))[0].startswith("broken: plugin lean: cannot be loaded")
    assert "is not marked; write @dreamer.hookimpl" in told(project(tmp_path / "b", GOOD.replace("@hookimpl", "")))[0]


def test_a_plugin_that_requires_another_dreamer_is_told_so(tmp_path):
    assert told(project(tmp_path, requires="dreamer"))[1] == (
        "broken: plugin dreamer-lean: does not require dreamer-art in its metadata; `dreamer` is another project"
    )


def test_what_a_plugin_requires_is_read_as_installers_read_it(tmp_path):
    wanted = "Dreamer.Art[heif]>=0.1; python_version >= '3.11'"
    assert not [sentence for sentence in told(project(tmp_path / "a", requires=wanted)) if "require" in sentence]
    found = told(project(tmp_path / "b", requires="dreamer-art 0.1"))
    assert "broken: plugin dreamer-lean: requires 'dreamer-art 0.1', which is not a valid requirement" in found


def test_an_installed_plugin_is_tried_by_either_name_whatever_is_chosen(tmp_path, monkeypatch):
    installed(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("dreamer-lean", "Dreamer_Lean", "lean"):
        assert told(name)[1].startswith("ok: prior tilt")
    with pytest.raises(UsageError, match=r"no plugin called dreamer-laen is installed; did you mean dreamer-lean"):
        examine("dreamer-laen")
    assert os.environ["DREAMER_PLUGINS"] == ""
    monkeypatch.delitem(sys.modules, "dreamer_lean")


def test_a_folder_is_tried_even_where_another_version_is_installed(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    installed(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert all(sentence.startswith("ok") for sentence in told("dreamer-lean"))
    before = sys.modules["dreamer_lean"]
    found = told(project(tmp_path / "project", BAD, requires="dreamer"))
    assert any("no docstring" in sentence for sentence in found)
    assert any("does not require dreamer-art" in sentence for sentence in found)
    assert sys.modules["dreamer_lean"] is before
    monkeypatch.delitem(sys.modules, "dreamer_lean")


def test_a_name_that_two_plugins_share_must_be_said_in_full(tmp_path, monkeypatch):
    installed(tmp_path)
    installed(tmp_path, name="dreamer-slope", module="dreamer_slope")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="use dreamer-lean or dreamer-slope"):
        examine("lean")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "it has no pyproject.toml"),
        ("[project", "cannot be read"),
        ("[tool.ruff]", "expected a [project] table with a name"),
        ('[project]\nname = "x"', "it declares no plugin"),
        ('[project]\nname = "x"\n[project.entry-points]\ndreamer = "dreamer_hello"', "below it a line as in hello ="),
        ('[project]\nname = "x"\n[project.entry-points.dreamer.presets]\na = "b"', '."dreamer.presets"], and below it'),
    ],
)
def test_a_folder_without_a_plugin_says_what_it_lacks(tmp_path, text, words):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        examine(tmp_path)
    assert words in str(caught.value)


def test_a_folder_is_told_of_however_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "bk").mkdir()
    monkeypatch.chdir(tmp_path)
    refused(
        command("plugins", "check", "./bk"), "bk: this folder is not a plugin: it has no pyproject.toml; name another"
    )
    refused(command("plugins", "check", "./none"), "none: there is no such folder")
    refused(command("plugins", "check", "bk"), "no plugin called bk is installed, and the folder bk has no pyproject")


def test_the_tiny_network_is_small_the_same_each_time_and_worth_tiling():
    before = torch.get_rng_state()
    one, two = tiny_network(), tiny_network()
    assert torch.equal(torch.get_rng_state(), before)
    weights = one.module.state_dict()
    assert all(torch.equal(value, two.module.state_dict()[key]) for key, value in weights.items())
    assert sum(value.numel() * value.element_size() for value in weights.values()) < 100_000
    layer = one.layer(one.default_layer)
    assert layer.rows.stride == 4 and layer.rows.size > 8
    assert photo().size == (96, 72) and photo(31, 17).size == (31, 17)
    assert photo().tobytes() == photo().tobytes()


def test_nothing_of_it_needs_pytest():
    code = "import sys; assert 'pytest' not in sys.modules; sys.modules['pytest'] = None\n"
    code += "import dreamer.testing as t; print(hasattr(t, 'dreamer_photo'))"
    found = run([sys.executable, "-c", code], env=ENVIRONMENT)
    assert found.stdout == "False\n"


def test_it_is_no_plugin_of_pytest_by_itself():
    from importlib.metadata import distribution

    assert not [entry for entry in distribution("dreamer-art").entry_points if entry.group == "pytest11"]
    assert Path(__file__).with_name("conftest.py").read_text().count("dreamer.testing") == 0
