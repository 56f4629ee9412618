"""The look over a frame at its time: the film's own pipeline, or a section's, with driven sizes of features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from dreamer.engine.score import Scorer
from dreamer.errors import UsageError, argument, collect_problems, either, reported_together
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan, plan_octaves
from dreamer.recipes.drives import Drive
from dreamer.videos.sound.driven import Drives
from dreamer.videos.sound.song import Song

Sections = Sequence[tuple[float, Pipeline]]
"""Pipelines, each with the time in seconds from which on it dreams, in order."""


@dataclass(frozen=True)
class Look:
    """A pipeline, its plan for a film's frames, and what looks at these."""

    pipeline: Pipeline
    plan: Plan

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer, which keeps the network where it is for all frames."""
        return self.pipeline.scorer(self.plan)


@dataclass(frozen=True)
class Looks:
    """The looks of a film whose own pipeline has this plan."""

    usual: Look
    sections: Sections
    drives: Drives
    _known: dict[tuple[Pipeline, float | None], Look] = field(default_factory=dict, compare=False, repr=False)

    def at(self, time: float) -> Look:
        """The look at a time in seconds."""
        pipeline = next((look for begin, look in reversed(self.sections) if begin <= time), self.usual.pipeline)
        size = self.drives.number("feature_size", time)
        if size is None and pipeline is self.usual.pipeline:
            return self.usual
        rounded = None if size is None else round(2 * size) / 2  # so that there are few plans
        if (pipeline, rounded) not in self._known:
            self._known[pipeline, rounded] = self._made(pipeline, rounded)
        return self._known[pipeline, rounded]

    def _made(self, pipeline: Pipeline, feature_size: float | None) -> Look:
        octaves = pipeline.recipe.octaves
        if feature_size is not None:
            octaves = replace(octaves, count=None, feature_size=feature_size)
        size = self.usual.plan.size
        planned = plan_octaves(octaves, pipeline.network, pipeline.terms, *size, pipeline.wholes.get(size))
        return Look(pipeline, replace(self.usual.plan, octaves=planned))


def sections_by(drives: Iterable[Drive], song: Song | None, begin: float, presets: Mapping[str, Pipeline]) -> Sections:
    """The pipelines that take turns at a song's sections; none where no drive asks for it.

    Args:
        drives: Of which one may be to `preset`.
        song: What is heard.
        begin: The time in the song at which the clip begins.
        presets: The pipelines, by the names that the drive has for them.
    """
    turns = next((drive.presets for drive in drives if drive.to == "preset"), ())
    if not turns:
        return ()
    if song is None:
        raise UsageError(f"drives: sections are heard in a song, and there is none; name it ({argument('audio')})")
    return [(float(time) - begin, presets[turns[n % len(turns)]]) for n, time in enumerate(song.sections)]


def check_sections(usual: Pipeline, sections: Sections, size: tuple[int, int]) -> None:
    """Raise UsageError where the looks of sections cannot dream over frames of `size` (h, w), or in other regions."""
    with reported_together() as problems:
        for pipeline in dict.fromkeys(look for _, look in sections):
            with collect_problems(problems):
                pipeline.plan_frames(*size)
            if pipeline.recipe.places != usual.recipe.places:
                problems.append(
                    "regions: the looks of a clip's sections have different ones; "
                    f"name them for all looks ({either('regions=[...]', '--region')})"
                )
