"""What is to grow, said on the command line: motifs, groups of them, channels; and what of the photo is kept."""

from pathlib import Path

import numpy as np
import pytest
from command import photo, refused, render, stamp_of
from PIL import Image


def objectives(tmp_path: Path, *words: str) -> list[dict[str, object]]:
    ran = render(photo(tmp_path / "a.png"), "--force", *words)
    assert ran.code == 0, ran.err
    found: list[dict[str, object]] = stamp_of(tmp_path / "a-dream.png")["recipe"]["objectives"]
    return found


def test_motifs_and_groups_are_named(tmp_path: Path) -> None:
    (motif,) = objectives(tmp_path, "--motif", "eye, shells")
    assert (motif["name"], motif["layer"], motif["names"]) == ("motif", "m4a", ["eye", "shells"])


@pytest.mark.parametrize(("which", "known"), [("12", {"index": [12]}), ("arch", {"names": ["arch"]})])
def test_a_channel_is_given_by_number_or_name(tmp_path: Path, which: str, known: dict[str, object]) -> None:
    (channel,) = objectives(tmp_path, "--channel", which)
    assert channel["name"] == "channel" and channel["layer"] == "m4b" and channel.items() >= known.items()


def test_a_motif_and_a_channel_are_looked_for_at_the_layer_that_is_given(tmp_path: Path) -> None:
    motif, channel = objectives(tmp_path, "--motif", "rose", "--channel", "3", "--layer", "m4c")
    assert motif["layer"] == channel["layer"] == "m4c"


def test_they_come_before_a_preset_s_own(tmp_path: Path) -> None:
    (motif,) = objectives(tmp_path, "--preset", "gaze", "--motif", "rose")
    assert motif["names"] == ["rose"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--motif", "roze"), "knows no 'roze'; did you mean rose"),
        (("--channel", "9999"), "has channels 0 to"),
        (("--channel", "9" * 5000), "has channels 0 to"),
        (("--channel", "nose"), "knows no 'nose'"),
        (("--motif", "eye", "--guide", "a.png"), "--guide cannot be combined with --motif or --channel"),
        (("--keep", "1.5"), "--keep: 1.5 is not a number from 0 to 1"),
        (("--keep", "nan"), "--keep: nan"),
    ],
)
def test_a_wrong_motif_channel_or_share_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    photo(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    refused(render("a.png", *words), told)


def test_more_is_kept_of_the_photo_the_more_is_asked_for(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    before = np.asarray(Image.open(source), float)
    changes = []
    for keep in ("0", "0.5", "1"):
        assert render(source, "--force", "--keep", keep).code == 0
        changes.append(np.abs(np.asarray(Image.open(tmp_path / "a-dream.png"), float) - before).mean())
    assert changes[0] > 1.1 * changes[1] > 1.2 * changes[2] > 0


def test_a_photo_in_black_and_white_stays_so_unless_colours_are_freed(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (72, 96), dtype=np.uint8)
    Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "grey.png")
    spread = []
    for colour in ("0.5", "0"):
        assert render(tmp_path / "grey.png", "--force", "--set", f"colour={colour}").code == 0
        spread.append(np.ptp(np.asarray(Image.open(tmp_path / "grey-dream.png")).astype(int), axis=2).mean())
    assert spread[0] == 0 and spread[1] > 0.5
