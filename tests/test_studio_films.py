"""The studio beside pictures: clips and zooms, proofs, plugins, folders within the folder, several devices."""

import json
import os
from pathlib import Path

import pytest
from command import left_in

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from studios import PNG, opened, until

from dreamer.errors import UsageError
from dreamer.studio.jobs import Jobs
from dreamer.studio.motion import kind_of
from dreamer.studio.outputs import clear_unfinished, output_for
from dreamer.studio.shelf import Shelf, plain_name
from dreamer.studio.words import command_of, words_of
from dreamer.videos.clip.lock import OutputLock
from dreamer.videos.clip.unfinished import folder_of

STEADY = {"seconds": 2.5, "rate": 1.5, "centre": [0.25, 0.5], "ease": "both", "loop": True, "preview": False}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("studio") / "pictures") as studio:
        yield studio


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "lake.png").write_bytes(PNG)
    (tmp_path / "walk.mp4").write_bytes(PNG)
    return Shelf(tmp_path)


def ids(shelf):
    return {item.name: item.id for item in shelf.items().values()}


def test_a_zoom_is_the_words_that_a_person_would_type(shelf, tmp_path):
    settings = {
        "photo": ids(shelf)["lake.png"],
        "kind": "zoom",
        "zoom": STEADY,
        "flags": {"size": 640},
        "format": ".webm",
    }
    place = output_for(settings, shelf, ())
    line = command_of(words_of(settings, shelf, place), "zoom")
    assert line == (
        f"dreamer zoom {tmp_path}/lake.png --size 640 --seconds 2.5 --rate 1.5 --centre 0.25,0.5 --ease both --loop "
        f"-o {tmp_path}/lake-zoom.webm"
    )
    path = [{"time": 0, "rate": 1.2, "centre": [0.5, 0.5]}, {"time": 2.5, "angle": -3.5}]
    *_, option, file = words_of({**settings, "zoom": {}, "path": path}, shelf)
    assert option == "--keyframes" and Path(file).parent == tmp_path / ".studio" / "paths"
    from dreamer.videos.zoom.schedule import read_schedule, zoom_from

    first, second = zoom_from({"keyframes": read_schedule(Path(file))}).keyframes
    assert (first.rate, first.centre, second.time, second.angle) == (1.2, (0.5, 0.5), 2.5, -3.5)


def test_paths_that_nobody_asks_for_any_more_go(shelf, tmp_path):
    old, new, theirs = shelf.keyframes("old"), shelf.keyframes("new"), tmp_path / ".studio" / "paths" / "mine.toml"
    theirs.write_text("")
    for path in (old, theirs):
        os.utime(path, (0, 0))
    Shelf(tmp_path)
    assert not old.exists() and new.exists() and theirs.exists()


def test_a_clip_is_the_words_that_a_person_would_type(shelf, tmp_path):
    motion = {"stability": 0.5, "start": 1.25, "end": None, "no-audio": True}
    settings = {
        "photo": ids(shelf)["walk.mp4"],
        "kind": "video",
        "look": "gaze",
        "video": motion,
        "path": [{"time": "x"}],
    }
    assert command_of(words_of(settings, shelf, output_for(settings, shelf, ())), "video") == (
        f"dreamer video {tmp_path}/walk.mp4 --preset gaze --stability 0.5 --start 1.25 --no-audio "
        f"-o {tmp_path}/walk-dream.mp4"
    )


def test_a_loop_and_a_zoom_that_follows_and_dances_are_the_words_that_a_person_would_type(shelf, tmp_path):
    photo = {"photo": ids(shelf)["lake.png"]}
    loop = {**photo, "kind": "loop", "loop": {"seconds": 4.5, "fps": 12, "seeds": 2, "preview": True}, "format": ".gif"}
    assert command_of(words_of(loop, shelf, output_for(loop, shelf, ())), "loop") == (
        f"dreamer loop {tmp_path}/lake.png --seconds 4.5 --fps 12 --seeds 2 --preview -o {tmp_path}/lake-loop.gif"
    )
    moved = {"centre": "follow", "audio": ids(shelf)["walk.mp4"], "dance": True}
    words = words_of({**photo, "kind": "zoom", "zoom": moved}, shelf)
    assert words[1:] == ("--centre", "follow", "--audio", f"{tmp_path}/walk.mp4", "--dance")
    clip = {"photo": ids(shelf)["walk.mp4"], "kind": "video", "video": {"dance": True}}
    assert words_of(clip, shelf)[1:] == ("--dance",)


