"""The folders that are the user's: of presets and the record of plugins, and of what may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path


def config_folder() -> Path:
    """dreamer's folder among the user's settings, or the one that `DREAMER_CONFIG` names; it may not exist yet."""
    named = os.environ.get("DREAMER_CONFIG")
    return Path(named) if named else user_config_path("dreamer", appauthor=False)


def cache_folder() -> Path:
    """dreamer's folder for what can be made again, or the one that `DREAMER_CACHE` names; it may not exist yet."""
    named = os.environ.get("DREAMER_CACHE")
    return Path(named) if named else user_cache_path("dreamer", appauthor=False)
