"""The command line. Commands import what they need when they run."""

from kokoro_core._shadowing import import_ours

import_ours()
