"""Atomic files and step directories: complete or absent after kill -9, a full disk, a power cut.

Standard library only; the content of the files is up to the caller.
"""

from kokoro_core.durable.atomic import atomic_file
from kokoro_core.durable.canonical import canonical_json
from kokoro_core.durable.manifest import FileRecord, Manifest
from kokoro_core.durable.step import Step
from kokoro_core.durable.steps import StepFolder

__all__ = ["FileRecord", "Manifest", "Step", "StepFolder", "atomic_file", "canonical_json"]
