"""Every code block of a page does what the page says; every link leads on."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import installed_plugins
from tests.docs.blocks import (
    PAGES,
    Block,
    Shown,
    blocks_in,
    blocks_of,
    commands_in,
    commands_of,
    printed_in,
)
from tests.docs.running import Page, parse_command, run_command

HERE = Path(__file__)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A reader in an empty folder; what the page installs and imports is gone afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = types.ModuleType("page_of_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = set(sys.modules)
    yield Page(tmp_path, module)
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]
    installed_plugins.cache_clear()


def block(text: str, info: str = "python") -> Block:
    [found] = blocks_in(f"```{info}\n{text}\n```\n", HERE)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_block_of_a_page_does_what_it_says(path: Path, page: Page) -> None:
    blocks = blocks_of(path)
    for each in blocks:
        page.run(each)
    assert page.seen == [each.place for each in blocks]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    here = [each for each in targets if "://" not in each]
    assert [each for each in here if not (path.parent / each).exists()] == []


def test_every_page_is_reached_from_the_index() -> None:
    [index] = [path for path in PAGES if path.name == "index.md"]
    text = "".join(
        each.read_text(encoding="utf-8") for each in (index, index.parent / "architecture.md")
    )
    pages = [path.name for path in PAGES if path.parent == index.parent and path != index]
    assert [name for name in pages if f"({name})" not in text] == []


def test_the_readme_shows_what_it_must() -> None:
    blocks = blocks_of(PAGES[0])
    languages = {each.language for each in blocks}
    assert {"sh", "python", "yaml", "console", "toml"} <= languages
    example = next(each for each in blocks if each.language == "python")
    plugin = next(each for each in blocks if each.title == "acme_lookup.py")
    for each in (example, plugin):
        assert len([line for line in each.text.splitlines() if line.strip()]) <= 15


# The tests below try the checks themselves: each must fail on a page that is wrong.


def test_blocks_are_found_with_their_lines_and_words() -> None:
    text = 'a\n\n- b\n\n  ```python title="x.py" wrong\n  1\n  ```\n\n```\n2\n```\n'
    first, second = blocks_in(text, HERE)
    assert (first.line, first.language, first.title, first.wrong, first.text) == (
        5,
        "python",
        "x.py",
        True,
        "1\n",
    )
    assert (second.line, second.language, second.text) == (9, "", "2\n")


def test_an_indented_block_is_refused() -> None:
    with pytest.raises(AssertionError, match="fence it"):
        blocks_in("a\n\n    code\n", HERE)


def test_words_that_mean_nothing_are_refused() -> None:
    with pytest.raises(AssertionError, match="mean nothing"):
        block("1", "python tilte=x.py")


@pytest.mark.parametrize("language", ["", "ruby"])
def test_a_block_in_an_unknown_language_fails(page: Page, language: str) -> None:
    with pytest.raises(AssertionError, match="no way is known"):
        page.run(block("puts 1", language))


def test_blocks_of_a_page_share_their_names(page: Page) -> None:
    page.run(block("import math\nhalf = math.pi / 2"))
    page.run(block("assert math.sin(half) == 1"))


def test_a_python_block_that_raises_fails_at_its_line_of_the_page(page: Page) -> None:
    [found] = blocks_in("text\n\n```python\n1\n1 / 0\n```\n", HERE)
    with pytest.raises(ZeroDivisionError) as caught:
        page.run(found)
    assert caught.traceback[-1].lineno + 1 == 5


def test_a_python_block_must_print_what_it_says(page: Page) -> None:
    page.run(block("print(1 + 1)  # 2"))
    with pytest.raises(AssertionError, match="'3' was not printed"):
        page.run(block("print(1 + 1)  # 3"))


def test_only_comments_behind_prints_say_what_is_printed() -> None:
    assert printed_in("x = 1  # one\nprint(x)  # 1\nprint(x)\n    print(y)  # 2") == ["1"]


def test_a_spec_that_is_wrong_fails_unless_the_page_says_so(page: Page) -> None:
    wrong = "encoder: {type: transformr}"
    with pytest.raises(AssertionError, match="transformr"):
        page.run(block(wrong, "yaml"))
    page.run(block(wrong, "yaml wrong"))
    with pytest.raises(AssertionError):
        page.run(block("encoder: {type: transformer}", "yaml wrong"))


def test_commands_are_read_without_comments_and_prompts() -> None:
    shell = block("a --b 'c # d' && e  # f\n\n# g\nh \\\n  i", "sh")
    assert [each.words for each in commands_of(shell)] == [
        ("a", "--b", "c # d"),
        ("e",),
        ("h", "i"),
    ]
    console = block("$ a\nout\nmore\n$ b", "console")
    assert commands_of(console) == [Shown(("a",), ("out", "more")), Shown(("b",))]


def test_a_command_that_fails_fails_its_page(page: Page) -> None:
    with pytest.raises(AssertionError, match="num_head"):
        page.run(block("kokoro-core check small --set encoder.num_head=1", "sh"))


def test_a_console_block_must_show_what_is_printed(page: Page) -> None:
    page.run(block("$ kokoro-core check small\nsmall: ok", "console"))
    with pytest.raises(AssertionError, match="'small: fine' is not in"):
        page.run(block("$ kokoro-core check small\nsmall: fine", "console"))


def test_a_command_hidden_in_plain_text_fails(page: Page) -> None:
    page.run(block("a → b", "text"))
    with pytest.raises(AssertionError, match="make it a `sh` block"):
        page.run(block("kokoro-core check small", "text"))


def test_a_long_command_is_parsed_to_its_options(page: Page) -> None:
    parse_command(["demo", "--minutes", "5"], "here")
    with pytest.raises(Exception, match="--minuts"):
        parse_command(["demo", "--minuts", "5"], "here")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("python -m pip install '.[everything]'", "are no extras"),
        ("python -m pip install -c pins.txt .", r"there is no pins\.txt"),
        ("python -m pip install .", "nothing to install"),
        ("python -m pip install left-pad", "is not ours"),
        ("make install", "no way is known"),
    ],
)
def test_a_command_that_cannot_work_fails(page: Page, command: str, why: str) -> None:
    [shown] = commands_in(command)
    with pytest.raises(AssertionError, match=why):
        run_command(shown, "here", page.folder)
