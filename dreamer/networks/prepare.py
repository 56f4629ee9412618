"""A network prepared to compute the same faster."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamer.networks.copies import copied
from dreamer.networks.stem import Stem
from dreamer.networks.winograd import Winograd, keep_planes

if TYPE_CHECKING:
    from dreamer.networks.network import Network


def prepared(network: Network, layers: Iterable[str], device: torch.device, dtype: torch.dtype) -> Network:
    """See `Network.prepared`."""
    module, names = copied(network.module), [network.layer(name).name for name in layers]
    for convolution, norm in network.anatomy.foldable:
        before, after = cast(nn.Conv2d, module.get_submodule(convolution)), module.get_submodule(norm)
        apart = any(_holds(name, convolution) and not _holds(name, norm) for name in names)
        if isinstance(after, nn.BatchNorm2d) and not apart:  # it may have been folded before
            module.set_submodule(convolution, fuse_conv_bn_eval(before, after))
            module.set_submodule(norm, nn.Identity())
    for part in module.modules():
        for fast in (Stem, Winograd):
            if fast.may_replace(part):
                part.__class__ = fast
    keep_planes(module)
    module.to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
    made = copy.copy(network)  # without a call, which would copy the module once more
    vars(made).pop("_dtype", None)  # what is known of the shapes holds on
    vars(made).update(
        module=module,
        statistics={at: (mean.to(device), std.to(device)) for at, (mean, std) in network.statistics.items()},
        heads={at: (weight.to(device), bias.to(device)) for at, (weight, bias) in network.heads.items()},
        figures={at: (b.to(device), w.to(device), bias.to(device)) for at, (b, w, bias) in network.figures.items()},
    )
    return made


@cache
def bfloat16_pays(device: str) -> bool:
    """Whether bfloat16 is faster there: on graphics cards, and on processors with instructions for it."""
    if device == "cpu":
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # not every torch tells
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return device.startswith("cuda") and torch.cuda.is_bf16_supported()


def _holds(layer: str, module: str) -> bool:
    """Whether a module is the layer or inside of it."""
    return module == layer or module.startswith(layer + ".")