@pytest.mark.parametrize(
    "settings",
    [
        *({"zoom": {"audio": "/etc/passwd"}}, {"zoom": {"audio": True}}, {"zoom": {"centre": "--force"}}),
        *({"zoom": {"output": "/tmp/x"}}, {"zoom": {"rate": "1 --force"}}, {"zoom": {"loop": "yes"}}, {"zoom": [1]}),
        *({"zoom": {"centre": [1]}}, {"zoom": {"ease": "--force"}}, {"zoom": {"rate": float("nan")}}),
        *({"path": "/etc/passwd"}, {"path": [{"preset": "x.toml"}]}, {"path": [{"time": "0\npreset = 1"}]}),
        *({"path": [1]}, {"path": [{"centre": [0, "1]\npreset='x'"]}]}, {"kind": "video"}),
    ],
)
def test_no_value_of_a_clip_becomes_an_option_or_a_path(shelf, settings):
    with pytest.raises(UsageError):
        words_of({"photo": ids(shelf)["lake.png"], "kind": "zoom", **settings}, shelf)


def test_a_kind_that_there_is_not_is_a_picture(shelf):
    for kind in ("studio", "--version", 3, None):
        assert kind_of({"kind": kind}) == "render"
        assert words_of({"photo": ids(shelf)["lake.png"], "kind": kind}, shelf) == (str(shelf.folder / "lake.png"),)


def test_a_clip_that_is_dropped_may_be_four_times_as_large(studio):
    data = PNG + bytes(20_000)
    assert plain_name("Łódź <b>.MP4") == "Łódź -b.mp4"
    assert studio.drop("a.mp4", data)["name"] == "a.mp4"
    for name, size in (("a.png", 20_000), ("b.mp4", 50_000)):
        (problem,) = studio.drop(name, PNG + bytes(size))["problems"]
        assert "too large" in problem


def test_a_film_in_the_making_can_be_watched_and_goes_on(tmp_path):
    with opened(tmp_path) as studio:
        settings = {"photo": studio.drop()["id"], "kind": "zoom", "zoom": {"seconds": 1}}
        job = studio.ask("/jobs", {**settings, "flags": {"motif": "slow"}})["id"]
        until(lambda: studio.now().get("share"))
        assert studio.status("GET", f"/jobs/{job}/film") == 404
        (tmp_path / "lake-zoom-so-far.mp4").write_bytes(b"0123456789")
        answer = studio.request("GET", f"/jobs/{job}/film", Range="bytes=2-4")
        assert (answer.status, answer.read(), answer.headers["content-type"]) == (206, b"234", "video/mp4")
        studio.ask(f"/jobs/{job}/stop", {})
        until(lambda: studio.states() == ["stopped"])
        studio.workshop.jobs.change(job, settings=settings)
        studio.ask(f"/jobs/{job}/again", {})
        until(lambda: studio.states() == ["done"])
        assert studio.workshop.jobs.all()[0].result == "lake-zoom.mp4"
    assert [job.result for job in Jobs(tmp_path / ".studio" / "jobs").all()] == ["lake-zoom.mp4"]


def test_a_stopped_film_keeps_its_name_until_it_is_cleared(tmp_path):
    reel = tmp_path / ".lake-zoom.mp4.reel"
    with opened(tmp_path) as studio:
        photo = studio.drop()["id"]

        def film(state="done", **settings):
            id = studio.ask("/jobs", {"photo": photo, "kind": "zoom", **settings})["id"]
            until(lambda: studio.workshop.jobs.get(id).state == state)
            return studio.workshop.jobs.get(id)

        stopped = film("running", flags={"motif": "slow"})
        (reel / "frames").mkdir(parents=True)
        for name in ("manifest.json", "frames/frame-000000.png", "mine.txt"):
            (reel / name).write_text("")
        (tmp_path / "theirs.png").write_text("precious")
        (reel / "frames" / "frame-000001.png").symlink_to(tmp_path / "theirs.png")
        studio.ask(f"/jobs/{stopped.id}/stop", {})
        until(lambda: studio.states() == ["stopped"])
        assert (stopped.output, film().output) == ("lake-zoom.mp4", "lake-zoom-2.mp4")
        assert film(format=".webm").output == "lake-zoom-2.webm"  # what can be watched of both would have one name
        studio.ask(f"/jobs/{stopped.id}/remove", {})
        assert left_in(reel) == ["frames", "mine.txt"] and left_in(reel / "frames") == ["frame-000001.png"]
        assert (tmp_path / "theirs.png").read_text() == "precious"
        assert film().output == "lake-zoom-3.mp4"  # somebody's file is still in the folder


