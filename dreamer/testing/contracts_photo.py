"""The contract of segmenters and depths, which look at photos of any size and say the same of the same photo."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from dreamer.errors import DreamerError, described, many
from dreamer.pipeline.depths import depth_by
from dreamer.pipeline.segments import Segments, segments_of
from dreamer.recipes.registry import Entry, Registry
from dreamer.testing.finding import Finding
from dreamer.testing.tiny import as_image, photo

Function = Entry[Callable[..., Any]]
Found = TypeVar("Found")

_SIZES = ((96, 72), (61, 40))  # width and height; the second is odd


def try_segmenter(entry: Function, registry: Registry) -> Finding:
    """Run a segmenter on two small photos, each twice, and check what it gives."""

    def same(once: Segments, again: Segments) -> bool:
        return once.names == again.names and torch.equal(once.masks, again.masks)

    def kept(found: Segments) -> str:
        return f"keeps every promise; it finds {many(len(found.names), 'mask')} in a small photo"

    finding, look = partial(Finding, "segmenter", entry.name), partial(segments_of, registry, entry.full_name)
    other = "gives other masks for the same photo; recipes name them by number"
    return _tried(entry, finding, look, same, kept, "what it finds", other)


def try_depth(entry: Function, registry: Registry) -> Finding:
    """Run a depth on two small photos, each twice, and check what it gives."""
    finding, look = partial(Finding, "depth", entry.name), partial(depth_by, registry, entry.full_name)
    other = "gives another depth for the same photo; films are resumed"
    kept = "keeps every promise on two small photos"
    return _tried(entry, finding, look, torch.equal, lambda found: kept, "what it goes by", other)


def _tried(
    entry: Function,
    finding: Callable[[bool, str], Finding],
    look: Callable[[Tensor], Found],
    same: Callable[[Found, Found], bool],
    kept: Callable[[Found], str],
    says: str,
    other: str,
) -> Finding:
    """Run a function on two small photos.

    Args:
        entry: The function.
        finding: Makes what is returned from whether all is well and a sentence.
        look: The function as dreamer calls it, with its result checked.
        same: Whether two results are the same.
        kept: The sentence for the last result, where all is well.
        says: What the first line of its docstring has to say.
        other: The sentence for results that differ.
    """
    if not (inspect.getdoc(entry.value) or "").strip():
        return finding(False, f"has no docstring; its first line says {says}")
    try:
        for width, height in _SIZES:
            image = as_image(photo(width, height))
            own = image.clone()
            found = look(image)
            if not same(found, look(image)):
                return finding(False, f"{other}; keep no state, and draw with a generator of a fixed seed")
            entry.value(own)
            if not torch.equal(own, image):
                return finding(False, "changes its photo in place; work on a copy, as in photo.clone()")
    except KeyboardInterrupt:
        raise
    except DreamerError as error:
        return finding(False, str(error))
    except BaseException as error:  # a plugin's function can raise anything
        return finding(False, f"fails: {type(error).__name__}: {described(error)}")
    return finding(True, kept(found))
