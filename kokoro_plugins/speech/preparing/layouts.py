"""Which layout data has, and what lies in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kokoro_core.errors import CorpusError
from kokoro_plugins.speech.preparing.listed_texts import find_listed
from kokoro_plugins.speech.preparing.settings import LAYOUTS, Layout
from kokoro_plugins.speech.preparing.source import Found, Source, is_audio
from kokoro_plugins.speech.preparing.table import find_table, tables_in
from kokoro_plugins.speech.preparing.texts_beside import (
    find_flat,
    find_libritts,
    find_speakers,
    find_vctk,
    is_libritts,
    is_vctk,
)


def recognise(data: Path) -> Layout:
    """Return the layout that data looks like.

    Raises:
        CorpusError: It looks like none.
    """
    if data.is_dir():
        signs: tuple[tuple[Layout, Callable[[], bool]], ...] = (
            ("ljspeech", (data / "metadata.csv").is_file),
            ("vctk", lambda: is_vctk(data)),
            ("flat", lambda: any(is_audio(each) for each in data.iterdir())),
            ("table", lambda: len(tables_in(data)) == 1),
            ("libritts", lambda: is_libritts(data)),
            ("speakers", lambda: any(is_audio(each) for each in data.glob("*/*"))),
        )
        found = next((layout for layout, shows in signs if shows()), None)
    else:
        found = "table" if tables_in(data) else None
    if found is None:
        raise CorpusError(
            f"`{data}` looks like no layout that is known ({', '.join(LAYOUTS)}); docs/prepare.md "
            f"shows them, and `--layout` says which it is."
        )
    return found


def find(data: Path, layout: Layout) -> Found:
    """Return the utterances of data in a layout, in a fixed order.

    Raises:
        CorpusError: The data is not there, or the layout is another.
    """
    look: dict[Layout, Callable[[], Found]] = {
        "ljspeech": lambda: find_listed(data),
        "flat": lambda: find_flat(data),
        "speakers": lambda: find_speakers(data),
        "vctk": lambda: find_vctk(data),
        "libritts": lambda: find_libritts(data),
        "table": lambda: find_table(data),
    }
    found = look[layout]()
    taken = set[str]()
    found.sources[:] = [each for each in found.sources if _is_usable(each, taken, found)]
    return found


def _is_usable(source: Source, taken: set[str], found: Found) -> bool:
    """Return whether a name and a text can be written to a folder; if not it is noted."""
    if source.name in taken:
        message = f"`{source.name}` is there twice, the second time as {source.audio}."
        found.problems.add("IDs that are there twice", message)
    elif not source.text:
        found.problems.add("empty texts", f"`{source.name}` has a text that is empty.")
    elif "|" in source.text:
        message = f"`{source.name}` has a text with '|', which separates fields: {source.text!r}."
        found.problems.add("texts with '|'", message)
    elif source.name != Path(source.name).name or {"|", "\\", "\n"} & set(source.name):
        found.problems.add("IDs that are no file names", f"`{source.name}` is no plain file name.")
    else:
        taken.add(source.name)
        return True
    return False
