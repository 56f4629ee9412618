"""Conversions of the arguments and results of the Python API: pictures, networks, numbers and functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from itertools import count
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dreamer.api.names import add_own, copied
from dreamer.errors import RecipeError, UsageError, quoted, reported_together
from dreamer.image import to_pil
from dreamer.networks.joint import join
from dreamer.networks.network import Network
from dreamer.networks.without_compiler import without_compiler
from dreamer.pipeline.dream import Dream
from dreamer.recipes.arguments import is_number
from dreamer.recipes.recipe import INGREDIENTS, ONES
from dreamer.recipes.registry import Registry

_DEEPEST = 16  # levels of what may stand in a recipe, which has 8

Returns = Literal["pil", "tensor", "array"]
"""Pillow's image in 8 bits; a tensor (3, H, W), float32 in [0, 1]; or an array (H, W, C), uint8 or uint16.

Cut-outs have a fourth channel, alpha."""
Shown = TypeVar("Shown")
Result = Image.Image | Tensor | NDArray[Any]
Device = str | torch.device
Precision = str | torch.dtype
AnyNetwork = str | Network | nn.Module | Mapping[str, Network | nn.Module]
"""A name, a Network, a module with ImageNet's preprocessing, or several networks by names of their own."""


def given(dream: Dream, returns: Returns) -> Result:
    """One dream as `returns` says."""
    if returns == "tensor":
        picture = (dream.photo.image() + dream.change).clamp(0, 1)
        return picture[0] if dream.alpha is None else torch.cat([picture, dream.alpha], 1)[0]
    if returns == "array":
        pixels = dream.photo.with_change(dream.change)
        alpha = dream.photo.alpha
        return pixels if dream.alpha is None or alpha is None else np.dstack([pixels, alpha])
    return dream.to_pil()


class Pictures(list[Any]):
    """A list of pictures, which a notebook shows side by side if they are Pillow's."""

    def _repr_png_(self) -> bytes | None:
        if not self or not all(isinstance(picture, Image.Image) for picture in self):
            return None
        with without_compiler():
            from torchvision.transforms.functional import pil_to_tensor, to_pil_image
            from torchvision.utils import make_grid

        pictures = [pil_to_tensor(picture.convert("RGB")) for picture in self]
        sheet = make_grid(pictures, nrow=math.ceil(math.sqrt(len(self))), padding=4, pad_value=255)
        shown: Image.Image = to_pil_image(sheet)
        return shown._repr_png_()


class Snapshots(dict[int, Shown]):
    """Pictures, or lists of them, by the steps after which they were taken; a notebook shows them side by side."""

    def _repr_png_(self) -> bytes | None:
        lists = (kept if isinstance(kept, list) else [kept] for kept in self.values())
        return Pictures(picture for several in lists for picture in several)._repr_png_()


def frame_given(frame: Tensor, returns: Returns) -> Result:
    """One frame (1, 3, H, W) in [0, 1] as `returns` says; arrays and Pillow's images have 8 bits."""
    if returns == "tensor":
        return frame[0].clone()
    picture = to_pil(frame)
    return np.asarray(picture) if returns == "array" else picture


def network_of(network: AnyNetwork | None) -> str | Network | None:
    """The network that was handed over, by name or as a Network.

    Raises UsageError for anything else, NetworkError for a module that cannot be looked at.
    """
    if network is None or isinstance(network, (str, Network)):
        return network
    if isinstance(network, nn.Module):
        return Network.wrap(network)
    if isinstance(network, Mapping) and network:
        return join({str(name): _one(part) for name, part in network.items()})
    raise UsageError(f"network: expected a name, a Network or a torch module, not {quoted(network)}")


def _one(part: Any) -> Network:
    found = network_of(part)
    if not isinstance(found, Network):
        raise UsageError(f"network: several networks are given as Networks or modules, not {quoted(part)}")
    return found


def plain(value: Any, depth: int = _DEEPEST) -> Any:
    """A recipe's value with Python's own numbers, lists and dicts in the place of numpy's and torch's.

    Raises RecipeError for what can stand in no recipe, or is nested more than `depth` levels deep.
    """
    if not depth:
        raise RecipeError(f"a recipe has at most {_DEEPEST} levels of dicts and lists; nest fewer")
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, (np.generic, np.ndarray)) or (isinstance(value, Tensor) and not value.is_meta):
        return value.tolist()
    if value is None or isinstance(value, (bool, int, float, str, Fraction)) or callable(value):
        return value
    raise RecipeError(f"{quoted(value)} can stand in no recipe; give numbers, texts, lists, dicts or functions")


def numbers_of(name: str, values: Any) -> list[float]:
    """The numbers of a list, an array or a tensor; raises UsageError, with the argument's name, for anything else."""
    with suppress(RecipeError):
        numbers = plain(values)
        if isinstance(numbers, list) and numbers and all(map(is_number, numbers)):
            return [float(number) for number in numbers]
    shape = f"of shape {tuple(values.shape)}" if hasattr(values, "shape") else quoted(values)
    raise UsageError(f"{name}: expected a number for each channel, (C,), not {shape}")


def with_functions(words: Mapping[str, Any], names: Registry) -> tuple[dict[str, Any], Registry]:
    """A recipe's words with a name for each function in them, and a registry that knows these names as well.

    A list of ingredients may hold names and functions beside dicts, whose "name" may be a function as well, and a
    single ingredient may be either. Raises RecipeError, and PluginError for a function that is no ingredient.
    """
    known = names

    def item(kind: str, value: Any) -> Any:
        nonlocal known
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and callable(value.get("name")):
            return {**value, **item(kind, value["name"])}
        if not callable(value):
            return value
        if getattr(value, "stands_alone", False):
            how = "hand it to visualize by itself, or add others to it, as in channel('m4b', 3) + channel('m4b', 5)"
            raise RecipeError(f"{kind}: a term of features stands alone; {how}")
        if known is names:
            known = copied(names)
        taken = known.ingredients[kind].names()
        stem = getattr(value, "__name__", "function")
        stem = stem if stem.isidentifier() else "function"
        name = next(name for number in count(1) if (name := f"{stem}_{number}" if number > 1 else stem) not in taken)
        return {"name": add_own(known, kind, value, name)}

    found = {}
    with reported_together(RecipeError) as problems:
        for key, value in words.items():
            try:
                found[str(key)] = plain(value)
            except RecipeError as error:
                problems.append(f"{key}: {error}")
    for key, value in found.items():
        if key in ONES:
            found[key] = item(ONES[key], value)
        elif key in INGREDIENTS:
            found[key] = [item(key, one) for one in (value if isinstance(value, list) else [value])]
    return found, known
