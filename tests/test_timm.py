"""The plugin dreamer-timm: families of timm with random weights, as a stranger's plugin would be tried."""

import copy
import sys
from functools import cache, partial
from pathlib import Path

import pytest
import torch

import dreamer
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import NetworkError, UsageError
from dreamer.motifs.sample_scene import scene
from dreamer.networks import load_from, untrained
from dreamer.recipes.registry import Registry
from dreamer.testing.checks import try_network

timm = pytest.importorskip("timm")
sys.path.append(str(Path(__file__).parents[1] / "plugins" / "dreamer-timm"))
import dreamer_timm  # noqa: E402

# Of each family timm's own small one for tests, where there is one; and a layer that can be tiled, if any can.
FAMILIES = {
    "test_resnet.r160_in1k": "layer2",
    "test_convnext.r160_in1k": "stages.1",
    "test_efficientnet.r160_in1k": "blocks.0",
    "regnetx_002.pycls_in1k": "s2",
    "mobilenetv2_050.lamb_in1k": "blocks.1",
    "tf_mobilenetv3_small_minimal_100.in1k": "blocks.1",
    "test_vit.r160_in1k": None,
}


@cache
def made(name):
    return dreamer_timm.named(name).untrained()


@pytest.fixture(scope="module")
def shelf():
    registry = Registry()
    dreamer_timm.register_networks(lambda value, name: registry.networks.add(name, "dreamer-timm", value))
    return registry.networks


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch, tmp_path):
    """No weights of this machine's, and nothing from elsewhere."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda place, name: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a: pytest.fail("it connects without being asked"))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_keeps_the_promises_of_a_network_and_says_what_timm_says(name):
    registry = Registry()
    registry.networks.add("one", "dreamer-timm", lambda: made(name))
    finding = try_network(next(iter(registry.networks)), partial(load_from, registry.networks))
    assert finding.ok, finding
    network, cfg = made(name), timm.get_pretrained_cfg(name)
    assert network.name == f"timm:{name}" and network.licence == cfg.license
    assert (network.mean, network.std) == (cfg.mean, cfg.std)
    assert f"huggingface.co/{cfg.hf_hub_id}" in network.source and len(network.labels) == 1000
    assert network.labels[291] == "lion"


@pytest.mark.parametrize(("name", "layer"), FAMILIES.items())
def test_tiles_and_folding_change_nothing(name, layer):
    network = made(name)
    if layer is None:
        with pytest.raises(UsageError, match="cannot be tiled: view looks at the whole picture"):
            dreamer.dream(scene(64, 48), network=network, steps=1, tile=64, octaves={"count": 1})
        return
    image = scene(141, 118).double()
    term = WeightedObjective("square", 1.0, layer, lambda seen, moment: seen.square().mean(1))
    moment = StepContext(image, image, Step(0, 1, 0, 1, 0.0, (1, 1)))

    def gradient(tile):
        how = {"device": torch.device("cpu"), "precision": torch.float64, "tile": tile, "notify": print}
        return Scorer(network, (term,), **how).gradient(image, moment)[1]

    whole = gradient(0)
    assert (gradient(48) - whole).abs().max() < 1e-9 * whole.abs().max()
    plain = image.clone().requires_grad_()
    module = copy.deepcopy(network.module).double()
    module.get_submodule(layer).register_forward_hook(lambda *seen: kept.append(seen[2]))
    kept = []
    module((plain - plain.new_tensor(network.mean)[:, None, None]) / plain.new_tensor(network.std)[:, None, None])
    (own,) = torch.autograd.grad(kept[0].square().mean(), plain)
    assert (whole - own).abs().max() < 1e-6 * own.abs().max()


def test_same_padding_is_timms_own_where_sides_are_even():
    network, own = made("tf_mobilenetv3_small_minimal_100.in1k"), timm.layers.Conv2dSame(3, 4, 3, 2)
    ours = copy.deepcopy(own)
    ours.__class__ = dreamer_timm.EvenConv2d
    image = torch.rand(1, 3, 32, 48)
    torch.testing.assert_close(ours(image), own(image))
    assert not any(isinstance(part, timm.layers.Conv2dSame) for part in network.module.modules())


def test_a_transformer_takes_pictures_of_any_size(shelf):
    network = untrained(shelf, "timm:test_vit.r160_in1k")
    assert network.layer(network.default_layer).side == 0
    assert network.sizes(70, 100, [network.default_layer]) == {network.default_layer: (5, 7)}


def test_weights_come_only_when_asked_for_by_name(shelf, monkeypatch, tmp_path):
    import huggingface_hub
    from safetensors.torch import save_file

    name = "timm:test_resnet.r160_in1k"
    with pytest.raises(NetworkError, match=rf"not on this machine: run `dreamer networks fetch {name}`"):
        load_from(shelf, name)
    torch.manual_seed(1)
    weights = {key: torch.rand_like(value.float()) for key, value in timm.create_model(name[5:]).state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda place, file: str(tmp_path / file))
    for network in (load_from(shelf, name, fetch=True), load_from(shelf, name, tmp_path / "model.safetensors")):
        own = network.module.state_dict()
        assert torch.equal(own["conv1.0.weight"], weights["conv1.0.weight"]) and len(network.weights) == 64


def test_why_weights_cannot_be_had_is_a_sentence(shelf, monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    def failing(error):
        def download(place, file):
            raise error

        return download

    name = "timm:test_resnet.r160_in1k"
    for error, words in (
        (LocalEntryNotFoundError("no connection\nand much more"), r"could not be downloaded \(no connection\)"),
        (OSError("disk full"), r"could not be downloaded \(disk full\)"),
        (EntryNotFoundError("404"), "has its weights as a pickle alone"),
    ):
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", failing(error))
        with pytest.raises(NetworkError, match=words):
            load_from(shelf, name, fetch=True)


def test_unknown_names_lead_to_known_ones(shelf):
    with pytest.raises(NetworkError, match=r"no network called convnext_tinny; did you mean convnext_tiny"):
        load_from(shelf, "timm:convnext_tinny")
    with pytest.raises(NetworkError, match=r"convnext_tiny\.fb_in2k; did you mean convnext_tiny\.fb_in22k"):
        load_from(shelf, "timm:convnext_tiny.fb_in2k")
