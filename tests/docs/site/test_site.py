"""The built site: every page is well made, every link leads on, nothing comes from elsewhere."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from kokoro_core._public import PUBLIC
from registry import installed_plugins
from tests.docs.blocks import ROOT
from tests.docs.site.reading import Page, led_to, read

JOBS = {
    "hear it": "hear.html",
    "my own voice": "my-voice.html",
    "write a spec": "spec.html",
    "publish a component": "plugins.html",
    "test a component": "conformance.html",
    "choose a vocoder": "vocoders.html",
    "fine-tune": "fine-tune.html",
    "export": "export.html",
    "serve": "serve.html",
    "report a fault": "report.html",
}
"""What somebody comes for, and the page that tells of it."""


def clicks_from_the_front(pages: dict[str, Page]) -> dict[str, int]:
    """Return for each page how many links of articles lead to it from the front page."""
    found, edge = {"index.html": 0}, ["index.html"]
    while edge:
        following = []
        for place in edge:
            for link in pages[place].links:
                target, _ = led_to(place, link)
                if target in pages and target not in found:
                    found[target] = found[place] + 1
                    following.append(target)
        edge = following
    return found


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_at_most_two_clicks_from_the_front_page(job: str, pages: dict[str, Page]) -> None:
    assert clicks_from_the_front(pages)[JOBS[job]] <= 2


def test_every_link_leads_to_a_file_and_a_place_in_it(site: Path, pages: dict[str, Page]) -> None:
    lost = []
    for place, page in pages.items():
        for link in page.links:
            if "://" in link or link.startswith("mailto:"):
                continue
            target, anchor = led_to(place, link)
            there = (site / target).is_file()
            named = not anchor or anchor in pages.get(target, page).anchors
            if not (there and named):
                lost.append((place, link))
    assert lost == []


def test_no_page_loads_anything_from_another_host(pages: dict[str, Page]) -> None:
    assert {each for page in pages.values() for each in page.loaded if "//" in each} == set()


def test_what_a_page_loads_is_there(site: Path, pages: dict[str, Page]) -> None:
    pages = {place: page for place, page in pages.items() if place != "404.html"}
    lost = [
        (place, each)
        for place, page in pages.items()
        for each in page.loaded
        if not (site / led_to(place, each)[0]).is_file()
    ]
    assert lost == []


def test_the_voice_is_heard_beside_its_teacher(site: Path, pages: dict[str, Page]) -> None:
    soundfile = pytest.importorskip("soundfile")
    heard = [each for each in pages["hear.html"].loaded if each.endswith(".mp3")]
    assert len(heard) == 4
    files = [site / each for each in heard]
    assert sum(each.stat().st_size for each in files) < 200_000
    for voice, teacher in zip(files[::2], files[1::2], strict=True):
        (mine, rate), (other, rate_of_other) = (soundfile.read(each) for each in (voice, teacher))
        assert rate == rate_of_other == 24_000
        assert min(len(mine), len(other)) > 2 * rate
        assert len(mine) == pytest.approx(len(other), rel=0.2)
        assert min(abs(mine).max(), abs(other).max()) > 0.1


def test_a_page_has_one_title_and_skips_no_level_of_headings(pages: dict[str, Page]) -> None:
    wrong = {}
    for place, page in pages.items():
        levels = [level for level, _ in page.headings]
        steps = [b - a for a, b in itertools.pairwise(levels)]
        if levels[:1] != [1] or levels.count(1) != 1 or max(steps, default=0) > 1:
            wrong[place] = page.headings
    wrong.pop("404.html", None)  # nothing in it but the title
    assert wrong == {}


def test_no_fence_is_left_for_the_reader_to_see(pages: dict[str, Page]) -> None:
    assert [place for place, page in pages.items() if "```" in page.text] == []


def test_every_command_is_described_with_its_options(pages: dict[str, Page]) -> None:
    for name in installed_plugins().commands:
        assert f"kokoro-core {name}" in pages[f"commands/{name}.html"].text
    assert "--set" in pages["commands/check.html"].text
    train = pages["commands/train.html"].text
    assert -1 < train.find("A spec file or a named spec") < train.find("--corpus")
    assert "attach" in [text for _, text in pages["commands/checkpoint.html"].headings]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_described(module: str, pages: dict[str, Page]) -> None:
    headings = pages[f"names/{module}.html"].headings
    # Behind a name may stand what kind it is, such as `dataclass`.
    assert [text.split()[0] for level, text in headings if level == 2] == list(PUBLIC[module])


def test_a_function_shows_its_signature(pages: dict[str, Page]) -> None:
    text = "".join(pages["names/kokoro_core.html"].text.split())
    assert "load_spec(source:Source,*,overrides:Mapping[str,Any]|None=None" in text
    spoken = "".join(pages["names/kokoro_core.speech.html"].text.split())
    assert "speak(model:KokoroModel,text:str" in spoken


def test_a_method_behind_a_decorator_shows_the_arguments_that_it_takes(
    pages: dict[str, Page],
) -> None:
    text = " ".join(pages["names/kokoro_core.html"].text.split())
    assert "chunk_frames : int | None = None" in text.replace("generate (", "generate(") or (
        "chunk_frames: int | None = None" in text
    )


def test_every_named_spec_has_its_picture(site: Path, pages: dict[str, Page]) -> None:
    for name in installed_plugins().specs:
        text = (site / "specs" / f"{name}.html").read_text(encoding="utf-8")
        assert f'aria-label="The parts of {name} and what flows between them"' in text
        assert "encoder" in pages[f"specs/{name}.html"].text


def test_pages_of_architectures_show_a_picture_in_place_of_mermaid(site: Path) -> None:
    for page in (ROOT / "docs" / "architectures").glob("*.md"):
        text = (site / "architectures" / f"{page.stem}.html").read_text(encoding="utf-8")
        assert text.count('<figure class="graph"') == 1
        assert "flowchart TD" not in text


def test_llms_txt_leads_to_the_markdown_of_every_page(site: Path, pages: dict[str, Page]) -> None:
    text = (site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# Kokoro\n\n> ")
    for place in pages.keys() - {"404.html"}:
        source = place.replace(".html", ".md")
        if place.startswith("examples/"):  # a folder's page is its README
            source = source.replace("index.md", "README.md")
        assert f"]({source})" in text
        assert (site / source).read_text(encoding="utf-8").startswith("# ")


def test_a_page_that_is_badly_made_would_be_seen() -> None:
    page = read(
        "<article><h1 id='a'>A<a href='#a'>¶</a></h1><h3>B</h3><a href='b.html'>b</a>"
        "<img src='https://x.example/y.png'><p>c</p></article><a href='footer.html'>no</a>"
    )
    assert page.headings == [(1, "A"), (3, "B")]
    assert (page.links, page.anchors) == (["#a", "b.html"], {"a"})
    assert page.loaded == ["https://x.example/y.png"]
