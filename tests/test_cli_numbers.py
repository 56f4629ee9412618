"""Numbers on the command line that nobody means: each is one sentence, before anything is loaded or written."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import dreamer, left_in, refused

DIGITS = "9" * 5000
WRONG = {
    "train": {
        "--minutes": ["nan", "inf", "-inf", "0", "1e400", DIGITS],
        "--keep": ["nan", "inf"],
        "--width": ["nan", "inf"],
        "--seed": [str(2**63), DIGITS, "-1"],
        "--threads": ["0", "100000", DIGITS],
    },
    "motifs": {"--seed": [str(2**63), DIGITS], "--size": [DIGITS], "--samples": [DIGITS]},
    "exemplars": {"--threads": ["100000"], "--size": [DIGITS], "--steps": ["10001", DIGITS], "--count": [DIGITS]},
    "atlas": {"--threads": ["100000"], "--seed": [str(2**63), DIGITS], "--size": [DIGITS], "--steps": [DIGITS]},
    "visualize": {
        "--threads": ["100000"],
        "--seed": [str(2**63), DIGITS],
        "--size": [DIGITS, "9" * 10],
        "--tile": [DIGITS],
        "--neuron": [DIGITS, f"1,{DIGITS},1"],
        "--snapshots": [DIGITS],
        "--channel": [DIGITS],
        "--class": [DIGITS],
    },
}
CASES = [(command, flag, value) for command, flags in WRONG.items() for flag in flags for value in flags[flag]]


@pytest.mark.parametrize(("command", "flag", "value"), CASES, ids=[f"{a} {b} {c[:9]}" for a, b, c in CASES])
def test_a_number_that_nobody_means_is_refused_in_one_line(tmp_path: Path, command: str, flag: str, value: str) -> None:
    words = {
        "train": ("networks", "train", "-o", tmp_path / "m.safetensors"),
        "motifs": ("networks", "motifs", "-o", tmp_path / "m.png"),
        "exemplars": ("exemplars", tmp_path, "--channel", "0", "-o", tmp_path / "m.png"),
        "atlas": ("atlas", "-o", tmp_path / "m.html"),
        "visualize": ("visualize", "-o", tmp_path / "m.png"),
    }
    ran = dreamer(*words[command], flag, value)
    refused(ran, "has no class" if flag == "--class" else flag.lstrip("-"))
    assert len(ran.err.splitlines()) == 1 and len(ran.err) < 800
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--threads", "0"), "--threads: 0 is not a whole number from 1 to 1024 ("),
        (("--variations", "many"), "--variations: 'many' is not a whole number from 2 to 100 ("),
        (("--max-pixels", "0"), "--max-pixels: 0 is not a whole number from 1 ("),
        (("--around", "nan"), "--around: 'nan' is not a number from 0 to 1 ("),
        (("--strength", "1 is not 2"), "--strength: '1 is not 2' is not a number ("),
    ],
)
def test_what_a_number_has_to_be_is_said_in_words(words: tuple[str, str], said: str) -> None:
    refused(dreamer("render", "a.jpg", *words), f"dreamer: {said}see `dreamer render --help`)\n")


def test_a_number_that_has_to_be_above_another_is_called_so() -> None:
    ran = dreamer("networks", "train", "-o", "a.safetensors", "--minutes", "0")
    refused(ran, "--minutes: 0.0 is not a number above 0 and up to 1000000 (")
