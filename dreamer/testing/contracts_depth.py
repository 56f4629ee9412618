"""The contract of depths: how near each part of a photo of any size is, the same for the same photo."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from dreamer.errors import DreamerError, described
from dreamer.pipeline.depths import depth_by
from dreamer.recipes.registry import Entry, Registry
from dreamer.testing.finding import Finding
from dreamer.testing.tiny import as_image, photo

_SIZES = ((96, 72), (61, 40))  # width and height; the second is odd


def try_depth(entry: Entry[Callable[..., Any]], registry: Registry) -> Finding:
    """Run a depth on two small photos, each twice, and check what it gives."""
    finding = partial(Finding, "depth", entry.name)
    if not (inspect.getdoc(entry.value) or "").strip():
        return finding(False, "has no docstring; its first line says what it goes by")
    try:
        for width, height in _SIZES:
            image = as_image(photo(width, height))
            own = image.clone()
            if not torch.equal(depth_by(registry, entry.full_name, image), depth_by(registry, entry.full_name, image)):
                why = "films are resumed; keep no state, and draw with a generator of a fixed seed"
                return finding(False, f"gives another depth for the same photo; {why}")
            entry.value(own)
            if not torch.equal(own, image):
                return finding(False, "changes its photo in place; work on a copy, as in photo.clone()")
    except KeyboardInterrupt:
        raise
    except DreamerError as error:
        return finding(False, str(error))
    except BaseException as error:  # a plugin's function can raise anything
        return finding(False, f"fails: {type(error).__name__}: {described(error)}")
    return finding(True, "keeps every promise on two small photos")
