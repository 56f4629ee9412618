"""The machine that a dream runs on, and what `auto` means there.

What dreamer changes for the whole process, all of it:

- `GOMP_SPINCOUNT` and `KMP_BLOCKTIME`, unless a person sets one: by `import dreamer`, before torch (`dreamer.openmp`).
- `TORCH_DEVICE_BACKEND_AUTOLOAD`, unless it is set: before torch, where some distribution's list of entry points is
  damaged, at which torch's import would fail (`plugins.preset_packs`).
- `SVT_LOG`, unless it is set: when a video is encoded, so that AV1's encoder prints errors only (`clip.encode`).
- `torch.set_num_threads`: by commands only, to what `--threads` says (`use_threads`, `cli.parts`, `cli.train`), in the
  processes that try looks (`cli.drawing`), and to 1 in those that draw for a training (`training.stream`).
- stdout and stderr: by commands only, which write what they can (`cli.streams`).
- `PYTHONSAFEPATH`: while the process that draws for a training is started, then as before (`training.stream`).
- The current folder: of processes that make units, to the command's, and of a command while it connects with Ray
  (`units.serving`, `units.rays`); there also `RAY_USAGE_STATS_ENABLED`, unless it is set, and a cluster's token.
- Python's garbage collector, which collects more rarely: by commands only, for good (`cli`).
- glibc's `mallopt`: by commands only, for good (`keep_freed_memory` below).
- `PIL.Image.MAX_IMAGE_PIXELS`: while a picture is opened and decoded, under a lock, then as before (`image.source`).
- Pillow's formats: HEIC is among them once such a picture has been opened (`image.source`).
- `DREAMER_PLUGINS`, `sys.path` and `sys.modules`: while a plugin is tried, then as before (`testing.target`).
- The logger `textual_image` passes nothing on: by `dreamer presets list` in a terminal (`cli.presets`).

torch's random state is the caller's: dreamer draws in a fork of it, or from generators of its own.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import torch

from dreamer.errors import quoted, reported_together

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's mallopt
_DEVICES = ("cpu", "cuda", "mps")
_NUMBERED = re.compile(r"cuda:[0-9]{1,3}")  # one of several graphics cards
_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_SHARE = 0.5  # of the free memory that one pass may take


@dataclass(frozen=True)
class Machine:
    """What a picture's bytes depend on besides recipe and photo; `tile` is a side in pixels, 0 for none.

    Given as wanted ("auto", -1 for tile and 0 for threads), it is resolved by `resolved`.
    """

    device: str = "auto"
    precision: str = "auto"
    tile: int = -1
    threads: int = 0

    @classmethod
    def read(cls, words: Mapping[str, Any]) -> Machine:
        """The machine that a picture tells of, which may be a stranger's: what makes no sense here is `auto`."""
        device, precision, tile, threads = (words.get(key) for key in ("device", "precision", "tile", "threads"))
        return cls(
            device if isinstance(device, str) and _available(device) else "auto",
            precision if precision in ("float32", "bfloat16") else "auto",
            tile if isinstance(tile, int) and (tile == 0 or 32 <= tile <= 65536) else -1,
            threads if isinstance(threads, int) and 0 < threads <= (os.cpu_count() or 1) else 0,
        )

    def resolved(self) -> Machine:
        """Device and threads settled; tile and precision depend on the picture and its network: `Pipeline.plan`.

        Raises UsageError for a device that is not there, and for what is none.
        """
        device = self.device if isinstance(self.device, str) else ""
        device = device if device != "auto" else _best_device()
        precision = self.precision if isinstance(self.precision, str) else ""
        with reported_together() as problems:
            if device not in _DEVICES and not _NUMBERED.fullmatch(device):
                problems.append(f"device: {quoted(self.device)} is not one of auto, {', '.join(_DEVICES)}, cuda:1")
            elif not _available(device):
                problems.append(f"device: torch can use no {device} on this machine; `dreamer doctor` tells more")
            if precision not in ("auto", *_PRECISIONS):
                problems.append(f"precision: {quoted(self.precision)} is not one of auto, {', '.join(_PRECISIONS)}")
            if type(self.tile) is not int or not (self.tile in (-1, 0) or self.tile >= 32):
                problems.append(f"tile: {quoted(self.tile)} is not a number of pixels from 32, nor 0 for none")
        return Machine(device, precision, self.tile, self.threads or torch.get_num_threads())

    def to_dict(self) -> dict[str, Any]:
        """For the picture: with the torch version, on which bytes depend too."""
        return {**asdict(self), "torch": torch.__version__}

    @property
    def dtype(self) -> torch.dtype:
        """The precision as torch's type; float32 where it has not been settled."""
        return _PRECISIONS.get(self.precision, torch.float32)


def use_threads(machine: Machine) -> None:
    """Have torch compute with so many threads, for the rest of the process."""
    torch.set_num_threads(machine.threads)


def free_memory(device: str) -> int:
    """Bytes that one pass may take on the device right now."""
    return int(available_memory(device) * _SHARE)


def available_memory(device: str) -> int:
    """Bytes that are free on the device right now; on the CPU, as far as this process may use them (`ulimit -v`)."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    if sys.platform != "linux":
        return free
    process = psutil.Process()
    allowed, _ = process.rlimit(psutil.RLIMIT_AS)
    return free if allowed == psutil.RLIM_INFINITY else max(0, min(free, allowed - process.memory_info().vms))


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next step, for the rest of the process.

    glibc gives large blocks back to the system at once, and every step then pays a fifth of its time for new pages.
    Other systems' libraries do not, and nothing is done there. Not for tiled pictures: it costs them some memory.
    """
    if sys.platform == "linux":
        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(_M_MMAP_MAX, 0)
            libc.mallopt(_M_TRIM_THRESHOLD, -1)
        except (OSError, AttributeError):
            return  # another C library than glibc


def _best_device() -> str:
    return next((device for device in ("cuda", "mps") if _available(device)), "cpu")


def _available(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_available()
    if device == "mps":
        return torch.backends.mps.is_available()
    if _NUMBERED.fullmatch(device):
        return int(device.partition(":")[2]) < torch.cuda.device_count()
    return device == "cpu"
