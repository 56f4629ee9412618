"""Provenance, the recipe inside pictures and clips: written into new ones, read from those that are repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer import __version__
from dreamer.errors import UsageError

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.recipes.provenance import Provenance


def provenance_for(pipeline: Pipeline, photo: str, machine: Machine, plugins: Sequence[Plugin]) -> Provenance:
    """Return what is written into a dream.

    Args:
        pipeline: What dreamt it.
        photo: SHA-256 of the photo's file, in hex; empty without a photo.
        machine: What it was computed on.
        plugins: The loaded plugins; those that the recipe uses are recorded with their versions.
    """
    from dreamer.plugins.installer import origin_of
    from dreamer.recipes.provenance import Provenance

    used = {plugin.distribution: plugin.version for plugin in plugins if plugin.distribution in pipeline.plugins}
    starts = pipeline.starts
    return Provenance(
        recipe=pipeline.to_dict(),
        machine=machine.to_dict(),
        dreamer=__version__,
        weights=pipeline.network.weights_hash,
        photo=photo,
        guide=pipeline.guide.sha256 if pipeline.guide else "",
        pictures="" if starts is None else hashlib.sha256(starts.cpu().numpy().tobytes()).hexdigest(),
        plugins=used,
        weights_file=pipeline.weights_file,
        origins={name: origin for name in used if (origin := origin_of(name))},
    )


def provenance_in(path: Path) -> Provenance:
    """Return the provenance inside a picture or clip that dreamer made; UsageError if there is none.

    That of one picture of a sheet is named as in sheet.jpg#4.
    """
    from dreamer.recipes.cells import cell_of, named_cell
    from dreamer.recipes.provenance import Provenance
    from dreamer.videos.clip.reader import recipe_text

    file, number = named_cell(str(path))
    text = recipe_text(Path(file))
    return Provenance.read(text, file) if number is None else cell_of(text, number, file)


def motion_in(path: Path, kind: str = "zoom") -> dict[str, Any]:
    """Return the motion settings inside a zoom, video or loop; empty for a picture. Raises UsageError."""
    from dreamer.recipes.provenance import Provenance
    from dreamer.videos.clip.reader import recipe_text

    if path.suffix == ".toml":
        return {}
    text = recipe_text(path)
    Provenance.read(text, str(path))  # checks its size and version
    motion = json.loads(text).get(kind, {})  # bounded and read before, just now
    if not isinstance(motion, dict):
        raise UsageError(f"{path}: the {kind} inside is damaged; repeat another clip")
    return motion
