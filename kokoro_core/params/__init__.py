"""What the author of a component writes first: its settings and declarations. No torch."""

import contextlib

from pydantic import TypeAdapter

from kokoro_core._shadowing import import_ours

import_ours()

# pydantic reads the entry points of all distributions when it builds its first model. An unreadable
# list would fail a model of ours, so the first model is one whose failure does not matter.
with contextlib.suppress(Exception):
    TypeAdapter(int)
