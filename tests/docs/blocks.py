"""The fenced blocks of a page, and what the words after their language say."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".github/SECURITY.md")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
]


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The file that it is in.
        line: The line of its fence, counted from 1.
        language: The first word after the fence.
        title: The file that it shows, from ``title="…"``, or None.
        wrong: True if the page shows it as an example of what is refused.
        text: What stands in it.
    """

    page: Path
    line: int
    language: str
    title: str | None
    wrong: bool
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    return blocks_in(page.read_text(encoding="utf-8"), page)


def blocks_in(text: str, page: Path) -> list[Block]:
    """Return the blocks of a page in order; a code block that is only indented is refused."""
    found = []
    for token in MarkdownIt().parse(text):
        assert token.type != "code_block", f"{page.name}:{token.map}: an indented block; fence it"
        if token.type == "fence":
            assert token.map is not None
            found.append(_block(page, token.map[0] + 1, token.info, token.content))
    return found


def _block(page: Path, line: int, info: str, text: str) -> Block:
    language, *words = shlex.split(info) or [""]
    titles = [word.removeprefix("title=") for word in words if word.startswith("title=")]
    unknown = [word for word in words if word != "wrong" and not word.startswith("title=")]
    assert not unknown, f"{page.name}:{line}: {unknown} after the language mean nothing"
    return Block(page, line, language, titles[0] if titles else None, "wrong" in words, text)


@dataclass(frozen=True)
class Shown:
    """A command that a page shows, and the lines that it shows as its output."""

    words: tuple[str, ...]
    output: tuple[str, ...] = ()


def commands_of(block: Block) -> list[Shown]:
    """Return the commands of a shell block; in a console block each stands after ``$``."""
    shown: list[Shown] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language != "console":
            shown += commands_in(line)
        elif line.startswith("$ "):
            shown += commands_in(line[2:])
        elif line.strip():
            assert shown, f"{block.place}: output before the first `$ command`"
            shown[-1] = Shown(shown[-1].words, (*shown[-1].output, line))
    return shown


def commands_in(line: str) -> list[Shown]:
    """Return the commands of a line, without its comment."""
    words = shlex.split(line, comments=True)
    ends = [index for index, word in enumerate(words) if word == "&&"]
    starts = [0, *(end + 1 for end in ends)]
    parts = [words[start:end] for start, end in zip(starts, [*ends, len(words)], strict=True)]
    return [Shown(tuple(part)) for part in parts if part]


def printed_in(text: str) -> list[str]:
    """Return what a Python block says it prints: the comments behind its top-level prints."""
    return re.findall(r"^print\(.*\)  +# (.+)$", text, re.M)
