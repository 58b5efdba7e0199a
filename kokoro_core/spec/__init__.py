"""From the text of a spec to a checked `ModelSpec`; imports no torch."""

from kokoro_core._shadowing import import_ours

import_ours()
