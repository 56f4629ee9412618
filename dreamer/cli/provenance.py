"""What stands inside pictures and clips: written into new ones, read from those whose recipe is repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer import __version__
from dreamer.cli.photos import CLIPS
from dreamer.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from dreamer.engine.device import Machine
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.recipes.provenance import Provenance


def provenance_for(pipeline: Pipeline, photo: str, machine: Machine, plugins: Sequence[Plugin]) -> Provenance:
    """What goes into the dream of a photo, given by its file's hash, made by a pipeline on a machine."""
    from dreamer.recipes.provenance import Provenance

    return Provenance(
        recipe=pipeline.to_dict(),
        machine=machine.to_dict(),
        dreamer=__version__,
        weights=pipeline.network.weights,
        photo=photo,
        guide=pipeline.guide.sha256 if pipeline.guide else "",
        pictures=_hash_of(pipeline.starts) if pipeline.starts is not None else "",
        plugins={p.distribution: p.version for p in plugins if p.distribution in pipeline.plugins},
    )


def _hash_of(starts: Tensor) -> str:
    return hashlib.sha256(starts.cpu().numpy().tobytes()).hexdigest()


def provenance_in(path: Path) -> Provenance:
    """What stands inside a picture or clip that dreamer made; raises UsageError."""
    from dreamer.recipes.provenance import Provenance

    return Provenance.read(_text_in(path), str(path))


def motion_in(path: Path, kind: str = "zoom") -> dict[str, Any]:
    """How a clip of a kind, zoom or video, moves, in words; nothing for a picture. Raises UsageError."""
    from dreamer.recipes.provenance import Provenance

    if path.suffix == ".toml":
        return {}
    text = _text_in(path)
    Provenance.read(text, str(path))  # it is no larger than a recipe, and of a version that is known
    motion = json.loads(text).get(kind, {})
    if not isinstance(motion, dict):
        raise UsageError(f"{path}: the {kind} inside is damaged")
    return motion


def _text_in(path: Path) -> str:
    from dreamer import image
    from dreamer.video import clip

    is_clip = path.is_dir() or path.suffix.lower() in (*CLIPS, ".gif")
    text = clip.read_recipe(path) if is_clip else image.read_recipe(path)
    if text is None:
        raise UsageError(f"{path}: there is no recipe inside; only dreamer's own pictures and clips carry one")
    return text
