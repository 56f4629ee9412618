"""What a stranger's folder holds costs nothing when the studio is opened in it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
from pathlib import Path

import pytest
from command import left_in

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from studios import PNG, opened, until

from dreamer.errors import UsageError, WriteError
from dreamer.studio import bench, engines, jobs
from dreamer.studio.outputs import output_for
from dreamer.studio.shelf import Shelf
from dreamer.studio.words import words_of

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


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_names_in_another_encoding_are_shown_and_dreamt_over(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / os.fsdecode(b"\xe9t\xe9.png")).write_bytes(PNG)
    with opened(folder) as studio:
        (item,) = studio.ask("/pictures")
        assert item["name"] == os.fsdecode(b"\xe9t\xe9.png") == studio.ask(f"/pictures/{item['id']}")["name"]
        assert studio.ask("/vocabulary")["folder"] == str(folder)
        assert studio.ask("/jobs", {"photo": item["id"]})["command"]
        until(lambda: studio.states() == ["done"])
    assert (folder / os.fsdecode(b"\xe9t\xe9-dream.png")).is_file()


@pytest.mark.parametrize(
    "odd", [{"seconds": float("nan")}, {"made": float("inf")}, {"settings": "deep"}, {"number": 10**400}]
)
def test_an_odd_job_in_the_folder_breaks_no_queue(tmp_path, odd):
    deep = {}
    for _ in range(600):
        deep = {"a": deep}
    folder = tmp_path / ".studio" / "jobs"
    folder.mkdir(parents=True)
    job = {"id": ID, "number": 1, "settings": {}, "output": "a.png", "command": "", "state": "failed", "tries": 0}
    job |= {"result": "", "problems": [], "notices": [], "seconds": 0.0, "made": 0.0, **odd}
    (folder / f"{ID}.json").write_text(json.dumps(job | ({"settings": deep} if odd.get("settings") else {})))
    with opened(tmp_path) as studio:
        told = studio.request("GET", "/events").readline()
        json.loads(told.removeprefix(b"data: "), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        studio.ask("/jobs", {"photo": studio.drop()["id"]})
        until(lambda: studio.states()[-1] == "done")


def test_a_full_disk_under_the_studio_is_a_sentence(tmp_path, monkeypatch):
    def full(*words):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/somebody/photo.png")

    monkeypatch.setattr(Shelf, "settle", full)
    with opened(tmp_path) as studio:
        assert studio.drop() == {"problems": ["this could not be kept: No space left on device"]}
        assert left_in(tmp_path / ".studio" / "photos") == []


@pytest.mark.parametrize("state", ["running", "done"])
def test_a_full_disk_under_the_queue_keeps_no_job(tmp_path, monkeypatch, state):
    """One that cannot be begun waits for room; one that is done is done."""
    refused = []

    def write(path, data, really=jobs.write_atomically):
        if state in data.decode() and len(refused) < 2:
            refused.append(path)
            raise WriteError("no space is left")
        return really(path, data)

    monkeypatch.setattr(bench, "_PATIENCE", 0.01)
    with opened(tmp_path) as studio:
        photo = studio.drop()["id"]
        monkeypatch.setattr(jobs, "write_atomically", write)
        first = studio.ask("/jobs", {"photo": photo})["id"]
        studio.ask("/jobs", {"photo": photo})
        until(lambda: studio.states() == ["done", "done"])
        assert refused and not studio.workshop.bench(first)
        assert studio.status("POST", f"/jobs/{first}/remove", b"{}") == 200 and studio.states() == ["done"]


def test_what_nobody_thought_of_fails_one_job_and_the_next_is_made(tmp_path, monkeypatch):
    def words(settings, *rest, really=bench.words_of):
        if settings.get("odd"):
            raise OverflowError("int too large")
        return really(settings, *rest)

    monkeypatch.setattr(bench, "words_of", words)
    with opened(tmp_path) as studio:
        photo = studio.drop()["id"]
        for more in ({"odd": 1}, {}):
            studio.workshop.jobs.add({"photo": photo, **more}, f"a{len(more)}.png", "")
        studio.ask("/jobs", {"photo": photo})
        until(lambda: studio.states() == ["failed", "done", "done"])
        (problem,) = studio.workshop.jobs.all()[0].problems
        assert "int too large" in problem


def test_numbers_that_no_float_holds_are_refused_with_a_sentence(tmp_path):
    with opened(tmp_path) as studio:
        photo = {"photo": studio.drop()["id"]}
        huge = [{"kind": "loop", "loop": {"seconds": 10**400}}, {"flags": {"size": 10**400}}, {"set": {"x": [10**400]}}]
        for path, settings in (
            *(("/recipe", one) for one in huge),
            ("/jobs", huge[0]),
            ("/proofs", {"at": [10**400, 0]}),
        ):
            answer = studio.request("POST", path, json.dumps({**photo, **settings}).encode())
            assert answer.status == 422 and json.loads(answer.read())["problems"]
        assert not jobs.is_plain({"settings": huge})  # the file of a job, too
        for settings in huge:
            with pytest.raises(UsageError):
                words_of({**photo, **settings}, studio.workshop.shelf)


_TALKER = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    print({"long": "x" * 3_000_000, "odd": "[1]"}.get(request["do"], "no JSON"))
    print(json.dumps({"id": request["id"], "answer": {}}), flush=True)
"""


