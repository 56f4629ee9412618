"""timm's networks by their names: `timm:convnext_tiny.fb_in1k`.

timm is imported only when one of them is asked for. Weights are read from .safetensors files alone, and downloaded only
with `fetch`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamer import Network, NetworkError, hookimpl

if TYPE_CHECKING:
    from timm.models import PretrainedCfg

_FILES = ("model.safetensors", "open_clip_model.safetensors")  # of a repository's weights
_ANY_SIZE = ({"dynamic_img_size": True, "dynamic_img_pad": True}, {"strict_img_size": False}, {})
"""What makes a transformer take pictures of any size; a family knows one of these, or the last."""
_STRIDE = 16  # px: forms are in the last layers with this stride at most, dogs and wheels rather than edges


class EvenConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, as it is for sides that are multiples of the stride.

    timm's own pads by the size of what it gets, so that the grid of a tile can be off by a pixel.
    """

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', ceil(h / stride), ceil(w / stride)) for such sides."""
        around: list[int] = []
        for kernel, stride, dilation in zip(self.kernel_size, self.stride, self.dilation, strict=True):
            total = max((kernel - 1) * dilation + 1 - stride, 0)
            around = [total // 2, total - total // 2, *around]  # F.pad begins with the last axis
        padded = F.pad(seen, around)
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


@dataclass(frozen=True)
class Timm:
    """A factory of one of timm's networks; `name` is its architecture, or that and the tag of its weights."""

    name: str

    def __call__(self, fetch: bool = False) -> Network:
        """The network with timm's weights; raises NetworkError where they are absent and `fetch` is false."""
        path = self._downloaded() if fetch else self._kept()
        module = self._module(pretrained=True, pretrained_cfg_overlay={"file": str(path), "custom_load": False})
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return replace(self._network(module), weights=digest)

    def untrained(self) -> Network:
        """The network with random weights, the same each time; no file is needed."""
        return self._network(self._module(pretrained=False))

    def _module(self, **how: Any) -> nn.Module:
        """timm's module, for pictures of any size where its family can."""
        import timm

        for words in _ANY_SIZE if self._cfg.fixed_input_size else _ANY_SIZE[-1:]:
            try:
                with torch.random.fork_rng(devices=[]):
                    torch.default_generator.manual_seed(0)
                    module: nn.Module = timm.create_model(self.name, **how, **words)
            except TypeError:  # the family does not know these words
                if not words:
                    raise
                continue
            if hasattr(embedding := getattr(module, "patch_embed", None), "dynamic_img_pad"):
                embedding.dynamic_img_pad = bool(words)
            for part in module.modules():
                if type(part) is timm.layers.Conv2dSame:
                    part.__class__ = EvenConv2d
            return module
        raise AssertionError

    @cached_property
    def _cfg(self) -> PretrainedCfg:
        """What timm tells of the weights."""
        from timm.models import PretrainedCfg

        return _cfg(self.name) or PretrainedCfg(architecture=self.name, fixed_input_size=True)

    def _kept(self) -> Path:
        """The weights file, where it is on this machine."""
        from huggingface_hub import try_to_load_from_cache

        place = self._place
        found = place and next(filter(_is_file, (try_to_load_from_cache(place, name) for name in _FILES)), None)
        if not found:
            whole = f"timm:{self.name}"
            raise NetworkError(
                f"{whole}'s weights are not on this machine: run `dreamer networks fetch {whole}` (from "
                f"{place or 'nowhere: timm has none of it'}), or pass a file with weights=FILE (--weights FILE)"
            )
        return Path(found)

    def _downloaded(self) -> Path:
        """The weights file, downloaded if it is not on this machine."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        try:
            return self._kept()
        except NetworkError:
            if not self._place:
                raise
        for name in _FILES:
            try:
                return Path(hf_hub_download(self._place, name))
            except Exception as error:  # of the hub, of HTTP, of the disk: they have no class in common
                if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
                    continue  # the repository is there, and has no such file
                why = str(error).partition("\n")[0]
                raise NetworkError(
                    f"timm:{self.name}'s weights could not be downloaded ({why}); get them from "
                    f"https://huggingface.co/{self._place} on a machine that can, and pass the file with weights=FILE "
                    "(--weights FILE)"
                ) from error
        raise NetworkError(
            f"timm:{self.name}: https://huggingface.co/{self._place} has its weights as a pickle alone, which can run "
            "code; pass them as a .safetensors file with weights=FILE (--weights FILE)"
        )

    @property
    def _place(self) -> str:
        """The repository of the weights on the Hugging Face Hub; empty where there is none."""
        return str(self._cfg.hf_hub_id or "")

    def _network(self, module: nn.Module) -> Network:
        cfg = self._cfg
        layers = _layers(module)
        if not layers:
            raise NetworkError(f"timm:{self.name} has no feature maps, so there is nothing to dream with; try another")
        three, side = cfg.input_size[0], cfg.input_size[-1]
        if three != 3:
            raise NetworkError(f"timm:{self.name} looks at {three} channels, and a picture has 3; try another")
        home = f"https://huggingface.co/{self._place}" if self._place else cfg.origin_url or "timm"
        return Network(
            name=f"timm:{self.name}",
            module=module,
            mean=cfg.mean,
            std=cfg.std,
            licence=cfg.license or "not stated: see its source before you publish what it dreams",
            source=f"timm's {cfg.architecture}, weights {cfg.tag or 'without a tag'} ({home})",
            default_layer=_default(layers),
            defaults={"octaves": {"step_size": 0.007}},
            labels=_thousand() if cfg.num_classes == 1000 else (),
            input_size=side if cfg.fixed_input_size else None,
        )


def _layers(module: nn.Module) -> dict[str, int]:
    """The layers that timm itself takes features from, and their strides in pixels, small to large."""
    info: Any = getattr(module, "feature_info", None) or []
    known = {name for name, _ in module.named_modules()}
    return {each["module"]: each["reduction"] for each in info if each.get("module") in known}


def _default(layers: Mapping[str, int]) -> str:
    """The layer to dream with: about two thirds of the way, where forms are."""
    stride = max((stride for stride in layers.values() if stride <= _STRIDE), default=min(layers.values()))
    alike = [name for name, own in layers.items() if own == stride]  # many in a transformer, elsewhere one
    return alike[-(-len(alike) * 2 // 3) - 1]


def _thousand() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes, as torchvision and so dreamer's other networks have them."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _cfg(name: str) -> PretrainedCfg | None:
    """What timm tells of the weights of that name; None where it has none."""
    import timm

    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError:  # the tag is none of the architecture's
        return None


def _is_file(found: object) -> bool:
    return isinstance(found, str) and Path(found).is_file()


def _nearest(name: str) -> str:
    """The end of an error about an unknown name: those that are most like it."""
    import difflib

    import timm

    architecture, _, tag = name.partition(".")
    tagged = timm.list_pretrained(f"{architecture}.*") if tag else []
    near = difflib.get_close_matches(name, tagged or timm.list_models(), 3, 0.6) or tagged[:3]
    return f"; did you mean {' or '.join(near)}?" if near else "; `timm.list_models()` in Python lists them"


def named(name: str) -> Timm:
    """The factory of a network by timm's name of it; raises NetworkError with the nearest where there is none."""
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture) or (tag and _cfg(name) is None):
        raise NetworkError(f"timm has no network called {name}{_nearest(name)}")
    return Timm(name)


@hookimpl
def register_networks(register: Callable[..., None]) -> None:
    """Every network of timm, by its name."""
    register(named, "timm:*")
