"""The studio's server: who may ask, what may be asked, and a queue that survives."""

import http.client
import json
import logging
import os
import re
import signal
import sys
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from command import dreamer, left_in, refused

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from studios import FAKE, PNG, TOKEN, opened, until

from dreamer import studio as package
from dreamer.errors import UsageError
from dreamer.recipes.masks import region_words
from dreamer.studio.jobs import Jobs
from dreamer.studio.shelf import Shelf, plain_name
from dreamer.studio.words import command_of, words_of

PAGE = Path(package.__file__).parent / "page"
HOSTILE = '"><img src=x onerror=alert(1)>/../../\\..\\evil\n$(rm -rf ~).png'


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("studio") / "pictures") as studio:
        yield studio


@pytest.mark.parametrize("cookie", [None, "x=y", "dreamer-studio-{port}=", "dreamer-studio-{port}=wrong"])
@pytest.mark.parametrize("path", ["/", "/page/page.js", "/pictures", "/events", "/?token=wrong", "/?token="])
def test_nothing_is_told_without_the_token(studio, path, cookie):
    cookie = cookie and cookie.format(port=studio.port)
    answer = studio.request("GET", path, Cookie=cookie)
    assert answer.status == 403 and TOKEN not in answer.read().decode()


def test_the_address_becomes_a_cookie_that_other_pages_cannot_use(studio):
    answer = studio.request("GET", f"/?token={TOKEN}", Cookie=None)
    assert answer.status == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert TOKEN in cookie and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:80"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": None}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_another_page_may_ask_nothing(studio, headers, status):
    before = studio.states()
    assert studio.status("POST", "/jobs", b"{}", **headers) == status
    assert studio.status("POST", "/pictures?name=a.png", PNG, **headers) == status
    assert studio.states() == before


def test_a_request_that_names_no_host_is_refused(studio):
    """Without a body: the server hangs up before it has read one, and the answer may be lost with it."""
    before = studio.states()
    for method, path in (("GET", "/pictures"), ("POST", "/jobs")):
        assert studio.status(method, path, Host=None) == 400
    assert studio.states() == before


def test_every_answer_is_careful(studio):
    for path in ("/", "/page/page.js", "/pictures", "/nothing", "/?token=wrong"):
        headers = studio.request("GET", path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_the_page_is_light_and_asks_nothing_of_the_net():
    parts = {path.name: path.read_text(encoding="utf-8") for path in PAGE.iterdir()}
    assert {path.suffix for path in PAGE.iterdir()} == {".html", ".css", ".js", ".svg"}
    assert sum(map(len, parts.values())) < 300_000
    for name, text in parts.items():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|//cdn", text), name
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|style=", parts["page.html"])
    scripts = "".join(text for name, text in parts.items() if name.endswith(".js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", scripts)


def test_each_script_of_the_page_is_one_noun():
    """Of 20 to 300 lines, named by those that import it, and served as a module."""
    scripts = {path.name: path.read_text(encoding="utf-8") for path in PAGE.glob("*.js")}
    imported = {name for text in scripts.values() for name in re.findall(r'^import .*"\./(.*)";$', text, re.M)}
    assert imported == scripts.keys() - {"page.js"}
    assert not {name: lines for name, text in scripts.items() if not 20 <= (lines := text.count("\n")) <= 300}


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/pictures/../../../etc/passwd/file",
            "/pictures/%2e%2e%2f%2e%2e%2fetc%2fpasswd/file",
            "/page/page.py",
            "/page.",
        ),
        *(
            "/page/%2e%2e/server.py",
            "/page/..%2fserver.py",
            "/pictures/%2Fetc%2Fpasswd/view",
            "/looks/..%2f..%2fjobs/gaze",
            "/jobs/../preview",
        ),
        *("/pictures/..%5c..%5csecret/file", "/%2e%2e/%2e%2e/etc/passwd", "/pictures/%00/file", "/static/../jobs.py"),
    ],
)
def test_no_path_leads_out(studio, path):
    assert studio.status("GET", path) == 404