@pytest.mark.parametrize("what", ["long", "odd", "no JSON"])
def test_a_line_that_cannot_be_read_is_the_engine_s_end_and_no_answer(monkeypatch, what):
    monkeypatch.setattr(engines, "_LONGEST_LINE", 2**16)

    async def asked():
        engine = engines.Engine([sys.executable, "-c", _TALKER])
        for _ in range(2):
            with pytest.raises(engines.EngineEnded):
                await engine.ask(what)
            assert engine.pid is None
        await engine.close()

    asyncio.run(asked())


def test_many_large_recipes_come_in_small_answers_and_those_that_cannot_be_read_are_tried_again(tmp_path):
    for number in range(30):
        (tmp_path / f"{number:02}.png").write_bytes(PNG)
    fails = {tmp_path / "07.png"}
    with opened(tmp_path) as studio:

        async def ask(do, paths, **request):
            if len(paths) > 8 or fails & set(map(Path, paths)):
                raise engines.EngineEnded("too much")
            return {"stamps": {path: {"recipe": {"name": path}} for path in paths}}

        studio.workshop.reading.ask = ask

        def read():
            return sum(one["recipe"] is not None for one in studio.ask("/pictures"))

        assert len(studio.ask("/pictures")) == 30 and 22 <= read() < 30
        fails.clear()
        assert read() == 30


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such names")
@pytest.mark.parametrize("stem", ["-x", "a\\b", "-", "p" * 246, "ö" * 123, "-" + "p" * 245])
@pytest.mark.parametrize("kind", ["render", "zoom"])
def test_a_job_of_any_photo_is_there_when_the_studio_is_opened_again(tmp_path, stem, kind):
    (tmp_path / f"{stem}.jpg").write_bytes(PNG)
    (item,) = Shelf(tmp_path).items().values()
    queue = jobs.Jobs(tmp_path / ".studio" / "jobs")
    taken = []
    for _ in range(12):
        place = output_for({"photo": item.id, "kind": kind}, Shelf(tmp_path), taken)
        taken.append(place)
        queue.add({"photo": item.id, "kind": kind}, place.name, "")
        place.write_bytes(PNG)
        assert not place.name.startswith(("-", "."))
    assert [job.output for job in jobs.Jobs(tmp_path / ".studio" / "jobs").all()] == [place.name for place in taken]
    assert len(set(taken)) == 12


def test_a_job_that_could_not_be_read_again_is_refused(tmp_path):
    deep = {}
    for _ in range(14):
        deep = {"a": deep}
    with opened(tmp_path) as studio:
        photo = studio.drop()["id"]
        for odd in ({"note": deep}, {"note": "\N{SNOWMAN}" * 200_000}):
            body = json.dumps({"photo": photo, **odd}, ensure_ascii=False).encode()
            (problem,) = studio.ask("/jobs", body=body)["problems"]
            assert "too large" in problem
        assert studio.states() == [] == left_in(tmp_path / ".studio" / "jobs")


@pytest.mark.parametrize("flags", [[1], "ab", 7])
@pytest.mark.parametrize("path", ["/drafts", "/proofs", "/recipe", "/jobs"])
def test_flags_that_are_no_table_are_refused_with_a_sentence(tmp_path, flags, path):
    with opened(tmp_path) as studio:
        body = json.dumps({"photo": studio.drop()["id"], "flags": flags, "at": [0, 0]}).encode()
        answer = studio.request("POST", path, body)
        assert answer.status == 422 and "flags" in json.loads(answer.read())["problems"][0]


def _shown(studio, item, kind):
    return studio.workshop.shelf.shown(studio.workshop.shelf.find(item["id"]), kind)


@pytest.mark.parametrize("note", ["[1]", "7", '{"width": NaN}', '{"width": 1e999}', None])
def test_what_was_noted_of_a_picture_is_read_anew_where_it_makes_no_sense(tmp_path, note):
    with opened(tmp_path) as studio:
        item = studio.drop()
        view = _shown(studio, item, "view")
        view.with_suffix(".json").write_text(note) if note else view.unlink()
        assert studio.ask(f"/pictures/{item['id']}") == item
        assert studio.request("GET", f"/pictures/{item['id']}/view").read() == b"small"


def test_links_among_what_the_studio_keeps_are_as_if_they_were_not_there(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text('{"width": "precious"}')

    def linked(path):
        path.unlink(missing_ok=True)
        path.symlink_to(secret)

    with opened(tmp_path / "box") as studio:
        item, shelf = studio.drop(), studio.workshop.shelf
        for kind in ("view", "small"):
            linked(_shown(studio, item, kind))
            assert studio.request("GET", f"/pictures/{item['id']}/{kind}").read() == b"small"
        linked(_shown(studio, item, "view").with_suffix(".json"))
        assert studio.ask(f"/pictures/{item['id']}") == item
        look = shelf.look(shelf.find(item["id"]), ["gaze"])
        linked(look)
        assert studio.status("GET", f"/looks/{item['id']}/gaze") == 404
        until(lambda: studio.status("GET", f"/looks/{item['id']}/gaze") == 200)
        assert look.read_text() == "dream" and not look.is_symlink()
        linked(look)
        assert studio.status("GET", f"/drafts/{look.stem}") == 404
        linked(shelf.mask_file(ID))
        with pytest.raises(UsageError):
            words_of({"photo": item["id"], "regions": [{"mask": ID}]}, shelf)
        linked(tmp_path / "box" / "a-so-far.mp4")
        job = studio.workshop.jobs.add({"photo": item["id"], "flags": {"motif": "slow"}}, "a.mp4", "")
        assert studio.status("GET", f"/jobs/{job.id}/film") == 404
    assert secret.read_text() == '{"width": "precious"}'
