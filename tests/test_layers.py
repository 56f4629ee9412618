"""A file imports only from lower rows: the architecture, held by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import dreamer

ROOT = Path(dreamer.__file__).parent

ROWS = [
    ["errors", "hookspecs", "openmp", "config", "sample", "motifs"],
    ["disk", "options", "field", "pyramid", "step", "canvas", "direction", "image", "packs", "contact_sheet"],
    ["recipe", "lens", "anatomy", "clip", "installer", "ledger"],
    ["tiles", "network", "words", "colour"],
    ["registry", "machine", "ascent", "objectives", "priors", "transforms", "gradient_filters", "updates"],
    ["canvases", "optimisers", "painting"],
    ["preset", "networks", "sight", "render", "exemplars"],
    ["learned_priors"],
    ["stamp", "plugins", "training", "result"],
    ["binding"],
    ["composition"],
    ["compose"],
    ["film", "zooming", "visualization", "facets"],
    ["atlas"],
    ["library"],
    ["testing"],
    ["cli"],
    ["__main__"],
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}


def noun(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The nouns of dreamer that a file imports anywhere, in functions too; type-checking imports as well."""
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


def test_every_file_has_its_row():
    assert {noun(path) for path in files()} == RANK.keys()


def test_files_import_only_from_lower_rows():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files()
        for name in imported(path)
        if name != noun(path) and RANK[name] >= RANK[noun(path)]
    ]
    assert not wrong


def test_files_stay_short():
    long = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert not {name: lines for name, lines in long.items() if lines > 320}
