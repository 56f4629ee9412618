"""The options that decide a dream, as typed, and the pipeline that is built from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from dreamer.cli.regions import with_regions
from dreamer.errors import UsageError, collect_problems

if TYPE_CHECKING:
    from dreamer.engine.device import Machine
    from dreamer.networks.network import Network
    from dreamer.pipeline.build import Aim, Request
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.recipes.provenance import Provenance
    from dreamer.recipes.recipe import RecipeDict
    from dreamer.recipes.registry import Registry

Made = TypeVar("Made")
_FLAGS = {
    "octaves.feature_size": "--feature-size",
    "octaves.steps": "--steps",
    "canvas.name": "--canvas",
    "optimiser.name": "--optimiser",
    "pictures": "--count",
    "spare": "--keep",
}
"""Flags whose names differ from the recipe keys that they set."""

OPTIONS = {
    key: f"--{key.replace('_', '-')}"
    for key in (
        *("preset", "recipe", "network", "weights", "layer", "motif", "channel", "strength", "keep", "feature_size"),
        *("size", "seed", "init", "guide", "region", "feather", "wrap", "tile", "device", "precision", "threads"),
    )
}
"""Fields of `RenderOptions` -> the options that they are."""


@dataclass(frozen=True)
class RenderOptions:
    """The options of `dreamer.cli.options`, as typed; None where an option was not given."""

    preset: str | None
    recipe: str | None
    network: str | None
    weights: Path | None
    layer: str | None
    settings: tuple[str, ...]
    strength: float | None
    feature_size: float | None
    size: int | None
    seed: int | None
    init: str | None
    guide: Path | None
    tile: int | None
    device: str | None
    precision: str | None
    threads: int | None
    max_pixels: int
    keep: float | None = None
    motif: str | None = None
    channel: str | None = None
    region: tuple[str, ...] = ()
    feather: float | None = None
    wrap: str | None = None
    swept: tuple[tuple[str, Any], ...] = ()
    """Recipe keys with values that have the last word: those of a sweep."""

    def words(self) -> list[str]:
        """The options as words of a command line, without those of a sweep."""
        sizes = {("size", 0): "full", ("tile", 0): "none", ("tile", -1): "auto"}
        found = []
        for key, name in {**OPTIONS, "settings": "--set"}.items():
            value = getattr(self, key)
            for one in value if isinstance(value, tuple) else () if value is None else (value,):
                found += [name, str(sizes.get((key, one), one))]
        return found

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON can hold them, for `read`."""
        words = [*self.words(), "--max-pixels", str(self.max_pixels)]
        return {"options": words, "swept": [list(pair) for pair in self.swept]}

    @classmethod
    def read(cls, words: Mapping[str, Any]) -> RenderOptions:
        """The options of `to_dict`."""
        from dreamer.cli.render import render

        with render.make_context("render", list(words["options"])) as context:
            params = dict(context.params)
        (params["seed"],) = params.pop("seeds") or (None,)
        given = cls(**{key: value for key, value in params.items() if key in cls.__dataclass_fields__})
        return replace(given, swept=tuple((key, value) for key, value in words["swept"]))

    def repeating(self, recipe: str) -> RenderOptions:
        """The options that repeat `recipe`, a picture made with these: it, and the files that a recipe only names."""
        kept = ("weights", "guide", "region", "max_pixels")
        return replace(
            self,
            **{
                **dict.fromkeys(OPTIONS),
                "settings": (),
                **{key: getattr(self, key) for key in kept},
                "recipe": recipe,
            },
        )

    def pipeline(
        self,
        registry: Registry,
        notify: Callable[[str], None],
        problems: list[str],
        *,
        fetch: bool = True,
        flags: Mapping[str, Any] = MappingProxyType({}),
        use: Callable[[Request], Pipeline] | None = None,
    ) -> tuple[Pipeline, Provenance | None]:
        """Build the pipeline; return it with the provenance of the repeated picture, if there is one: see `made`.

        `use` makes the pipeline from the request; without it, the request is built.
        """

        def build(request: Request, aim: Aim | None) -> Pipeline:
            return use(request) if use else request.build(registry, aim)

        return self.made(build, registry, notify, problems, fetch=fetch, flags=flags)

    def made(
        self,
        make: Callable[[Request, Aim | None], Made],
        registry: Registry,
        notify: Callable[[str], None],
        problems: list[str],
        *,
        fetch: bool = True,
        flags: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[Made, Provenance | None]:
        """Make something of the request; return it with the provenance of the repeated picture, if there is one.

        Args:
            make: Given the request and what gives its objectives, if that depends on the network.
            registry: Every name that a recipe may use.
            notify: Called with each notice for the person.
            problems: Sentences about what was found to be wrong before.
            fetch: Whether a network that is named may be downloaded.
            flags: The values of options of the command itself, by recipe key; None where one was not given.

        Raises:
            UsageError: With every problem, earlier ones included; then nothing has been downloaded.
        """
        from dreamer.engine.device import Machine
        from dreamer.image import load
        from dreamer.pipeline.build import Request
        from dreamer.pipeline.regions import grows_nowhere
        from dreamer.recipes.preset import BESIDE

        provenance, guide, machine = None, None, Machine()
        words: Mapping[str, Any] = {}
        with collect_problems(problems):
            provenance, words = self._words(registry)
        words, masks = with_regions(words, self.region, self.max_pixels, problems)
        if self.preset and not problems and (sentence := grows_nowhere(self.preset, words, registry)):
            notify(sentence)
        changes = [*self._changes(problems), *((key, value) for key, value in flags.items() if value is not None)]
        if self.feather is not None and not problems and not words.get("regions"):
            if not any(key.partition(".")[0] == "regions" for key, _ in changes):
                problems.append("--feather: there is no --region whose edge it could soften; add one")
        with collect_problems(problems):
            guide = load(self.guide, max_pixels=self.max_pixels) if self.guide else None
        with collect_problems(problems):
            machine = self._machine(provenance).resolved()
        before = len(problems)
        with collect_problems(problems):
            named = (self.network, self.weights, self.layer)
            fetch = fetch and not problems
            request = Request(words, changes, *named, fetch, guide, machine, notify, self.max_pixels, masks)
            made = make(replace(request, beside=() if provenance else BESIDE), self._aim(problems))
        lacking = self._other_weights(provenance) if provenance else ""
        if lacking and len(problems) > before:  # motifs and layers that the network's own weights do not have
            problems[before:] = [lacking]
        if problems:
            problems = [self._as_typed(problem, flags) for problem in problems]
            missing = registry.missing(provenance.plugins, provenance.places()) if provenance else []
            if provenance:  # who names an ingredient in full does not know where its plugin came from
                known = tuple(registry.missing(provenance.plugins))
                problems = [problem for problem in problems if not problem.endswith(known)]
            if missing and self.network is None:  # that is why
                problems = [problem for problem in problems if not problem.startswith("no network is called ")]
            raise UsageError(*(f"{self.recipe}: {sentence}" for sentence in missing), *problems)
        if lacking:
            notify(f"{lacking} for the same picture")
        return made, provenance

    def _aim(self, problems: list[str]) -> Aim | None:
        """The function that returns the objectives of --motif or --channel; None without these options."""
        if self.motif is None and self.channel is None:
            return None
        if self.guide:
            problems.append("--guide cannot be combined with --motif or --channel; each says what is to grow")

        from dreamer.visualization.unit import channel_words

        def aim(network: Network, words: RecipeDict) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            if self.motif is not None:
                layer = self.layer or next(iter(network.figures or network.heads), network.default_layer)
                names = [name.strip() for name in self.motif.split(",") if name.strip()]
                found.append({"name": "motif", "layer": layer, "names": names})
            if self.channel is not None:
                layer = self.layer or network.default_layer
                found.append({"name": "channel", "layer": layer, **channel_words(self.channel)})
            return found

        return aim

    def _other_weights(self, provenance: Provenance) -> str:
        """The sentence about a person's own weights that the repeated picture was made with, unless they are given."""
        from dreamer.networks.weights import file_hash

        named = provenance.recipe.get("network")
        if not provenance.weights_file or (self.network or named) != named:
            return ""
        theirs = f"{self.recipe}: this recipe was made with the weights {provenance.weights_file} (sha256 "
        theirs += f"{provenance.weights[:12]}...)"
        if self.weights is None:
            return f"{theirs}; pass --weights FILE"
        with suppress(OSError):
            if self.weights.is_file() and file_hash(self.weights) != provenance.weights:
                return f"{theirs}, and {self.weights} is another file; pass that one"
        return ""

    def _as_typed(self, problem: str, flags: Mapping[str, Any]) -> str:
        """The problem, with the flag that was typed in place of the recipe key that it set."""
        key, colon, rest = problem.partition(":")
        typed = {**self.flags, **flags}.get(key) is not None
        return f"{_FLAGS.get(key, f'--{key}')}{colon}{rest}" if typed else problem

    def _words(self, registry: Registry) -> tuple[Provenance | None, Mapping[str, Any]]:
        """The recipe of --preset or --recipe, and the provenance when it is a picture's."""
        from dreamer.cli.provenance import provenance_in
        from dreamer.recipes.preset import find_preset

        if self.preset:
            return None, find_preset(registry, self.preset).words
        if not self.recipe:
            return None, {}
        source = Path(self.recipe)
        if source.suffix == ".toml":
            return None, find_preset(registry, source).words
        provenance = provenance_in(source)
        return provenance, provenance.recipe

    def _changes(self, problems: list[str]) -> list[tuple[str, Any]]:
        """The recipe keys that options set, with their values; flags come after --set and so take precedence."""
        from dreamer.recipes.overrides import read_setting

        changes = []
        for text in self.settings:
            with collect_problems(problems):
                changes.append(read_setting(text))
        return [*changes, *((key, value) for key, value in self.flags.items() if value is not None), *self.swept]

    @property
    def flags(self) -> dict[str, Any]:
        """The values of flags, by recipe key."""
        plain = {key: getattr(self, key) for key in ("strength", "size", "seed", "init", "feather", "wrap")}
        return {**plain, "octaves.feature_size": self.feature_size, "spare": self.keep}

    def _machine(self, provenance: Provenance | None) -> Machine:
        """The machine that flags ask for, else that of the repeated picture, else an automatic one."""
        from dreamer.engine.device import Machine

        before = Machine.read(provenance.machine) if provenance else Machine()
        flags = {key: getattr(self, key) for key in ("device", "precision", "tile", "threads")}
        return replace(before, **{key: value for key, value in flags.items() if value is not None})
