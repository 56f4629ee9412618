"""Damage clips at random and read them: nothing may crash, hang, take all memory or raise anything but a sentence.

    python tests/benchmarks/fuzz_clips.py --minutes 10 --seed 0
    python tests/benchmarks/fuzz_clips.py --keep found/      # keep what fails

Each damaged clip is read by a process of its own, with 2 GB of memory and 20 seconds. Needs an operating system that
forks.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

import av
import numpy as np
from clips import picture
from PIL import Image

from dreamer.errors import DreamerError
from dreamer.videos.clip.audio import find_sound
from dreamer.videos.clip.reader import frames, probe, read_recipe

MEMORY, SECONDS, FRAMES = 2 << 30, 20, 60
CODECS = {
    "a.mp4": ("libx264", "yuv420p", "aac"),
    "b.mp4": ("libx265", "yuv420p10le", None),
    "c.mov": ("prores_ks", "yuva444p10le", "pcm_s16le"),
    "d.webm": ("libvpx-vp9", "yuva420p", "libopus"),
    "e.mkv": ("ffv1", "bgra", "flac"),
    "f.mkv": ("libsvtav1", "yuv420p", None),
    "g.avi": ("mpeg4", "yuv420p", None),
    "h.avi": ("libx264", "yuv420p", None),
    "i.ts": ("libx264", "yuv420p", "aac"),
    "j.ts": ("mpeg2video", "yuv420p", None),
    "k.gif": ("gif", "rgb8", None),
    "l.png": ("apng", "rgba", None),
}
FAILED = 3
"""The exit code of a process in which something else than a DreamerError was raised."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, help="Folder for the clips that fail.")
    wish = options.parse_args()
    chance = random.Random(wish.seed)
    found = tried = 0
    with TemporaryDirectory() as folder:
        clips = made_in_a_process(Path(folder))
        until = time.monotonic() + 60 * wish.minutes
        while time.monotonic() < until:
            source = chance.choice(clips)
            path = Path(folder) / f"damaged{source.suffix}"
            path.write_bytes(damaged(source.read_bytes(), chance))
            tried += 1
            if why := outcome(lambda path=path: read(path)):
                found += 1
                print(f"{tried}: {source.name}: {why}", flush=True)
                if wish.keep:
                    wish.keep.mkdir(exist_ok=True)
                    shutil.copy(path, wish.keep / f"{wish.seed}-{tried}{source.suffix}")
    print(f"{tried} damaged clips, {found} failed")
    return 1 if found else 0


def read(path: Path) -> None:
    """All that dreamer reads of a clip."""
    with suppress(DreamerError):
        for _ in islice(frames(probe(path, max_pixels=4_000_000)), FRAMES):
            pass
    with suppress(DreamerError):
        read_recipe(path)
    for container in ("mp4", "webm"):
        with suppress(DreamerError):
            find_sound(path, Fraction(0), container)


def outcome(work: Callable[[], None]) -> str:
    """Do some work in a process of its own; returns how that failed, or nothing."""
    process = os.fork()
    if not process:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(SECONDS)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(FAILED)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code == -signal.SIGALRM:
        return f"it takes more than {SECONDS} seconds"
    return {0: "", FAILED: "another exception"}.get(code, f"the process ended with {code}")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A file with a few mistakes: bytes changed, numbers made extreme, parts lost, doubled, moved or cut off."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 3, 8, 30))):
        if len(found) < 16:
            break
        # headers, where the numbers are, are at the beginning, or at the end
        at = chance.choice((chance.randrange(len(found)), chance.randrange(min(len(found), 1200)), -1))
        at = chance.randrange(max(0, len(found) - 1500), len(found)) if at < 0 else at
        length = chance.choice((1, 4, 16, 200))
        match chance.randrange(7):
            case 0:
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                found[at] = chance.randrange(256)
            case 2:
                number = chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 65536, chance.getrandbits(32)))
                found[at : at + 4] = number.to_bytes(4, chance.choice(("big", "little")))
            case 3:
                del found[at : at + length]
            case 4:
                found[at:at] = found[at : at + length]
            case 5:
                other = chance.randrange(len(found))
                found[at : at + length] = found[other : other + length]
            case 6 if chance.random() < 0.2:
                del found[at:]
    return bytes(found)


def made_in_a_process(folder: Path) -> list[Path]:
    """Small clips of many kinds, made in a process of its own, since a process with threads should not fork."""
    why = outcome(lambda: make(folder))
    if why:
        raise SystemExit(f"the clips could not be made: {why}")
    return sorted(folder.iterdir())


def make(folder: Path) -> None:
    for name, (codec, pixels, sound) in CODECS.items():
        encode(folder / name, codec, pixels, sound)
    stills = [Image.fromarray(transparent(number)) for number in range(6)]
    for name in ("m.webp", "n.avif", "o.png", "p.gif"):
        stills[0].save(folder / name, save_all=True, append_images=stills[1:], duration=50)


def transparent(number: int) -> np.ndarray:
    alpha = np.full((48, 64, 1), 255, np.uint8)
    alpha[:, : 8 * number] = 0
    return np.concatenate([picture(number), alpha], 2)


def encode(path: Path, codec: str, pixels: str, sound: str | None) -> None:
    os.environ["SVT_LOG"] = "1"
    with av.open(str(path), "w", format="apng" if codec == "apng" else None) as container:
        quiet = {"x265-params": "log-level=error"} if codec == "libx265" else {}
        stream = container.add_stream(codec, rate=12, options=quiet)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        hum = container.add_stream(sound, rate=48000) if sound else None
        if hum is not None:
            hum.layout = "stereo"
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(transparent(number), format="rgba").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 12)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if hum is not None:
            resampler = av.AudioResampler(hum.format, "stereo", 48000, hum.frame_size or 1024)
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 24000), np.int16), "s16", "stereo")
            wave.rate, wave.pts = 48000, 0
            for part in (*resampler.resample(wave), *resampler.resample(None), None):
                container.mux(hum.encode(part))


if __name__ == "__main__":
    sys.exit(main())
