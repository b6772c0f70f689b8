"""The page in a real browser; needs `pip install playwright` and Chromium, else it is skipped."""

import shutil
import time
from collections.abc import Iterator
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from studio import FRAMES, SIZE

from jointvos.cli.paint import segment_command
from jointvos.paint import PaintServer
from jointvos.paint.export import job_of
from jointvos.runs import Outputs, SegmentedFrame, segment_video

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


class Page:
    """What a user does, in pixels of the video."""

    def __init__(self, page, folder):
        self.page, self.folder = page, folder
        self.problems = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())

    def open(self, address):
        self.page.goto(address)
        self.until("document.querySelector('#frame-state').textContent")
        return self

    def until(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not self.page.evaluate(f"() => Boolean({condition})"):
            assert time.monotonic() < end, f"{condition}; {self.problems}"
            time.sleep(0.05)

    def text(self, selector):
        return self.page.inner_text(selector)

    def saved(self):
        self.until("document.querySelector('#busy').hidden")
        self.until("document.querySelector('#saved').textContent === 'Saved'")

    def place(self, x, y):
        height, width = SIZE
        box = self.page.locator("#canvas").bounding_box()
        scale = 0.97 * min(box["width"] / width, box["height"] / height)
        return (
            box["x"] + (box["width"] - width * scale) / 2 + x * scale,
            box["y"] + (box["height"] - height * scale) / 2 + y * scale,
        )

    def drag(self, *points, button="left"):
        mouse = self.page.mouse
        mouse.move(*self.place(*points[0]))
        mouse.down(button=button)
        for point in points[1:]:
            mouse.move(*self.place(*point), steps=5)
        mouse.up(button=button)

    def click(self, *point):
        self.page.mouse.click(*self.place(*point))

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, frame):
        self.page.fill("#frame-number", str(frame))
        self.press("Enter")
        self.until(f"document.querySelector('#canvas').ariaLabel === 'Frame {frame}'")

    def follow(self, key="t"):
        self.press(key)
        self.until("document.querySelector('.pausing')")
        self.until("!document.querySelector('.pausing')")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def server(clip, spec) -> Iterator[PaintServer]:
    with PaintServer(clip, spec, command=segment_command) as server:
        thread = Thread(target=server.serve)
        thread.start()
        yield server
        server._end()
        thread.join()


@pytest.fixture
def page(browser, server, clip):
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = Page(context.new_page(), clip.parent).open(server.address)
    yield page
    context.close()
    assert page.problems == []


def rectangle(x0, y0, x1, y1, id=1):
    mask = np.zeros(SIZE, np.uint8)
    mask[y0:y1, x0:x1] = id
    return mask


def polygon(page, *corners):
    page.press("p")
    for corner in corners:
        page.click(*corner)
    page.press("Enter")
    page.saved()


def test_from_a_box_to_an_export(page, server, tmp_path):
    project = server.project
    page.press("r")
    page.drag((4, 24), (46, 66))
    page.saved()
    found = project.given(0) > 0
    truth = rectangle(10, 30, 40, 60) > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.9

    page.press("b")
    page.drag((60, 20), (90, 20))
    page.saved()
    brushed = project.given(0)
    assert brushed[20, 60:90].all()
    page.press("Control+z")
    page.saved()
    page.until("!document.querySelector('#redo').disabled")
    assert np.array_equal(project.given(0) > 0, found)
    page.press("Control+Shift+z")
    page.saved()
    assert np.array_equal(project.given(0), brushed)
    page.press("Control+z")
    page.saved()

    page.press("n")
    polygon(page, (5, 65), (25, 65), (25, 85), (5, 85))
    assert np.array_equal(project.given(0) == 2, rectangle(5, 65, 25, 85) > 0)

    page.follow()
    assert project.done["forward"] == FRAMES - 1
    assert "to the end" in page.text("#follow")
    page.until("document.querySelector('#hint').textContent.startsWith('Followed')")
    assert page.page.get_attribute("#export", "class") == "primary"

    page.go(12)
    page.until("document.querySelector('#hint').hidden")
    page.press("1", "b")
    page.drag((60, 80), (90, 80))
    page.saved()
    assert page.text("#follow") == "Follow from 12"
    page.press("Control+z")  # takes back what it cost, too
    page.saved()
    page.until("document.querySelector('#follow').textContent.includes('to the end')")

    page.press("Delete")
    page.saved()
    polygon(page, (34, 30), (64, 30), (64, 60), (34, 60))
    assert np.array_equal(project.given(12), rectangle(34, 30, 64, 60))
    assert page.text("#follow") == "Follow from 12"
    page.follow()

    results = {
        event.result.index: event.result.labels
        for event in segment_video(job_of(project, tmp_path / "clip.mp4", server._spec, Outputs()))
        if isinstance(event, SegmentedFrame)
    }
    for index in range(FRAMES):
        assert np.array_equal(project.followed.labels(index), results[index]), index

    page.press("Control+e")
    page.page.uncheck("text=Video with the objects tinted")
    page.page.check("text=Masks as indexed PNGs")
    page.page.click("#export-start")
    page.until("!document.querySelector('#export-files').hidden")
    for index in range(FRAMES):
        written = Image.open(tmp_path / "clip_masks" / f"{index:05d}.png")
        assert np.array_equal(np.asarray(written), results[index]), index