@pytest.mark.parametrize("given", [b"\x89PNG" + bytes(20_000), [bytes(4000)] * 5])
def test_a_file_beyond_the_cap_is_refused_while_it_comes(studio, given):
    photos = studio.folder / ".studio" / "photos"
    before = left_in(photos)
    answer = studio.request("POST", "/pictures?name=a.png", given)
    assert answer.status == 422 and "too large" in answer.read().decode()
    assert left_in(photos) == before


def test_what_is_wrong_is_called_by_its_name(studio):
    settings = studio.request("POST", "/recipe", b'{"x": "' + bytes(2**20) + b'"}')
    assert settings.status == 422 and "these settings are too large" in settings.read().decode()
    mask = studio.request("POST", "/masks", None, Content_Length="20000000")
    assert mask.status == 422 and "this mask is too large" in mask.read().decode()
    refused = studio.request("DELETE", "/pictures/x")
    assert refused.status == 405 and json.loads(refused.read())["problems"] == [
        "DELETE: this cannot be done here; load the page again"
    ]
    assert "GET" in refused.headers["allow"]
    assert "no such thing" in studio.ask("/nothing")["problems"][0]


def test_a_page_that_is_left_while_it_sends_a_file_is_no_failure(studio):
    photos, told = studio.folder / ".studio" / "photos", []
    before = left_in(photos)
    hearing = logging.Handler(logging.ERROR)
    hearing.emit = told.append
    logging.getLogger("uvicorn.error").addHandler(hearing)
    connection = http.client.HTTPConnection("127.0.0.1", studio.port)
    headers = {**studio.page_headers(), "Content-Length": "9000"}
    connection.request("POST", "/pictures?name=half.png", PNG, headers)
    until(lambda: left_in(photos) != before)
    connection.close()
    until(lambda: left_in(photos) == before)
    assert studio.status("GET", "/pictures") == 200
    logging.getLogger("uvicorn.error").removeHandler(hearing)
    assert told == []


def test_a_file_that_is_no_picture_is_refused_and_leaves_nothing(studio):
    photos = studio.folder / ".studio" / "photos"
    before = left_in(photos)
    (problem,) = studio.drop("<b>.png", b"no picture")["problems"]
    assert problem == "b.png: not a picture" and left_in(photos) == before


def test_names_of_strangers_become_plain_ones(studio):
    name = studio.drop(HOSTILE, PNG + b"hostile")["name"]
    assert re.fullmatch(r"[\w -]+\.png", name) and not name.startswith((".", "-"))
    assert plain_name("../../etc/passwd") == "passwd.jpg"
    assert plain_name("C:\\photos\\Łódź am See.JPEG") == "Łódź am See.jpeg"
    assert plain_name("") == plain_name("....") == "photo.jpg" and len(plain_name("x" * 999).encode()) < 80
    assert plain_name("--force.png") == "force.png" and plain_name("page.html") == "page.jpg"


def test_a_picture_that_is_dropped_again_is_the_same_one(studio):
    first, again, other = studio.drop("a.png"), studio.drop("b.png"), studio.drop("a.png", PNG + b".")
    assert first["id"] == again["id"] != other["id"] and again["name"] == first["name"]
    assert studio.ask(f"/pictures/{other['id']}")["name"] == "a.png"


