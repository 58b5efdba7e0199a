"""The files that the corpus `folder` reads; the one that it cannot do without is written last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from kokoro_core.durable import atomic_file
from kokoro_plugins.speech import durations_file, held_out_file, metadata_file, speakers_file
from kokoro_plugins.speech.durations_file import Alignment
from kokoro_plugins.speech.preparing.prepared import Prepared


def write_corpus(out: Path, utterances: Sequence[Prepared], held_out: Collection[str]) -> None:
    """Write what is known of utterances whose recordings are there already.

    Raises:
        ValueError: A symbol cannot be written.
    """
    aligned = {
        each.name: Alignment(each.symbols, each.durations)
        for each in utterances
        if each.durations is not None
    }
    file = out / durations_file.FILE_NAME
    write_or_remove(file, bool(aligned), lambda new: durations_file.write_durations(new, aligned))
    speakers = {each.name: each.speaker for each in utterances if each.speaker is not None}
    file = out / speakers_file.FILE_NAME
    write_or_remove(file, bool(speakers), lambda new: speakers_file.write_names(new, speakers))
    languages = {each.name: each.language for each in utterances if each.language is not None}
    file = out / speakers_file.LANGUAGES
    write_or_remove(file, bool(languages), lambda new: speakers_file.write_names(new, languages))
    in_order = [each.name for each in utterances if each.name in held_out]
    with atomic_file(out / held_out_file.FILE_NAME) as new:
        held_out_file.write_held_out(new, in_order)
    with atomic_file(out / metadata_file.FILE_NAME) as new:
        metadata_file.write_metadata(new, {each.name: each.text for each in utterances})


def write_or_remove(file: Path, is_wanted: bool, write: Callable[[Path], object]) -> None:
    """Write a file, or take it away if there is nothing to write."""
    if not is_wanted:
        file.unlink(missing_ok=True)
        return
    with atomic_file(file) as new:
        write(new)


def write_text(file: Path, text: str) -> None:
    """Write a text that is whole or not there."""
    with atomic_file(file) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def begin_anew(out: Path) -> None:
    """Take away what would make a folder that is being changed look whole."""
    (out / metadata_file.FILE_NAME).unlink(missing_ok=True)
