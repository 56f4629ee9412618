"""A segmenter's masks of a picture, checked, since it may be a plugin's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import PluginError, UsageError, blamed_on, did_you_mean, many, quoted
from dreamer.image import resize, size_at
from dreamer.recipes.registry import BUILT_IN, OWN, Entry, Registry

SEEN = 2048
"""The long side, in pixels, at which a plugin's function sees a picture at most; dreams are as large by default."""
_MOST = 64  # masks of one picture
_NEAR = 1e-3  # how far outside of [0, 1] rounding may lead


@dataclass(frozen=True)
class Segments:
    """The masks of one picture, (N, 1, h, w) in [0, 1], with a name each; of a segmenter called `by`."""

    masks: Tensor
    names: tuple[str, ...]
    by: str

    def at(self, size: tuple[int, int]) -> Tensor:
        """The masks (N, 1, *size); where their sums were 1 they stay so."""
        return F.interpolate(self.masks, size=size, mode="bilinear", antialias=True)

    def mask(self, which: str, size: tuple[int, int]) -> Tensor:
        """The mask (1, 1, *size) of a name, or of a number from 1 on; raises UsageError for one that is not there."""
        number = int(which) if which.isdecimal() and len(which) < 4 else 0
        if which in self.names:
            number = self.names.index(which) + 1
        if not 1 <= number <= len(self.names):
            names = [name for name in self.names if not name.isdecimal()]
            found = many(len(self.names), "mask") + (f", {', '.join(names)}" if names else "")
            raise UsageError(
                f"segment:{self.by}:{which}: this picture has {found}; write one of these, or a number from 1 to "
                f"{len(self.names)}{did_you_mean(which, names) if names else ''}"
            )
        return replace(self, masks=self.masks[number - 1 : number]).at(size)


def segments_of(registry: Registry, name: str, image: Tensor, **options: Any) -> Segments:
    """The masks that the segmenter of a name finds in an image (1, 3, H, W), of which it gets a copy.

    Raises RecipeError for an unknown name, PluginError for one that fails or gives no such masks.
    """
    entry = registry.segmenters.get(name)
    who, found = call_on("segmenter", entry, image, **options)
    masks, names = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if problem := _problem(masks, names):
        raise PluginError(f"{who}: {problem}")
    masks = masks.detach().float().cpu().clamp(0, 1)
    return Segments(masks, tuple(names or map(str, range(1, len(masks) + 1))), registry.segmenters.shortest_name(entry))


def call_on(noun: str, entry: Entry[Callable[..., Any]], image: Tensor, **options: Any) -> tuple[str, Any]:
    """Call a registered function on a copy of an image (1, 3, H, W); returns its name for errors, and its result."""
    theirs = entry.source not in (BUILT_IN, OWN)
    who = f"{noun} {entry.name}" + (f" of the plugin {entry.source}" if theirs else "")
    height, width = image.shape[-2:]
    size = size_at(height, width, SEEN) if max(height, width) > SEEN else (height, width)
    seen = resize(image.cpu().float(), size).clamp(0, 1)
    with blamed_on(who) if theirs else nullcontext(), torch.no_grad():
        return who, entry.value(seen, **options)


def _problem(masks: Any, names: Any) -> str:
    """The problem of a segmenter's result, and what was expected; empty for one that fits."""
    if not isinstance(masks, Tensor) or masks.ndim != 4 or masks.shape[1] != 1 or 0 in masks.shape:
        found = f"a tensor {tuple(masks.shape)}" if isinstance(masks, Tensor) else quoted(masks)
        return f"it must give masks (N, 1, h, w), or these and their names, and it gave {found}"
    if len(masks) > _MOST:
        return f"it gave {len(masks)} masks, and at most {_MOST} are possible; it has to join some of them"
    if not masks.isfinite().all():
        return "its masks have NaN or Inf"
    low, high = float(masks.min()), float(masks.max())
    if low < -_NEAR or high > 1 + _NEAR:
        return f"its masks must stay from 0 to 1, and they go from {low:.3g} to {high:.3g}"
    if names is None:
        return ""
    texts = list(names) if isinstance(names, Sequence) and not isinstance(names, str) else []
    fits = len(texts) == len(masks) == len(set(texts)) and all(isinstance(text, str) and text for text in texts)
    return "" if fits else f"it must name each of its {len(masks)} masks by another text, and it gave {quoted(names)}"
