"""The page, read as HTML and opened in a browser."""

import base64
import shutil
import struct
from html.parser import HTMLParser

import pytest
import soundfile

from kokoro_plugins.evaluation.against import differences
from kokoro_plugins.evaluation.evaluate import evaluate
from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.page.write import write_page
from kokoro_plugins.evaluation.sentences import Sentence, held_out_sentences
from tests.kokoro_plugins.evaluation.conftest import Loudness, Scripted

pytest.importorskip("pyworld")
ADDRESSES = ("src", "href", "action", "poster", "data", "srcset")
WITHOUT_END = {"meta", "link", "br", "image", "line", "img", "input"}


@pytest.fixture(scope="module")
def evaluations(model, corpus):
    first, second = held_out_sentences(corpus, 2)
    sentences = [
        Sentence(first.name, "Cats & <b>dogs</b>.", first.utterance),
        Sentence(second.name, "Two words.", second.utterance),
        Sentence("t", "Nobody has ever recorded this sentence & that one."),
    ]
    scripts = ["cats and dogs", "cats", "two words", "too words", "two words"]
    return [
        evaluate(
            model,
            sentences,
            listener=Listener(recognizer=Scripted(*texts), rater=Loudness()),
            beside=("recordings",),
            name=name,
        )
        for name, texts in (("first & <i>best</i>", scripts), ("second", ["cats", "dogs"]))
    ]


@pytest.fixture(scope="module")
def page(evaluations, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "a page"
    found = [differences(*evaluations)]
    return write_page(folder, evaluations, evaluations[1], found)


class Reader(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.texts, self.tags = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ADDRESSES]
        self.tags.append((tag, dict(attrs)))
        if tag not in WITHOUT_END:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ADDRESSES]
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def read(page):
    return Reader(page.read_text(encoding="utf-8"))


def test_what_is_opened_is_closed_and_texts_are_no_markup(read):
    assert read.open == []
    spoken = {"Cats & <b>dogs</b>.", "Nobody has ever recorded this sentence & that one."}
    assert spoken <= set(read.texts)
    assert "first & <i>best</i>" in read.texts
    assert [tag for tag, _ in read.tags].count("script") == 1


def test_all_that_it_points_at_is_in_it_or_beside_it(read, page):
    files = [each for each in read.addresses if not each.startswith("data:")]
    assert len(files) == len(set(files)) == 5  # one voice twice is there once
    assert all((page.parent / each).is_file() for each in files)
    assert "//" not in "".join(files)


def test_the_sounds_are_those_of_the_evaluation(page, evaluations):
    name = evaluations[0].sentences[0].name
    samples, rate = soundfile.read(page.parent / "sounds" / "0000-1.flac", dtype="float32")
    expected = evaluations[0].outcomes["model"][name].rendition
    assert rate == expected.sample_rate
    assert samples == pytest.approx(expected.samples, abs=1e-4)


def test_each_picture_is_as_wide_as_the_mel_has_frames(read, evaluations):
    addresses = [each for each in read.addresses if each.startswith("data:image/png")]
    data = base64.b64decode(addresses[0].partition(",")[2])
    samples = evaluations[0].outcomes["recordings"][evaluations[0].sentences[0].name].rendition
    assert struct.unpack(">II", data[16:24]) == (len(samples.samples) // 256, 80)


def test_what_was_heard_wrongly_is_marked_and_counted(page):
    text = page.read_text(encoding="utf-8")
    assert "<del>2</del> <ins>too</ins> words" in text
    assert "<tr><th>2</th><td>too</td><td>1</td></tr>" in text


def test_figures_and_differences_are_the_tables_of_the_terminal(read):
    texts = set(read.texts)
    assert {"WER", "Distill-MOS", "recordings", "model, texts", "95 % of model"} <= texts
    assert "first & <i>best</i> against second" in texts


def test_the_phonemes_stand_below_the_mel_where_they_are_heard(page, evaluations):
    rendition = evaluations[0].outcomes["model"][evaluations[0].sentences[0].name].rendition
    last = rendition.phonemes[-1]
    assert f'<line x1="{260 * last.end:.1f}"' in page.read_text(encoding="utf-8")


def test_it_works_in_a_browser_from_its_file_alone(page):
    """Every address is the page's own folder, sounds and pictures load, and sorting sorts."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    asked, wrong = [], []
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page()
        view.on("request", lambda request: asked.append(request.url))
        view.on("console", lambda message: wrong.append(message.text))
        view.on("pageerror", lambda error: wrong.append(str(error)))
        view.goto(page.as_uri())
        lengths = view.evaluate(LOAD_SOUNDS)
        widths = view.evaluate("[...document.querySelectorAll('svg')].map(e => e.clientWidth)")
        before = view.evaluate(SENTENCES)
        view.select_option("#order", "understood")
        after = view.evaluate(SENTENCES)
        view.click("svg >> nth=0", position={"x": 100, "y": 50})
        view.wait_for_function("document.querySelector('audio').currentTime > 0")
        browser.close()
    assert not wrong
    assert all(each.startswith(("data:", page.parent.as_uri() + "/")) for each in asked)
    files = sorted((page.parent / "sounds").iterdir())
    assert lengths == pytest.approx([soundfile.info(each).duration for each in files], abs=0.01)
    assert all(width > 50 for width in widths)
    assert before == ["0", "1", "2"]
    assert sorted(after) == before != after


SENTENCES = "[...document.querySelectorAll('article')].map(each => each.dataset.order)"
LOAD_SOUNDS = """
Promise.all([...document.querySelectorAll('audio')].map(each => new Promise((done, failed) => {
  each.addEventListener('loadedmetadata', () => done(each.duration));
  each.addEventListener('error', () => failed(each.src));
  each.preload = 'metadata';
  each.load();
})))
"""
