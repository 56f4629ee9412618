"""`dreamer networks`, `presets` and `plugins`: what there is, and fetching weights."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from command import dreamer, left_in, photo, refused, render

from dreamer import NetworkError, load_network
from dreamer.cli import tables
from dreamer.networks import torchvision as classic
from dreamer.plugins.loading import Plugin, load_plugins
from dreamer.recipes.preset import Preset, read_preset

NAME = "squeezenet1_1"


def _published(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """torchvision's weights of every network come from `url`, by torchvision's own way."""
    from torchvision.models import SqueezeNet1_1_Weights, WeightsEnum
    from torchvision.models._api import Weights

    first = SqueezeNet1_1_Weights.IMAGENET1K_V1
    weights = Weights(url=url, transforms=first.transforms, meta={"_file_size": 4.7})
    fetch = SimpleNamespace(url=url, meta=weights.meta)
    fetch.get_state_dict = lambda **options: WeightsEnum.get_state_dict(fetch, **options)
    monkeypatch.setattr(classic.Classic, "_published", lambda self: fetch)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder with the weights of a network, named by their hash as torchvision names them."""
    network = next(c for c in classic.classics() if c.name == NAME).untrained()
    file = tmp_path / "weights.pth"
    torch.save(network.module.state_dict(), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return file.rename(tmp_path / f"{NAME}-{digest[:8]}.pth")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder for weights, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_weights_are_fetched_once_and_dreamt_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path
) -> None:
    _published(monkeypatch, server.as_uri())
    source = photo(tmp_path / "a.png")
    assert dreamer("networks", "list").out.splitlines()[1].split("\t")[1] == "to download, 5 MB"
    ran = dreamer("networks", "fetch", NAME)
    assert ran.code == 0 and ran.out == f"{NAME} is ready: dreamer render PHOTO --network {NAME}\n"
    assert left_in(cache) == [server.name]
    server.unlink()
    assert dreamer("networks", "fetch", NAME).code == 0
    assert "ready" in dreamer("networks", "list").out.splitlines()[1]
    assert render(source, "--network", NAME).code == 0


def test_render_fetches_the_network_that_was_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path
) -> None:
    _published(monkeypatch, server.as_uri())
    ran = render(photo(tmp_path / "a.png"), "--network", NAME, "--progress", "json")
    assert ran.code == 0 and ran.events[-1]["event"] == "done"
    assert left_in(cache) == [server.name]


@pytest.mark.parametrize("command", ["exemplars", "atlas"])
def test_a_folder_is_searched_with_the_network_that_was_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path, command: str
) -> None:
    _published(monkeypatch, server.as_uri())
    folder = tmp_path / "pictures"
    folder.mkdir()
    photo(folder / "a.png")
    words = {
        "exemplars": (folder, "--channel", "0", "-o", tmp_path / "sheet.png"),
        "atlas": ("--exemplars", folder, "--channels", "0", "--size", "32", "-o", tmp_path / "page.html"),
    }
    ran = dreamer(command, *words[command], "--network", NAME, "--steps", "1")
    assert ran.code == 0, ran.err
    assert left_in(cache) == [server.name]


def test_nothing_is_fetched_for_a_command_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path
) -> None:
    _published(monkeypatch, server.as_uri())
    ran = dreamer("exemplars", tmp_path / "none", "--channel", "0", "-o", tmp_path / "sheet.png", "--network", NAME)
    refused(ran, "there is no such folder")
    assert left_in(cache) == []


def test_weights_with_a_wrong_hash_are_refused(monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path) -> None:
    wrong = server.rename(server.with_name(f"{NAME}-00000000.pth"))
    _published(monkeypatch, wrong.as_uri())
    ran = dreamer("networks", "fetch", NAME)
    refused(_last(ran), f"{NAME}'s weights could not be downloaded (invalid hash value", "--weights FILE")
    assert left_in(cache) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "file:///nowhere/", "http://no.such.host.invalid/", "nothing:"])
def test_weights_that_cannot_be_reached_say_where_to_get_them(
    monkeypatch: pytest.MonkeyPatch, cache: Path, url: str
) -> None:
    _published(monkeypatch, f"{url}{NAME}-12345678.pth")
    ran = dreamer("networks", "fetch", NAME)
    refused(_last(ran), "could not be downloaded", f"get {url}{NAME}-12345678.pth on a machine that can")
    assert left_in(cache) == []


@pytest.mark.parametrize("here", [False, True])
def test_a_network_that_cannot_be_had_names_the_one_that_needs_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, here: bool
) -> None:
    _published(monkeypatch, f"file:///nowhere/{NAME}-12345678.pth")
    monkeypatch.setattr(classic, "find_spec", lambda name: name if here and name == "dreamer_menagerie" else None)
    way = "is installed" if here else "`dreamer plugins install ./plugins/dreamer-menagerie` in a checkout"
    instead = "or dream with efficientnet-lite0", way
    refused(_last(render(photo(tmp_path / "a.png"), "--network", NAME)), "could not be downloaded", *instead)
    with pytest.raises(NetworkError, match=" are not on this machine") as absent:
        load_network(NAME)
    assert all(words in str(absent.value) for words in instead)


def test_a_failed_download_spares_what_another_process_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path
) -> None:
    _published(monkeypatch, server.as_uri())

    def broken(*_: object, **__: object) -> None:
        (cache / server.name).write_bytes(server.read_bytes())  # as another process does meanwhile
        raise ConnectionResetError("the connection was reset")

    monkeypatch.setattr("torch.hub.urlopen", broken)
    refused(_last(dreamer("networks", "fetch", NAME)), "could not be downloaded (the connection was reset)")
    assert left_in(cache) == [server.name]
    assert dreamer("networks", "fetch", NAME).code == 0


