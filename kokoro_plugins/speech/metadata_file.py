"""The file ``metadata.csv`` of LJSpeech: ``ID|text|normalised text``, with no quoting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kokoro_plugins.speech.corpus_problems import LineProblem

FILE_NAME = "metadata.csv"


def write_metadata(path: Path, texts: Mapping[str, str]) -> None:
    """Write the file; the text stands in both fields.

    Raises:
        ValueError: A text has the separator or a line break in it.
    """
    for name, text in texts.items():
        if "|" in text or len(text.splitlines()) != 1:
            raise ValueError(f"`{name}` must be one line without '|', not {text!r}.")
    lines = (f"{name}|{text}|{text}\n" for name, text in texts.items())
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def read_metadata(lines: Iterable[str]) -> tuple[dict[str, str], list[LineProblem]]:
    """Return the normalised text of each utterance in order, and the problems of the others."""
    texts: dict[str, str] = {}
    problems: list[LineProblem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, *fields = line.rstrip("\r\n").split("|")
        problem = _problem(name, fields)
        if problem is None and name in texts:
            problem = "is there twice; an ID is unique."
        if problem is not None:
            problems.append(LineProblem(FILE_NAME, number, name, problem))
        else:
            texts[name] = fields[-1].strip()
    return texts, problems


def _problem(name: str, fields: list[str]) -> str | None:
    if len(fields) not in (1, 2) or not fields[-1].strip():
        return (
            "must be followed by one or two fields, the last not empty: `ID|text|normalised text`."
        )
    if not name or name != Path(name).name or "\\" in name:
        return "must be a plain file name; the recording is `wavs/ID.wav`."
    return None
