"""The names that other programs give to networks and to their layers.

One table of each. A layer's name is understood where the correspondence is exact, whatever its punctuation: Caffe's
`inception_4c/output` and Lucid's `mixed4c` are torchvision's `inception4c`, Lucent's `inception4c_branch2_1` is
`inception4c.branch2.1`. A network's name, and a layer's that has no exact counterpart, leads to a guess in an error.

Caffe's and Keras' VGG differ from torch's in one thing: their convolutions include the ReLU. `relu4_2` and Keras'
`block4_conv2` are the ReLU, `conv4_2` is the convolution before it. Lucid's `..._pre_relu` is the batch norm, which has
no ReLU yet. torchvision's third branch, called 5x5 in the paper and in Caffe, has kernels of 3x3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from torch import nn

from dreamer.errors import did_you_mean

_Rule = tuple[str, Callable[..., tuple[str, ...]]]

# Names of networks, small letters and digits alone -> torchvision's. The first that fits counts; {} is the group.
_NETWORKS = (
    (r"(?:bvlc|caffe)?googlenet.*|inception(?:v?1|5h).*", "googlenet"),
    (r"inceptionv?3.*", "inception_v3"),
    (r"vgg.*?(11|13|16|19).*bn.*", "vgg{}_bn"),
    (r"vgg.*?(11|13|16|19).*", "vgg{}"),
    (r"wideresnet(50|101).*", "wide_resnet{}_2"),
    (r"resnet(?:v1)?(18|34|50|101|152).*", "resnet{}"),
    (r".*alexnet.*|.*caffenet.*", "alexnet"),
    (r"densenet(121|161|169|201).*", "densenet{}"),
    (r"squeezenetv?(?:10|11)?", "squeezenet1_1"),
    (r"mobilenetv?2.*", "mobilenet_v2"),
    (r"mobilenetv?3(large|small).*", "mobilenet_v3_{}"),
    (r"(?:tf)?efficientnetb([0-7]).*", "efficientnet_b{}"),
    (r"convnext(tiny|small|base|large).*", "convnext_{}"),
    (r"vitbase(?:patch)?(16|32).*", "vit_b_{}"),
    (r"vitlarge(?:patch)?(16|32).*", "vit_l_{}"),
    (r"swin(t|s|b)(?:iny|mall|ase).*", "swin_{}"),
)

_BRANCHES = (  # of GoogLeNet's blocks: torchvision's name, Caffe's, Lucid's
    ("1", "1x1", "1x1"),
    (r"2\.0", "3x3_reduce", "3x3_bottleneck"),
    (r"2\.1", "3x3", "3x3"),
    (r"3\.0", "5x5_reduce", "5x5_bottleneck"),
    (r"3\.1", "5x5", "5x5"),
    (r"4\.1", "pool_proj", "pool_reduce"),
)
_INCEPTION_V3 = "5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c".split()  # Keras: mixed0 to mixed10


def _both(caffe: str, lucid: str) -> Callable[[str], tuple[str, ...]]:
    return lambda at: (f"inception_{at}/{caffe}", f"inception_{at}/relu_{caffe}", f"mixed{at}_{lucid}")


def _caffe_units(stage: int, unit: int) -> list[str]:
    """Caffe's names of a ResNet's unit: by letter, or in deep networks by number from the second on."""
    return [*([f"res{stage}{'abcdef'[unit]}"] if unit < 6 else []), *([f"res{stage}b{unit}"] if unit else [])]


def _before_relu(lucid: str) -> Callable[[str], tuple[str, ...]]:
    return lambda at: (f"mixed{at}_{lucid}_pre_relu",)


# By family: torchvision's layer, and what others call it (Caffe, Lucid, Keras, timm).
_LAYERS: dict[str, tuple[_Rule, ...]] = {
    "googlenet": (
        (r"conv1", lambda: ("conv1/7x7_s2", "conv2d0")),
        (r"conv2", lambda: ("conv2/3x3_reduce", "conv2d1")),
        (r"conv3", lambda: ("conv2/3x3", "conv2d2")),
        (r"conv([1-3])\.bn", lambda n: (f"conv2d{int(n) - 1}_pre_relu",)),
        (r"maxpool1", lambda: ("pool1/3x3_s2", "maxpool0")),
        (r"maxpool2", lambda: ("pool2/3x3_s2", "maxpool1")),
        (r"maxpool3", lambda: ("pool3/3x3_s2", "maxpool4")),
        (r"maxpool4", lambda: ("pool4/3x3_s2", "maxpool10")),
        (r"avgpool", lambda: ("pool5/7x7_s1",)),
        (r"fc", lambda: ("loss3/classifier", "softmax2_pre_activation")),
        (r"inception(\w\w)", lambda at: (f"inception_{at}/output", f"mixed{at}")),
        *((rf"inception(\w\w)\.branch{at}", _both(caffe, lucid)) for at, caffe, lucid in _BRANCHES),
        *((rf"inception(\w\w)\.branch{at}\.bn", _before_relu(lucid)) for at, _, lucid in _BRANCHES),
        (r"inception(\w\w)\.branch4\.0", lambda at: (f"inception_{at}/pool",)),
    ),
    "inception": ((r"Mixed_(\w\w)", lambda at: (f"mixed{_INCEPTION_V3.index(at)}",)),),
    "resnet": (
        (r"relu", lambda: ("conv1_relu",)),
        (r"maxpool", lambda: ("pool1",)),
        (r"fc", lambda: ("fc1000",)),
        (
            r"layer(\d)\.(\d+)",
            lambda stage, unit: (
                f"conv{int(stage) + 1}_block{int(unit) + 1}_out",
                f"block{stage}/unit_{int(unit) + 1}",
                *(name + end for name in _caffe_units(int(stage) + 1, int(unit)) for end in ("", "_relu")),
            ),
        ),
        (
            r"layer(\d)\.(\d+)\.(conv|bn)(\d)",
            lambda stage, unit, kind, n: (f"conv{int(stage) + 1}_block{int(unit) + 1}_{n}_{kind}",),
        ),
        (
            r"layer(\d)\.(\d+)\.conv(\d)",
            lambda stage, unit, n: tuple(
                f"{name}_branch2{'abc'[int(n) - 1]}" for name in _caffe_units(int(stage) + 1, int(unit))
            ),
        ),
    ),
    "efficientnet": (
        (r"features\.0\.0", lambda: ("conv_stem",)),
        (r"features\.([1-7])", lambda stage: (f"blocks.{int(stage) - 1}",)),
        (r"features\.([1-7])\.(\d+)", lambda stage, unit: (f"blocks.{int(stage) - 1}.{unit}",)),
    ),
    "convnext": (
        (r"features\.([1357])", lambda at: (f"stages.{int(at) // 2}",)),
        (r"features\.([1357])\.(\d+)", lambda at, unit: (f"stages.{int(at) // 2}.blocks.{unit}",)),
    ),
    "swin": (
        (r"features\.([1357])", lambda at: (f"layers.{int(at) // 2}",)),
        (r"features\.([1357])\.(\d+)", lambda at, unit: (f"layers.{int(at) // 2}.blocks.{unit}",)),
    ),
    "vit": ((r"encoder\.layers\.encoder_layer_(\d+)", lambda unit: (f"blocks.{unit}",)),),
    "regnet": (
        (r"trunk_output\.block(\d)", lambda stage: (f"s{stage}",)),
        (r"trunk_output\.block(\d)\.block\d-(\d+)", lambda stage, unit: (f"s{stage}.b{int(unit) + 1}",)),
    ),
}
_STAGE = re.compile(r"([3-5])[_./]?([a-e])(?![a-z])")  # of an Inception: 4c


def network_guess(name: str, known: Collection[str]) -> str | None:
    """Which of the known networks is called so elsewhere; None where nothing is certain."""
    plain = _plain(name)
    same = [own for own in known if _plain(own) == plain]
    found = (
        re.fullmatch(pattern, plain) and re.sub(pattern, ours.replace("{}", r"\1"), plain)
        for pattern, ours in _NETWORKS
    )
    guesses = [*same, *(guess for guess in found if guess in known)]
    return guesses[0] if guesses else None


def other_names(network: str, module: nn.Module, layers: Collection[str]) -> dict[str, str]:
    """Other programs' names for a network's layers: their name -> its own, in the order of the layers."""
    family = network.removeprefix("wide_").partition("_")[0].rstrip("0123456789")
    rules = _LAYERS.get(family, ())
    named = [*_numbered(network, module)] if family in ("vgg", "alexnet") else []
    for own in layers:
        for pattern, theirs in rules:
            if fit := re.fullmatch(pattern, own):
                named += [(name, own) for name in theirs(*fit.groups()) if name]
    return {name: own for name, own in reversed(named) if own in layers}


def understood(name: str, layers: Collection[str], others: dict[str, str]) -> str | None:
    """The network's own name of a layer that is called otherwise elsewhere; None where there is no exact counterpart.

    Args:
        name: The name to look for; its punctuation does not count, nor TensorFlow's `:0` at the end.
        layers: The network's own names.
        others: What other programs call them.
    """
    if re.match(r"Mixed_\d", name) and "inception4c" in layers:
        return None  # TF-slim begins to count at b: its Mixed_4c is inception4b
    plain = _plain(name.removesuffix(":0"))
    found = {own for own in layers if _plain(own) == plain} or {
        own for their, own in others.items() if _plain(their) == plain
    }
    return found.pop() if len(found) == 1 else None


def layer_guess(name: str, layers: Collection[str], others: dict[str, str]) -> str:
    """The end of an error about an unknown layer: those that are most like it."""
    if stage := _STAGE.search(name.lower()):
        number, letter = stage.groups()
        wanted = {number + letter, *([number + chr(ord(letter) - 1)] if name.startswith("Mixed_") else [])}
        blocks = [own for own in layers if re.search(rf"(?<!\d){number}[a-e]$", own)]
        near = [own for own in blocks if own[-2:] in wanted] or blocks[-1:]
        if near:
            return f"; did you mean {' or '.join(near)}?"
    return did_you_mean(name, layers) or did_you_mean(name, others)


def _numbered(network: str, module: nn.Module) -> Iterator[tuple[str, str]]:
    """The names of VGG and AlexNet in Caffe and Keras, which count the convolutions, each block from 1, and torch's."""
    plain = network.startswith("alexnet")
    block, number = 1, 0
    for name, part in module.get_submodule("features").named_children():
        own = f"features.{name}"
        if isinstance(part, nn.Conv2d):
            number += 1
        at = f"{number}" if plain else f"{block}_{number}"
        kinds: tuple[tuple[type[nn.Module], tuple[str, ...]], ...] = (
            (nn.Conv2d, (f"conv{at}",)),
            (nn.BatchNorm2d, (f"bn{at}",)),
            (nn.ReLU, (f"relu{at}", *([] if plain else [f"block{block}_conv{number}"]))),
            (nn.MaxPool2d, (f"pool{at}",) if plain else (f"pool{block}", f"block{block}_pool")),
        )
        yield from ((theirs, own) for kind, names in kinds if isinstance(part, kind) for theirs in names)
        if isinstance(part, nn.MaxPool2d) and not plain:
            block, number = block + 1, 0
    full = iter((("fc6", "relu6"), ("fc7", "relu7"), ("fc8", "")))
    relu = ""
    for name, part in module.get_submodule("classifier").named_children():
        if isinstance(part, nn.Linear):
            linear, relu = next(full)
            yield linear, f"classifier.{name}"
        elif isinstance(part, nn.ReLU):
            yield relu, f"classifier.{name}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
