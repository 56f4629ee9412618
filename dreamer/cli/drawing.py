"""Makers for the processes of --jobs and --on: channels of an atlas, and looks of a photo."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.hands import THREADS, failure, order_of
from dreamer.cli.network_choice import NetworkChoice
from dreamer.files import write_atomically
from dreamer.units.serving import Tell
from dreamer.units.unit import Unit
from dreamer.units.working import Hire, work

if TYPE_CHECKING:
    from dreamer.pipeline.pipeline import Pipeline


class Channels:
    """Draws channels: its words are those of a `NetworkChoice` and the `drawing`, a unit's `layer` and `channels`.

    A drawing is a WebP file of a few thousand bytes, and so is given back as words, in base64.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        from dreamer.plugins.loading import load_plugins

        self._registry, _ = load_plugins()
        chosen, self._drawing = NetworkChoice.read(dict(words)), words["drawing"]
        self._network, self._machine, _ = chosen.load(self._registry, lambda network, machine: None)
        self._pipelines: dict[str, Pipeline] = {}

    def make(self, unit: Unit, tell: Tell) -> Mapping[str, Any]:
        """Draw the channels of a unit."""
        from dreamer.visualization.atlas.channel_images import draw_channels
        from dreamer.visualization.atlas.layer_section import sections_of

        layer, channels = unit.words["layer"], unit.words["channels"]
        if layer not in self._pipelines:
            how = {"machine": self._machine, "notify": lambda sentence: None, **self._drawing}
            ((_, self._pipelines[layer]),) = sections_of(self._network, self._registry, [layer], None, **how)
        drawn = draw_channels(self._pipelines[layer], channels, on_step=lambda done, batch, step: tell(step.share))
        return {"images": {channel: base64.b64encode(image).decode() for channel, image in drawn}}


def drawn_by(
    hire: Hire, words: Mapping[str, Any], layer: str, channels: Sequence[int], batch: int, show: Callable[[float], None]
) -> Iterator[tuple[int, bytes]]:
    """Yield channels with their drawings, in the order of completion; `show` is told the share that is done.

    Raises what went wrong with the first that failed three times, once the others are done.
    """
    batches = [list(channels[begin : begin + batch]) for begin in range(0, len(channels), batch)]
    units = (Unit(f"{layer}, channel {each[0]} and on", {"layer": layer, "channels": each}) for each in batches)
    order, done, failed = order_of("dreamer.cli.drawing:Channels", **words), 0, None

    def shown(share: float) -> None:
        show((done + share) / len(batches))

    with closing(work(order, units, hire, shown)) as outcomes:
        for outcome in outcomes:
            done += 1
            if outcome.problems:
                failed = failed or failure((f"{outcome.unit.label}: {outcome.problems[0]}",), outcome.code)
            for channel, image in outcome.result.get("images", {}).items():
                yield int(channel), base64.b64decode(image)
    if failed:
        raise failed


class Looks:
    """Dreams over the middle of a photo with a look: its words are `photo`, `max_pixels`, `size`, `strength`, `seed`.

    A unit's are `name`, a preset's, and `into`, the PNG to write.
    """

    def __init__(self, words: Mapping[str, Any]) -> None:
        import torch

        from dreamer.engine.device import keep_freed_memory
        from dreamer.image import load, to_pil

        torch.set_num_threads(THREADS)
        keep_freed_memory()
        self._words = words
        self._piece = to_pil(load(Path(words["photo"]), max_pixels=words["max_pixels"]).middle(words["size"]))

    def make(self, unit: Unit, tell: Tell) -> Mapping[str, Any]:
        """Dream with a look."""
        from dreamer.api import dream, registry
        from dreamer.recipes.preset import find_preset

        preset = find_preset(registry(), unit.words["name"])
        how = {key: self._words[key] for key in ("strength", "seed")}
        picture = dream(self._piece, preset=preset, on_step=lambda step: tell(step.share), **how)
        data = io.BytesIO()
        picture.save(data, "PNG")
        write_atomically(Path(unit.words["into"]), data.getvalue())
        return {}