def test_three_dreams_are_made_one_after_another_and_nothing_is_replaced(tmp_path):
    with opened(tmp_path) as studio:
        (tmp_path / "lake-dream.png").write_bytes(b"mine")
        id = studio.drop()["id"]
        commands = [studio.ask("/jobs", {"photo": id, "look": "gaze", "flags": {"seed": n}})["command"] for n in (1, 2)]
        studio.ask("/jobs", {"photo": id})
        until(lambda: studio.states() == ["done"] * 3)
        assert [job.result for job in studio.workshop.jobs.all()] == [f"lake-dream-{n}.png" for n in (2, 3, 4)]
    assert (tmp_path / "lake-dream.png").read_bytes() == b"mine"
    assert [name for name in left_in(tmp_path) if name.startswith("lake")] == [
        *("lake-dream-2.png", "lake-dream-3.png", "lake-dream-4.png", "lake-dream.png")
    ]
    place = tmp_path / ".studio" / "photos" / id / "lake.png"
    assert commands[0] == f"dreamer render {place} --preset gaze --seed 1 -o {tmp_path / 'lake-dream-2.png'}"


def _engines():
    return {child.pid for child in psutil.Process().children() if child.cmdline()[-1:] == [FAKE[-1]]}


def test_what_is_queued_goes_on_when_the_studio_is_opened_again(tmp_path):
    with opened(tmp_path) as studio:
        id = studio.drop()["id"]
        studio.ask("/jobs", {"photo": id, "flags": {"motif": "slow"}})
        studio.ask("/jobs", {"photo": id})
        until(lambda: studio.states() == ["running", "waiting"])
    for path in (tmp_path / ".studio" / "jobs").glob("*.json"):
        path.write_text(path.read_text().replace('"motif": "slow"', ""))
    (tmp_path / ".studio" / "jobs" / "0123456789abcdef.json").write_text('{"id": [')  # cut short by a power cut
    before = _engines()
    with opened(tmp_path) as studio:
        until(lambda: studio.states() == ["done", "done"])
        assert _engines() - before == {studio.workshop.benches[0].engine.pid, studio.workshop.reading.pid}
        assert [job.tries for job in studio.workshop.jobs.all()] == [2, 1]


@pytest.mark.parametrize(
    "words",
    [{"output": "/tmp/x.jpg"}, {"output": "../x.jpg"}, {"output": ".bashrc"}, {"result": "../../x.png"}, {"words": []}],
)
def test_a_job_that_a_stranger_left_in_the_folder_leads_nowhere(tmp_path, words):
    with opened(tmp_path) as studio:
        studio.ask("/jobs", {"photo": studio.drop()["id"]})
        until(lambda: studio.states() == ["done"])
    (path,) = (tmp_path / ".studio" / "jobs").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "state": "waiting", **words}))
    assert Jobs(path.parent).all() == []


def test_a_job_goes_by_its_settings_and_not_by_the_command_that_it_shows(tmp_path):
    with opened(tmp_path) as studio:
        job = studio.ask("/jobs", {"photo": studio.drop()["id"]})["id"]
        until(lambda: studio.states() == ["done"])
    path = tmp_path / ".studio" / "jobs" / f"{job}.json"
    found = {**json.loads(path.read_text()), "state": "waiting", "output": "again.png", "command": "rm"}
    path.write_text(json.dumps({**found, "settings": {"photo": "/etc/passwd", "flags": {"weights": "x"}}}))
    with opened(tmp_path) as studio:
        until(lambda: studio.states() == ["failed"])
        assert len(studio.workshop.jobs.all()[0].problems) == 2


def test_a_folder_of_the_studio_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".studio").symlink_to(tmp_path / "elsewhere")
    refused(dreamer("studio", tmp_path / "a"), "is a link")
    assert left_in(tmp_path / "elsewhere") == []


def test_an_engine_that_is_killed_is_started_again_and_the_dream_with_it(tmp_path):
    with opened(tmp_path) as studio:
        id = studio.drop()["id"]
        studio.ask("/jobs", {"photo": id, "flags": {"motif": "slow"}})
        until(lambda: studio.now().get("share"))
        pid = studio.workshop.benches[0].engine.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: studio.workshop.jobs.all()[0].tries == 2 and studio.now().get("share"))
        assert studio.workshop.benches[0].engine.pid != pid
        studio.ask(f"/jobs/{studio.workshop.jobs.all()[0].id}/stop", {})
        until(lambda: studio.states() == ["stopped"])
        (tmp_path / ".studio" / "photos" / id / "crash").write_text("xx")
        studio.ask("/jobs", {"photo": id})
        until(lambda: studio.states()[1] == "failed")
        assert "ended 3 times" in studio.workshop.jobs.all()[1].problems[0]
        studio.ask("/jobs", {"photo": id})
        until(lambda: studio.states()[2] == "done")


