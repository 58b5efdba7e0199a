"""Printing and writing of commands."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

from kokoro_core.cli.table import print_table
from registry.terminal import is_unicode, print_file
from registry.text import printable

__all__ = [
    "print_error",
    "print_file",
    "print_json",
    "print_note",
    "print_table",
    "print_yaml",
    "write_file",
    "write_yaml",
]

_UNPRINTABLE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Characters that JSON permits in a string although a terminal acts on them."""


def print_json(value: Any) -> None:
    """Print a value as JSON, safely even on a terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=not is_unicode(sys.stdout))
    print(_UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text))


def print_error(line: str) -> None:
    """Print a line to standard error."""
    print(printable(line), file=sys.stderr)


def print_note(line: str) -> None:
    """Print a note about a spec to standard error."""
    print_error(f"note: {line}")


def print_yaml(value: Any) -> None:
    """Print a value as YAML."""
    stream = io.StringIO()
    write_yaml(value, stream)
    print_file(stream.getvalue())


def write_file(path: Path, text: str) -> None:
    """Write a file atomically: readers see either the old text or the new one.

    Raises:
        OSError: The file system reports an error; an existing file is unchanged.
    """
    if path.exists() and not path.is_file():  # a device, or a folder, which is rejected
        path.write_text(text, encoding="utf-8")
        return
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8", newline="\n")
        if target.exists():
            new.chmod(target.stat().st_mode)
        os.replace(new, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # if a file is in the folder's place
            new.unlink(missing_ok=True)


def write_yaml(value: Any, stream: TextIO) -> None:
    """Write a value as YAML, keys in their order."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, stream)
