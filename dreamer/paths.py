"""The folder of the user's own presets and of the record of installed plugins."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_config_path


def config_folder() -> Path:
    """dreamer's folder among the user's settings, or the one that `DREAMER_CONFIG` names; it may not exist yet."""
    named = os.environ.get("DREAMER_CONFIG")
    return Path(named) if named else user_config_path("dreamer", appauthor=False)
