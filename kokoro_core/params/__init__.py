"""What the author of a component writes first: its settings, and what they say of it. No torch."""

import contextlib

from pydantic import TypeAdapter

from kokoro_core._shadowing import import_ours

import_ours()

# At its first model, and only then, pydantic reads the entry points of every distribution there is.
# One whose list is unreadable would fail a model of ours, whichever comes first.
with contextlib.suppress(Exception):
    TypeAdapter(int)
