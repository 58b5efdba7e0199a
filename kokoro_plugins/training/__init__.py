"""Training with Lightning: the commands `train`, `compare` and `demo`."""

import kokoro_core  # noqa: F401  (lets the old names of modules that moved be found)
