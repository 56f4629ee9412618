"""EfficientNet-Lite (Tan and Le 2019; its Lite form by Google, 2020) in plain torch.

Inverted residual blocks (MBConv) with ReLU6, without squeeze-and-excitation. Layers have names of their own: `stem`,
`block0`, `block1` and so on, each with `expand`, `depthwise` and `project`, then `head` and `classes`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

STAGES = (
    (1, 1, 3, 1, 16),
    (2, 6, 3, 2, 24),
    (2, 6, 5, 2, 40),
    (3, 6, 3, 2, 80),
    (3, 6, 5, 1, 112),
    (4, 6, 5, 2, 192),
    (1, 6, 3, 1, 320),
)
"""Repeats, expansion, kernel, stride and channels of each stage; the first's and the last's repeats never grow."""
STEM, HEAD, CLASSES = 32, 1280, 1000
_EPSILON = 1e-3  # of batch norm, as in TensorFlow


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: its map has size / stride positions a side, rounded up.

    TensorFlow pads odd sizes before the first position, too, which shifts what all of them see. Here any size is padded
    as an even one is, so that a tile of a picture sees what the picture itself does.
    """

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, channels, h / stride, w / stride)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        before = (kernel - stride) // 2
        down, across = (kernel - stride - before + -size % stride for size in seen.shape[-2:])
        padded = F.pad(seen, (before, across, before, down))
        return F.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


class Block(nn.Module):
    """An inverted residual block: channels are multiplied, each is looked at by itself, and they are mixed down again.

    Args:
        given: Channels of its input.
        expansion: By how much they are multiplied.
        kernel: Positions a side of what each channel sees.
        stride: Of that.
        channels: Of its output.
    """

    def __init__(self, given: int, expansion: int, kernel: int, stride: int, channels: int) -> None:
        super().__init__()
        wide = given * expansion
        self.expand = unit(given, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = unit(wide, wide, kernel, stride, groups=wide)
        self.project = unit(wide, channels, 1, ends=True)
        self.skips = stride == 1 and given == channels

    def forward(self, seen: Tensor) -> Tensor:
        """(B, given, h, w) -> (B, channels, h / stride, w / stride)."""
        mixed: Tensor = self.project(self.depthwise(self.expand(seen)))
        return mixed + seen if self.skips else mixed


def unit(given: int, channels: int, kernel: int, stride: int = 1, groups: int = 1, *, ends: bool = False) -> nn.Module:
    """A convolution with batch norm and, unless it ends a block, ReLU6."""
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=SameConv(given, channels, kernel, stride, groups=groups, bias=False),
        norm=nn.BatchNorm2d(channels, eps=_EPSILON),
    )
    return nn.Sequential(parts if ends else OrderedDict(**parts, relu=nn.ReLU6()))


def efficientnet_lite(width: float, depth: float) -> nn.Sequential:
    """The network, untrained: (B, 3, H, W), normalised, to scores (B, 1000); any size from 32 pixels.

    Args:
        width: By how much the channels of the stages are multiplied.
        depth: By how much their repeats are.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict(stem=unit(3, STEM, 3, 2))
    given = STEM
    for number, (repeats, expansion, kernel, stride, usual) in enumerate(STAGES):
        channels = int(usual * width / 8 + 0.5) * 8
        inner = 0 < number < len(STAGES) - 1
        for repeat in range(math.ceil(repeats * depth) if inner else repeats):
            parts[f"block{len(parts) - 1}"] = Block(given, expansion, kernel, 1 if repeat else stride, channels)
            given = channels
    parts["head"] = unit(given, HEAD, 1)
    parts["pool"] = nn.AdaptiveAvgPool2d(1)
    parts["flat"] = nn.Flatten()
    parts["classes"] = nn.Linear(HEAD, CLASSES)
    return nn.Sequential(parts)


_NAMES = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "head.conv", "_bn1": "head.norm"}
_NAMES |= {"_fc": "classes"}
_IN_BLOCK = {"_expand_conv": "expand.conv", "_depthwise_conv": "depthwise.conv", "_project_conv": "project.conv"}
_IN_BLOCK |= {"_bn0": "expand.norm", "_bn1": "depthwise.norm", "_bn2": "project.norm"}


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published weights by the names that they have here."""
    found = {}
    for name, values in state.items():
        *path, module, kind = name.split(".")
        found[f"block{path[1]}.{_IN_BLOCK[module]}.{kind}" if path else f"{_NAMES[module]}.{kind}"] = values
    return found
