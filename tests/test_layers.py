"""The architecture, held by a test: which room (a folder or a file of dreamer's root) may know which.

python tests/test_layers.py      # prints the rooms, and how many arrows there are between them
"""

from __future__ import annotations

import ast
from pathlib import Path

import dreamer

ROOT = Path(dreamer.__file__).parent

ROWS = [
    ["errors", "hookspecs", "limits", "openmp", "files"],
    ["image", "motifs", "units"],
    ["recipes", "networks"],
    ["plugins"],
    ["engine"],
    ["ingredients"],
    ["pipeline", "training"],
    ["videos", "visualization", "testing"],
    ["api"],
    ["studio", "cli", "__main__"],
]
"""From the bottom: a room knows those of lower rows, and, of its own row, those before it."""
RANK = {room: rank for rank, room in enumerate(room for row in ROWS for room in row)}
MOST_ROOMS, MOST_ARROWS, MOST_ROOT_FILES = 25, 100, 9


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms that a file imports from anywhere, in functions too; type-checking imports as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "dreamer":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("dreamer.")}
    return found & RANK.keys()


def files() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def arrows() -> set[tuple[str, str]]:
    """(room, room that it imports from), each pair once."""
    return {(room(path), other) for path in files() for other in imported(path) if other != room(path)}


def test_every_room_has_its_row():
    assert {room(path) for path in files()} == RANK.keys()


def test_files_import_only_from_lower_rows():
    """And so there is no circle."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in files()
        for other in imported(path)
        if other != room(path) and RANK[other] > RANK[room(path)]
    ]
    assert not wrong


def test_a_stranger_can_draw_it():
    assert len(RANK) <= MOST_ROOMS and len(ROWS) <= 10
    assert len(arrows()) <= MOST_ARROWS
    assert len(list(ROOT.glob("*.py"))) <= MOST_ROOT_FILES


def test_every_folder_says_its_rule():
    silent = [
        path.relative_to(ROOT).as_posix() for path in ROOT.rglob("__init__.py") if not ast.get_docstring(_tree(path))
    ]
    assert not silent


def test_files_stay_short():
    long = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert not {name: lines for name, lines in long.items() if lines > 320}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for each in RANK:
        print(f"{each:14} {', '.join(sorted(other for one, other in arrows() if one == each))}")
    print(f"{len(RANK)} rooms, {len(arrows())} arrows")
