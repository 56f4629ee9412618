"""The contract of segmenters: masks from 0 to 1 for photos of any size, the same ones for the same photo."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from dreamer.errors import DreamerError, described
from dreamer.pipeline.segments import segments_of
from dreamer.recipes.registry import Entry, Registry
from dreamer.testing.finding import Finding
from dreamer.testing.tiny import as_image, photo

_SIZES = ((96, 72), (61, 40))  # width and height; the second is odd


def try_segmenter(entry: Entry[Callable[..., Any]], registry: Registry) -> Finding:
    """Run a segmenter on two small photos, each twice, and check what it gives."""
    finding, found = partial(Finding, "segmenter", entry.name), 0
    if not (inspect.getdoc(entry.value) or "").strip():
        return finding(False, "has no docstring; its first line says what it finds")
    try:
        for width, height in _SIZES:
            image = as_image(photo(width, height))
            own = image.clone()
            once = segments_of(registry, entry.full_name, image)
            again = segments_of(registry, entry.full_name, image)
            found = len(once.names)
            same = once.names == again.names and torch.equal(once.masks, again.masks)
            if not same:
                why = "recipes name them by number; keep no state, and draw with a generator of a fixed seed"
                return finding(False, f"gives other masks for the same photo; {why}")
            entry.value(own)
            if not torch.equal(own, image):
                return finding(False, "changes its photo in place; work on a copy, as in photo.clone()")
    except KeyboardInterrupt:
        raise
    except DreamerError as error:
        return finding(False, str(error))
    except BaseException as error:  # a plugin's function can raise anything
        return finding(False, f"fails: {type(error).__name__}: {described(error)}")
    return finding(True, f"keeps every promise; it finds {found} masks in a small photo")
