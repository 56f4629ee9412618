"""Other people's weights in a network: found in whatever they were saved in, and loaded as far as they fit.

Trainings save weights among other things (`state_dict`, `model`, an optimiser), and each wrapper puts a prefix before
their names: `module.` (DataParallel), `model.` (Lightning), `_orig_mod.` (torch.compile), `backbone.`, and so on. There
is no list of these here: the mapping that fits the network best is taken, and the prefix under which most of it fits.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dreamer import limits
from dreamer.errors import NetworkError
from dreamer.networks.layers import Layer
from dreamer.networks.pickled import StoredTensor

# Before 2018 DenseNet's layers were called norm.1, conv.2, ...; its published weights still are.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")
_WRAPPED = re.compile(r"(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")  # anywhere in a name
_COUNT = "num_batches_tracked"  # which only training needs
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads that only training needs
_LONGEST, _MOST_PARTS, _DEEPEST = 300, 24, 4  # letters and dots of a tensor's name; mappings within each other
_SHOWN = 60  # letters of a key in a sentence
_NAMED = 3  # most keys that a sentence names


@dataclass(frozen=True)
class Fit:
    """The fit of a file's weights to a network.

    Attributes:
        where: The file and the network, to begin a sentence with.
        absent: The network's parameters that the file lacks, or has in another shape: by key, "missing" or the shape.
        unknown: The tensors that the network has no place for.
        classes: Number of classes of the file's classifier, 0 if it has none; None if they are the network's.
        notices: Sentences about what was ignored.
    """

    where: str
    absent: Mapping[str, str]
    unknown: tuple[str, ...]
    classes: int | None
    notices: tuple[str, ...]

    def problem(self, keys: Iterable[str], what: str = "does not fit") -> str:
        """The sentence about some of the absent parameters."""
        found = {key: self.absent[key] for key in keys}
        groups = {
            "missing": [key for key, why in found.items() if why == "missing"],
            "not known": list(self.unknown),
            "of another shape": [f"{key} is {why}" for key, why in found.items() if why != "missing"],
        }
        return f"{self.where} {what}: {'; '.join(f'{title}: {_few(n)}' for title, n in groups.items() if n)}"

    def absent_up_to(self, name: str, layers: Mapping[str, Layer]) -> list[str]:
        """The absent weights that a layer may depend on: those of modules that do not run after it."""
        order = {layer: number for number, layer in enumerate(layers)}

        def first_use(module: str) -> int:
            inside = [layer for layer in order if not module or layer == module or layer.startswith(f"{module}.")]
            if not inside:
                return first_use(module.rpartition(".")[0])
            return 0 if any(layers[layer].calls > 1 for layer in inside) else min(order[layer] for layer in inside)

        return [key for key in self.absent if first_use(key.rpartition(".")[0]) <= order[name]]


@torch.no_grad()
def load_state(module: nn.Module, found: Any, where: str, classes: int) -> Fit:
    """Load the weights in a file into a network, as far as they fit.

    A classifier of another number of classes replaces the network's own.

    Args:
        module: Is changed.
        found: What the file holds, from `tensor_file.read_tensors`.
        where: The file and the network, for sentences.
        classes: How many classes the network tells apart.

    Returns:
        How they fit; it is for the caller to refuse what does not.

    Raises:
        NetworkError: The file holds no tensors by name, or ends before they do.
    """
    own = module.state_dict(keep_vars=True)
    named = ({key: key for key in own}, _numbered(module, own))
    choices = (_chosen(at, tensors, names) for at, tensors in _mappings(found) for names in named)
    chosen = max(choices, key=lambda one: one.rank(own), default=None)
    if chosen is None:
        raise NetworkError(f"{where} holds no state dict (tensors by name); save model.state_dict()")
    head = _head(module, classes)
    told = _replaced_head(module, head, chosen.given) if head else None
    absent = {}
    for key, parameter in module.state_dict(keep_vars=True).items():
        tensor = chosen.given.get(key)
        if tensor is not None and tensor.shape == tuple(parameter.shape):
            parameter.copy_(tensor.read())
        elif not key.endswith(_COUNT):
            absent[key] = "missing" if tensor is None else f"{shape_of(tensor)} instead of {shape_of(parameter)}"
    told = 0 if head and f"{head}.weight" in absent else told
    parts = [f"its {told} classes are known by number only"] if told else []
    parts += [f"it lacks {_few(absent)}"] if absent else []
    parts += [f"passed over: {_few(passed)}"] if (passed := [*_beside(found, chosen.at), *chosen.besides]) else []
    return Fit(where, absent, chosen.besides, told, (f"{where}: {'; '.join(parts)}",) if parts else ())


@dataclass(frozen=True)
class _Chosen:
    """One of a file's mappings, read with one prefix: its place, its tensors by the network's keys, its other keys."""

    at: str
    given: dict[str, StoredTensor]
    besides: tuple[str, ...]

    def rank(self, own: Mapping[str, Tensor]) -> tuple[int, int, bool]:
        """The quality of the fit, for sorting; the weights themselves come before their moving average."""
        fitting = sum(tensor.shape == tuple(own[key].shape) for key, tensor in self.given.items())
        return fitting, len(self.given), "ema" not in self.at.lower()


def shape_of(tensor: Tensor | StoredTensor) -> str:
    """A shape in words: 64x3x7x7."""
    return "x".join(map(str, tensor.shape)) or "a number"


def _mappings(found: Any) -> Iterator[tuple[str, dict[str, StoredTensor]]]:
    """The mappings of names to tensors in what a file holds, those that are less deep first, each with its place."""
    queue, seen = [("", 0, found)], {id(found)}
    for at, depth, item in queue:
        named = {key: value for key, value in item.items() if _is_name(key)} if isinstance(item, Mapping) else {}
        tensors = {_own_name(key): value for key, value in named.items() if isinstance(value, StoredTensor)}
        if tensors:
            yield at, tensors
        for key, value in named.items():
            inner = isinstance(value, Mapping) and id(value) not in seen and depth < _DEEPEST
            if inner and len(queue) < limits.STATE_DICTS:
                seen.add(id(value))
                queue.append((f"{at}.{key}" if at else key, depth + 1, value))


def _is_name(key: object) -> bool:
    return isinstance(key, str) and len(key) <= _LONGEST and key.count(".") <= _MOST_PARTS


def _own_name(key: str) -> str:
    """A tensor's name as the network without wrappers has it."""
    return _OLD_DENSENET.sub(r"\1\2", _WRAPPED.sub(r"\1", key))


