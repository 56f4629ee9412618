"""The studio's page in a real browser, with real engines: as a person uses it."""

import inspect
import json
import os
import shlex
import signal
from importlib.util import find_spec
from pathlib import Path

import forked
import pytest
from browser import CHROMIUM, Browser
from clips import made as clip
from command import ENVIRONMENT, dreamer, left_in, photo, stamp_of
from PIL import Image

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from studios import forked_engine, opened, until

from dreamer.videos.zoom.scene import path_of
from dreamer.videos.zoom.schedule import zoom_from

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
COMMAND = "document.querySelector('#command pre').textContent"
PHOTO = "JSON.parse(localStorage['dreamer-studio']).photo"
BY_ID = "document.getElementById.bind(document)"
_axe = find_spec("axe_playwright_python")
AXE = _axe and _axe.origin and Path(_axe.origin).with_name("axe.min.js")
"""axe-core, where a package that holds it happens to be installed."""
HEARS = """addEventListener('DOMContentLoaded', () => {
    window.heard = []
    const say = document.querySelector('#say')
    if (say) new MutationObserver(() => heard.push(say.textContent)).observe(say, { childList: true })
})"""
"""Collects all that the page says: a sentence may be gone at once, when the next comes. An empty page has no say."""


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
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=HEARS)
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


def hears(page, words):
    """Wait until the page has said something since it was last heard."""
    place = f"heard.findIndex((said) => said.includes({json.dumps(words)})) + 1"
    page.wait(f"heard.splice(0, {place}).length")


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
    hears(page, "is done")
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
    page.wait("/preview.n=(?!1$)/.test(document.querySelector('#after').src)")  # the second or a later one
    page.press("p")
    page.wait("document.querySelector('#left').textContent === 'paused'")
    page.press("p")
    page.wait("document.querySelector('#left').textContent.includes('left')")
    page.press("s")
    hears(page, "stopped, and kept")
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
    painted = "ink => ink.getImageData(0, 0, 64, 48).data.filter((one, at) => at % 4 === 3 && one).length"
    painted = f"({painted})(document.querySelector('#paint').getContext('2d'))"
    page.drag("#paint", (0.2, 0.5), (0.6, 0.5))
    some = page.look(painted)
    page.click("#tool-fill")
    assert 0 < some < page.look(painted) == 64 * 48
    page.call("Input.dispatchKeyEvent", type="keyDown", key="z", modifiers=2)
    assert page.look(painted) == some
    page.click("#tool-undo")
    assert page.look(painted) == 0 and page.look("document.querySelector('#tool-undo').disabled")
    page.look("document.querySelector('#paint').focus()")
    page.press(" ")
    assert page.look(painted) > 0
    page.click("#tool-redo")  # there is nothing to do again after another stroke
    page.click("#add-region")
    page.wait(f"{COMMAND}.includes('--region')")
    assert "=keep" in page.look(COMMAND)
    page.click("#regions button")
    page.wait(f"!{COMMAND}.includes('--region')")
    page.look("document.querySelector('#where').value = 'part'; document.querySelector('#where').onchange()")
    hears(page, "Click a part")
    page.drag("#paint", (0.5, 0.1))
    hears(page, "Part ")
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


def a_path_drawn_on_the_photo_becomes_a_film(dropped, studio, folder):
    page = dropped
    page.press("z")
    page.wait(f"{COMMAND}.startsWith('dreamer zoom') && !{COMMAND}.includes('--keyframes')")
    for name, value in (("seconds", 0.5), ("fps", 8)):
        page.look(f"(i => {{ i.value = {value}; i.dispatchEvent(new Event('change')) }})({BY_ID}('zoom-{name}'))")
    page.press("2")
    dial(page, "octaves.steps", 1)
    page.drag("#path", (0.2, 0.2), (0.4, 0.5), (0.7, 0.6))
    page.wait(f"{COMMAND}.includes('--keyframes') && {COMMAND}.includes('--fps 8')")
    page.look("document.querySelector('#angle-curve [data-point=\"2\"]').focus()")
    page.press("ArrowUp")
    page.wait("JSON.parse(localStorage['dreamer-studio']).path.at(-1).angle === 2")
    page.press("k")
    page.wait("!document.querySelector('#view').hidden && document.querySelector('#time').value > 0")
    page.press("k")
    page.press("d")
    hears(page, "is done")
    job = studio.workshop.jobs.all()[-1]
    assert job.result.endswith("-zoom.mp4")
    page.wait(f"{COMMAND}.replace('-2.mp4', '.mp4') === {json.dumps(job.command)}")
    page.wait("document.querySelector('#film').videoWidth === 64 && !document.querySelector('#film').hidden")
    path = json.loads(page.look("localStorage['dreamer-studio']"))["path"]
    plan = zoom_from({"seconds": 0.5, "keyframes": path})
    for time in (0.0, 0.2, 0.5):
        ours = path_of(plan, (48, 64)).at(time)
        theirs = page.look(
            "import('/page/camera.js').then(({ Camera }) => new Camera("
            f"{json.dumps(path)}, {{ seconds: 0.5, aspect: [64, 48] }}).at({time}))"
        )
        assert complex(*theirs["factor"]) == pytest.approx(ours.factor, abs=1e-9)
        assert complex(*theirs["shift"]) == pytest.approx(ours.shift, abs=1e-9)
    page.press("z")
    page.wait(f"{COMMAND}.startsWith('dreamer render')")


