"""What a stranger's folder holds costs nothing when the studio is opened in it."""

from __future__ import annotations

import json
import os
import sys

import pytest
from command import dreamer, left_in, refused

pytest.importorskip("starlette")

from dreamer.studio.shelf import Shelf

ROOM, ID = ".new-0123456789abcdef", "0123456789abcdef"


@pytest.mark.parametrize("name", [ROOM, ".new-x", ID])
def test_no_link_among_the_dropped_pictures_is_followed(tmp_path, name):
    (tmp_path / "theirs").mkdir()
    for file in ("letter.txt", "photo.png"):
        (tmp_path / "theirs" / file).write_text("precious")
    (tmp_path / "box" / ".studio" / "photos").mkdir(parents=True)
    (tmp_path / "box" / ".studio" / "photos" / name).symlink_to(tmp_path / "theirs")
    assert Shelf(tmp_path / "box").items() == {}
    assert left_in(tmp_path / "theirs") == ["letter.txt", "photo.png"]


def test_files_and_folders_in_each_others_places_break_no_studio(tmp_path):
    photos = tmp_path / ".studio" / "photos"
    (photos / ROOM / "a folder").mkdir(parents=True)
    (photos / ID).write_text("a file")
    assert Shelf(tmp_path).items() == {}
