"""What is already at the place where a clip is to be written."""

from __future__ import annotations

from pathlib import Path

from dreamer.errors import UsageError
from dreamer.video.clip.formats import Format
from dreamer.video.clip.frame_store import is_frame
from dreamer.video.clip.reader import read_recipe


def check_output(output: Path, partial: Path, format: Format, force: bool) -> None:
    """Raise UsageError when the output, or the preview beside it, must not be replaced."""
    for path in (output, partial):
        if path.exists() and not force:
            raise UsageError(exists(path))
    if output.is_dir() and (format.suffix or not all(map(is_frame, output.iterdir()))):
        raise UsageError(f"{output} is a folder that holds more than a clip's frames; choose another -o")
    if output.is_file() and not format.suffix:
        raise UsageError(f"{output} is a file; choose another -o, or one that ends in .mp4")


def exists(path: Path) -> str:
    """The error's sentence about a file that exists."""
    return f"{path} already exists; --force replaces it, -o chooses another name"


def recipe_at(output: Path) -> str | None:
    """The recipe in the file or folder at the output; None where there is none that can be read."""
    try:
        return read_recipe(output)
    except UsageError:
        return None
