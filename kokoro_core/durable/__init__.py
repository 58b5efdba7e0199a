"""Files that are there whole or not at all: after kill -9, on a full disk, after a power cut.

Standard library only; what the files hold is the caller's.
"""

from kokoro_core.durable.atomic import atomic_file
from kokoro_core.durable.canonical import canonical_json
from kokoro_core.durable.manifest import FileRecord, Manifest
from kokoro_core.durable.step import Step
from kokoro_core.durable.steps import StepFolder

__all__ = ["FileRecord", "Manifest", "Step", "StepFolder", "atomic_file", "canonical_json"]