def a_point_of_a_curve_is_dragged_past_its_neighbour(dropped):
    page = dropped
    page.press("z")
    page.wait(f"{COMMAND}.startsWith('dreamer zoom')")
    page.drag("#path", (0.1, 0.8), (0.3, 0.7), (0.5, 0.75), (0.7, 0.8), (0.9, 0.9))
    points = "JSON.parse(localStorage['dreamer-studio']).points"
    page.wait(f"{points}.length === 5")
    first, moved, *rest = page.look(points)
    page.look("document.querySelector('#rate-curve').scrollIntoView()")
    box = "document.querySelector('#rate-curve').getBoundingClientRect()"
    (x, y), *_, (end, _) = page.look(
        "[...document.querySelectorAll('#rate-curve [data-point]')].slice(1).map((knob) => {"
        f"const [own, box] = [knob.getBoundingClientRect(), {box}];"
        "return [(own.x + own.width / 2 - box.x) / box.width, (own.y + own.height / 2 - box.y) / box.height] })"
    )
    page.drag("#rate-curve", (x, y), *((x + (end - x) * share, y) for share in (0.1, 0.2, 0.38, 0.5, 0.6, 0.72, 0.8)))
    page.wait(
        f"{points}.map((point) => point.place + '').indexOf({json.dumps(','.join(map(str, moved['place'])))}) === 3"
    )
    found = page.look(points)
    assert [point["place"] for point in found] == [each["place"] for each in (first, *rest[:2], moved, rest[2])]
    assert [found[0], found[1], found[2], found[4]] == [first, *rest]
    page.press("z")
    page.wait(f"{COMMAND}.startsWith('dreamer render')")


def a_loop_and_a_zoom_that_follows_and_dances(dropped, studio, folder):
    page = dropped
    page.look(f"{BY_ID}('kind-loop').click()")
    page.wait(f"{COMMAND}.startsWith('dreamer loop') && {BY_ID}('camera').hidden && !{BY_ID}('breath').hidden")
    for name, value in (("seconds", 2), ("seeds", 1)):
        page.look(f"(i => {{ i.value = {value}; i.dispatchEvent(new Event('change')) }})({BY_ID}('loop-{name}'))")
    page.wait(f"{COMMAND}.includes('--seconds 2 --seeds 1')")
    page.press("z")
    page.look(f"{BY_ID}('path-straight').click()")
    page.wait(f"{COMMAND}.startsWith('dreamer zoom') && {BY_ID}('breath').hidden")
    page.look(f"{BY_ID}('zoom-follow').click()")
    page.wait(f"{COMMAND}.includes('--centre follow')")
    dancing = "document.querySelector('#zoom-audio')"
    page.wait(f"{dancing}.options.length > 1")  # the zoom that was made
    page.look(f"{dancing}.selectedIndex = 1; {dancing}.onchange()")
    page.wait("document.querySelector('#problems').textContent.includes('no sound')")
    page.look(f"{dancing}.selectedIndex = 0; {dancing}.onchange()")
    page.look(f"{BY_ID}('zoom-follow').click()")
    page.wait(f"!{COMMAND}.includes('follow') && !{COMMAND}.includes('--dance')")
    page.press("z")
    page.wait(f"{COMMAND}.startsWith('dreamer render')")


def a_clip_is_dreamt_over(dropped, studio, tmp_path):
    page = dropped
    page.files("#file", clip(tmp_path / "walk.mp4", 6))
    page.wait(f"{COMMAND}.startsWith('dreamer video') && document.querySelector('#film').videoWidth")
    page.look(f"(i => {{ i.value = 0.1; i.dispatchEvent(new Event('input')) }})({BY_ID}('video-end'))")
    page.wait(f"{COMMAND}.includes('--end 0.1')")
    page.press("d")
    hears(page, "walk-dream.mp4 is done")
    page.press("v")
    page.wait("document.querySelector('#other video').videoWidth")
    page.press("v")
    page.click("#gallery li:last-child .open")  # a photo again
    page.wait(f"{COMMAND}.startsWith('dreamer render')")
    page.look("document.querySelector('[data-key=\"octaves.steps\"] .reset').click()")


def a_proof_of_a_part_at_full_size(dropped):
    page = dropped
    page.press("x")
    page.wait("document.querySelector('#proof img').naturalWidth")
    page.press("ArrowRight")
    page.press("x")
    assert page.look("document.querySelector('#proof').hidden && document.querySelector('#proof-frame').hidden")


