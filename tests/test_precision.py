"""`--precision auto`: bfloat16 where it pays, and where the network's gradients stay what they are."""

from functools import partial

import pytest
import torch
from networks import tiny
from torch import nn

import dreamer
from dreamer.engine import precision
from dreamer.engine.device import Machine
from dreamer.engine.precision import bfloat16_suffices
from dreamer.motifs.sample_scene import scene
from dreamer.networks import reverie
from dreamer.networks.blur_pool import blur_pool
from dreamer.networks.network import Network
from dreamer.networks.prepare import bfloat16_pays
from dreamer.pipeline import session
from dreamer.pipeline.build import build
from dreamer.plugins.loading import load_plugins

CPU = torch.device("cpu")


class Cancelling(nn.Sequential):
    """Features that are the difference of two that are nearly the same: of it eight bits of mantissa leave little."""

    def forward(self, image):
        return super().forward(image) + 100 - 100


def fragile():
    module = nn.Sequential(Cancelling(nn.Conv2d(3, 8, 3)))
    return Network("fragile", module, (0.5,) * 3, (0.25,) * 3, "none", "random", "0")


@pytest.mark.parametrize(("network", "layer", "enough"), [(reverie, "m4a", True), (fragile, "0", False)])
def test_bfloat16_suffices_where_the_gradients_are_alike(network, layer, enough):
    torch.manual_seed(0)
    assert bfloat16_suffices(partial(network().prepared, [layer], CPU), [layer], CPU) is enough


def test_a_network_that_needs_a_larger_picture_is_tried_on_one(monkeypatch):
    monkeypatch.setattr(precision, "_SIDE", 8)
    assert bfloat16_suffices(partial(reverie().prepared, ["m4a"], CPU), ["m4a"], CPU)


def planned(monkeypatch, pays=True, suffices=True, size=600, network=None, machine=None, **words):
    """The precision that is planned for a picture of that size."""
    monkeypatch.setattr(session, "bfloat16_pays", lambda device: pays)
    monkeypatch.setattr(session, "bfloat16_suffices", lambda *asked: suffices)
    registry, _ = load_plugins()
    made = build(words, registry, network=network or tiny(), machine=machine or Machine("cpu", tile=0))
    return made.plan(size, size).machine.precision


def test_it_is_planned_where_it_pays_and_suffices_for_large_dreams(monkeypatch):
    assert planned(monkeypatch) == "bfloat16"
    assert planned(monkeypatch, pays=False) == planned(monkeypatch, suffices=False) == "float32"
    assert planned(monkeypatch, size=300) == "float32"
    assert planned(monkeypatch, init="canvas", canvas={"name": "fourier"}) == "float32"
    assert planned(monkeypatch, suffices=False, machine=Machine("cpu", "bfloat16", 0)) == "bfloat16"
    assert planned(monkeypatch, machine=Machine("cpu", "float32", 0)) == "float32"


def test_what_auto_chooses_gives_the_same_bytes_by_name(monkeypatch):
    monkeypatch.setattr(session, "bfloat16_pays", lambda device: True)
    monkeypatch.setattr(session, "bfloat16_suffices", lambda *asked: True)
    monkeypatch.setattr(session, "_SMALL", 0)
    kinds = ("auto", "bfloat16", "float32")
    photo, changes = scene(64, 48), {"octaves": {"count": 1, "steps": 2}}
    dreams = [dreamer.dream(photo, network=tiny(), precision=kind, **changes).tobytes() for kind in kinds]
    assert dreams[0] == dreams[1] != dreams[2]


@pytest.mark.parametrize(
    ("able", "pays"), [("amx_bf16", True), ("avx512_bf16", True), ("avx512_f", False), ("avx2", False)]
)
def test_bfloat16_pays_on_processors_with_instructions_for_it(monkeypatch, able, pays):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {able: True})
    assert bfloat16_pays.__wrapped__("cpu") is pays and not bfloat16_pays.__wrapped__("mps")


def test_halving_in_bfloat16_rounds_the_result_alone():
    seen = torch.randn(1, 32, 33, 46).bfloat16().contiguous(memory_format=torch.channels_last)
    assert torch.equal(blur_pool(seen), blur_pool(seen.float()).bfloat16())