def _numbered(module: nn.Module, own: Iterable[str]) -> dict[str, str]:
    """The network's keys by the names that they have in nn.Sequential(*network.children())."""
    children = {name: str(number) for number, (name, _) in enumerate(module.named_children())}
    split = ((key, *key.partition(".")) for key in own)
    return {f"{children[child]}.{rest}": key for key, child, _, rest in split if child in children}


def _chosen(at: str, tensors: Mapping[str, StoredTensor], names: Mapping[str, str]) -> _Chosen:
    """A mapping's tensors by the network's keys, with the prefix that most of them have in common taken off."""
    votes: Counter[str] = Counter()
    for name in tensors:
        ends = [0, *(dot.end() for dot in re.finditer(r"\.", name))]
        votes.update(name[:end] for end in ends if name[end:] in names)
    prefix = max(votes, key=lambda one: (votes[one], -len(one)), default="")
    given, besides = {}, []
    for name, tensor in tensors.items():
        own = names.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if own:
            given[own] = tensor
        elif not name.removeprefix(prefix).startswith(_AUXILIARY) and not name.endswith(_COUNT):
            besides.append(name)
    return _Chosen(at, given, tuple(besides))


def _head(module: nn.Module, classes: int) -> str:
    """The name of the last layer, if it has an output for each class; else nothing."""
    layers = [(name, part) for name, part in module.named_modules() if isinstance(part, (nn.Linear, nn.Conv2d))]
    name, last = layers[-1] if layers else ("", module)
    return name if classes and getattr(last, "weight", torch.empty(0)).shape[0] == classes else ""


def _replaced_head(module: nn.Module, head: str, given: Mapping[str, StoredTensor]) -> int | None:
    """Make the last layer as large as the file's own; the number of classes, or None where it already is."""
    layer: Any = module.get_submodule(head)
    parts = {name: given.get(f"{head}.{name}") for name, _ in layer.named_parameters()}
    weight = parts["weight"]
    count = weight.shape[0] if weight and weight.shape else 0
    if not 0 < count <= limits.CLASSES or count == len(layer.weight):
        return None
    wanted = {name: (count, *own.shape[1:]) for name, own in layer.named_parameters()}
    if any(part is None or part.shape != wanted[name] for name, part in parts.items()):
        return None
    for name, own in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(own.new_empty(wanted[name]), requires_grad=False))
    setattr(layer, "out_features" if isinstance(layer, nn.Linear) else "out_channels", count)
    return count


def _beside(found: Any, at: str) -> list[str]:
    """Names of what a file holds beside the mapping at some place."""
    return [str(key)[:_LONGEST] for key in found if _is_name(key) and not at.startswith(key)] if at else []


def _few(names: Iterable[str]) -> str:
    found = [name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..." for name in names]
    more = len(found) - _NAMED
    return ", ".join(found[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def tensors_hash(module: nn.Module) -> str:
    """The SHA-256 of a module's weights, in hex; what it keeps besides, in ways of its own, does not count."""
    found = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        with suppress(RuntimeError, NotImplementedError, AttributeError, TypeError):
            values = tensor.detach().to_dense().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            found.update(values.view(torch.uint8).numpy())
    return found.hexdigest()
