"""What an unquoted scalar of a spec means."""

from __future__ import annotations

import re
from typing import Any

# YAML 1.2.2, section 10.3.2, "Tag Resolution" of the core schema
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")
MAX_DIGITS = 40  # no setting is longer, and Python takes quadratic time to read one


def plain_value(text: str) -> Any:
    """Return what an unquoted scalar means in the core schema; None also for a number too long."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    is_int, is_based = _INT.fullmatch(text), _BASED_INT.fullmatch(text)
    if not is_int and not is_based and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        return None
    if is_based:
        return int(text, 0)
    return int(text) if is_int else float(text)
