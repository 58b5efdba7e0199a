"""The texts and the files of a command that speaks, looked at before any work is done."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from kokoro_core.cli.spoken_table import Row, read_table
from kokoro_core.cli.toolkit import text_given
from kokoro_core.speaking.sound_files import FORMATS, check_suffix
from kokoro_core.speaking.time_files import check_time_file

DEFAULT_OUT = Path("out.wav")


def rows_of(text: str | None, file: Path | None, out: Path, timings: Path | None) -> list[Row]:
    """Return what is to be spoken into which files, all of which can be written.

    What is wrong with a row of a table stands in the row, and the others are spoken.

    Raises:
        ValueError: There is no text, or there are two, or a file cannot be one of sound or times.
        OSError: A file cannot be read, or a place cannot be written.
    """
    if file is not None and file.suffix.lower() == ".csv":
        if text is not None or timings is not None or str(out) == "-":
            raise ValueError("a table of texts has no other text, no `--timings` and no `--out -`.")
        folder = Path() if out == DEFAULT_OUT else out
        if not folder.is_dir():
            raise FileNotFoundError(
                f"`--out {folder}` must be a folder for the rows of `{file}`, and there is none; "
                f"make it first."
            )
        return [_in_folder(row, folder) for row in read_table(file)]
    given = text_given(text, file, "synthesize")
    if str(out) != "-":
        check_out(out)
    if timings is not None:
        check_time_file(timings)
        _check_place(timings, "--timings")
    return [Row(1, str(out), given)]


def _in_folder(row: Row, folder: Path) -> Row:
    if row.problem is not None:
        return row
    try:
        check_out(folder / row.out)
    except (ValueError, OSError) as error:
        return replace(row, problem=str(error))
    return replace(row, out=str(folder / row.out))


def check_out(out: Path) -> None:
    """Reject a file that cannot be written as sound, before any work is done for it.

    Raises:
        FileNotFoundError: The folder does not exist.
        PermissionError: The folder or the file is not writable.
        ValueError: The file is a folder, or does not have the suffix of a sound.
        ModuleNotFoundError: Its format needs a package that is not installed.
    """
    if out.is_dir() or out.suffix.lower() not in FORMATS:
        raise ValueError(
            f"`--out {out}` must be a file that ends in {', '.join(FORMATS)}, or '-'; a folder is "
            f"for the rows of a table, `--file TEXTS.csv`."
        )
    check_suffix(out)
    _check_place(out, "--out")


def _check_place(file: Path, flag: str) -> None:
    if not file.absolute().parent.is_dir():
        raise FileNotFoundError(f"`{flag} {file}`: the folder `{file.parent}` does not exist.")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise PermissionError(f"`{flag} {file}` may not be written; give another file.")