def test_an_interrupted_download_leaves_nothing(monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path) -> None:
    _published(monkeypatch, server.as_uri())

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("torch.hub.urlopen", stopped)
    assert dreamer("networks", "fetch", NAME).code == 130
    assert left_in(cache) == []


def test_own_weights_that_are_damaged_bring_the_way_out(
    monkeypatch: pytest.MonkeyPatch, server: Path, cache: Path
) -> None:
    _published(monkeypatch, server.as_uri())
    (cache / server.name).write_bytes(server.read_bytes()[:1000])
    refused(dreamer("networks", "fetch", NAME), "not a weights file", f"delete it, and `dreamer networks fetch {NAME}`")


def _last(ran: object) -> object:
    """Without the line in which torch says what it downloads."""
    ran.__dict__["err"] = "".join(line for line in ran.err.splitlines(True) if not line.startswith("Downloading"))
    return ran


def test_fetch_says_for_which_networks_there_is_nothing_to_fetch() -> None:
    assert dreamer("networks", "fetch", "reverie").code == 0
    refused(dreamer("networks", "fetch", "maxvit_t"), "pictures of one size only")
    refused(dreamer("networks", "fetch", "squeezenet"), "did you mean squeezenet1_")


def test_networks_show_and_layers_tell_all_of_reverie() -> None:
    shown = dreamer("networks", "show", "reverie").out
    for part in (
        "licence",
        "MIT",
        "default layer",
        "m4b (272 channels)",
        "49 of its labels, at m4a",
        "objectives.motif.layer",
        "labels",
    ):
        assert part in shown
    assert "{" not in shown  # Python's own notation is nobody's
    rows = [line.split("\t") for line in dreamer("networks", "layers", "reverie").out.splitlines()]
    assert ["m4b", "272", "8"] == next(row[:3] for row in rows if row[-1] == "default")
    assert dreamer("networks", "layers", NAME).code == 0  # without its weights
    refused(dreamer("networks", "layers", "vgg"), "no network is called 'vgg'; did you mean vgg")


def test_presets_list_and_show_tell_of_broken_presets_and_absent_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = load_plugins()[0]
    (tmp_path / "torn.toml").write_text("schema = ")
    registry.presets.add("torn", "dreamer-torn", partial(read_preset, tmp_path / "torn.toml"))
    made = Preset("made", "Made", "", "me", {"seed": 3})
    registry.presets.add("made", "dreamer-made", lambda: made)
    monkeypatch.setattr("dreamer.plugins.loading.load_presets", lambda: (registry, ()))
    ran = dreamer("presets", "list")
    rows = {line.split("\t")[0]: line for line in ran.out.splitlines()}
    assert ran.code == 0 and rows["made"] == "made\treverie\t\tdreamer-made\tMade"
    assert "broken: " in rows["torn"]
    assert dreamer("presets", "show", "made").out == (
        'schema = 1\ntitle = "Made"\ndescription = ""\nauthor = "me"\nlikes = ""\nseed = 3\n'
    )
    wants = {"extends": "bloom", "requires": ("dreamer-absent",)}
    needy = Preset("needy", "", "", "", {"size": None, "seed": 3}, **wants)
    registry.presets.add("needy", "dreamer-made", lambda: needy)
    monkeypatch.setattr("dreamer.recipes.recipe.SCHEMA", 2)
    assert dreamer("presets", "show", "needy").out == (
        'schema = 2\ntitle = ""\ndescription = ""\nauthor = ""\nlikes = ""\nextends = "bloom"\n'
        'requires = [\n    "dreamer-absent",\n]\nseed = 3\n'
    )
    (tmp_path / "own.toml").write_text("schema = 1\n# mine\nseed = 4\n")
    assert dreamer("presets", "show", tmp_path / "own.toml").out == "schema = 1\n# mine\nseed = 4\n"
    refused(dreamer("presets", "show", "mad"), "no preset is called 'mad'; did you mean made?")
    refused(dreamer("presets", "show", "torn"), "torn.toml: not a readable preset")


def test_every_built_in_preset_is_listed() -> None:
    names = {line.split("\t")[0] for line in dreamer("presets", "list").out.splitlines()}
    folder = Path(__file__).parents[1] / "presets"
    assert names == {path.stem for path in folder.glob("*.toml")}


def test_plugins_list_tells_what_each_registers_and_what_ails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dreamer("plugins", "list").out == "no plugins are installed\n"
    found = (
        Plugin("a", "dreamer-a", "1.0", ("prior tilt", "preset sea")),
        Plugin("b", "dreamer-b", "2.0", problem="no module named b"),
    )
    monkeypatch.setattr("dreamer.plugins.loading.load_plugins", lambda: (None, found))
    assert dreamer("plugins", "list").out == (
        "dreamer-a\t1.0\tprior tilt, preset sea\tok\ndreamer-b\t2.0\t\tbroken: no module named b\n"
    )


def test_tables_are_aligned_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("reverie", 1), ("vgg", 22)]
    tables.table(("network", "n"), rows)
    assert capsys.readouterr().out == "reverie\t1\nvgg\t22\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    tables.table(("network", "n"), rows)
    assert capsys.readouterr().out == "NETWORK  N\nreverie  1\nvgg      22\n"