def test_every_tool_leaves_what_it_should(page, server):
    project = server.project
    polygon(page, (20, 20), (60, 20), (60, 50), (20, 50))
    assert np.array_equal(project.given(0), rectangle(20, 20, 60, 50))
    page.press("e")
    page.drag((40, 35), (40, 35.2))
    page.saved()
    hole = project.given(0)
    assert hole[35, 40] == 0
    assert hole[22, 22] == 1
    page.press("g")
    page.click(40, 35)
    page.saved()
    assert np.array_equal(project.given(0), rectangle(20, 20, 60, 50))
    page.click(100, 80)
    page.until("document.querySelector('#toast').textContent.includes('Nothing encloses')")
    page.press("n", "c")
    page.click(15, 75)
    page.saved()
    page.click(20, 80)
    page.saved()
    clicked = project.given(0) == 2
    assert (clicked & (rectangle(5, 65, 25, 85) > 0)).sum() > 0.7 * 400
    page.press("Delete", "w")
    page.click(15, 75)
    page.saved()
    blue = project.given(0) == 2
    assert (blue & (rectangle(5, 65, 25, 85) > 0)).sum() > 0.7 * 400
    page.press("s")
    page.drag((8, 70), (22, 80))
    page.saved()
    page.drag((70, 90), (120, 90), button="right")
    page.saved()
    refined = project.given(0) == 2
    assert (refined & (rectangle(5, 65, 25, 85) > 0)).sum() > 0.85 * 400
    assert not refined[90, 70:120].any()
    assert np.array_equal(project.given(0) == 1, rectangle(20, 20, 60, 50) > 0)


def test_names_hiding_and_removing(page, server):
    project = server.project
    polygon(page, (20, 20), (60, 20), (60, 50))
    page.page.fill("#objects input", "Cup")
    page.press("Enter")
    page.page.click("[aria-label='Hide Cup']")
    page.until("document.querySelector('[aria-label=\"Show Cup\"]')")
    time.sleep(0.3)
    assert [(each.name, each.visible) for each in project.objects] == [("Cup", False)]
    page.page.click("[aria-label='Remove Cup']")
    page.page.click("#ask-yes")
    page.until("document.querySelectorAll('#objects li').length === 0")
    assert (project.objects, project.painted()) == ([], [])


def test_another_tab_takes_over_and_gives_back(page, server, browser):
    polygon(page, (20, 20), (60, 20), (60, 50))
    other = Page(page.page.context.new_page(), page.folder).open(server.address)
    page.until("!document.querySelector('#curtain').hidden")
    assert "another tab" in page.text("#curtain")
    other.press("Delete")
    other.saved()
    assert server.project.painted() == []
    page.page.click("#curtain-button")
    other.until("!document.querySelector('#curtain').hidden")
    assert other.problems == []


def test_done_shows_the_command(page, server):
    polygon(page, (20, 20), (60, 20), (60, 50))
    page.follow()
    page.page.click("#done")
    assert "Nothing is exported yet" in page.text("#ask-text")
    page.page.click("#ask-yes")
    page.until("!document.querySelector('#curtain').hidden")
    assert page.text("#curtain-command") == server.command
    assert "--mask clip.jointvos/masks/00000.png" in server.command
