"""Text for an output that cannot show all of Unicode: a Windows pipe, a plain locale, a log.

A path, a phoneme or an arrow must not crash a command there; characters that the encoding lacks are
escaped, as Python itself does on standard error.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def never_fail(*streams: TextIO) -> None:
    """Make streams escape characters that their encoding lacks, unless the user chose otherwise."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def open_closed_streams() -> None:
    """Give a process that was started without a standard stream an empty one.

    Python uses None for it, which fails at every ``isatty`` and ``read``.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def is_unicode(stream: TextIO) -> bool:
    """Return whether a stream can encode every character."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("_", "-").startswith(("utf-", "utf8", "utf16", "utf32"))


def print_any(text: str) -> None:
    """Print a text, escaping characters that standard output cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def print_file(text: str) -> None:
    """Print the content of a spec file as UTF-8, even into a pipe with another encoding."""
    stream = sys.stdout
    if is_unicode(stream) or stream.isatty() or not isinstance(stream, io.TextIOWrapper):
        print(text, end="")
        return
    stream.flush()
    stream.buffer.write(text.encode("utf-8", "backslashreplace"))
    stream.buffer.flush()
