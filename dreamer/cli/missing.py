"""Report missing files before torch is imported, which takes seconds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamer.cli.regions import check_regions
from dreamer.errors import collect_problems, usage_error
from dreamer.files.suffixes import is_file_name
from dreamer.recipes.cells import named_cell


def tell_missing(problems: Sequence[str], options: Mapping[str, Any], *pictures: Path | None) -> None:
    """Raise UsageError for these problems, and for whatever is named and missing; the rest takes torch to be found.

    --recipe together with --preset is a problem as well; neither file is looked for then.

    Args:
        problems: Sentences about what was found to be wrong before.
        options: --guide, --recipe, --weights, --preset and --region of a command, as typed, where it has them.
        pictures: Further pictures that are named.
    """
    found = list(problems)
    recipe, preset = options.get("recipe"), options.get("preset")
    if recipe and preset:
        found.append("--recipe and --preset cannot be combined; each is a whole recipe")
        recipe = preset = None
    wanted = [*pictures, options.get("guide"), recipe and named_cell(recipe)[0]]
    found += [f"there is no file {path}" for path in wanted if path and not os.path.exists(path)]
    weights = options.get("weights")
    if weights and not os.path.exists(weights):
        found.append(f"{weights}: there is no such weights file")
    if preset and is_file_name(preset) and Path(preset).suffix != ".toml" and os.path.isfile(preset):
        found.append(f"--preset {preset}: a preset is a name or a .toml file; --recipe takes what is inside a picture")
    elif preset:
        with collect_problems(found):
            check_preset(preset)
    check_regions(options.get("region", ()), found)
    if found:
        raise usage_error(*dict.fromkeys(found))


def check_preset(name: str) -> None:
    """Raise RecipeError for a preset that does not exist, unless it takes the code of a plugin to know."""
    from dreamer.plugins.loading import load_presets
    from dreamer.plugins.preset_packs import allowed
    from dreamer.recipes.preset import find_preset

    if not allowed("dreamer"):
        find_preset(load_presets()[0], name)