def test_stop_keeps_the_picture_and_pause_waits(tmp_path):
    with opened(tmp_path) as studio:
        job = studio.ask("/jobs", {"photo": studio.drop()["id"], "flags": {"motif": "slow"}})["id"]
        until(lambda: studio.now().get("share", 0) > 0)
        assert studio.request("GET", f"/jobs/{job}/preview").read() == b"hi"
        studio.ask(f"/jobs/{job}/pause", {})
        until(lambda: studio.now()["paused"])
        studio.ask(f"/jobs/{job}/go", {})
        share = studio.now()["share"]
        until(lambda: studio.now()["share"] > share)
        studio.ask(f"/jobs/{job}/stop", {})
        until(lambda: studio.states() == ["stopped"])
        assert studio.workshop.jobs.all()[0].result == "partial.png"


def test_a_stop_that_comes_before_the_engine_is_awake_counts(tmp_path):
    with opened(tmp_path) as studio:
        id = studio.drop()["id"]
        os.kill(studio.workshop.benches[0].engine.pid, signal.SIGKILL)
        job = studio.ask("/jobs", {"photo": id, "flags": {"motif": "slow"}})["id"]
        until(lambda: studio.states() == ["running"])
        studio.ask(f"/jobs/{job}/stop", {})
        until(lambda: studio.states() == ["stopped"])


def test_two_pages_hear_the_same(studio):
    pages = [studio.request("GET", "/events") for _ in range(2)]
    id = studio.ask("/jobs", {"photo": studio.drop()["id"]})["id"]
    for page in pages:
        states = []
        while "done" not in states:
            line = page.readline()
            if line.startswith(b"data: "):
                states += [job["state"] for job in json.loads(line[6:])["jobs"] if job["id"] == id]


def test_a_page_that_is_slow_misses_no_news(studio):
    page = studio.request("GET", "/events")
    page.readline()
    for number in range(500):
        studio.workshop.pages._loop.call_soon_threadsafe(lambda n=number: studio.workshop.tell(look={"name": n}))
        studio.workshop.pages._loop.call_soon_threadsafe(studio.workshop.tell)
    heard = []
    while 499 not in heard:
        line = page.readline()
        if line.startswith(b"data: "):
            heard.append(json.loads(line[6:]).get("look", {}).get("name"))
    assert [name for name in heard if name is not None] == list(range(500))


def test_nothing_but_loopback_listens(studio):
    engines = [psutil.Process(one.pid) for one in (studio.workshop.benches[0].engine, studio.workshop.reading)]
    found = [each for one in (psutil.Process(), *engines) for each in one.net_connections("inet")]
    listening = {each.laddr for each in found if each.status == psutil.CONN_LISTEN}
    assert {one.ip for one in listening if one.port == studio.port} == {"127.0.0.1"}
    assert not [each for one in engines for each in one.net_connections("inet")]


