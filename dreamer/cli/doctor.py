"""`dreamer doctor`: checks the installation and suggests a fix for every problem."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from dreamer import __version__
from dreamer.cli.streams import echo
from dreamer.errors import many
from dreamer.openmp import spinning


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` says what to do about it. Not a `problem`: the fix only adds something."""

    what: str
    found: str
    fix: str = ""
    problem: bool = True


@click.command()
def doctor() -> None:
    """Check this installation and suggest fixes.

    It looks at torch, processor, idle threads, GPU, memory, networks and weights, picture and video formats, and
    plugins.
    """
    findings = list(examine())
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        echo(f"{'!' if finding.fix and finding.problem else ' '} {finding.what.ljust(width)}  {finding.found}")
        if finding.fix:
            echo(f"  {' ' * width}  -> {finding.fix}")


def examine() -> Iterator[Finding]:
    """Yield the results of all checks; one that fails does not stop the others."""
    yield Finding("dreamer", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    for part in (_torch, _processor, _gpu, _memory, _networks, _formats, _encoders, _plugins):
        try:
            yield from part()
        except Exception as error:  # a check that crashes is a finding itself
            yield Finding(part.__name__.strip("_"), f"{type(error).__name__}: {error}", "reinstall dreamer-art")


def _torch() -> Iterator[Finding]:
    import torch

    from dreamer.networks.without_compiler import without_compiler

    with without_compiler():
        import torchvision

    yield Finding("torch", f"{torch.__version__}, torchvision {torchvision.__version__}")


def _processor() -> Iterator[Finding]:
    import torch

    from dreamer.networks.prepare import bfloat16_pays

    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    fix = "unset OMP_NUM_THREADS, or use --threads" if threads < cores // 2 else ""
    capability = torch.backends.cpu.get_cpu_capability()
    half = ", bfloat16" if bfloat16_pays("cpu") else ""
    yield Finding("processor", f"{many(cores, 'core')}, {many(threads, 'thread')} used, {capability}{half}", fix)
    yield Finding("idle threads", spinning())


def _gpu() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            yield Finding(f"GPU {number}", f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    elif torch.backends.mps.is_available():
        yield Finding("GPU", "Apple, used automatically")
    elif shutil.which("nvidia-smi"):
        yield Finding("GPU", "found, but torch cannot use it", "install a torch built for your driver: pytorch.org")
    else:
        yield Finding("GPU", "none; computing on the processor")


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    low = memory.available < 2 * 2**30
    fix = "close other programs, or dream with a smaller --size or --tile 256" if low else ""
    yield Finding("memory", f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free", fix)


def _networks() -> Iterator[Finding]:
    import torch

    from dreamer.networks.reverie import reverie
    from dreamer.networks.torchvision import classics

    yield Finding("reverie", f"built in, {len(reverie().layers())} layers")
    folder = os.path.join(torch.hub.get_dir(), "checkpoints")
    here = [factory.name for factory in classics() if factory.weights_path().exists()]
    found = ", ".join(here) or "none"
    yield Finding("weights", f"{found} in {folder}", "" if here else "dreamer networks fetch googlenet", problem=False)


def _formats() -> Iterator[Finding]:
    from PIL import features

    missing = [name for name in ("jpg", "webp", "avif", "libtiff", "littlecms2") if not features.check(name)]
    fix = "pip install --force-reinstall pillow" if missing else ""
    yield Finding("pictures", f"no {', '.join(missing)}" if missing else "JPEG, PNG, WebP, TIFF, AVIF, profiles", fix)
    try:
        yield Finding("HEIC", f"pillow-heif {version('pillow-heif')}")
    except PackageNotFoundError:
        yield Finding("HEIC", "not supported", "pip install 'dreamer-art[heif]'", problem=False)


def _encoders() -> Iterator[Finding]:
    import av

    wanted = ("libx264", "libvpx-vp9", "libsvtav1", "gif")
    have = [name for name in wanted if name in av.codecs_available]
    yield Finding("video", f"PyAV {av.__version__}: {', '.join(have)}")


def _plugins() -> Iterator[Finding]:
    from dreamer.plugins.loading import load_plugins

    found = load_plugins()[1]
    broken = [plugin for plugin in found if plugin.problem]
    names = dict.fromkeys(f"{plugin.distribution} {plugin.version}" for plugin in found)
    yield Finding("plugins", ", ".join(names) or "none")
    for plugin in broken:
        fix = shlex.join([sys.executable, "-m", "pip", "install", "--upgrade", plugin.distribution])
        yield Finding(plugin.name, f"broken: {plugin.problem}", f"{fix}, or uninstall it")
