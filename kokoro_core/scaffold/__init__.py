"""Writes the first files of a plugin, and a spec with every default."""

from kokoro_core._shadowing import import_ours

import_ours()
