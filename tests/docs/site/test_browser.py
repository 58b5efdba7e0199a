"""The site in headless Chromium: requests, contrast, keyboard, search, narrow screens."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = os.environ.get("KOKORO_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

PLACES = (
    *("index.html", "hear.html", "tutorial.html", "errors.html", "names/kokoro_core.html"),
    *("specs/heart.html", "commands/train.html", "architectures/matcha.html"),
    *("benchmarks/results.html", "decisions.html"),
)
"""A page of each kind."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        words = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=words)
        yield browser
        browser.close()


def opened(browser: Browser, address: str, place: str, **more: Any) -> tuple[Page, list[str]]:
    """Open a page; return it and what went wrong: errors, and requests to other hosts."""
    page = browser.new_page(**more)
    page.set_default_timeout(20_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:", "blob:"))
            else faults.append(request.url)
        ),
    )
    page.goto(f"{address}/{place}", wait_until="load")
    return page, faults


CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const painted = (colours) => {
    canvas.fillStyle = "white";
    canvas.fillRect(0, 0, 1, 1);
    for (const each of colours) { canvas.fillStyle = each; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const grounds = (node) => {
    const found = [];
    for (let at = node; at; at = at.parentElement) {
      found.unshift(getComputedStyle(at).backgroundColor);
    }
    return found;
  };
  const poor = [];
  let seen = 0;
  for (const node of document.querySelectorAll(".md-header *, .md-tabs *, .md-main *")) {
    const own = [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    if (!own || node.closest("svg, script, style, .headerlink, .md-top, .md-clipboard")) continue;
    const shown = { opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true };
    if (!node.checkVisibility(shown)) continue;
    const style = getComputedStyle(node), behind = grounds(node);
    const pair = [light(painted([...behind, style.color])), light(painted(behind))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    seen += 1;
    if (contrast < 4.5) {
      poor.push([node.className || node.tagName, node.textContent.trim().slice(0, 30), contrast]);
    }
  }
  return { seen, poor };
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES)
def test_text_stands_out_and_no_other_host_is_asked(
    browser: Browser, address: str, place: str, scheme: Any
) -> None:
    page, faults = opened(browser, address, place, color_scheme=scheme)
    assert page.locator("body").get_attribute("data-md-color-scheme") == (
        "slate" if scheme == "dark" else "default"
    )
    found = page.evaluate(CONTRAST)
    assert found["seen"] > 20
    assert found["poor"] == [], "text must have a contrast of 4.5 (WCAG 2.2, AA)"
    assert faults == []
    page.close()


def test_poor_contrast_would_be_seen(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, "index.html", color_scheme="light")
    page.add_style_tag(content=".md-typeset p { color: #0007; }")
    assert len(page.evaluate(CONTRAST)["poor"]) > 0
    page.close()


FOCUSED = """
() => {
  const node = document.activeElement;
  return [node.textContent.trim(), node.getAttribute("href"), node.className];
}
"""


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(
    browser: Browser, address: str
) -> None:
    page, _ = opened(browser, address, "hear.html")
    page.keyboard.press("Tab")
    text, target, _ = page.evaluate(FOCUSED)
    assert (text, target) == ("Skip to content", "#hear-it")
    assert page.locator(":focus").is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('article') !== null")
    page.close()


def test_each_job_of_the_front_page_is_reached_by_keyboard(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, "index.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED)[1])
        seen = page.locator(":focus").evaluate("each => getComputedStyle(each).outlineStyle")
        assert seen != "none" or reached[-1] is None, f"{reached[-1]} does not show its focus"
    jobs = ["hear.html", "my-voice.html", "spec.html", "tutorial.html", "plugins.html"]
    assert [each for each in reached if each in jobs] == jobs
    page.locator("article a", has_text="Hear it").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/hear.html")
    page.close()


def test_search_finds_a_page_by_keyboard_alone(browser: Browser, address: str) -> None:
    page, faults = opened(browser, address, "index.html")
    page.keyboard.press("/")
    page.keyboard.type("length_ratio")
    page.locator(".md-search-result__item a").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "index.html" not in url)
    assert "length_ratio" in page.locator("article").inner_text()
    assert faults == []
    page.close()


def test_the_other_colours_are_one_key_away_and_kept(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address, "index.html", color_scheme="light")
    page.get_by_title("Switch to dark mode").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    page.reload()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"
    page.close()


@pytest.mark.parametrize("place", PLACES)
def test_nothing_overflows_a_narrow_screen(browser: Browser, address: str, place: str) -> None:
    page, _ = opened(browser, address, place, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()