def plugins_that_there_are(dropped):
    page = dropped
    page.press("i")
    page.wait("document.querySelector('#plugins').open && !!document.querySelector('#plugins-there tr')")
    page.click("#plugins-close")


def an_engine_killed_in_the_middle_begins_again(dropped, studio):
    page = dropped
    id = studio.ask("/jobs", {"photo": page.look(PHOTO), "set": {"octaves.steps": 2000}})["id"]
    page.wait("document.querySelector('#after').src.includes('preview')")
    os.kill(studio.workshop.benches[0].engine.pid, signal.SIGUSR1 if forked.FORKS else signal.SIGKILL)
    until(lambda: studio.workshop.jobs.get(id).tries == 2)
    page.wait(
        "!document.querySelector('#progress').hidden && document.querySelector('#left').textContent.includes('left')"
    )
    page.press("s")
    hears(page, "stopped, and kept")


def two_tabs_are_one_studio(dropped, studio):
    page = dropped
    first, second = page.session, page.tab()
    page.session = second
    page.open(studio.address)
    page.wait(f"{COMMAND}.includes('dreamer render')")
    id = studio.ask("/jobs", {"photo": page.look(PHOTO), "set": {"octaves.steps": 2000}})["id"]
    page.wait("!document.querySelector('#progress').hidden")
    page.look("document.activeElement.blur()")
    page.press("s")
    until(lambda: studio.workshop.jobs.get(id).state == "stopped")
    page.call("Page.close")
    page.session = first
    hears(page, "stopped, and kept")


def what_there_is_to_say_of_a_photo_stays_while_it_is_shown(dropped, studio, tmp_path):
    page = dropped
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 65535  # a colour space, but not which
    plain, strange = tmp_path / "plain.jpg", tmp_path / "strange.jpg"
    Image.new("RGB", (40, 30), "teal").save(plain)
    Image.new("RGB", (44, 30), "teal").save(strange, exif=exif)
    of = "[...document.querySelectorAll('#gallery button.open')].find((one) => one.textContent.includes('{}'))"
    for path in (plain, strange):
        page.files("#file", path)
        page.wait(f"!!{of.format(path.name)}")  # which is there after all that is said of it
    assert "not sRGB" in page.look("document.querySelector('#say').textContent")
    page.look(f"{of.format(plain.name)}.click()")
    page.wait("document.querySelector('#caption').textContent.startsWith('plain.jpg')")
    assert page.look("document.querySelector('#say').textContent") == ""


def many_photos_at_once(dropped, studio, tmp_path):
    page, before = dropped, len(studio.workshop.jobs.all())
    photos = [photo(tmp_path / f"{number:02}.png", 16 + number, 16) for number in range(20)]
    page.files("#file", *photos)
    hears(page, "20 photos are here.")
    page.wait("document.querySelectorAll('#gallery li').length >= 20")
    page.press("d")
    hears(page, "20 dreams are queued.")
    assert len({job.output for job in studio.workshop.jobs.all()[before:]}) == 20


def nothing_is_serious_for_a_screen_reader(dropped):
    page = dropped
    if AXE is None:
        return
    page.look(f"{AXE.read_text(encoding='utf-8')}; 0")
    words = "found.violations.map((one) => `${one.impact} ${one.id}`)"
    run = f"axe.run({{ resultTypes: ['violations'] }}).then((found) => {words})"
    for dark, keys in ((False, "2zb"), (True, "bz1i")):  # all panels, and the dialog
        page.resize(1280, 900, dark)
        for key in keys:
            page.press(key)
        page.wait(f"{COMMAND} && !document.querySelector('[aria-busy]')")
        found = page.look(run)
        assert not [one for one in found if one.startswith(("serious", "critical"))], (keys, found)
    page.click("#plugins-close")
    page.resize(1280, 900)


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
    own = (f"http://127.0.0.1:{studio.port}/", "about:", "blob:", "data:")
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
    a_proof_of_a_part_at_full_size,
    an_engine_killed_in_the_middle_begins_again,
    two_tabs_are_one_studio,
    a_path_drawn_on_the_photo_becomes_a_film,
    a_point_of_a_curve_is_dragged_past_its_neighbour,
    a_loop_and_a_zoom_that_follows_and_dances,
    a_clip_is_dreamt_over,
    plugins_that_there_are,
    everything_has_a_name_and_fits_a_phone,
    nothing_is_serious_for_a_screen_reader,
    what_there_is_to_say_of_a_photo_stays_while_it_is_shown,
    many_photos_at_once,
    nothing_left_the_machine_and_the_page_complained_of_nothing,
)
"""One after another on one page, as a person would: each goes on from what the one before has left."""


def test_the_page_works_from_the_drop_to_the_end(request):
    for step in STEPS:
        request.getfixturevalue("dropped").look("heard.length = 0")
        step(**{name: request.getfixturevalue(name) for name in inspect.signature(step).parameters})
