"""Reads mutated pictures of every format and depth, each within limits of memory and time, and reports what breaks.

    python tests/benchmarks/fuzz_pictures.py --minutes 10 --seed 0

The pictures are made here. Each is read by `dreamer.image.load` in a child process and, if it can be read, written and
read again. What is reported: a child that dies or takes too long, and any exception that is no DreamerError. The
mutated pictures are kept in the folder that `--keep` names.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import select
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

MEMORY = 2 << 30  # bytes beyond what the child has when it begins
SECONDS = 20.0
NUMBERS = (0, 1, 2, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def originals() -> dict[str, bytes]:
    """Pictures of every format, depth and kind, with metadata."""
    import numpy as np
    import phones
    import tifffile
    from image_samples import XMP, exif, noise, smooth, written
    from PIL import Image

    from dreamer.image import png

    made = {name: make() for name, make in phones.PHOTOS.items()}
    scene, deep = smooth(48, 64), noise((48, 64, 4), np.uint16)
    picture = Image.fromarray(scene)

    def saved(image: Image.Image, format: str, **options: object) -> bytes:
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = picture.quantize(32) if mode == "P" else picture.convert(mode)
        made[f"{mode}.png"] = saved(image, "PNG", exif=exif(5), icc_profile=phones.WIDE)
    for mode in ("L", "RGB", "CMYK"):
        made[f"{mode}.jpg"] = saved(picture.convert(mode), "JPEG", exif=exif(5), xmp=XMP, icc_profile=phones.WIDE)
    made["progressive.jpg"] = saved(picture, "JPEG", progressive=True)
    for lossless in (False, True):
        webp = {"lossless": lossless, "exif": exif(6), "xmp": XMP, "icc_profile": phones.WIDE}
        made[f"{lossless}.webp"] = saved(picture.convert("RGBA"), "WEBP", **webp)
    frames = {"save_all": True, "append_images": [picture.rotate(180)]}
    for name, format in (("still.gif", "GIF"), ("still.bmp", "BMP"), ("a.avif", "AVIF")):
        made[name] = saved(picture, format)
    for format in ("GIF", "WEBP", "PNG", "AVIF"):
        made[f"moving.{format.lower()}"] = saved(picture, format, **frames)
    made["exif.avif"] = saved(picture, "AVIF", exif=exif(6), xmp=XMP, icc_profile=phones.WIDE)
    for packed in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4", "tiff_lzma"):
        image = picture.convert("1") if packed == "group4" else picture
        made[f"{packed}.tif"] = saved(image, "TIFF", compression=packed, icc_profile=phones.WIDE)
    made["pages.tif"] = saved(picture, "TIFF", **frames)
    for number, options in enumerate(
        ({}, {"bigtiff": True}, {"tile": (16, 16)}, {"compression": "zlib", "predictor": True}, {"compression": "lzma"})
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, deep, photometric="rgb", extrasamples=["unassalpha"], **options)
        made[f"deep{number}.tif"] = file.getvalue()
    for channels in (1, 2, 3, 4):
        colours = 1 if channels < 3 else 3
        alpha = deep[..., 3] if channels in (2, 4) else None
        made[f"deep{channels}.png"] = written(
            png.write,
            deep[..., :colours],
            alpha,
            exif=exif()[6:],
            texts=[("Comment", "a"), (png.XMP_KEYWORD, XMP.decode())],
        )
    return made


def chunks(data: bytes) -> list[bytes]:
    """The pieces that a format consists of, as far as they can be told; else pieces of any length."""
    if data.startswith(b"\x89PNG"):
        pieces, at = [data[:8]], 8
        while at + 8 <= len(data):
            size = 12 + int.from_bytes(data[at : at + 4], "big")
            pieces.append(data[at : at + size])
            at += size
        return pieces
    if data.startswith(b"RIFF"):
        pieces, at = [data[:12]], 12
        while at + 8 <= len(data):
            size = 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            pieces.append(data[at : at + size + size % 2])
            at += size + size % 2
        return pieces
    if data.startswith(b"\xff\xd8"):
        return [b"\xff" + piece for piece in data.split(b"\xff")[1:]]
    if data[4:8] == b"ftyp":
        pieces, at = [], 0
        while at + 8 <= len(data):
            size = max(8, int.from_bytes(data[at : at + 4], "big"))
            pieces.append(data[at : at + size])
            at += size
        return pieces
    step = max(1, len(data) // 20)
    return [data[at : at + step] for at in range(0, len(data), step)]


def with_checksums(data: bytes) -> bytes:
    """A PNG whose checksums are right again, so that what is damaged is looked at."""
    pieces = chunks(data)
    return pieces[0] + b"".join(
        piece[:-4] + struct.pack(">I", zlib.crc32(piece[4:-4])) if len(piece) >= 12 else piece for piece in pieces[1:]
    )


def flipped(data: bytes, dice: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    return bytes(out)


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randint(1, len(data))]


def overwritten(data: bytes, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(data)), dice.choice((1, 4, 16, 200))
    return data[:at] + dice.choice((bytes(length), b"\xff" * length, dice.randbytes(length))) + data[at + length :]


def renumbered(data: bytes, dice: random.Random) -> bytes:
    """A length, an offset or a size becomes another one; mostly in the first bytes or the last, where these stand."""
    near = min(len(data), 600) + 1
    at = dice.choice((dice.randrange(near), len(data) - dice.randrange(near), dice.randrange(len(data))))
    number, size = dice.choice((*NUMBERS, dice.randrange(1 << 32))), dice.choice((2, 4, 8))
    word = (number % (1 << 8 * size)).to_bytes(size, dice.choice(("big", "little")))
    return data[:at] + word + data[at + size :]


def swapped(data: bytes, dice: random.Random) -> bytes:
    pieces = chunks(data)
    one, other = dice.randrange(len(pieces)), dice.randrange(len(pieces))
    pieces[one], pieces[other] = pieces[other], pieces[one]
    return b"".join(pieces)


def repeated(data: bytes, dice: random.Random) -> bytes:
    pieces = chunks(data)
    one = dice.randrange(len(pieces))
    pieces[one] *= dice.choice((0, 2, 3, 1000)) if len(pieces[one]) < 2000 else 2
    return b"".join(pieces)


Mutation = Callable[[bytes, random.Random], bytes]
MUTATIONS: tuple[Mutation, ...] = (flipped, cut, overwritten, renumbered, swapped, repeated)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The data after one to three mutations, and never empty."""
    for _ in range(dice.choice((1, 1, 2, 3))):
        data = dice.choice(MUTATIONS)(data, dice) or b"\0"
    return with_checksums(data) if data.startswith(b"\x89PNG") and dice.random() < 0.7 else data


