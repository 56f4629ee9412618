"""Concepts that a recipe grows: read from the file that somebody named, and kept in the recipe itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from dreamer.errors import NetworkError, RecipeError, collect_problems, either
from dreamer.networks.concept_file import read_concepts
from dreamer.networks.network import Network
from dreamer.recipes.recipe import RecipeDict

_NAMES = ("concept", "dreamer-art:concept")


def named_files(changes: Iterable[tuple[str, Any]]) -> frozenset[str]:
    """The files of concepts among changes that somebody typed or wrote in Python."""
    return frozenset(_files(changes))


def _files(changes: Iterable[tuple[str, Any]]) -> Iterable[str]:
    for key, value in changes:
        if key.startswith("objectives.") and key.endswith(".file"):
            yield str(value)
        elif isinstance(value, Mapping):
            yield from _files((inner, item) for inner, item in value.items() if inner == "objectives")
        elif key in ("objectives", "regions") and isinstance(value, (list, tuple)):
            for item in value:
                yield from [str(item["file"])] if _is_concept(item) and item.get("file") else []
                yield from _files([(key, item)] if isinstance(item, Mapping) and "objectives" in item else [])


def changed_numbers(changes: Iterable[tuple[str, Any]]) -> frozenset[str]:
    """The objectives' names, or ids, of which changes give another number."""
    parts = (key.split(".") for key, _ in changes)
    return frozenset(".".join(part[1:-1]) for part in parts if part[0] == "objectives" and part[-1] == "number")


def with_concepts(
    words: RecipeDict,
    named: Collection[str],
    renumbered: Collection[str],
    layer: str | None,
    network: Network | None,
    problems: list[str],
) -> dict[str, Any]:
    """A recipe's words in which each concept has its direction, its layer and the hash of its file.

    Args:
        words: The recipe's.
        named: Files that may be read: those that a person named, not those of a recipe, which may be a stranger's.
        renumbered: Objectives for which another number was asked.
        layer: Where all objectives are to look, if anywhere.
        network: What concepts have to fit, once it is known.
        problems: What is wrong is added.
    """

    def found(item: Any) -> Any:
        if not _is_concept(item):
            return item
        label = str(item.get("id", item["name"]))
        with collect_problems(problems):
            return _with_direction(item, named, label in renumbered, layer, network)
        return item

    result = dict(words)
    if isinstance(result.get("objectives"), (list, tuple)):
        result["objectives"] = [found(item) for item in result["objectives"]]
    if isinstance(result.get("regions"), list):
        result["regions"] = [
            {**region, "objectives": [found(item) for item in region["objectives"]]}
            if isinstance(region, Mapping) and isinstance(region.get("objectives"), list)
            else region
            for region in result["regions"]
        ]
    return result


def _is_concept(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("name") in _NAMES


def _with_direction(
    item: Mapping[str, Any], named: Collection[str], renumbered: bool, layer: str | None, network: Network | None
) -> Mapping[str, Any]:
    """A concept's words with what its file says; raises RecipeError."""
    where = f"objectives.{item.get('id', item['name'])}"
    file = str(item.get("file", ""))
    if file not in named:
        if item.get("vector") and not renumbered:
            return item
        how = either("'file': 'concepts.safetensors'", f"--set {where}.file=concepts.safetensors")
        which = f" again, {file[:60]}," if file else ""
        raise RecipeError(f"{where}.file: name the file of the concepts{which} as `dreamer concepts` wrote it: {how}")
    try:
        concepts = read_concepts(Path(file))
        if network is not None:
            try:
                concepts.check(network)
            except NetworkError as error:
                raise NetworkError(f"{file}: {error}") from None
    except NetworkError as error:
        raise RecipeError(f"{where}.file: {error}") from None
    number, wished = item.get("number", 1), layer or item.get("layer")
    if isinstance(number, int) and number > len(concepts):
        raise RecipeError(f"{where}.number: {file} has {len(concepts)} concepts, counted from 1, and none is {number}")
    if wished not in (None, concepts.layer):
        raise RecipeError(f"{where}: {file} has concepts of the layer {concepts.layer}, not of {wished}; leave it out")
    if not isinstance(number, int) or number < 1:
        return item  # what is no number is told by reading
    vector = [float(f"{value:.6g}") for value in concepts.directions[number - 1].tolist()]
    own = {"layer": concepts.layer, "file": Path(file).name, "sha256": concepts.sha256, "vector": vector}
    return {**item, **own}
