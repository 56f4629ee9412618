"""Vision transformers: torchvision's own answers at their own size, maps of features at any."""

import pytest
import torch
from networks import tiny_transformer
from PIL import ImageChops, ImageStat
from torchvision.models import get_model_weights
from torchvision.models.vision_transformer import VisionTransformer

import dreamer
from dreamer.errors import NetworkError
from dreamer.image import to_pil
from dreamer.motifs.sample_scene import scene
from dreamer.networks.torchvision import classics
from dreamer.networks.vit import AnySize

LAYER = "encoder.layers.encoder_layer_1"


@pytest.fixture
def network():
    return tiny_transformer()


def test_at_its_own_size_it_answers_as_torchvisions(network):
    torch.manual_seed(3)
    theirs = VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5).eval()
    ours = AnySize(theirs)
    image = torch.rand(2, 3, 32, 32)
    torch.nn.init.normal_(theirs.heads.head.weight)
    assert theirs(image).std() > 0.1
    assert torch.equal(ours(image), theirs(image))
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("size", [(32, 32), (40, 72), (37, 66)])
def test_tokens_become_a_map_of_their_patches(network, size):
    with torch.no_grad():
        network.module.encoder.pos_embedding.zero_()
        found = network.features(torch.rand(1, 3, *size), ["conv_proj", "encoder.dropout", LAYER])
    assert torch.equal(found["encoder.dropout"], found["conv_proj"])
    assert found[LAYER].shape == (1, 16, -(-size[0] // 8), -(-size[1] // 8))
    assert network.sizes(*size, [LAYER]) == {LAYER: found[LAYER].shape[2:]}


def test_places_are_stretched_with_the_picture(network):
    learned = network.module.encoder.pos_embedding
    with torch.no_grad():
        learned.zero_()
        learned[0, 1:, 0] = torch.arange(4.0).repeat_interleave(4)  # rows
        learned[0, 1:, 1] = torch.arange(4.0).repeat(4)  # columns
        seen = network.features(torch.zeros(1, 3, 48, 88), ["conv_proj", "encoder.dropout"])
    down, across = (seen["encoder.dropout"] - seen["conv_proj"])[0, :2]
    assert down.shape == (6, 11)
    # A ramp stays one, but for the flat ends that every interpolation gives it.
    assert (down.diff(dim=0) > 0.2).all() and (across.diff(dim=1) > 0.1).all()
    assert torch.allclose(down.mean(), torch.tensor(1.5)) and torch.allclose(across.mean(), torch.tensor(1.5))
    assert torch.allclose(down, down[:, :1].expand_as(down), atol=1e-5)
    assert torch.allclose(across, across[:1].expand_as(across), atol=1e-5)


def test_a_side_that_patches_do_not_divide_is_seen_to_its_last_pixel(network):
    image = torch.rand(1, 3, 37, 66).requires_grad_()
    score = network.features(image, [LAYER])[LAYER].square().mean()
    (slope,) = torch.autograd.grad(score, image)
    assert (slope.abs().amax(1) > 0).all()


def test_less_than_half_a_patch_is_too_small(network):
    assert network.smallest([LAYER]) == 4
    with pytest.raises(NetworkError, match="needs at least 4 pixels a side"):
        network.sizes(3, 40, [LAYER])


def test_its_layers_know_their_patches_and_are_not_tiled(network):
    layers = {layer.name: layer for layer in network.layers()}
    assert layers[f"{LAYER}.mlp.1"].channels == 32 and layers[f"{LAYER}.mlp.1"].patch == 8
    assert layers["conv_proj"].patch == 0 and layers["heads"].patch == 0
    assert layers[LAYER].rows is None


@pytest.mark.parametrize("canvas", ["phase", "fourier"])
def test_a_unit_of_it_is_seen_on_a_canvas(network, canvas):
    scores = []
    words = {"name": "channel", "layer": f"{LAYER}.mlp.1", "index": [3]}
    (shown,) = dreamer.visualize(
        network, words, canvas=canvas, size=40, steps=20, on_step=lambda step: scores.append(step.score)
    )
    assert shown.size == (40, 40)
    assert scores[-1] > 1.4 * scores[0]


def test_a_photo_of_any_size_is_dreamt_over(network):
    photo = to_pil(scene(61, 90))
    result = dreamer.dream(photo, network=network, octaves={"count": 2, "steps": 3})
    assert result.size == photo.size
    assert ImageStat.Stat(ImageChops.difference(result, photo)).mean[0] > 1


@pytest.mark.parametrize("name", ["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"])
def test_torchvisions_are_built_for_their_published_weights(name):
    factory = next(factory for factory in classics() if factory.name == name)
    with torch.device("meta"):
        module = factory.untrained().module
    side = next(iter(get_model_weights(name))).meta["min_size"][0]
    assert module.encoder.pos_embedding.shape[1] == 1 + (side // module.patch) ** 2
    assert factory.default_layer in dict(module.named_modules())