def child() -> None:
    """Read the files whose paths come in, a line each, and answer each with a line."""
    from dreamer.errors import DreamerError
    from dreamer.image import encode, load, read_recipe

    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for line in sys.stdin:
        path = Path(line.strip())
        try:
            photo = load(path, max_pixels=30_000_000)
            outcome = "read, with a notice" if photo.notices else "read"
            if photo.pixels.size < 1_000_000:
                for format in ("PNG", "TIFF", "JPEG"):
                    load(encode(photo, photo.pixels, format))
        except DreamerError as error:
            outcome = "BROKEN MemoryError" if "MemoryError" in str(error) else "refused"
        except BaseException as error:  # whatever it is, it is what is looked for
            outcome = f"BROKEN {type(error).__name__}: {str(error)[:200]!r}"
        try:
            read_recipe(path)
        except DreamerError:
            pass
        except BaseException as error:
            outcome = f"BROKEN in read_recipe {type(error).__name__}: {str(error)[:200]!r}"
        print(outcome, flush=True)


def begin() -> subprocess.Popen[str]:
    """A child that waits for paths."""
    command = [sys.executable, __file__, "--child"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str], path: Path) -> str:
    """What a child says about a file; it is ended if it takes too long."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    if not select.select([process.stdout], [], [], SECONDS)[0]:
        process.kill()
        process.wait()
        return f"BROKEN: it took over {SECONDS:.0f} s"
    line = process.stdout.readline().strip()
    return line or f"BROKEN: the process ended with {process.wait()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="Folder for the pictures that broke something.")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return 0
    dice, made, found = random.Random(options.seed), originals(), Counter[str]()
    names, slowest, until = sorted(made), 0.0, time.monotonic() + options.minutes * 60
    process = begin()
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < until:
            name = dice.choice(names)
            data = mutated(made[name], dice)
            path = Path(folder) / name
            path.write_bytes(data)
            began = time.monotonic()
            said = answer(process, path)
            slowest = max(slowest, time.monotonic() - began) if sum(found.values()) else 0.0
            found[said.split(":")[0] if said.startswith("BROKEN") else said] += 1
            if said.startswith("BROKEN"):
                kept = f"{sum(found.values())}-{name}"
                print(f"{kept}: {said}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / kept).write_bytes(data)
            if process.poll() is not None:
                process = begin()
    process.kill()
    _, heard = process.communicate()
    print(f"seed {options.seed}: {sum(found.values()):,} pictures out of {len(made)}; slowest {slowest:.1f} s")
    for outcome, count in found.most_common():
        print(f"{count:8,}  {outcome}")
    if heard:
        print(f"on stderr: {heard[:500]!r}")
    return int(any(outcome.startswith("BROKEN") for outcome in found) or bool(heard))


if __name__ == "__main__":
    sys.exit(main())
