"""The command line. Commands import what they need when they run."""

from kokoro_core.shadowing import import_ours

import_ours()