@pytest.mark.parametrize(
    "settings",
    [
        *({"look": "--force"}, {"look": "/etc/passwd.toml"}, {"look": "x\n--force"}, {"recipe": "/etc/passwd"}),
        *({"flags": {"output": "/tmp/x"}}, {"flags": {"seed": "1 --force"}}, {"flags": {"seed": True}}),
        *({"set": {"a=b --force": 1}}, {"set": {"colour": {"x": 1}}}, {"set": {"x": "a\nb"}}, {"set": 3}),
        *({"regions": [{"mask": "/etc/passwd", "look": "keep"}]}, {"regions": [{"mask": "../../x"}]}, {"regions": 1}),
        *({"regions": [{"mask": "top", "look": "x.toml"}]}, {"photo": "../../etc"}, {"photo": None}, {"guide": "x"}),
    ],
)
def test_no_value_becomes_an_option_or_a_path(tmp_path, settings):
    shelf = Shelf(tmp_path)
    (tmp_path / "a.png").write_bytes(PNG)
    (id,) = shelf.items()
    with pytest.raises(UsageError):
        words_of({"photo": id, **settings}, shelf)


def test_every_look_that_is_offered_can_be_chosen_and_no_other(tmp_path, monkeypatch):
    good, wrong = (
        ["a+b", "it's (new)", "_mine", "my:été", "~x"],
        ["--force", "a/b", "a\\b", "a=b", "x.toml", " a", "a\tb"],
    )
    monkeypatch.setenv("FAKE_LOOKS", ",".join([*good, *wrong]))
    with opened(tmp_path) as studio:
        assert [look["name"] for look in studio.ask("/vocabulary")["looks"]] == ["gaze", *good]
        photo = studio.drop()["id"]
        for look in good:
            until(lambda look=look: studio.status("GET", f"/looks/{photo}/{quote(look, safe='')}") == 200)
            words = words_of(
                {"photo": photo, "look": look, "regions": [{"mask": "top", "look": look}]}, studio.workshop.shelf
            )
            assert words[1:] == ("--preset", look, "--region", f"top={look}")
            assert region_words(words[-1]) == {"mask": "top", "look": look}
        for look in wrong:
            for settings in ({"look": look}, {"regions": [{"mask": "top", "look": look}]}):
                with pytest.raises(UsageError):
                    words_of({"photo": photo, **settings}, studio.workshop.shelf)


def test_the_settings_are_the_words_that_a_person_would_type(tmp_path):
    shelf = Shelf(tmp_path)
    (tmp_path / "my lake.png").write_bytes(PNG)
    (tmp_path / "linked.png").symlink_to("/etc/passwd")
    (id,) = shelf.items()
    mask = shelf.mask(PNG)
    settings = {
        "photo": id,
        "look": "gaze",
        "flags": {"strength": 0.5, "seed": 7, "motif": "eye,rose"},
        "set": {"colour": 0.25, "octaves.reinject": False, "objectives.motif.names": ["a", "b"]},
        "regions": [{"mask": mask, "look": "keep"}, {"mask": "not:top:30%", "look": "bloom"}],
    }
    line = command_of(words_of(settings, shelf, tmp_path / "x.png"))
    assert line == (
        f"dreamer render '{tmp_path}/my lake.png' --preset gaze --set colour=0.25 --set octaves.reinject=false "
        """--set 'objectives.motif.names=["a", "b"]' --strength 0.5 --seed 7 --motif eye,rose """
        f"--region {tmp_path}/.studio/masks/{mask}.png=keep --region not:top:30%=bloom -o {tmp_path}/x.png"
    )
    bare = {"photo": id, "flags": {"feather": 5}}
    assert words_of(bare, shelf)[1:] == ("--set", "feather=5")  # --feather would be refused
    assert words_of({**bare, "regions": [{"mask": "top"}]}, shelf)[1:] == ("--feather", "5", "--region", "top")


def test_without_its_packages_the_command_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused(dreamer("studio", tmp_path), "pip install 'dreamer-art[studio]'")
    assert left_in(tmp_path) == []


def test_a_folder_has_one_studio(tmp_path):
    from filelock import FileLock

    refused(dreamer("studio", tmp_path / "nothing"), "there is no such folder")
    (tmp_path / ".studio").mkdir()
    with FileLock(tmp_path / ".studio" / "lock"):
        refused(dreamer("studio", tmp_path), "a studio is open in this folder already")
