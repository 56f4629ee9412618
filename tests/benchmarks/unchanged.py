"""Hashes of what ten commands write, to check that a change of the code does not change a picture.

    python tests/benchmarks/unchanged.py -o before.json      # three minutes
    python tests/benchmarks/unchanged.py --against before.json

There are two hashes for each file: of its bytes, and of its visible content (pixels, or the text of a page). Only the
bytes differ where just the metadata does, as after a change of version.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from PIL import Image

QUICK = ["--set", "octaves.steps=3"]
COMMANDS: dict[str, list[str]] = {
    "default": ["render", "photo.png", "-o", "default.png"],
    "preset": ["render", "photo.png", "--preset", "bloom", "--set", "priors.echo.weight=3", "-o", "preset.jpg", *QUICK],
    "tiles": ["render", "photo.png", "--tile", "160", "-o", "tiles.png", *QUICK],
    "guide": ["render", "photo.png", "--guide", "guide.png", "-o", "guide-dream.png", *QUICK],
    "folder": ["render", "folder/", "-o", "dreams/", *QUICK],
    "zoom": [
        *["zoom", "photo.png", "-o", "zoom.mp4", "--seconds", "0.6", "--fps", "10", "--rate", "2", "--size", "192"],
        *["--keyframes", "fall.toml", *QUICK],
    ],
    "film": ["video", "clip.mp4", "-o", "film.mp4", *QUICK],
    "visualize": [*["visualize", "-o", "unit.png", "--class", "eye", "--size", "96", "--steps", "6", "--count", "2"]],
    "exemplars": ["exemplars", "folder", "-o", "most.png", "--channel", "5", "--count", "2", "--steps", "4"],
    "atlas": [
        *["atlas", "-o", "atlas.html", "--channels", "0-5", "--steps", "4", "--photo", "photo.png"],
        *["--exemplars", "folder"],
    ],
}
FALL = '[[keyframes]]\ntime = 0\n[[keyframes]]\ntime = 0.4\nrate = 3\nangle = 20\npreset = "citadel"\n'


def main() -> int:
    """Make the hashes, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="write the hashes here")
    parser.add_argument("--against", type=Path, help="compare with these")
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--python", default=sys.executable, help="whose dreamer runs")
    wishes = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = hashes(Path(folder), wishes.only, wishes.python)
    if wishes.output:
        wishes.output.write_text(json.dumps(found, indent=1))
    if not wishes.against:
        print(json.dumps(found, indent=1))
        return 0
    before = json.loads(wishes.against.read_text())
    differences = [compared(name, before.get(name, {}), files) for name, files in found.items()]
    print("\n".join(f"{name:10} {said}" for name, said in zip(found, differences, strict=True)))
    return int(any(said != "the same" for said in differences))


def hashes(folder: Path, names: list[str], python: str) -> dict[str, dict[str, list[str]]]:
    """For each command, its files: {name: [hash of the bytes, hash of the visible content]}."""
    inputs(folder)
    known = {path for path in folder.rglob("*") if path.is_file()}
    found = {}
    for name in names:
        ran = subprocess.run(
            [python, "-m", "dreamer", *COMMANDS[name]],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "3000"},
            capture_output=True,
            text=True,
        )
        if ran.returncode:
            sys.exit(f"{name}: {ran.stderr}")
        written = sorted({path for path in folder.rglob("*") if path.is_file()} - known)
        known |= set(written)
        found[name] = {path.relative_to(folder).as_posix(): both(path) for path in written}
    return found


def inputs(folder: Path) -> None:
    """Photos, a guide and a clip, drawn by formula."""
    y, x = np.mgrid[0:216, 0:288] / 100
    for number, name in enumerate(("photo.png", "guide.png", "folder/one.png", "folder/two.png", "folder/three.png")):
        waves = [np.sin(x * (3 + number + k) + np.cos(y * (5 - k) + number)) * np.cos(y * 4 + k) for k in range(3)]
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(((np.stack(waves, -1) * 0.4 + 0.5) * 255).astype(np.uint8)).save(path)
    (folder / "fall.toml").write_text(FALL)
    with av.open(str(folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 144, 192, "yuv444p"
        picture = np.asarray(Image.open(folder / "photo.png"))
        for number in range(6):
            values = np.ascontiguousarray(picture[number * 4 :, number * 6 :][:144, :192])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24").reformat(format="yuv444p")))
        container.mux(stream.encode(None))


def both(path: Path) -> list[str]:
    """The hashes of a file's bytes and of its visible content."""
    data = path.read_bytes()
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            seen = b"".join(frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0))
    elif path.suffix == ".html":
        seen = data
    else:
        with Image.open(path) as picture:
            seen = np.asarray(picture).tobytes()
    return [hashlib.sha256(values).hexdigest()[:16] for values in (data, seen)]


def compared(name: str, before: dict[str, list[str]], now: dict[str, list[str]]) -> str:
    """How a command's files differ, in a few words."""
    if before.keys() != now.keys():
        return f"other files: {', '.join(sorted(before.keys() ^ now.keys()))}"
    seen = [file for file in now if now[file][1] != before[file][1]]
    notes = [file for file in now if now[file][0] != before[file][0] and file not in seen]
    said = [f"another picture: {', '.join(seen)}"] if seen else []
    return "; ".join([*said, *([f"other notes inside: {', '.join(notes)}"] if notes else [])]) or "the same"


if __name__ == "__main__":
    sys.exit(main())
