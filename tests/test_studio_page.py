"""The studio's page in a real browser, with real engines: as a person uses it."""

import inspect
import json
import shlex

import pytest
from browser import CHROMIUM, Browser
from command import ENVIRONMENT, dreamer, left_in, photo, stamp_of

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from studios import forked_engine, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
COMMAND = "document.querySelector('#command pre').textContent"
SAID = "document.querySelector('#say').textContent"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("studio") / "pictures"


@pytest.fixture(scope="module")
def studio(folder):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "DREAMER_PLUGINS"):
            patch.setenv(name, ENVIRONMENT[name])
        with opened(folder, forked_engine(), most_bytes=1_000_000) as studio:
            yield studio


@pytest.fixture(scope="module")
def browser(studio, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(studio.address)
        browser.wait("document.querySelector('#folder').textContent")
        yield browser


@pytest.fixture(scope="module")
def dropped(browser, tmp_path_factory):
    """The page with a photo on it."""
    source = photo(tmp_path_factory.mktemp("photos") / "a <b>lake<b>.png", 64, 48)
    browser.files("#file", source)
    browser.wait(f"{COMMAND}.includes('dreamer render')")
    return browser


def dial(browser, key, value):
    box = f"document.querySelector('[data-key=\"{key}\"] input[type=number]')"
    browser.look(f"{box}.value = {json.dumps(value)}; {box}.dispatchEvent(new Event('change'))")


def a_photo_a_look_the_dials_and_the_picture_grows(dropped, studio, folder, tmp_path):
    page = dropped
    page.click("[data-look=agate]")
    dial(page, "strength", 0.7)
    page.press("2")
    dial(page, "octaves.steps", 3)
    page.press("1")
    page.wait(f"{COMMAND}.includes('--preset agate --set octaves.steps=3 --strength 0.7')")
    command = page.look(COMMAND)
    page.press("d")
    page.wait(f"{SAID}.includes('is done')")
    (job,) = studio.workshop.jobs.all()
    assert job.result == "a -b-lake-b--dream.png" or job.result.endswith("-dream.png")
    page.wait("!document.querySelector('#after').hidden && document.querySelector('#after').src.includes('/view')")
    assert stamp_of(folder / job.result)["recipe"]["strength"] == 0.7
    assert command == job.command
    typed = [*shlex.split(command)[1:-1], tmp_path / "typed.png"]
    assert dreamer(*typed, "--threads", "1").code == 0
    assert (tmp_path / "typed.png").read_bytes() == (folder / job.result).read_bytes()


def before_and_after_loupe_and_side_by_side_by_keys(dropped):
    page = dropped
    page.wait("!document.querySelector('#after').hidden")
    page.press("c")
    assert page.look("document.querySelector('#frame').style.getPropertyValue('--edge')") == "50%"
    page.press("ArrowRight")
    assert page.look("document.querySelector('#slider').value") == "50.5"
    page.press("l")
    page.wait("document.querySelector('#lens').style.backgroundImage.includes('/file')")
    page.look("document.activeElement.blur()")
    page.press("ArrowLeft")
    assert page.look("document.querySelector('#lens').style.left") == "48%"
    page.press("l")
    page.press("v")
    page.wait("document.querySelector('#other img').naturalWidth")
    page.press("v")
    assert page.look("document.querySelector('#other').hidden && document.querySelector('#lens').hidden")


def a_live_preview_pause_and_stop(dropped, studio, folder):
    page = dropped
    page.press("2")
    dial(page, "octaves.steps", 2000)
    page.wait(f"{COMMAND}.includes('octaves.steps=2000')")
    page.press("d")
    page.wait("document.querySelector('#after').src.includes('preview?n=2')")
    page.press("p")
    page.wait("document.querySelector('#left').textContent === 'paused'")
    page.press("p")
    page.wait("document.querySelector('#left').textContent.includes('left')")
    page.press("s")
    page.wait(f"{SAID}.includes('stopped, and kept')")
    assert studio.states()[-1] == "stopped" and any("partial" in name for name in left_in(folder))
    page.look("document.querySelector('[data-key=\"octaves.steps\"] .reset').click()")
    page.wait(f"!{COMMAND}.includes('octaves.steps')")


def a_draft_gives_its_seed(dropped):
    page = dropped
    page.press("t")
    page.wait("document.querySelectorAll('#drafts button').length === 6")
    page.wait("document.querySelectorAll('#drafts button:not(.waiting)').length > 0")
    page.click("#drafts button:not(.waiting)")
    seed = page.look("document.querySelector('#drafts [aria-pressed=true]').title.replace('Seed ', '')")
    page.wait(f"{COMMAND}.includes('--seed {seed}')")
    page.press("1")
    page.look("document.querySelector('[data-key=seed] .reset').click()")
    page.wait(f"!{COMMAND}.includes('--seed')")


def a_region_by_hand(dropped, studio):
    page = dropped
    page.press("b")
    page.click("#tool-fill")
    page.click("#add-region")
    page.wait(f"{COMMAND}.includes('--region')")
    assert "=keep" in page.look(COMMAND)
    page.click("#regions button")
    page.wait(f"!{COMMAND}.includes('--region')")
    page.look("document.querySelector('#where').value = 'part'; document.querySelector('#where').onchange()")
    page.wait(f"{SAID}.includes('Click a part')")
    where = page.look(
        "(({x, y, width}) => [x + width / 2, y + 3])(document.querySelector('#paint').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1)
    page.wait(f"{SAID}.startsWith('Part ')")
    page.click("#add-region")
    page.wait(f"{COMMAND}.includes('--region part:')")
    page.click("#regions button")
    page.press("b")


def a_dream_that_is_dropped_shows_what_differs(dropped, folder, tmp_path):
    page, dream = dropped, tmp_path / "dream.png"
    wishes = ("--preset", "jewels", "--seed", "77", "--set", "octaves.steps=1")
    assert dreamer("render", photo(tmp_path / "x.png", 64, 48), *wishes, "-o", dream).code == 0
    page.files("#file", dream)
    page.wait("document.querySelector('#found-title').textContent === 'dream.png is a dream'")
    rows = page.look("[...document.querySelectorAll('#found tbody tr')].map((row) => row.innerText)")
    assert "seed\t0\t77" in rows
    page.click("#use-seed")
    page.wait(f"{COMMAND}.includes('--seed 77') && !{COMMAND}.includes('--recipe')")
    page.files("#file", dream)
    page.wait("!document.querySelector('#found').hidden")
    page.click("#use-all")
    page.wait(f"{COMMAND}.includes('--recipe') && !{COMMAND}.includes('--seed')")
    page.click("[data-look='']")
    page.wait(f"!{COMMAND}.includes('--recipe')")


def a_broken_file_is_a_sentence_beside_the_photos_that_are_none(dropped, tmp_path):
    page = dropped
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    page.files("#file", tmp_path / "broken.jpg", photo(tmp_path / "good.png", 64, 48, shift=5))
    page.wait("document.querySelector('#problems').textContent.includes('broken.jpg')")
    page.wait("document.querySelector('#gallery').textContent.includes('good.png')")
    assert "/tmp" not in page.look("document.querySelector('#problems').textContent")


def the_page_is_closed_and_opened_again_in_the_middle(dropped, studio):
    page, settings = dropped, studio.workshop.jobs.all()[-1].settings  # of the 2000 steps
    id = studio.ask("/jobs", {**settings})["id"]
    page.open("about:blank")
    page.open(studio.address)
    page.wait("document.querySelector('#queue li.running') && !document.querySelector('#progress').hidden")
    studio.ask(f"/jobs/{id}/stop", {})
    page.wait("document.querySelector('#progress').hidden")
    page.wait(f"{COMMAND}.includes('dreamer render')")  # the settings are remembered


def everything_has_a_name_and_fits_a_phone(dropped):
    page = dropped
    page.press("3")
    page.wait("document.querySelectorAll('#dials .dial').length > 40")
    nameless = """[...document.querySelectorAll('button, input, select, img')].filter((one) => one.checkVisibility() &&
        !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim() || one.hasAttribute('alt'))
    ).map((one) => one.outerHTML)"""
    assert page.look(nameless) == []
    assert page.look("new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size") == page.look(
        "document.querySelectorAll('[id]').length"
    )
    for width in (360, 1280, 3840):
        page.resize(width, 800)
        assert page.look("document.documentElement.scrollWidth") <= width
    page.resize(1280, 900)
    page.press("1")


def nothing_left_the_machine_and_the_page_complained_of_nothing(dropped, studio):
    asked = [
        each["params"]["request"]["url"] for each in dropped.events if each["method"] == "Network.requestWillBeSent"
    ]
    own = (f"http://127.0.0.1:{studio.port}/", "about:", "blob:")
    assert asked and not [url for url in asked if not url.startswith(own)]
    assert not [text for text in dropped.complaints() if "422" not in text and "404" not in text]


STEPS = (
    a_photo_a_look_the_dials_and_the_picture_grows,
    before_and_after_loupe_and_side_by_side_by_keys,
    a_live_preview_pause_and_stop,
    a_draft_gives_its_seed,
    a_region_by_hand,
    a_dream_that_is_dropped_shows_what_differs,
    a_broken_file_is_a_sentence_beside_the_photos_that_are_none,
    the_page_is_closed_and_opened_again_in_the_middle,
    everything_has_a_name_and_fits_a_phone,
    nothing_left_the_machine_and_the_page_complained_of_nothing,
)
"""One after another on one page, as a person would: each goes on from what the one before has left."""


def test_the_page_from_the_drop_to_the_end(request):
    for step in STEPS:
        step(**{name: request.getfixturevalue(name) for name in inspect.signature(step).parameters})