def test_a_film_needs_the_names_beside_it_until_it_is_finished(shelf, tmp_path):
    film = {"photo": ids(shelf)["lake.png"], "kind": "zoom"}
    (tmp_path / ".lake-zoom.mp4.reel").mkdir()
    (tmp_path / "lake-zoom-2-so-far.mp4").write_bytes(PNG)
    assert output_for(film, shelf, ()).name == "lake-zoom-3.mp4"
    assert output_for(film, shelf, [tmp_path / "lake-zoom-3.webm"]).name == "lake-zoom-4.mp4"


def test_what_another_process_goes_on_with_is_not_cleared(tmp_path):
    output = tmp_path / "lake-zoom.mp4"
    manifest = folder_of(output) / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("")
    lock = OutputLock(output)
    lock.acquire()
    clear_unfinished(output)
    assert manifest.exists()
    lock.release()
    clear_unfinished(output)
    assert not manifest.parent.exists()


def test_each_device_has_an_engine_and_they_dream_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_DEVICES", "a b")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with opened(tmp_path) as studio:
        until(lambda: len(studio.workshop.benches) == 2)
        id = studio.drop()["id"]
        jobs = [studio.ask("/jobs", {"photo": id, "flags": {"motif": "slow", "seed": n}})["id"] for n in (1, 2)]
        studio.ask("/jobs", {"photo": id})
        until(lambda: studio.states() == ["running", "running", "waiting"])
        assert set(studio.workshop.state()["now"]) == set(jobs)
        studio.ask(f"/jobs/{jobs[1]}/stop", {})
        until(lambda: studio.states() == ["running", "stopped", "done"])
        assert (tmp_path / "lake-dream-3.png").read_text() == "dreamb"
        studio.ask(f"/jobs/{jobs[0]}/stop", {})
        until(lambda: studio.states()[0] == "stopped")


def test_a_proof_is_made_around_a_place_and_before_the_looks(studio):
    id = studio.drop("proof.png", PNG + b"proof")["id"]
    key = studio.ask("/proofs", {"photo": id, "at": [0.5, 7]})["key"]
    assert until(lambda: studio.status("GET", f"/drafts/{key}") == 200)
    assert studio.request("GET", f"/drafts/{key}").read() == b"proof"
    for at in ("x", [1], [None, 1], None):
        assert "point at it" in studio.ask("/proofs", {"photo": id, "at": at})["problems"][0]


def test_a_plugin_is_installed_by_the_plan_that_was_shown_alone(studio):
    assert studio.ask("/plugins") == {"plugins": [], "packs": []}
    refused = studio.ask("/plugins/install", {"plan": "0123456789abcdef"})
    assert "look at it again" in refused["problems"][0]
    plan = studio.ask("/plugins/plan", {"specs": ["dreamer-botanica"]})
    assert plan["changes"][0]["name"] == "dreamer-botanica"
    before = studio.workshop.reading.pid
    assert studio.ask("/plugins/install", {"plan": plan["plan"]}) == {"said": ["dreamer-botanica 1 is installed"]}
    assert "look at it again" in studio.ask("/plugins/install", {"plan": plan["plan"]})["problems"][0]
    studio.ask("/plugins")
    assert studio.workshop.reading.pid != before  # an engine that has it
    for specs in ([], "x", [1], None):
        assert "name a plugin" in studio.ask("/plugins/plan", {"specs": specs})["problems"][0]


def test_pictures_of_folders_within_the_folder_are_there_and_none_behind_a_link(tmp_path):
    outside = tmp_path / "outside"
    for place in ("pictures/a/b", "pictures/.hidden", "outside"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.png").write_bytes(PNG)
    (tmp_path / "pictures" / "linked").symlink_to(outside)
    shelf = Shelf(tmp_path / "pictures")
    assert [item.name for item in shelf.items().values()] == ["a/b/x.png"]
    (id,) = shelf.items()
    settings = {"photo": id}
    names = [tmp_path / "pictures" / f"x-dream{end}.png" for end in ("", "-2", "-3", "-4")]
    assert output_for(settings, shelf, ()) == names[0]
    for name in names[:2]:
        name.write_bytes(PNG)
    assert output_for(settings, shelf, names[2:3]) == names[3]
    (tmp_path / "pictures" / "a" / "b" / "x.png").unlink()
    assert shelf.find(id) is None


@pytest.mark.parametrize("length", ["2000000000", "9999999999999999"])
def test_two_gigabytes_are_refused_by_their_length_alone(studio, length):
    answer = studio.request("POST", "/pictures?name=a.mp4", None, Content_Length=length)
    assert answer.status == 422 and "too large" in answer.read().decode()


def test_a_length_that_lies_brings_no_more_than_it_says(studio):
    answer = studio.request("POST", "/pictures?name=a.png", PNG + bytes(20_000), Content_Length="9")
    assert answer.status == 200
    assert studio.request("GET", f"/pictures/{json.loads(answer.read())['id']}/file").read() == PNG[:9]
