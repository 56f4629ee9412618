"""Where a person's own things are kept: presets, and what was installed."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_config_path


def config_folder() -> Path:
    """The folder; `DREAMER_CONFIG` names another one. It may not be there yet."""
    named = os.environ.get("DREAMER_CONFIG")
    return Path(named) if named else user_config_path("dreamer", appauthor=False)
