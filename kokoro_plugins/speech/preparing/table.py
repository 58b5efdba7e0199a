"""The layout `table`: a CSV, TSV or JSONL with a line an utterance."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kokoro_core.errors import CorpusError
from kokoro_plugins.speech.corpus_problems import recordings_in
from kokoro_plugins.speech.preparing.listed_texts import text_of
from kokoro_plugins.speech.preparing.source import Found, Source, one_line

ENDINGS = (".csv", ".tsv", ".jsonl")

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "path", "audio", "audio_file", "audio_filepath", "filename", "wav"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id"),
    "language": ("language", "lang", "locale"),
    "id": ("id", "name", "utterance_id"),
}
"""What columns may be called; the first that is there counts."""


FOLDERS = ("", "clips", "wavs")
"""Beside a table, where files are looked for; Common Voice has them in ``clips``."""


def tables_in(data: Path) -> list[Path]:
    """Return the tables of a folder, or the data itself if it is one."""
    if data.is_file():
        return [data] if data.suffix.lower() in ENDINGS else []
    found = (each for each in sorted(data.iterdir()) if each.suffix.lower() in ENDINGS)
    return [each for each in found if each.is_file() and each.name != "metadata.csv"]


def find_table(data: Path) -> Found:
    """Return the utterances of a table; files are looked for beside it.

    Raises:
        CorpusError: There are several tables, or none, or a column is missing.
    """
    tables = tables_in(data)
    if len(tables) != 1:
        listed = ", ".join(each.name for each in tables) or "none"
        raise CorpusError(
            f"`{data}` must be or hold one table (.csv, .tsv or .jsonl), and there are {listed}; "
            f"give the file itself."
        )
    found = Found()
    table = tables[0]
    for number, row in _rows(table, text_of(table, found), found):
        source = _source(table, number, row, found)
        if source is not None:
            found.sources.append(source)
    return found


def _rows(table: Path, text: str, into: Found) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number of each line and what its columns hold."""
    if table.suffix.lower() != ".jsonl":
        tab = table.suffix.lower() == ".tsv"
        first = text.partition("\n")[0]
        mark = "\t" if tab else max(",;|\t", key=first.count)
        lines = io.StringIO(text, newline="")  # a field may have line breaks in it
        reader = csv.DictReader(lines, delimiter=mark, quoting=3 if tab else 0)
        _check_columns(table, reader.fieldnames or ())
        yield from ((reader.line_num, row) for row in reader)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        row: Any = None
        with suppress(ValueError, RecursionError):
            row = json.loads(line) if line.strip() else {}
        if not isinstance(row, dict):
            into.problems.add(
                "lines that are not JSON", f"{table.name}:{number} is no JSON object."
            )
        elif row:
            _check_columns(table, row)
            yield number, row


def _check_columns(table: Path, columns: Any) -> None:
    for wanted in ("file", "text"):
        if not any(name in columns for name in COLUMNS[wanted]):
            raise CorpusError(
                f"`{table.name}` must have a column `{wanted}` (or "
                f"{', '.join(COLUMNS[wanted][1:])}), and has {', '.join(map(repr, columns))}."
            )


def _source(table: Path, number: int, row: Mapping[str, Any], into: Found) -> Source | None:
    """Return the utterance of a row, or None where something is missing, which is noted."""
    file, text, speaker, language, name = (_value(row, column) for column in COLUMNS)
    if not file or not text:
        message = f"{table.name}:{number} has no {'file' if not file else 'text'}."
        into.problems.add("rows without a file or a text", message)
        return None
    audio = _beside(table, file)
    if not audio.is_file():
        near = recordings_in(audio.parent).find(audio.name)
        hint = f", but {near!r} is there" if near else ""
        into.problems.add("no recording", f"`{file}` ({table.name}:{number}) is missing{hint}.")
        return None
    return Source(name or audio.stem, audio, one_line(text), speaker or None, language or None)


def _beside(table: Path, file: str) -> Path:
    """Return where a file lies that a table names, or would lie."""
    places = [table.parent / folder / file for folder in FOLDERS]
    return next((each for each in places if each.is_file()), places[0])


def _value(row: Mapping[str, Any], column: str) -> str:
    found = next((row[each] for each in COLUMNS[column] if row.get(each) is not None), "")
    return str(found).strip()
