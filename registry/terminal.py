"""Text for an output that cannot show all of Unicode: a Windows pipe, a plain locale, a log.

A path, a phoneme or an arrow there must not end a command; what the encoding lacks is written as an
escape, which is what Python itself does on standard error.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def never_fail(*streams: TextIO) -> None:
    """Let streams escape what their encoding lacks; what a user chose for that stays chosen."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def open_closed_streams() -> None:
    """Give a process that was started without a standard stream one that is empty.

    Python has None there, which every ``isatty`` and ``read`` would stumble on.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def is_unicode(stream: TextIO) -> bool:
    """Return whether a stream takes every character."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("_", "-").startswith(("utf-", "utf8", "utf16", "utf32"))


def print_any(text: str) -> None:
    """Print a text whatever standard output can show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def print_file(text: str) -> None:
    """Print the content of a spec file, which is UTF-8, also into a pipe of another encoding."""
    stream = sys.stdout
    if is_unicode(stream) or stream.isatty() or not isinstance(stream, io.TextIOWrapper):
        print(text, end="")
        return
    stream.flush()
    stream.buffer.write(text.encode("utf-8", "backslashreplace"))
    stream.buffer.flush()
