"""The page in headless Chromium: it speaks, shows, compares, and asks no other host."""

from __future__ import annotations

import os
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kokoro_core import KokoroModel
from kokoro_core.speech import speak
from kokoro_plugins.serve.app import speech_app
from tests.kokoro_plugins.serve.conftest import Held, Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = os.environ.get("KOKORO_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
TEXT = "It is here. Why would anybody wait?"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def both(model: KokoroModel, two_voices: KokoroModel) -> Iterator[Running]:
    with running(speech_app({"tiny": model, "two": two_voices})) as started:
        yield started


@pytest.fixture(scope="module")
def guarded(model: KokoroModel) -> Iterator[Running]:
    with running(speech_app({"tiny": model}, token="abc")) as started:
        yield started


def opened(browser: Browser, started: Running, **more: Any) -> Page:
    """Open the page and let the test fail at any error in it and any request to another host."""
    page = browser.new_page(**more)
    page.set_default_timeout(20_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((started.url, "data:", "blob:"))
            else faults.append(request.url)
        ),
    )
    page.goto(started.url)
    page.faults = faults  # type: ignore[attr-defined]
    return page


def state(page: Page, wanted: str) -> None:
    page.wait_for_selector(f"body[data-state={wanted}]")


@pytest.fixture
def page(browser: Browser, both: Running) -> Iterator[Page]:
    page = opened(browser, both)
    state(page, "ready")
    yield page
    assert page.faults == []  # type: ignore[attr-defined]
    page.close()


def test_a_text_is_spoken_shown_and_saved(page: Page, model: KokoroModel, tmp_path: Path) -> None:
    page.get_by_label("Text", exact=True).fill(TEXT)
    page.get_by_role("button", name="Speak").click()
    state(page, "done")
    expected = speak(model, TEXT)
    assert f"{expected.audio_seconds:.2f} s of speech" in page.get_by_role("status").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as WAV").click()
    download.value.save_as(tmp_path / "x.wav")
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert (file.getnframes(), file.getframerate()) == (len(expected.samples), 22050)
    assert page.locator("audio").evaluate("each => each.readyState >= 0 && !each.error")
    shown = page.locator("canvas")
    phonemes = sum(len(word.phonemes) for word in expected.words)
    assert f"with {phonemes} phonemes below" in str(shown.get_attribute("aria-label"))
    colours = shown.evaluate(
        "each => new Set(each.getContext('2d').getImageData(0, 0, 40, 150).data).size"
    )
    assert colours > 20
    page.get_by_text("Words and phonemes with").click()
    rows = page.locator("tbody tr")
    assert rows.count() == phonemes
    first = expected.words[0].phonemes[0]
    cells = ["It", first.symbol, f"{first.start:.3f}", f"{(first.end - first.start) * 1000:.0f}"]
    assert rows.first.locator("td").all_inner_texts() == cells


def test_a_sentence_is_heard_before_the_next_one_is_made(
    browser: Browser, model: KokoroModel
) -> None:
    app = speech_app({"tiny": model})
    held = Held(app)
    with running(app) as started:
        page = opened(browser, started)
        state(page, "ready")
        page.get_by_label("Text", exact=True).fill(TEXT)
        held.let_go()
        page.keyboard.press("Control+Enter")
        page.get_by_text("Sentence 1 of 2; first sound after").wait_for()
        assert held.batches[0] == ["It is here."]
        assert page.locator("canvas").is_visible()
        page.keyboard.press("Escape")
        page.get_by_text("Stopped.").wait_for()
        held.free()
        page.get_by_role("button", name="Speak").click()
        state(page, "done")
        page.close()


def test_two_models_are_compared_each_with_what_it_takes(page: Page) -> None:
    page.get_by_label("Compare two models").check()
    first, second = (
        page.get_by_role("group", name="First", exact=True),
        page.get_by_role("group", name="Second", exact=True),
    )
    assert first.get_by_label("Model").input_value() == "tiny"
    assert second.get_by_label("Model").input_value() == "two"
    assert first.get_by_label("Pitch").is_hidden()
    second.get_by_label("Voice").select_option("ben")
    second.get_by_label("Pitch").fill("1.5")
    second.get_by_label("Seed").fill("3")
    page.get_by_label("Text", exact=True).fill("Yes!")
    page.get_by_role("button", name="Speak").click()
    state(page, "done")
    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        "First: tiny, default",
        "Second: two, ben",
    ]
    assert page.locator("canvas").count() == 2
    page.get_by_label("Compare two models").uncheck()
    assert second.count() == 0


def test_what_cannot_be_said_is_told_as_the_server_tells_it(page: Page) -> None:
    page.get_by_label("Text", exact=True).fill("漢字")
    page.get_by_role("button", name="Speak").click()
    state(page, "failed")
    assert "another script" in page.get_by_role("alert").inner_text()


def test_a_token_is_asked_for(browser: Browser, guarded: Running) -> None:
    page = opened(browser, guarded)
    page.get_by_text("The token is missing or wrong").wait_for()
    page.get_by_label("Token of this server").fill("abc")
    page.get_by_label("Token of this server").press("Tab")
    state(page, "ready")
    assert page.get_by_role("alert").inner_text() == ""
    page.get_by_role("button", name="Speak").click()
    state(page, "done")
    page.close()


def test_all_is_reached_by_keyboard_in_the_order_of_the_page(page: Page) -> None:
    page.get_by_label("Text", exact=True).focus()
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(e => e.dataset?.name || e.id || e.tagName)(document.activeElement)",
            )
        )
    assert reached == ["model", "voice", "speed", "seed", "compare", "SUMMARY", "speak"]


LUMINANCE = """
() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!colour.endsWith(", 0)")) return colour;
    }
  };
  const found = [];
  for (const node of document.querySelectorAll("body *:not(script)")) {
    const text = [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    if (!text || !node.checkVisibility()) continue;
    const pair = [light(getComputedStyle(node).color), light(ground(node))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    found.push([`${node.tagName} ${node.textContent.slice(0, 30)}`, contrast]);
  }
  return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_labels_hold_in_light_and_dark(
    browser: Browser, both: Running, scheme: Any
) -> None:
    page = opened(browser, both, color_scheme=scheme)
    state(page, "ready")
    page.get_by_label("Compare two models").check()
    page.get_by_role("button", name="Speak").click()
    state(page, "done")
    pairs = page.evaluate(LUMINANCE)
    assert len(pairs) > 25
    poor = [each for each in pairs if each[1] < 4.5]
    assert not poor, "text must have a contrast of 4.5 (WCAG 2.2, AA)"
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('input, select, textarea, audio, canvas')]"
        ".filter(e => e.checkVisibility() && !(e.labels?.length || e.ariaLabel))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    page.close()


def test_nothing_overflows_a_narrow_screen(browser: Browser, both: Running) -> None:
    page = opened(browser, both, viewport={"width": 320, "height": 640})
    state(page, "ready")
    page.get_by_role("button", name="Speak").click()
    state(page, "done")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()
